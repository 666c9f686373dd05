"""The whole path on one home: nothing asked twice, late data noticed, readers undisturbed, users required."""

import hashlib
from pathlib import Path

import pytest

from dagster_project.domain.disclosure.audit import audit
from dagster_project.home import Home
from dagster_project.release import published_editions
from dagster_project.storage.published import current
from tests.support.homes import confide, done, lake_rows, warehouse_rows
from tests.support.ready_home import COUNTED, DAYS, RELEASED, Ready, ready_home
from tests.support.worlds import conversation, small_world, write_lines

WINDOW = f"{DAYS[0]}..{DAYS[-1]}"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Ready:
    return ready_home(tmp_path_factory)


@pytest.fixture(scope="module")
def home(ready: Ready) -> Path:
    return ready.home


@pytest.fixture(scope="module")
def logs(ready: Ready) -> Path:
    return ready.logs


def digests(home: Path) -> dict[str, str]:
    lake = home / "private" / "lake"
    files = sorted(p for p in lake.rglob("*.parquet") if "topic" not in str(p))
    return {str(p.relative_to(lake)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_late_and_grown_conversations_make_exactly_their_days_stale(home: Path, tmp_path: Path, logs: Path) -> None:
    import json
    import random

    grown = json.loads(logs.read_text().splitlines()[0])
    grown["messages"] += [{"role": "user", "content": "one more thing, if I may"}]
    late = conversation(random.Random(1), 99_001, DAYS[10], "u1", "counseling", 6)
    said = done(confide(home, "ingest", write_lines(tmp_path / "late.jsonl", [grown, late]), "--json")).json
    assert (said["accepted"], said["replaced"]) == (1, 1)
    assert said["days"] == sorted({grown["started_at"][:10], DAYS[10]})
    assert done(confide(home, "status", "--json")).json["days"]["stale"] == said["days"]
    refused = confide(home, "release", COUNTED)
    assert refused.code == 1 and "not up to date" in refused.err
    before = digests(home)
    assert done(confide(home, "run", "--json")).json["days"] == said["days"]
    changed = {name for name, digest in digests(home).items() if before[name] != digest}
    assert {name.split("day=")[1][:10] for name in changed} == set(said["days"])


@pytest.mark.long
def test_the_same_days_again_ask_nothing_and_change_no_byte_and_no_reader_is_disturbed(home: Path) -> None:
    import duckdb

    done(confide(home, "run"))
    done(confide(home, "release", COUNTED))
    current = home / "publications" / "current" / "confide.duckdb"
    lake, warehouse = digests(home), warehouse_rows(home)
    with duckdb.connect(str(current), read_only=True) as reader:
        before = reader.execute("select * from prevalence order by all").fetchall()
        said = done(confide(home, "run", "--from", DAYS[0], "--to", DAYS[-1], "--json")).json
        assert len(said["days"]) == len(DAYS)
        assert digests(home) == lake
        assert warehouse_rows(home) == warehouse
        done(confide(home, "release", WINDOW))
        assert reader.execute("select * from prevalence order by all").fetchall() == before
    with duckdb.connect(str(current), read_only=True) as reader:
        now = reader.execute("select * from prevalence order by all").fetchall()
    assert set(before) < set(now)


@pytest.mark.long
def test_a_window_is_published_over_its_weeks_and_the_same_days_only_once(home: Path) -> None:
    """Overlapping periods stand in one release, and the audit of all of them together finds nothing."""
    snapshot = current(Home(home))
    assert snapshot is not None
    editions = published_editions(snapshot)
    assert {edition.period.key for edition in editions} == {RELEASED, COUNTED, WINDOW}
    assert audit(editions) == []
    said = confide(home, "release", f"{DAYS[0]}..{DAYS[6]}")
    assert said.code == 1 and f"exactly the days of {RELEASED}" in said.err


def test_two_homes_of_the_same_logs_agree_but_for_their_pseudonyms(home: Path, tmp_path: Path, logs: Path) -> None:
    other = tmp_path / "other"
    done(confide(other, "init"))
    done(confide(other, "ingest", logs))
    keys = [{row[0] for rows in lake_rows(h).values() for row in rows} for h in (home, other)]
    assert keys[0].isdisjoint(keys[1])


FAR_FROM_UTC = {"TZ": "Pacific/Kiritimati"}
NOBODYS = [row | {"user_id": None} for row in small_world(DAYS[:1], a_day=20)]


@pytest.fixture(scope="module")
def nobodys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of logs without user ids, on a host where it is tomorrow already."""
    root = tmp_path_factory.mktemp("nobodys")
    home = root / "home"
    done(confide(home, "init"))
    said = done(confide(home, "ingest", write_lines(root / "l.jsonl", NOBODYS), env=FAR_FROM_UTC))
    assert "user id" in said.err
    done(confide(home, "run", "--from", DAYS[0], "--to", DAYS[0], env=FAR_FROM_UTC))
    return home


def test_logs_without_user_ids_are_told_at_the_door_by_doctor_and_refused_at_release(nobodys: Path) -> None:
    examined = confide(nobodys, "doctor")
    assert examined.code == 1 and "user" in examined.out
    refused = confide(nobodys, "release", "2026-W41")
    assert refused.code == 1 and "user id" in refused.err
    assert not (nobodys / "publications" / "current").exists()


def test_days_are_of_utc_wherever_the_host_is(nobodys: Path) -> None:
    """Days are of UTC in the lake and in the warehouse, and no time is moved."""
    from datetime import date, datetime

    lake = {t: rows for t, rows in lake_rows(nobodys).items() if "day=1970" not in t}
    assert {t.split("day=")[1] for t in lake if t.startswith(("conversations/", "messages/"))} == {DAYS[0]}
    conversations = lake[f"conversations/day={DAYS[0]}"]
    times = sorted(value for row in conversations for value in row if isinstance(value, datetime))
    assert times == sorted(datetime.fromisoformat(row["started_at"]) for row in NOBODYS)
    counted = warehouse_rows(nobodys)["intermediate.int_conversations"]
    days = {value for row in counted for value in row if type(value) is date}
    assert (len(counted), days) == (len(NOBODYS), {date.fromisoformat(DAYS[0])})


@pytest.mark.audit
def test_the_hosts_time_zone_changes_nothing(home: Path, tmp_path: Path, logs: Path) -> None:
    elsewhere = tmp_path / "home"
    done(confide(elsewhere, "init"))
    key = Path("private/keys/pseudonym.key")
    (elsewhere / key).chmod(0o600)
    (elsewhere / key).write_bytes((home / key).read_bytes())
    done(confide(elsewhere, "ingest", logs, env=FAR_FROM_UTC))
    done(confide(elsewhere, "run", "--from", DAYS[5], "--to", DAYS[5], env=FAR_FROM_UTC))
    here, there = lake_rows(home), lake_rows(elsewhere)
    for table in ("conversations", "messages"):
        for day in (DAYS[5],):
            assert there[f"{table}/day={day}"] == here[f"{table}/day={day}"]
