"""The study's rules, exactly, as numbers and pure functions.

Source: "How People Use Claude for Support, Advice, and Companionship" (Anthropic, 2025-06-26). The
warehouse applies the same rules in SQL (`dbt/`); a test holds the two against each other. Not here:
definitions of the categories (`codebook/`), aggregation (`dbt/`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

AFFECTIVE_TYPES = (
    "interpersonal_advice",
    "coaching",
    "psychotherapy_counseling",
    "companionship",
    "romantic_roleplay",
    "sexual_roleplay",
)
ROLEPLAY_TYPES = ("romantic_roleplay", "sexual_roleplay")
TALK_TYPES = tuple(t for t in AFFECTIVE_TYPES if t not in ROLEPLAY_TYPES)

ROLEPLAY_MIN_HUMAN_MESSAGES = 4
SENTIMENT_MIN_HUMAN_MESSAGES = 6
SENTIMENT_EDGE_MESSAGES = 3
VERY_LONG_HUMAN_MESSAGES = 50

SENTIMENT_LEVELS = {
    "very_negative": -1.0,
    "negative": -0.5,
    "neutral": 0.0,
    "positive": 0.5,
    "very_positive": 1.0,
}


def counted_types(types: Iterable[str], n_human_messages: int) -> tuple[str, ...]:
    """The affective types that count: roleplay only with at least four human messages."""
    enough = n_human_messages >= ROLEPLAY_MIN_HUMAN_MESSAGES
    return tuple(t for t in types if enough or t not in ROLEPLAY_TYPES)


def sentiment_change(levels: Sequence[float | None]) -> tuple[float, float] | None:
    """Mean of the first three and of the last three human messages, in order.

    levels: one number in [-1, 1] a human message, None where it could not be told. Returns
    (start, end), or None under six human messages or where one of the six is unknown.
    """
    if len(levels) < SENTIMENT_MIN_HUMAN_MESSAGES:
        return None
    first, last = levels[:SENTIMENT_EDGE_MESSAGES], levels[-SENTIMENT_EDGE_MESSAGES:]
    known = [x for x in (*first, *last) if x is not None]
    if len(known) < 2 * SENTIMENT_EDGE_MESSAGES:
        return None
    edge = SENTIMENT_EDGE_MESSAGES
    return sum(known[:edge]) / edge, sum(known[edge:]) / edge


def position_third(turn: int, n_turns: int) -> str:
    """Third of the assistant's turns that holds turn `turn` (0-based): early, middle or late.

    Raises ValueError when the turn is not one of the conversation's.
    """
    if not 0 <= turn < n_turns:
        raise ValueError(f"turn {turn} is not one of {n_turns}")
    return ("early", "middle", "late")[turn * 3 // n_turns]
