"""Small sets of conversations for whole-path tests, with canaries where they are wanted.

Not here: the demo world (`dagster_project/demo`), homes and commands (`homes.py`).
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OPENERS = {
    "interpersonal": "My sister and I keep arguing about who looks after our father, how do I talk to her about it",
    "coaching": "I want to change my career and find a goal that means something to me, how should I plan the next year",
    "counseling": "I feel anxious and hopeless most days and I cannot sleep, the sadness does not lift",
    "companionship": "Hello again, I just want somebody to talk with about my evening, I missed our chats",
    "story": "Write a short story about a lighthouse keeper who finds a letter",
    "fact": "What is the boiling point of water at 2,000 metres and why does it fall",
}
REPLIES = (
    "That sounds hard. What would you like to say first?",
    "Here is one way to begin, step by step.",
    "I hear you. Tell me more about this week.",
    "I can't help with that request, but I can listen.",
)
FOLLOW_UPS = (
    "that makes sense, thank you",
    "I am not sure it would work for me",
    "it still feels bad when I think of it",
    "okay, that helps a lot, I feel better",
    "and what then",
    "good idea, I will try it tonight",
)


def conversation(rng: random.Random, i: int, day: str, user: str | None, kind: str, n_human: int) -> dict[str, Any]:
    """One conversation of a kind, with `n_human` human messages and as many replies."""
    messages = []
    for turn in range(n_human):
        text = (
            f"{OPENERS[kind]}, number {rng.randint(100, 999)} {rng.choice('abcdefgh')}"
            if turn == 0
            else rng.choice(FOLLOW_UPS)
        )
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": rng.choice(REPLIES)}]
    hour, minute = rng.randint(0, 23), rng.randint(0, 59)
    return {
        "conversation_id": f"c{i}",
        "user_id": user,
        "started_at": f"{day}T{hour:02d}:{minute:02d}:00Z",
        "surface": "web",
        "messages": messages,
    }


def small_world(days: list[str], a_day: int = 60, users: int = 200, seed: int = 7) -> list[dict[str, Any]]:
    """`a_day` conversations for each of the days, of all kinds, by `users` people."""
    rng = random.Random(seed)
    kinds = [*OPENERS, "interpersonal", "counseling", "coaching"]
    return [
        conversation(
            rng, d * a_day + i, day, f"u{rng.randrange(users)}", rng.choice(kinds), rng.choice([1, 2, 3, 6, 7])
        )
        for d, day in enumerate(days)
        for i in range(a_day)
    ]


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Canonical JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def days_from(first: str, n: int) -> list[str]:
    """`n` UTC days from the first."""
    from datetime import date, timedelta

    start = date.fromisoformat(first)
    return [(start + timedelta(days=i)).isoformat() for i in range(n)]


def texts(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Every message text."""
    for row in rows:
        for message in row["messages"]:
            yield message["content"]
