"""Rewriting landing parts: without the rows of some conversations, or under other pseudonyms.

A part's new name is known before it is written, from its keys alone, so that the lake can be told first what its days
will be made from. Not here: writing what is ingested (`landing_writer.py`), which rows go (`erasing/`).
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dagster_project.storage.files import replacing
from dagster_project.storage.landing import SCHEMA

KEYS = ["conversation_key", "user_key", "content_hash"]
_BATCH_ROWS = 512
_GROUP_BYTES = 16 * 1024 * 1024

Change = Callable[[pa.Table], pa.Table]
"""Rows of a part, some or all of its columns, to what is left or made of them."""


def keys_of(part: Path) -> pa.Table:
    """The keys of a part's rows, without their texts."""
    with pq.ParquetFile(part) as file:
        return file.read(columns=KEYS)


def without(conversations: Collection[str]) -> Change:
    """Drop the rows of these conversations."""
    gone = pa.array(sorted(conversations), pa.string())
    return lambda table: table.filter(pc.invert(pc.is_in(table["conversation_key"], gone)))


def only(conversations: Collection[str]) -> Change:
    """Keep the rows of these conversations."""
    kept = pa.array(sorted(conversations), pa.string())
    return lambda table: table.filter(pc.is_in(table["conversation_key"], kept))


def renamed(part: Path, change: Change) -> str | None:
    """The name that a part has after a change; its own where no key changes, None where no row is left."""
    before = keys_of(part)
    after = change(before)
    if after.num_rows == 0:
        return None
    if after.equals(before):
        return part.name
    digest = hashlib.sha256()
    for column in ("conversation_key", "content_hash"):
        digest.update("".join(after[column].to_pylist()).encode())
    return f"{number_of(part.name)}-{digest.hexdigest()[:16]}.parquet"


def number_of(name: str) -> str:
    """The number of the ingest that a part is of, as its name has it: one part a day has it."""
    return name.split("-", 1)[0]


def write_changed(part: Path, change: Change, to: Path) -> None:
    """Write the changed rows of a part to another file, whole or not at all, in bounded memory."""
    with (
        replacing(to) as temporary,
        pq.ParquetFile(part) as file,
        pq.ParquetWriter(temporary, SCHEMA, compression="zstd", write_statistics=False) as writer,
    ):
        for table in _groups(change(pa.Table.from_batches([b])) for b in file.iter_batches(_BATCH_ROWS)):
            writer.write_table(table, row_group_size=table.num_rows)


def rows_of(part: Path, change: Change) -> Iterator[dict[str, object]]:
    """The rows that a change leaves of a part, texts included, a few at a time."""
    with pq.ParquetFile(part) as file:
        for batch in file.iter_batches(_BATCH_ROWS):
            yield from change(pa.Table.from_batches([batch])).to_pylist()


def _groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    gathered: list[pa.Table] = []
    n_bytes = 0
    for table in tables:
        if table.num_rows:
            gathered.append(table.cast(SCHEMA))
            n_bytes += table.nbytes
        if n_bytes >= _GROUP_BYTES:
            yield pa.concat_tables(gathered)
            gathered, n_bytes = [], 0
    if gathered:
        yield pa.concat_tables(gathered)
