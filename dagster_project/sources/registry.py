"""The formats by name, and which of them a file is in.

A further format is one module with the members of `Source`, and its line in `SOURCES`. Not here: any format.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Unpack

from dagster_project.errors import ConfideError
from dagster_project.settings import TableSettings
from dagster_project.sources import (
    anthropic,
    chatgpt_export,
    claude_export,
    confide,
    langfuse,
    langsmith,
    lmsys,
    oasst,
    openai,
    sharegpt,
    wildchat,
)
from dagster_project.sources.confide import Options
from dagster_project.sources.outcome import Parsed, Rejected
from dagster_project.sources.records import sample_of
from dagster_project.sources.table import Table

AUTO = "auto"
TABLE = "table"
AS_ASKED = "as asked"
NOT_RECOGNISED = "no format recognises it; lines are read as canonical"


class UnknownFormatError(ConfideError):
    """A format name that is not in the registry; the message lists those that are."""


class Source(Protocol):
    """A chat-log format: a module that streams a file's records as canonical conversations."""

    @property
    def NAME(self) -> str:
        """What `--format` calls it."""

    @property
    def DESCRIPTION(self) -> str:
        """What it is, in a line."""

    def recognises(self, record: dict[str, Any]) -> str:
        """Why one of a file's first records looks like this format, in a few words without a value; else empty."""
        ...

    def read(self, path: Path, **options: Unpack[Options]) -> Iterator[Parsed | Rejected]:
        """Every conversation in order, in bounded memory. Never raises on what the file holds."""
        ...


@dataclass(frozen=True)
class Chosen:
    """The format that a file is read in, and why."""

    source: Source
    why: str


# The canonical form first: what has its keys is never another. Then from the most to the least particular.
SOURCES: tuple[Source, ...] = (
    confide,
    chatgpt_export,
    claude_export,
    wildchat,
    lmsys,
    sharegpt,
    oasst,
    langsmith,
    langfuse,
    anthropic,
    openai,
)


def names() -> list[str]:
    """What `--format` takes."""
    return [AUTO, *(source.NAME for source in SOURCES), TABLE]


def source_named(name: str, table: TableSettings | None = None) -> Source:
    """The format of that name. Raises UnknownFormatError."""
    if name == TABLE:
        return Table(table or TableSettings())
    for source in SOURCES:
        if name == source.NAME:
            return source
    raise UnknownFormatError(f"unknown format {name!r}: this version reads {', '.join(names())}")


def source_of(path: Path, name: str = AUTO, table: TableSettings | None = None) -> Chosen:
    """The format to read a file in: the one named, or by `auto` the first that recognises one of its first records.

    What none recognises is read as the canonical form, which gives every line of it a reason. table: the columns of
    tables, which `auto` looks for only once they are named. Raises UnknownFormatError.
    """
    if name != AUTO:
        return Chosen(source_named(name, table), AS_ASKED)
    columns = Table(table or TableSettings())
    sample = sample_of(path) or columns.sample(path)
    order: tuple[Source, ...] = (confide, columns, *SOURCES)
    for source in order:
        for record in sample:
            if why := source.recognises(record):
                return Chosen(source, why)
    return Chosen(confide, NOT_RECOGNISED)
