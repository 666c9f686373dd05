"""Agreement figures from pairs of said and true: small pure functions.

Not here: where the pairs come from (`evaluate.py`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def binary(said: ArrayLike, true: ArrayLike) -> dict[str, float]:
    """n, share of true and said, precision, recall, F1."""
    s, t = np.asarray(said, bool), np.asarray(true, bool)
    hits = int((s & t).sum())
    return {
        "n": len(t),
        "n_true": int(t.sum()),
        "n_said": int(s.sum()),
        "precision": _ratio(hits, int(s.sum())),
        "recall": _ratio(hits, int(t.sum())),
        "f1": _ratio(2 * hits, int(s.sum() + t.sum())),
        "accuracy": _ratio(int((s == t).sum()), len(t)),
    }


def macro_f1(said: Sequence[str], true: Sequence[str]) -> float:
    """Mean F1 over the classes that occur in `true`."""
    s, t = np.asarray(said), np.asarray(true)
    return round(float(np.mean([binary(s == c, t == c)["f1"] for c in sorted(set(t.tolist()))])), 3)


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Rank correlation; 0 where one side does not vary."""
    from scipy.stats import spearmanr

    if len(set(a)) < 2 or len(set(b)) < 2:
        return 0.0
    return round(float(spearmanr(a, b).statistic), 3)


def spearman_interval(a: Sequence[float], b: Sequence[float]) -> dict[str, float]:
    """Rank correlation with a 95 % interval by Fisher's z (Bonett & Wright 2000: variance (1 + r²/2) / (n − 3))."""
    r = spearman(a, b)
    half = 1.96 * np.sqrt((1 + r * r / 2) / max(1, len(a) - 3))
    low, high = np.tanh(np.arctanh(r) + np.array([-half, half]))
    return {"spearman": r, "low": round(float(low), 3), "high": round(float(high), 3)}


def expected_calibration_error(p: ArrayLike, y: ArrayLike, bins: int = 10) -> float:
    """Mean distance of said probability and share that is true, over equal-width bins, weighted by their size."""
    probabilities, truth = np.asarray(p, float), np.asarray(y, float)
    which = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [
        (which == b).mean() * abs(probabilities[which == b].mean() - truth[which == b].mean())
        for b in range(bins)
        if (which == b).any()
    ]
    return round(float(sum(gaps)), 3)


def _ratio(a: float, b: float) -> float:
    return round(a / b, 3) if b else 0.0
