"""The canonical form: one conversation a JSON line (plain, gzip, Zstandard) or a Parquet row.

Lives here: reading one record, and files of them. Not here: whether a conversation came before
(`storage/ingest_index.py`), pseudonyms (ids are still the source's own here).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack

from dagster_project.domain.conversations import Conversation
from dagster_project.sources.messages import clean, parse_messages
from dagster_project.sources.outcome import Parsed, Reason, Refusal, Rejected
from dagster_project.sources.records import original_of, read_raw, record_of
from dagster_project.sources.streams import BytesRead, Line
from dagster_project.sources.times import EPOCH, parse_time, plausible

NAME = "confide"
DESCRIPTION = "the canonical form: JSON lines (.jsonl, .json, .gz, .zst) or Parquet"
FIELDS = ("conversation_id", "user_id", "started_at", "surface", "messages")
MAX_SURFACE_CHARACTERS = 100
_LARGEST_EXACT_FLOAT = 2**53


class Options(TypedDict, total=False):
    """How a file is read, the same for every format.

    require_time: a conversation without a time is refused (the default); else it is of 1970-01-01 UTC.
    now: the clock that future dates are measured by; the host's without it.
    started_at: when conversations began that say no time themselves.
    bytes_read: told how far reading is.
    scratch: a private folder for records that must wait in a file; without it the system's, in a file without a name.
    """

    require_time: bool
    now: datetime | None
    started_at: datetime | None
    bytes_read: BytesRead | None
    scratch: Path | None


def recognises(record: dict[str, Any]) -> str:
    """As `Source.recognises`. With a `started_at`, an id that is missing is a fault and not another format."""
    if "messages" in record and ("conversation_id" in record or "started_at" in record):
        return "conversation_id and messages"
    return ""


def parse_line(
    line: bytes, *, require_time: bool = True, now: datetime | None = None, line_number: int = 0
) -> Parsed | Rejected:
    """One JSON line as a conversation, or the reason why it is none. Never raises on what the line holds.

    require_time: a missing or null `started_at` is refused; without it, it becomes 1970-01-01 UTC.
    now: the clock that future dates are measured by; the host's without it.
    """
    try:
        record = record_of(Line(line_number, line))
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


def read(path: Path, **options: Unpack[Options]) -> Iterator[Parsed | Rejected]:
    """Every record of a file in order, with its line (or row) number; the file's own problems as `Rejected`."""
    require_time, started_at = options.get("require_time", True), options.get("started_at")
    now = options.get("now") or datetime.now(UTC)
    for raw in read_raw(path, FIELDS, options.get("bytes_read")):
        if isinstance(raw, Rejected):
            yield raw
            continue
        original = original_of(raw)
        try:
            record = with_start(record_of(raw), started_at)
            conversation, assumed_utc = parse_record(record, require_time=require_time, now=now)
        except Refusal as refusal:
            yield Rejected(refusal.reason, raw.number, original, len(original))
        else:
            yield Parsed(conversation, assumed_utc, raw.number, original)


def with_start(record: dict[str, Any], started_at: datetime | None) -> dict[str, Any]:
    """A record, begun at `started_at` if it says no time itself."""
    if started_at is None or record.get("started_at") not in (None, ""):
        return record
    return {**record, "started_at": started_at}


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
