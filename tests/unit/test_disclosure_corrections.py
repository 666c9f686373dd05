"""Corrections: nobody is seen coming or going between two revisions."""

from dataclasses import replace

import pytest

from dagster_project.domain.disclosure import complementary
from dagster_project.domain.disclosure.audit import attack_one, attack_together
from dagster_project.domain.disclosure.corrections import (
    EVERY_TABLE,
    Change,
    Earlier,
    refused_tables,
    unchanged_sets,
)
from dagster_project.domain.disclosure.editions import Edition, FacetShape, editions_of, keys_of, without
from dagster_project.domain.disclosure.suppression import suppress
from dagster_project.domain.tables import TABLES
from dagster_project.policy.loader import Policy
from tests.support.candidates import WEEK
from tests.support.populations import Habits, Talk, candidate_rows, random_talks

RULES = Policy.resolve().rules


@pytest.mark.parametrize(
    ("added", "removed", "refused"),
    [
        (0, 0, False),
        (1, 0, True),
        (0, 1, True),
        (9, 0, True),
        (10, 0, False),
        (0, 10, False),
        (10, 9, True),
        (12, 30, False),
    ],
)
def test_users_added_and_removed_are_nobody_or_at_least_k(added: int, removed: int, refused: bool) -> None:
    """Prevents a correction from telling, by subtraction, of the few whose late conversations it adds."""
    changes = [Change("prevalence", 0, 0), Change("funnel", added, removed)]
    assert refused_tables(changes, RULES) == (("funnel",) if refused else ())


def test_as_many_added_as_removed_do_not_make_up_for_one_another() -> None:
    """Prevents five who left and five who came from passing for nothing, as the difference of counts would say."""
    assert refused_tables([Change("topics", 5, 5)], RULES) == ("topics",)


def test_every_earlier_revision_is_compared_with() -> None:
    """Prevents two corrections, each large enough beside the one before, from being subtracted across the middle one."""
    against_the_first, against_the_second = Change("pushback", 3, 0), Change("pushback", 10, 13)
    assert refused_tables([against_the_second], RULES) == ()
    assert refused_tables([against_the_first, against_the_second], RULES) == ("pushback",)


def test_tables_are_named_once_and_numbers_never() -> None:
    changes = [Change("topics", 3, 0), Change("funnel", 4, 4), Change("topics", 0, 2)]
    assert refused_tables(changes, RULES) == ("funnel", "topics")
    with pytest.raises(ValueError, match="below 0"):
        refused_tables([Change("funnel", -1, 0)], RULES)


def test_a_group_that_was_never_large_enough_holds_no_correction_back() -> None:
    """Answers of four people in one type of pushback must not keep a week's agreement from ever being published."""
    cell = ("pushback", "affective_type", "coaching")
    small = [Change(name, 4, 0, cell, 4) for name in ("agreement_by", "answers_agreement_by")]
    assert refused_tables(small, RULES, fewest=10) == ()
    assert refused_tables(small, RULES, fewest=4) == ("agreement_by",)
    assert refused_tables([Change("agreement_by", 4, 0, cell, 14)], RULES, fewest=10) == ("agreement_by",)
    assert refused_tables([Change("pushback", 4, 0, ("any", "any", "any"), 4)], RULES, fewest=10) == ("pushback",)
    assert ("coded_by", *cell) not in unchanged_sets(small)
    assert ("coded_by", "pushback", "length", "under_6") in unchanged_sets(small)


def test_what_did_not_change_is_told_apart_from_what_did() -> None:
    changes = [
        Change("prevalence", 12, 0, ("all",)),
        Change("prevalence", 0, 0, ("coaching",)),
        Change("funnel", 12, 0, ("analysed",)),
        Change("pushback", 0, 11, ("any", "refusal", "early")),
        Change("of_pushback", 0, 11, ("any",)),
        Change("sentiment", 0, 0, ("coaching",)),
    ]
    unchanged = unchanged_sets(changes)
    assert {("screened", "coaching"), ("tone", "coaching"), ("screened", "sexual_roleplay")} <= unchanged
    changed = {("screened", "all"), ("analysed", "any"), ("pushback", "any", "refusal", "early"), ("asked", "any")}
    assert changed.isdisjoint(unchanged)


def test_denominators_and_bands_of_the_detailed_tables_change_like_cells() -> None:
    """Prevents a correction from showing, by the denominator of a facet, who joined it."""
    changes = [
        Change("of_drift", 0, 3),
        Change("of_long_conversations", 12, 0, ("coaching",)),
        Change("usage_bands", 11, 0, ("3_or_more",)),
        Change("of_facets", 4, 0, ("referral", "any")),
        Change("facets", 0, 0, ("referral", "professional", "any")),
    ]
    assert refused_tables(changes, RULES) == ("drift", "facets")
    shape = FacetShape("referral", None, "any_number", ("people_close", "professional"), ("any", "coaching"))
    unchanged = unchanged_sets(changes, replace(EVERY_TABLE, facets=(shape,)))
    assert {
        ("ends", "known"),
        ("analysed", "coaching"),
        ("band", "3_or_more"),
        ("facet_of", "any", "referral"),
    }.isdisjoint(unchanged)
    assert {
        ("band", "1"),
        ("facet", "any", "referral", "professional"),
        ("facet_of", "coaching", "referral"),
    } <= unchanged


ROMANCE, SEX = ("prevalence", ("romantic_roleplay",)), ("prevalence", ("sexual_roleplay",))
TOGETHER = ("prevalence", ("companionship_or_roleplay",))


def one_after_the_other(hidden_first: set[object], hidden_then: set[object]) -> tuple[Edition, Edition]:
    """Two revisions of the same counts that withhold different cells. Nobody has companionship; a few, romance."""
    talks = random_talks(5, Habits(400, types=(0.3, 0.2, 0.2, 0.0, 0.0, 0.0), heavy=0.0), WEEK.start, 7)
    talks += [Talk(8000 + i, WEEK.start, False, frozenset({"sexual_roleplay"})) for i in range(60)]
    talks += [Talk(9000 + i, WEEK.start, False, frozenset({"romantic_roleplay"})) for i in range(12)]
    (whole,) = editions_of(suppress(candidate_rows(talks, [WEEK]), RULES), RULES, 5)
    first, then = (without(whole, hidden) for hidden in (hidden_first, hidden_then))  # type: ignore[arg-type]
    return replace(first, frozen=True), replace(then, revision=1)


@pytest.mark.long
def test_two_revisions_that_withhold_different_cells_are_attacked_together() -> None:
    """Prevents a cell that one revision protects by withholding its neighbour from being had from the other."""
    first, then = one_after_the_other({ROMANCE, SEX}, {ROMANCE, TOGETHER})
    alone = [attack_one(0, first), attack_one(0, then)]
    everything = unchanged_sets([])
    together = attack_together([then], [Earlier(first, everything)])
    assert not attack_together([then], [Earlier(first, frozenset())])
    known = {violation.quantity.form[0][0][1][1] for violation in together}
    assert {("screened", "sexual_roleplay"), ("screened", "companionship_or_roleplay")} <= known
    assert not any(violation.quantity.form[0][0][1][1] in known for of in alone for violation in of)


def test_a_correction_withholds_what_the_revision_before_it_withheld() -> None:
    """Prevents a correction from undoing, by other choices, what the first publication protected."""
    talks = random_talks(5, Habits(400, talks_per_user=1.0, heavy=0.0), WEEK.start, 7)
    (first,) = editions_of(suppress(candidate_rows(talks, [WEEK]), RULES), RULES, 5)
    late = [Talk(9000 + i, WEEK.start, True) for i in range(25)]
    added = [Change("prevalence", 25, 0, (c,)) for c in ("all", "content_creation")] + [
        Change("funnel", 25, 0, ("all",))
    ]
    earlier = Earlier(replace(first, frozen=True), unchanged_sets(added))
    rows = suppress(candidate_rows([*talks, *late], [WEEK]), RULES, earlier=[earlier])
    (then,) = editions_of(rows, RULES, 5)
    assert not attack_together([then], [earlier])
    totals = [next(r["n_users"] for r in e.published("prevalence") if r["category"] == "all") for e in (first, then)]
    assert isinstance(totals[0], int) and isinstance(totals[1], int) and totals[1] > totals[0]


def test_a_correction_begins_with_the_cells_that_stay_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents a search through other patterns, of which none may pass, where the one of before is enough."""
    talks = random_talks(5, Habits(400, talks_per_user=1.0, heavy=0.0), WEEK.start, 7)
    (whole,) = editions_of(suppress(candidate_rows(talks, [WEEK]), RULES), RULES, 5)
    hidden = {("prevalence", ("coaching",))}
    assert hidden <= {(name, keys_of(TABLES[name], row)) for name in whole.rows for row in whole.published(name)}
    first = replace(without(whole, hidden), frozen=True)
    late = [Talk(9000 + i, WEEK.start, True) for i in range(25)]
    of_all = [Change("prevalence", 25, 0, (c,)) for c in ("all", "content_creation")]
    earlier = Earlier(first, unchanged_sets([*of_all, Change("funnel", 25, 0, ("all",))]))
    searched: list[object] = []
    monkeypatch.setattr(complementary, "cheapest", lambda *of: searched.append(of))
    rows = suppress(candidate_rows([*talks, *late], [WEEK]), RULES, earlier=[earlier])
    (then,) = editions_of(rows, RULES, 5)
    assert searched == []
    assert all(
        row["suppressed"] for name, keys in hidden for row in then.rows[name] if keys_of(TABLES[name], row) == keys
    )
