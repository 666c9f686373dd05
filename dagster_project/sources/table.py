"""Any Parquet or CSV file (or JSON lines), by the columns that `[sources.table]` names.

A conversation a row, a message a row or an exchange a row: rows with the same id are one conversation, in the order of
their times, else of the file. Not here: the settings (`settings.py`), reading CSV (`csv_rows.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Unpack

from dagster_project.errors import ConfideError
from dagster_project.settings import TableSettings
from dagster_project.sources.confide import Options
from dagster_project.sources.csv_rows import read_rows
from dagster_project.sources.outcome import Parsed, Reason, Refusal, Rejected
from dagster_project.sources.records import Row, read_raw
from dagster_project.sources.streams import Line, read_head
from dagster_project.sources.threads import Turn, join_threads
from dagster_project.sources.traced import unpacked

_HEAD_BYTES = 4096
_LOOKED_AT = 50


class NoMappingError(ConfideError):
    """A table was to be read, and the settings do not say what its columns are."""


@dataclass(frozen=True)
class Table:
    """The format `table` under one mapping of columns."""

    columns: TableSettings
    NAME: str = "table"
    DESCRIPTION: str = "any Parquet or CSV, its columns named in [sources.table] of confide.toml"

    def recognises(self, record: dict[str, Any]) -> str:
        """As `Source.recognises`: once it has been said which columns, a file that has them all is meant."""
        named = self._named()
        return "the columns of [sources.table]" if self._says_what_is_said() and named <= record.keys() else ""

    def read(self, path: Path, **options: Unpack[Options]) -> Iterator[Parsed | Rejected]:
        """As `Source.read`. Raises NoMappingError."""
        if not self._says_what_is_said():
            raise NoMappingError(
                "--format table needs the names of the columns: [sources.table] in confide.toml "
                "(or CONFIDE_SOURCES__TABLE__…)"
            )
        return join_threads(self._rows(path, options), self.turn_of, **options)

    def sample(self, path: Path) -> list[dict[str, Any]]:
        """The first sound row of a CSV file, by which it may be recognised; none of another file."""
        rows = islice(read_rows(path, self.columns.delimiter), _LOOKED_AT) if is_csv(path) else ()
        return [row.value for row in rows if isinstance(row, Row)][:1]

    def turn_of(self, record: dict[str, Any]) -> Turn:
        """One row. Raises Refusal."""
        columns = self.columns
        at = self._cell(record, columns.started_at)
        return Turn(
            messages=self._messages(record, at),
            thread=self._cell(record, columns.conversation_id),
            user_id=self._cell(record, columns.user_id),
            at=at,
            surface=self._cell(record, columns.surface),
            follows=columns.messages is None,
        )

    def _messages(self, record: dict[str, Any], at: Any) -> list[Any]:
        columns = self.columns
        if columns.messages:
            messages = unpacked(record.get(columns.messages))
            if not isinstance(messages, list):
                raise Refusal(Reason.NO_MESSAGES if messages is None else Reason.INVALID_MESSAGE)
            return messages
        if columns.role:
            role = self._role(record.get(columns.role))
            return [{"role": role, "content": self._text(record, columns.content), "created_at": at}]
        pairs = (("user", columns.human), ("assistant", columns.assistant))
        return [{"role": r, "content": self._text(record, c)} for r, c in pairs if c and self._text(record, c) != ""]

    def _role(self, value: Any) -> Any:
        name = value.strip() if isinstance(value, str) else value
        if name in self.columns.user_roles:
            return "user"
        return "assistant" if name in self.columns.assistant_roles else name

    @staticmethod
    def _text(record: dict[str, Any], column: str | None) -> Any:
        value = record.get(column) if column else None
        return "" if value is None else value

    @staticmethod
    def _cell(record: dict[str, Any], column: str | None) -> Any:
        return record.get(column) if column else None

    def _rows(self, path: Path, options: Options) -> Iterator[Line | Row | Rejected]:
        bytes_read = options.get("bytes_read")
        raws: Iterator[Line | Row | Rejected] = (
            read_rows(path, self.columns.delimiter, bytes_read)
            if is_csv(path)
            else read_raw(path, sorted(self._named()), bytes_read)
        )
        for raw in raws:
            yield self._with_ids(raw) if isinstance(raw, Row) else raw

    def _with_ids(self, row: Row) -> Row:
        """A row with its ids under names that say so: should it be refused, it is still known whose it is."""
        columns = self.columns
        ids = {"conversation_id": columns.conversation_id, "user_id": columns.user_id}
        return Row(row.number, {**{name: self._cell(row.value, column) for name, column in ids.items()}, **row.value})

    def _says_what_is_said(self) -> bool:
        return bool(self.columns.messages or self.columns.role or self.columns.human)

    def _named(self) -> set[str]:
        names = ("conversation_id", "user_id", "started_at", "surface")
        said = ("messages", "role", "content", "human", "assistant")
        return {column for name in (*names, *said) if (column := getattr(self.columns, name))}


def is_csv(path: Path) -> bool:
    """Whether a file is text that is neither JSON nor Parquet."""
    head = read_head(path, _HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    return bool(head) and head[:1] not in (b"{", b"[")
