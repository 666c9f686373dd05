"""Fits one group of heads: matrices, out-of-fold margins, calibration, thresholds, the final weights.

Lives here: everything that needs scikit-learn. Not here: examples (`data.py`), the order of things (`train.py`).
Choices (regularisation, thresholds) are made on out-of-fold margins of the rows to learn from, and on nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dagster_project.classifiers.local.features import TABLE_SIZE, Blocks, weighted
from dagster_project.classifiers.local.heads import Heads
from training.data import Example

FOLDS = 5
NEVER = -20.0


@dataclass(frozen=True)
class Table:
    """Features of all examples: sparse n-grams (weighted) beside dense features."""

    matrix: sparse.csr_matrix
    idf: NDArray[np.float32]
    n_dense: int


def table_of(grams: Sequence[Blocks], dense: NDArray[np.float32], counted: NDArray[np.bool_], min_df: int = 1) -> Table:
    """idf = 1 + log((1 + n) / (1 + df)) over the counted rows; a column met in fewer than `min_df` weighs nothing."""
    df = np.zeros(TABLE_SIZE)
    for blocks, count in zip(grams, counted, strict=True):
        if count:
            for _, (columns, _) in blocks:
                df[columns] += 1
    n = int(counted.sum())
    idf = (1 + np.log((1 + n) / (1 + df))).astype(np.float16).astype(np.float32)
    idf[df < min_df] = 0
    rows = [weighted(g, idf) for g in grams]
    indptr = np.cumsum([0, *(len(c) for c, _ in rows)])
    matrix = sparse.csr_matrix(
        (np.concatenate([v for _, v in rows]), np.concatenate([c for c, _ in rows]), indptr),
        shape=(len(rows), TABLE_SIZE),
    )
    matrix.sum_duplicates()
    return Table(sparse.hstack([matrix, sparse.csr_matrix(dense)], format="csr"), idf, dense.shape[1])


def fold_of(example: Example) -> int:
    return crc32(example.group.encode("utf-8", "replace")) % (FOLDS * 3)


def _fit(matrix: sparse.csr_matrix, y: NDArray[np.int64], weight: NDArray[np.float64], c: float) -> NDArray[np.float64]:
    """Coefficients and bias (last) of one logistic head."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=c, solver="lbfgs", max_iter=60 if len(y) > 20_000 else 300, tol=1e-3)
    model.fit(matrix, y, sample_weight=weight)
    coefficients: NDArray[np.float64] = np.asarray([*model.coef_[0], model.intercept_[0]], dtype=np.float64)
    return coefficients


def balanced(y: NDArray[np.int64], weight: NDArray[np.float64], strength: float = 0.5) -> NDArray[np.float64]:
    """Raise the rarer side's weight part of the way to balance."""
    share = float(weight[y == 1].sum() / weight.sum())
    factors = (((1 - share) / share) ** (strength / 2), (share / (1 - share)) ** (strength / 2))
    raised: NDArray[np.float64] = weight * np.where(y == 1, *factors)
    return raised


@dataclass(frozen=True)
class Fitted:
    """A group of heads, and for measuring: out-of-fold margins (rows, heads), NaN where a label is unknown."""

    heads: Heads
    margins: NDArray[np.float64]


def known(examples: Sequence[Example], head: str) -> NDArray[np.bool_]:
    return np.array([head in e.labels for e in examples])


def platt(margins: NDArray[np.float64], y: NDArray[np.int64], weight: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and intercept of Platt's calibration, fitted on out-of-fold margins."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e3, solver="lbfgs", max_iter=500).fit(margins[:, None], y, sample_weight=weight)
    return max(0.05, float(model.coef_[0, 0])), float(model.intercept_[0])


def best_threshold(p: NDArray[np.float64], y: NDArray[np.int64], weight: NDArray[np.float64]) -> float:
    """The probability from which on "yes" gives the best weighted F1, on a grid of 0.02 within [0.2, 0.8]."""
    best = (-1.0, 0.5)
    for t in np.arange(0.2, 0.801, 0.02):
        said = p >= t
        hits = float(weight[said & (y == 1)].sum())
        f1 = 2 * hits / max(1e-9, float(weight[said].sum() + weight[y == 1].sum()))
        best = max(best, (f1, round(float(t), 2)), key=lambda x: (round(x[0], 4), -abs(x[1] - 0.5)))
    return best[1]


def gate_threshold(p: NDArray[np.float64], y: NDArray[np.int64], lost: float = 0.02) -> float:
    """The probability under which no more than the share `lost` of the true ones lies."""
    return float(np.floor(np.quantile(p[y == 1], lost) * 1e4) / 1e4)


def fit_group(
    names: Sequence[str],
    examples: Sequence[Example],
    table: Table,
    c: float,
    final: bool = True,
    choose: Literal["f1", "gate", "half"] = "f1",
    base_rate: float | None = None,
    lost: float = 0.02,
) -> Fitted:
    """Fit every head by five folds (for calibration and threshold), then on all rows.

    choose: how a threshold is set: for the best F1, to lose next to nothing, or one half. base_rate: the share of yes
    in the logs to come, where the rows have far more: calibration and threshold of the first head are set for it.
    lost: the share of yes that a gate may lose.
    """
    n_folds = 3 if len(examples) > 20_000 else FOLDS
    folds = np.array([fold_of(e) % n_folds for e in examples])
    weights = np.array([e.weight for e in examples])
    variant = np.array([e.variant for e in examples])
    n = len(names)
    margins = np.full((len(examples), n), np.nan)
    coefficients = np.zeros((table.matrix.shape[1] + 1, n))
    slope, intercept, threshold = np.ones(n), np.zeros(n), np.full(n, 0.5)
    for h, name in enumerate(names):
        has = known(examples, name)
        y = np.array([e.labels.get(name, 0) for e in examples])
        if len(set(y[has])) < 2:
            # Met when a source is left out that alone holds the category: such a head never says yes.
            coefficients[-1, h] = NEVER
            continue
        for fold in range(n_folds):
            here, there = has & (folds != fold), has & (folds == fold)
            if not there.any():
                continue
            beta = _fit(table.matrix[here], y[here], balanced(y[here], weights[here]), c)
            margins[there, h] = table.matrix[there] @ beta[:-1] + beta[-1]
        # Variants are learnt from, not measured on: what is said of an example is said once.
        told = has & ~variant
        expected = weights.copy()
        if base_rate and h == 0:
            yes, no = weights[told & (y == 1)].sum(), weights[told & (y == 0)].sum()
            expected[y == 0] *= max(1.0, (1 - base_rate) / base_rate * yes / no)
        slope[h], intercept[h] = platt(margins[told, h], y[told], expected[told])
        p = 1 / (1 + np.exp(-(slope[h] * margins[:, h] + intercept[h])))
        if choose == "f1":
            threshold[h] = best_threshold(p[told], y[told], expected[told])
        elif choose == "gate":
            threshold[h] = gate_threshold(p[told], y[told], lost)
        if final:
            coefficients[:, h] = _fit(table.matrix[has], y[has], balanced(y[has], weights[has]), c)
    rounded = coefficients.astype(np.float16).astype(np.float32)
    heads = Heads(
        names=tuple(names),
        idf=table.idf,
        grams=rounded[:TABLE_SIZE],
        dense=rounded[TABLE_SIZE:-1],
        bias=rounded[-1],
        slope=slope.astype(np.float32).round(4),
        intercept=intercept.astype(np.float32).round(4),
        threshold=threshold.astype(np.float32),
    )
    return Fitted(heads, margins)
