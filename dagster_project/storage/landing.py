"""Landing: every conversation that was ever accepted, in parts by day, under pseudonyms. The truth of the input.

Lives here: where parts lie, reading them, and putting a day together from them. A lake day is a pure function
of the day's parts. Not here: writing parts (`landing_writer.py`), which conversations may land
(`ingest_index.py`), the lake's files (`lake.py`).
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.home import Home
from dagster_project.storage.ingest_index import Entry
from dagster_project.storage.lake import TABLES, UTC_TIME, Lake
from dagster_project.storage.pseudonyms import NO_USER

INPUTS = "inputs"
"""Key in the lake's metadata: the digest of the parts that a day was put together from."""
_ASSEMBLED = ("messages", "conversations")
_TIME = pa.timestamp("us", tz="UTC")
_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string()), ("created_at", _TIME)])
SCHEMA = pa.schema(
    [
        ("conversation_key", pa.string()),
        ("user_key", pa.string()),
        ("started_at", _TIME),
        ("assumed_utc", pa.bool_()),
        ("surface", pa.string()),
        ("content_hash", pa.string()),
        ("n_messages", pa.int32()),
        ("messages", pa.list_(_MESSAGE)),
    ]
)


@dataclass(frozen=True)
class Day:
    """One day as the lake keeps it. `about` goes into the metadata of both tables: ids and counts only."""

    conversations: pl.DataFrame
    messages: pl.DataFrame
    about: dict[str, str]


class Landing:
    """The landing folder of one home: `day=YYYY-MM-DD/<number of the ingest>-<digest>.parquet`."""

    def __init__(self, home: Home) -> None:
        self.root = home.landing

    def folder(self, day: date) -> Path:
        """The folder of a day's parts."""
        return self.root / f"day={day.isoformat()}"

    def parts(self, day: date) -> list[Path]:
        """A day's parts, the earliest first."""
        return sorted(self.folder(day).glob("*.parquet"))

    def part_names(self) -> list[str]:
        """Every part as `day=…/name`, by day and then by age."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.glob("day=*/*.parquet"))

    def days(self) -> list[date]:
        """The days that anything has landed on, in order."""
        return sorted({date.fromisoformat(path.parent.name[4:]) for path in self.root.glob("day=*/*.parquet")})

    def inputs(self, day: date) -> str:
        """Digest of a day's parts. Their names tell their contents, so the names suffice."""
        return digest_of(path.name for path in self.parts(day))

    def entries(self, part: str) -> Iterator[Entry]:
        """What the ingest index has to know of one part, row by row, without reading its texts."""
        columns = ["conversation_key", "user_key", "started_at", "n_messages", "content_hash"]
        with pq.ParquetFile(self.root / part) as file:
            for batch in file.iter_batches(columns=columns):
                for row in batch.to_pylist():
                    yield Entry(**row)

    def read_day(self, day: date) -> tuple[pl.DataFrame, pl.DataFrame]:
        """A day's conversations and messages in the lake's schemas, ordered by (started_at, conversation_key).

        Of several versions of a conversation the one with most messages stays, then the latest. The same
        parts give the same rows in the same order.
        """
        return _assembled(self.parts(day))

    def stale_days(self, lake: Lake) -> list[date]:
        """The days whose lake tables were put together from other parts than lie here now, in order."""
        days = {*self.days(), *(day for table in _ASSEMBLED for day in lake.days(table))}
        return sorted(day for day in days if self.is_stale(lake, day))

    def is_stale(self, lake: Lake, day: date) -> bool:
        """Whether one of a day's two tables was put together from other parts than lie here now."""
        wanted = self.inputs(day)
        return any((lake.about(table, day) or {}).get(INPUTS) != wanted for table in _ASSEMBLED)


def assemble_day(landing: Landing, day: date) -> Day:
    """A day put together from its parts, with what the lake should remember of it. Deterministic.

    Parts that land meanwhile are left for the next time: `about` speaks of those that were read.
    """
    parts = landing.parts(day)
    conversations, messages = _assembled(parts)
    return Day(conversations, messages, about_day(conversations, messages, digest_of(path.name for path in parts)))


def about_day(conversations: pl.DataFrame, messages: pl.DataFrame, inputs: str) -> dict[str, str]:
    """What the lake should remember of a day: what it was put together from, and counts."""
    return {
        INPUTS: inputs,
        "n_conversations": str(conversations.height),
        "n_messages": str(messages.height),
        "n_users": str(conversations["user_key"].n_unique()),
        "n_without_user_id": str(conversations.filter(pl.col("user_key") == NO_USER).height),
        "n_assumed_utc": str(int(conversations["assumed_utc"].sum())),
    }


def digest_of(names: Iterable[str]) -> str:
    """Digest of parts by their names, the earliest first."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]


def _assembled(parts: list[Path]) -> tuple[pl.DataFrame, pl.DataFrame]:
    versions = [
        _read(path).with_columns(pl.lit(number, pl.Int32).alias("part")).with_row_index("row")
        for number, path in enumerate(parts)
    ]
    if not versions:
        return pl.DataFrame(schema=TABLES["conversations"]), pl.DataFrame(schema=TABLES["messages"])
    nested = (
        pl.concat(versions, rechunk=False)
        .sort("conversation_key", "n_messages", "part", "row")
        .unique("conversation_key", keep="last", maintain_order=True)
        .sort("started_at", "conversation_key")
    )
    messages = (
        nested.select(
            "conversation_key",
            pl.int_ranges(0, "n_messages", dtype=pl.Int32).alias("message_index"),
            "messages",
        )
        .explode("message_index", "messages")
        .unnest("messages")
        .select(pl.col(name).cast(kind) for name, kind in TABLES["messages"].items())
    )
    counts = messages.group_by("conversation_key").agg(
        (pl.col("role") == "user").sum().alias("n_human_messages"),
        (pl.col("role") == "assistant").sum().alias("n_assistant_messages"),
    )
    conversations = (
        nested.drop("messages", "part", "row")
        .join(counts, on="conversation_key", how="left", maintain_order="left")
        .select(pl.col(name).cast(kind) for name, kind in TABLES["conversations"].items())
    )
    return conversations, messages


def _read(part: Path) -> pl.DataFrame:
    with pq.ParquetFile(part) as file:
        frame = pl.from_arrow(file.read())
    assert isinstance(frame, pl.DataFrame)
    return frame.with_columns(pl.col("started_at").cast(UTC_TIME))
