"""What a published column and a published table are: types, roles, and what follows from them.

Lives here: the vocabulary of the declarations. Not here: which tables there are (`tables.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product


class Kind(StrEnum):
    """The type of a published column. Shares are 0 to 1; means are on the scale of their facet."""

    TEXT = "VARCHAR"
    DATE = "DATE"
    COUNT = "BIGINT"
    NUMBER = "DOUBLE"
    FLAG = "BOOLEAN"


class Role(StrEnum):
    """What the suppressor does with a column."""

    KEY = "key"
    ABOUT = "about"
    """Says more of a key (a topic's name): it stands or falls with the row."""
    CONVERSATIONS = "conversations"
    USERS = "users"
    SHARE = "share"
    """Made from the rounded numerator and denominator, never taken from the candidate."""
    MEAN = "mean"
    LOW = "low"
    HIGH = "high"
    NOISY = "noisy"
    CORRECTED = "corrected"
    """The share as published, corrected by people's answers; null where there are too few of them."""
    CORRECTED_LOW = "corrected_low"
    CORRECTED_HIGH = "corrected_high"


@dataclass(frozen=True, slots=True)
class Column:
    """One published column. `around`: the measure that an interval end has to enclose. `bounds`: of its scale.

    among: the group that a mean is of, where that is not the whole cell; candidates count its users and conversations,
    and the mean is null where they are too few, or where it is not defined.
    """

    name: str
    kind: Kind
    role: Role
    description: str
    around: str | None = None
    bounds: tuple[int, int] = (0, 1)
    among: str | None = None


CODED_SIDES = ("yes", "no")
"""Conversations that people labelled, by what had been predicted of them."""
CODED_ESTIMATES = tuple(f"true_of_{side}{end}" for side in CODED_SIDES for end in ("", "_low", "_high"))
CODED_COUNTS = tuple(f"coded_{side}_{unit}" for side in CODED_SIDES for unit in ("conversations", "users"))


@dataclass(frozen=True, slots=True)
class Table:
    """One published table.

    fixed: the values that each key may have; a table whose keys are all fixed keeps a row for a withheld cell.
    denominator: the count that shares, means and grids are measured by. total: the key values of the structural
    total, exempt from the difference rule, and whose withholding withholds what is measured against it. families: keys
    that are not fixed, within each of whose values the grid is whole all the same. is_weighted: its conversations are
    those that a sample stands for, where the screen asks about a sample. only: the combinations of key values that
    there are, where not all of them mean something; all those of a first key that has any row are there.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    fixed: Mapping[str, tuple[str, ...]]
    denominator: str
    is_rate: bool = True
    is_topic: bool = False
    is_sensitive: bool = False
    for_small_organisations: bool = False
    total: Mapping[str, str] = field(default_factory=dict)
    families: tuple[str, ...] = ()
    is_weighted: bool = True
    only: tuple[tuple[str, ...], ...] = ()

    @property
    def is_of_people(self) -> bool:
        """Whether shares are of users, and not of conversations."""
        return self.denominator == "of_users"

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that, with the period and revision, name a row."""
        return tuple(c.name for c in self.columns if c.role is Role.KEY)

    @property
    def measures(self) -> tuple[Column, ...]:
        """Every column that a withheld cell has null."""
        return tuple(c for c in self.columns if c.role not in (Role.KEY, Role.ABOUT))

    @property
    def optional(self) -> tuple[Column, ...]:
        """The measures that may be null in a published row: corrections, and means of a part of the cell."""
        parts = {c.name for c in self.columns if c.among}
        corrected = (Role.CORRECTED, Role.CORRECTED_LOW, Role.CORRECTED_HIGH)
        return tuple(c for c in self.columns if c.role in corrected or c.among or c.around in parts)

    @property
    def published_columns(self) -> tuple[Column, ...]:
        """All columns of the published table, in order."""
        return (*COMMON_COLUMNS, *self.columns, SUPPRESSED)

    @property
    def candidate_columns(self) -> tuple[str, ...]:
        """The columns that a candidate row must have (the publish layer of the warehouse may have more)."""
        counts = ["n_conversations", "n_users", "top_user_conversations", "top_two_conversations"]
        if self.is_rate:
            counts += ["of_conversations", "of_users", "rest_conversations", "rest_users"]
        counts += [c.name for c in self.columns if c.role in (Role.CONVERSATIONS, Role.USERS) and c.name not in counts]
        groups = dict.fromkeys(c.among for c in self.columns if c.among)
        counts += [f"{group}_{unit}" for group in groups for unit in ("conversations", "users")]
        if any(c.role is Role.CORRECTED for c in self.columns):
            counts += [*CODED_ESTIMATES, *CODED_COUNTS]
        given = (Role.KEY, Role.ABOUT, Role.MEAN, Role.LOW, Role.HIGH)
        return ("period_key", *(c.name for c in self.columns if c.role in given), *counts)

    def is_total(self, row: Mapping[str, object]) -> bool:
        """Whether a row is the table's structural total."""
        return bool(self.total) and all(row[key] == value for key, value in self.total.items())

    def order(self, row: Mapping[str, object]) -> tuple[int | str, ...]:
        """Sort key of a row within its period: the declared order, then random ids; never a size, which tells."""
        return tuple(self.fixed[key].index(str(row[key])) if key in self.fixed else str(row[key]) for key in self.keys)

    def grid(self) -> list[tuple[str, ...]]:
        """Every combination of fixed key values that means something, in order."""
        return list(self.only or product(*self.fixed.values()))


COMMON_COLUMNS = (
    Column("period_kind", Kind.TEXT, Role.KEY, "Kind of period: day, week (ISO, from Monday), month or window."),
    Column("period_start", Kind.DATE, Role.KEY, "First day of the period, UTC."),
    Column("period_end", Kind.DATE, Role.KEY, "First day after the period, UTC: periods are half-open."),
    Column("revision", Kind.COUNT, Role.KEY, "0 as first published, then 1, 2 for corrections."),
)
SUPPRESSED = Column(
    "suppressed", Kind.FLAG, Role.ABOUT, "True where the cell is withheld: every measure of the row is then null."
)
