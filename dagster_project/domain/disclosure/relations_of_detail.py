"""Relations of the tables told apart only where something of them is published: drift, length, use, facets, groups.

Lives here: the sets behind their cells and what these have to do with one another and with the analysed conversations.
Not here: screening, pushback, tone and topics (`relations.py`), what relations mean for counts (`program.py`).

Bands of use are sets of conversations by whose they are: all affective conversations of the users of a band. So they
make up the affective ones, no user is in two of them, and each user gives as many conversations as the band says.
"""

from __future__ import annotations

from collections.abc import Iterator

from dagster_project.domain.disclosure.editions import FacetShape, Scope
from dagster_project.domain.disclosure.sets import (
    ALL,
    ANY,
    CODED,
    CODED_PUSHBACK,
    TYPES,
    Apart,
    Covered,
    EachUser,
    Relation,
    Set,
    UsersApart,
    Within,
    group_of,
    typed,
)
from dagster_project.domain.study import TALK_TYPES
from dagster_project.domain.tables import (
    AGREEMENT_BY,
    ANY_NUMBER,
    BANDS,
    DRIFT,
    EVERY,
    FACETS,
    LENGTHS,
    LONG_CONVERSATIONS,
    ONE,
    PUSHBACK,
    USAGE_BANDS,
)

AFFECTIVE: Set = ("screened", "affective")
FROM = tuple(least for least, _ in BANDS.values())[1:]
"""The fewest conversations of each band but the first: users with at least so many are a set of their own."""


def detail_relations(scope: Scope) -> Iterator[Relation]:
    """All that hold in every period, for the tables and facets of the scope."""
    if DRIFT.name in scope.tables:
        yield Apart(("analysed", ANY), (("ends", "known"), ("ends", "unknown")))
        yield Apart(("ends", "known"), tuple(("drift", *keys) for keys in DRIFT.grid()))
    if LONG_CONVERSATIONS.name in scope.tables:
        yield from typed("long")
        yield from typed("short")
        for of in TYPES:
            yield Apart(("analysed", of), (("long", of), ("short", of)))
    if USAGE_BANDS.name in scope.tables:
        yield from _bands()
    if AGREEMENT_BY.name in scope.tables:
        yield from _groups(LONG_CONVERSATIONS.name in scope.tables)
    known = {shape.facet for shape in scope.facets}
    for shape in scope.facets:
        yield from _facet(shape, known)


def _bands() -> Iterator[Relation]:
    whole = AFFECTIVE
    for band, (least, most) in BANDS.items():
        yield EachUser(("band", band), least, most)
    for band, further in zip(BANDS, FROM, strict=False):
        parts: tuple[Set, ...] = (("band", band), from_band(further))
        yield Apart(whole, parts)
        yield UsersApart(whole, parts)
        whole = from_band(further)


def from_band(least: int) -> Set:
    """The affective conversations of users with at least so many; of the most, the last band."""
    return ("band", next(reversed(BANDS))) if least == FROM[-1] else ("band_from", str(least))


def _groups(long_is_told: bool) -> Iterator[Relation]:
    """Lengths part what people labelled; types cover what they labelled of pushback, and overlap."""
    for stage in (CODED, CODED_PUSHBACK):
        yield Apart(stage, tuple(group_of(stage, "length", band) for band in LENGTHS))
    for band in LENGTHS:
        yield Within(group_of(CODED_PUSHBACK, "length", band), group_of(CODED, "length", band))
    types = tuple(group_of(CODED_PUSHBACK, "affective_type", of) for of in TALK_TYPES)
    yield Covered(CODED_PUSHBACK, types)
    for of, part in zip(TALK_TYPES, types, strict=True):
        yield Within(part, CODED_PUSHBACK)
        yield Within(part, ("asked", of))
    # No tone is told of so short a conversation, and none of them is very long.
    others: list[Set] = [("tone", ANY), *([("long", ANY)] if long_is_told else [])]
    for stage, whole in ((CODED, ALL), (CODED_PUSHBACK, ("analysed", ANY))):
        for other in others:
            yield Apart(whole, (other, group_of(stage, "length", "under_6")), complete=False)


def _facet(shape: FacetShape, known: set[str]) -> Iterator[Relation]:
    talk = tuple(of for of in TALK_TYPES if of in shape.types)
    names = ["facet_of", "facet_untold"]
    for of in shape.types:
        whole: Set = ("facet_of", of, shape.facet)
        yield Apart(_base(shape, of, known), (whole, ("facet_untold", of, shape.facet)))
        parts = tuple(("facet", of, shape.facet, value) for value in shape.values)
        if shape.values_told == ONE:
            yield Apart(whole, parts)
            continue
        if shape.values_told != ANY_NUMBER:
            yield Covered(whole, parts)
        for value in shape.values:
            yield Apart(whole, (("facet", of, shape.facet, value), ("facet_not", of, shape.facet, value)))
    if EVERY in shape.types and ANY in shape.types:
        for name, *rest in _families(shape, names):
            yield Within((name, ANY, *rest), (name, EVERY, *rest))
    if ANY in shape.types:
        for name, *rest in _families(shape, names if talk == TALK_TYPES else names[:1]):
            yield from typed(name, *rest, types=talk)


def _families(shape: FacetShape, names: list[str]) -> Iterator[Set]:
    """Names and rests of the sets that there are for each affective type."""
    yield from ((name, shape.facet) for name in names)
    kinds = ("facet",) if shape.values_told == ONE else ("facet", "facet_not")
    yield from ((kind, shape.facet, value) for kind in kinds for value in shape.values)


def _base(shape: FacetShape, of: str, known: set[str]) -> Set:
    """What the denominator is part of: conversations with an event that it describes, or all that were asked."""
    if shape.of_facet == PUSHBACK.name:
        return (PUSHBACK.name, of, ANY, ANY)
    if shape.of_facet in known and shape.of_facet is not None:
        return ("facet_of", of, shape.of_facet)
    return ALL if of == EVERY else ("analysed", of)


def shown_sets(scope: Scope) -> list[Set]:
    """The sets of the scope that mean the same in every period, and are published or measured against."""
    sets: list[Set] = []
    if DRIFT.name in scope.tables:
        sets += [("ends", "known"), *(("drift", *keys) for keys in DRIFT.grid())]
    if LONG_CONVERSATIONS.name in scope.tables:
        sets += [("long", of) for of in TYPES]
    if AGREEMENT_BY.name in scope.tables:
        lengths = [group_of(stage, "length", band) for stage in (CODED, CODED_PUSHBACK) for band in LENGTHS]
        sets += lengths + [group_of(CODED_PUSHBACK, "affective_type", of) for of in TALK_TYPES]
    for shape in scope.facets:
        sets += [("facet_of", of, shape.facet) for of in shape.types]
        sets += [("facet", of, shape.facet, value) for of in shape.types for value in shape.values]
    return sets


def growing_sets(scope: Scope) -> list[Set]:
    """Sets that a longer period has all of, though it may have more than its parts together: heavier use."""
    return [from_band(least) for least in FROM] if USAGE_BANDS.name in scope.tables else []


HELPERS = frozenset({"short", "facet_not", "facet_untold"})
"""Families of sets that no table shows and nothing is measured against."""


def table_of(family: str) -> str:
    """The table to name where a set of this family is known too well."""
    tables = {"drift": DRIFT, "ends": DRIFT, "long": LONG_CONVERSATIONS, "short": LONG_CONVERSATIONS}
    tables |= {"band": USAGE_BANDS, "band_from": USAGE_BANDS, "coded_by": AGREEMENT_BY}
    return tables.get(family, FACETS).name
