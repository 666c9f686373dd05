"""Score intervals of a share, plain and for conversations clustered in users.

Lives here: Wilson's interval, and the same at an effective sample size. Not here: the sums that feed it
(`dbt/macros/cells.sql`), intervals of means (`bootstrap.py`).

Sources: Wilson (1927), JASA 22:209-212. Effective sample size n / design effect, cut at n and adjusted for the
degrees of freedom of the clusters: Korn & Graubard (1998), Survey Methodology 24:193-201; applied to Wilson's
interval and compared with others: Franco, Little, Louis & Slud (2019), JSSAM 7:334-364.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """Ends of an interval, low <= high."""

    low: float
    high: float


def wilson_interval(share: float, n: float, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval of a share in [0, 1] seen in n independent trials; n need not be whole.

    The ends lie in [0, 1] and hold the share between them. Raises ValueError on a share outside [0, 1] or n <= 0.
    """
    if not 0 <= share <= 1:
        raise ValueError("a share lies between 0 and 1")
    if not n > 0:
        raise ValueError("an interval needs at least one trial")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share)))


def residual_square(hits: Sequence[float], weights: Sequence[float]) -> float:
    """Sum over users of (hits - share * weight)^2, over the squared total weight; all else the interval needs.

    hits, weights: per user, the sum of w*x and of w over their conversations (x is 0 or 1, w the sampling weight).
    The warehouse computes the same from sums alone.
    """
    total = math.fsum(weights)
    share = math.fsum(hits) / total
    return math.fsum((h - share * w) ** 2 for h, w in zip(hits, weights, strict=True)) / total**2


def effective_sample_size(
    share: float, residual: float, n_conversations: int, n_users: int, confidence: float = CONFIDENCE
) -> float:
    """How many independent conversations tell as much about the share as these users' conversations do.

    residual: `residual_square` of the users, whose linearised variance, C / (C - 1) times it for C users, is set
    against that of a simple random sample of the same size. Never more than n_conversations. With a share of 0 or 1
    no variance can be seen: then each user counts as one trial, the most cautious reading.
    """
    if n_users < 2 or n_conversations < 2:
        return 1.0
    if not 0 < share < 1:
        return float(n_users)
    if residual <= 0:
        return float(n_conversations)
    variance = residual * n_users / (n_users - 1)
    simple = share * (1 - share) / (n_conversations - 1)
    cluster_t, simple_t = (_student(n - 1, confidence) for n in (n_users, n_conversations))
    adjusted = n_conversations * simple / variance * (simple_t / cluster_t) ** 2
    return min(float(n_conversations), adjusted)


@cache
def _student(degrees: int, confidence: float) -> float:
    """Two-sided quantile of Student's t. Kept: the cells of a table share their denominators, and so these."""
    # Imported here: scipy costs a fifth of a second, and most importers never estimate.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + confidence) / 2))


def clustered_wilson_interval(
    share: float,
    residual: float,
    n_conversations: int,
    n_users: int,
    most: float = math.inf,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Wilson's interval at the effective sample size of conversations clustered in users.

    most: what unequal weights leave of the sample at most (Kish 1965: the squared sum of weights over the sum of their
    squares): where none of the few with large weights is a hit, no residual shows what they stand for. Equals the plain
    interval where each user has one conversation and all weights are equal. Raises ValueError as `wilson_interval`
    does, and where there are no users.
    """
    if n_users < 1 or n_conversations < n_users:
        raise ValueError("an interval needs users, and no fewer conversations than users")
    n = min(most, effective_sample_size(share, residual, n_conversations, n_users, confidence))
    return wilson_interval(share, n, confidence)
