"""The bootstrap over users: wrong ends would call a change of tone real that is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.domain.estimation.bootstrap import bootstrap_mean_interval

users = st.lists(st.tuples(st.sampled_from([-2, -1, -0.5, 0, 1 / 3, 1, 2]), st.integers(1, 5)), min_size=1, max_size=40)


def test_equals_scipy_for_a_mean_of_independent_users() -> None:
    """Against an independent implementation, to within the noise of 1,000 resamples."""
    from scipy.stats import bootstrap

    values = np.random.default_rng(3).normal(0.1, 0.5, 300)
    expected = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    got = bootstrap_mean_interval(values, np.ones(300), n_resamples=20_000)
    assert got == pytest.approx((expected.low, expected.high), abs=0.003)


def test_equals_scipy_for_a_ratio_of_clusters() -> None:
    """Heavy and light users together: the ratio of sums, not the mean of means."""
    from scipy.stats import bootstrap

    random = np.random.default_rng(4)
    weights = random.integers(1, 6, 200).astype(float)
    sums = weights * random.normal(0.2, 0.4, 200)
    expected = bootstrap(
        (sums, weights),
        lambda s, w, axis=-1: s.sum(axis=axis) / w.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="percentile",
        rng=1,
    ).confidence_interval
    got = bootstrap_mean_interval(sums, weights, n_resamples=20_000)
    assert got == pytest.approx((expected.low, expected.high), abs=0.003)


@given(users)
def test_interval_stays_within_what_users_gave(pairs: list[tuple[float, int]]) -> None:
    """An end beyond every user's own mean cannot come from resampling them."""
    sums, weights = [s for s, _ in pairs], [float(w) for _, w in pairs]
    low, high = bootstrap_mean_interval(sums, weights, n_resamples=200)
    means = [s / w for s, w in zip(sums, weights, strict=True)]
    assert min(means) - 1e-9 <= low <= high <= max(means) + 1e-9


@given(users, st.randoms(use_true_random=False))
def test_order_of_users_does_not_matter(pairs: list[tuple[float, int]], random: object) -> None:
    """Equal rows in another order are the same publication, to the last bit."""
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = bootstrap_mean_interval([s for s, _ in pairs], [float(w) for _, w in pairs])
    other = bootstrap_mean_interval([s for s, _ in shuffled], [float(w) for _, w in shuffled])
    assert one == other


def test_many_different_values_are_drawn_in_blocks_alike() -> None:
    """Large worlds are drawn block by block: the ends must not depend on where the blocks part."""
    random = np.random.default_rng(5)
    sums, weights = random.normal(0.3, 1, 9_000), np.ones(9_000)
    low, high = bootstrap_mean_interval(sums, weights)
    assert (low + high) / 2 == pytest.approx(sums.mean(), abs=0.003)
    assert high - low == pytest.approx(2 * 1.96 * sums.std() / 9_000**0.5, rel=0.1)


def test_clusters_widen_the_interval() -> None:
    """Five equal conversations of one user are one voice: treating them as five would halve the interval."""
    values = np.random.default_rng(6).normal(0, 1, 200)
    by_user = bootstrap_mean_interval(5 * values, np.full(200, 5.0))
    one_each = bootstrap_mean_interval(np.repeat(values, 5), np.ones(1000))
    assert by_user.high - by_user.low > 1.8 * (one_each.high - one_each.low)


@pytest.mark.parametrize("weights", [[1.0, 0.0], [1.0, -1.0], [1.0, float("nan")]])
def test_weights_that_are_none_are_refused(weights: list[float]) -> None:
    """A user without weight would make a resample of nobody."""
    with pytest.raises(ValueError, match="above 0"):
        bootstrap_mean_interval([1.0, 2.0], weights)


def test_nobody_is_refused() -> None:
    """An interval out of nobody would be invented."""
    with pytest.raises(ValueError, match="at least one user"):
        bootstrap_mean_interval([], [])
