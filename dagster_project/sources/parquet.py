"""Parquet files as streams of records (plain dicts), a few rows in memory at a time.

Not here: what a record means (the formats).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dagster_project.sources.outcome import Reason, Rejected
from dagster_project.sources.streams import BytesRead

_ROWS = 256
_BUFFER_BYTES = 1024 * 1024


def read_records(
    path: Path, columns: Sequence[str] | None, bytes_read: BytesRead | None = None
) -> Iterator[tuple[int, dict[str, Any]] | Rejected]:
    """Rows of a Parquet file, counted from 1, with those of `columns` that it has; problems as `Rejected`.

    columns: None for all. The fewer, the less is read: datasets carry more about a conversation than the conversation.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        size = path.stat().st_size
        with path.open("rb") as raw, pq.ParquetFile(raw, pre_buffer=False, buffer_size=_BUFFER_BYTES) as file:
            there = file.schema_arrow.names
            known = there if columns is None else [name for name in columns if name in there]
            if not known:
                yield Rejected(Reason.UNREADABLE_FILE)
                return
            total = max(file.metadata.num_rows, 1)
            for batch in file.iter_batches(batch_size=_ROWS, columns=known):
                for row in _rows(_in_microseconds(batch, pa)):
                    number += 1
                    yield Rejected(row, number) if isinstance(row, Reason) else (number, row)
                if bytes_read is not None:
                    bytes_read(size * number // total)
    except (pa.ArrowException, OSError):
        yield Rejected(_reason(path, number), number + 1 if number else 0)


def _reason(path: Path, rows_read: int) -> Reason:
    if rows_read:
        return Reason.DAMAGED_FILE
    try:
        with path.open("rb") as file:
            file.seek(-4, 2)
            return Reason.UNREADABLE_FILE if file.read() == b"PAR1" else Reason.TRUNCATED_FILE
    except OSError:
        return Reason.UNREADABLE_FILE


def _in_microseconds(batch: Any, pa: Any) -> Any:
    """Nanosecond times cut to microseconds: Python has no finer ones."""

    def coarser(kind: Any) -> Any:
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            return pa.timestamp("us", kind.tz)
        if pa.types.is_list(kind):
            return pa.list_(coarser(kind.value_type))
        if pa.types.is_large_list(kind):
            return pa.large_list(coarser(kind.value_type))
        if pa.types.is_struct(kind):
            return pa.struct([pa.field(f.name, coarser(f.type)) for f in kind])
        return kind

    schema = pa.schema([pa.field(f.name, coarser(f.type)) for f in batch.schema])
    if schema.equals(batch.schema):
        return batch
    columns = [column.cast(f.type, safe=False) for column, f in zip(batch.columns, schema, strict=True)]
    return pa.record_batch(columns, schema)


def _rows(batch: Any) -> Iterator[dict[str, Any] | Reason]:
    try:
        yield from batch.to_pylist()
        return
    except (UnicodeDecodeError, ValueError, OverflowError):
        pass
    # One bad cell spoils the whole batch: row by row, so that its neighbours are read.
    for i in range(batch.num_rows):
        try:
            yield batch.slice(i, 1).to_pylist()[0]
        except UnicodeDecodeError:
            yield Reason.INVALID_UTF8
        except (ValueError, OverflowError):
            yield Reason.UNREADABLE_TIME
