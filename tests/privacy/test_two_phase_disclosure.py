"""What a sample in two phases must not tell: how few of a cell's conversations it found below the cut.

A conversation below the cut stands for many: a cell that rises by so many has one more of them. The attacker knows the
weight exactly. Not here: censuses (`test_disclosure_audit.py`).
"""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dagster_project.domain.disclosure.audit import audit
from dagster_project.domain.disclosure.candidates import CandidateError
from dagster_project.domain.disclosure.editions import editions_of, scope_of
from dagster_project.domain.disclosure.primary import primary, reason_to_withhold
from dagster_project.domain.disclosure.program import ATOMS, ATOMS_BELOW, _fixed
from dagster_project.domain.disclosure.rules import Thresholds
from dagster_project.domain.disclosure.sets import ALL, ASKED
from dagster_project.domain.disclosure.suppression import publishable, suppress
from dagster_project.domain.estimation.two_phase import Part, two_phase_interval
from dagster_project.domain.tables import PREVALENCE, TABLES
from dagster_project.policy.loader import Policy
from tests.support.candidates import WEEK
from tests.support.declared_sets import SHOWN, counts_of
from tests.support.populations import UNCODED, Habits, counted, random_talks
from tests.support.sampled_oracle import SampledOracle
from tests.support.sampled_populations import drawn, sampled_rows, weight_of
from tests.support.screening_cells import NESTED, OUTCOMES, shown_cells

pytestmark = pytest.mark.long

RULES = replace(Policy.resolve().rules, small_organisation_users=1)
DESIGN = "cut 0.3, mode two_phase"
Row = dict[str, Any]
Rows = dict[str, list[Row]]


def world(seed: int) -> tuple[Rows, int, float]:
    """Candidate rows of a sampled population around the thresholds, its bound and its weight below the cut."""
    draw = random.Random(seed)
    bound, rate = draw.choice([1, 2, 5]), draw.choice([0.05, 0.07, 0.1, 0.25, 0.5])
    habits = Habits(
        users=draw.randint(600, 1500),
        talks_per_user=draw.choice([1.0, 2.0]),
        creation=draw.choice([0.05, 0.3]),
        types=tuple(draw.choice([0.0, 0.01, 0.03, 0.1]) for _ in range(6)),
        second_type=draw.choice([0.0, 0.3]),
        pushback=0.0,
        toned=0.0,
        topics=0,
    )
    talks = random_talks(seed, habits, WEEK.start, 7)
    sample = drawn(talks, seed, rate, draw.choice([0.0, 0.05, 0.3, 0.8]))
    return sampled_rows(talks, WEEK, bound, sample), bound, weight_of(talks, WEEK, bound, sample)


def revealed(rows: Rows, bound: int, weight: float, least: Thresholds) -> list[str]:
    shown, _ = shown_cells(rows)
    oracle = SampledOracle(OUTCOMES, bound, shown, least, weight)
    close = [(a, b) for a, b in NESTED if a in shown and b in shown]
    return oracle.revealed(shown, close, RULES.min_users)


@given(st.integers(0, 10**6))
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_how_few_were_sampled_below_the_cut_is_told_of_no_cell(seed: int) -> None:
    """Prevents a share from telling that one single quiet conversation of the sample was about despair."""
    exact, bound, weight = world(seed)
    rules = RULES.weighted(weight, bound)
    rows = suppress(exact, RULES, (), bound, False, (), DESIGN)
    assert revealed(rows, bound, weight, rules.of(PREVALENCE)) == []


def test_the_attack_finds_what_the_policys_own_base_would_tell() -> None:
    """Prevents the test above from passing because its attacker is blind: in a census's rounding he reads numbers."""
    found = 0
    for seed in range(12):
        exact, bound, weight = world(seed)
        for row in exact["prevalence"] + exact["funnel"]:
            row["n_conversations"], row["of_conversations"] = round(row["cell_weight"]), round(row["of_weight"])
        rows = publishable(exact, primary(exact, RULES), RULES)
        plain = RULES.of(PREVALENCE)
        found += bool(revealed(rows, bound, weight, Thresholds(plain.users, plain.conversations, plain.base)))
        if found == 2:
            return
    pytest.fail("the attacker found nothing")


@pytest.mark.parametrize("seed", range(4))
def test_every_relation_holds_for_what_a_sample_stands_for(seed: int) -> None:
    """Prevents the audit from attacking a world that is not there, and so from stopping releases, or letting one pass."""
    habits = Habits(150, 3.0, types=(0.2, 0.2, 0.2, 0.2, 0.1, 0.1), second_type=0.4, pushback=0.6, untold=0.2,
                    unknown=0.1, long=0.3, ends=0.7, facets=0.7, coded=0.3)  # fmt: skip
    bound = random.Random(seed).randint(1, 5)
    talks = counted(random_talks(seed, habits, WEEK.start, 7), WEEK, bound)
    sample = drawn(talks, seed, 0.3, 0.3)
    # Whom people label is drawn from those that were asked about.
    talks = [replace(t, coded=t.coded and sample.is_asked(t)) for t in talks]
    asked = [t for t in talks if sample.is_asked(t)]
    counts: dict[tuple[str, Any], float] = {v: float(n) for v, n in counts_of(asked).items()}
    for variable, n in counts_of([t for t in asked if not sample.is_above(t)]).items():
        counts["b", variable[1]] = float(n) if variable[0] == "n" else counts.get(("b", variable[1]), 0.0)
    for unit in ("n", "u", "b"):
        counts[unit, ASKED] = counts.get((unit, ALL), 0.0)
    weight = weight_of(talks, WEEK, bound, sample)
    assert counts["n", ASKED] + (weight - 1) * counts["b", ASKED] == pytest.approx(len(talks))
    counts["n", ALL], counts["u", ALL] = float(len(talks)), float(len({t.user for t in talks}))
    shown = {name: rows for name, rows in SHOWN.items() if name != "usage_bands"}
    scope = scope_of(
        editions_of({n: [{"period_key": WEEK.key, **r} for r in rows] for n, rows in shown.items()}, RULES, 5)
    )
    forms = _fixed(bound, scope, True)
    assert len(forms) > 500
    for form, exact in forms:
        if not any(variable[0] in (ATOMS, ATOMS_BELOW) for variable, _ in form):
            value = sum(factor * counts.get(variable, 0.0) for variable, factor in form)
            assert value <= 1e-6 and (not exact or abs(value) < 1e-6), form


N, N_BELOW, RATE, BOUND = 12_000, 11_400, 0.1, 5
WEIGHTED = RULES.weighted(1 / RATE, BOUND)


def told(above: int, below: int, users: int, clustering: float) -> Row | None:
    """A row of prevalence as published of so many hits above and below the cut; None where it is withheld."""
    asked, weight = round(N_BELOW * RATE), 1 / RATE
    q, p = above / N, below / asked
    ends = two_phase_interval(
        Part(q, clustering * q * (1 - q) / N, N, N // 2), Part(p, p * (1 - p) / asked, asked, asked), N_BELOW / N
    )
    assert ends is not None
    n, of = above + below, N - N_BELOW + asked
    counts = {"n_conversations": n, "n_users": users, "of_conversations": of, "of_users": of // 2, "rest_users": of // 3,
              "rest_conversations": of - n, "top_user_conversations": 1, "top_two_conversations": 2}  # fmt: skip
    row = {"period_key": WEEK.key, "category": "coaching", **counts, **UNCODED, "cell_weight": above + weight * below,
           "of_weight": float(N), "above_residual": clustering * q * (1 - q) / N, "share_low": ends.low,
           "share_high": ends.high}  # fmt: skip
    if reason_to_withhold(row, PREVALENCE, WEIGHTED):
        return None
    return publishable({"prevalence": [row]}, {"prevalence": [None]}, WEIGHTED)["prevalence"][0]


@given(st.integers(6, 400), st.integers(1, 9), st.floats(1.0, 2.0), st.floats(0.5, 1.0))
@example(6, 9, 1.0, 0.5)
@example(14, 5, 1.03, 0.58)
@example(153, 7, 1.1, 0.84)
@settings(max_examples=6, deadline=None)
def test_the_ends_of_an_interval_tell_no_more(above: int, below: int, clustering: float, spread: float) -> None:
    """Prevents a lopsided interval from telling how many hits the sample had: nobody, or k and more, look the same.

    The attacker knows the weight and how many were asked about, and not how alike a user's conversations are.
    """
    users = max(10, round((above + below) * spread))
    if users > above + below or (row := told(above, below, users, clustering)) is None:
        return
    base = WEIGHTED.of(PREVALENCE).base
    for other in (0, 10, 12):
        around = above + round((below - other) / RATE)
        for more in range(-base, base + 1):
            if around + more >= 0 and users <= around + more + other <= BOUND * users:
                for alike in (0.8, 1.0, 1.2, 1.5, 2.0, 2.6, 3.2, 4.0, 4.8):
                    if told(around + more, other, users, alike) == row:
                        return
    pytest.fail("a row tells that the sample had between 1 and 9 hits below the cut")


@pytest.fixture(scope="module")
def released() -> tuple[Rows, Rows]:
    """A week of a larger population, screened in two phases: candidates and what is published."""
    habits = Habits(6000, 2.0, types=(0.03, 0.02, 0.02, 0.02, 0.004, 0.003), pushback=0.2, coded=0.05,
                    topics=2)  # fmt: skip
    talks = random_talks(5, habits, WEEK.start, 7)
    exact = sampled_rows(talks, WEEK, 5, drawn(talks, 5, 0.1, 0.05))
    return exact, suppress(exact, RULES, (), 5, False, (), DESIGN)


def test_shares_are_of_all_that_count_and_counts_are_what_the_sample_stands_for(released: tuple[Rows, Rows]) -> None:
    """Prevents the labelled ones, of whom the cut makes most affective, from being published as if they were all."""
    exact, rows = released
    for row in exact["prevalence"]:
        got = next(r for r in rows["prevalence"] if r["category"] == row["category"])
        if not got["suppressed"]:
            share = row["cell_weight"] / row["of_weight"]
            assert got["share"] == pytest.approx(share, abs=0.006), row["category"]
            assert got["n_conversations"] == pytest.approx(row["cell_weight"], abs=31)
            assert got["n_users"] == pytest.approx(row["n_users"], abs=3)
    affective = next(r for r in rows["prevalence"] if r["category"] == "affective")
    plain = next(r for r in exact["prevalence"] if r["category"] == "affective")
    assert not affective["suppressed"]
    assert plain["n_conversations"] / plain["of_conversations"] > 2 * affective["share"]


def test_counts_lie_on_the_coarse_base_and_users_on_the_policys(released: tuple[Rows, Rows]) -> None:
    """Prevents one table from being rounded as in a census, beside which all others could be taken apart."""
    exact, rows = released
    largest = exact["prevalence"][0]["largest_weight"]
    rules, published = RULES.weighted(largest, 5), 0
    for name, own in rows.items():
        for row in own:
            for column in TABLES[name].columns:
                value = row[column.name]
                if row["suppressed"] or value is None or column.role not in ("conversations", "users"):
                    continue
                least = rules.of_row(TABLES[name], TABLES[name].is_total(row))
                base = least.base_of_users if column.role == "users" else least.base
                assert value % base == 0, (name, column.name)
                published += 1
    assert published > 40
    assert rules.of(PREVALENCE).base >= RULES.rounding_base * largest


def test_users_are_never_weighted_up_so_bands_of_use_are_withheld(released: tuple[Rows, Rows]) -> None:
    """Prevents a user of whom two of five conversations were sampled from passing for one of two."""
    assert all(row["suppressed"] for row in released[1]["usage_bands"])
    assert any(not row["suppressed"] for row in released[1]["pushback"])


def test_what_is_published_of_a_sample_passes_the_audit(released: tuple[Rows, Rows]) -> None:
    exact, rows = released
    rules = RULES.weighted(exact["prevalence"][0]["largest_weight"], 5)
    assert audit(editions_of(rows, rules, 5, False, DESIGN)) == []


@pytest.mark.parametrize("harm", ["unweighted", "nobody_below", "too_heavy", "weighted_census"])
def test_weights_that_do_not_fit_the_design_stop_the_release(harm: str) -> None:
    """Prevents shares of a part, or of a lost weight, from being published as shares of all."""
    exact, bound, weight = world(3)
    design = DESIGN
    if harm == "unweighted":
        for row in exact["prevalence"]:
            del row["cell_weight"]
    elif harm == "nobody_below":
        for row in exact["prevalence"]:
            row["of_weight"] = min(row["of_weight"], row["of_conversations"] + weight)
    elif harm == "too_heavy":
        exact["pushback"][0]["of_weight"] = 10 * weight * max(1, exact["pushback"][0]["of_conversations"])
    else:
        design = "census"
    with pytest.raises(CandidateError, match=r"weight|sampled below the cut"):
        suppress(exact, RULES, (), bound, design == "census", (), design)
