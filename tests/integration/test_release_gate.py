"""The gate, with Great Expectations itself: rows that break a rule are refused, by name and without a value."""

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dagster_project.domain.periods import parse_period
from dagster_project.domain.tables import TABLES
from dagster_project.home import Home
from dagster_project.policy.loader import Policy
from dagster_project.release import GateFailed, gate, published_frame, release, suppressed_rows
from dagster_project.storage.release_ledger import Ledger, ReleaseRefused
from expectations.runner import SuiteError, check
from tests.support.candidates import AT, WEEK, candidates, metadata, page, plain, random_sizes, rated
from tests.support.remembered import remembered_suppression

POLICY = Policy.resolve()
LATER = parse_period("2026-W42")


@pytest.fixture(scope="module", autouse=True)
def _remembered() -> Iterator[None]:
    with remembered_suppression():
        yield


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def frames(sizes: Any = plain, policy: Policy = POLICY) -> dict[str, pl.DataFrame]:
    return dict(_plain()) if sizes is plain and policy is POLICY else _frames(sizes, policy)


@cache
def _plain() -> dict[str, pl.DataFrame]:
    return _frames(plain, POLICY)


def _frames(sizes: Any, policy: Policy) -> dict[str, pl.DataFrame]:
    rows = suppressed_rows(candidates(WEEK, sizes=sizes), metadata(WEEK), policy)
    return {name: published_frame(name, rows[name], metadata(WEEK)) for name in TABLES}


@pytest.mark.parametrize("profile", ["default", "anthropic", pytest.param("strict", marks=pytest.mark.audit)])
def test_what_the_suppressor_lets_through_passes_the_gate(profile: str) -> None:
    policy = Policy.resolve(profile)
    gate(frames(policy=policy), policy)


@pytest.mark.parametrize("seed", range(8 if os.environ.get("CONFIDE_AUDIT") else 1))
def test_random_worlds_pass_the_gate_after_suppression(seed: int) -> None:
    """Prevents suppressor and gate, written apart, from disagreeing on some row."""
    policy = Policy.resolve("default", {"min_users": 12, "min_conversations": 17})
    gate(frames(random_sizes(seed), policy), policy)


def test_corrected_rates_and_tones_pass_the_gate() -> None:
    """Prevents a home whose people labelled enough from being refused its release."""
    coded = {
        f"true_of_{side}{end}": v for side in ("yes", "no") for end, v in (("", 0.3), ("_low", 0.2), ("_high", 0.4))
    }
    coded |= {f"coded_{side}_{unit}": 60 for side in ("yes", "no") for unit in ("conversations", "users")}
    tones = {"start": -0.2, "end": 0.1, "change": 0.3, "change_low": 0.0, "change_high": 0.6}
    coded |= {f"corrected_{name}": value for name, value in tones.items()}
    coded |= {"coded_conversations": 110, "coded_users": 80}

    def sizes(table: Any, keys: tuple[str, ...]) -> Any:
        return {**plain(table, keys), **(coded if table.name in ("pushback", "sentiment") else {})}

    found = _frames(sizes, POLICY)
    gate(found, POLICY)
    assert found["pushback"]["corrected_rate"].drop_nulls().len() > 10
    assert found["sentiment"]["corrected_change"].drop_nulls().to_list()[0] == 0.3


BROKEN = [
    ("prevalence", "n_users", 5, "to_be_between(n_users)"),
    ("prevalence", "n_conversations", 10, "to_be_between(n_conversations)"),
    ("prevalence", "n_conversations", 62, "multiple_of(n_conversations"),
    ("prevalence", "share", 0.06153, "multiple_of(share, share_low, share_high"),
    ("prevalence", "share", 0.99, "not_decrease(share_low, share, share_high)"),
    ("prevalence", "share_low", 0.9, "not_decrease(share_low, share, share_high)"),
    (
        "prevalence",
        "corrected_share",
        0.1,
        "null_together_where_first(suppressed, corrected_share, corrected_low, corrected_high)",
    ),
    ("prevalence", "category", "jane.doe@example.org", "to_be_in_set(category)"),
    ("prevalence", "suppressed", True, "null_exactly_where_first"),
    ("funnel", "n_users", None, "null_exactly_where_first"),
    ("funnel", "period_kind", "year", "to_be_in_set(period_kind)"),
    ("topics", "n_users", 20, "to_be_between(n_users)"),
    ("topics", "n_conversations", 65, "multiple_of(n_conversations"),
    ("topics", "topic_name", "mail jane.doe@example.org", "match_regex(topic_name)"),
    ("topics", "topic_name", "call 0170 1234", "match_regex(topic_name)"),
    ("topics", "topic_name", "a b c d e f g h i j k", "match_regex(topic_name)"),
    ("topics", "topic_name", "=SUM(A1)", "match_regex(topic_name)"),
    ("topics", "topic_name", None, "not_be_null(period_kind"),
    ("pushback", "of_users", 5, "to_be_between(n_users, of_users)"),
    ("pushback", "n_conversations", 5000, "not_decrease(n_conversations, of_conversations)"),
    ("sentiment", "sentiment_start", -1.0, "to_be_between(sentiment_start, tone_first"),
    ("sentiment", "sentiment_change", -0.0667, "multiple_of(sentiment_start"),
]


@pytest.mark.parametrize(("table", "column", "value", "named"), BROKEN)
def test_one_broken_value_refuses_the_release(table: str, column: str, value: Any, named: str) -> None:
    """Prevents a fault in the suppressor from reaching a reader."""
    tables = frames()
    tables[table] = tables[table].with_columns(
        pl.when(pl.int_range(pl.len()) == 1)
        .then(pl.lit(value))
        .otherwise(pl.col(column))
        .cast(tables[table].schema[column])
        .alias(column)
    )
    with pytest.raises(GateFailed, match="nothing was published") as refusal:
        gate({table: tables[table]}, POLICY)
    assert f"{table}: " in str(refusal.value)
    assert named in str(refusal.value)
    assert str(value) not in str(refusal.value) or value in (True, None, 5, 10, 20)
    assert "jane" not in str(refusal.value)


def test_a_column_more_a_doubled_row_and_a_wrong_order_are_refused() -> None:
    tables = frames()
    funnel = tables["funnel"]
    for broken, named in (
        (funnel.with_columns(n_withheld=pl.lit(3)), "match_ordered_list"),
        (funnel.select(sorted(funnel.columns)), "match_ordered_list"),
        (pl.concat([funnel, funnel.head(1)]), "be_unique"),
    ):
        with pytest.raises(GateFailed, match=named):
            gate({"funnel": broken}, POLICY)


def test_an_expectation_that_crashes_is_not_one_that_passed(tmp_path: Path) -> None:
    """Prevents a check that errors from letting rows through."""
    one = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "nowhere", "min_value": 1}}
    (tmp_path / "funnel.json").write_text(json.dumps({"expectations": [one]}))
    with pytest.raises(SuiteError, match="could not be evaluated"):
        check("funnel", frames()["funnel"], {}, tmp_path)


def test_a_parameter_that_is_missing_is_an_error() -> None:
    with pytest.raises(SuiteError, match="parameter"):
        check("funnel", frames()["funnel"], {"min_users": 10})


def test_an_unknown_expectation_stops_the_check(tmp_path: Path) -> None:
    (tmp_path / "funnel.json").write_text(json.dumps({"expectations": [{"type": "expect_goodness", "kwargs": {}}]}))
    with pytest.raises(SuiteError, match="funnel"):
        check("funnel", frames()["funnel"], {}, tmp_path)


def test_a_stricter_policy_at_the_gate_refuses_what_a_weaker_one_let_through() -> None:
    """Prevents rows suppressed under one policy from being published under another."""
    tables = frames()
    with pytest.raises(GateFailed, match="topics"):
        gate(tables, Policy.resolve("strict"))


def test_a_whole_release_goes_through_the_gate(home: Home) -> None:
    result = release(home, POLICY, candidates(WEEK), metadata(WEEK), page, clock=lambda: AT)
    assert result.tables["funnel"] == {"published": 4, "withheld": 0}
    assert result.periods == (WEEK.key,)


def test_a_failed_gate_leaves_no_trace(home: Home) -> None:
    """Prevents a refused release from being visible, or from freezing its period."""
    rows = candidates(WEEK)
    rows["topics"] = rows["topics"].with_columns(topic_name=pl.lit("jane.doe@example.org"))
    with pytest.raises(GateFailed, match="topic_name"):
        release(home, POLICY, rows, metadata(WEEK), page, clock=lambda: AT)
    assert list(home.publications.iterdir()) == []
    assert Ledger.read(home.release_ledger).entries == ()
    release(home, POLICY, candidates(WEEK), metadata(WEEK), page, clock=lambda: AT)


def one_person(users: int) -> Any:
    return lambda table, keys: (
        rated(users, users * 40, 0, 0) if table.name in ("prevalence", "funnel") else plain(table, keys)
    )


@pytest.mark.parametrize(("users", "said"), [(1, "without user ids"), (0, "no counted conversation")])
def test_logs_without_user_ids_are_refused(home: Home, users: int, said: str) -> None:
    """Prevents thresholds on users from being met, or seeming to be, where nobody can be told apart."""
    with pytest.raises(ReleaseRefused, match=said):
        release(home, POLICY, candidates(WEEK, sizes=one_person(users)), metadata(WEEK), page, clock=lambda: AT)
    assert list(home.publications.iterdir()) == []


def test_the_same_days_are_published_once(home: Home) -> None:
    """Prevents late data from being had by subtracting a release from another of the same days."""
    release(home, POLICY, candidates(WEEK), metadata(WEEK), page, clock=lambda: AT)
    for key, said in (("2026-W41", "frozen"), ("2026-10-05..2026-10-11", "exactly the days of 2026-W41")):
        period = parse_period(key)
        with pytest.raises(ReleaseRefused, match=said):
            release(home, POLICY, candidates(period), metadata(period), page, clock=lambda: AT)
    release(home, POLICY, candidates(LATER), metadata(LATER), page, clock=lambda: AT)


def test_rows_of_other_periods_are_refused(home: Home) -> None:
    """Prevents a period that nobody asked for, or that is frozen, from slipping in with another."""
    with pytest.raises(ReleaseRefused, match="other periods"):
        release(home, POLICY, candidates(WEEK, LATER), metadata(WEEK), page, clock=lambda: AT)
    with pytest.raises(ReleaseRefused, match="2026-W42 has no candidate rows"):
        release(home, POLICY, candidates(WEEK), metadata(WEEK, LATER), page, clock=lambda: AT)
    with pytest.raises(ReleaseRefused, match="no period"):
        release(home, POLICY, candidates(WEEK), [], page, clock=lambda: AT)


def test_tables_without_a_policy_are_refused(home: Home) -> None:
    """Prevents a table of conversations from being published because somebody handed it in."""
    rows = candidates(WEEK) | {"conversations": pl.DataFrame({"period_key": [WEEK.key], "content": ["CANARY"]})}
    with pytest.raises(ReleaseRefused, match="no policy for 1 unknown table") as refusal:
        release(home, POLICY, rows, metadata(WEEK), page, clock=lambda: AT)
    assert "CANARY" not in str(refusal.value)
    rows = candidates(WEEK)
    del rows["sentiment"]
    with pytest.raises(ReleaseRefused, match="sentiment"):
        release(home, POLICY, rows, metadata(WEEK), page, clock=lambda: AT)
