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


class AnswerType(StrEnum):
    """How a facet is answered."""

    YES_NO = "yes_no"
    CHOICE = "choice"
    MULTI_CHOICE = "multi_choice"
    SCALE = "scale"
    EVENTS = "events"
    CLUSTER = "cluster"


class Category(BaseModel):
    """One category: what counts as it, and the boundary to its neighbours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Slug
    label: Prose
    definition: Prose
    boundary: list[Prose] = Field(default_factory=list)
    number: float | None = None


class Facet(BaseModel):
    """One question of the codebook. `version` changes whenever the meaning of an answer may."""

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
    publish: Literal["prevalence", "pushback", "sentiment", "topics", "facets", "no"]
    notes: list[Prose] = Field(default_factory=list)
    source: Prose
    categories: list[Category] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_answerable(self) -> "Facet":
        ids = [c.id for c in self.categories]
        if len(ids) != len(set(ids)):
            raise ValueError("two categories share an id")
        if taken := sorted(RESERVED & set(ids)):
            raise ValueError(f"reserved category id: {', '.join(taken)}")
        if self.answer is AnswerType.CLUSTER:
            if ids:
                raise ValueError("a cluster facet finds its categories: it lists none")
        elif len(ids) < (1 if self.answer is AnswerType.YES_NO else 2):
            raise ValueError("too few categories for this answer type")
        if self.answer is AnswerType.SCALE and any(c.number is None for c in self.categories):
            raise ValueError("every category of a scale needs a number")
        return self

    @property
    def category_ids(self) -> tuple[str, ...]:
        """Category ids in the order of the file."""
        return tuple(c.id for c in self.categories)
