"""CSV files (plain, gzip, Zstandard) as streams of rows with the header's names.

Not here: what the columns mean (`table.py`).
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from dagster_project.sources.outcome import Reason, Rejected
from dagster_project.sources.records import Row
from dagster_project.sources.streams import MAX_LINE_BYTES, BytesRead, FileProblem, chunks_of


def read_rows(path: Path, delimiter: str = ",", bytes_read: BytesRead | None = None) -> Iterator[Row | Rejected]:
    """The rows under the header, counted from 1; empty cells are None."""
    previous = csv.field_size_limit(MAX_LINE_BYTES)
    number = 0
    try:
        rows = csv.reader(_lines(path, bytes_read), delimiter=delimiter, strict=True)
        header = _next(rows)
        if not isinstance(header, list):
            if header is not None:
                yield Rejected(header)
            return
        while (cells := _next(rows)) is not None:
            number += 1
            if not isinstance(cells, list):
                yield Rejected(cells, number)
            elif cells:
                yield _row(number, header, cells)
            else:
                number -= 1
    except FileProblem as problem:
        yield Rejected(problem.reason, number + 1)
    finally:
        csv.field_size_limit(previous)


def _next(rows: Iterator[list[str]]) -> list[str] | Reason | None:
    try:
        return next(rows, None)
    except csv.Error:
        return Reason.INVALID_ROW


def _row(number: int, header: list[str], cells: list[str]) -> Row | Rejected:
    # Under a key that speaks of ids: any cell may be the id of somebody who was erased (`mentions.py`).
    original = json.dumps({"ids_or_words": cells}).encode()
    if len(cells) != len(header):
        return Rejected(Reason.INVALID_ROW, number, original, len(original))
    if not all(cell.isascii() or _is_text(cell) for cell in cells):
        return Rejected(Reason.INVALID_UTF8, number, original, len(original))
    return Row(number, {name: cell or None for name, cell in zip(header, cells, strict=True)})


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _lines(path: Path, bytes_read: BytesRead | None) -> Iterator[str]:
    """Lines with their ends, as the csv module wants them; bytes that are not UTF-8 are escaped, to be found later."""
    tail = bytearray()
    first = True
    for chunk in chunks_of(path, bytes_read):
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            yield _text(bytes(tail) + piece + b"\n", first)
            first = False
            tail.clear()
        tail += rest
        if len(tail) > MAX_LINE_BYTES:
            raise FileProblem(Reason.TOO_LONG_LINE)
    if tail:
        yield _text(bytes(tail), first)


def _text(line: bytes, first: bool) -> str:
    return line.decode("utf-8", "surrogateescape").removeprefix("\ufeff" if first else "")
