"""Two-phase screening: who is asked about, and what a share of them is worth. Pure rules, against closed forms."""

import math
import random
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.domain.disclosure.readings import behind_count
from dagster_project.domain.disclosure.rules import Rules
from dagster_project.domain.estimation.two_phase import Part, interval_of_few, relative_width, two_phase_interval
from dagster_project.domain.estimation.wilson import (
    clustered_wilson_interval,
    residual_square,
    wilson_interval,
)
from dagster_project.domain.selection import Stratum, control_sample, keyed_sample, two_phase_sample
from dagster_project.domain.tables import AGREEMENT, PREVALENCE
from dagster_project.estimating import missed_below
from dagster_project.home import Home
from dagster_project.labelling import asked_of_day, weights_of_day
from dagster_project.policy.loader import Policy
from dagster_project.settings import SettingsError, read_settings
from dagster_project.storage.lake import TABLES, Lake

DAY = date(2026, 10, 5)
KEYS = st.lists(st.text("0123456789abcdef", min_size=6, max_size=12), unique=True, max_size=60)
RATES = st.floats(0.02, 1)


def scores_of(keys: list[str], seed: int) -> dict[str, float | None]:
    draw = random.Random(seed)
    return {key: draw.choice([None, 0.0, 0.2, 0.3, 0.31, 0.9]) for key in keys}


@given(KEYS, st.integers(), RATES, RATES)
def test_a_higher_rate_takes_the_same_ones_and_more(keys: list[str], seed: int, one: float, other: float) -> None:
    """Prevents a change of the rate from paying anew for people who were never asked about."""
    low, high = sorted((one, other))
    few, many = (two_phase_sample(scores_of(keys, seed), 0.3, rate) for rate in (low, high))
    assert {k for k, s in few.items() if s.is_asked} <= {k for k, s in many.items() if s.is_asked}
    assert few == two_phase_sample(dict(reversed(scores_of(keys, seed).items())), 0.3, low), "drawn again, the same"


@given(KEYS, st.integers(), RATES)
def test_all_from_the_cut_on_are_asked_about_and_others_by_chance(keys: list[str], seed: int, rate: float) -> None:
    """Prevents a likely conversation from being left to chance, and an unreadable one from being lost to the sample."""
    scores = scores_of(keys, seed)
    for key, one in two_phase_sample(scores, 0.3, rate).items():
        score = scores[key]
        above = score is not None and score >= 0.3
        assert one.stratum is (Stratum.ABOVE if above else Stratum.BELOW)
        assert one.inclusion_probability == (1.0 if above else rate)
        assert one.is_asked or not above


@given(KEYS, KEYS, RATES)
def test_whoever_else_is_there_changes_nothing(keys: list[str], others: list[str], rate: float) -> None:
    """Prevents late data from drawing other people than were asked about already."""
    alone = keyed_sample(keys, rate, "screening")
    assert keyed_sample([*keys, *others], rate, "screening") & set(keys) == alone


def test_the_sample_has_its_rate_and_is_not_that_of_controls() -> None:
    """Prevents a hash that favours some, and controls that are always the same people as the sample."""
    keys = [f"{i:08x}" for i in range(40_000)]
    sample, controls = keyed_sample(keys, 0.1, "screening"), control_sample(keys, 0.1)
    assert abs(len(sample) - 4000) < 240
    assert abs(len(sample & controls) - 400) < 80


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A day of four conversations, of which one above the cut and one below it are asked about."""
    home = Home(tmp_path / "home")
    home.create()
    lake = Lake(home)
    heads = [{"conversation_key": key, "user_key": "u", "n_human_messages": 1} for key in "abcd"]
    lake.write("conversations", DAY, pl.DataFrame(heads).with_columns(
        pl.lit(None).alias(c) for c in TABLES["conversations"] if c not in heads[0]
    ))  # fmt: skip
    rows = [
        ("a", "above", 1.0, True),
        ("b", "below", 0.1, True),
        ("c", "below", 0.1, False),
        ("d", "below", 0.1, False),
    ]
    lake.write("screening", DAY, pl.DataFrame(rows, schema=TABLES["screening"], orient="row"))
    return lake


def test_both_stages_ask_about_the_sample_alone_and_weights_multiply(lake: Lake) -> None:
    """Prevents controls from being drawn of people who were never screened, or counted as if all had been."""
    assert asked_of_day(lake, DAY) == {"a": 1.0, "b": 10.0}
    assert weights_of_day(lake, DAY, "screen", 0.5) == {"a": 1.0, "b": 10.0}
    assert weights_of_day(lake, DAY, "detail", 1.0) == {"a": 1.0, "b": 10.0}
    assert set(weights_of_day(lake, DAY, "detail", 0.5).values()) <= {2.0, 20.0}
    lake.write("screening", DAY, pl.DataFrame(schema=TABLES["screening"]))
    assert asked_of_day(lake, DAY) == dict.fromkeys("abcd", 1.0), "a census again"


def test_without_a_lower_part_it_is_the_census() -> None:
    part = Part(0.03, 0.00002, 1000, 400)
    assert two_phase_interval(part, None, 0.0) == clustered_wilson_interval(*part)


def test_nobody_sampled_below_tells_nothing() -> None:
    """Prevents a share of those above the cut from passing for one of all."""
    assert two_phase_interval(Part(0.03, 0.00002, 1000, 400), None, 0.9) is None
    assert two_phase_interval(Part(0.03, 0.00002, 1000, 400), Part(0.0, 0.0, 0, 0), 0.9) is None


def test_where_the_sample_found_nothing_the_upper_end_honours_the_rest() -> None:
    """Prevents zero of 100 sampled from meaning that there are none among the 900 others."""
    above, below = Part(0.02, 0.02 * 0.98 / 1000, 1000, 1000), Part(0.0, 0.0, 100, 100)
    census, sample = clustered_wilson_interval(*above), two_phase_interval(above, below, 0.9)
    assert sample is not None
    rest = 0.9 * wilson_interval(0.0, 100).high
    assert sample.low == pytest.approx(census.low)
    assert sample.high == pytest.approx(0.02 + math.hypot(census.high - 0.02, rest))


@given(st.floats(0.005, 0.2), st.floats(0.01, 0.3), st.floats(0.05, 0.5))
def test_the_width_is_that_of_double_sampling(share: float, missed: float, rate: float) -> None:
    """Prevents the price that `confide estimate` names from being another than what is paid: Cochran's formula 12.3."""
    n = 4_000_000
    part = 0.9
    p_above, p_below = share * (1 - missed), share * missed / part
    asked = int(n * part * rate)

    def of(p: float, n: int) -> Part:
        return Part(p, p * (1 - p) / n, n, n)

    found = two_phase_interval(of(p_above, n), of(p_below, asked), part)
    assert found is not None
    first = share * (1 - share) / n
    second = part**2 * p_below * (1 - p_below) * (1 / asked - 1 / (n * part))
    expected = 2 * 1.959964 * math.sqrt(first + second)
    assert found.high - found.low == pytest.approx(expected, rel=0.12)
    assert math.sqrt((first + second) / first) == pytest.approx(relative_width(share, missed, rate), rel=0.05)


def test_it_is_unbiased_and_covers_where_the_cheap_score_errs() -> None:
    """Prevents a cut from hiding what lies below it: users who resemble themselves, a score that misses a fifth."""
    random_ = np.random.default_rng(1)
    share, missed, rate, users = 0.04, 0.2, 0.15, 1500
    values, held = [], 0
    for _ in range(300):
        sizes = random_.integers(1, 6, users)
        hits = random_.binomial(sizes, random_.beta(share * 3, (1 - share) * 3, users))
        above = random_.binomial(hits, 1 - missed)
        others_above = random_.binomial(sizes - hits, 0.05)
        below = sizes - above - others_above
        hits_asked = random_.binomial(hits - above, rate)
        asked = hits_asked + random_.binomial(below - (hits - above), rate)
        n, n_below = int(sizes.sum()), int(below.sum())
        own = asked > 0
        q, p = above.sum() / n, hits_asked.sum() / asked.sum()
        found = two_phase_interval(
            Part(float(q), residual_square(above.tolist(), sizes.tolist()), n, users),
            Part(
                float(p),
                residual_square(hits_asked[own].tolist(), asked[own].tolist()),
                int(asked.sum()),
                int(own.sum()),
            ),
            n_below / n,
        )
        assert found is not None
        values.append(q + n_below / n * p)
        held += found.low <= share <= found.high
    assert np.mean(values) == pytest.approx(share, abs=4 * np.std(values) / math.sqrt(300))
    assert held >= 0.91 * 300


def test_few_with_large_weights_narrow_no_interval() -> None:
    """Prevents a rate of 300 conversations from looking sure of the ten that stand for a hundred."""
    plain = clustered_wilson_interval(0.1, 0.1 * 0.9 / 300, 300, 300)
    weighted = clustered_wilson_interval(0.1, 0.1 * 0.9 / 300, 300, 300, 60.0)
    assert weighted == wilson_interval(0.1, 60.0)
    assert weighted.high - weighted.low > 2 * (plain.high - plain.low)


RULES = Policy.resolve().rules


@given(st.integers(2, 60), st.integers(1, 50), st.sampled_from([5, 10]), st.sampled_from([5, 10, 20, 30]))
def test_the_base_leaves_room_for_either_nobody_or_enough(weight: int, bound: int, base: int, k: int) -> None:
    """Prevents a weight at which what a cell stands for tells how few of it were sampled below the cut (0035)."""
    rules: Rules = replace(RULES, rounding_base=base, min_users=k).weighted(weight, bound)
    least = rules.of(PREVALENCE)
    for published in range(least.base, 12 * least.base, least.base):
        if published >= least.conversations:
            low, high = behind_count(published, least.base, least.conversations)
            for users in (k, k + 1, 2 * k, 7 * k):
                # All that these users can have written is less: somebody was sampled below the cut. And fewer than k?
                somebody, few = low > bound * users, high < users + k * (weight - 1)
                assert not (somebody and few)
    assert (least.base % base, least.base >= weight * base, rules.of(AGREEMENT).base) == (0, True, base)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[screening]\nmode = "two_phase"\n', "needs classifier.kind"),
        ('[classifier]\nkind = "claude"\n[screening]\nmode = "sometimes"\n', "screening.mode"),
        ('[classifier]\nkind = "claude"\n[screening]\nsample_rate = 0.001\n', "sample_rate"),
        (
            '[classifier]\nkind = "claude"\n[screening]\nmode = "two_phase"\n[differential_privacy]\nenabled = true\n',
            "exclude one another",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "confide.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=says) as error:
        read_settings(file)
    assert "setting :" not in str(error.value) and "Value error" not in str(error.value)


def test_the_contracts_settings_are_known(tmp_path: Path) -> None:
    """Prevents a home that says what all homes do, a census, from being refused."""
    file = tmp_path / "confide.toml"
    file.write_text('[screening]\nmode = "census"\nsample_rate = 0.2\n')
    assert read_settings(file).screening.mode == "census"
    file.write_text('[classifier]\nkind = "claude"\n[screening]\nmode = "two_phase"\n')
    chosen = read_settings(file).screening
    assert (chosen.mode, chosen.sample_rate, chosen.cut) == ("two_phase", 0.07, 0.3)
    assert missed_below(chosen.cut) is not None and missed_below(0.9) is None


@pytest.mark.parametrize("is_sampled", [True, False])
@pytest.mark.parametrize(("above", "quiet"), [(60, 0), (60, 30), (40, 60), (15, 90)])
def test_an_interval_that_does_not_tell_how_few_were_sampled_still_covers(
    above: int, quiet: int, is_sampled: bool
) -> None:
    """Prevents what is hidden from a reader from being hidden by an interval that is wrong."""
    draw, n, rate, few, per_user = np.random.default_rng(above + quiet), 12_000, 0.1, 10, 5
    truth, held, tried = (above + quiet) / n, 0, 0
    for _ in range(2000):
        # Whole users above the cut, up to five of their conversations at once, come and go with the day.
        hits = per_user * draw.poisson(above / per_user)
        below = draw.binomial(quiet, rate)
        if below < few:
            users = per_user * (hits + below / rate if is_sampled else hits)
            low, high = interval_of_few(hits + below / rate, n, 1 / rate, few, users, is_sampled)
            held, tried = held + (low <= truth <= high), tried + 1
    assert tried > 500 and held / tried >= 0.94
    narrow, wide = (interval_of_few(100, n, 10, few, 100 * per_user, is_sampled) for per_user in (1, 5))
    assert wide.low <= narrow.low < narrow.high < wide.high
