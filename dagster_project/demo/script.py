"""A conversation with its truth, before it has an id, a day or a person's way of typing.

Lives here: the value types that the writers of conversations share. Not here: the writers (`talk.py`,
`scenes.py`, `everyday.py`), files (`world.py`).
"""

from dataclasses import dataclass, field

from dagster_project.domain.conversations import Role

LEVELS = ("very_negative", "negative", "neutral", "positive", "very_positive")
"""Sentiment levels from the lowest to the highest, as in the codebook."""


@dataclass(slots=True)
class Turn:
    """One message. `level`: its sentiment (human messages). `pushback`: its kind (assistant messages)."""

    role: Role
    text: str
    level: str | None = None
    pushback: str | None = None


@dataclass(slots=True)
class Script:
    """A conversation and what is true of it. types and topics run side by side; `scenario` says how it was made."""

    turns: list[Turn] = field(default_factory=list)
    types: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    content_creation: bool = False
    scenario: str = "talk"

    def human(self, text: str, level: str) -> None:
        """Add a message of the person."""
        self.turns.append(Turn(Role.USER, text, level=level))

    def assistant(self, text: str, pushback: str | None = None) -> None:
        """Add a reply of the assistant."""
        self.turns.append(Turn(Role.ASSISTANT, text, pushback=pushback))
