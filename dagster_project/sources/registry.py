"""The formats by name, and which of them a file is in.

A further format is one module with the members of `Source`, and its line in `SOURCES`. Not here: any format.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from dagster_project.errors import ConfideError
from dagster_project.sources import confide
from dagster_project.sources.outcome import Parsed, Rejected
from dagster_project.sources.streams import BytesRead, read_head

AUTO = "auto"
_SAMPLE_BYTES = 256 * 1024


class UnknownFormatError(ConfideError):
    """A format name that is not in the registry; the message lists those that are."""


class Source(Protocol):
    """A chat-log format: a module that streams a file's records as canonical conversations."""

    NAME: str
    DESCRIPTION: str

    def recognises(self, sample: bytes) -> bool:
        """Whether the beginning of a file (unpacked; nothing of a Parquet file) looks like this format."""
        ...

    def read(
        self, path: Path, *, require_time: bool = True, now: datetime | None = None, bytes_read: BytesRead | None = None
    ) -> Iterator[Parsed | Rejected]:
        """Every record in order, in bounded memory. Never raises on what the file holds."""
        ...


SOURCES: tuple[Source, ...] = (confide,)


def source_named(name: str) -> Source:
    """The format of that name. Raises UnknownFormatError."""
    for source in SOURCES:
        if name == source.NAME:
            return source
    known = ", ".join((AUTO, *(source.NAME for source in SOURCES)))
    raise UnknownFormatError(f"unknown format {name!r}: this version reads {known}")


def source_of(path: Path, name: str = AUTO) -> Source:
    """The format to read a file in: the one named, or by `auto` the first that recognises its content.

    What none recognises is read as the canonical form, which gives every line of it a reason. Raises
    UnknownFormatError.
    """
    if name != AUTO:
        return source_named(name)
    sample = read_head(path, _SAMPLE_BYTES)
    return next((source for source in SOURCES if source.recognises(sample)), confide)
