"""Percentile bootstrap of a mean over conversations, resampling whole users.

Lives here: one estimator, seeded. Not here: intervals of shares (`wilson.py`), the sums that feed it (`dbt/`).

Sources: the study (95 % interval by bootstrap, n = 1,000); clusters as the unit of resampling: Davison & Hinkley
(1997), Bootstrap Methods and their Application, section 3.8.
"""

from __future__ import annotations

from collections.abc import Sequence

from dagster_project.domain.estimation.wilson import CONFIDENCE, Interval

RESAMPLES = 1000
SEED = 20250626
"""Fixed, so that the same conversations give the same published ends; the study's day of publication."""

DECIMALS = 12
"""Sums are rounded to this before anything else: the last bits depend on the order of summation."""

DRAWS_AT_ONCE = 2_000_000


def bootstrap_mean_interval(
    sums: Sequence[float],
    weights: Sequence[float],
    n_resamples: int = RESAMPLES,
    seed: int = SEED,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Percentile interval of sum(sums) / sum(weights), users drawn with replacement.

    sums, weights: per user, the sum of w*x and of w over their conversations, w > 0. The order of the users does not
    matter. Raises ValueError on no users, unequal lengths or a weight that is not positive and finite.

    Users with equal pairs are drawn together, by multinomial counts: exact, and what keeps 200,000 users quick, since
    sentiment knows few different values.
    """
    import numpy as np

    pairs = np.column_stack([np.asarray(sums, dtype=float), np.asarray(weights, dtype=float)])
    n_users = len(pairs)
    if n_users == 0:
        raise ValueError("an interval needs at least one user")
    if not (np.isfinite(pairs).all() and (pairs[:, 1] > 0).all()):
        raise ValueError("sums must be finite, and weights finite and above 0")
    kinds, counts = np.unique(pairs.round(DECIMALS) + 0.0, axis=0, return_counts=True)
    random = np.random.default_rng(seed)
    means = np.empty(n_resamples)
    step = max(1, DRAWS_AT_ONCE // len(kinds))
    for start in range(0, n_resamples, step):
        drawn = random.multinomial(n_users, counts / n_users, size=min(step, n_resamples - start))
        totals = drawn @ kinds
        means[start : start + step] = totals[:, 0] / totals[:, 1]
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))
