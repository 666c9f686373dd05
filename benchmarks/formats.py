"""How fast and in how much memory each large format streams, beside merely parsing the same file.

    python benchmarks/formats.py [--megabytes 50] [--only chatgpt-export.json,wildchat.parquet] [--corpus FILE…]

Writes a file of generated conversations of each form into a scratch folder, one at a time, reads it in a process of
its own and prints conversations and megabytes a second, that process's peak memory, and its time of processor beside
that of plain parsing of the same file in the same run (orjson on each record; pyarrow's rows of all columns). With
--corpus, canonical files (.jsonl.gz) are converted to each form as well and read back: every conversation must be the
one that was written.
"""

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.sources.confide import parse_record
from dagster_project.sources.outcome import Parsed
from dagster_project.sources.registry import source_named, source_of
from tests.support.chat_formats import FORMS, ROWS_TABLE, chatgpt_conversation, grown, openai_entry
from tests.support.conversations import write_lines

NESTED, MAX_NESTED = "oasst.jsonl", 200
"""A reply inside a reply: no parser of JSON goes down a thousand levels."""
MAX_JOINED = 30
"""Messages of a conversation in a log of requests, which grows with the square of them."""
KEPT_READY = 2_000
"""Conversations made before a file is written; it repeats them under other ids."""

READ = """
import json, re, sys, time
from pathlib import Path
from dagster_project.sources.outcome import Parsed
from dagster_project.sources.registry import source_named

def peak_megabytes():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1000

source = source_named(sys.argv[1])
before, begun, processor, n, refused = peak_megabytes(), time.perf_counter(), time.process_time(), 0, 0
for outcome in source.read(Path(sys.argv[2])):
    n += isinstance(outcome, Parsed)
    refused += not isinstance(outcome, Parsed)
seconds, processor = time.perf_counter() - begun, time.process_time() - processor
told = {"seconds": seconds, "processor": processor, "n": n, "refused": refused}
print(json.dumps({**told, "peak_mb": peak_megabytes(), "before_mb": before}))
"""


def conversations() -> list[dict[str, Any]]:
    """Canonical conversations of two to fourteen messages, in words that do not pack well."""
    rng = random.Random(7)
    words = [rng.randbytes(rng.randrange(1, 6)).hex() for _ in range(20_000)]
    made = []
    for number in range(KEPT_READY):
        start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(300 * 86_400))
        said = [" ".join(rng.choices(words, k=rng.randrange(5, 90))) for _ in range(rng.randrange(1, 8) * 2)]
        messages = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
        user = f"u{rng.randrange(900)}"
        made.append(
            {"conversation_id": f"c{number}", "user_id": user, "started_at": start.isoformat(), "messages": messages}
        )
    return made


def _times(conversation: dict[str, Any]) -> dict[str, Any]:
    turns = [
        {**m, "language": "English", "redacted": False, "toxic": False, "hashed_ip": "x", "turn_identifier": 1}
        for m in conversation["messages"]
    ]
    return {
        "conversation_hash": conversation["conversation_id"],
        "timestamp": conversation["started_at"],
        "conversation": turns,
        "hashed_ip": conversation["user_id"],
        "language": "English",
        "header": {"accept-language": "en", "user-agent": "Mozilla/5.0 " * 5},
        "toxic": False,
    }


def _lmsys(conversation: dict[str, Any]) -> dict[str, Any]:
    return {
        "conversation_id": conversation["conversation_id"],
        "model": "vicuna-13b",
        "conversation": conversation["messages"],
        "started_at": conversation["started_at"],
        "language": "English",
        "openai_moderation": [{"flagged": False, "scores": [0.1] * 11} for _ in conversation["messages"]],
    }


def _sharegpt(conversation: dict[str, Any]) -> dict[str, Any]:
    names = {"user": "human", "assistant": "gpt"}
    turns = [{"from": names[m["role"]], "value": m["content"]} for m in conversation["messages"]]
    return {"id": conversation["conversation_id"], "started_at": conversation["started_at"], "conversations": turns}


MAKERS = {
    "wildchat.jsonl": _times,
    "wildchat.parquet": _times,
    "lmsys.jsonl": _lmsys,
    "lmsys.parquet": _lmsys,
    "sharegpt.json": _sharegpt,
    "chatgpt-export.json": chatgpt_conversation,
    "openai.jsonl": openai_entry,
}


def _records(ready: list[Any], key: str) -> Iterator[Any]:
    """The same conversations again and again, each time others by their ids."""
    round_ = 0
    while True:
        for record in ready:
            yield {**record, key: f"{round_}-{record[key]}"} if key in record else record
        round_ += 1


def write(path: Path, ready: list[Any], n_bytes: int) -> None:
    """Write a file of about so many bytes on disk."""
    key = next((k for k in ("conversation_hash", "conversation_id", "id") if k in ready[0]), "timestamp")
    if path.suffix == ".parquet":
        table = pa.Table.from_pylist(ready)
        with pq.ParquetWriter(path, table.schema, compression="snappy", use_dictionary=False) as writer:
            round_ = 0
            while path.stat().st_size < n_bytes:
                ids = pa.array([f"{round_}-{record[key]}" for record in ready])
                writer.write_table(table.set_column(table.schema.get_field_index(key), key, ids))
                round_ += 1
        return
    array = path.suffix == ".json"
    with path.open("wb") as file:
        written = file.write(b"[" if array else b"")
        for n, record in enumerate(_records(ready, key) if key != "timestamp" else _moved(ready)):
            written += file.write((b",\n" if array else b"\n") if n else b"")
            written += file.write(orjson.dumps(record))
            if written >= n_bytes:
                break
        file.write(b"]" if array else b"\n")


def _moved(ready: list[Any]) -> Iterator[Any]:
    """Log entries of other users each time round."""
    for round_, record in enumerate(_records(ready, "")):
        request = {**record["request"], "user": f"u{round_}", "metadata": {}}
        yield {**record, "request": request}


def plain_seconds(path: Path) -> float:
    """Seconds of processor to parse every record, keeping nothing."""
    begun = time.process_time()
    if path.suffix == ".parquet":
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=256):
                batch.to_pylist()
    else:
        with path.open("rb") as lines:
            for line in lines:
                orjson.loads(line.strip().removeprefix(b"[").removesuffix(b"]").removesuffix(b","))
    return time.process_time() - begun


def measure(form: str, scratch: Path, n_bytes: int, ready: list[dict[str, Any]]) -> None:
    """Write, read and print one form."""
    path = scratch / form
    write(path, [MAKERS[form](c) for c in ready], n_bytes)
    size = path.stat().st_size
    name = path.stem
    assert name == source_of(path).source.NAME
    plain = plain_seconds(path)
    done = subprocess.run([sys.executable, "-c", READ, name, path], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    path.unlink()
    print(
        f"{form:20} {size / 1e6:6.0f} MB, {found['n']:9,} conversations, {found['refused']} refused: "
        f"{size / 1e6 / found['seconds']:6.1f} MB/s, {found['n'] / found['seconds']:8,.0f}/s, "
        f"{found['processor'] / plain:4.1f} times the processor of plain parsing, "
        f"peak {found['peak_mb']:.0f} MB (before: {found['before_mb']:.0f})",
        flush=True,
    )


def read_corpus_back(files: list[Path], scratch: Path) -> None:
    """Convert canonical files to every form and read them back; raises AssertionError where a conversation differs."""
    values: dict[str, dict[str, Any]] = {}
    for file in files:
        with gzip.open(file, "rb") as lines:
            for line in lines:
                value = orjson.loads(line)
                values.setdefault(value["conversation_id"], {"surface": None, **value})
    for form in FORMS:
        fits = [v for v in values.values() if str(form) != NESTED or len(v["messages"]) <= MAX_NESTED]
        path = form.write(scratch / f"corpus{form.suffix}", fits)
        expected = {c[0]: c for v in fits if (c := _plain(parse_record(form.holds(v))[0]))}
        outcomes = list(source_named(form.name, form.table).read(path))
        found = {c[0]: c for o in outcomes if isinstance(o, Parsed) and (c := _plain(o.conversation))}
        assert len(outcomes) == len(expected) and found == expected, form
        assert form.name == source_of(path, table=ROWS_TABLE if form.table is ROWS_TABLE else form.table).source.NAME
        path.unlink()
        print(f"{form!s:22} {len(found):,} conversations came back as they were", flush=True)


def join_corpus(files: list[Path], scratch: Path) -> None:
    """Make a log of canonical files: a request for each reply, with all that was said before, without ids, shuffled.

    Raises AssertionError where the conversations read from it are not those that were written.
    """
    expected: Counter[tuple[str, ...]] = Counter()
    entries = []
    for file in files:
        with gzip.open(file, "rb") as lines:
            for value in map(orjson.loads, lines):
                messages = value["messages"][:MAX_JOINED]
                replies = [n for n, m in enumerate(messages, 1) if m["role"] == "assistant" and n > 1]
                if replies:
                    entries += grown({"surface": None, **value, "messages": messages}, thread=False)
                    expected[tuple(m["content"].strip() for m in messages[: replies[-1]])] += 1
    random.Random(3).shuffle(entries)
    path = write_lines(scratch / "log.jsonl", entries)
    outcomes = list(source_named("openai").read(path))
    path.unlink()
    found = Counter(
        tuple(m.content.strip() for m in o.conversation.messages) for o in outcomes if isinstance(o, Parsed)
    )
    assert found == expected and len(outcomes) == found.total(), "a conversation was split, merged or lost"
    print(f"{len(entries):,} shuffled requests without ids are the {found.total():,} conversations that they came from")


def _plain(conversation: Any) -> tuple[Any, ...]:
    said = [(m.role, m.content) for m in conversation.messages]
    return conversation.conversation_id, conversation.user_id, conversation.started_at, said


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--megabytes", type=int, default=50)
    arguments.add_argument("--only", default=",".join(MAKERS))
    arguments.add_argument("--corpus", type=Path, nargs="*", default=[])
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if asked.corpus:
            read_corpus_back(asked.corpus, Path(scratch))
            join_corpus(asked.corpus, Path(scratch))
        ready = conversations()
        for form in asked.only.split(","):
            if form:
                measure(form, Path(scratch), asked.megabytes * 1_000_000, ready)


if __name__ == "__main__":
    main()
