"""Agreement among people who label the same conversations: Krippendorff's alpha, weighted, clustered by user.

Lives here: alpha for categories and for numbers, any number of coders, gaps allowed. Not here: what becomes of their
answers (`domain/adjudication.py`).

Source: Krippendorff (2019), Content Analysis, 4th ed., chapter 12: alpha = 1 - observed / expected disagreement, from
the matrix of coincidences. A conversation's coincidences are multiplied by its weight; equal weights change nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Literal

from dagster_project.domain.estimation.bootstrap import RESAMPLES, SEED
from dagster_project.domain.estimation.correction import Estimate
from dagster_project.domain.estimation.wilson import CONFIDENCE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Level = Literal["nominal", "interval"]


def krippendorff_alpha(
    answers: Sequence[Sequence[float | str]],
    weights: Sequence[float] | None = None,
    users: Sequence[Hashable] | None = None,
    level: Level = "nominal",
    n_resamples: int = RESAMPLES,
    seed: int = SEED,
    confidence: float = CONFIDENCE,
) -> Estimate | None:
    """Alpha and its percentile interval over resampled users; None where no two answers can be compared, or all agree.

    answers: by conversation, what each coder who answered said; fewer than two say nothing. weights: by conversation,
    default 1. users: by conversation, default each its own. level: `interval` takes squared differences of numbers.
    Where all answers are the same one there is no variation to agree on, and alpha is not defined.
    """
    import numpy as np

    kept = [i for i, said in enumerate(answers) if len(said) >= 2]
    if not kept:
        return None
    values = sorted({v for i in kept for v in answers[i]}, key=lambda v: (isinstance(v, str), v))
    place = {v: k for k, v in enumerate(values)}
    given = np.ones(len(kept)) if weights is None else np.array([weights[i] for i in kept], dtype=float)
    given = given / given.mean()
    who: list[Hashable] = list(range(len(kept))) if users is None else [users[i] for i in kept]
    number = {user: k for k, user in enumerate(dict.fromkeys(who))}
    by_user = np.zeros((len(number), len(values) ** 2))
    for i, weight, user in zip(kept, given, who, strict=True):
        counts = np.bincount([place[v] for v in answers[i]], minlength=len(values)).astype(float)
        pairs = np.outer(counts, counts) - np.diag(counts)
        by_user[number[user]] += weight * pairs.ravel() / (counts.sum() - 1)
    if level == "interval":
        numbers = np.array(values, dtype=float)
        distance = (numbers[:, None] - numbers[None, :]) ** 2
    else:
        distance = 1.0 - np.eye(len(values))

    def alpha(coincidences: NDArray[np.float64]) -> NDArray[np.float64]:
        matrix = coincidences.reshape(-1, len(values), len(values))
        marginal = matrix.sum(axis=2)
        n = marginal.sum(axis=1)
        observed = (matrix * distance).sum(axis=(1, 2)) / n
        expected = np.einsum("rc,rk,ck->r", marginal, marginal, distance) / (n * (n - 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            found: NDArray[np.float64] = np.where(expected > 0, 1 - observed / expected, np.nan)
        return found

    value = float(alpha(by_user.sum(axis=0)[None, :])[0])
    if not np.isfinite(value):
        return None
    drawn = np.random.default_rng(seed).multinomial(
        len(number), np.full(len(number), 1 / len(number)), size=n_resamples
    )
    found = alpha(drawn @ by_user)
    tail = (1 - confidence) / 2
    low, high = np.quantile(found[np.isfinite(found)], [tail, 1 - tail])
    return Estimate(value, min(float(low), value), max(float(high), value))
