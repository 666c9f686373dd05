"""What the published tables have to do with one another, declared once: sets of conversations and their relations.

Lives here: the set of conversations behind every published count, and which sets lie within, make up or exclude which.
Everything that an attacker may conclude from one period's counts follows from these and from the bound on a user's
conversations (`program.py` turns them into inequalities). Not here: what a published number says (`readings.py`), how
periods are related (`rollups.py`), the sets of drift, length, use and facets (`relations_of_detail.py`).

Several labels a conversation: prevalence is described by its 67 atoms (the 63 subsets of six types, content creation,
two ways of being unknown, and the rest), which makes every linear relation of the conversation counts follow. Users
are no sum over atoms: a user is in a set when any of their conversations is.

Source: linked tables as one system of relations: Giessing & Repsilber (2002), Tools and strategies to protect multiple
tables with the GHQUAR cell suppression engine; SDC handbook (ESS), section 4.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations

from dagster_project.domain.disclosure.editions import Scope
from dagster_project.domain.disclosure.relations_of_detail import detail_relations
from dagster_project.domain.disclosure.sets import (
    ALL,
    ANY,
    CODED,
    CODED_PUSHBACK,
    TYPES,
    Apart,
    Covered,
    Relation,
    Set,
    Within,
    group_of,
    typed,
)
from dagster_project.domain.study import AFFECTIVE_TYPES, ROLEPLAY_TYPES, TALK_TYPES
from dagster_project.domain.tables import (
    AGREEMENT,
    AGREEMENT_BY,
    DRIFT,
    FACETS,
    FUNNEL,
    LONG_CONVERSATIONS,
    PREVALENCE,
    PUSHBACK,
    SENTIMENT,
    TOPICS,
    USAGE_BANDS,
)

ROLEPLAY: Set = ("screened", "roleplay")
"""Has a counted roleplay type: what the funnel's last step leaves out."""
COMPANIONSHIP_OR_ROLEPLAY = ("companionship", *ROLEPLAY_TYPES)
KINDS = PUSHBACK.fixed["kind"]
NONE, NOT_LATE = "none", "not_late"
"""Positions of no published cell: no such event, and the first two thirds together."""


def set_of(table: str, row: Mapping[str, object]) -> Set:
    """The set of conversations that a row counts. Raises KeyError for a table without declared relations."""
    match table:
        case PREVALENCE.name:
            return ("screened", str(row["category"]))
        case FUNNEL.name:
            return ("analysed", ANY) if row["step"] == "analysed" else ("screened", str(row["step"]))
        case PUSHBACK.name:
            return ("pushback", str(row["affective_type"]), str(row["kind"]), str(row["position"]))
        case SENTIMENT.name:
            return ("tone", str(row["affective_type"]))
        case TOPICS.name:
            return ("topic", str(row["affective_type"]), str(row["topic_id"]))
        case AGREEMENT.name:
            return _labelled(row)
        case AGREEMENT_BY.name:
            return group_of(_labelled(row), str(row["dimension"]), str(row["group_name"]))
        case DRIFT.name:
            return ("drift", str(row["start_type"]), str(row["end_type"]))
        case LONG_CONVERSATIONS.name:
            return ("long", str(row["affective_type"]))
        case USAGE_BANDS.name:
            return ("band", str(row["band"]))
        case FACETS.name:
            return ("facet", str(row["affective_type"]), str(row["facet"]), str(row["value"]))
    raise KeyError(f"{table}: no relations are declared")


def _labelled(row: Mapping[str, object]) -> Set:
    """What people labelled of a row's facet."""
    return CODED_PUSHBACK if row["facet"] == PUSHBACK.name else CODED


def denominator_of(table: str, row: Mapping[str, object]) -> Set | None:
    """The set that a row's share is of, None for tables of means."""
    match table:
        case PREVALENCE.name | FUNNEL.name:
            return ALL
        case PUSHBACK.name:
            return ("asked", str(row["affective_type"]))
        case TOPICS.name | LONG_CONVERSATIONS.name:
            return ("analysed", str(row["affective_type"]))
        case DRIFT.name:
            return ("ends", "known")
        case USAGE_BANDS.name:
            return ("screened", "affective")
        case FACETS.name:
            return ("facet_of", str(row["affective_type"]), str(row["facet"]))
        case SENTIMENT.name | AGREEMENT.name | AGREEMENT_BY.name:
            return None
    raise KeyError(f"{table}: no relations are declared")


@lru_cache(maxsize=1)
def screening_atoms() -> Mapping[Set, frozenset[int]]:
    """The sets of screening as unions of atoms. Atoms are numbered; those of no set are left out of none: `ALL`."""
    subsets = [frozenset(s) for n in range(1, 7) for s in combinations(AFFECTIVE_TYPES, n)]
    creation, unseen, untyped, plain = range(len(subsets), len(subsets) + 4)

    def where(holds: Iterable[bool]) -> frozenset[int]:
        return frozenset(i for i, held in enumerate(holds) if held)

    affective = where(True for _ in subsets)
    calm = where(not s & set(ROLEPLAY_TYPES) for s in subsets)
    sets: dict[Set, frozenset[int]] = {
        ALL: affective | {creation, unseen, untyped, plain},
        ("screened", "content_creation"): frozenset({creation}),
        # Screened as no content creation but of unknown type: unknown, and in the funnel's second step.
        ("screened", "unknown"): frozenset({unseen, untyped}),
        ("screened", "not_content_creation"): affective | {untyped, plain},
        ("screened", "affective"): affective,
        ("screened", "companionship_or_roleplay"): where(bool(s & set(COMPANIONSHIP_OR_ROLEPLAY)) for s in subsets),
        ROLEPLAY: affective - calm,
        ("analysed", ANY): calm,
        ("screened", "unseen"): frozenset({unseen}),
        ("screened", "untyped"): frozenset({untyped}),
        ("screened", "plain"): frozenset({plain}),
    }
    for kind in AFFECTIVE_TYPES:
        sets["screened", kind] = where(kind in s for s in subsets)
    for kind in TALK_TYPES:
        sets["analysed", kind] = sets["screened", kind] & calm
    return sets


def _screening() -> Iterator[Relation]:
    def screened(*names: str) -> tuple[Set, ...]:
        return tuple(("screened", name) for name in names)

    sets = screening_atoms()
    yield from (Within(a, b) for a, b in nested(sets))
    yield Apart(ALL, screened("content_creation", "unseen", "not_content_creation"))
    yield Apart(("screened", "unknown"), screened("unseen", "untyped"))
    yield Apart(("screened", "not_content_creation"), screened("untyped", "plain", "affective"))
    yield Apart(("screened", "affective"), (("analysed", ANY), ROLEPLAY))
    yield Apart(("screened", "companionship_or_roleplay"), (("analysed", "companionship"), ROLEPLAY))
    yield Covered(("screened", "affective"), screened(*AFFECTIVE_TYPES))
    yield Covered(ROLEPLAY, screened(*ROLEPLAY_TYPES))
    for kind in TALK_TYPES:
        yield Covered(("screened", kind), (("analysed", kind), ROLEPLAY))
    yield from typed("analysed")


def _pushback(detailed: bool) -> Iterator[Relation]:
    for name in ("asked", "untold"):
        yield from typed(name)
    if not detailed:
        for of in TYPES:
            yield Apart(("analysed", of), (("asked", of), ("untold", of)))
            yield Apart(("asked", of), (("pushback", of, ANY, ANY), ("pushback", of, ANY, NONE)))
        yield from typed("pushback", ANY, ANY)
        yield from typed("pushback", ANY, NONE)
        return
    positions = (ANY, NOT_LATE, "early", "middle", "late", NONE)
    for kind in KINDS:
        for position in positions:
            yield from typed("pushback", kind, position)
    for of in TYPES:
        # Where pushback could not be told, a conversation leaves the denominator.
        yield Apart(("analysed", of), (("asked", of), ("untold", of)))
        for kind in KINDS:
            cell = ("pushback", of, kind)
            yield Apart(("asked", of), ((*cell, ANY), (*cell, NONE)))
            yield Apart((*cell, ANY), ((*cell, NOT_LATE), (*cell, "late")))
            yield Apart((*cell, NOT_LATE), ((*cell, "early"), (*cell, "middle")))
        # The first event of all is the first of its kind, and none of any kind comes before it.
        for position in positions[:-1]:
            parts = tuple(("pushback", of, kind, position) for kind in KINDS if kind != ANY)
            yield Covered(("pushback", of, ANY, position), parts)
            if position in (ANY, NOT_LATE, "early"):
                yield from (Within(part, ("pushback", of, ANY, position)) for part in parts)


def _sentiment() -> Iterator[Relation]:
    for name in ("tone", "toneless"):
        yield from typed(name)
    for of in TYPES:
        yield Apart(("analysed", of), (("tone", of), ("toneless", of)))


def _coded() -> Iterator[Relation]:
    """Whom people labelled was chosen by key, whatever they are: in no set but those that they were drawn from."""
    yield Within(CODED, ALL)
    yield Within(CODED_PUSHBACK, CODED)
    yield Within(CODED_PUSHBACK, ("asked", ANY))


@lru_cache(maxsize=8)
def fixed_relations(scope: Scope) -> tuple[Relation, ...]:
    """The relations between the sets of every period, topics apart.

    Of a table that is not in the scope no cell is published: every one of them can be anything up to the set that it is
    measured against. For pushback that set stands for them (`standing_for`); the others are left out.
    """
    return (
        *_screening(), *_pushback(PUSHBACK.name in scope.tables), *_sentiment(), *_coded(), *detail_relations(scope),
    )  # fmt: skip


def standing_for(name: Set, scope: Scope) -> Set | None:
    """The set that has the same feasible interval in the relations at hand; None where it is not in the scope.

    What is not there lies in a set whose own interval reaches to at least k, and can be nobody as well.
    """
    match name[0]:
        case "pushback":
            return name if PUSHBACK.name in scope.tables else ("pushback", name[1], ANY, ANY)
        case "drift" | "ends":
            return name if DRIFT.name in scope.tables else None
        case "long":
            return name if LONG_CONVERSATIONS.name in scope.tables else None
        case "band":
            return name if USAGE_BANDS.name in scope.tables else None
        case "coded_by":
            return name if AGREEMENT_BY.name in scope.tables else None
        case "facet" | "facet_of":
            return name if any(shape.facet == name[2] for shape in scope.facets) else None
    return name


def topic_relations(rows: Sequence[Mapping[str, object]]) -> list[Relation]:
    """The relations that a period's published topics show.

    Each analysed conversation of a type with topics has one topic of each level that the tree has there, and a topic
    has the conversations of those below it. A topic without a parent below the top level is the child of one that is
    withheld, and so apart from those of that parent's level.
    """
    relations: list[Relation] = []
    for of in TALK_TYPES:
        own = [row for row in rows if row["affective_type"] == of]
        orphan = {str(row["topic_id"]) for row in own if row["parent_topic_id"] is None}
        for level in sorted({_level(row) for row in own}):
            family = [
                set_of(TOPICS.name, row)
                for row in own
                if _level(row) == level or (_level(row) == level + 1 and row["topic_id"] in orphan)
            ]
            relations.append(Apart(("analysed", of), tuple(family), complete=False))
        children: dict[str, list[Set]] = {}
        for row in own:
            if row["parent_topic_id"] is not None:
                children.setdefault(str(row["parent_topic_id"]), []).append(set_of(TOPICS.name, row))
        relations += [Apart(("topic", of, up), tuple(parts), complete=False) for up, parts in children.items()]
    return relations


def _level(row: Mapping[str, object]) -> int:
    level = row["level"]
    return level if isinstance(level, int) else 0


def nested(sets: Mapping[Set, frozenset[int]]) -> list[tuple[Set, Set]]:
    """Pairs (a, b) of sets of atoms where a lies within b, and no third lies between them."""
    below = {b: [a for a in sets if sets[a] < sets[b]] for b in sets}
    return [(a, b) for b, inner in below.items() for a in inner if not any(sets[a] < sets[m] for m in inner)]
