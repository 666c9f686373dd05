"""Ingestion from files to landing: every record counted once, nothing lost, nothing said twice, nothing leaked."""

import json
import os
import random
import stat
import threading
import traceback
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.errors import ConfideError
from dagster_project.home import Home, HomeError
from dagster_project.intake import NO_USER_IDS, IntakeError, IntakeReport, ingest
from dagster_project.sources.registry import UnknownFormatError
from dagster_project.storage.ingest_index import IngestBusyError, IngestIndex
from dagster_project.storage.landing import Landing, assemble_day
from expectations.frames.contract import check
from tests.support.conversations import NOW, landed, line, new_home, prefixes, record, turns, worlds, write_lines

EXAMPLES = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return new_home(tmp_path / "home")


def take(home: Home, *values: Any, name: str = "chats.jsonl", **options: Any) -> IntakeReport:
    """Write one file beside the home and ingest it."""
    path = write_lines(home.root.parent / name, values)
    return ingest(home, [path], now=NOW, **options)


def counts(report: IntakeReport) -> tuple[int, int, int, dict[str, int]]:
    return report.accepted, report.duplicates, report.replaced, report.quarantined


def said(home: Home) -> list[list[str]]:
    """The texts of every conversation, by day and start."""
    found = []
    for day in Landing(home).days():
        _, messages = Landing(home).read_day(day)
        found += messages.group_by("conversation_key", maintain_order=True).agg("content")["content"].to_list()
    return found


def test_each_record_is_counted_under_what_became_of_it(home: Home) -> None:
    first = record("c1", messages=turns("a", "b"))
    longer = record("c1", messages=turns("a", "b", "c"))
    other = record("c1", messages=turns("a", "x"))
    report = take(home, first, first, longer, other, b"{", record("c2", user_id=None, started_at="2026-10-06T00:00:00"))
    assert counts(report) == (2, 1, 1, {"conflict": 1, "invalid_json": 1})
    assert report.total == 6
    assert report.days == [date(2026, 10, 5), date(2026, 10, 6)]
    assert (report.assumed_utc, report.without_user_id) == (1, 1)
    assert said(home) == [["a", "b", "c"], ["hello there", "good morning"]]


def test_the_report_in_json_has_the_contracts_keys(home: Home) -> None:
    told = json.loads(json.dumps(take(home, record(), b"x").as_json()))
    assert told["quarantined"] == {"invalid_json": 1}
    assert told["days"] == ["2026-10-05"]
    assert {"accepted", "duplicates", "replaced", "quarantined", "days"} <= set(told)


def test_days_pass_their_contracts(home: Home) -> None:
    values = [record(f"c{i}", user_id=f"u{i % 3}", started_at=1_791_189_000 + 40_000 * i) for i in range(20)]
    take(home, *values, record("tool", messages=[{"role": "tool", "content": None}, *turns("a\x00")]))
    for day in Landing(home).days():
        found = assemble_day(Landing(home), day)
        assert check("conversations", found.conversations, day=day) == []
        assert check("messages", found.messages, conversations=found.conversations) == []


def test_the_same_id_on_two_days_stays_on_the_first(home: Home) -> None:
    report = take(home, record("c1"), record("c1", started_at="2026-10-06T08:30:00Z"))
    assert counts(report) == (1, 0, 0, {"conflict": 1})
    assert Landing(home).days() == [date(2026, 10, 5)]


@pytest.mark.parametrize("late", [1, 7, 40])
def test_late_conversations_land_on_their_own_day(home: Home, late: int) -> None:
    take(home, record("c1", started_at="2026-11-19T10:00:00Z"))
    day = date(2026, 11, 19) - timedelta(days=late)
    report = take(home, record("c2", started_at=f"{day}T10:00:00Z"))
    assert report.days == [day]
    assert Landing(home).days() == [day, date(2026, 11, 19)]


def test_no_id_of_the_source_lands(home: Home) -> None:
    take(home, record("CANARY-CONVERSATION", user_id="CANARY-USER"))
    files = [*home.landing.rglob("*"), home.ingest_index]
    frames = [pl.read_parquet(f) for f in files if f.suffix == ".parquet"]
    assert frames and all("CANARY" not in repr(frame.to_dicts()) for frame in frames)
    assert all(b"CANARY" not in f.read_bytes() for f in files if f.is_file())


def test_logs_without_user_ids_are_told_of_at_once(home: Home) -> None:
    """At release they would all be refused; the operator should know before a month of labelling."""
    assert take(home, record("c1", user_id=None), record("c2", user_id="")).warnings == [NO_USER_IDS]
    some = take(home, record("c3", user_id=None), record("c4")).warnings
    assert some == ["1 of 2 conversations have no user id: together they count as one person"]
    assert take(home, record("c5")).warnings == []


def quarantined(home: Home) -> list[dict[str, Any]]:
    files = sorted(home.quarantine.rglob("*.jsonl"))
    return [json.loads(text) for file in files for text in file.read_text(encoding="utf-8").splitlines()]


def test_the_quarantine_keeps_what_was_refused_as_it_came(home: Home) -> None:
    bad = [b'{"conversation_id": "\xff"}', b'{"cut', line(record("c1", messages=[]))]
    take(home, record("c0"), *bad, name="of \udcff name.jsonl")
    kept = {k["reason"]: k for k in quarantined(home)}
    assert {reason: k["line"] for reason, k in kept.items()} == {"invalid_utf8": 2, "invalid_json": 3, "no_messages": 4}
    assert kept["invalid_json"]["original"] == '{"cut'
    assert kept["no_messages"]["original"].encode() == bad[2]
    assert kept["invalid_utf8"]["original_base64"] == "eyJjb252ZXJzYXRpb25faWQiOiAi/yJ9"
    assert all(k["file"].endswith("name.jsonl") and not k["shortened"] for k in kept.values())


def test_the_quarantine_is_private_and_the_same_refusals_are_kept_once(home: Home) -> None:
    for _ in range(2):
        assert counts(take(home, b"{", record("c1"), record("c1", user_id="u2")))[3] == {
            "conflict": 1,
            "invalid_json": 1,
        }
    files = list(home.quarantine.rglob("*.*"))
    assert sorted(f.parent.name for f in files) == ["conflict", "invalid_json"]
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    assert {stat.S_IMODE(f.parent.stat().st_mode) for f in files} == {0o700}


def test_folders_are_read_in_order_and_what_is_no_chat_log_is_passed_over_and_counted(home: Home) -> None:
    folder = home.root.parent / "logs"
    (folder / "b" / ".git").mkdir(parents=True)
    write_lines(folder / "b" / "2.jsonl.gz", [record("c1", messages=turns("a", "b"))])
    write_lines(folder / "a.ndjson", [record("c1", messages=turns("a"))])
    write_lines(folder / "b" / ".git" / "x.jsonl", [record("hidden")])
    (folder / "README.md").write_text("not a chat log")
    report = ingest(home, [folder, folder / "a.ndjson"], now=NOW)
    assert counts(report) == (1, 0, 1, {})
    assert (report.files, report.files_passed_over) == (2, 1)


def test_a_file_that_cannot_be_read_does_not_stop_the_others(home: Home) -> None:
    folder = home.root.parent / "logs"
    folder.mkdir()
    (folder / "a.jsonl.gz").write_bytes(b"\x1f\x8b\x08")
    (folder / "b.parquet").write_bytes(b"PAR1 no more")
    (folder / "c.jsonl").symlink_to(folder / "gone")
    write_lines(folder / "d.jsonl", [record()])
    assert counts(ingest(home, [folder], now=NOW)) == (1, 0, 0, {"truncated_file": 2, "unreadable_file": 1})


def test_a_path_that_is_not_there_or_an_unknown_format_starts_nothing(home: Home) -> None:
    path = write_lines(home.root.parent / "a.jsonl", [record()])
    with pytest.raises(IntakeError, match=r"gone\.jsonl: no such file or folder"):
        ingest(home, [path, path.parent / "gone.jsonl"], now=NOW)
    os.mkfifo(path.parent / "pipe")
    with pytest.raises(IntakeError, match="pipe: neither a file nor a folder"):
        ingest(home, [path.parent / "pipe"], now=NOW)
    with pytest.raises(UnknownFormatError, match="reads auto, confide"):
        ingest(home, [path], format="chatlog", now=NOW)
    assert Landing(home).days() == []


def test_without_its_key_a_home_takes_nothing(home: Home) -> None:
    """Pseudonyms under another key would make every person a new one."""
    home.key_file.unlink()
    with pytest.raises(HomeError, match="restore it from backup"):
        take(home, record())


def test_progress_runs_from_nothing_to_all_bytes_of_all_files(home: Home) -> None:
    files = [write_lines(home.root.parent / n, [record(n)] * 50) for n in ("a.jsonl", "b.jsonl.gz", "c.jsonl.zst")]
    told: list[tuple[int, int]] = []
    ingest(home, files, progress=lambda done, total: told.append((done, total)), now=NOW)
    size = sum(f.stat().st_size for f in files)
    assert {total for _, total in told} == {size}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (size, size)


def test_a_second_ingest_at_the_same_time_fails_cleanly_or_waits(home: Home) -> None:
    with IngestIndex(home.ingest_index), pytest.raises(IngestBusyError):
        take(home, record(), wait_seconds=0.05)
    assert Landing(home).days() == []
    values = [record(f"c{i}") for i in range(300)]
    path = write_lines(home.root.parent / "a.jsonl", values)
    reports: list[IntakeReport] = []
    threads = [threading.Thread(target=lambda: reports.append(ingest(home, [path], now=NOW))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts(r)[:2] for r in reports) == [(0, 300), (300, 0)]
    assert len(said(home)) == 300


def test_a_full_disk_fails_without_text_and_the_next_ingest_ends_alike(home: Home, tmp_path: Path) -> None:
    """A folder that cannot be written to stands for the full disk: both are an OSError while landing."""
    blocked = home.landing / "day=2026-10-05"
    blocked.write_text("in the way")
    with pytest.raises(IntakeError) as failed:
        take(home, record("c1", messages=turns("CANARY")), record("c2", started_at="2026-10-04T10:00:00Z"))
    assert "CANARY" not in repr(failed.value)
    assert failed.value.__cause__ is None
    blocked.unlink()
    assert counts(take(home, record("c1", messages=turns("CANARY")))) == (1, 0, 0, {})


def test_an_error_that_nobody_foresaw_carries_no_text(home: Home) -> None:
    """What libraries say of a bad value quotes it, and the error goes into logs."""

    def fails(step: str) -> None:
        raise ValueError(f"cannot convert 'CANARY' at {step}")

    with pytest.raises(ConfideError, match="ingesting: ValueError") as failed:
        take(home, record(), step=fails)
    assert "CANARY" not in "".join(traceback.format_exception(failed.value))


def test_an_index_that_was_lost_is_rebuilt_from_what_landed(home: Home) -> None:
    """Without it every conversation of a repeated export would land again."""
    take(home, record("c1", messages=turns("a")), record("c2"))
    take(home, record("c1", messages=turns("a", "b")))
    before = landed(home)
    home.ingest_index.unlink()
    again = take(home, record("c1", messages=turns("a", "b")), record("c2"), record("c2", user_id="u9"))
    assert counts(again) == (0, 2, 0, {"conflict": 1})
    assert landed(home) == before


def test_parts_that_were_removed_are_forgotten_by_the_index_too(home: Home) -> None:
    """Else what was erased by removing its part could never come in again, and nobody would see why."""
    take(home, record("c1"))
    take(home, record("c2", started_at="2026-10-06T08:30:00Z"))
    for part in Landing(home).parts(date(2026, 10, 6)):
        part.unlink()
    assert counts(take(home, record("c1"), record("c2", started_at="2026-10-06T08:30:00Z"))) == (1, 1, 0, {})


def test_the_zone_and_the_umask_of_the_host_change_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    times = ("2026-10-05T23:59:59.999999", "2026-10-25T02:30:00+01:00", 1_791_189_000)
    values = [record(f"c{i}", started_at=at) for i, at in enumerate(times)]
    take(home, *values)
    other = new_home(home.root.parent / "other")
    monkeypatch.setenv("TZ", "Pacific/Apia")
    before = os.umask(0)
    try:
        take(other, *values)
    finally:
        os.umask(before)
    assert landed(other) == landed(home)
    assert Landing(other).part_names() == Landing(home).part_names()
    loose = [p for p in other.root.rglob("*") if stat.S_IMODE(p.stat().st_mode) & 0o077]
    assert loose == []


@EXAMPLES
@given(world=worlds(), seed=st.integers())
def test_the_order_of_independent_conversations_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, world: list[dict[str, Any]], seed: int
) -> None:
    shuffled = random.Random(seed).sample(world, len(world))
    homes = [new_home(tmp_path_factory.mktemp("w") / "home") for _ in range(2)]
    reports = [take(h, *values) for h, values in zip(homes, (world, shuffled), strict=True)]
    assert counts(reports[0]) == counts(reports[1]) == (len(world), 0, 0, {})
    assert landed(homes[0]) == landed(homes[1])


@EXAMPLES
@given(world=worlds())
def test_the_same_file_twice_is_duplicates_and_equal_days(
    tmp_path_factory: pytest.TempPathFactory, world: list[dict[str, Any]]
) -> None:
    home = new_home(tmp_path_factory.mktemp("w") / "home")
    grown = [{**c, "messages": [*c["messages"], *turns("and more")]} for c in world]
    take(home, *world, *grown)
    before, parts = landed(home), Landing(home).part_names()
    assert counts(take(home, *world, *grown)) == (0, 2 * len(world), 0, {})
    assert (landed(home), Landing(home).part_names()) == (before, parts)


@EXAMPLES
@given(world=worlds(5), seed=st.integers(), data=st.data())
def test_growing_conversations_in_files_of_any_order_end_equal(
    tmp_path_factory: pytest.TempPathFactory, world: list[dict[str, Any]], seed: int, data: st.DataObject
) -> None:
    """Exports overlap: each has yesterday's talks as they were then. The longest version must win, once."""
    rng = random.Random(seed)
    whole = new_home(tmp_path_factory.mktemp("w") / "home")
    take(whole, *world)
    versions = [*world]
    for conversation in world:
        first_human = [m["role"] for m in conversation["messages"]].index("user") + 1
        lengths = data.draw(st.sets(st.integers(first_human, len(conversation["messages"])), max_size=3))
        versions += prefixes(conversation, sorted(lengths))
    rng.shuffle(versions)
    parts = data.draw(st.integers(1, 4))
    home = new_home(tmp_path_factory.mktemp("w") / "home")
    for i in range(parts):
        take(home, *versions[i::parts])
    assert landed(home) == landed(whole)


@EXAMPLES
@given(world=worlds(), buffer_bytes=st.integers(0, 6_000))
def test_the_size_of_the_buffer_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, world: list[dict[str, Any]], buffer_bytes: int
) -> None:
    homes = [new_home(tmp_path_factory.mktemp("w") / "home") for _ in range(2)]
    take(homes[0], *world)
    take(homes[1], *world, buffer_bytes=buffer_bytes)
    assert landed(homes[0]) == landed(homes[1])
    assert Landing(homes[0]).part_names() == Landing(homes[1]).part_names()
