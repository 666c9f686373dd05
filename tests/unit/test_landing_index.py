"""The index decides what a conversation is beside what came before; a wrong verdict loses or doubles people's talks."""

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dagster_project.storage.ingest_index import Entry, IndexDamagedError, IngestBusyError, IngestIndex, Verdict
from dagster_project.storage.pseudonyms import NO_USER, Pseudonyms
from tests.support.conversations import KEY

PSEUDONYMS = Pseudonyms(KEY)
AT = datetime(2026, 10, 5, 8, 30, tzinfo=UTC)


def hash_of(texts: tuple[str, ...]) -> str:
    return PSEUDONYMS.content(texts)


def entry(*texts: str) -> Entry:
    return Entry(PSEUDONYMS.conversation("c1"), PSEUDONYMS.user("u1"), AT, len(texts), hash_of(texts))


def judge(index: IngestIndex, *texts: str, **other: object) -> Verdict:
    return index.judge(replace(entry(*texts), **other), lambda n: hash_of(texts[:n]))  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "private" / "index.sqlite"


def test_each_verdict(path: Path) -> None:
    with IngestIndex(path) as index:
        assert judge(index, "a", "b") is Verdict.NEW
        assert judge(index, "a", "b") is Verdict.DUPLICATE
        assert judge(index, "a", "c") is Verdict.CONFLICT
        assert judge(index, "a", "c", "d") is Verdict.CONFLICT
        assert judge(index, "a", "b", "c") is Verdict.REPLACED
        assert judge(index, "a", "b", "c") is Verdict.DUPLICATE
        assert judge(index, "a") is Verdict.CONFLICT
        assert judge(index, "ab") is Verdict.CONFLICT


def test_an_older_export_that_comes_again_is_a_duplicate(path: Path) -> None:
    """The same files taken in twice must not fill the quarantine with versions that were replaced."""
    with IngestIndex(path) as index:
        for texts in ("a", "ab", "abcd"):
            judge(index, *texts)
        assert [judge(index, *texts) for texts in ("a", "ab", "abcd")] == [Verdict.DUPLICATE] * 3
        assert judge(index, *"abc") is Verdict.CONFLICT
        assert judge(index, *"ab", user_key=NO_USER) is Verdict.CONFLICT


def test_the_same_words_by_another_person_or_on_another_day_are_a_conflict(path: Path) -> None:
    """Otherwise a talk would move to another person or be counted on two days."""
    with IngestIndex(path) as index:
        judge(index, "a")
        assert judge(index, "a", user_key=PSEUDONYMS.user("u2")) is Verdict.CONFLICT
        assert judge(index, "a", user_key=NO_USER) is Verdict.CONFLICT
        assert judge(index, "a", started_at=AT + timedelta(days=1)) is Verdict.CONFLICT
        assert judge(index, "a", "b", started_at=AT + timedelta(microseconds=1)) is Verdict.CONFLICT
        assert judge(index, "a") is Verdict.DUPLICATE


def test_a_refused_version_leaves_no_trace(path: Path) -> None:
    with IngestIndex(path) as index:
        judge(index, "a", "b")
        judge(index, "a", "x", "y")
        assert judge(index, "a", "b", "c") is Verdict.REPLACED


def test_only_what_was_committed_is_known_the_next_time(path: Path) -> None:
    with IngestIndex(path) as index:
        judge(index, "a")
        index.cover(["day=2026-10-05/1.parquet"])
    with IngestIndex(path) as index:
        assert judge(index, "a") is Verdict.NEW
        assert index.parts() == set()
        index.cover(["day=2026-10-05/1.parquet"])
        index.commit()
    with IngestIndex(path) as index:
        assert judge(index, "a") is Verdict.DUPLICATE
        assert index.parts() == {"day=2026-10-05/1.parquet"}


def test_catching_up_keeps_the_longer_version_whatever_the_order(path: Path) -> None:
    short, long = entry("a"), entry("a", "b")
    for order in ([short, long], [long, short]):
        with IngestIndex(path) as index:
            index.catch_up([*order, *order])
            assert judge(index, "a", "b") is Verdict.DUPLICATE
            assert judge(index, "a") is Verdict.DUPLICATE


def test_a_second_ingest_waits_and_then_says_so(path: Path) -> None:
    with (
        IngestIndex(path),
        pytest.raises(IngestBusyError, match="another ingest into this home is running"),
        IngestIndex(path, wait_seconds=0.05),
    ):
        pass
    with IngestIndex(path, wait_seconds=0.05) as index:
        assert judge(index, "a") is Verdict.NEW


def test_the_index_is_private_and_holds_no_words(path: Path) -> None:
    with IngestIndex(path) as index:
        judge(index, "CANARY one", "CANARY two")
        index.commit()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"CANARY" not in path.read_bytes()


def test_a_damaged_index_says_how_to_have_it_rebuilt(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1_000)
    with pytest.raises(IndexDamagedError, match="remove it, the next ingest rebuilds it"), IngestIndex(path):
        pass
