"""The choice of further cells to withhold, and what an edition is with and without them."""

from dataclasses import replace

import pytest

from dagster_project.domain.disclosure.audit import Violation
from dagster_project.domain.disclosure.complementary import cheapest
from dagster_project.domain.disclosure.editions import Edition, blocks, editions_of, near, without
from dagster_project.domain.disclosure.primary import primary
from dagster_project.domain.disclosure.program import Cell, Told
from dagster_project.domain.disclosure.quantities import Quantity
from dagster_project.domain.disclosure.readings import Fact
from dagster_project.domain.disclosure.rules import Rules
from dagster_project.domain.disclosure.suppression import publishable, suppress
from dagster_project.domain.periods import parse_period
from dagster_project.policy.loader import Policy
from tests.support.candidates import WEEK, candidate_rows, rated
from tests.support.populations import Habits, random_talks
from tests.support.populations import candidate_rows as population_rows

RULES = Policy.resolve().rules
A, B, C, D = ((0, "funnel", (name,)) for name in "abcd")
COSTS: dict[Cell, float] = {A: 1, B: 2, C: 4, D: 8}


def proof(*facts: set[Cell], of: Cell | None = None) -> Violation:
    """A violation that follows from facts, each told by some cells; of: the withheld cell that it is about."""
    told = frozenset(Told(Fact((), float(i)), frozenset(cells)) for i, cells in enumerate(facts))
    return Violation(Quantity(0, "funnel", (), 10, frozenset({of}) if of else frozenset()), told)


@pytest.mark.parametrize(
    ("proofs", "chosen"),
    [
        ([proof({A}, {B})], {A}),
        ([proof({B}, {C}), proof({A}, {C})], {A, B}),
        ([proof({B}, {D}), proof({A}, {D}), proof({C}, {D}), proof({B}, {C})], {A, B, C}),
        ([proof({A, B}, {C})], {A, B}),  # a fact told twice is unsaid only when both are withheld
        ([proof({A, D}, {C})], {C}),
        ([proof({A}), proof({B}, {C}, of=A)], {A, B}),  # about a cell that is itself withheld
        ([proof({B}), proof({C}, of=A)], {B}),  # and no longer binding when it is not
    ],
)
def test_the_cheapest_cells_that_break_every_proof_are_withheld(proofs: list[Violation], chosen: set[Cell]) -> None:
    """Prevents more from being lost than the proofs ask for, and a proof from being left whole."""
    assert cheapest(proofs, COSTS) == chosen


def test_no_choice_is_left_where_a_proof_rests_on_frozen_cells_alone() -> None:
    """Prevents an endless search, and a frozen cell from being withheld."""
    frozen = 1, "funnel", ("a",)
    assert cheapest([proof({frozen})], COSTS) is None
    assert cheapest([proof({A}), proof({frozen})], COSTS) is None
    assert cheapest([proof({frozen}, {B})], COSTS) == {B}


def test_what_is_kept_stays_withheld() -> None:
    assert cheapest([proof({A}, {B})], COSTS, frozenset({C})) == {A, C}


def edition(key: str, frozen: bool = True, revision: int = 0) -> Edition:
    return Edition(parse_period(key), {}, RULES, 5, revision, frozen=frozen)


def test_periods_that_overlap_are_judged_together() -> None:
    """Prevents a window from being judged without the weeks that it can be subtracted from."""
    all_ = [edition(key) for key in ("2026-W40", "2026-10", "2026-W41", "2026-12", "2026-10-01")]
    together = [{e.period.key for e in block} for block in blocks(all_)]
    assert sorted(map(len, together)) == [1, 4]
    assert {"2026-12"} in together


def test_only_the_newest_revision_tells_of_other_periods() -> None:
    revisions = [edition("2026-W41", revision=0), edition("2026-W41", revision=1), edition("2026-10")]
    assert sorted([e.revision for e in block] for block in blocks(revisions)) == [[0], [0, 1]]


def test_periods_far_off_are_left_out_and_near_ones_are_not() -> None:
    chain = [edition(f"2026-{m:02d}-01..2026-{m + 1:02d}-01", frozen=m > 1) for m in range(1, 8)]
    assert [e.period.start.month for e in near(chain, 2)] == [1, 2, 3]


def test_a_cell_withheld_later_looks_like_one_withheld_at_once() -> None:
    """Prevents the reason for withholding from showing in the row."""
    rows = candidate_rows(WEEK)
    (whole,) = editions_of(publishable(rows, primary(rows, RULES), RULES), RULES, 5)
    cell, topic = ("funnel", ("analysed",)), whole.rows["topics"][0]
    later = without(whole, {cell, ("topics", (str(topic["affective_type"]), str(topic["topic_id"])))})
    for row in rows["funnel"]:
        if row["step"] == "analysed":
            row |= rated(9, 60)
    rows["topics"] = [row for row in rows["topics"] if row["topic_id"] != topic["topic_id"]]
    (at_once,) = editions_of(publishable(rows, primary(rows, RULES), RULES), RULES, 5)
    assert later == at_once


@pytest.mark.parametrize("third", ["early", "middle"])
def test_a_series_has_its_gap_in_the_same_place(third: str) -> None:
    """Prevents a reader from losing two cells of a series to two weeks where one would do for both."""
    rows = candidate_rows(WEEK)
    sizes = {
        ("coaching", "late"): (2, 2),
        ("coaching", "any"): (75, 122),
        ("any", "late"): (40, 62),
        ("any", "any"): (320, 542),
    }
    for row in rows["pushback"]:
        if row["kind"] == "safety" and (size := sizes.get((row["affective_type"], row["position"]))):
            of = row["of_users"], row["of_conversations"]
            row |= rated(*size, of[0] - size[0], of[1] - size[1])
    gap = {"affective_type": "coaching", "kind": "safety", "position": third, "suppressed": True}
    before = replace(edition("2026-W40"), rows={"pushback": [gap]})
    published = suppress(rows, RULES, [before])["pushback"]
    coaching = [row for row in published if (row["affective_type"], row["kind"]) == ("coaching", "safety")]
    assert [row["position"] for row in coaching if row["suppressed"]] == sorted(
        [third, "late"], key=["early", "middle", "late"].index
    )
    assert sum(bool(row["suppressed"]) for row in published) == 2


@pytest.mark.long
def test_a_period_is_protected_the_same_whatever_is_released_with_it() -> None:
    """Prevents the pattern of one week from telling of another that it does not overlap."""
    habits = Habits(300, types=(0.2, 0.15, 0.1, 0.1, 0.03, 0.02), pushback=0.3)
    later = parse_period("2026-W50")
    talks = random_talks(4, habits, WEEK.start, 7) + random_talks(5, habits, later.start, 7)
    both = suppress(population_rows(talks, [WEEK, later]), RULES)
    for period in (WEEK, later):
        alone = suppress(population_rows(talks, [period]), RULES)
        n = sum(row["suppressed"] for table in alone.values() for row in table)
        own = [row for table in both.values() for row in table if row["period_key"] == period.key]
        assert sum(row["suppressed"] for row in own) in (n, n + 1, n - 1)


def test_a_day_without_bands_of_use_does_not_keep_its_month_from_being_published() -> None:
    """Prevents a home that published days, in which nearly everybody wrote once, from ever publishing a longer period."""
    day, month = parse_period("2026-10-05"), parse_period("2026-10")
    habits = Habits(500, types=(0.1, 0.1, 0.05, 0.05, 0.0, 0.0), pushback=0.0)
    talks = random_talks(1, habits, month.start, 31)
    first = suppress(population_rows(talks, [day]), RULES)
    (affective,) = (row for row in first["prevalence"] if row["category"] == "affective")
    assert not affective["suppressed"] and all(row["suppressed"] for row in first["usage_bands"])
    told = [replace(edition, frozen=True) for edition in editions_of(first, RULES, 5)]
    assert not any(row["suppressed"] for row in suppress(population_rows(talks, [month]), RULES, told)["usage_bands"])


def test_rules_are_read_back_from_a_manifest() -> None:
    """Prevents earlier releases from being attacked with the rounding of today."""
    for profile in ("default", "anthropic", "strict"):
        policy = Policy.resolve(profile, {"rounding_base": 6})
        assert Rules.from_manifest(policy.as_manifest()) == policy.rules
    with pytest.raises(ValueError, match="state its policy"):
        Rules.from_manifest({"min_users": 10})
