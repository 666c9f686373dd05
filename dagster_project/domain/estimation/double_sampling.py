"""Closed forms of a corrected share, for errors that are known or measured in a simple random sample.

Lives here: what the general estimators must equal where both apply, and what a reader can check by hand. Not here: the
published correction (`correction.py`).
"""

from __future__ import annotations

from typing import NamedTuple


class Counts(NamedTuple):
    """A simple random sample labelled by people: predicted yes and no, and how many of each are true."""

    yes: int
    yes_true: int
    no: int
    no_true: int


def rogan_gladen(share: float, sensitivity: float, specificity: float) -> float:
    """The true share behind a raw one when the classifier's errors are known, cut to [0, 1].

    Source: Rogan & Gladen (1978), Am. J. Epidemiol. 107:71-76. Raises ValueError where the classifier is no better
    than a coin: then no raw share says anything.
    """
    youden = sensitivity + specificity - 1
    if youden <= 0:
        raise ValueError("a classifier that is no better than a coin cannot be corrected")
    return min(1.0, max(0.0, (share + specificity - 1) / youden))


def double_sampling(share: float, n: int, labelled: Counts) -> tuple[float, float]:
    """(share, variance): Tenenbein's estimate, of n conversations of which a simple random sample is labelled.

    share: the share predicted yes among all n. Source: Tenenbein (1970), JASA 65:1350-1361; the variance is its
    large-sample form by strata (Cochran 1977, Sampling Techniques, section 12.2). Raises ValueError where a side has
    no label.
    """
    if not (labelled.yes and labelled.no):
        raise ValueError("both sides need a label")
    of_yes, of_no = labelled.yes_true / labelled.yes, labelled.no_true / labelled.no
    value = share * of_yes + (1 - share) * of_no
    within = share**2 * of_yes * (1 - of_yes) / labelled.yes + (1 - share) ** 2 * of_no * (1 - of_no) / labelled.no
    between = (of_yes - of_no) ** 2 * share * (1 - share) / n
    return value, within + between
