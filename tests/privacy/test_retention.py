"""What is older than the setting says must go from every store, and must not come back, nor be published half."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from dagster_project.domain.periods import parse_period
from dagster_project.erasing.by_age import RetentionError, erase_expired, erased_before
from dagster_project.home import Home
from dagster_project.settings import ReleaseSettings, RetentionSettings, Settings
from dagster_project.storage.closed_days import why_closed, why_cut
from dagster_project.storage.landing import Landing
from dagster_project.storage.tombstones import Tombstones
from dagster_project.workspace import Workspace
from tests.support.conversations import record
from tests.support.erasable import contents, copy_of, filled_home, take
from tests.support.erased_person import DAYS, SAID, everything, hits

TODAY = date(2026, 11, 20)
CUTOFF = date(2026, 10, 7)
KEPT_DAYS = (TODAY - CUTOFF).days


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return filled_home(tmp_path_factory.mktemp("filled") / "home", everything())


@pytest.fixture
def home(filled: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("CONFIDE_RETENTION__DAYS", str(KEPT_DAYS))
    return copy_of(filled, tmp_path / "home")


def test_conversations_beyond_their_age_leave_every_store_and_the_others_stay(home: Home) -> None:
    before = contents(home)
    report = erase_expired(Workspace.open(home.root), TODAY)
    after = contents(home)
    assert report.days == [date.fromisoformat(day) for day in DAYS[:2]]
    assert Landing(home).days() == [date.fromisoformat(day) for day in DAYS[2:]]
    assert hits(home, [SAID]) == [hit for hit in hits(home, [SAID]) if "quarantine" in hit]
    kept = [name for name in before if any(day in name for day in DAYS[2:])]
    assert kept and all(after[name] == before[name] for name in kept)
    assert {row[0] for row in after["warehouse intermediate.int_conversations"]} == {
        date.fromisoformat(day) for day in DAYS[2:]
    }
    shared = {row[0] for row in after["answers"]}
    assert shared == {row[4].hex() for row in after["index conversations"]}
    assert Tombstones(home).read().conversations == frozenset(), "one day says it: no list of millions"


def test_an_old_export_stays_out_by_its_age(home: Home) -> None:
    erase_expired(Workspace.open(home.root), TODAY)
    old = record("unseen", started_at=f"{DAYS[1]}T23:59:59Z")
    young = record("unseen too", started_at=f"{DAYS[2]}T00:00:00Z")
    told = take(home, [old, young]).as_json()
    assert (told["erased"], told["accepted"]) == (1, 1)


def test_a_second_time_there_is_nothing_left_to_do(home: Home) -> None:
    workspace = Workspace.open(home.root)
    erase_expired(workspace, TODAY)
    before = contents(home)
    assert erase_expired(workspace, TODAY).conversations == 0
    assert contents(home) == before
    later = erase_expired(workspace, TODAY + timedelta(days=1))
    assert later.days == [date.fromisoformat(DAYS[2])]


def test_refused_records_go_by_the_time_they_were_set_aside(home: Home) -> None:
    """Nobody can tell when a record was said that has no readable time."""
    files = sorted(home.quarantine.glob("*/*.jsonl"))
    long_ago = datetime(2026, 9, 1, tzinfo=UTC).timestamp()
    os.utime(files[0], (long_ago, long_ago))
    erase_expired(Workspace.open(home.root), TODAY)
    assert sorted(home.quarantine.glob("*/*.jsonl")) == files[1:]


def test_a_period_that_lost_days_by_age_is_neither_published_nor_corrected(home: Home) -> None:
    erase_expired(Workspace.open(home.root), TODAY)
    cut, whole = parse_period("2026-W41"), parse_period("2026-W42")
    assert "no longer whole" in str(why_cut(home, cut)) and why_closed(home, cut) is not None
    assert why_cut(home, whole) is None and why_closed(home, whole) is None


@pytest.mark.parametrize(("period", "least"), [("day", 8), ("week", 14), ("month", 38)])
def test_days_are_not_erased_before_their_period_can_be_released(period: str, least: int) -> None:
    release = ReleaseSettings.model_validate({"period": period})
    settings = [Settings(release=release, retention=RetentionSettings(days=n)) for n in (least - 1, least)]
    with pytest.raises(RetentionError, match=f"at least {least}"):
        erased_before(settings[0], TODAY)
    assert erased_before(settings[1], TODAY) == TODAY - timedelta(days=least)


def test_without_the_setting_nothing_is_erased_by_age(filled: Home, tmp_path: Path) -> None:
    home = copy_of(filled, tmp_path / "home")
    before = contents(home)
    assert erase_expired(Workspace.open(home.root), TODAY).conversations == 0
    assert contents(home) == before and not Tombstones(home).read()


def test_the_scheduled_asset_does_it_and_tells_counts_alone(home: Home) -> None:
    import dagster as dg

    from dagster_project.assets.retention import HomeAlone, retention

    days = {str(row[0]): 0 for row in contents(home)["warehouse intermediate.int_conversations"]}
    for row in contents(home)["warehouse intermediate.int_conversations"]:
        days[str(row[0])] += 1
    result = dg.materialize([retention], resources={"home_alone": HomeAlone(root=str(home.root))})
    before = Tombstones(home).read().before
    assert result.success and before == datetime.now(UTC).date() - timedelta(days=KEPT_DAYS)
    (made,) = result.asset_materializations_for_node("retention")
    told = {name: value.value for name, value in made.metadata.items()}
    assert told["conversations"] == sum(n for day, n in days.items() if day < before.isoformat())
    assert told["erased_before"] == before.isoformat() and set(told) == {
        "erased_before",
        "conversations",
        "days",
        "quarantined",
    }


def test_the_schedule_runs_where_the_setting_is_made_and_nowhere_else() -> None:
    import dagster as dg

    from dagster_project.schedules import retention_schedule

    on, off = retention_schedule(3, True), retention_schedule(3, False)
    assert on.default_status is dg.DefaultScheduleStatus.RUNNING and on.cron_schedule == "30 3 * * *"
    assert off.default_status is dg.DefaultScheduleStatus.STOPPED
