"""From a format's record to a conversation: what the formats share once each has said where its parts lie.

Lives here: the draft a format makes of a record, ids for records that have none, reading a file in which every record
is a conversation. Not here: where the parts of a record lie (each format), what is valid (`confide.py`,
`messages.py`), conversations that are spread over several records (`threads.py`).
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Unpack

import orjson

from dagster_project.sources.confide import Options, parse_record, with_start
from dagster_project.sources.outcome import Left, Parsed, Reason, Refusal, Rejected
from dagster_project.sources.records import original_of, read_raw, record_of


@dataclass(frozen=True, slots=True)
class Draft:
    """A record in canonical keys (`confide.FIELDS`), not validated yet, and what was left out of it.

    No `conversation_id`: one is derived from what the conversation is. began_earlier: see `Parsed`.
    """

    record: dict[str, Any] = field(repr=False)
    left_out: Mapping[Left, int] = field(default_factory=dict)
    began_earlier: bool = False


def read_each(
    path: Path, draft_of: Callable[[dict[str, Any]], Draft], columns: Sequence[str] | None, **options: Unpack[Options]
) -> Iterator[Parsed | Rejected]:
    """Every record of a file as a conversation, in order. draft_of may raise Refusal.

    columns: those that the format needs of a Parquet file.
    """
    options["now"] = options.get("now") or datetime.now(UTC)
    for raw in read_raw(path, columns, options.get("bytes_read")):
        if isinstance(raw, Rejected):
            yield raw
            continue
        try:
            draft = draft_of(record_of(raw))
        except Refusal as refusal:
            original = original_of(raw)
            yield Rejected(refusal.reason, raw.number, original, len(original))
        else:
            yield finished(draft, raw.number, original_of(raw), **options)


def finished(draft: Draft, number: int, original: bytes, **options: Unpack[Options]) -> Parsed | Rejected:
    """A draft as a conversation, or the reason why it is none."""
    try:
        if draft.record.get("messages") in (None, []):
            # Said first: a record of something else altogether is not one whose time is missing.
            raise Refusal(Reason.NO_MESSAGES)
        record = {**draft.record, "conversation_id": draft.record.get("conversation_id") or derived_id(draft.record)}
        conversation, assumed_utc = parse_record(
            with_start(record, options.get("started_at")),
            require_time=options.get("require_time", True),
            now=options.get("now"),
        )
    except Refusal as refusal:
        return Rejected(refusal.reason, number, original, len(original))
    return Parsed(conversation, assumed_utc, number, original, draft.left_out, draft.began_earlier)


def derived_id(record: Mapping[str, Any]) -> str:
    """An id from what a conversation is: the same record always has the same one.

    A time given for the whole file is no part of it: the file read again with another time is found to conflict, not
    counted twice.
    """
    what = [record.get("user_id"), record.get("started_at"), record.get("messages")]
    try:
        text = orjson.dumps(what, default=str, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        text = repr(what).encode("utf-8", "backslashreplace")
    return f"sha256-{hashlib.sha256(text).hexdigest()[:32]}"


def own_keys(record: Mapping[str, Any]) -> dict[str, Any]:
    """The canonical keys that somebody has added to a format which lacks them: whose a conversation is, and when."""
    return {name: record[name] for name in ("user_id", "started_at", "surface") if name in record}


def as_dict(value: Any) -> dict[str, Any]:
    """A value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """A value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def first_of(record: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The first of some keys that is there and not empty; None without."""
    return next((record[name] for name in names if record.get(name) not in (None, "")), None)


def with_marks(content: Any, marks: Sequence[str]) -> Any:
    """A content with marks for what came beside it, such as `[attachment]`."""
    if not marks:
        return content
    if isinstance(content, list):
        return [*content, *marks]
    return [*([content] if content not in (None, "") else []), *marks]
