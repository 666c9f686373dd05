"""Rounding: what is published must not give back what was rounded."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.domain.disclosure.rounding import grid_step, outward, round_count, to_grid
from dagster_project.policy.loader import Policy

STEPS = Policy.resolve().rules.grid_steps


@pytest.mark.parametrize(
    ("n", "base", "least", "rounded"),
    [
        (10, 5, 10, 10),
        (12, 5, 10, 10),
        (13, 5, 10, 15),
        (17, 5, 10, 15),
        (18, 5, 10, 20),
        (25, 10, 25, 30),
        (24, 10, 15, 20),
    ],
)
def test_counts_go_to_the_nearest_multiple(n: int, base: int, least: int, rounded: int) -> None:
    assert round_count(n, base, least) == rounded


def test_a_count_at_an_odd_threshold_is_not_given_away() -> None:
    """Prevents 12 users under a threshold of 12 from being published as 10, which only 12 explains."""
    assert [round_count(n, 5, 12) for n in (12, 13, 17, 18)] == [15, 15, 15, 20]
    with pytest.raises(ValueError):
        round_count(11, 5, 12)


@given(st.integers(5, 100), st.integers(0, 10**6), st.sampled_from([5, 7, 10, 25]))
def test_rounded_counts_are_multiples_at_or_above_the_threshold(least: int, more: int, base: int) -> None:
    n = least + more
    rounded = round_count(n, base, least)
    assert rounded % base == 0
    assert rounded >= least
    assert abs(rounded - n) < base


@given(st.integers(1, 10**7), st.sampled_from([5, 10, 25]))
def test_the_grid_is_the_finest_that_hides_a_rounding_base(denominator: int, base: int) -> None:
    """Prevents a share on so fine a grid that it pins its numerator."""
    denominator = round_count(denominator, base, 1)
    step = grid_step(denominator, base, STEPS)
    assert step * denominator >= base
    finer = [other for other in STEPS if other < step]
    assert all(other * denominator < base for other in finer)


@pytest.mark.parametrize(
    ("denominator", "step"), [(15, "0.5"), (50, "0.1"), (95, "0.1"), (100, "0.05"), (5000, "0.001"), (10**6, "0.001")]
)
def test_the_grid_widens_as_denominators_fall(denominator: int, step: str) -> None:
    assert grid_step(denominator, 5, STEPS) == Decimal(step)


def test_no_grid_is_found_for_nobody() -> None:
    with pytest.raises(ValueError):
        grid_step(0, 5, STEPS)


@given(
    st.floats(-1, 1),
    st.floats(-1, 1),
    st.floats(-1, 1),
    st.sampled_from(STEPS),
    st.sampled_from([(0, 1), (-1, 1), (-2, 2)]),
)
def test_interval_ends_only_ever_move_outward(
    a: float, b: float, centre: float, step: Decimal, bounds: tuple[int, int]
) -> None:
    """Prevents an interval that is narrower than the estimate's, or that leaves its own estimate out."""
    low, high = sorted((max(a, bounds[0]), max(b, bounds[0])))
    middle = to_grid(max(Decimal(repr(centre)), Decimal(bounds[0])), step)
    published_low, published_high = outward(low, high, middle, step, bounds)
    assert bounds[0] <= float(published_low) <= low
    assert high <= float(published_high) <= bounds[1]
    assert published_low <= middle <= published_high
    assert published_low % step == 0
    assert published_high % step == 0


def test_interval_ends_beyond_the_scale_are_clipped_and_disorder_is_refused() -> None:
    assert outward(-0.000001, 1.0000002, Decimal("0.5"), Decimal("0.1"), (0, 1)) == (0, 1)
    with pytest.raises(ValueError):
        outward(0.3, 0.2, Decimal("0.2"), Decimal("0.1"), (0, 1))


def test_a_mean_just_under_zero_is_not_written_as_minus_zero() -> None:
    assert str(float(to_grid(Decimal("-0.004"), Decimal("0.01")))) == "0.0"
