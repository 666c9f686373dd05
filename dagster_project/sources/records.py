"""Files as streams of records, however they hold them: JSON lines, an array, objects over lines, Parquet rows.

Lives here: choosing how a file is cut, decoding, the first few records by which a format is recognised. Not here: the
cutting (`streams.py`, `elements.py`, `parquet.py`), what a record means (the formats).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from dagster_project.sources.elements import read_elements
from dagster_project.sources.outcome import Reason, Refusal, Rejected
from dagster_project.sources.parquet import read_records
from dagster_project.sources.streams import BytesRead, FileProblem, Line, Packing, packing_of, read_head, read_lines

BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 64 * 1024
_LOOKED_AT = 50
_SAMPLED = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table, counted from 1."""

    number: int
    value: dict[str, Any] = field(repr=False)

    @property
    def original(self) -> bytes:
        """The row as JSON, for the quarantine."""
        try:
            return orjson.dumps(self.value, default=str)
        except TypeError:
            return json.dumps(self.value, ensure_ascii=True, default=str).encode()


def read_raw(
    path: Path, columns: Sequence[str] | None = None, bytes_read: BytesRead | None = None
) -> Iterator[Line | Row | Rejected]:
    """The records of a file in order, still undecoded where they are text; the file's own problems as `Rejected`.

    columns: those wanted of a Parquet file; None for all.
    """
    try:
        packing = packing_of(path)
    except FileProblem as problem:
        yield Rejected(problem.reason)
        return
    if packing is Packing.PARQUET:
        for row in read_records(path, columns, bytes_read):
            yield row if isinstance(row, Rejected) else Row(*row)
    elif _in_lines(read_head(path, _HEAD_BYTES)):
        yield from read_lines(path, bytes_read)
    else:
        yield from read_elements(path, bytes_read)


def record_of(raw: Line | Row) -> dict[str, Any]:
    """A raw record decoded. Raises Refusal."""
    value = raw.value if isinstance(raw, Row) else decode(raw.content)
    if not isinstance(value, dict):
        raise Refusal(Reason.NOT_AN_OBJECT)
    return value


def original_of(raw: Line | Row) -> bytes:
    """A raw record as it came."""
    return raw.original if isinstance(raw, Row) else raw.content


def decode(text: bytes) -> Any:
    """JSON by the fast, strict parser; by the lenient one what that refuses (NaN, lone surrogates, big numbers).

    Raises Refusal.
    """
    text = text.removeprefix(BOM)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text.decode("utf-8"))
    except UnicodeDecodeError:
        raise Refusal(Reason.INVALID_UTF8) from None
    except (ValueError, RecursionError):
        raise Refusal(Reason.INVALID_JSON) from None


def sample_of(path: Path) -> list[dict[str, Any]]:
    """The first few records of a file that can be decoded; none where nothing is like a record."""
    found: list[dict[str, Any]] = []
    for raw in islice(read_raw(path), _LOOKED_AT):
        if isinstance(raw, Rejected):
            continue
        try:
            found.append(record_of(raw))
        except Refusal:
            continue
        if len(found) == _SAMPLED:
            break
    return found


def _in_lines(head: bytes) -> bool:
    """Whether a file is to be cut at line ends: unless it begins as an array, or as an object written over lines."""
    head = head.removeprefix(BOM).lstrip()
    first, ended, rest = head.partition(b"\n")
    if head.startswith(b"["):
        # A line that is an array among other lines is one bad line, and no reason to cut the others elsewhere.
        return bool(ended and rest.strip() and _is_json(first))
    return first.strip() != b"{" or _is_json(rest.partition(b"\n")[0])


def _is_json(text: bytes) -> bool:
    try:
        decode(text)
    except Refusal:
        return False
    return True
