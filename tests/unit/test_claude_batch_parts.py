"""A batch's body is exactly what is sent, its limits are never passed, and no line of results can do harm."""

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.classifiers.claude.batch_results import line_read
from dagster_project.classifiers.claude.batch_spool import BatchLimits, Spool
from dagster_project.classifiers.claude.client import Kind, Trouble
from dagster_project.classifiers.claude.transport import Blame, Failed, Replied, TransportError
from dagster_project.storage.request_ledger.records import Request, Usage
from tests.support.conversations import json_values

USAGE = {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 3}
MESSAGE = {
    "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "{}"}],
    "stop_reason": "end_turn",
    "usage": USAGE,
}


def request(number: int = 0) -> Request:
    """One of several days."""
    day = date(2026, 10, 5 + number % 20)
    fields = {"ask_hash": "a", "model": "m", "stage": "screen", "transport": "batch", "attempt": 1, "answered": 0}
    return Request(
        f"id-{number}", "h", day=day, positions="", est_input_tokens=1, est_usd=0.0, owner="o", batch_id=None, **fields
    )  # type: ignore[arg-type]


def body(spool: Spool) -> bytes:
    """All of it, as it is sent."""

    async def whole() -> bytes:
        return b"".join([block async for block in spool])

    return asyncio.run(whole())


def line(result: Any, custom_id: Any = "id-1") -> bytes:
    return json.dumps({"custom_id": custom_id, "result": result}).encode()


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=60), max_size=2), max_size=12),
    st.integers(100, 800),
)
def test_a_body_is_the_json_that_was_meant_and_as_long_as_it_said(
    tmp_path_factory: pytest.TempPathFactory, many: list[dict[str, str]], most: int
) -> None:
    """A length that is wrong breaks the call; a byte beyond the limit has the whole batch refused."""
    with Spool(tmp_path_factory.getbasetemp(), BatchLimits(bytes=most, requests=8)) as spool:
        taken = [params for number, params in enumerate(many) if spool.add(request(number), params)]
        sent = body(spool)
        assert (spool.n_bytes, len(taken) <= 8) == (len(sent), True)
        assert spool.n_bytes <= most
        assert json.loads(sent) == {
            "requests": [{"custom_id": i, "params": p} for i, p in zip(spool.ids, taken, strict=True)]
        }


@pytest.mark.parametrize(("most", "fits"), [(99, 2), (100, 3), (101, 3)])
def test_the_limit_is_kept_to_the_byte(tmp_path: Path, most: int, fits: int) -> None:
    """Three items of this size fill exactly one hundred bytes."""
    with Spool(tmp_path, BatchLimits()) as spool:
        for number in range(3):
            spool.add(request(number), {})
        room = spool.n_bytes
    with Spool(tmp_path, BatchLimits(bytes=most - 100 + room)) as spool:
        assert sum(spool.add(request(number), {}) for number in range(3)) == fits
        assert (spool.first_day, spool.last_day) == (date(2026, 10, 5), date(2026, 10, 4 + fits))


def test_a_full_disk_is_told_in_our_words(tmp_path: Path) -> None:
    """The words of the system are one thing, a traceback with a conversation in it another."""
    (tmp_path / "file").write_text("")
    with pytest.raises(TransportError, match=r"could not be made ready in .*file"):
        Spool(tmp_path / "file" / "folder", BatchLimits())


def test_a_reply_is_read_and_what_is_unpaid_has_no_usage() -> None:
    """Text of thinking blocks is no answer; tokens that are not counted are none."""
    read = line_read(line({"type": "succeeded", "message": MESSAGE}))
    assert read == ("id-1", Replied("end_turn", ("{}",), Usage(5, 2, 0, 3)))
    assert line_read(line({"type": "expired"})) == ("id-1", Failed("expired", Blame.CHANCE))
    assert line_read(line({"type": "canceled"})) == ("id-1", Failed("canceled", Blame.CHANCE))


@pytest.mark.parametrize(
    ("kind", "words", "expected"),
    [
        ("invalid_request_error", "messages: too long", Failed("errored", Blame.REQUEST)),
        ("request_too_large", "", Failed("errored", Blame.REQUEST)),
        ("api_error", "", Failed("errored", Blame.CHANCE)),
        ("overloaded_error", "", Failed("errored", Blame.CHANCE)),
        ("rate_limit_error", "", Failed("errored", Blame.CHANCE)),
        ("something new", "", Failed("errored", Blame.CHANCE)),
        ("not_found_error", "model: claude-9", Kind.FATAL),
        ("permission_error", "", Kind.FATAL),
        ("billing_error", "", Kind.FATAL),
        ("invalid_request_error", "Your credit balance is too low", Kind.FATAL),
    ],
)
def test_an_items_error_is_its_own_or_everybodys(kind: str, words: str, expected: Failed | Kind) -> None:
    """An empty account must not label a hundred thousand conversations invalid."""
    error = {"type": "error", "error": {"type": kind, "message": words}}
    read = line_read(line({"type": "errored", "error": error}))
    assert read is not None
    ended = read[1]
    assert (ended.kind if isinstance(ended, Trouble) else ended) == expected
    assert words not in repr(ended) or not words


@given(json_values, json_values)
def test_no_line_stops_the_others(said: Any, inner: Any) -> None:
    """Results are foreign: whatever a line holds, it is read, or it is no line."""
    lines = [
        json.dumps(said).encode(),
        line(said),
        line({"type": "succeeded", "message": inner}, custom_id=said),
        line({"type": "succeeded", "message": {**MESSAGE, "content": inner, "usage": said}}),
        line({"type": "errored", "error": {"error": inner}}),
        line({"type": "errored", "error": {"error": {"type": inner, "message": said, "details": inner}}}),
    ]
    for one in lines:
        read = line_read(one)
        assert read is None or isinstance(read[0], str)


@pytest.mark.parametrize("broken", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b"null", b'"x"'])
def test_a_broken_line_is_none(broken: bytes) -> None:
    """It is fetched again, or given up, as if it had not come."""
    assert line_read(broken) is None
