"""Files as streams of lines in bounded memory: plain, gzip or Zstandard, told apart by their first bytes.

Lives here: opening, decompressing, cutting into lines, and what happens to damaged files. Not here: what a
line means (`confide.py` and its like), arrays of objects (`elements.py`), Parquet (`parquet.py`), CSV (`csv_rows.py`).
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from dagster_project.sources.outcome import Reason, Rejected

MAX_LINE_BYTES = 64 * 1024 * 1024
"""A conversation of a million tokens is about 5 MB. A line is held in memory some times over."""
KEPT_OF_LONG_LINE = 1024 * 1024
_CHUNK = 256 * 1024
_ZSTD_INPUT = 8 * 1024
"""Zstandard packs at most about 32,000 to 1: so a hostile file expands to 256 MB at a time, not to all memory."""

BytesRead = Callable[[int], None]
"""Called with the position in the file on disk, compressed bytes counted as such."""


class Packing(StrEnum):
    """How the bytes of a file are packed."""

    PLAIN = "plain"
    GZIP = "gzip"
    ZSTD = "zstd"
    PARQUET = "parquet"


_MAGIC = {b"\x1f\x8b": Packing.GZIP, b"\x28\xb5\x2f\xfd": Packing.ZSTD, b"PAR1": Packing.PARQUET}
_PACKED_SUFFIXES = {".gz": Packing.GZIP, ".zst": Packing.ZSTD, ".parquet": Packing.PARQUET}


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its line feed, counted from 1."""

    number: int
    content: bytes = field(repr=False)


class FileProblem(Exception):
    """The file cannot be read (further); carries the reason alone."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def packing_of(path: Path) -> Packing:
    """How a file is packed, by its first bytes: names lie. Raises FileProblem when it cannot be opened.

    An empty file with the name of a packed one was cut off: FileProblem too.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError:
        raise FileProblem(Reason.UNREADABLE_FILE) from None
    if not head and path.suffix.lower() in _PACKED_SUFFIXES:
        raise FileProblem(Reason.TRUNCATED_FILE)
    return next((packing for magic, packing in _MAGIC.items() if head.startswith(magic)), Packing.PLAIN)


def read_lines(
    path: Path, bytes_read: BytesRead | None = None, max_bytes: int = MAX_LINE_BYTES
) -> Iterator[Line | Rejected]:
    """The lines of a file that are not blank, in order; problems of the file itself as `Rejected`.

    Of a line longer than `max_bytes` the beginning is kept and the rest passed over. A file that breaks off
    gives its whole lines and then one `Rejected`, which has the beginning of the last, cut one.
    """
    number, tail, length = 1, bytearray(), 0
    problem: Reason | None = None
    try:
        for chunk in chunks_of(path, bytes_read):
            *whole, rest = chunk.split(b"\n")
            for piece in whole:
                length += len(piece)
                if length > max_bytes:
                    yield _too_long(number, tail + piece[:KEPT_OF_LONG_LINE], length)
                elif (line := (bytes(tail) + piece if tail else piece)) and not line.isspace():
                    yield Line(number, line)
                tail.clear()
                length = 0
                number += 1
            length += len(rest)
            tail += rest
            if length > max_bytes:
                del tail[KEPT_OF_LONG_LINE:]
    except FileProblem as found:
        problem = found.reason
    if problem is not None:
        yield Rejected(problem, number, bytes(tail[:KEPT_OF_LONG_LINE]), length)
    elif length > max_bytes:
        yield _too_long(number, tail, length)
    elif tail and not tail.isspace():
        yield Line(number, bytes(tail))


def read_head(path: Path, n_bytes: int) -> bytes:
    """The first bytes of a file, unpacked; what can be had of them where it is damaged."""
    head = bytearray()
    try:
        for chunk in chunks_of(path, None):
            head += chunk
            if len(head) >= n_bytes:
                break
    except FileProblem:
        pass
    return bytes(head[:n_bytes])


def _too_long(number: int, beginning: bytearray | bytes, n_bytes: int) -> Rejected:
    return Rejected(Reason.TOO_LONG_LINE, number, bytes(beginning[:KEPT_OF_LONG_LINE]), n_bytes)


def chunks_of(path: Path, bytes_read: BytesRead | None) -> Iterator[bytes]:
    """The bytes of a file, unpacked, some at a time. Raises FileProblem, also in the middle."""
    packing = packing_of(path)
    try:
        with path.open("rb") as raw:
            for chunk in _UNPACKERS[packing](raw):
                if bytes_read is not None:
                    bytes_read(raw.tell())
                yield chunk
            if bytes_read is not None:
                bytes_read(raw.tell())
    except EOFError:
        raise FileProblem(Reason.TRUNCATED_FILE) from None
    except (zlib.error, gzip.BadGzipFile):
        raise FileProblem(Reason.DAMAGED_FILE) from None
    except OSError:
        raise FileProblem(Reason.UNREADABLE_FILE) from None


def _plain(raw: BinaryIO) -> Iterator[bytes]:
    while chunk := raw.read(_CHUNK):
        yield chunk


def _gzip(raw: BinaryIO) -> Iterator[bytes]:
    # read1 hands over what there is before the next read meets the damage; read would lose it.
    unpacked = gzip.GzipFile(fileobj=raw)
    while chunk := unpacked.read1(_CHUNK):
        yield chunk


def _zstd(raw: BinaryIO) -> Iterator[bytes]:
    import zstandard

    # A decompression object knows whether its frame has ended; the library's stream reader takes a cut file for whole.
    open_frame = None
    while packed := raw.read(_ZSTD_INPUT):
        while packed:
            open_frame = open_frame or zstandard.ZstdDecompressor().decompressobj()
            try:
                chunk = open_frame.decompress(packed)
            except zstandard.ZstdError:
                raise FileProblem(Reason.DAMAGED_FILE) from None
            packed = open_frame.unused_data if open_frame.eof else b""
            if open_frame.eof:
                open_frame = None
            if chunk:
                yield chunk
    if open_frame is not None:
        raise EOFError


def _parquet(raw: BinaryIO) -> Iterator[bytes]:
    raise FileProblem(Reason.UNREADABLE_FILE)


_UNPACKERS: dict[Packing, Callable[[BinaryIO], Iterator[bytes]]] = {
    Packing.PLAIN: _plain,
    Packing.GZIP: _gzip,
    Packing.ZSTD: _zstd,
    Packing.PARQUET: _parquet,
}
