"""No count is known too well from what is published: attacked anew, by programs that know nothing of the audit's.

Random linked tables, suppressed as a release does it, against an oracle over kinds of users (`attack_oracle.py`). A few
hundred tables run in CI, 10,000 with CONFIDE_AUDIT=long. Not here: whole homes (they come with `make audit`).
"""

import os
import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dagster_project.domain.disclosure.audit import audit
from dagster_project.domain.disclosure.complementary import NotProtected
from dagster_project.domain.disclosure.editions import Edition, editions_of
from dagster_project.domain.disclosure.primary import primary
from dagster_project.domain.disclosure.rules import Rules
from dagster_project.domain.disclosure.suppression import publishable, suppress
from dagster_project.domain.periods import parse_period
from dagster_project.domain.study import AFFECTIVE_TYPES
from dagster_project.domain.tables import BANDS, TABLES
from dagster_project.policy.loader import Policy
from tests.support.attack_oracle import BandOracle, Oracle, Shown
from tests.support.candidates import WEEK
from tests.support.populations import THIRDS, Habits, Talk, candidate_rows, random_talks
from tests.support.screening_cells import NESTED, OUTCOMES, shown_cells

LONG = os.environ.get("CONFIDE_AUDIT") == "long"
TABLES_OF_SCREENING = 100 if LONG else 12
HUNDREDS = [pytest.param(n, marks=pytest.mark.xdist_group(f"hundred {n}")) for n in range(100 if LONG else 1)]
"""10,000 tables in a hundred tests, so that a run of hours shows how far it is and loses little when it is stopped."""
TABLES_OF_PUSHBACK = 500 if LONG else 1
TREES = 100 if LONG else 8
RULES = Policy.resolve().rules
TABLES_OF_DETAIL = 200 if LONG else 1
Rows = dict[str, list[dict[str, Any]]]


def rules_of(draw: random.Random) -> Rules:
    k = draw.choice([5, 10])
    return replace(
        RULES,
        min_users=k,
        min_conversations=draw.choice([k, 15]),
        rounding_base=draw.choice([5, 3] if k == 5 else [5, 10]),
        small_organisation_users=1,
        grid_steps=tuple(Decimal(step) for step in ("0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1")),
    )


def habits_of(draw: random.Random) -> Habits:
    """People around the thresholds: some types common, some rare, some absent."""
    types = [draw.choice([0.0, 0.02, 0.05, 0.1, 0.3]) for _ in AFFECTIVE_TYPES]
    most = max(sum(types), 1e-9)
    return Habits(
        users=draw.randint(30, 250),
        talks_per_user=draw.choice([1.0, 2.0]),
        creation=draw.choice([0.0, 0.05, 0.3]),
        unknown=draw.choice([0.0, 0.03, 0.15]),
        types=tuple(t / most * draw.choice([0.3, 0.7, 0.95]) for t in types) if sum(types) else (0.1, 0, 0, 0, 0, 0),
        second_type=draw.choice([0.0, 0.1, 0.5]),
        pushback=0.0,
        toned=0.0,
        topics=0,
    )


def attacked(rows: Rows, rules: Rules, bound: int) -> list[Any]:
    """What the oracle knows too well of the screening tables."""
    shown, withheld = shown_cells(rows)
    if not shown:
        return []
    k = rules.min_users
    oracle = Oracle(OUTCOMES, bound, shown, k, rules.min_conversations, rules.rounding_base)
    close = [
        (a, b)
        for a, b in NESTED
        if a in shown and b in shown
        and min(shown[b].conversations - shown[a].conversations, shown[b].users - shown[a].users) <= k + 2 * rules.rounding_base
    ]  # fmt: skip
    return [*oracle.under_protected(sorted(withheld), k), *oracle.revealed(close, k)]


@pytest.mark.parametrize("hundred", HUNDREDS)
@given(st.integers(0, 10**9))
@settings(max_examples=TABLES_OF_SCREENING, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_count_of_screening_is_under_protected(hundred: int, seed: int) -> None:
    """Prevents a withheld cell from being had from those around it, or a few people from totals minus cells."""
    draw = random.Random(f"{hundred} {seed}")
    rules, bound = rules_of(draw), draw.choice([1] * 9 + [2])
    talks = random_talks(seed, habits_of(draw), WEEK.start, 7)
    rows = suppress(candidate_rows(talks, [WEEK], bound), rules, max_conversations_per_user=bound, is_census=False)
    assert attacked(rows, rules, bound) == []


def test_the_oracle_sees_what_primary_suppression_leaves_open() -> None:
    """Prevents the test above from passing because its oracle is blind."""
    found = 0
    for seed in range(25):
        draw = random.Random(seed)
        rules = rules_of(draw)
        exact = candidate_rows(random_talks(seed, habits_of(draw), WEEK.start, 7), [WEEK], 1)
        found += bool(attacked(publishable(exact, primary(exact, rules), rules), rules, 1))
    assert found >= 3


@given(st.integers(0, 10**9))
@settings(max_examples=TABLES_OF_PUSHBACK, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_count_of_pushback_is_under_protected(seed: int) -> None:
    """Prevents the thirds of a conversation from giving a withheld third away."""
    draw = random.Random(seed)
    habits = Habits(draw.randint(260, 500), 2.0, types=(0.3, 0.2, 0.1, 0.1, 0.03, 0.03), pushback=0.5, topics=0)
    rows = suppress(candidate_rows(random_talks(seed, habits, WEEK.start, 7), [WEEK], 2), RULES, (), 2, is_census=False)
    by_keys = {(r["affective_type"], r["kind"], r["position"]): r for r in rows["pushback"]}
    outcomes = [frozenset({"of"}), *(frozenset({"of", "any", third}) for third in THIRDS)]
    checked = 0
    for of, kind in {keys[:2] for keys in by_keys}:
        own = {position: by_keys[of, kind, position] for position in ("any", *THIRDS)}
        visible = {p: r for p, r in own.items() if not r["suppressed"]}
        if not visible:
            continue
        shown = {p: Shown(r["n_conversations"], r["n_users"], "of") for p, r in visible.items()}
        row = next(iter(visible.values()))
        shown["of"] = Shown(row["of_conversations"], row["of_users"])
        oracle = Oracle(outcomes, 2, shown, 10, 15, 5)
        assert oracle.under_protected(set(own) - set(visible), 10) == []
        pairs = [(p, whole) for p in visible for whole in ("any", "of") if whole in shown and p != whole]
        assert oracle.revealed(pairs, 10) == []
        checked += 1
    assume(checked)


def topics_attacked(rows: Rows, rules: Rules, bound: int) -> list[str]:
    """The parents of which it is known how few conversations or users are in none of their published topics."""
    found = []
    for up in [row for row in rows["topics"] if row["level"] == 0]:
        below = [row for row in rows["topics"] if row["parent_topic_id"] == up["topic_id"]]
        if not below:
            continue
        outcomes = [frozenset({"up", "rest"}), *(frozenset({"up", row["topic_id"]}) for row in below)]
        shown = {row["topic_id"]: Shown(row["n_conversations"], row["n_users"]) for row in below}
        shown["up"] = Shown(up["n_conversations"], up["n_users"])
        least = rules.of(TABLES["topics"])
        oracle = Oracle(outcomes, bound, shown, least.users, least.conversations, least.base)
        intervals = [oracle.interval(count("rest")) for count in (oracle.conversations, oracle.users)]
        if any(low >= 1 and high < rules.min_users for low, high in intervals[: bound or 1]):
            found.append(str(up["topic_id"]))
    return found


def tree_of(seed: int) -> tuple[Rows, Rules, int]:
    """Candidates with topics under parents, around the thresholds, and coarse or fine rounding."""
    draw = random.Random(seed)
    rules = replace(
        RULES, small_organisation_users=1, min_topic_users=draw.choice([5, 10]), min_topic_conversations=10,
        topic_rounding_base=1, rounding_base=draw.choice([1, 3]),
    )  # fmt: skip
    habits = Habits(
        draw.randint(60, 200), 1.5, types=(0.5, 0.4, 0.0, 0.0, 0.0, 0.0), pushback=0.0, toned=0.0, topics=7, tree=True
    )
    bound = draw.choice([1, 2])
    return candidate_rows(random_talks(seed, habits, WEEK.start, 7), [WEEK], bound), rules, bound


@given(st.integers(0, 10**9))
@settings(max_examples=TREES, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_parent_tells_of_the_few_whose_topic_is_withheld(seed: int) -> None:
    """Prevents a topic of three people from being had by taking its published siblings from their parent."""
    exact, rules, bound = tree_of(seed)
    rows = suppress(exact, rules, max_conversations_per_user=bound, is_census=False)
    assert topics_attacked(rows, rules, bound) == []


def test_the_oracle_sees_what_parents_would_tell() -> None:
    """Prevents the test above from passing because hardly a parent has a withheld topic, or the oracle is blind."""
    found = 0
    for seed in range(25):
        exact, rules, bound = tree_of(seed)
        found += bool(topics_attacked(publishable(exact, primary(exact, rules), rules), rules, bound))
    assert found >= 3


@given(st.integers(0, 10**9))
@settings(max_examples=TABLES_OF_DETAIL, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_count_of_drift_facets_or_bands_is_under_protected(seed: int) -> None:
    """Prevents a rare value of a facet, a rare way of drifting or the heaviest users from being had from the others."""
    draw = random.Random(seed)
    bound = draw.choice([1, 3])
    habits = Habits(
        draw.randint(260, 700), 3.0, types=(0.3, 0.2, 0.1, 0.1, 0.02, 0.02), pushback=0.4, topics=0, heavy=0.0,
        ends=0.9, facets=0.9,
    )  # fmt: skip
    talks = random_talks(seed, habits, WEEK.start, 7)
    rows = suppress(candidate_rows(talks, [WEEK], bound), RULES, (), bound, is_census=False)
    groups: dict[tuple[str, ...], dict[str, dict[str, Any]]] = {}
    for row in rows["facets"]:
        groups.setdefault((row["facet"], row["affective_type"]), {})[row["value"]] = row
    groups["drift",] = {f"{row['start_type']} {row['end_type']}": row for row in rows["drift"]}
    checked = 0
    for name, own in groups.items():
        told = "one" if name == ("drift",) else next(iter(own.values()))["values_told"]
        sizes = {"one": (1, 1), "one_or_more": (1, len(own)), "any_number": (0, len(own))}[told]
        outcomes = [frozenset({"of", *some}) for n in range(sizes[0], sizes[1] + 1) for some in combinations(own, n)]
        visible = {value: row for value, row in own.items() if not row["suppressed"]}
        if not visible or (bound > 1 and len(outcomes) > 8):
            continue
        shown = {value: Shown(row["n_conversations"], row["n_users"], "of") for value, row in visible.items()}
        row = next(iter(visible.values()))
        shown["of"] = Shown(row["of_conversations"], row["of_users"])
        oracle = Oracle(outcomes, bound, shown, 10, 15, 5)
        assert oracle.under_protected(set(own) - set(visible), 10) == [], name
        assert oracle.revealed([(value, "of") for value in visible], 10) == [], name
        checked += 1
    bands = {row["band"]: row for row in rows["usage_bands"]}
    whole = next(row for row in rows["prevalence"] if row["category"] == "affective")
    visible = {band: row for band, row in bands.items() if not row["suppressed"]}
    if visible and not whole["suppressed"]:
        shown = {band: Shown(0, row["n_users"]) for band, row in visible.items()}
        shown["affective"] = Shown(whole["n_conversations"], whole["n_users"])
        oracle = BandOracle(BANDS, bound, shown, 10, 15, 5)
        assert oracle.under_protected(set(bands) - set(visible), 10) == []
        assert oracle.revealed([(band, "affective") for band in visible], 10) == []
        checked += 1
    assume(checked)


def world(users: int, seed: int = 1, days: int = 7, **more: Any) -> list[Talk]:
    return random_talks(seed, Habits(users, untold=0.0, **more), WEEK.start, days)


def test_rare_roleplay_is_not_told_by_the_step_that_leaves_it_out() -> None:
    """Prevents "affective minus analysed" from telling that three conversations were sexual roleplay."""
    talks = world(400, types=(0.3, 0.2, 0.1, 0.1, 0.0, 0.0))
    talks += [Talk(9000 + i, WEEK.start, False, frozenset({"sexual_roleplay"}), name="r") for i in range(3)]
    exact = candidate_rows(talks, [WEEK])
    by_itself = publishable(exact, primary(exact, RULES), RULES)
    assert audit(editions_of(by_itself, RULES, 5))
    rows = suppress(exact, RULES)
    steps = {row["step"]: row["suppressed"] for row in rows["funnel"]}
    categories = {row["category"]: row["suppressed"] for row in rows["prevalence"]}
    assert categories["sexual_roleplay"]
    assert steps["analysed"] or (steps["affective"] and categories["affective"])
    assert not audit(editions_of(rows, RULES, 5))


def editions(talks: list[Talk], *keys: str) -> list[Edition]:
    """Periods released one after the other."""
    out: list[Edition] = []
    for key in keys:
        rows = suppress(candidate_rows(talks, [parse_period(key)]), RULES, out)
        out += [replace(edition, frozen=True) for edition in editions_of(rows, RULES, 5)]
    return out


def test_a_window_that_is_one_day_longer_does_not_tell_of_that_day() -> None:
    """Prevents the difference of two releases from telling of five people who wrote stories on one day alone."""
    last = WEEK.end - timedelta(1)
    talks = [talk for talk in world(400, talks_per_user=1.5, heavy=0.0) if talk.day < last or not talk.creation]
    talks += [Talk(9000 + i, last, True) for i in range(5)]
    keys = "2026-10-05..2026-10-10", "2026-W41"
    alone = [editions(talks, key)[0] for key in keys]
    assert not any(audit([edition]) for edition in alone)
    assert audit(alone)
    both = editions(talks, *keys)
    assert not audit(both)
    assert both[0] == alone[0]
    assert len(both[1].published("prevalence")) < len(alone[1].published("prevalence"))


def test_what_was_published_earlier_is_never_withheld_and_a_release_that_would_need_it_is_refused() -> None:
    """Prevents a frozen row from changing, and a release from going out that only that could have protected."""
    talks = world(400, talks_per_user=1.0, heavy=0.0)
    (week,) = editions(talks, "2026-W41")
    total = next(row for row in week.rows["prevalence"] if row["category"] == "all")
    # A window without the last day was published, five conversations and people apart: that day's, by subtraction.
    fewer = {**total, "n_conversations": total["n_conversations"] - 5, "n_users": total["n_users"] - 5}
    earlier = Edition(parse_period("2026-10-05..2026-10-10"), {"prevalence": [fewer]}, RULES, 5)
    with pytest.raises(NotProtected, match="prevalence") as refusal:
        suppress(candidate_rows(talks, [parse_period("2026-W41")]), RULES, [earlier])
    assert str(total["n_users"]) not in str(refusal.value)


def test_rows_that_contradict_one_another_are_refused() -> None:
    """Prevents a fault in the counts from being published because the audit had nothing to say on it."""
    exact = candidate_rows(world(400), [WEEK])
    for row in exact["funnel"]:
        if row["step"] == "analysed":
            row["n_conversations"] += 60
            row["rest_conversations"] -= 60
    with pytest.raises(NotProtected, match="contradict"):
        suppress(exact, RULES)


@pytest.mark.audit
def test_days_weeks_and_a_window_together() -> None:
    """Prevents days, their week and a window over it from telling together what none tells alone."""
    talks = world(500, seed=3, days=7, talks_per_user=4.0, types=(0.2, 0.15, 0.1, 0.1, 0.03, 0.02))
    keys = [f"2026-10-{day:02d}" for day in range(5, 9)] + ["2026-10-05..2026-10-08", "2026-W41"]
    together = editions(talks, *keys)
    assert not audit(together)
    assert all(edition.published("prevalence") for edition in together)
