"""The shape of a facet. What is asked is data: adding a facet is adding a YAML file.

Lives here: the pydantic model that every facet file must satisfy. Not here: reading files
(`loader.py`), prompts (`classifiers/claude`), what the study does with the answers (`domain/study.py`).
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Prose = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
RESERVED = frozenset({"none", "any", "all", "unknown", "could_not_tell", "refused", "invalid"})


class Unit(StrEnum):
    """What one answer is about."""

    CONVERSATION = "conversation"
    HUMAN_MESSAGE = "human_message"
    ASSISTANT_TURN = "assistant_turn"
    EVENT = "event"
    """An event that another facet finds: the facet is an attribute of it."""


class AnswerType(StrEnum):
    """How a facet is answered."""

    YES_NO = "yes_no"
    CHOICE = "choice"
    MULTI_CHOICE = "multi_choice"
    SCALE = "scale"
    EVENTS = "events"
    CLUSTER = "cluster"
    TEXT = "text"
    """One bounded line for the private zone: never a label, never published."""


ANSWERS_OF_UNIT = {
    Unit.CONVERSATION: frozenset(AnswerType) - {AnswerType.EVENTS},
    Unit.HUMAN_MESSAGE: frozenset({AnswerType.CHOICE, AnswerType.SCALE, AnswerType.EVENTS}),
    Unit.ASSISTANT_TURN: frozenset({AnswerType.EVENTS}),
    Unit.EVENT: frozenset({AnswerType.CHOICE, AnswerType.SCALE, AnswerType.YES_NO}),
}
"""What can be asked of each unit. Events are found on messages; what is asked of a message has one value."""


class Category(BaseModel):
    """One category: what counts as it, and the boundary to its neighbours.

    counts: false where it says that the facet does not apply; the conversation then leaves the denominator.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Slug
    label: Prose
    definition: Prose
    boundary: list[Prose] = Field(default_factory=list)
    number: float | None = None
    counts: bool = True


class Facet(BaseModel):
    """One question of the codebook. `version` changes whenever the meaning of an answer may.

    of: for the unit `event`, the id of the events facet whose events are described. max_characters: for the answer
    `text`, how long it may be. notes: how to answer. rules: what is done with the answers later, told to readers
    alone and no labeller.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Slug
    version: Annotated[int, Field(ge=1)]
    title: Prose
    question: Prose
    unit: Unit
    applies_to: list[str]
    answer: AnswerType
    stage: Literal["screen", "detail", "cluster"]
    sensitive: bool
    publish: Literal["prevalence", "pushback", "sentiment", "topics", "drift", "facets", "no"]
    notes: list[Prose] = Field(default_factory=list)
    rules: list[Prose] = Field(default_factory=list)
    source: Prose
    of: Slug | None = None
    max_characters: Annotated[int, Field(ge=1, le=500)] | None = None
    categories: list[Category] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_answerable(self) -> "Facet":
        ids = [c.id for c in self.categories]
        if len(ids) != len(set(ids)):
            raise ValueError("two categories share an id")
        if taken := sorted(RESERVED & set(ids)):
            raise ValueError(f"reserved category id: {', '.join(taken)}")
        if self.answer is AnswerType.SCALE and any(c.number is None for c in self.categories):
            raise ValueError("every category of a scale needs a number")
        for fault in (self._fault_of_number(), self._fault_of_unit(), self._fault_of_text()):
            if fault:
                raise ValueError(fault)
        return self

    def _fault_of_number(self) -> str | None:
        n = len(self.categories)
        if self.answer is AnswerType.CLUSTER:
            return "a cluster facet finds its categories: it lists none" if n else None
        if self.answer is AnswerType.TEXT:
            return "a text facet has no categories" if n else None
        if self.answer is AnswerType.YES_NO:
            return None if n == 1 else "a yes/no facet has one category: what a yes says"
        return "too few categories for this answer type" if n < 2 else None

    def _fault_of_unit(self) -> str | None:
        if (self.unit is Unit.EVENT) != (self.of is not None):
            return "a facet of the unit event, and no other, names the facet whose events it describes (of)"
        if self.answer not in ANSWERS_OF_UNIT[self.unit]:
            return f"the answer {self.answer.value} cannot be asked of the unit {self.unit.value}"
        if (self.stage == "cluster") != (self.answer is AnswerType.CLUSTER):
            return "the stage cluster and the answer cluster belong together"
        return None

    def _fault_of_text(self) -> str | None:
        if (self.answer is AnswerType.TEXT) != (self.max_characters is not None):
            return "a text facet, and no other, says its max_characters"
        if self.answer is AnswerType.TEXT and self.publish != "no":
            return "a text facet stays in the private zone: publish: no"
        return None

    @property
    def category_ids(self) -> tuple[str, ...]:
        """Category ids in the order of the file."""
        return tuple(c.id for c in self.categories)
