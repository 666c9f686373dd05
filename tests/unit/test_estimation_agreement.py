"""Agreement with people and among them: measures that flatter the instrument would make every figure look better."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.domain.estimation.agreement import agreement_of
from dagster_project.domain.estimation.coders import krippendorff_alpha

tables = st.lists(st.tuples(*[st.integers(0, 4)] * 4).filter(any), min_size=2, max_size=40)


def columns(rows: list[tuple[float, ...]]) -> list[list[float]]:
    return [[float(row[k]) for row in rows] for k in range(4)]


def test_equals_sklearn_and_statsmodels() -> None:
    """Against two independent implementations, weights included."""
    from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, precision_score, recall_score
    from statsmodels.stats.inter_rater import cohens_kappa

    random = np.random.default_rng(1)
    truth = random.random(400) < 0.2
    said = np.where(random.random(400) < 0.85, truth, ~truth)
    weight = random.choice([1.0, 3.0, 20.0], 400)
    rows = np.column_stack([said & truth, said & ~truth, ~said & truth, ~said & ~truth]) * weight[:, None]
    got = agreement_of(*columns(rows.tolist()))
    given_ = {"sample_weight": weight}
    expected = (
        accuracy_score(truth, said, **given_),
        precision_score(truth, said, **given_),
        recall_score(truth, said, **given_),
        f1_score(truth, said, **given_),
        cohen_kappa_score(truth, said, **given_),
    )
    assert got[:5] == pytest.approx(expected)
    even = rows / weight[:, None]
    flat = agreement_of(*columns(even.tolist()), n_resamples=5_000)
    tp, fp, fn, tn = even.sum(axis=0)
    by_formula = cohens_kappa(np.array([[tp, fp], [fn, tn]]))
    assert flat.kappa == pytest.approx(by_formula.kappa)
    assert (flat.kappa_low, flat.kappa_high) == pytest.approx((by_formula.kappa_low, by_formula.kappa_upp), abs=0.02)


@given(tables)
def test_measures_stay_on_their_scales(rows: list[tuple[int, ...]]) -> None:
    """Whatever was labelled: nothing above 1, and kappa within its own interval."""
    got = agreement_of(*columns(rows), n_resamples=50)
    for value in (got.accuracy, got.precision, got.recall, got.f1):
        assert value is None or 0 <= value <= 1
    if got.kappa is not None:
        assert got.kappa_low is not None and got.kappa_high is not None
        assert -1 <= got.kappa_low <= got.kappa <= got.kappa_high <= 1 + 1e-12


@given(tables, st.randoms(use_true_random=False))
def test_order_of_users_does_not_matter(rows: list[tuple[int, ...]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert agreement_of(*columns(rows), n_resamples=50) == agreement_of(*columns(shuffled), n_resamples=50)


def test_forty_answers_without_a_difference_do_not_prove_perfection() -> None:
    """Resampling perfect agreement gives perfect agreement: [1, 1] from forty people would be a boast."""
    got = agreement_of([1.0] * 20 + [0.0] * 20, [0.0] * 40, [0.0] * 40, [0.0] * 20 + [1.0] * 20)
    assert got.kappa == 1
    assert got.kappa_low == pytest.approx(1 - 0.0876 / 0.5, abs=0.001)


def test_what_was_never_there_is_not_measured() -> None:
    """No positive at all: a precision of 0 or 1 would be made up, and kappa says nothing."""
    got = agreement_of([0.0] * 5, [0.0] * 5, [0.0] * 5, [1.0] * 5)
    assert got == (1.0, None, None, None, None, None, None)


def test_a_heavy_user_widens_the_interval() -> None:
    """Ten disagreements of one person are one person's."""
    agree = [(1.0, 0.0, 0.0, 0.0)] * 50 + [(0.0, 0.0, 0.0, 1.0)] * 50
    spread = agreement_of(*columns([*agree, *[(0.0, 1.0, 0.0, 0.0)] * 10]))
    heavy = agreement_of(*columns([*agree, (0.0, 10.0, 0.0, 0.0)]))
    assert spread.kappa == heavy.kappa
    assert heavy.kappa_low is not None and spread.kappa_low is not None
    assert heavy.kappa_low < spread.kappa_low - 0.05


def test_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="needs users"):
        agreement_of([], [], [], [])


def test_alpha_of_the_book_s_example() -> None:
    """Krippendorff's own worked example (2011, Computing Krippendorff's Alpha-Reliability, section C)."""
    coders = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    units = [[float(c[u]) for c in coders if c[u] is not None] for u in range(12)]
    nominal, interval = krippendorff_alpha(units), krippendorff_alpha(units, level="interval")
    assert nominal is not None and interval is not None
    assert nominal.value == pytest.approx(0.743, abs=0.001)
    assert interval.value == pytest.approx(0.849, abs=0.001)
    assert nominal.low < nominal.value < nominal.high


def test_equal_weights_change_nothing_and_weights_count() -> None:
    """A disagreement in a large stratum must weigh more than one in a small one."""
    units = [["a", "a"], ["a", "b"], ["b", "b"], ["b", "b"]]
    even = krippendorff_alpha(units)
    assert even == krippendorff_alpha(units, weights=[7.0] * 4)
    heavier = krippendorff_alpha(units, weights=[1.0, 9.0, 1.0, 1.0])
    assert even is not None and heavier is not None and heavier.value < even.value


def test_answers_that_cannot_be_compared_give_no_alpha() -> None:
    """One coder alone, or nothing but one answer: agreement would be invented."""
    assert krippendorff_alpha([["a"], ["b"]]) is None
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None
