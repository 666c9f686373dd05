"""Primary suppression at k - 1, k and k + 1 of every threshold, and what a withheld cell may look like.

Not here: figures that people's labels add (`test_disclosure_of_labels.py`).
"""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.domain.columns import Table
from dagster_project.domain.disclosure.candidates import CandidateError
from dagster_project.domain.disclosure.primary import Reason, primary, reason_to_withhold
from dagster_project.domain.disclosure.suppression import PublishedRow, publishable, suppress
from dagster_project.domain.tables import (
    AGREEMENT,
    AGREEMENT_BY,
    FUNNEL,
    PREVALENCE,
    PUSHBACK,
    SENTIMENT,
    TABLES,
    TOPICS,
)
from dagster_project.policy.loader import Policy
from tests.support.candidates import WEEK, Cell, Sizes, candidate_rows, counts, plain, rated, spread, tone
from tests.support.populations import UNCODED, Habits, judged, random_talks
from tests.support.populations import candidate_rows as population_rows

RULES = Policy.resolve().rules
KEYS: dict[str, dict[str, Any]] = {
    "prevalence": {"category": "coaching"},
    "funnel": {"step": "analysed"},
    "topics": {
        "affective_type": "coaching",
        "topic_id": "abcd",
        "parent_topic_id": None,
        "level": 0,
        "topic_name": "Work",
    },
    "pushback": {"affective_type": "coaching", "kind": "safety", "position": "any"},
    "sentiment": {"affective_type": "coaching"},
    "drift": {"start_type": "coaching", "end_type": "companionship"},
    "long_conversations": {"affective_type": "coaching"},
    "usage_bands": {"band": "2"},
    "facets": {
        "facet": "referral",
        "value": "professional",
        "affective_type": "coaching",
        "of_facet": None,
        "values_told": "any_number",
    },
    "agreement": {"facet": "affective_type", "labeller": "local-test"},
    "agreement_by": {
        "facet": "affective_type",
        "dimension": "length",
        "group_name": "under_6",
        "labeller": "local-test",
    },
}
JUDGED = (AGREEMENT, AGREEMENT_BY)


def rounded(rows: dict[str, list[Cell]]) -> dict[str, list[PublishedRow]]:
    """What would be published if every cell were judged by itself alone: cells here need not agree with one another."""
    return publishable(rows, primary(rows, RULES), RULES)


def wild_sizes(seed: int) -> Sizes:
    """Cells of random size around every threshold, some dominated by a user or two, some empty or complete."""
    draw = random.Random(seed)
    scale = draw.choice([1, 3, 20])

    def users() -> list[int]:
        n = draw.choice([0, 1, 4, 5, 9, 10, 11, 14, 20, 24, 25, 26, 40]) * draw.choice([1, 1, scale])
        heavy = draw.choice([1, 1, 2, 5, 50])
        return [draw.randint(1, 5) * (heavy if i < 2 else 1) for i in range(n)]

    def sizes(table: Table, keys: tuple[str, ...]) -> Cell:
        total = "all" in keys
        numerator = users() if not total else [draw.randint(1, 5) for _ in range(draw.choice([3, 249, 250, 251, 600]))]
        rest = [] if total else users()
        cell = counts(numerator, rest, draw.randint(0, min(len(numerator), len(rest))))
        low = draw.random()
        high = draw.uniform(low, 1.0)
        cell |= {"share_low": low, "share_high": high, "rate_low": low, "rate_high": high, "share": 0.5, "rate": 0.5}
        cell["share_of_users"] = 0.5
        start, end = draw.choice([-1.0, draw.uniform(-1, 1)]), draw.choice([1.0, draw.uniform(-1, 1)])
        ends = sorted((draw.uniform(-2, 2), draw.uniform(-2, 2)))
        means = {"sentiment_start": start, "sentiment_end": end, "sentiment_change": end - start}
        means |= {"tone_first": start, "tone_next": start, "later_change": end - start}
        both = {
            f"{name}_{side}": value
            for name in ("change", "later")
            for side, value in zip(("low", "high"), ends, strict=True)
        }
        if table in JUDGED:
            return counts(numerator) | judged(sum(numerator), len(numerator))
        return {**cell, **means, **both, **wild_coding(draw)}

    return sizes


def wild_coding(draw: random.Random) -> Cell:
    """People's labels of a cell: none, or of any size on either side."""
    if draw.random() < 0.3:
        return UNCODED
    found: Cell = {}
    for side in ("yes", "no"):
        low, value, high = sorted(draw.random() for _ in range(3))
        found |= {f"true_of_{side}": value, f"true_of_{side}_low": low, f"true_of_{side}_high": high}
        users = draw.choice([0, 9, 10, 60])
        found |= {f"coded_{side}_users": users, f"coded_{side}_conversations": users + draw.choice([0, 4, 5, 30])}
    users = draw.choice([0, 9, 10, 60])
    low, value, high = sorted(draw.uniform(-2, 2) for _ in range(3))
    return found | {
        "coded_users": users,
        "coded_conversations": users + draw.choice([0, 4, 5, 30]),
        "corrected_start": draw.choice([-1.0, draw.uniform(-1, 1)]),
        "corrected_end": draw.uniform(-1, 1),
        "corrected_change": value,
        "corrected_change_low": low,
        "corrected_change_high": high,
    }


def sized(table: Table, users: int, conversations: int) -> Cell:
    """A cell that only its size can withhold."""
    if table is SENTIMENT:
        return tone(users, conversations)
    cell = rated(users, conversations)
    return cell | judged(conversations, users) if table in JUDGED else cell


def reason(table: Table, cell: Cell, **keys: str) -> Reason | None:
    return reason_to_withhold({"period_key": WEEK.key, **KEYS[table.name], **keys, **cell}, table, RULES)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_users_at_the_threshold(table: Table, more: int) -> None:
    """Prevents groups below k from being published, and groups of exactly k from being lost."""
    k = 25 if table.is_topic else 10
    assert reason(table, sized(table, k + more, 80)) == (Reason.FEW_USERS if more < 0 else None)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_conversations_at_the_threshold(table: Table, more: int) -> None:
    n, users = (50, 25) if table.is_topic else (15, 12)
    assert reason(table, sized(table, users, n + more)) == (Reason.FEW_CONVERSATIONS if more < 0 else None)


@pytest.mark.parametrize("table", [PREVALENCE, FUNNEL, PUSHBACK, TOPICS], ids=lambda t: t.name)
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_difference_at_the_threshold(table: Table, more: int) -> None:
    """Prevents the few who are NOT in a cell from being found by subtraction: 100 % less the cell."""
    assert reason(table, rated(40, 80, 10 + more, 40)) == (Reason.FEW_IN_DIFFERENCE if more < 0 else None)


@pytest.mark.parametrize(("table", "key"), [(PREVALENCE, "category"), (FUNNEL, "step")])
def test_structural_totals_have_no_difference(table: Table, key: str) -> None:
    assert reason(table, rated(400, 900, 0, 0), **{key: "all"}) is None
    assert reason(table, rated(9, 90, 0, 0), **{key: "all"}) is Reason.FEW_USERS


def test_denominator_at_the_threshold() -> None:
    for of_users, expected in ((9, Reason.FEW_IN_DENOMINATOR), (10, None)):
        cell = rated(10, 40) | {"of_users": of_users}
        assert reason(PUSHBACK, cell) == expected


@pytest.mark.parametrize(("rest_users", "numerator"), [(0, 40), (300, 0)])
def test_none_and_all_of_a_sensitive_attribute_are_withheld(rest_users: int, numerator: int) -> None:
    """Prevents "every one of them" and "not one of them", which tell of each member of the group."""
    assert reason(PUSHBACK, rated(numerator, numerator * 2, rest_users, rest_users * 2)) is not None


@pytest.mark.parametrize(("top", "expected"), [(10, None), (11, Reason.DOMINANCE)])
def test_one_user_gives_a_quarter_at_most(top: int, expected: Reason | None) -> None:
    """Prevents a cell that meets both thresholds and describes one user."""
    cell = counts([top, *spread(19, 40 - top)], spread(300, 600)) | {"rate_low": 0.0, "rate_high": 0.1}
    assert reason(PUSHBACK, cell) == expected
    assert reason(PREVALENCE, cell | {"share_low": 0.0, "share_high": 0.1}) == expected


@pytest.mark.parametrize(("two", "expected"), [((10, 10), None), ((10, 11), Reason.DOMINANCE)])
def test_two_users_give_half_at_most(two: tuple[int, int], expected: Reason | None) -> None:
    others = spread(19, 40 - sum(two))
    top = RULES.max_top_user_share
    cell = counts([*two, *others], spread(300, 600))
    # The single largest is held at its own limit, so that only the pair can trip.
    cell["top_user_conversations"] = min(cell["top_user_conversations"], int(top * 40))
    assert reason(FUNNEL, cell) == expected


@pytest.mark.parametrize(("start", "expected"), [(0.97, Reason.END_OF_SCALE), (0.9, None), (-1.0, Reason.END_OF_SCALE)])
def test_a_tone_at_the_end_of_its_scale_is_withheld(start: float, expected: Reason | None) -> None:
    """Prevents a mean of -1, which says of every member that they were as negative as can be."""
    assert reason(SENTIMENT, tone(40, 60, start=start, end=0.0)) == expected


@pytest.mark.parametrize(("users", "small"), [(249, True), (250, False), (251, False)])
def test_small_organisations_publish_prevalence_only(users: int, small: bool) -> None:
    """Prevents colleagues from recognising one another in a workplace of 200."""
    talks = random_talks(1, Habits(users=400, types=(0.3, 0.2, 0.1, 0.1, 0.05, 0.05), pushback=0.4), WEEK.start, 7)
    writers = sorted({talk.user for talk in talks})[:users]
    rows = suppress(population_rows([talk for talk in talks if talk.user in writers], [WEEK]), RULES)
    assert not all(row["suppressed"] for row in rows["prevalence"])
    for name in ("funnel", "pushback", "sentiment"):
        assert all(row["suppressed"] for row in rows[name]) == small
        assert len(rows[name]) == len(TABLES[name].grid())
    assert (rows["topics"] == []) == small


def test_nothing_is_told_against_a_withheld_total() -> None:
    """Prevents a withheld total from being had back as a published count over its share."""

    def sizes(table: Table, keys: tuple[str, ...]) -> Cell:
        if keys == ("all",) and table is PREVALENCE:
            return rated(400, 900, 0, 0) | {"top_user_conversations": 500, "top_two_conversations": 501}
        return plain(table, keys)

    decisions = primary(candidate_rows(WEEK, sizes=sizes), RULES)
    assert decisions["prevalence"][0] is Reason.DOMINANCE
    assert set(decisions["prevalence"][1:]) == {Reason.TOTAL_WITHHELD}
    assert set(decisions["funnel"]) == {None}


def test_shares_come_from_rounded_counts() -> None:
    """Prevents an exact share beside rounded counts: 43 of 3,000 is told as 45 of 3,000, not as 0.014."""

    def sizes(table: Table, keys: tuple[str, ...]) -> Cell:
        return (
            rated(43, 43, 1160, 2957) if keys == ("content_creation",) and table is PREVALENCE else plain(table, keys)
        )

    exact = candidate_rows(WEEK, sizes=sizes)
    row = next(row for row in suppress(exact, RULES)["prevalence"] if row["category"] == "content_creation")
    cell = next(row for row in exact["prevalence"] if row["category"] == "content_creation")
    assert (row["n_conversations"], row["n_users"], row["share"]) == (45, 45, 0.016)
    assert row["share_low"] <= cell["share_low"]  # type: ignore[operator]
    assert row["share_high"] >= cell["share_high"]  # type: ignore[operator]


def test_a_topic_whose_parent_is_withheld_does_not_name_it() -> None:
    """Prevents a withheld topic from showing through its children."""
    rows = candidate_rows(WEEK)
    parent, child = rows["topics"][0], rows["topics"][1]
    child |= {"level": 1, "parent_topic_id": parent["topic_id"]}
    kept = suppress(rows, RULES)["topics"]
    assert any(row["parent_topic_id"] == parent["topic_id"] for row in kept)
    parent |= rated(24, 60)
    kept = suppress(rows, RULES)["topics"]
    assert child["topic_id"] in {row["topic_id"] for row in kept}
    assert parent["topic_id"] not in {row[key] for row in kept for key in ("topic_id", "parent_topic_id")}


def test_order_of_rows_does_not_tell_sizes() -> None:
    """Prevents topics from being listed by size, which tells exact counts within one rounding step apart."""
    rows = candidate_rows(WEEK, sizes=lambda t, k: rated(30 + int(k[1][4:5]), 60) if t is TOPICS else plain(t, k))
    shuffled = {name: list(reversed(table)) for name, table in rows.items()}
    assert suppress(rows, RULES) == suppress(shuffled, RULES)
    ids = [row["topic_id"] for row in suppress(rows, RULES)["topics"] if row["affective_type"] == "coaching"]
    assert ids == sorted(map(str, ids))


@given(st.integers(0, 10**9))
@settings(max_examples=60, deadline=None)
def test_no_published_cell_breaks_a_rule(seed: int) -> None:
    """Prevents, over random tables, every rule of primary suppression from being missed; stated here afresh."""
    exact = candidate_rows(WEEK, sizes=wild_sizes(seed))
    users = next(row["n_users"] for row in exact["prevalence"] if row["category"] == "all")
    published = rounded(exact)
    for name, table in TABLES.items():
        k, n, base = (25, 50, 10) if name == "topics" else (10, 15, 5)
        by_key = {tuple(row[key] for key in table.keys): row for row in exact[name]}
        if name != "topics":
            assert {tuple(row[key] for key in table.keys) for row in published[name]} == set(by_key)
        for row in published[name]:
            measures = [row[column.name] for column in table.measures]
            if row["suppressed"]:
                assert set(measures) == {None}
                continue
            cell = by_key[tuple(row[key] for key in table.keys)]
            assert cell["n_users"] >= k
            assert cell["n_conversations"] >= n
            assert 4 * cell["top_user_conversations"] <= cell["n_conversations"]
            assert 2 * cell["top_two_conversations"] <= cell["n_conversations"]
            assert users >= 250 or name == "prevalence"
            if table.is_rate and "all" not in (row.get("category"), row.get("step")):
                assert cell["rest_users"] >= 10
                assert cell["of_users"] >= k
            for column in ("n_users", "n_conversations", "of_users", "of_conversations"):
                if row.get(column) is not None:
                    assert row[column] % base == 0
                    assert abs(row[column] - cell[column]) < base
            for low, high in (("share_low", "share_high"), ("rate_low", "rate_high"), ("change_low", "change_high")):
                if low in row:
                    assert row[low] <= cell[low] <= cell[high] <= row[high]
            for share in ("share", "rate"):
                if share in row:
                    assert 0 <= row[share] <= 1
                    assert row.get(f"{share}_low", 0) <= row[share] <= row.get(f"{share}_high", 1)
            if any(row.get(column) is not None for column in ("corrected_share", "corrected_rate")):
                for side in ("yes", "no"):
                    assert cell[f"coded_{side}_users"] >= k and cell[f"coded_{side}_conversations"] >= n
                corrected = row["corrected_share"] if name == "prevalence" else row["corrected_rate"]
                assert 0 <= row["corrected_low"] <= corrected <= row["corrected_high"] <= 1
                assert name == "prevalence" or 0 < corrected < 1
            if name == "sentiment" and row["corrected_start"] is not None:
                assert cell["coded_users"] >= k and cell["coded_conversations"] >= n
                assert abs(row["corrected_start"]) < 1
            if name == "agreement" and row["precision"] is not None:
                assert cell["predicted_users"] >= k and cell["predicted_conversations"] >= n
            if name == "agreement_by" and row["kappa"] is not None:
                assert cell["either_users"] >= k and cell["either_conversations"] >= n
            if name == "sentiment":
                assert abs(row["sentiment_start"]) < 1
                assert abs(row["sentiment_end"]) < 1


@given(st.integers(0, 10**9), st.integers(0, 30), st.integers(0, 40), st.sampled_from([5, 6, 10, 20]))
@settings(max_examples=40, deadline=None)
def test_a_stricter_policy_never_publishes_more(seed: int, users: int, conversations: int, base: int) -> None:
    """Prevents a setting that is meant to protect from uncovering a cell."""
    exact = candidate_rows(WEEK, sizes=wild_sizes(seed))
    stricter = Policy.resolve(
        "default",
        {
            "min_users": 10 + users,
            "min_conversations": 15 + conversations,
            "min_topic_users": 25 + users,
            "min_topic_conversations": 50 + conversations,
            "rounding_base": base,
        },
    ).rules
    loose, strict = primary(exact, RULES), primary(exact, stricter)
    for name in TABLES:
        for before, after in zip(loose[name], strict[name], strict=True):
            assert after is not None or before is None


def test_withheld_cells_look_alike_whatever_the_reason() -> None:
    """Prevents the reason for withholding, itself a fact about the group, from showing in the row."""
    causes: list[Cell] = [
        rated(9, 80),
        rated(12, 14),
        rated(40, 80, 9, 40),
        counts([30, *spread(19, 20)], spread(300, 600)) | {"rate_low": 0.0, "rate_high": 0.1},
        rated(0, 0),
    ]
    seen = set()
    for cell in causes:
        rows = candidate_rows(WEEK)
        target = next(
            r
            for r in rows["pushback"]
            if (r["affective_type"], r["kind"], r["position"]) == ("coaching", "safety", "late")
        )
        target |= cell
        decisions = primary(rows, RULES)["pushback"]
        assert sum(d is not None for d in decisions) == 1
        withheld = [row for row in suppress(rows, RULES)["pushback"] if row["suppressed"]]
        seen.add(repr(withheld))
    assert len(seen) == 1


def _damage(rows: dict[str, list[Cell]], name: str, what: str) -> None:
    row = rows[name][1]
    match what:
        case "missing count":
            del row["top_user_conversations"]
        case "null count":
            row["n_users"] = None
        case "negative count":
            row["n_users"] = -1
        case "more users than conversations":
            row["n_users"] = row["n_conversations"] + 1
        case "rest does not add up":
            row["rest_conversations"] += 1
        case "undeclared category":
            row[TABLES[name].keys[0]] = "CANARY-private-text"
        case "doubled row":
            rows[name].append(dict(row))
        case "hole in the grid":
            rows[name].remove(row)
        case "lost total":
            rows[name] = rows[name][1:]
        case "no interval":
            row["share_low"] = None
        case "interval not a number":
            row["share_high"] = float("nan")
        case "unknown table":
            rows["conversations"] = [{"content": "CANARY-private-text"}]
        case "lost table":
            del rows["topics"]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("funnel", "missing count"),
        ("funnel", "null count"),
        ("funnel", "negative count"),
        ("prevalence", "more users than conversations"),
        ("prevalence", "rest does not add up"),
        ("prevalence", "undeclared category"),
        ("funnel", "doubled row"),
        ("pushback", "hole in the grid"),
        ("prevalence", "lost total"),
        ("prevalence", "no interval"),
        ("prevalence", "interval not a number"),
        ("funnel", "unknown table"),
        ("funnel", "lost table"),
    ],
)
def test_candidates_that_contradict_themselves_stop_the_release(name: str, what: str) -> None:
    """Prevents thresholds from being applied to wrong numbers, and a value from being quoted in the refusal."""
    rows = candidate_rows(WEEK)
    _damage(rows, name, what)
    with pytest.raises(CandidateError) as refusal:
        suppress(rows, RULES)
    assert "CANARY" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_grid_steps_follow_the_rounded_denominator() -> None:
    """Prevents the width of the grid from telling an exact denominator (98 and 102 are both told as 100)."""
    told = set()
    for rest in (58, 62):
        rows = candidate_rows(WEEK)
        target = rows["pushback"][5]
        target |= rated(40, 40, rest, rest) | {"rate_low": 0.37, "rate_high": 0.43}
        published = rounded(rows)["pushback"][5]
        told.add((published["of_conversations"], published["rate"], published["rate_low"], published["rate_high"]))
    assert told == {(100, 0.4, 0.35, 0.45)}
