"""Agreement of the labeller with people on a yes/no question: weighted to the population, clustered by user.

Lives here: accuracy, precision, recall, F1 and Cohen's kappa with its interval, from weighted tables per user. Not
here: agreement among several coders (`coders.py`), the sums (`dbt/`).

Sources: kappa: Cohen (1960), Educ. Psychol. Meas. 20:37-46; its interval by percentile bootstrap of whole users:
Davison & Hinkley (1997), section 3.8. Where no disagreement was seen, every resample has none either: then the lower
end is kappa at Wilson's upper end of the disagreement, chance agreement taken as seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from dagster_project.domain.estimation.bootstrap import DECIMALS, DRAWS_AT_ONCE, RESAMPLES, SEED
from dagster_project.domain.estimation.wilson import CONFIDENCE, wilson_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Agreement(NamedTuple):
    """Measures of agreement, 0 to 1 (kappa -1 to 1); None where nothing of its kind was labelled."""

    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None


def agreement_of(
    both: Sequence[float],
    predicted_alone: Sequence[float],
    true_alone: Sequence[float],
    neither: Sequence[float],
    n_resamples: int = RESAMPLES,
    seed: int = SEED,
    confidence: float = CONFIDENCE,
) -> Agreement:
    """Agreement from each user's weights of the four outcomes, in any order of the users.

    Raises ValueError on a negative weight, or where nobody has any.
    """
    import numpy as np

    users = np.column_stack([np.asarray(c, dtype=float) for c in (both, predicted_alone, true_alone, neither)])
    if not (np.isfinite(users).all() and (users >= 0).all() and (users.sum(axis=1) > 0).all() and len(users)):
        raise ValueError("agreement needs users, each with a weight above 0")
    tp, fp, fn, tn = (float(v) for v in users.sum(axis=0))
    accuracy = (tp + tn) / (tp + fp + fn + tn)
    precision = tp / (tp + fp) if tp + fp > 0 else None
    recall = tp / (tp + fn) if tp + fn > 0 else None
    f1 = 2 * tp / (2 * tp + fp + fn) if tp + fp + fn > 0 else None
    kappa = float(_kappa(users.sum(axis=0)[None, :])[0])
    if not np.isfinite(kappa):
        return Agreement(accuracy, precision, recall, f1, None, None, None)
    if fp + fn == 0:
        weights = users.sum(axis=1)
        kish = float(weights.sum() ** 2 / (weights**2).sum())
        chance = ((tp + fp) * (tp + fn) + (tn + fp) * (tn + fn)) / (tp + fp + fn + tn) ** 2
        low = 1 - wilson_interval(0.0, kish, confidence).high / (1 - chance)
        return Agreement(accuracy, precision, recall, f1, kappa, max(-1.0, low), 1.0)
    drawn = _resampled(users, n_resamples, seed)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Agreement(accuracy, precision, recall, f1, kappa, min(float(low), kappa), max(float(high), kappa))


def _kappa(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kappa of each row (both, predicted alone, true alone, neither); nan where chance alone agrees always."""
    import numpy as np

    tp, fp, fn, tn = tables.T
    total = tp + fp + fn + tn
    chance = ((tp + fp) * (tp + fn) + (tn + fp) * (tn + fn)) / total**2
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa: NDArray[np.float64] = np.where(chance < 1 - 1e-12, ((tp + tn) / total - chance) / (1 - chance), np.nan)
    return kappa


def _resampled(users: NDArray[np.float64], n_resamples: int, seed: int) -> NDArray[np.float64]:
    """Kappa of resampled users, those without one (all labels alike) left out."""
    import numpy as np

    kinds, counts = np.unique(users.round(DECIMALS) + 0.0, axis=0, return_counts=True)
    random, n = np.random.default_rng(seed), int(counts.sum())
    step = max(1, DRAWS_AT_ONCE // len(kinds))
    parts: list[NDArray[np.float64]] = []
    for start in range(0, n_resamples, step):
        drawn = random.multinomial(n, counts / n, size=min(step, n_resamples - start))
        parts.append(_kappa(drawn @ kinds))
    found = np.concatenate(parts)
    finite: NDArray[np.float64] = found[np.isfinite(found)]
    return finite
