"""What a conversation is: the canonical form that every source is turned into and every classifier reads.

Lives here: the value types and what can be derived from one conversation alone. Not here: reading
files (`sources/`), validation of foreign input (`sources/`), hashing with keys (`storage/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """Who speaks. `user` is the human; the study's rules count human messages only."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `created_at` is UTC, or None where the source lacks it."""

    role: Role
    content: str
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation. `started_at` is UTC; ids are the source's own, or pseudonyms past ingestion."""

    conversation_id: str
    user_id: str | None
    started_at: datetime
    messages: tuple[Message, ...]
    surface: str | None = None

    @property
    def human_messages(self) -> tuple[Message, ...]:
        """The messages written by the person, in order."""
        return tuple(m for m in self.messages if m.role is Role.USER)

    @property
    def assistant_messages(self) -> tuple[Message, ...]:
        """The messages written by the assistant, in order."""
        return tuple(m for m in self.messages if m.role is Role.ASSISTANT)


def indices_of(messages: Sequence[Message], role: Role) -> list[int]:
    """Positions in the conversation of the messages of one role."""
    return [i for i, message in enumerate(messages) if message.role is role]
