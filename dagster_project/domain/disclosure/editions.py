"""An edition: one period as one revision published it, with the rules of that day. Not here: how it is attacked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from dagster_project.domain.columns import Role, Table
from dagster_project.domain.disclosure.rules import Rules, WeightedRules
from dagster_project.domain.periods import Period, parse_period
from dagster_project.domain.tables import (
    AGREEMENT_BY,
    ANY_NUMBER,
    DRIFT,
    FACET_TYPES,
    FACETS,
    LONG_CONVERSATIONS,
    PUSHBACK,
    TABLES,
    USAGE_BANDS,
)

PublishedRow = dict[str, object]
CENSUS = "census"


@dataclass(frozen=True, slots=True)
class Edition:
    """Everything published of one period at one revision. `rows`: by table, as `suppression.suppress` returns them.

    is_census: every conversation was screened, so that interval ends are those of the counts themselves. frozen: it
    was published earlier, and nothing of it can be withheld any more. design: how those that the screen asked about
    were chosen; equal words mean the same ones.
    """

    period: Period
    rows: Mapping[str, Sequence[Mapping[str, object]]]
    rules: Rules
    max_conversations_per_user: int
    revision: int = 0
    is_census: bool = True
    frozen: bool = True
    design: str = CENSUS

    @property
    def largest_weight(self) -> float:
        """How many conversations one that was sampled below the cut stands for; 1 in a census."""
        return self.rules.largest_weight if isinstance(self.rules, WeightedRules) else 1.0

    def published(self, table: str) -> list[Mapping[str, object]]:
        """The rows of a table that are not withheld."""
        return [row for row in self.rows.get(table, ()) if not row["suppressed"]]


@dataclass(frozen=True, slots=True, order=True)
class FacetShape:
    """What the published rows say of a facet: what it describes, how many values a conversation has, its grid."""

    facet: str
    of_facet: str | None
    values_told: str
    values: tuple[str, ...]
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """The tables and facets of which any cell is published, so that their cells need telling apart.

    Where none is, each of them can be anything up to the set that it is measured against.
    """

    tables: frozenset[str]
    facets: tuple[FacetShape, ...] = ()


PARTED = (PUSHBACK.name, DRIFT.name, LONG_CONVERSATIONS.name, USAGE_BANDS.name, AGREEMENT_BY.name)
"""Tables that are told apart only where something of them is published."""


def scope_of(editions: Iterable[Edition]) -> Scope:
    """What of these editions has to be told apart."""
    editions = list(editions)
    tables = frozenset(name for name in PARTED if any(edition.published(name) for edition in editions))
    shown = {str(row["facet"]) for edition in editions for row in edition.published(FACETS.name)}
    rows: dict[str, list[Mapping[str, object]]] = {}
    for edition in editions:
        for row in edition.rows.get(FACETS.name, ()):
            rows.setdefault(str(row["facet"]), []).append(row)
    return Scope(tables, tuple(_shape(facet, rows[facet]) for facet in sorted(shown)))


def _shape(facet: str, rows: Sequence[Mapping[str, object]]) -> FacetShape:
    """Of two instruments that differ in it, the looser reading holds for both."""
    told = {str(row["values_told"]) for row in rows}
    base = {row["of_facet"] for row in rows}
    types = {row["affective_type"] for row in rows}
    return FacetShape(
        facet,
        str(next(iter(base))) if len(base) == 1 and base != {None} else None,
        next(iter(told)) if len(told) == 1 else ANY_NUMBER,
        tuple(sorted({str(row["value"]) for row in rows})),
        tuple(of for of in FACET_TYPES if of in types),
    )


def editions_of(
    rows: Mapping[str, Sequence[Mapping[str, object]]],
    rules: Rules,
    bound: int,
    is_census: bool = True,
    design: str = CENSUS,
) -> list[Edition]:
    """New editions from rows with a `period_key`, in order of time."""
    keys = {str(row["period_key"]) for table in rows.values() for row in table}
    return [
        Edition(
            period,
            {name: [row for row in table if row["period_key"] == period.key] for name, table in rows.items()},
            rules,
            bound,
            is_census=is_census,
            frozen=False,
            design=design,
        )
        for period in sorted(parse_period(key) for key in keys)
    ]


def withheld_row(row: Mapping[str, object], table: Table) -> PublishedRow:
    """A withheld cell: its keys and what they mean, nothing else, the same whatever the reason."""
    kept = [column.name for column in table.columns if column.role in (Role.KEY, Role.ABOUT)]
    keys = {"period_key": row["period_key"], **{key: row[key] for key in kept}}
    return {**keys, **{column.name: None for column in table.measures}, "suppressed": True}


def forget_unpublished_parents(rows: Sequence[PublishedRow]) -> None:
    """Null the parents that have no row of their own: their ids would tell that something is withheld."""
    known = {(row["period_key"], row["affective_type"], row["topic_id"]) for row in rows}
    for row in rows:
        if (row["period_key"], row["affective_type"], row["parent_topic_id"]) not in known:
            row["parent_topic_id"] = None


def without(edition: Edition, cells: Set[tuple[str, tuple[str, ...]]]) -> Edition:
    """An edition with some more of its cells, by table and keys, withheld: nulls, and topics have no row."""
    rows: dict[str, list[PublishedRow]] = {}
    for name, own in edition.rows.items():
        table = TABLES[name]
        out = []
        for row in own:
            if (name, keys_of(table, row)) not in cells:
                out.append(dict(row))
            elif not table.is_topic:
                out.append(withheld_row(row, table))
        if table.is_topic:
            forget_unpublished_parents(out)
        rows[name] = out
    return replace(edition, rows=rows)


def keys_of(table: Table, row: Mapping[str, object]) -> tuple[str, ...]:
    """The key values of a row, in the table's order."""
    return tuple(str(row[key]) for key in table.keys)


def blocks(editions: Sequence[Edition]) -> list[list[Edition]]:
    """Editions that tell of one another, together: those of overlapping periods, directly or through others.

    Revisions of one period stand apart, and only the newest tells of other periods: what a correction adds or removes
    is judged by the rule of corrections (`corrections.py`).
    """
    newest = {e.period: e for e in sorted(editions, key=lambda e: e.revision)}
    parts = [[e] for e in editions if e is not newest[e.period]]
    linked: list[list[Edition]] = []
    for edition in sorted(newest.values(), key=lambda e: e.period):
        near = [part for part in linked if any(edition.period.overlaps(other.period) for other in part)]
        linked = [part for part in linked if part not in near] + [[*(e for part in near for e in part), edition]]
    return parts + linked


def near(block: Sequence[Edition], steps: int) -> list[Edition]:
    """The editions of a block that are new, or overlap one that is so many steps away from a new one."""
    kept = [edition for edition in block if not edition.frozen]
    for _ in range(steps):
        kept = [e for e in block if any(e is other or e.period.overlaps(other.period) for other in kept)]
    return kept
