"""Corrected figures: a correction that is itself biased, or too sure, would pass for the truth."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from benchmarks.coverage import CHANGE, coverage, coverage_of_tone, replicate
from dagster_project.domain.estimation.correction import Estimate, corrected_share, share_of_true
from dagster_project.domain.estimation.double_sampling import Counts, double_sampling, rogan_gladen
from dagster_project.domain.estimation.prediction_powered import UserSums, prediction_powered_mean
from dagster_project.domain.estimation.wilson import wilson_interval

shares = st.floats(0.001, 0.999)


def one_each(hits: int, n: int) -> Estimate:
    return share_of_true([1.0] * hits + [0.0] * (n - hits), [1.0] * n, n)


def test_equals_tenenbein_with_one_conversation_a_user() -> None:
    """The estimate and, where events are many, the width of the closed form of stratified double sampling."""
    labelled = Counts(yes=2_000, yes_true=1_400, no=2_000, no_true=200)
    share, n = 0.3, 50_000
    value, variance = double_sampling(share, n, labelled)
    raw = Estimate(share, *wilson_interval(share, n))
    got = corrected_share(raw, one_each(1_400, 2_000), one_each(200, 2_000))
    assert got.value == pytest.approx(value, abs=1e-12)
    assert (got.high - got.low) / 2 == pytest.approx(1.96 * variance**0.5, rel=0.02)


@given(shares, st.floats(0.6, 1), st.floats(0.6, 1))
def test_equals_rogan_gladen_where_the_errors_are_known(true: float, sensitivity: float, specificity: float) -> None:
    """With the very errors of the classifier, both must give back the share that the raw figure came from."""
    raw = true * sensitivity + (1 - true) * (1 - specificity)
    assume(0 < raw < 1)
    of_yes, of_no = true * sensitivity / raw, true * (1 - sensitivity) / (1 - raw)
    exactly = [Estimate(v, v, v) for v in (raw, of_yes, of_no)]
    assert corrected_share(*exactly).value == pytest.approx(true, abs=1e-9)
    assert rogan_gladen(raw, sensitivity, specificity) == pytest.approx(true, abs=1e-6)


def test_a_classifier_like_a_coin_is_not_corrected() -> None:
    """Dividing by nothing would turn any raw figure into any other."""
    with pytest.raises(ValueError, match="coin"):
        rogan_gladen(0.3, 0.5, 0.5)


def test_one_percent_of_false_positives_makes_the_study_s_share_a_third_too_high() -> None:
    """The bad day: 3.9 % is published where 2.9 % is true, and nobody is told."""
    raw = 0.029 + 0.971 * 0.01
    assert raw / 0.029 == pytest.approx(1.33, abs=0.01)
    of_yes = 0.029 / raw
    fixed = corrected_share(
        Estimate(raw, raw, raw), Estimate(of_yes, of_yes - 0.05, of_yes + 0.05), Estimate(0.0, 0.0, 0.001)
    )
    assert fixed.value == pytest.approx(0.029)
    assert fixed.high < raw


@given(st.tuples(shares, shares, shares), st.floats(0, 0.2), st.floats(0, 0.2))
def test_ends_hold_the_value_and_stay_on_the_scale(values: tuple[float, float, float], down: float, up: float) -> None:
    """An interval beside its own figure, or a negative share, would be published as it is."""
    parts = [Estimate(v, max(0, v - down), min(1, v + up)) for v in values]
    got = corrected_share(*parts)
    assert 0 <= got.low <= got.value <= got.high <= 1


def test_no_miss_found_is_not_no_miss() -> None:
    """500 conversations without a miss leave room for 0.7 %: a variance would say that there are none."""
    assert one_each(0, 500).high == pytest.approx(0.0076, abs=5e-4)


def test_unequal_weights_are_worth_fewer_conversations() -> None:
    """Ten heavy conversations beside 490 light ones must not count as 500."""
    hits, weights = [0.0] * 500, [100.0] * 10 + [1.0] * 490
    assert share_of_true(hits, weights, 500).high > 3 * one_each(0, 500).high


def naive_ppi(truth: np.ndarray, predicted: np.ndarray, others: np.ndarray) -> tuple[float, float, float]:
    """PPI++ as its paper writes it, disjoint samples: an independent implementation."""
    n, n_others = len(truth), len(others)
    everyone = np.concatenate([predicted, others])
    lam = np.cov(truth, predicted)[0, 1] / ((1 + n / n_others) * everyone.var(ddof=1))
    value = lam * others.mean() + (truth - lam * predicted).mean()
    variance = (truth - lam * predicted).var(ddof=1) / n + lam**2 * others.var(ddof=1) / n_others
    return value, lam, variance**0.5


def test_equals_ppi_as_it_is_written_for_disjoint_samples() -> None:
    """Against the formulas of the paper, written down once more."""
    random = np.random.default_rng(2)
    truth = random.normal(0.3, 1, 800)
    predicted = 0.7 * truth + random.normal(0.2, 0.5, 800)
    others = 0.7 * random.normal(0.3, 1, 20_000) + random.normal(0.2, 0.5, 20_000)
    value, lam, error = naive_ppi(truth, predicted, others)
    users = [UserSums(t, f, 1, 0, 0) for t, f in zip(truth, predicted, strict=True)]
    users += [UserSums(0, 0, 0, f, 1) for f in others]
    got = prediction_powered_mean(users)
    assert got.lam == pytest.approx(lam, rel=0.03)
    assert got.estimate.value == pytest.approx(value, abs=0.002)
    assert (got.estimate.high - got.estimate.low) / 2 == pytest.approx(1.963 * error, rel=0.01)


def test_tuned_on_a_yes_no_prediction_it_is_stratified_double_sampling() -> None:
    """The two estimators must not disagree where both apply: the labelled as part of the population."""
    random = np.random.default_rng(3)
    n, labelled = 5_000, 600
    predicted = random.random(n) < 0.3
    truth = np.where(predicted, random.random(n) < 0.8, random.random(n) < 0.05)[:labelled]
    asked = predicted[:labelled]
    counts = Counts(asked.sum(), truth[asked].sum(), (~asked).sum(), truth[~asked].sum())
    value, variance = double_sampling(predicted.mean(), n, counts)
    users = [UserSums(float(t), float(f), 1, float(f), 1) for t, f in zip(truth, asked, strict=True)]
    users += [UserSums(0, 0, 0, float(f), 1) for f in predicted[labelled:]]
    got = prediction_powered_mean(users)
    slope = counts.yes_true / counts.yes - counts.no_true / counts.no
    assert got.estimate.value == pytest.approx(value, abs=0.002)
    assert got.lam == pytest.approx(slope, rel=0.02)
    assert (got.estimate.high - got.estimate.low) / 2 == pytest.approx(1.964 * variance**0.5, rel=0.02)


def test_predictions_that_say_nothing_are_given_no_weight() -> None:
    """Power tuning: noise for predictions must not make the answer worse than the labels alone."""
    random = np.random.default_rng(4)
    truth, noise = random.normal(0, 1, 500), random.normal(0, 5, 500)
    users = [UserSums(t, f, 1, f, 1) for t, f in zip(truth, noise, strict=True)]
    users += [UserSums(0, 0, 0, f, 1) for f in random.normal(0, 5, 5_000)]
    tuned, alone = prediction_powered_mean(users).estimate, prediction_powered_mean(users, lam=0).estimate
    assert tuned.high - tuned.low <= alone.high - alone.low
    assert alone.value == pytest.approx(truth.mean())


def test_five_conversations_of_one_user_are_one_voice() -> None:
    """Copies of the same people must not narrow the interval."""
    random = np.random.default_rng(5)
    truth = random.normal(0, 1, 100)
    single = [UserSums(t, t, 1, t, 1) for t in truth]
    five = [UserSums(5 * t, 5 * t, 5, 5 * t, 5) for t in truth]
    one, other = prediction_powered_mean(single).estimate, prediction_powered_mean(five).estimate
    assert one == pytest.approx(other)


def test_one_heavy_user_among_many_widens_the_interval() -> None:
    """Prevents fifty light labels beside one that stands for half of all from passing for fifty-one."""
    random = np.random.default_rng(6)
    truth = random.normal(0, 1, 51)
    even = prediction_powered_mean([UserSums(t, 0, 1, 0, 1) for t in truth], lam=0).estimate
    weights = [50.0] + [1.0] * 50
    heavy = prediction_powered_mean(
        [UserSums(w * t, 0, w, 0, w) for w, t in zip(weights, truth, strict=True)], lam=0
    ).estimate
    assert heavy.high - heavy.low > 3 * (even.high - even.low)


def test_corrected_tone_holds_the_truth_with_few_labels_of_unequal_weight() -> None:
    """The labeller's mean is 0.04 off: what people heard must bring it back, and the interval must say how surely."""
    one = coverage_of_tone(300, 80, 150, np.random.default_rng(8))
    assert one.holds >= 0.89
    assert abs(one.corrected - CHANGE) < abs(one.raw - CHANGE) / 3


def test_one_labelled_user_gives_no_interval() -> None:
    """An interval out of one person would be about that person."""
    with pytest.raises(ValueError, match="two users"):
        prediction_powered_mean([UserSums(1, 1, 1, 1, 1), UserSums(0, 0, 0, 1, 1)])


@pytest.mark.parametrize(("share", "error"), [(0.005, 0.05), (0.1, 0.1)])
def test_corrected_intervals_hold_the_truth(share: float, error: float) -> None:
    """95 % must mean about 95 %, where the raw interval never holds. The long run is `benchmarks/coverage.py`."""
    one = coverage(share, error, error, 1_500, 600, 120, np.random.default_rng(8))
    assert one.corrected_holds >= 0.9
    assert one.raw_holds == 0
    assert abs(one.corrected - share) < abs(one.raw - share) / 10


def test_the_study_s_shares_are_found_again() -> None:
    """A small replication: each corrected figure nearer to the truth than the raw one, which errs most."""
    found = replicate(60_000, 2_000, np.random.default_rng(9))
    affective = found["affective"]
    assert affective.corrected.low <= affective.truth <= affective.corrected.high < affective.raw
    assert sum(f.corrected.low <= f.truth <= f.corrected.high for f in found.values()) >= len(found) - 1
