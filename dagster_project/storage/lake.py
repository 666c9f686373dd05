"""The lake: the truth, one Parquet file a table and day (or period), replaced whole.

Lives here: where a partition lies, its schema, and writing and reading it. Any number of writers, no lock:
the last rename wins. Not here: what the rows mean (`domain/`), validation (`expectations/frames`).
"""

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.home import Home
from dagster_project.storage.files import replacing

UTC_TIME = pl.Datetime("us", "UTC")

TABLES: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    "conversations": {
        "conversation_key": pl.String,
        "user_key": pl.String,
        "started_at": UTC_TIME,
        "assumed_utc": pl.Boolean,
        "surface": pl.String,
        "n_messages": pl.Int32,
        "n_human_messages": pl.Int32,
        "n_assistant_messages": pl.Int32,
        "content_hash": pl.String,
    },
    "messages": {
        "conversation_key": pl.String,
        "message_index": pl.Int32,
        "role": pl.String,
        "content": pl.String,
        "created_at": UTC_TIME,
    },
    "screen_labels": {
        "conversation_key": pl.String,
        "facet": pl.String,
        "facet_version": pl.Int32,
        "status": pl.String,
        "value_index": pl.Int32,
        "value": pl.String,
        "number": pl.Float64,
        "score": pl.Float64,
        "message_index": pl.Int32,
        "weight": pl.Float64,
        "labeller": pl.String,
        "prompt_hash": pl.String,
        "labelled_at": UTC_TIME,
    },
    "screening": {
        "conversation_key": pl.String,
        "stratum": pl.String,
        "inclusion_probability": pl.Float64,
        "is_asked": pl.Boolean,
    },
    "descriptions": {
        "conversation_key": pl.String,
        "facet": pl.String,
        "facet_version": pl.Int32,
        "text": pl.String,
        "labeller": pl.String,
        "prompt_hash": pl.String,
        "labelled_at": UTC_TIME,
    },
    "topic_assignments": {
        "conversation_key": pl.String,
        "affective_type": pl.String,
        "topic_id": pl.String,
        "distance": pl.Float64,
    },
    "topics": {
        "affective_type": pl.String,
        "topic_id": pl.String,
        "parent_topic_id": pl.String,
        "level": pl.Int32,
        "topic_name": pl.String,
    },
    "human_samples": {
        "conversation_key": pl.String,
        "sample_id": pl.String,
        "item_id": pl.String,
        "stratum": pl.String,
        "inclusion_probability": pl.Float64,
    },
    "coder_answers": {
        "conversation_key": pl.String,
        "coder": pl.String,
        "facet": pl.String,
        "facet_version": pl.Int32,
        "status": pl.String,
        "value_index": pl.Int32,
        "value": pl.String,
    },
    "human_labels": {
        "conversation_key": pl.String,
        "facet": pl.String,
        "facet_version": pl.Int32,
        "status": pl.String,
        "value_index": pl.Int32,
        "value": pl.String,
        "n_coders": pl.Int32,
        "resolved_by": pl.String,
    },
}
TABLES["detail_labels"] = TABLES["screen_labels"]
BY_PERIOD = frozenset({"topic_assignments", "topics"})


class Lake:
    """Tables of one home by partition: a day, or a period's key for the tables in `BY_PERIOD`."""

    def __init__(self, home: Home) -> None:
        self._root = home.lake

    def path(self, table: str, partition: date | str) -> Path:
        """The file of one partition. Raises KeyError on an unknown table."""
        if table not in TABLES:
            raise KeyError(table)
        unit = "period" if table in BY_PERIOD else "day"
        return self._root / table / f"{unit}={partition}" / "data.parquet"

    def write(
        self, table: str, partition: date | str, frame: pl.DataFrame, about: Mapping[str, str] | None = None
    ) -> None:
        """Replace one partition. `about` (ids and counts only) is kept in the file's metadata.

        Equal frames give equal bytes. Raises polars' SchemaError where a column is missing.
        """
        schema = TABLES[table]
        arrow = frame.select(list(schema)).cast(pl.Schema(schema)).to_arrow(compat_level=pl.CompatLevel.oldest())
        kept = {f"confide.{k}".encode(): v.encode() for k, v in sorted((about or {}).items())}
        arrow = arrow.replace_schema_metadata(kept)
        with replacing(self.path(table, partition)) as temporary:
            pq.write_table(arrow, temporary, compression="zstd")

    def read(self, table: str, partition: date | str) -> pl.DataFrame:
        """One partition; no rows where it was never written."""
        path = self.path(table, partition)
        if not path.exists():
            return pl.DataFrame(schema=TABLES[table])
        return pl.from_arrow(pq.ParquetFile(path).read())  # type: ignore[return-value]

    def about(self, table: str, partition: date | str) -> dict[str, str] | None:
        """What was kept with a partition, or None where it was never written."""
        path = self.path(table, partition)
        if not path.exists():
            return None
        metadata = pq.read_schema(path).metadata or {}
        prefix = b"confide."
        return {k[len(prefix) :].decode(): v.decode() for k, v in metadata.items() if k.startswith(prefix)}

    def digest(self, table: str, partition: date | str) -> str:
        """Digest of a partition's file: equal rows give equal bytes. Raises OSError where it was never written."""
        with self.path(table, partition).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]

    def days(self, table: str) -> list[date]:
        """The days that a table has, in order."""
        return sorted(date.fromisoformat(p.parent.name[4:]) for p in self._root.glob(f"{table}/day=*/data.parquet"))


def empty_arrow(table: str) -> pa.Table:
    """A table's empty Arrow form, for readers that need one file to exist."""
    return pl.DataFrame(schema=TABLES[table]).to_arrow(compat_level=pl.CompatLevel.oldest())
