"""Differential privacy: noise as large as it claims to be, a budget that is never passed and never refunded."""

import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dagster_project.domain.periods import parse_period
from dagster_project.domain.tables import NOISY_USERS, PREVALENCE
from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.noisy_counts import CATEGORIES, SENSITIVITY, Budget, noisy_users
from dagster_project.policy.loader import Policy
from dagster_project.release import release
from dagster_project.storage.published import current
from dagster_project.storage.release_ledger import Ledger, ReleaseRefused
from tests.support.candidates import AT, WEEK, candidates, metadata, page
from tests.support.remembered import writing_alone

POLICY = Policy.resolve()
LATER = parse_period("2026-W42")
THIRD = parse_period("2026-W43")


@pytest.fixture(scope="module", autouse=True)
def _writing_alone() -> Iterator[None]:
    with writing_alone():
        yield


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def exact(users: int) -> list[dict[str, Any]]:
    return [{"period_key": WEEK.key, "category": category, "n_users": users} for category in CATEGORIES]


def test_the_noise_is_that_of_the_stated_epsilon() -> None:
    """Prevents a promise of epsilon from being kept with the noise of a larger one. Discrete Laplace: P(|x| > t)."""
    epsilon, drawn = 0.5, list[int]()
    for _ in range(400):
        drawn += [row["n_users_noisy"] - 100_000 for row in noisy_users(exact(100_000), [WEEK], epsilon)]
    decay = math.exp(-epsilon / SENSITIVITY)
    for t in (5, 20, 60):
        beyond = 2 * decay ** (t + 1) / (1 + decay)
        seen = sum(abs(x) > t for x in drawn) / len(drawn)
        assert abs(seen - beyond) < 5 * math.sqrt(beyond * (1 - beyond) / len(drawn))
    assert abs(sum(drawn) / len(drawn)) < 5 * math.sqrt(2) * SENSITIVITY / epsilon / math.sqrt(len(drawn))
    accuracy = noisy_users(exact(0), [WEEK], epsilon)[0]["accuracy"]
    assert sum(abs(x) >= accuracy for x in drawn) / len(drawn) < 0.065


def test_a_user_changes_each_category_by_one_at_most() -> None:
    """Prevents the sensitivity from being stated smaller than one user's influence: every category of prevalence."""
    assert PREVALENCE.fixed["category"] == CATEGORIES
    assert len(CATEGORIES) == SENSITIVITY
    assert all(row["n_users_noisy"] >= 0 for _ in range(20) for row in noisy_users(exact(0), [WEEK], 1.0))


def test_it_is_off_by_default_and_a_table_of_its_own_when_on(home: Home) -> None:
    release(home, POLICY, candidates(WEEK), metadata(WEEK), page, clock=lambda: AT)
    snapshot = current(home)
    assert snapshot is not None and not list(snapshot.path.glob("tables/noisy_users*"))
    release(home, POLICY, candidates(LATER), metadata(LATER), page, clock=lambda: AT, budget=Budget(1.0, 10.0))
    snapshot = current(home)
    assert snapshot is not None
    table = snapshot.read_table("noisy_users")
    assert table.columns == [column.name for column in NOISY_USERS.published_columns]
    assert table["period_start"].unique().to_list() == [LATER.start]
    assert set(table["category"]) == set(CATEGORIES) and set(table["epsilon"]) == {1.0}
    told = {period["key"]: period.get("epsilon") for period in snapshot.manifest()["periods"]}
    assert told == {WEEK.key: None, LATER.key: 1.0}
    assert (snapshot.path / "tables" / "noisy_users.csv").exists()


def spent(home: Home) -> list[Mapping[str, Any]]:
    return [p for entry in Ledger.read(home.release_ledger).entries for p in entry.periods if "epsilon" in p]


def test_the_budget_is_spent_before_a_release_and_never_comes_back(home: Home) -> None:
    """Prevents noise from being averaged away by asking often, and a release that failed from being free."""
    budget = Budget(1.0, 2.0)
    release(home, POLICY, candidates(WEEK), metadata(WEEK), page, clock=lambda: AT, budget=budget)

    class Cut(Exception):
        pass

    def cut(step: str) -> None:
        if step == "entered":
            raise Cut

    with pytest.raises(Cut):
        release(home, POLICY, candidates(LATER), metadata(LATER), page, clock=lambda: AT, step=cut, budget=budget)
    assert len(spent(home)) == 2
    with pytest.raises(ReleaseRefused, match=r"2 of .*total_epsilon = 2 are spent and 1 more"):
        release(home, POLICY, candidates(LATER), metadata(LATER), page, clock=lambda: AT, budget=budget)
    snapshot = current(home)
    assert snapshot is not None and len(snapshot.manifest()["periods"]) == 1
    release(home, POLICY, candidates(THIRD), metadata(THIRD), page, clock=lambda: AT)
    assert len(spent(home)) == 2


def test_without_the_extra_the_error_says_what_to_install(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents a release without the noise that was asked for."""
    monkeypatch.setitem(sys.modules, "opendp.prelude", None)
    with pytest.raises(ConfideError, match="install confide with its extra `dp`"):
        release(home, POLICY, candidates(WEEK), metadata(WEEK), page, clock=lambda: AT, budget=Budget(1.0, 2.0))
    assert current(home) is None


def test_published_noise_is_frozen(home: Home) -> None:
    """Prevents each release from drawing new noise for the same period, which would average out."""
    budget = Budget(1.0, 10.0)
    release(home, POLICY, candidates(WEEK), metadata(WEEK), page, clock=lambda: AT, budget=budget)
    first = current(home)
    release(home, POLICY, candidates(LATER), metadata(LATER), page, clock=lambda: AT, budget=budget)
    second = current(home)
    assert first is not None and second is not None
    again = second.read_table("noisy_users").filter(pl.col("period_start") == WEEK.start)
    assert again.equals(first.read_table("noisy_users"))
