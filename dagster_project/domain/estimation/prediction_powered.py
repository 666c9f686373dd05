"""A mean from many predictions and few human labels: prediction-powered inference, tuned, weighted, clustered by user.

Lives here: the estimator from sums per user, whatever is averaged (a tone, a yes/no). Not here: shares of yes/no
predictions, whose interval can do better with few events (`correction.py`).

Sources: prediction-powered inference: Angelopoulos, Bates, Fannjiang, Jordan & Zrnic (2023), Science 382:669-674; the
weight lambda that makes the variance smallest: Angelopoulos, Duchi & Zrnic (2023), PPI++, arXiv 2311.01453, section 6.
Here the variance is that of users' linearised contributions, so labelled conversations may be part of the population
or not, and neither weights nor several conversations of a user need a case of their own; for disjoint samples of
independent conversations the weight is the one of PPI++, Cov(y, f) / ((1 + n/N) Var(f)).

Few labels of unequal weights make that variance too small and its quantile too short: whoever weighs much pulls the
mean towards themselves. So a user's residual is divided by the root of one minus their part of the labelled weight
(Bell & McCaffrey 2002, Survey Methodology 28:169-181: CR2), and Student's quantile has as many degrees of freedom as
the weights leave users (Kish 1965), two less: one for the mean, one for the weight that was tuned. With equal weights
both are the usual ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from dagster_project.domain.estimation.correction import Estimate
from dagster_project.domain.estimation.wilson import CONFIDENCE

TINY = 1e-9
"""Nobody weighs all: a residual is never divided by nothing."""


class UserSums(NamedTuple):
    """One user's conversations. w: sampling weight; v: w / inclusion probability, of labelled conversations alone.

    truth: sum of v*y; predicted: sum of v*f; labelled: sum of v; all_predicted: sum of w*f; all: sum of w.
    """

    truth: float
    predicted: float
    labelled: float
    all_predicted: float
    all: float


class PowerEstimate(NamedTuple):
    """The estimate, and the weight that the predictions were given: 0 is the labels alone."""

    estimate: Estimate
    lam: float


def prediction_powered_mean(
    users: Sequence[UserSums], lam: float | None = None, confidence: float = CONFIDENCE
) -> PowerEstimate:
    """Mean of the truth over the population that the predictions are of.

    users: every user with a labelled conversation or a predicted one. lam: None tunes it, at the price of a degree of
    freedom. Raises ValueError where fewer than two users are labelled.
    """
    import numpy as np
    from scipy.special import stdtrit

    sums = np.asarray(users, dtype=float).reshape(-1, 5)
    truth, predicted, labelled, all_predicted, everything = sums.T
    n_users = int((labelled > 0).sum())
    if n_users < 2:
        raise ValueError("an interval needs two users with labels")
    mean_truth = truth.sum() / labelled.sum()
    mean_predicted = predicted.sum() / labelled.sum()
    mean_all = all_predicted.sum() / everything.sum() if everything.sum() > 0 else mean_predicted
    of_truth = (truth - mean_truth * labelled) / labelled.sum()
    of_difference = (predicted - mean_predicted * labelled) / labelled.sum()
    if everything.sum() > 0:
        of_difference -= (all_predicted - mean_all * everything) / everything.sum()
    parameters = 1 if lam is not None else 2
    if lam is None:
        spread = float(of_difference @ of_difference)
        lam = float(of_truth @ of_difference) / spread if spread > 0 else 0.0
    value = float(mean_truth - lam * (mean_predicted - mean_all))
    part = labelled / labelled.sum()
    contributions = (of_truth - lam * of_difference) / np.sqrt(np.maximum(1 - part, TINY))
    left = 1 / float(part @ part)
    freedom = max(1.0, left - parameters)
    variance = float(contributions @ contributions) * max(1.0, left - 1) / freedom
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(variance)
    return PowerEstimate(Estimate(value, value - half, value + half), lam)
