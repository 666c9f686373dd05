"""The interfaces that assets and commands know: facets and conversations in, answers out.

Not here: any classifier (`local/`, `claude/`), the memory around one (`cache.py`, `claude/answers.py`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dagster_project.codebook.schema import Facet
from dagster_project.domain.conversations import Conversation
from dagster_project.domain.labels import Answer, Labelled

Progress = Callable[[int], None]
"""Called with the number of conversations just finished."""

Dated = tuple[Answer, datetime]
"""An answer, and when it was first given (UTC)."""


class Keyed(Protocol):
    """A conversation and the keyed hash of its content."""

    @property
    def conversation(self) -> Conversation: ...

    @property
    def content_hash(self) -> str: ...


class Classifier(Protocol):
    """A labeller. `labeller` names it and its weights or model, e.g. `local-1-3f9a2c`."""

    @property
    def labeller(self) -> str: ...

    def measures(self, facet: Facet) -> bool:
        """Whether this labeller answers the facet at all; what it does not has no rows."""
        ...

    def prompt_hash(self, facet: Facet) -> str:
        """Digest of everything that decides the answer besides the conversation."""
        ...

    def classify(
        self, facets: Sequence[Facet], conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> Iterator[Labelled]:
        """One `Labelled` a conversation, in their order, with an answer for each facet asked.

        No rule of the study is applied here (roleplay under four messages is still labelled); never
        raises on the content of a conversation: an answer may be `could_not_tell`.
        """
        ...


@dataclass(frozen=True)
class Spent:
    """What was paid for the conversations of one day (ISO, UTC): requests, tokens, dollars."""

    day: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    usd: float


@dataclass(frozen=True)
class Account:
    """What a labeller did so far: answers found and asked, requests sent, and their cost by day and model."""

    found: int
    asked: int
    requests: int = 0
    usd: float = 0.0
    spent: tuple[Spent, ...] = ()


class Answers(Protocol):
    """A labeller with a memory: what was answered once is not asked again."""

    @property
    def labeller(self) -> str: ...

    def measures(self, facet: Facet) -> bool: ...

    def prompt_hash(self, facet: Facet) -> str: ...

    def ask_ahead(
        self, facets: Sequence[Facet], conversations: Iterable[Keyed], progress: Progress | None = None
    ) -> None:
        """Ask all that is missing for a whole range at once, where asking together is cheaper; else nothing."""
        ...

    def classify(
        self, facets: Sequence[Facet], conversations: Sequence[Keyed], progress: Progress | None = None
    ) -> Iterator[Mapping[str, Dated]]:
        """One mapping a conversation, in their order: facet id -> (answer, when it was given)."""
        ...

    def account(self) -> Account:
        """What was done through this object."""
        ...
