"""Intervals of shares: wrong ones would make noise look like a finding."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.domain.estimation.wilson import (
    clustered_wilson_interval,
    effective_sample_size,
    residual_square,
    wilson_interval,
)


def clustered(hits: list[float], weights: list[float], n_conversations: int) -> tuple[float, float]:
    share = math.fsum(hits) / math.fsum(weights)
    return clustered_wilson_interval(min(share, 1.0), residual_square(hits, weights), n_conversations, len(hits))


users = st.lists(st.integers(1, 5).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1, max_size=60)


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 12), (3, 12), (12, 12), (499, 100_000)])
def test_plain_interval_is_statsmodels_wilson(hits: int, n: int) -> None:
    """Against an independent implementation: an own slip in the formula would be published as fact."""
    from statsmodels.stats.proportion import proportion_confint

    expected = proportion_confint(hits, n, alpha=0.05, method="wilson")
    assert wilson_interval(hits / n, n) == pytest.approx(expected, abs=1e-12)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_users_with_one_conversation_each_get_the_plain_interval(hits_n: tuple[int, int]) -> None:
    """Clustering that is not there must not widen anything. (0 and 1 are the same in both by definition.)"""
    hits, n = hits_n
    got = clustered([1.0] * hits + [0.0] * (n - hits), [1.0] * n, n)
    assert got == pytest.approx(wilson_interval(hits / n, n), abs=1e-9)


@given(users)
def test_interval_holds_the_estimate_within_0_and_1(counts: list[tuple[int, int]]) -> None:
    """An interval outside [0, 1], or beside its own estimate, shows the reader that nobody looked."""
    hits, weights = [float(h) for h, _ in counts], [float(n) for _, n in counts]
    low, high = clustered(hits, weights, int(sum(weights)))
    share = sum(hits) / sum(weights)
    assert 0 <= low <= share <= high <= 1
    assert low < high


@given(users, st.randoms(use_true_random=False))
def test_order_of_users_does_not_matter(counts: list[tuple[int, int]], random: object) -> None:
    """Row order is not data: an interval that moved with it could not be recomputed."""
    shuffled = list(counts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    n = sum(n for _, n in counts)
    one = clustered([float(h) for h, _ in counts], [float(w) for _, w in counts], n)
    other = clustered([float(h) for h, _ in shuffled], [float(w) for _, w in shuffled], n)
    assert one == pytest.approx(other, abs=1e-12)


def test_conversations_of_one_mind_count_as_one() -> None:
    """Users who always do the same: five conversations each tell no more than one. Else intervals are too short."""
    low, high = clustered([5.0] * 20 + [0.0] * 80, [5.0] * 100, 500)
    plain_low, plain_high = wilson_interval(0.2, 100)
    assert high - low == pytest.approx(plain_high - plain_low, rel=0.03)


def test_scaling_all_weights_changes_nothing() -> None:
    """Weights are relative: a sample of a tenth must not look ten times as sure."""
    hits, weights = [1.0, 0.0, 2.0, 1.0, 0.0], [2.0, 1.0, 3.0, 1.0, 2.0]
    assert clustered(hits, weights, 9) == pytest.approx(clustered([10 * h for h in hits], [10 * w for w in weights], 9))


def test_effective_size_never_exceeds_the_conversations() -> None:
    """Users who balance themselves out (one hit in two, each) must not count as more than was seen."""
    assert effective_sample_size(0.5, 0.0, 40, 20) == 40
    assert effective_sample_size(0.5, 1e-9, 40, 20) == 40


def test_nobody_seen_with_it_counts_users_not_conversations() -> None:
    """With 0 of 50 no variance is seen; 10 users are then 10 trials, not 50."""
    assert clustered_wilson_interval(0.0, 0.0, 50, 10) == wilson_interval(0.0, 10)


@pytest.mark.parametrize(("share", "n"), [(-0.1, 5), (1.1, 5), (0.5, 0), (math.nan, 5), (0.5, math.nan)])
def test_nonsense_is_refused(share: float, n: float) -> None:
    """A silent interval of a share of 1.1 would hide a wrong denominator."""
    with pytest.raises(ValueError, match=r"share lies between|at least one trial"):
        wilson_interval(share, n)


def test_no_users_is_refused() -> None:
    """An interval out of nobody would be invented."""
    with pytest.raises(ValueError, match="needs users"):
        clustered_wilson_interval(0.0, 0.0, 0, 0)


def test_coverage_with_clustered_users() -> None:
    """95 % must mean about 95 %, for users who resemble themselves. The long run is `benchmarks/estimators.py`."""
    random = np.random.default_rng(7)
    true, inside, runs = 0.2, 0, 400
    for _ in range(runs):
        sizes = random.integers(1, 6, 80)
        hits = random.binomial(sizes, random.beta(0.2 * 3, 0.8 * 3, 80))
        low, high = clustered(list(map(float, hits)), list(map(float, sizes)), int(sizes.sum()))
        inside += low <= true <= high
    assert 0.92 <= inside / runs <= 0.99
