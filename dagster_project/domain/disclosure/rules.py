"""The numbers that the suppressor works with, already resolved. Not here: where they come from (`policy/`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from dagster_project.domain.columns import Table


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Least users and conversations of a cell, and the base its counts are rounded to."""

    users: int
    conversations: int
    base: int


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

    def of(self, table: Table) -> Thresholds:
        """The thresholds of a table: a topic's are never weaker than a cell's."""
        if not table.is_topic:
            return Thresholds(self.min_users, self.min_conversations, self.rounding_base)
        return Thresholds(
            max(self.min_topic_users, self.min_users),
            max(self.min_topic_conversations, self.min_conversations),
            max(self.topic_rounding_base, self.rounding_base),
        )
