"""The numbers that the suppressor works with, already resolved. Not here: where they come from (`policy/`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from dagster_project.domain.columns import Table


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Least users and conversations of a cell, and the base its counts are rounded to.

    user_base: that of users, and labelled: the fewest conversations that were looked at, where the conversations of a
    sample stand for more than themselves (`WeightedRules`); None where they do not.
    """

    users: int
    conversations: int
    base: int
    user_base: int | None = None
    labelled: int | None = None

    @property
    def base_of_users(self) -> int:
        return self.base if self.user_base is None else self.user_base


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that decides whether and how a cell is published. Shares are 0 to 1."""

    min_users: int
    min_conversations: int
    min_topic_users: int
    min_topic_conversations: int
    rounding_base: int
    topic_rounding_base: int
    max_top_user_share: Decimal
    max_top_two_share: Decimal
    small_organisation_users: int
    grid_steps: tuple[Decimal, ...]

    @classmethod
    def from_manifest(cls, stated: Mapping[str, Any]) -> Rules:
        """The rules that a manifest states of a period. Raises ValueError where one is missing or no number."""
        try:
            numbers: dict[str, Any] = {
                one.name: Decimal(stated[one.name]) if one.type == "Decimal" else stated[one.name]
                for one in fields(cls)
                if one.name != "grid_steps"
            }
            return cls(**numbers, grid_steps=tuple(Decimal(step) for step in stated["grid_steps"]))
        except (KeyError, TypeError, ArithmeticError):
            raise ValueError("a published period does not state its policy") from None

    def is_weighted(self, table: Table) -> bool:
        """Whether a table's conversations are those that a sample stands for, and not those that were counted."""
        return False

    def weighted(self, largest_weight: float, max_conversations_per_user: int) -> WeightedRules:
        """These rules for a period that was screened by a sample. largest_weight: of a conversation below the cut."""
        own = {one.name: getattr(self, one.name) for one in fields(Rules)}
        return WeightedRules(
            **own, largest_weight=largest_weight, max_conversations_per_user=max_conversations_per_user
        )

    def of(self, table: Table) -> Thresholds:
        """The thresholds of a table: a topic's are never weaker than a cell's."""
        if not table.is_topic:
            return Thresholds(self.min_users, self.min_conversations, self.rounding_base)
        return Thresholds(
            max(self.min_topic_users, self.min_users),
            max(self.min_topic_conversations, self.min_conversations),
            max(self.topic_rounding_base, self.rounding_base),
        )

    @property
    def more_below(self) -> float:
        """For how many conversations besides itself one that was sampled below the cut stands."""
        return 0.0

    def of_row(self, table: Table, is_total: bool) -> Thresholds:
        """The thresholds of a row's own counts: those of a structural total are exact counts, whatever was sampled."""
        return Rules.of(self, table) if is_total else self.of(table)

    def of_denominator(self, table: Table) -> Thresholds:
        """The thresholds of what a table's shares are of: its structural total, where it has one."""
        return self.of_row(table, bool(table.total))


@dataclass(frozen=True, slots=True)
class WeightedRules(Rules):
    """Rules for a period in which a conversation may stand for up to `largest_weight` of them (two-phase screening).

    Users are those of labelled conversations: counted and rounded as ever, and never weighted up. Conversations are
    estimates, and rounded to a coarser base, so that a cell by itself does not tell how few of its conversations were
    sampled below the cut: between two neighbouring multiples of the base lie `largest_weight` times the policy's base,
    and besides as much as it takes for that number to be 0 or at least k, for all that the users of the cell tell of
    its conversations (docs/decisions/0035-two-phase-screening.md). What cells tell together is for the audit.
    """

    largest_weight: float = 1.0
    max_conversations_per_user: int = 1

    def is_weighted(self, table: Table) -> bool:
        return table.is_weighted and self.largest_weight > 1

    @property
    def more_below(self) -> float:
        return self.largest_weight - 1

    def of(self, table: Table) -> Thresholds:
        # Not `super()`: a dataclass with slots is another class than the one that was written.
        plain = Rules.of(self, table)
        if not self.is_weighted(table):
            return plain
        base = self._base(plain.base)
        # Where a multiple's range begins: a threshold within it would narrow what the lowest one can stand for.
        fewest = -(-(plain.conversations + base // 2) // base) * base - base // 2
        return Thresholds(plain.users, fewest, base, plain.base, plain.conversations)

    def _base(self, plain: int) -> int:
        """The smallest multiple of the plain base that is wide enough."""
        weight, k = math.ceil(self.largest_weight - 1e-3), self.min_users
        enough = max(plain * weight, -(-k * weight // 2), k * (weight - self.max_conversations_per_user))
        return -(-enough // plain) * plain
