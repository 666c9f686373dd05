"""Langfuse's exports: traces or observations as JSON lines, arrays or Parquet, and single traces and sessions as JSON.

Facts: Langfuse documentation, *Blob storage export field reference* (`traces/`, `observations/`, `observations_v2/`;
names with underscores, times in UTC), *Export data from the UI* and *How do I export a single trace or session?*
(names in camel case, a trace with its `observations`, a session with its `traces`). A session is a conversation, else
each trace is one. Inner observations are counted and left out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Unpack

from dagster_project.sources.building import as_list, first_of
from dagster_project.sources.confide import Options
from dagster_project.sources.outcome import Parsed, Refusal, Rejected
from dagster_project.sources.records import Row, read_raw, record_of
from dagster_project.sources.streams import Line
from dagster_project.sources.threads import Turn, join_threads
from dagster_project.sources.traced import messages_in, reply_after

NAME = "langfuse"
DESCRIPTION = "Langfuse exports: traces, observations or sessions, JSON or Parquet"
_TRACE = ("traceId", "trace_id")
_SESSION = ("sessionId", "session_id")
_PARENT = ("parentObservationId", "parent_observation_id")
_TIME = ("timestamp", "startTime", "start_time")
_OF_A_TRACE = ("userId", "user_id", *_SESSION, "observations", "bookmarked", "latency")


def recognises(record: dict[str, Any]) -> str:
    """As `Source.recognises`."""
    if any(isinstance(t, dict) and recognises(t) for t in as_list(record.get("traces"))[:3]):
        return "a session with its traces"
    if not {"id", "input", "output"} <= record.keys():
        return ""
    if "type" in record and any(name in record for name in _TRACE):
        return "observations of traces"
    if "timestamp" in record and any(name in record for name in _OF_A_TRACE):
        return "traces with input and output"
    return ""


def read(path: Path, **options: Unpack[Options]) -> Iterator[Parsed | Rejected]:
    """As `Source.read`."""
    return join_threads(_traces(read_raw(path, None, options.get("bytes_read"))), turn_of, **options)


def _traces(raws: Iterator[Line | Row | Rejected]) -> Iterator[Line | Row | Rejected]:
    """The traces of a session that was saved as one object, each as a row."""
    for raw in raws:
        traces: list[Any] = []
        if not isinstance(raw, Rejected):
            try:
                session = record_of(raw)
                traces = [t for t in as_list(session.get("traces")) if isinstance(t, dict)]
            except Refusal:
                traces = []
        if isinstance(raw, Rejected) or not traces:
            yield raw
            continue
        for trace in traces:
            yield Row(raw.number, {**trace, "sessionId": first_of(trace, _SESSION) or session.get("id")})


def turn_of(record: dict[str, Any]) -> Turn:
    """One trace, or one observation. Raises Refusal."""
    trace = first_of(record, _TRACE)
    history = messages_in(record.get("input"), "user")
    return Turn(
        messages=reply_after(history, messages_in(record.get("output"), "assistant")),
        thread=first_of(record, _SESSION) or trace or record.get("id"),
        own_id=trace or record.get("id"),
        user_id=first_of(record, ("userId", "user_id")),
        at=first_of(record, _TIME),
        inner=trace is not None and first_of(record, _PARENT) is not None,
    )
