"""Files packed, cut off, damaged, huge or not what they are called: what can be read is, and the rest is counted."""

import gzip
import io
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.sources import confide
from dagster_project.sources.outcome import Parsed, Reason, Rejected
from dagster_project.sources.registry import SOURCES, UnknownFormatError, source_of
from dagster_project.sources.streams import Line, read_lines
from tests.support.conversations import NOW, line, record, turns, write_lines


def outcomes(path: Path) -> list[tuple[int, str]]:
    """What a file comes to: line numbers, with ids or reasons."""
    return [
        (o.line_number, o.reason.value if isinstance(o, Rejected) else o.conversation.conversation_id)
        for o in confide.read(path, now=NOW)
    ]


SOUND = [record(f"c{i}") for i in range(1, 6)]
EXPECTED = [(i, f"c{i}") for i in range(1, 6)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.jsonl.gz", "a.jsonl.zst", "name.that.lies", "lies.zst.gz"])
def test_lines_are_read_alike_however_they_are_packed(tmp_path: Path, name: str) -> None:
    assert outcomes(write_lines(tmp_path / name, SOUND)) == EXPECTED


def test_the_first_bytes_decide_and_not_the_name(tmp_path: Path) -> None:
    packed = write_lines(tmp_path / "a.jsonl.gz", SOUND)
    assert outcomes(packed.rename(tmp_path / "plain.jsonl")) == EXPECTED


def test_bom_crlf_blank_lines_and_a_missing_last_line_end(tmp_path: Path) -> None:
    path = tmp_path / "windows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join([line(SOUND[0]), b"", b"  ", line(SOUND[1])]))
    assert outcomes(path) == [(1, "c1"), (4, "c2")]


def test_files_joined_one_after_the_other_are_read_to_the_end(tmp_path: Path) -> None:
    for name, pack in (("two.gz", gzip.compress), ("two.zst", zstandard.compress)):
        (tmp_path / name).write_bytes(pack(line(SOUND[0]) + b"\n") + pack(line(SOUND[1]) + b"\n"))
        assert outcomes(tmp_path / name) == [(1, "c1"), (2, "c2")]


def _long_file(tmp_path: Path, name: str) -> tuple[Path, int]:
    """Lines that do not pack well, so that half of the file has many of them."""
    rng = random.Random(9)
    lines = [record(f"c{i}", messages=turns(rng.randbytes(300).hex())) for i in range(2_000)]
    path = write_lines(tmp_path / name, lines)
    return path, len(lines)


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_file_cut_off_gives_its_whole_lines_and_one_reason(tmp_path: Path, name: str) -> None:
    """An upload that broke off must not lose what came, and must not pass for whole."""
    path, n_lines = _long_file(tmp_path, name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    found = outcomes(path)
    assert found[-1][1] == "truncated_file"
    assert len(found) - 1 > n_lines // 2
    assert found[:-1] == [(i + 1, f"c{i}") for i in range(len(found) - 1)]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_file_cut_by_its_last_byte_is_still_cut(tmp_path: Path, name: str) -> None:
    path = write_lines(tmp_path / name, SOUND)
    path.write_bytes(path.read_bytes()[:-1])
    assert outcomes(path)[-1][1] == "truncated_file"


def test_damage_in_the_middle_keeps_what_came_before(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "a.jsonl.zst"):
        path, n_lines = _long_file(tmp_path, name)
        data = bytearray(path.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 2_000] = bytes(2_000)
        path.write_bytes(data)
        found = outcomes(path)
        assert found[-1][1] == "damaged_file"
        assert 1 < len(found) < n_lines
        sound = n_lines // 3  # What comes after the damage may read as lines; they are judged like any other.
        assert found[:sound] == [(i + 1, f"c{i}") for i in range(sound)]


@pytest.mark.parametrize("name", ["empty.gz", "empty.zst", "empty.parquet"])
def test_an_empty_file_that_should_be_packed_was_cut_off(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert outcomes(tmp_path / name) == [(0, "truncated_file")]


def test_an_empty_plain_file_is_no_conversation_and_no_fault(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    assert outcomes(tmp_path / "empty.jsonl") == []


def test_a_file_that_cannot_be_opened_is_one_reason(tmp_path: Path) -> None:
    assert outcomes(tmp_path) == [(0, "unreadable_file")]
    assert outcomes(tmp_path / "gone.jsonl") == [(0, "unreadable_file")]


def test_a_line_too_long_to_hold_is_passed_over_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_bytes(b"a\n" + b"x" * 1_000_000 + b"\n" + b"b\n" + b"y" * 5_000)
    found = list(read_lines(path, max_bytes=4_000))
    kept = [(f.number, f.content) for f in found if isinstance(f, Line)]
    refused = [(f.line_number, f.reason, f.n_bytes) for f in found if isinstance(f, Rejected)]
    assert kept == [(1, b"a"), (3, b"b")]
    assert refused == [(2, Reason.TOO_LONG_LINE, 1_000_000), (4, Reason.TOO_LONG_LINE, 5_000)]


def test_a_line_as_long_as_allowed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "edge.jsonl"
    path.write_bytes(b"x" * 4_000 + b"\n" + b"y" * 4_001 + b"\n")
    assert [isinstance(f, Line) for f in read_lines(path, max_bytes=4_000)] == [True, False]


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=30).filter(lambda b: b"\n" not in b and not b.isspace() and b), max_size=20))
def test_every_line_comes_out_once_with_its_number(lines: list[bytes]) -> None:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as file:
        file.write(b"\n".join(lines))
    path = Path(f"/proc/self/fd/{_memory_file(buffer.getvalue())}")
    try:
        found = [(f.number, f.content) for f in read_lines(path) if isinstance(f, Line)]
    finally:
        os.close(int(path.name))
    assert found == list(enumerate(lines, 1))


def _memory_file(data: bytes) -> int:
    descriptor = os.memfd_create("lines")
    os.write(descriptor, data)
    return descriptor


def test_bytes_are_told_as_they_lie_on_disk(tmp_path: Path) -> None:
    """A progress bar over a packed file must end at its end."""
    for name in ("a.jsonl", "a.jsonl.gz", "a.jsonl.zst"):
        path, _ = _long_file(tmp_path, name)
        told: list[int] = []
        list(confide.read(path, now=NOW, bytes_read=told.append))
        assert told == sorted(told)
        assert told[-1] == path.stat().st_size


AT = datetime(2026, 10, 5, 8, 30, tzinfo=UTC)


def parquet(tmp_path: Path, **columns: Any) -> Path:
    path = tmp_path / "chats.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def sound_columns(n: int = 3, **columns: Any) -> dict[str, Any]:
    return {
        "conversation_id": [f"c{i + 1}" for i in range(n)],
        "user_id": [f"u{i}" for i in range(n)],
        "started_at": [AT] * n,
        "messages": [turns("hello", "good morning")] * n,
        **columns,
    }


def test_parquet_rows_are_read_like_lines(tmp_path: Path) -> None:
    found = list(confide.read(parquet(tmp_path, **sound_columns(), embedding=[[0.1]] * 3), now=NOW))
    assert [(f.line_number, f.conversation.conversation_id) for f in found if isinstance(f, Parsed)] == [
        (1, "c1"),
        (2, "c2"),
        (3, "c3"),
    ]
    first = found[0]
    assert isinstance(first, Parsed)
    assert first.conversation.started_at == AT
    assert [m.content for m in first.conversation.messages] == ["hello", "good morning"]


TIMES = [
    (pa.array([AT] * 3, pa.timestamp("ns", "Europe/Berlin")), False),
    (pa.array([AT.replace(tzinfo=None)] * 3, pa.timestamp("ns")), True),
    (pa.array([AT.replace(tzinfo=None)] * 3, pa.timestamp("ms")), True),
    (pa.array([1_791_189_000] * 3), False),
    (pa.array(["2026-10-05T08:30:00Z"] * 3), False),
]


@pytest.mark.parametrize(("times", "assumed"), TIMES, ids=[str(t.type) for t, _ in TIMES])
def test_parquet_times_of_every_type_are_one_moment(tmp_path: Path, times: pa.Array, assumed: bool) -> None:
    for outcome in confide.read(parquet(tmp_path, **sound_columns(started_at=times)), now=NOW):
        assert isinstance(outcome, Parsed)
        assert (outcome.conversation.started_at, outcome.assumed_utc) == (AT, assumed)


def test_parquet_rows_that_cannot_be_used_have_reasons_and_the_others_go_on(tmp_path: Path) -> None:
    spoilt = pa.array([b"u1", b"\xff\xfe", b"u3"], pa.binary()).view(pa.string())
    assert outcomes(parquet(tmp_path, **sound_columns(user_id=spoilt))) == [(1, "c1"), (2, "invalid_utf8"), (3, "c3")]
    no_ids = sound_columns(conversation_id=["c1", None, "c3"])
    assert outcomes(parquet(tmp_path, **no_ids)) == [(1, "c1"), (2, "missing_id"), (3, "c3")]


def test_parquet_from_polars_with_nanoseconds_inside_messages(tmp_path: Path) -> None:
    messages = [[{"role": "user", "content": "hi", "created_at": AT}]]
    frame = pl.DataFrame({"conversation_id": ["c1"], "user_id": [7], "started_at": [AT], "messages": messages})
    inner = pl.List(pl.Struct({"role": pl.String, "content": pl.String, "created_at": pl.Datetime("ns", "UTC")}))
    frame.with_columns(pl.col("messages").cast(inner)).write_parquet(tmp_path / "p.parquet")
    (outcome,) = confide.read(tmp_path / "p.parquet", now=NOW)
    assert isinstance(outcome, Parsed)
    assert (outcome.conversation.user_id, outcome.conversation.messages[0].created_at) == ("7", AT)


def test_a_parquet_file_cut_off_or_of_other_columns_is_one_reason(tmp_path: Path) -> None:
    path = parquet(tmp_path, a=[1], b=[2])
    assert outcomes(path) == [(0, "unreadable_file")]
    path = parquet(tmp_path, **sound_columns())
    path.write_bytes(path.read_bytes()[:-100])
    assert outcomes(path) == [(0, "truncated_file")]


def test_the_originals_of_refused_parquet_rows_are_kept(tmp_path: Path) -> None:
    (refused,) = confide.read(parquet(tmp_path, **sound_columns(1, conversation_id=[""])), now=NOW)
    assert isinstance(refused, Rejected)
    assert b"good morning" in refused.original


def test_what_no_format_recognises_is_read_as_canonical_and_gets_its_reasons(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text("this is no chat log\n")
    found: Iterator[Parsed | Rejected] = source_of(path).source.read(path, now=NOW)
    assert [f.reason for f in found if isinstance(f, Rejected)] == [Reason.INVALID_JSON]


def test_an_unknown_format_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormatError, match="'chatlog': this version reads auto, confide"):
        source_of(tmp_path / "a.jsonl", "chatlog")


def test_every_format_recognises_its_own_and_is_found_by_name(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl.gz", SOUND)
    assert source_of(path).source is source_of(path, "confide").source is confide
    assert len({source.NAME for source in SOURCES}) == len(SOURCES)
