"""Rounding that does not give the count back: counts to a base, shares from rounded counts, ends outward.

After the US Census Bureau's DRB rounding rules and the OpenSAFELY output rules. All arithmetic is decimal, so
that "outward" holds for the very number that is written. Not here: whether a cell is published (`primary.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal


def round_count(n: int, base: int, least: int) -> int:
    """n to the nearest multiple of base (half up), but not below the first multiple that is at least `least`.

    The lower stop matters where a threshold is no multiple of the base: 12 users under a threshold of 12 would
    be published as 10, which only 12 explains. Raises ValueError for n under `least`: such a cell is withheld.
    """
    if n < least:
        raise ValueError("a count below its threshold has no rounded form")
    return max((2 * n + base) // (2 * base) * base, -(-least // base) * base)


def grid_step(denominator: int, base: int, steps: Sequence[Decimal]) -> Decimal:
    """The smallest declared step that is at least base / denominator; `denominator` is the rounded one.

    The exact denominator would show through the step's choice. Raises ValueError when no step is wide enough.
    """
    for step in sorted(steps):
        if step * denominator >= base:
            return step
    raise ValueError("no declared grid is wide enough for this denominator")


def to_grid(value: Decimal, step: Decimal) -> Decimal:
    """The nearest multiple of the step (half away from zero), never a negative zero."""
    return (value / step).to_integral_value(ROUND_HALF_UP) * step + 0


def outward(
    low: float, high: float, centre: Decimal, step: Decimal, bounds: tuple[int, int]
) -> tuple[Decimal, Decimal]:
    """Interval ends moved outward to the grid, kept within the scale, and around the published centre.

    Raises ValueError when low is above high.
    """
    exact_low, exact_high = Decimal(repr(low)), Decimal(repr(high))
    least, most = Decimal(bounds[0]), Decimal(bounds[1])
    if exact_low > exact_high:
        raise ValueError("an interval ends before it starts")
    down = (exact_low / step).to_integral_value(ROUND_FLOOR) * step
    up = (exact_high / step).to_integral_value(ROUND_CEILING) * step
    return max(least, min(down, centre)) + 0, min(most, max(up, centre)) + 0
