"""WildChat as published: Parquet, or the same records as JSON lines.

Facts: dataset cards `allenai/WildChat-1M`, `allenai/WildChat-4.8M` (`conversation_hash`, which is of the content and
so no key; `timestamp`; `conversation` of `content`, `role`, `timestamp`, `hashed_ip`, `turn_identifier`, `redacted`,
…; `hashed_ip`) and the first `allenai/WildChat` (`conversation_id`, no address). The user is the hashed address. What
was redacted stands in the texts as the publisher left it.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Unpack

from dagster_project.sources.building import Draft, as_dict, as_list, first_of, read_each
from dagster_project.sources.confide import Options
from dagster_project.sources.outcome import Parsed, Refusal, Rejected
from dagster_project.sources.times import parse_time

NAME = "wildchat"
DESCRIPTION = "WildChat: Parquet or JSON lines as published"
COLUMNS = ("conversation_hash", "conversation_id", "timestamp", "conversation", "hashed_ip")


def recognises(record: dict[str, Any]) -> str:
    """As `Source.recognises`."""
    if not as_list(record.get("conversation")):
        return ""
    if "conversation_hash" in record:
        return "conversation_hash and conversation"
    return "conversation with a timestamp and toxic" if "timestamp" in record and "toxic" in record else ""


def read(path: Path, **options: Unpack[Options]) -> Iterator[Parsed | Rejected]:
    """As `Source.read`."""
    return read_each(path, draft_of, COLUMNS, **options)


def draft_of(record: dict[str, Any]) -> Draft:
    """One record in canonical keys."""
    messages = record.get("conversation")
    turns = [as_dict(m) for m in as_list(messages)]
    made = {
        "conversation_id": _id(record, turns),
        "user_id": record.get("hashed_ip") or next((t["hashed_ip"] for t in turns if t.get("hashed_ip")), None),
        "started_at": _start(record, turns),
        "messages": [_message(m) for m in messages] if isinstance(messages, list) else messages,
    }
    return Draft(made)


def _id(record: dict[str, Any], turns: list[dict[str, Any]]) -> Any:
    """The hash is of the content: two people who said the same share it, so the first turn's number is put to it."""
    known = first_of(record, ("conversation_hash", "conversation_id"))
    turn = next((t["turn_identifier"] for t in turns if isinstance(t.get("turn_identifier"), (int, float))), None)
    return known if turn is None or not isinstance(known, str) else f"{known}-{turn:.0f}"


def _start(record: dict[str, Any], turns: list[dict[str, Any]]) -> Any:
    """The earliest time of a turn; the record's own is that of the last one."""
    times = [time for t in turns if (time := t.get("timestamp")) is not None and _moment(time) is not None]
    return min(times, key=_moment, default=record.get("timestamp"))  # type: ignore[arg-type]


def _moment(time: Any) -> datetime | None:
    try:
        return parse_time(time)[0]
    except Refusal:
        return None


def _message(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    return {"role": message.get("role"), "content": message.get("content"), "created_at": message.get("timestamp")}
