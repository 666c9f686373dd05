"""The one interface that assets and commands know: facets and conversations in, answers out.

Not here: any classifier (`local/`, `claude/`), the cache around them (`cache.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from dagster_project.codebook.schema import Facet
from dagster_project.domain.conversations import Conversation
from dagster_project.domain.labels import Labelled

Progress = Callable[[int], None]
"""Called with the number of conversations just finished."""


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
