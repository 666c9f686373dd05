"""Published rows against the same rows recomputed: which cells are equal, which differ, and in what.

What is found is told by the keys and columns of cells that were published, and of withheld cells by count alone: no
value of any cell leaves this module. Not here: recomputing (`recounting.py`, `verifying.py`), files and hashes
(`storage/published.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dagster_project.domain.columns import Role, Table

Row = Mapping[str, object]
EQUAL, DIFFERS, NOT_RECOMPUTABLE = "equal", "differs", "not_recomputable"
WITHHELD = "withheld now"


@dataclass(frozen=True, slots=True)
class Compared:
    """One table of one period and revision, as published and as recomputed.

    cells: those that were published visible. differ: of these, the cells that show another number now, or would be
    withheld by a rule of their own, each as `keys: columns`. withheld_otherwise: cells that were withheld and are not
    now. rows_otherwise: rows that only one of the two has; of topics, whose number withheld is told nowhere, those that
    only the recomputed has count as one.
    """

    cells: int
    differ: tuple[str, ...] = ()
    withheld_otherwise: int = 0
    rows_otherwise: int = 0

    @property
    def equal(self) -> bool:
        """Whether nothing differs that should not."""
        return not (self.differ or self.withheld_otherwise or self.rows_otherwise)


@dataclass
class PeriodCheck:
    """What became of one period and revision. notes: what is no difference, and worth knowing."""

    period: str
    revision: int
    state: str = EQUAL
    reason: str | None = None
    tables: dict[str, Compared] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The form of `confide verify --json`."""
        return {
            "period": self.period,
            "revision": self.revision,
            "state": self.state,
            "reason": self.reason,
            "cells": {name: found.cells for name, found in self.tables.items()},
            "differ": {
                name: {
                    "cells": list(found.differ),
                    "withheld_otherwise": found.withheld_otherwise,
                    "rows_otherwise": found.rows_otherwise,
                }
                for name, found in self.tables.items()
                if not found.equal
            },
            "notes": self.notes,
        }


@dataclass
class Verification:
    """What a verification found.

    files: those that are not as they were published. frozen: earlier releases of which this one has a row otherwise.
    made_with, verified_with: versions of Confide.
    """

    release_id: str
    verified_with: str
    made_with: str | None = None
    n_files: int = 0
    files: list[str] = field(default_factory=list)
    frozen: list[str] = field(default_factory=list)
    periods: list[PeriodCheck] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing differs that should not."""
        return not self.files and not self.frozen and all(one.state != DIFFERS for one in self.periods)

    def as_json(self) -> dict[str, Any]:
        """The form of `confide verify --json`."""
        return {
            "release_id": self.release_id,
            "ok": self.ok,
            "made_with": self.made_with,
            "verified_with": self.verified_with,
            "files": {"checked": self.n_files, "differ": self.files},
            "frozen": {"differ": self.frozen},
            "periods": [one.as_json() for one in self.periods],
            "notes": self.notes,
        }


def compare(table: Table, published: Sequence[Row], recomputed: Sequence[Row], whole: bool = True) -> Compared:
    """Compare the rows of one table, period and revision, cell by cell and exactly: both are rounded to the same grids.

    whole: `recomputed` went through complementary suppression beside the same editions as then, so that the same cells
    have to be withheld. Without, it holds all that the rules of single cells let through: of a cell that was withheld,
    and of a topic without a row, nothing can be told then.
    """
    now = {_keys(table, row): row for row in recomputed}
    then = {_keys(table, row): row for row in published}
    visible = {keys: row for keys, row in then.items() if not row["suppressed"]}
    differ = []
    for keys, row in visible.items():
        if keys in now and (columns := _differing(table, row, now[keys], whole)):
            differ.append(f"{'/'.join(keys)}: {', '.join(columns)}")
    more = len(now.keys() - then.keys()) if whole or not table.is_topic else 0
    return Compared(
        cells=len(visible),
        differ=tuple(differ),
        withheld_otherwise=sum(
            whole and not now[keys]["suppressed"] for keys in now.keys() & then.keys() if keys not in visible
        ),
        rows_otherwise=len(then.keys() - now.keys()) + (min(1, more) if table.is_topic else more),
    )


def _keys(table: Table, row: Row) -> tuple[str, ...]:
    return tuple(str(row[key]) for key in table.keys)


def _differing(table: Table, then: Row, now: Row, whole: bool) -> list[str]:
    """The columns in which a visible cell differs. A parent that has no row of its own is null as published."""
    if now["suppressed"]:
        return [WITHHELD]
    return [
        column.name
        for column in table.columns
        if then[column.name] != now[column.name]
        and not (column.role is Role.ABOUT and then[column.name] is None and not whole)
    ]
