"""The canonical form: one conversation a JSON line (plain, gzip, Zstandard) or a Parquet row.

Lives here: reading one record, and files of them. Not here: whether a conversation came before
(`storage/ingest_index.py`), pseudonyms (ids are still the source's own here).
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from dagster_project.domain.conversations import Conversation
from dagster_project.sources.messages import clean, parse_messages
from dagster_project.sources.outcome import Parsed, Reason, Refusal, Rejected
from dagster_project.sources.parquet import read_records
from dagster_project.sources.streams import BytesRead, FileProblem, Packing, packing_of, read_lines
from dagster_project.sources.times import EPOCH, parse_time, plausible

NAME = "confide"
DESCRIPTION = "the canonical form: JSON lines (.jsonl, .json, .gz, .zst) or Parquet"
FIELDS = ("conversation_id", "user_id", "started_at", "surface", "messages")
MAX_SURFACE_CHARACTERS = 100
_BOM = b"\xef\xbb\xbf"
_LARGEST_EXACT_FLOAT = 2**53


def recognises(sample: bytes) -> bool:
    """Whether the first bytes of a file (unpacked) look like this form."""
    return b'"conversation_id"' in sample and b'"messages"' in sample


def parse_line(
    line: bytes, *, require_time: bool = True, now: datetime | None = None, line_number: int = 0
) -> Parsed | Rejected:
    """One JSON line as a conversation, or the reason why it is none. Never raises on what the line holds.

    require_time: a missing or null `started_at` is refused; without it, it becomes 1970-01-01 UTC.
    now: the clock that future dates are measured by; the host's without it.
    """
    try:
        record = _decode(line.removeprefix(_BOM))
        if not isinstance(record, dict):
            raise Refusal(Reason.NOT_AN_OBJECT)
        conversation, assumed_utc = parse_record(record, require_time=require_time, now=now)
    except Refusal as refusal:
        return Rejected(refusal.reason, line_number, line, len(line))
    return Parsed(conversation, assumed_utc, line_number, line)


def parse_record(
    record: dict[str, Any], *, require_time: bool = True, now: datetime | None = None
) -> tuple[Conversation, bool]:
    """One decoded record as a conversation, and whether its time zone was assumed. Raises Refusal."""
    conversation_id = identifier(record.get("conversation_id"), Reason.INVALID_ID)
    if conversation_id is None:
        raise Refusal(Reason.MISSING_ID)
    user_id = identifier(record.get("user_id"), Reason.INVALID_USER)
    started_at, assumed_utc = _start(record.get("started_at"), require_time, now)
    messages = parse_messages(record.get("messages"))
    surface = record.get("surface")
    kept = clean(surface)[:MAX_SURFACE_CHARACTERS] or None if isinstance(surface, str) else None
    return Conversation(conversation_id, user_id, started_at, messages, kept), assumed_utc


def read(
    path: Path, *, require_time: bool = True, now: datetime | None = None, bytes_read: BytesRead | None = None
) -> Iterator[Parsed | Rejected]:
    """Every record of a file in order, with its line (or row) number; the file's own problems as `Rejected`."""
    now = now or datetime.now(UTC)
    try:
        packing = packing_of(path)
    except FileProblem as problem:
        yield Rejected(problem.reason)
        return
    if packing is Packing.PARQUET:
        yield from _read_parquet(path, require_time, now, bytes_read)
        return
    for line in read_lines(path, bytes_read):
        if isinstance(line, Rejected):
            yield line
        else:
            yield parse_line(line.content, require_time=require_time, now=now, line_number=line.number)


def _read_parquet(
    path: Path, require_time: bool, now: datetime, bytes_read: BytesRead | None
) -> Iterator[Parsed | Rejected]:
    for row in read_records(path, FIELDS, bytes_read):
        if isinstance(row, Rejected):
            yield row
            continue
        number, record = row
        original = json.dumps(record, ensure_ascii=True, default=str).encode()
        try:
            conversation, assumed_utc = parse_record(record, require_time=require_time, now=now)
        except Refusal as refusal:
            yield Rejected(refusal.reason, number, original, len(original))
        else:
            yield Parsed(conversation, assumed_utc, number, original)


def _decode(line: bytes) -> Any:
    """JSON by the fast, strict parser; by the lenient one what that refuses (NaN, lone surrogates, big numbers)."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise Refusal(Reason.INVALID_UTF8) from None
    except (ValueError, RecursionError):
        raise Refusal(Reason.INVALID_JSON) from None


def identifier(value: Any, reason: Reason = Reason.INVALID_ID) -> str | None:
    """An id as text, None where there is none. Whole numbers are taken, also as tables write them (12.0, NaN).

    Raises Refusal, with this reason, on anything else.
    """
    if isinstance(value, str):
        return clean(value) if value.strip() else None
    if value is None or value != value:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refusal(reason)
    # Past 2**53 a float no longer tells neighbouring ids apart: two people would become one.
    if isinstance(value, float) and not (value.is_integer() and abs(value) <= _LARGEST_EXACT_FLOAT):
        raise Refusal(reason)
    return str(int(value))


def _start(value: Any, require_time: bool, now: datetime | None) -> tuple[datetime, bool]:
    if value is None or value == "":
        if require_time:
            raise Refusal(Reason.MISSING_TIME)
        return EPOCH, False
    moment, assumed_utc = parse_time(value)
    if not plausible(moment, now or datetime.now(UTC)):
        raise Refusal(Reason.IMPLAUSIBLE_DATE)
    return moment, assumed_utc
