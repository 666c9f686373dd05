"""What the demo world is set to hold: its window, shares, rates and moods, each a named constant.

The affective share is far above that of real logs (the study: 2.9 % of conversations), on purpose: with so few
conversations, the four figures of one study window would have nothing to show. All of it is invented.
"""

from collections.abc import Mapping
from datetime import date

WINDOW_START = date(2026, 9, 21)
WINDOW_DAYS = 56
"""Eight ISO weeks, 2026-W39 to 2026-W46, UTC."""
CONVERSATIONS = 6200
CONVERSATIONS_PER_PERSON = 2.95
"""Mean over the people invented; some never write: 6,200 conversations have about 1,500 users."""
SEED = 20260921

SHARES: Mapping[str, float] = {
    "interpersonal_advice": 0.145,
    "coaching": 0.105,
    "psychotherapy_counseling": 0.112,
    "companionship": 0.074,
    "romantic_roleplay": 0.019,
    "sexual_roleplay": 0.017,
    "content_creation": 0.195,
    "everyday": 0.326,
    "foreign": 0.007,
}
"""Share of conversations by what they are set up as; the six affective ones together are about 47 %."""

WEEKDAY_WEIGHTS = (1.1, 1.12, 1.08, 1.05, 0.95, 0.78, 0.92)
"""Monday to Sunday."""

SECOND_TYPE_RATE = 0.06
"""Talks that turn to a matter of a second type on the way."""
SHORT_SCENE_RATE = 0.15
"""Roleplay of two or three human messages: under the study's four, so not counted as roleplay."""

HUMAN_MESSAGES: Mapping[int, float] = {2: 0.07, 3: 0.09, 4: 0.10, 5: 0.10, 6: 0.24, 7: 0.18, 8: 0.13, 9: 0.06, 10: 0.03}
"""Length of talks; 64 % have the six human messages that sentiment change needs."""

PUSHBACK_RATES: Mapping[str, float] = {
    "interpersonal_advice": 0.06,
    "coaching": 0.07,
    "psychotherapy_counseling": 0.13,
    "companionship": 0.10,
}
"""Talks with a pushback event; `dark_thoughts` has its own rate."""
DARK_THOUGHTS_SAFETY_RATE = 0.75
SECOND_PUSHBACK_RATE = 0.10
PUSHBACK_KINDS: Mapping[str, Mapping[str, float]] = {
    "interpersonal_advice": {
        "challenge": 0.42,
        "refusal": 0.18,
        "boundary": 0.14,
        "correction": 0.12,
        "safety": 0.09,
        "other": 0.05,
    },
    "coaching": {"challenge": 0.50, "correction": 0.18, "refusal": 0.14, "boundary": 0.12, "safety": 0.06},
    "psychotherapy_counseling": {
        "safety": 0.28,
        "boundary": 0.34,
        "challenge": 0.22,
        "refusal": 0.08,
        "correction": 0.08,
    },
    "companionship": {"boundary": 0.50, "refusal": 0.18, "challenge": 0.18, "correction": 0.08, "other": 0.06},
}

MOOD_START: Mapping[str, float] = {
    "interpersonal_advice": -0.22,
    "coaching": -0.12,
    "psychotherapy_counseling": -0.42,
    "companionship": 0.10,
}
MOOD_CHANGE: Mapping[str, float] = {
    "interpersonal_advice": 0.14,
    "coaching": 0.24,
    "psychotherapy_counseling": 0.16,
    "companionship": 0.06,
}
"""Mean mood at the first message, and how far it moves until the last, on the scale from -1 to 1."""
MOOD_SPREAD = 0.28
CHANGE_SPREAD = 0.30
MESSAGE_SPREAD = 0.20
"""Standard deviations: between conversations, of the change, between messages."""

NO_USER = 26
NO_TIME_ZONE = 34
"""Conversations without a user id, and without a time zone, in a world of 6,200."""
SYSTEM_RATE = 0.03
NO_MESSAGE_TIMES_RATE = 0.08
LATE = 40
GROWN = 6
DUPLICATES = 9
"""Lines of late.jsonl in a world of 6,200: first seen there, seen there longer, seen there again."""
