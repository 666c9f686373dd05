"""LangSmith's exports: runs as Parquet (bulk export), JSON lines or an array.

Facts: LangSmith documentation, *Run (span) data format* (`id`, `run_type`, `inputs`, `outputs`, `start_time`,
`extra`, `trace_id`, `parent_run_ids`), *Bulk export trace data* (Parquet with those fields) and *Configure threads*
(a thread is named by `session_id`, `thread_id` or `conversation_id` in a run's metadata). A thread is a conversation,
else each trace is one. Inner runs are counted and left out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Unpack

from dagster_project.sources.building import as_dict, first_of
from dagster_project.sources.confide import Options
from dagster_project.sources.outcome import Parsed, Rejected
from dagster_project.sources.threads import Turn, read_threads
from dagster_project.sources.traced import messages_in, reply_after, unpacked

NAME = "langsmith"
DESCRIPTION = "LangSmith exports: runs, Parquet or JSON"
_COLUMNS = (
    *("id", "trace_id", "parent_run_id", "parent_run_ids", "is_root", "run_type", "start_time"),
    *("inputs", "outputs", "extra", "metadata"),
)
_THREAD = ("session_id", "thread_id", "conversation_id")


def recognises(record: dict[str, Any]) -> str:
    """As `Source.recognises`."""
    return "runs with run_type and inputs" if "run_type" in record and "inputs" in record else ""


def read(path: Path, **options: Unpack[Options]) -> Iterator[Parsed | Rejected]:
    """As `Source.read`."""
    return read_threads(path, turn_of, _COLUMNS, **options)


def turn_of(record: dict[str, Any]) -> Turn:
    """One run. Raises Refusal."""
    metadata = {
        **as_dict(as_dict(unpacked(record.get("extra"))).get("metadata")),
        **as_dict(unpacked(record.get("metadata"))),
    }
    trace = first_of(record, ("trace_id", "id"))
    history = messages_in(record.get("inputs"), "user")
    return Turn(
        messages=reply_after(history, messages_in(record.get("outputs"), "assistant")),
        thread=first_of(metadata, _THREAD) or trace,
        own_id=trace,
        user_id=first_of(metadata, ("user_id", "userId")),
        at=record.get("start_time"),
        inner=_is_inner(record),
    )


def _is_inner(record: dict[str, Any]) -> bool:
    if first_of(record, ("parent_run_id",)) is not None or unpacked(record.get("parent_run_ids")):
        return True
    own, trace = record.get("id"), record.get("trace_id")
    return record.get("is_root") is False or (bool(own and trace) and own != trace)
