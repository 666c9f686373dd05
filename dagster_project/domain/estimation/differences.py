"""Differences of two estimates that are published with intervals, and which of many differences survive.

Lives here: pure arithmetic on published numbers. Not here: the estimates and their intervals (`wilson.py`,
`bootstrap.py`), which of them are compared (`report/`).

Sources: an interval of a difference from two intervals: Newcombe (1998), Statistics in Medicine 17:873-890, method 10;
Zou & Donner (2008), Statistics in Medicine 27:1693-1702 (MOVER). Many comparisons: Benjamini & Hochberg (1995), JRSS B
57:289-300. Both estimates are taken as independent; users who write in both periods make the interval too wide rather
than too narrow, as what they do is alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from dagster_project.domain.estimation.wilson import CONFIDENCE

Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
FALSE_DISCOVERIES = 0.05
"""The share of false ones among the differences that survive, in expectation at most."""


@dataclass(frozen=True, slots=True)
class Difference:
    """later minus earlier with its 95 % interval, and the two-sided p-value of none."""

    value: float
    low: float
    high: float
    p: float


def difference(earlier: tuple[float, float, float], later: tuple[float, float, float]) -> Difference:
    """The difference of two estimates, each as (value, low, high) of a 95 % interval.

    Raises ValueError where an interval does not hold its value.
    """
    (a, a_low, a_high), (b, b_low, b_high) = earlier, later
    if not (a_low <= a <= a_high and b_low <= b <= b_high):
        raise ValueError("an interval does not hold its estimate")
    below, above = math.hypot(b - b_low, a_high - a), math.hypot(b_high - b, a - a_low)
    value = b - a
    towards_zero = below if value > 0 else above
    # No width on that side: told apart for certain, unless there is nothing to tell.
    p = 2 * NormalDist().cdf(-abs(value) * Z / towards_zero) if towards_zero else float(value == 0)
    return Difference(value, value - below, value + above, p)


def survivors(p_values: Sequence[float], rate: float = FALSE_DISCOVERIES) -> list[bool]:
    """Which of many differences are told apart from none, at a false discovery rate of at most `rate`."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    last = max((k for k, i in enumerate(order, 1) if p_values[i] <= rate * k / len(order)), default=0)
    kept = set(order[:last])
    return [i in kept for i in range(len(p_values))]
