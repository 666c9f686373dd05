"""From facets to the cells that the warehouse counts of them: an organisation's own facet needs no SQL.

Not here: the shape of a facet (`schema.py`), which facets a labeller measures (its own affair), counting (`dbt/`).
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dagster_project.codebook.schema import AnswerType, Facet, Unit
from dagster_project.domain.study import TALK_TYPES
from dagster_project.domain.tables import ANY_NUMBER, EVERY, ONE, ONE_OR_MORE

PUBLISHED_IN = ("facets", "drift")
"""Tables whose cells the codebook decides."""


class FacetCell(NamedTuple):
    """One value of a facet and one affective type that it is told of."""

    facet: str
    value: str
    affective_type: str
    of_facet: str | None
    values_told: str
    published_in: str


def cells_of(facets: Iterable[Facet]) -> Iterator[FacetCell]:
    """The cells of the facets that have no table of their own, in the order of the codebook."""
    for facet in facets:
        if facet.publish in PUBLISHED_IN:
            told = values_told(facet)
            for category in facet.categories:
                for of in affective_types(facet) if category.counts else ():
                    yield FacetCell(facet.id, category.id, of, facet.of, told, facet.publish)


def values_told(facet: Facet) -> str:
    """How many values a conversation has, of those in its denominator."""
    if facet.answer in (AnswerType.CHOICE, AnswerType.SCALE):
        return ONE if facet.unit is Unit.CONVERSATION else ONE_OR_MORE
    return ANY_NUMBER


def affective_types(facet: Facet) -> tuple[str, ...]:
    """The affective types that a facet is told of: `all` conversations only where the screen asks them."""
    named = tuple(of for of in TALK_TYPES if of in facet.applies_to) or TALK_TYPES
    every = (EVERY,) if facet.stage == "screen" and EVERY in facet.applies_to else ()
    return (*every, "any", *named)
