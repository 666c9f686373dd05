"""What a published number tells at most: held against every count that could stand behind it."""

from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.domain.disclosure.editions import editions_of
from dagster_project.domain.disclosure.primary import primary
from dagster_project.domain.disclosure.program import told_by
from dagster_project.domain.disclosure.readings import behind_count, behind_interval, behind_share
from dagster_project.domain.disclosure.rounding import grid_step, outward, round_count, to_grid
from dagster_project.domain.disclosure.rules import Thresholds
from dagster_project.domain.disclosure.suppression import publishable
from dagster_project.domain.estimation.wilson import clustered_wilson_interval, residual_square
from dagster_project.policy.loader import Policy
from tests.support.candidates import WEEK
from tests.support.populations import (
    Habits,
    band_of,
    candidate_rows,
    cells_of,
    counted,
    denominators_of,
    random_talks,
)

RULES = Policy.resolve().rules
STEPS = RULES.grid_steps


@pytest.mark.parametrize("base", [2, 5, 7, 10, 20])
@pytest.mark.parametrize("least", [1, 5, 10, 12, 15, 25])
def test_counts_behind_a_rounded_count_are_exactly_those_that_round_to_it(base: int, least: int) -> None:
    """Prevents the audit from believing that rounding hides more than it does."""
    behind: dict[int, list[int]] = defaultdict(list)
    for n in range(least, 10 * base + 2 * least):
        behind[round_count(n, base, least)].append(n)
    for published, exact in sorted(behind.items())[:-1]:
        assert behind_count(published, base, least) == (exact[0], exact[-1])


@pytest.mark.parametrize(("base", "least"), [(10, 50), (5, 15), (20, 90)])
def test_denominators_behind_a_share_are_exactly_those_that_give_it(base: int, least: int) -> None:
    """Prevents a topic's share from telling more of its type's size than the audit knows."""
    last = 30_000
    for numerator in (n for n in (50, 60, 100, 250, 1000) if n % base == 0):
        behind: dict[Decimal, list[int]] = defaultdict(list)
        for rounded in range(max(numerator, -(-least // base) * base), last, base):
            share = min(Decimal(numerator) / Decimal(rounded), Decimal(1))
            behind[to_grid(share, grid_step(rounded, base, STEPS))].append(rounded)
        for share, exact in behind.items():
            low, high = behind_share(numerator, share, Thresholds(25, least, base), STEPS)
            assert low == behind_count(exact[0], base, least)[0]
            if exact[-1] + base < last:
                assert high == behind_count(exact[-1], base, least)[1]


@given(
    st.lists(st.tuples(st.integers(1, 5), st.floats(0, 1)), min_size=12, max_size=120),
    st.integers(0, 10**6),
)
@settings(max_examples=300, deadline=None)
def test_an_interval_tells_a_share_that_is_the_true_one(users: list[tuple[int, float]], seed: int) -> None:
    """Prevents a bound that is not so, with which the audit would attack a world that does not exist."""
    weights = [n for n, _ in users]
    hits = [min(n, int(n * share + (seed >> i) % 2)) for i, (n, share) in enumerate(users)]
    n, of = sum(hits), sum(weights)
    if not 0 < n < of or of < 15:
        return
    share = n / of
    low, high = clustered_wilson_interval(share, residual_square(hits, weights), of, len(users))
    rounded = round_count(of, 5, 15)
    step = grid_step(rounded, 5, STEPS)
    centre = to_grid(min(Decimal(round_count(max(n, 15), 5, 15)) / Decimal(rounded), Decimal(1)), step)
    ends = outward(low, high, centre, step, (0, 1))
    first, last = behind_interval(centre, *ends, step, behind_count(rounded, 5, 15), len(users), 5)
    assert first <= share <= last


def test_an_interval_narrows_the_count_where_its_ends_do() -> None:
    """Prevents interval ends from being taken for harmless: of 98 to 102, these leave 98 to 100."""
    ends = Decimal("0.08"), Decimal("0.12")
    _, high = behind_interval(Decimal("0.1"), *ends, Decimal("0.01"), (998, 1002), 990, 1)
    assert 99 / 998 < high < 100.5 / 1002


@pytest.mark.parametrize("bound", [1, 2, 5])
@pytest.mark.parametrize("seed", range(3))
def test_every_fact_that_is_read_from_a_release_is_true(seed: int, bound: int) -> None:
    """Prevents, over whole random populations, a published row from being read for what it does not say."""
    types = (0.2, 0.15, 0.1, 0.1, 0.03, 0.02)
    habits = Habits(600, types=types, pushback=0.4, long=0.3, ends=0.8, facets=0.8, coded=0.3)
    talks = random_talks(seed, habits, WEEK.start, 7)
    rows = candidate_rows(talks, [WEEK], bound)
    (edition,) = editions_of(publishable(rows, primary(rows, RULES), RULES), RULES, bound)
    exact = exact_counts(counted(talks, WEEK, bound))
    told = told_by(edition, 0)
    assert len(told) > 60
    for one in told:
        value = sum(weight * exact[variable] for variable, weight in one.fact.form)
        assert one.fact.low is None or value >= one.fact.low, one.cells
        assert one.fact.high is None or value <= one.fact.high, one.cells


def exact_counts(chosen: list) -> dict:
    """Conversations and users of every set that a cell counts or a rate is of."""
    names = {
        "prevalence": lambda keys: ("screened", *keys),
        "funnel": lambda keys: ("analysed", "any") if keys == ("analysed",) else ("screened", *keys),
        "pushback": lambda keys: ("pushback", *keys),
        "sentiment": lambda keys: ("tone", *keys),
        "topics": lambda keys: ("topic", *keys),
        "drift": lambda keys: ("drift", *keys),
        "long_conversations": lambda keys: ("long", *keys),
        "facets": lambda keys: ("facet", keys[2], *keys[:2]),
        "agreement_by": lambda keys: ("coded_by", "pushback" if keys[0] == "pushback" else "screen", *keys[1:]),
        "agreement": lambda keys: ("coded", "pushback" if keys == ("pushback",) else "screen"),
    }
    members: dict = defaultdict(list)
    affective = Counter(talk.user for talk in chosen if talk.affective)
    for talk in chosen:
        own = {names[name](keys) for name, keys in cells_of(talk)}
        own |= {("asked", *keys) for name, keys in denominators_of(talk) if name == "pushback"}
        own |= {("analysed", *keys) for name, keys in denominators_of(talk) if name == "topics"}
        own |= {("facet_of", keys[1], keys[0]) for name, keys in denominators_of(talk) if name == "facets"}
        own |= {("ends", "known") for name, _ in denominators_of(talk) if name == "drift"}
        own |= {("band", band_of(affective[talk.user]))} if talk.affective else set()
        for name in own:
            members[name].append(talk.user)
    out: dict = defaultdict(int)
    for name, users in members.items():
        out["n", name], out["u", name] = len(users), len(set(users))
    return out


def test_the_rows_of_a_week_are_of_that_week() -> None:
    talks = random_talks(1, Habits(50), WEEK.start - timedelta(7), 21)
    assert {WEEK.start <= talk.day < WEEK.end for talk in counted(talks, WEEK, 5)} == {True}
