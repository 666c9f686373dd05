"""The suppressor: candidate rows in, the very rows to be published out. The only way from one to the other.

Complementary suppression belongs between the two halves of `suppress`: it takes the decisions of `primary`, sees
every table at once, and may only turn a None into a reason. The audit of what can be computed from the outcome
takes the rows that `suppress` returns. Not here: the gate (`expectations/`), writing (`storage/publication.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from dagster_project.domain.disclosure.candidates import CandidateError, Row, check_candidates, count, number
from dagster_project.domain.disclosure.primary import Decisions, primary
from dagster_project.domain.disclosure.rounding import grid_step, outward, round_count, to_grid
from dagster_project.domain.disclosure.rules import Rules, Thresholds
from dagster_project.domain.tables import TABLES, Column, Role, Table

PublishedRow = dict[str, object]


def suppress(tables: Mapping[str, Sequence[Row]], rules: Rules) -> dict[str, list[PublishedRow]]:
    """Candidate rows of every declared table to publishable rows: `period_key`, the table's columns, `suppressed`.

    Raises CandidateError where the candidates are incomplete or contradict themselves.
    """
    check_candidates(tables)
    return publishable(tables, primary(tables, rules), rules)


def publishable(
    tables: Mapping[str, Sequence[Row]], decisions: Decisions, rules: Rules
) -> dict[str, list[PublishedRow]]:
    """Apply decisions: round what is published, null what is withheld, drop withheld topics, order the rows."""
    return {name: _rows(TABLES[name], rows, decisions[name], rules) for name, rows in tables.items()}


def _rows(table: Table, rows: Sequence[Row], reasons: Sequence[object], rules: Rules) -> list[PublishedRow]:
    out = [
        _withheld(row, table) if reason is not None else _published(row, table, rules)
        for row, reason in zip(rows, reasons, strict=True)
        if reason is None or not table.is_topic
    ]
    if table.is_topic:
        _forget_unpublished_parents(out)
    return sorted(out, key=lambda row: (str(row["period_key"]), table.order(row)))


def _withheld(row: Row, table: Table) -> PublishedRow:
    """A withheld cell: its keys and nothing else, the same whatever the reason."""
    keys = {"period_key": row["period_key"], **{key: row[key] for key in table.keys}}
    return {**keys, **{column.name: None for column in table.measures}, "suppressed": True}


def _published(row: Row, table: Table, rules: Rules) -> PublishedRow:
    least = rules.of(table)
    denominator = round_count(count(row, table.denominator, table), least.base, least.conversations)
    step = grid_step(denominator, least.base, rules.grid_steps)
    out: PublishedRow = {"period_key": row["period_key"]}
    centres: dict[str, Decimal] = {}
    for column in table.columns:
        match column.role:
            case Role.KEY | Role.ABOUT:
                out[column.name] = row[column.name]
            case Role.CONVERSATIONS | Role.USERS:
                out[column.name] = _count(row, column, table, least)
            case Role.SHARE:
                numerator = round_count(count(row, "n_conversations", table), least.base, least.conversations)
                share = min(Decimal(numerator) / Decimal(denominator), Decimal(1))
                centres[column.name] = to_grid(share, step)
                out[column.name] = float(centres[column.name])
            case Role.MEAN:
                centres[column.name] = to_grid(Decimal(repr(number(row, column.name, table))), step)
                out[column.name] = float(centres[column.name])
            case Role.LOW | Role.HIGH | Role.ABSENT:
                out[column.name] = None
    _fill_ends(out, row, table, centres, step)
    return {**out, "suppressed": False}


def _count(row: Row, column: Column, table: Table, least: Thresholds) -> int:
    threshold = least.users if column.role is Role.USERS else least.conversations
    return round_count(count(row, column.name, table), least.base, threshold)


def _fill_ends(out: PublishedRow, row: Row, table: Table, centres: Mapping[str, Decimal], step: Decimal) -> None:
    lows = {c.around: c for c in table.columns if c.role is Role.LOW and c.around}
    highs = {c.around: c for c in table.columns if c.role is Role.HIGH and c.around}
    for measure, low in lows.items():
        high = highs[measure]
        ends = number(row, low.name, table), number(row, high.name, table)
        if ends[0] > ends[1]:
            raise CandidateError(f"{table.name}: {low.name} is above {high.name} in a row")
        published = outward(*ends, centres[measure], step, low.bounds)
        out[low.name], out[high.name] = float(published[0]), float(published[1])


def _forget_unpublished_parents(rows: Sequence[PublishedRow]) -> None:
    """Null the parents that have no row of their own: their ids would tell that something is withheld."""
    known = {(row["period_key"], row["affective_type"], row["topic_id"]) for row in rows}
    for row in rows:
        if (row["period_key"], row["affective_type"], row["parent_topic_id"]) not in known:
            row["parent_topic_id"] = None
