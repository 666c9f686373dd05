"""Primary suppression: each cell judged by itself and by the total that it is measured against.

Sources: SDC handbook (ESS) on thresholds and dominance, OpenSAFELY's output rules on rates and differences,
ACRO's defaults. Not here: cells withheld so that others cannot be recomputed (complementary suppression, which
takes these decisions and adds to them), rounding (`rounding.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

from dagster_project.domain.columns import Role, Table
from dagster_project.domain.disclosure.candidates import (
    CandidateError,
    Row,
    conversations,
    count,
    number,
    sampled_below,
)
from dagster_project.domain.disclosure.rounding import grid_step, round_count, to_grid
from dagster_project.domain.disclosure.rules import Rules, WeightedRules
from dagster_project.domain.tables import PREVALENCE, TABLES


class Reason(StrEnum):
    """Why a cell is withheld. Never written, logged or counted: withheld cells must look alike."""

    FEW_USERS = "few_users"
    FEW_CONVERSATIONS = "few_conversations"
    FEW_IN_DENOMINATOR = "few_in_denominator"
    FEW_IN_DIFFERENCE = "few_in_difference"
    FEW_IN_SAMPLE = "few_in_sample"
    DOMINANCE = "dominance"
    END_OF_SCALE = "end_of_scale"
    SMALL_ORGANISATION = "small_organisation"
    TOTAL_WITHHELD = "total_withheld"
    NOT_ESTIMABLE = "not_estimable"


Decisions = Mapping[str, Sequence[Reason | None]]
"""By table, one a candidate row and in its order: the reason to withhold it, or None to publish it."""


def primary(tables: Mapping[str, Sequence[Row]], rules: Rules) -> dict[str, list[Reason | None]]:
    """Decide on every candidate row. The tables have passed `check_candidates`."""
    users = users_by_period(tables[PREVALENCE.name])
    return {name: _decide(TABLES[name], rows, rules, users) for name, rows in tables.items()}


def users_by_period(prevalence: Sequence[Row]) -> dict[str, int]:
    """Distinct users with a counted conversation, by period key: exact, and never published as such."""
    return {str(row["period_key"]): count(row, "n_users", PREVALENCE) for row in prevalence if PREVALENCE.is_total(row)}


def _decide(table: Table, rows: Sequence[Row], rules: Rules, users: Mapping[str, int]) -> list[Reason | None]:
    reasons: list[Reason | None] = []
    for row in rows:
        if str(row["period_key"]) not in users:
            raise CandidateError(f"{table.name}: a row's period has no prevalence, so its users cannot be counted")
        small = users[str(row["period_key"])] < rules.small_organisation_users
        if small and not table.for_small_organisations:
            reasons.append(Reason.SMALL_ORGANISATION)
        else:
            reasons.append(reason_to_withhold(row, table, rules))
    # A share beside its numerator gives the total back, so nothing is told against a total that is withheld.
    lost = {row["period_key"] for row, reason in zip(rows, reasons, strict=True) if reason and table.is_total(row)}
    return [
        Reason.TOTAL_WITHHELD if reason is None and row["period_key"] in lost else reason
        for row, reason in zip(rows, reasons, strict=True)
    ]


def reason_to_withhold(row: Row, table: Table, rules: Rules) -> Reason | None:
    """The first rule that one candidate row breaks by itself, or None."""
    least, whole = rules.of_row(table, table.is_total(row)), rules.of_denominator(table)
    # How many users have so many conversations, a sample of conversations cannot tell.
    if table.is_of_people and rules.is_weighted(table):
        return Reason.NOT_ESTIMABLE
    n_conversations = count(row, "n_conversations", table)
    fewest = least.conversations if least.labelled is None else least.labelled
    if count(row, "n_users", table) < least.users:
        return Reason.FEW_USERS
    if n_conversations < fewest or conversations(row, "n_conversations", table, rules) < least.conversations:
        return Reason.FEW_CONVERSATIONS
    if _tells_of_few_in_the_sample(row, table, rules):
        return Reason.FEW_IN_SAMPLE
    if table.is_rate:
        of_users, of_conversations = count(row, "of_users", table), count(row, "of_conversations", table)
        of_all = conversations(row, "of_conversations", table, rules)
        if of_users < least.users or of_conversations < fewest or of_all < whole.conversations:
            return Reason.FEW_IN_DENOMINATOR
        # Also refuses 0 % and 100 %: there, the numerator or the difference has nobody.
        if not table.is_total(row) and count(row, "rest_users", table) < rules.min_users:
            return Reason.FEW_IN_DIFFERENCE
    if (
        count(row, "top_user_conversations", table) > rules.max_top_user_share * n_conversations
        or count(row, "top_two_conversations", table) > rules.max_top_two_share * n_conversations
    ):
        return Reason.DOMINANCE
    if table.is_sensitive and _at_end_of_scale(row, table, rules):
        return Reason.END_OF_SCALE
    return None


def is_of_few_in_the_sample(row: Row, table: Table, rules: Rules) -> bool:
    """Whether fewer than k of a cell's conversations were sampled below the cut, none included; never in a census."""
    if not rules.is_weighted(table) or table.is_total(row):
        return False
    return sampled_below(row, table, rules) < rules.min_users - 0.5


def _tells_of_few_in_the_sample(row: Row, table: Table, rules: Rules) -> bool:
    """Whether fewer than k of a cell's conversations were sampled below the cut, and its users show that some were.

    So few users cannot have had as many conversations as are published: that there were hits below the cut is plain,
    and the ends of the interval would say that they were few. Where they can, a cell without any looks the same.
    """
    if not isinstance(rules, WeightedRules) or not is_of_few_in_the_sample(row, table, rules):
        return False
    if sampled_below(row, table, rules) <= 0.5:
        return False
    least = rules.of(table)
    published = round_count(conversations(row, "n_conversations", table, rules), least.base, least.conversations)
    return published - least.base // 2 > rules.max_conversations_per_user * count(row, "n_users", table)


def _at_end_of_scale(row: Row, table: Table, rules: Rules) -> bool:
    """Whether a mean would be published as the scale's end, which says the same of every member of the group."""
    least = rules.of(table)
    for column in table.measures:
        # A mean of a part of the cell is left out by itself, and takes no cell with it.
        if column.role is not Role.MEAN or column.among:
            continue
        denominator = round_count(conversations(row, table.denominator, table, rules), least.base, least.conversations)
        step = grid_step(denominator, least.base, rules.grid_steps)
        published = to_grid(Decimal(repr(number(row, column.name, table))), step)
        if not column.bounds[0] < published < column.bounds[1]:
            return True
    return False
