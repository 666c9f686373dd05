"""Conversations for tests: builders of canonical records, files of them, homes, and hypothesis strategies.

Not here: what is expected of them (the tests).
"""

import gzip
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st

from dagster_project.home import Home
from dagster_project.storage.landing import Landing, assemble_day

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""The clock of the tests: so that "in the future" does not move."""
KEY = bytes(range(32))


def turns(*contents: str) -> list[dict[str, Any]]:
    """Messages by a person and an assistant in turn, the person first."""
    return [{"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(contents)]


def record(conversation_id: Any = "c1", **fields: Any) -> dict[str, Any]:
    """A sound canonical record; `fields` replace its own."""
    sound = {
        "conversation_id": conversation_id,
        "user_id": "u1",
        "started_at": "2026-10-05T08:30:00Z",
        "surface": "web",
        "messages": turns("hello there", "good morning"),
    }
    return {**sound, **fields}


def line(value: Any) -> bytes:
    """A value as one JSON line; lone surrogates as escapes."""
    return json.dumps(value).encode()


def write_lines(path: Path, values: Iterable[Any]) -> Path:
    """A file of JSON lines (bytes are taken as they are), packed as its name says."""
    data = b"".join((v if isinstance(v, bytes) else line(v)) + b"\n" for v in values)
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    elif path.suffix == ".zst":
        import zstandard

        data = zstandard.compress(data)
    path.write_bytes(data)
    return path


def new_home(root: Path) -> Home:
    """A home with a fixed key, so that two homes give the same pseudonyms."""
    home = Home(root)
    for folder in home.folders():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.key_file.touch(mode=0o600)
    home.key_file.write_bytes(KEY)
    return home


def landed(home: Home) -> dict[str, tuple[list[Any], list[Any]]]:
    """Everything that has landed as the lake would have it: by day, rows of conversations and of messages."""
    landing = Landing(home)
    days = {day.isoformat(): assemble_day(landing, day) for day in landing.days()}
    return {day: (rows(found.conversations), rows(found.messages)) for day, found in days.items()}


def rows(frame: pl.DataFrame) -> list[Any]:
    """The rows of a frame, to be compared."""
    return frame.rows()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
"""Anything that JSON can say, lone surrogates, NaN and huge numbers included."""

contents = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
roles = st.sampled_from(["user", "assistant", "system", "tool"])
starts = st.datetimes(datetime(2026, 10, 1), datetime(2026, 10, 5)).map(lambda t: t.isoformat() + "Z")


@st.composite
def near_records(draw: st.DrawFn) -> dict[str, Any]:
    """Records with the right keys and, in any of them, any value at all."""
    sound = record()
    for name in draw(st.sets(st.sampled_from(sorted(sound)))):
        sound[name] = draw(json_values)
    if isinstance(sound["messages"], list) and draw(st.booleans()):
        sound["messages"] = [*sound["messages"], {"role": draw(roles | json_values), "content": draw(json_values)}]
    return sound


@st.composite
def worlds(draw: st.DrawFn, max_conversations: int = 8) -> list[dict[str, Any]]:
    """Sound conversations with ids of their own, a few users, a few days, one to six messages."""
    made = []
    for number in range(draw(st.integers(1, max_conversations))):
        messages = [{"role": draw(roles), "content": draw(contents)} for _ in range(draw(st.integers(0, 5)))]
        messages.insert(draw(st.integers(0, len(messages))), {"role": "user", "content": draw(contents)})
        user = draw(st.sampled_from(["u1", "u2", "u3", None]))
        made.append(record(f"c{number}", user_id=user, started_at=draw(starts), messages=messages))
    return made


def prefixes(conversation: dict[str, Any], lengths: Sequence[int]) -> list[dict[str, Any]]:
    """Earlier versions of a conversation, of these numbers of messages."""
    return [{**conversation, "messages": conversation["messages"][:n]} for n in lengths]
