"""What a candidate row must be before anybody decides on it: whole, coherent, and part of a full grid.

A missing row tells as much as a published one, and counts that contradict one another mean that the thresholds
would be applied to the wrong numbers: both stop the release. Errors name table, column and rule, never a value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product

from dagster_project.domain.columns import Table
from dagster_project.domain.disclosure.rules import Rules
from dagster_project.domain.tables import TABLES

Row = Mapping[str, object]


class CandidateError(Exception):
    """Candidate rows that cannot be judged; nothing may be published from them."""


def count(row: Row, column: str, table: Table) -> int:
    """A count of a candidate row. Raises CandidateError when it is missing, negative or no whole number."""
    value = row.get(column)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise CandidateError(f"{table.name}: {column} is not a count in every row")
    return value


def number(row: Row, column: str, table: Table) -> float:
    """A number of a candidate row. Raises CandidateError when it is missing or not finite."""
    value = row.get(column)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CandidateError(f"{table.name}: {column} is missing in a row that is to be published")
    return float(value)


WEIGHT_OF = {"n_conversations": "cell_weight", "of_conversations": "of_weight"}
"""The column that says how many conversations those of a count stand for, where they are a sample."""
HAIR = 1e-3
"""Weights are sums of rounded numbers."""


def conversations(row: Row, column: str, table: Table, rules: Rules) -> int:
    """How many conversations a count stands for: itself, or where they are a sample the sum of their weights, whole.

    Raises CandidateError as `count` and `number` do.
    """
    if column not in WEIGHT_OF or not rules.is_weighted(table):
        return count(row, column, table)
    return math.floor(number(row, WEIGHT_OF[column], table) + 0.5)


def sampled_below(row: Row, table: Table, rules: Rules) -> float:
    """How many of a cell's conversations were sampled below the cut; 0 in a census.

    Raises CandidateError as `conversations` does.
    """
    if not rules.is_weighted(table):
        return 0.0
    own = count(row, "n_conversations", table)
    return (conversations(row, "n_conversations", table, rules) - own) / rules.more_below


def largest_weight(prevalence: Sequence[Row]) -> float:
    """The largest sampling weight of any period; 1 in a census. Raises CandidateError."""
    weights = [number(row, "largest_weight", TABLES["prevalence"]) for row in prevalence if row.get("largest_weight")]
    return round(max(1.0, max(weights, default=1.0)), 4)


def check_weights(tables: Mapping[str, Sequence[Row]], largest: float) -> None:
    """Raise CandidateError unless what conversations stand for agrees with how they were sampled.

    In a census each stands for itself. In a sample each stands for itself at least and for `largest` at most, and those
    that were asked about together for all that count: else nobody was asked about some part, and shares would be of the
    rest alone.
    """
    totals = {str(row["period_key"]): row for row in tables["prevalence"] if row["category"] == "all"}
    for name, rows in tables.items():
        table = TABLES[name]
        for row in rows if table.is_weighted else ():
            for column, weight in WEIGHT_OF.items():
                if column not in row or (largest == 1 and row.get(weight) is None):
                    continue
                n, stands_for = count(row, column, table), number(row, weight, table)
                if not n - HAIR <= stands_for <= largest * n + HAIR * (1 + n):
                    raise CandidateError(f"{name}: {weight} does not agree with the sample design in a row")
            if name == "prevalence" and largest > 1:
                whole = totals.get(str(row["period_key"]))
                if whole is None or abs(number(row, "of_weight", table) - count(whole, "n_conversations", table)) > 1:
                    raise CandidateError(
                        "prevalence: those whom the screen asked about do not stand for all that count: too few were "
                        "sampled below the cut; raise [screening] sample_rate, or publish a longer period"
                    )


def check_candidates(tables: Mapping[str, Sequence[Row]]) -> None:
    """Raise CandidateError unless every declared table is there, alone, with coherent rows and whole grids."""
    unknown, missing = sorted(set(tables) - set(TABLES)), sorted(set(TABLES) - set(tables))
    if unknown:
        raise CandidateError(
            f"no policy for {len(unknown)} unknown table(s): only {', '.join(TABLES)} may be published"
        )
    if missing:
        raise CandidateError(f"no candidate rows given for {', '.join(missing)}")
    for name, rows in tables.items():
        table = TABLES[name]
        for row in rows:
            absent = [column for column in table.candidate_columns if column not in row]
            if absent:
                raise CandidateError(f"{name}: candidate rows lack {', '.join(absent)}")
            _check_keys(row, table)
            _check_counts(row, table)
        _check_grid(rows, table)


def _check_keys(row: Row, table: Table) -> None:
    if not isinstance(row["period_key"], str):
        raise CandidateError(f"{table.name}: a row has no period")
    for key in table.keys:
        value = row[key]
        if not isinstance(value, str) or not value:
            raise CandidateError(f"{table.name}: {key} is empty in a row")
        if key in table.fixed and value not in table.fixed[key]:
            raise CandidateError(f"{table.name}: {key} has a value that is not declared")
    if table.only and tuple(row[key] for key in table.keys) not in table.only:
        raise CandidateError(f"{table.name}: a row's keys do not belong together")


def _check_counts(row: Row, table: Table) -> None:
    def n(column: str) -> int:
        return count(row, column, table)

    coherent = {
        "users outnumber conversations": n("n_users") <= n("n_conversations"),
        "a cell with conversations has no user": (n("n_users") > 0) == (n("n_conversations") > 0),
        "one user gives more than two": n("top_user_conversations") <= n("top_two_conversations"),
        "two users give more than the cell": n("top_two_conversations") <= n("n_conversations"),
        "a cell has conversations but no largest user": (n("top_user_conversations") > 0) == (n("n_users") > 0),
    }
    if table.is_rate:
        coherent |= {
            "numerator and rest do not make the denominator": n("n_conversations") + n("rest_conversations")
            == n("of_conversations"),
            "users of numerator and rest do not make those of the denominator": max(n("n_users"), n("rest_users"))
            <= n("of_users")
            <= n("n_users") + n("rest_users"),
        }
    for contradiction, holds in coherent.items():
        if not holds:
            raise CandidateError(f"{table.name}: {contradiction} in a row")


def _check_grid(rows: Sequence[Row], table: Table) -> None:
    by_period: dict[object, list[tuple[object, ...]]] = {}
    for row in rows:
        part = row["period_key"], *(row[key] for key in table.families)
        by_period.setdefault(part, []).append(tuple(row[key] for key in table.keys))
    for keys in by_period.values():
        if len(set(keys)) < len(keys):
            raise CandidateError(f"{table.name}: two rows have the same keys")
        if table.only:
            first = {values[0] for values in keys}
            if {values for values in table.only if values[0] in first} != set(keys):
                raise CandidateError(f"{table.name}: the grid of groups has holes, and a missing row tells")
        elif table.families or set(table.fixed) == set(table.keys):
            whole = set(product(*({values[i] for values in keys} for i in range(len(table.keys)))))
            if whole != set(keys):
                raise CandidateError(f"{table.name}: the grid of categories has holes, and a missing row tells")
        if table.total and not any(all(v in values for v in table.total.values()) for values in keys):
            raise CandidateError(f"{table.name}: the structural total is missing")
