"""Writing landing parts in bounded memory: one part a day and ingest, however large the input.

Rows are held in memory up to a limit, then set aside in scratch files (Arrow, one batch a day in each), and put
together day by day at the end. So a file of 5 GB over a year makes 365 parts and not tens of thousands. Not
here: reading parts (`landing.py`), which conversations may land (`ingest_index.py`).
"""

import hashlib
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.domain.conversations import Message
from dagster_project.home import Home
from dagster_project.storage.files import private_folder, replacing
from dagster_project.storage.landing import SCHEMA, Landing

BUFFER_BYTES = 64 * 1024 * 1024
_ROW_GROUP_BYTES = 16 * 1024 * 1024
_ROW_OVERHEAD_BYTES = 700
_MESSAGE_OVERHEAD_BYTES = 60
SCRATCH = "ingest-"
"""How folders in `private/tmp` begin that belong to one ingest: the next one removes what was left of it."""


class _Rows:
    """Rows of one day in memory, column by column: Arrow takes flat lists many times faster than nested ones."""

    def __init__(self) -> None:
        self.heads: tuple[list[object], ...] = tuple([] for _ in range(7))
        self.roles: list[str] = []
        self.contents: list[str] = []
        self.times: list[datetime | None] = []
        self.offsets: list[int] = [0]

    def batch(self) -> pa.RecordBatch:
        message_type = SCHEMA.field("messages").type.value_type
        columns = [self.roles, self.contents, self.times]
        arrays = [pa.array(values, field.type) for values, field in zip(columns, message_type, strict=True)]
        messages = pa.ListArray.from_arrays(
            pa.array(self.offsets, pa.int32()), pa.StructArray.from_arrays(arrays, fields=list(message_type))
        )
        heads = [pa.array(values, SCHEMA.field(i).type) for i, values in enumerate(self.heads)]
        return pa.record_batch([*heads, messages], schema=SCHEMA)


class LandingWriter:
    """Collects accepted conversations of one ingest; `land` puts them in place as parts.

    Use as a context manager, under the lock of the ingest index: on entering it removes what killed ingests
    left behind. Nothing is in landing before `land`.
    """

    def __init__(self, home: Home, landing: Landing, buffer_bytes: int = BUFFER_BYTES) -> None:
        self._landing = landing
        self._tmp = home.tmp
        self._buffer_bytes = buffer_bytes
        self._rows: dict[date, _Rows] = {}
        self._n_bytes = 0
        self._set_aside: dict[date, list[tuple[int, int]]] = {}
        self._scratch: list[pa.ipc.RecordBatchFileReader] = []

    def __enter__(self) -> Self:
        for left in self._tmp.glob(f"{SCRATCH}*"):
            shutil.rmtree(left, ignore_errors=True)
        for left in self._landing.root.glob("day=*/.*.tmp"):
            left.unlink(missing_ok=True)
        self._folder = private_folder(self._tmp / f"{SCRATCH}{secrets.token_hex(4)}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scratch.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(
        self,
        *,
        conversation_key: str,
        user_key: str,
        started_at: datetime,
        assumed_utc: bool,
        surface: str | None,
        content_hash: str,
        messages: tuple[Message, ...],
    ) -> None:
        """Take one conversation. Raises OSError when scratch space runs out."""
        day = started_at.date()
        rows = self._rows.get(day)
        if rows is None:
            rows = self._rows[day] = _Rows()
        row = (conversation_key, user_key, started_at, assumed_utc, surface, content_hash, len(messages))
        for column, value in zip(rows.heads, row, strict=True):
            column.append(value)
        contents = [message.content for message in messages]
        rows.contents += contents
        rows.roles += [message.role for message in messages]
        rows.times += [message.created_at for message in messages]
        rows.offsets.append(len(rows.contents))
        self._n_bytes += (
            _ROW_OVERHEAD_BYTES + _MESSAGE_OVERHEAD_BYTES * len(contents) + sum(map(sys.getsizeof, contents))
        )
        if self._n_bytes > self._buffer_bytes:
            self._spill()

    def land(self, landed: Callable[[str], None] | None = None) -> list[str]:
        """Put everything in place, one part a day, and return their names (`day=…/…`).

        landed: called with each name once the part is in place. Raises OSError when it cannot be written;
        parts already in place stay, and the next ingest finds them.
        """
        number = self._next_number()
        names = []
        for day in sorted({*self._rows, *self._set_aside}):
            name = self._write_part(day, number)
            names.append(name)
            if landed is not None:
                landed(name)
        return names

    def _next_number(self) -> int:
        numbers = [int(name.split("/")[1].split("-")[0]) for name in self._landing.part_names()]
        return max(numbers, default=0) + 1

    def _write_part(self, day: date, number: int) -> str:
        digest = hashlib.sha256()
        folder = private_folder(self._landing.folder(day))
        # The name holds a digest of the rows, known only once they are written: so it is written under
        # another name first, which no reader looks at.
        pending = folder / f".{number:08d}.pending.tmp"
        try:
            with replacing(pending) as temporary:
                self._write_rows(day, temporary, digest.update)
            name = f"{number:08d}-{digest.hexdigest()[:16]}.parquet"
            pending.replace(folder / name)
            _sync_folder(folder)
        finally:
            pending.unlink(missing_ok=True)
        return f"{folder.name}/{name}"

    def _write_rows(self, day: date, path: Path, digest: Callable[[bytes], None]) -> None:
        with pq.ParquetWriter(path, SCHEMA, compression="zstd", write_statistics=False) as writer:
            for table in _row_groups(self._batches(day)):
                for column in ("conversation_key", "content_hash"):
                    digest("".join(table.column(column).to_pylist()).encode())
                writer.write_table(table, row_group_size=table.num_rows)

    def _batches(self, day: date) -> Iterator[pa.RecordBatch]:
        for scratch, batch in self._set_aside.get(day, []):
            yield self._scratch[scratch].get_batch(batch)
        if day in self._rows:
            yield self._rows.pop(day).batch()

    def _spill(self) -> None:
        path = self._folder / f"{len(self._scratch):06d}.arrow"
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file, pa.ipc.new_file(file, SCHEMA, options=options) as writer:
            for position, day in enumerate(sorted(self._rows)):
                writer.write_batch(self._rows.pop(day).batch())
                self._set_aside.setdefault(day, []).append((len(self._scratch), position))
        self._scratch.append(pa.ipc.open_file(pa.OSFile(str(path))))
        self._n_bytes = 0


def _row_groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches gathered into tables of about 16 MB, so that a part has few row groups and fits in memory."""
    gathered: list[pa.RecordBatch] = []
    n_bytes = 0
    for batch in batches:
        gathered.append(batch)
        n_bytes += batch.nbytes
        if n_bytes >= _ROW_GROUP_BYTES:
            yield pa.Table.from_batches(gathered, SCHEMA)
            gathered, n_bytes = [], 0
    if gathered:
        yield pa.Table.from_batches(gathered, SCHEMA)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
