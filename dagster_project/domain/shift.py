"""Whether a day's volume or labels have shifted against the days before it. Pure arithmetic on counts.

Not here: reading days, telling anybody (`checks/shift.py`), differences of published figures
(`estimation/differences.py`).

Sources: population stability index: Siddiqi (2006), Credit Risk Scorecards, ch. 9 (0.25 as a shift); its distribution
without one, (1/n + 1/m) times a chi-square with k - 1 degrees of freedom: Yurdakul & Naranjo (2020), Journal of Risk
Model Validation 14(4).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

SHIFT = 0.25
CHANCE = 0.001
"""A shift that chance makes oftener than this is none, however large the index."""
FOLD = 2.0
"""A day with more than so many times the usual conversations, or fewer than so many, stands out."""
DEVIATIONS = 4.0
"""And lies so many standard deviations of a Poisson count away, so that small homes are not alarmed every week."""
HALF = 0.5
"""Added to every count: the index has no value where a category is empty."""


def stability_index(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """The population stability index of two distributions over categories, 0 where they are the same."""
    names = before.keys() | now.keys()
    if not names:
        return 0.0
    totals = [sum(counts.values()) + HALF * len(names) for counts in (before, now)]
    parts = [((before.get(c, 0) + HALF) / totals[0], (now.get(c, 0) + HALF) / totals[1]) for c in sorted(names)]
    return math.fsum((b - a) * math.log(b / a) for a, b in parts)


def labels_have_shifted(before: Mapping[str, int], now: Mapping[str, int]) -> bool:
    """Whether the index is large, and larger than chance makes it with so few. False where either is empty."""
    from scipy.special import chdtri

    n, m, k = sum(before.values()), sum(now.values()), len(before.keys() | now.keys())
    if not n or not m or k < 2:
        return False
    return stability_index(before, now) > max(SHIFT, float(chdtri(k - 1, CHANCE)) * (1 / n + 1 / m))


def volume_has_shifted(before: Sequence[int], now: int) -> bool:
    """Whether a day has far more or far fewer conversations than the median of the days before. False without any."""
    if not before:
        return False
    usual = median(before)
    is_far = now > FOLD * usual or now * FOLD < usual
    return is_far and abs(now - usual) > DEVIATIONS * math.sqrt(max(usual, 1.0))
