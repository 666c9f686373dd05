"""Differences between periods: honest intervals, and a mark only where many comparisons leave one."""

import random
from itertools import pairwise

import pytest
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep

from dagster_project.domain.estimation.differences import difference, survivors
from dagster_project.domain.estimation.wilson import wilson_interval


@pytest.mark.parametrize(("x1", "n1", "x2", "n2"), [(56, 70, 48, 80), (9, 10, 3, 10), (30, 1000, 60, 1200)])
def test_the_interval_is_newcombes(x1: int, n1: int, x2: int, n2: int) -> None:
    """Prevents a change from looking more certain than its two shares are."""
    found = difference((x2 / n2, *wilson_interval(x2 / n2, n2)), (x1 / n1, *wilson_interval(x1 / n1, n1)))
    expected = confint_proportions_2indep(x1, n1, x2, n2, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)
    assert (found.p < 0.05) == (not found.low <= 0 <= found.high)


def test_what_survives_is_what_benjamini_and_hochberg_keep() -> None:
    """Prevents one change in twenty from being marked for nothing in a report with a hundred of them."""
    draw = random.Random(8)
    for _ in range(200):
        p = [draw.random() ** draw.choice((1, 4)) for _ in range(draw.randint(1, 40))]
        assert survivors(p) == list(multipletests(p, alpha=0.05, method="fdr_bh")[0])
    assert survivors([]) == []


def test_no_change_in_many_weeks_leaves_few_marks() -> None:
    """Prevents chance from being marked: of a hundred reports without any change, few may have a mark."""
    draw = random.Random(1)
    marked = 0
    for _ in range(100):
        seen = [sum(draw.random() < 0.1 for _ in range(300)) for _ in range(12)]
        told = [(x / 300, *wilson_interval(x / 300, 300)) for x in seen]
        marked += any(survivors([difference(a, b).p for a, b in pairwise(told)]))
    assert marked <= 10


def test_an_interval_that_does_not_hold_its_estimate_is_refused() -> None:
    with pytest.raises(ValueError, match="does not hold"):
        difference((0.1, 0.2, 0.3), (0.1, 0.0, 0.3))
