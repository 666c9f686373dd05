"""A share corrected for the classifier's error, from a weighted sample of human labels, clustered by user.

Lives here: the corrected share and its interval. Not here: the sums that feed it (`dbt/macros/coded.sql`), means
(`prediction_powered.py`), which conversations people label (`sampling.py`).

The estimator is prediction-powered inference with the tuned weight of PPI++ (Angelopoulos, Duchi & Zrnic 2023, arXiv
2311.01453, section 6). Where the labelled conversations are part of the population, the tuned weight is the slope of
truth on prediction; for a yes/no prediction this makes the estimate

    share of yes * P(true | predicted yes)  +  share of no * P(true | predicted no),

which is stratified double sampling (Tenenbein 1970, JASA 65:1350-1361). Its interval is put together from those of its
three parts (MOVER: Zou & Donner 2008, Stat. Med. 27:1693-1702), each Wilson's at the clustered effective sample size:
where nobody has found a miss among 500 conversations predicted "no", a variance would say that there are none, and
Wilson's end says that there may be 0.8 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from dagster_project.domain.estimation.wilson import (
    CONFIDENCE,
    effective_sample_size,
    residual_square,
    wilson_interval,
)

MIN_CODED = 100
"""Conversations with a human answer, from which on anything is corrected at all."""
MIN_CODED_A_SIDE = 20
"""Of those predicted to be of the category, and of those predicted not to: fewer say nothing of either error."""


class Estimate(NamedTuple):
    """A number and the ends of its interval, low <= value <= high."""

    value: float
    low: float
    high: float


def share_of_true(hits: Sequence[float], weights: Sequence[float], n: int, confidence: float = CONFIDENCE) -> Estimate:
    """The share that people find true among conversations with one prediction, and its interval.

    hits, weights: per user, the sum of w*y and of w over their labelled conversations, w = sampling weight / inclusion
    probability; n: those conversations. The effective sample size is that of clustered data, and no more than unequal
    weights leave (Kish 1965): an error that was never met shows in no residual. Raises ValueError where nobody is
    labelled.
    """
    if not len(weights):
        raise ValueError("nobody labelled any of these conversations")
    total = math.fsum(weights)
    share = min(1.0, max(0.0, math.fsum(hits) / total))
    kish = total**2 / math.fsum(w * w for w in weights) * n / len(weights)
    effective = effective_sample_size(share, residual_square(hits, weights), n, len(weights), confidence)
    return Estimate(share, *wilson_interval(share, min(kish, effective), confidence))


def corrected_share(raw: Estimate, true_of_yes: Estimate, true_of_no: Estimate) -> Estimate:
    """The raw share corrected by what people found among the conversations predicted yes and no.

    raw: the share of yes among all counted conversations. The ends lie in [0, 1] and hold the value between them.
    """
    share, slope = raw.value, true_of_yes.value - true_of_no.value
    value = share * true_of_yes.value + (1 - share) * true_of_no.value
    down = [(1 - share) * (true_of_no.value - true_of_no.low), share * (true_of_yes.value - true_of_yes.low)]
    up = [(1 - share) * (true_of_no.high - true_of_no.value), share * (true_of_yes.high - true_of_yes.value)]
    # Where prediction and truth go against one another, more of the one is less of the other.
    below, above = (raw.value - raw.low, raw.high - raw.value)[:: 1 if slope >= 0 else -1]
    low = value - math.hypot(*down, slope * below)
    high = value + math.hypot(*up, slope * above)
    return Estimate(value, max(0.0, low), min(1.0, high))
