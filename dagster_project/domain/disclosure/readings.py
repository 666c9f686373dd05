"""What a published row tells at most: the exact counts that could stand behind its rounded numbers.

Lives here: rounding, thresholds, shares and interval ends turned back into bounds on counts, as an attacker who knows
the code would. Each bound holds for the true counts, and is as narrow as the published number allows. Means say
nothing of counts on a grid as wide as `rounding.grid_step` makes it. Not here: what follows from several rows together
(`program.py`).

Sources: attacker's view of rounding as intervals: SDC handbook (ESS), section 4.3; score interval inverted: Wilson
(1927); the width of a clustered interval: Korn & Graubard (1998), see `domain/estimation/wilson.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist

from dagster_project.domain.columns import Role, Table
from dagster_project.domain.disclosure.relations import denominator_of, set_of
from dagster_project.domain.disclosure.rounding import grid_step, to_grid
from dagster_project.domain.disclosure.rules import Rules, Thresholds
from dagster_project.domain.disclosure.sets import ALL, ASKED, Set
from dagster_project.domain.estimation.wilson import CONFIDENCE

CONVERSATIONS, USERS = "n", "u"
BELOW = "b"
"""Of a sample in two phases, the conversations of a set that were sampled below the cut."""
Variable = tuple[str, Set]
"""The exact conversations or users of a set."""

Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
ROOM = 1e-7
"""Bounds on shares give way by this, which is more than floating-point sums can err by."""


@dataclass(frozen=True, slots=True)
class Fact:
    """low <= the weighted sum of counts <= high, either end possibly missing."""

    form: tuple[tuple[Variable, float], ...]
    low: float | None = None
    high: float | None = None


Row = Mapping[str, object]


def behind_count(published: int, base: int, least: int) -> tuple[int, int]:
    """The exact counts, from first to last, that `rounding.round_count` publishes as this one."""
    first = -(-least // base) * base
    low = least if published <= first else max(least, published - base // 2)
    return low, published + (base + 1) // 2 - 1


def count_facts(table: Table, row: Row, rules: Rules) -> Iterator[Fact]:
    """What the counts of a published row tell, and its having been published: the thresholds it met."""
    least, own, whole = (
        rules.of_row(table, table.is_total(row)),
        set_of(table.name, row),
        denominator_of(table.name, row),
    )
    in_sample = _in_sample(whole, table, rules)
    for column in table.columns:
        if column.role not in (Role.CONVERSATIONS, Role.USERS):
            continue
        counted = whole if column.name.startswith("of_") else own
        base = least.base_of_users if column.role is Role.USERS else least.base
        low, high = behind_count(_whole(row, column.name), base, _least(column.role, least))
        if counted is None:
            continue
        if column.role is Role.CONVERSATIONS and counted != ALL and rules.is_weighted(table):
            # What a sample stands for is no whole number, and was made one before it was rounded.
            yield Fact(_stands_for(counted, rules), low - 0.5, high + 0.5)
            yield Fact((((CONVERSATIONS, counted), 1.0),), least.labelled)
        else:
            yield Fact((((_unit(column.role), counted), 1.0),), low, high)
    if not any(column.role is Role.USERS for column in table.columns):
        yield Fact((((USERS, own), 1.0),), least.users)
    if whole is not None:
        of = rules.of_denominator(table)
        if whole != ALL and rules.is_weighted(table):
            yield Fact(_stands_for(whole, rules), of.conversations - 0.5)
            yield Fact((((CONVERSATIONS, whole), 1.0),), of.labelled)
        else:
            yield Fact((((CONVERSATIONS, whole), 1.0),), of.conversations)
        yield Fact((((USERS, whole), 1.0),), least.users)
        if not table.is_total(row):
            # The users outside the cell met the threshold, each with a conversation there.
            units = (CONVERSATIONS, USERS) if table.is_of_people else (CONVERSATIONS,)
            yield from (Fact((((unit, in_sample), 1.0), ((unit, own), -1.0)), rules.min_users) for unit in units)


def _in_sample(whole: Set | None, table: Table, rules: Rules) -> Set:
    """What a cell's rest is counted of: those who were asked about, where the screen asked about a sample."""
    return ASKED if whole in (None, ALL) and rules.is_weighted(table) else whole or ALL


def _stands_for(counted: Set, rules: Rules) -> tuple[tuple[Variable, float], ...]:
    """How many conversations those of a set stand for: themselves, and those below the cut for more besides."""
    return ((CONVERSATIONS, counted), 1.0), ((BELOW, counted), rules.more_below)


def share_facts(
    table: Table, row: Row, total: Row | None, rules: Rules, bound: int, with_ends: bool = True
) -> Iterator[Fact]:
    """What the share of a published row and its interval tell.

    total: the period's published structural total of the table, where it has one. bound: the most conversations of a
    user that count. with_ends: the interval is that of the counts themselves, as in a census; in a sample it is as wide
    as weights make it, and says of counts that are rounded as coarsely as `WeightedRules` asks for nothing more.
    """
    own, whole = set_of(table.name, row), denominator_of(table.name, row)
    share = next((column for column in table.columns if column.role is Role.SHARE), None)
    if share is None or whole is None or table.is_total(row):
        return
    least, told = rules.of(table), Decimal(repr(row[share.name]))
    unit, fewest = (USERS, least.users) if table.is_of_people else (CONVERSATIONS, least.conversations)
    if table.is_of_people:
        # Each user is one trial.
        conversations = users = _whole(row, "of_users")
        bound = 1
    elif "of_conversations" in row:
        conversations, users = _whole(row, "of_conversations"), _whole(row, "of_users")
    elif total is not None:
        conversations, users = _whole(total, "n_conversations"), _whole(total, "n_users")
    else:
        low, high = behind_share(_whole(row, "n_conversations"), told, least, rules.grid_steps)
        if rules.is_weighted(table):
            yield Fact(_stands_for(whole, rules), low - 0.5, None if high is None else high + 0.5)
        else:
            yield Fact((((CONVERSATIONS, whole), 1.0),), low, high)
        return
    ends = {column.role: column.name for column in table.columns if column.around == share.name}
    if not ends or not with_ends:
        return
    first, last = behind_interval(
        told,
        Decimal(repr(row[ends[Role.LOW]])),
        Decimal(repr(row[ends[Role.HIGH]])),
        grid_step(conversations, least.base, rules.grid_steps),
        behind_count(conversations, least.base, fewest),
        behind_count(users, least.base, least.users)[0],
        bound,
    )
    yield Fact((((unit, own), 1.0), ((unit, whole), -first)), 0.0)
    yield Fact((((unit, own), 1.0), ((unit, whole), -last)), None, 0.0)


@lru_cache(maxsize=4096)
def behind_share(
    numerator: int, share: Decimal, least: Thresholds, steps: tuple[Decimal, ...]
) -> tuple[int, int | None]:
    """The exact denominators, first to last, of a share made from a rounded numerator; None where there is no last.

    The share's grid follows from the denominator, so that each step of the grid has denominators of its own.
    """
    found: list[int] = []
    endless = False
    wider = sorted(steps)
    for finer, step in zip([None, *wider], wider, strict=False):
        # The denominators (multiples of the base) for which this is the step, and those that give this share on it.
        half = Fraction(step) / 2
        first = max(numerator, math.ceil(least.base / Fraction(step)))
        first = _up(max(first, math.floor(numerator / (Fraction(share) + half))), least.base)
        ends = [] if finer is None else [math.ceil(least.base / Fraction(finer)) - 1]
        ends += [math.ceil(numerator / (Fraction(share) - half))] if Fraction(share) > half else []
        if not ends:
            endless = True
            found.append(first)
            continue
        fits = [v for v in (first, first + least.base) if _share(numerator, v, step) == share]
        last = min(ends) // least.base * least.base
        fits += [v for v in (last, last - least.base) if v >= first and _share(numerator, v, step) == share]
        found += [v for v in fits if v <= last]
    if not found:
        return 0, None
    low, _ = behind_count(min(found), least.base, least.conversations)
    return low, None if endless else behind_count(max(found), least.base, least.conversations)[1]


def _share(numerator: int, denominator: int, step: Decimal) -> Decimal:
    return to_grid(min(Decimal(numerator) / Decimal(denominator), Decimal(1)), step)


def behind_interval(
    share: Decimal,
    low: Decimal,
    high: Decimal,
    step: Decimal,
    conversations: tuple[int, int],
    users: int,
    bound: int,
) -> tuple[float, float]:
    """The exact shares, first to last, whose 95 % interval is published with these ends.

    conversations: first and last exact denominator. users: the fewest in it. An end was moved outward by less than a
    step (or, where it equals the share, was at it or nearer): its exact place is known to a step. The interval is at
    least as wide as that of as many independent trials, at most as that of users who always give the bound alike; and
    the log odds of the share lie midway between those of the ends, whatever the effective sample size.
    """
    widest, narrowest = conversations[1], _least_effective(conversations, users, bound)
    outer_low, outer_high = float(low), float(high)
    inner_low = outer_low + float(step) if low < share else 1.0
    inner_high = outer_high - float(step) if high > share else 0.0
    lows = [_share_at(outer_low, widest, +1), _middle(outer_low, inner_high)]
    highs = [_share_at(outer_high, widest, -1), _middle(inner_low, outer_high)]
    if inner_high > 0:
        lows.append(_share_at(inner_high, narrowest, -1))
    if inner_low < 1:
        highs.append(_share_at(inner_low, narrowest, +1))
    return max(lows) - ROOM, min(highs) + ROOM


def _least_effective(conversations: tuple[int, int], users: int, bound: int) -> float:
    """The smallest effective sample size: every user gives the bound, all of it in or all of it out."""
    from scipy.special import stdtrit

    quantile = (1 + CONFIDENCE) / 2
    by_users, by_conversations = float(stdtrit(users - 1, quantile)), float(stdtrit(conversations[1] - 1, quantile))
    return conversations[0] * (users - 1) / (users * bound) * (by_conversations / by_users) ** 2


def _share_at(end: float, n: float, side: int) -> float:
    """The share of n trials whose score interval ends at `end`, which lies below it (side 1) or above it (side -1)."""
    inside = min(max(end, 0.0), 1.0)
    return inside + side * Z * math.sqrt(inside * (1 - inside) / n)


def _middle(low: float, high: float) -> float:
    """The share whose log odds are the mean of two ends' log odds."""
    if low <= 0 or high <= 0:
        return 0.0
    if low >= 1 or high >= 1:
        return 1.0
    odds = math.sqrt(low / (1 - low) * high / (1 - high))
    return odds / (1 + odds)


def _up(n: int, base: int) -> int:
    return -(-n // base) * base


def _whole(row: Row, column: str) -> int:
    value = row[column]
    if not isinstance(value, int):
        raise TypeError(f"{column} is not a count in a published row")
    return value


def _unit(role: Role) -> str:
    return USERS if role is Role.USERS else CONVERSATIONS


def _least(role: Role, least: Thresholds) -> int:
    return least.users if role is Role.USERS else least.conversations
