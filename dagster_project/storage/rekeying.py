"""Writing what is stored under the next pseudonyms, each file beside the one that it will replace.

Lives here: landing parts, lake files, caches, tombstones and marks, staged under hidden names that end in `.rotated`;
and putting what was staged in place. Not here: when (`key_rotation.py`), the pseudonyms (`pseudonyms.py`), the
warehouse (`warehouse_rewriting.py`).
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa

from dagster_project.home import Home
from dagster_project.storage.files import replacing
from dagster_project.storage.lake import BY_PERIOD, TABLES, Lake
from dagster_project.storage.landing import INPUTS, Landing, digest_of
from dagster_project.storage.landing_rewriting import number_of, renamed, write_changed
from dagster_project.storage.pseudonyms import Rekeying
from dagster_project.storage.tombstones import Erased, Tombstones, document_of, tombstones_file

STAGED = ".rotated"
COLUMNS = {"user_key": "user", "conversation_key": "conversation", "content_hash": "content", "file_mark": "content"}
ORDER = {
    "screen_labels": ("conversation_key", "facet", "value_index"),
    "detail_labels": ("conversation_key", "facet", "value_index"),
    "screening": ("conversation_key",),
    "descriptions": ("conversation_key", "facet"),
    "conversations": ("started_at", "conversation_key"),
    "topic_assignments": ("affective_type", "conversation_key"),
    "human_samples": ("conversation_key",),
    "coder_answers": ("conversation_key", "coder", "facet", "value_index"),
    "human_labels": ("conversation_key", "facet", "value_index"),
}
"""How each table of the lake is sorted: by pseudonyms, so that new ones mean a new order. Messages follow theirs."""
_ROWS = 2_000

Inputs = Mapping[date, tuple[str, str]]
"""By day, the digest of its parts before and after."""


def staged(target: Path) -> Path:
    """Where the file that will replace `target` is written."""
    return target.with_name(f".{target.name}{STAGED}")


def staged_files(home: Home) -> Iterator[Path]:
    """Every staged file of a home."""
    for folder in (home.landing, home.private, home.warehouse.parent):
        yield from sorted(folder.rglob(f".*{STAGED}"))


def put_in_place(path: Path) -> None:
    """Let a staged file replace what it was written for: a landing part the one of the same number, else its namesake.

    The old part goes before the new one has its name, so that doing it again finds the rest.
    """
    target = path.with_name(path.name[1 : -len(STAGED)])
    if target.parent.name.startswith("day=") and target.suffix == ".parquet" and target.name != "data.parquet":
        for old in target.parent.glob(f"{number_of(target.name)}-*.parquet"):
            old.unlink()
    for suffix in {".sqlite": ("-wal", "-shm"), ".duckdb": (".wal",)}.get(target.suffix, ()):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    path.replace(target)


def stage_landing(landing: Landing, rekeying: Rekeying) -> dict[date, tuple[str, str]]:
    """Every part under its next pseudonyms; by day, the digest of its parts before and after."""
    inputs: dict[date, tuple[str, str]] = {}
    for day in landing.days():
        names = []
        for part in landing.parts(day):
            name = renamed(part, lambda table: _next_table(table, rekeying))
            assert name is not None
            write_changed(part, lambda table: _next_table(table, rekeying), staged(part.with_name(name)))
            names.append(name)
        inputs[day] = landing.inputs(day), digest_of(sorted(names))
    return inputs


def stage_lake(home: Home, lake: Lake, rekeying: Rekeying, inputs: Inputs) -> None:
    """Every table that holds pseudonyms, in its own order again; days that were up to date still are."""
    beside = _Beside(home)
    for table in TABLES.keys() & (ORDER.keys() | {"messages"}):
        for partition in _partitions(lake, table):
            frame = _next_frame(lake.read(table, partition), rekeying)
            if table == "messages":
                heads = _next_frame(lake.read("conversations", partition), rekeying).sort(ORDER["conversations"])
                frame = _in_order_of(heads["conversation_key"], frame)
            else:
                frame = frame.sort(ORDER[table])
            about = lake.about(table, partition) or {}
            if INPUTS in about and isinstance(partition, date) and partition in inputs:
                about = {**about, INPUTS: about[INPUTS].replace(*inputs[partition])}
            beside.write(table, partition, frame, about)


def stage_marks(folder: Path, inputs: Inputs) -> None:
    """The marks of days that the warehouse holds. Those of periods go: which conversations count is drawn anew."""
    for day, (before, after) in inputs.items():
        mark = folder / day.isoformat()
        if mark.exists() and before in (text := mark.read_text()):
            with replacing(staged(mark)) as temporary:
                temporary.write_text(text.replace(before, after))


def stage_cache(file: Path, rekeying: Rekeying) -> None:
    """A cache under the next hashes, as a fresh database. Raises sqlite3.Error."""
    if not file.exists():
        return
    with (
        replacing(staged(file)) as temporary,
        closing(sqlite3.connect(file)) as old,
        closing(sqlite3.connect(temporary)) as new,
    ):
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for name, schema in old.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall():
            new.execute(schema)
            _copy_rows(old, new, name, rekeying)
        new.commit()


def stage_tombstones(home: Home, rekeying: Rekeying) -> None:
    """What was erased, under its next pseudonyms: an old export is still known again."""

    def following(erased: Erased) -> Erased:
        users = frozenset(map(rekeying.user, erased.users))
        return Erased(users, frozenset(map(rekeying.conversation, erased.conversations)), erased.before)

    if tombstones_file(home).exists():
        tombstones = Tombstones(home)
        with replacing(staged(tombstones_file(home))) as temporary:
            temporary.write_bytes(document_of(following(tombstones.read()), following(tombstones.pending())))


class _Beside(Lake):
    """A lake whose files are written beside those of the real one."""

    def path(self, table: str, partition: date | str) -> Path:
        return staged(super().path(table, partition))


def _partitions(lake: Lake, table: str) -> list[date | str]:
    if table not in BY_PERIOD:
        return list(lake.days(table))
    files = lake.path(table, "any").parent.parent.glob("period=*/data.parquet")
    return sorted(file.parent.name.removeprefix("period=") for file in files)


def _next_frame(frame: pl.DataFrame, rekeying: Rekeying) -> pl.DataFrame:
    changed = []
    for column in frame.columns:
        if column in COLUMNS:
            old = frame[column].unique().to_list()
            new = list(map(getattr(rekeying, COLUMNS[column]), old))
            changed.append(frame[column].replace_strict(old, new, return_dtype=pl.String).alias(column))
    return frame.with_columns(changed)


def _next_table(table: pa.Table, rekeying: Rekeying) -> pa.Table:
    for i, column in enumerate(table.column_names):
        if column in COLUMNS:
            following = getattr(rekeying, COLUMNS[column])
            values = [following(value) for value in table[column].to_pylist()]
            table = table.set_column(i, table.schema.field(i), pa.array(values, pa.string()))
    return table


def _in_order_of(keys: pl.Series, messages: pl.DataFrame) -> pl.DataFrame:
    """Messages in the order of their conversations; those of none that is known come last."""
    order = pl.DataFrame({"conversation_key": keys}).with_row_index("place")
    placed = messages.join(order, on="conversation_key", how="left", maintain_order="left")
    return placed.sort("place", "conversation_key", "message_index", nulls_last=True).drop("place")


def _copy_rows(old: sqlite3.Connection, new: sqlite3.Connection, table: str, rekeying: Rekeying) -> None:
    rows = old.execute(f'SELECT * FROM "{table}"')
    columns = [one[0] for one in rows.description]
    following = [getattr(rekeying, COLUMNS[c]) if c in COLUMNS else None for c in columns]
    insert = f'INSERT INTO "{table}" VALUES ({",".join("?" * len(columns))})'
    while part := rows.fetchmany(_ROWS):
        new.executemany(insert, [[f(v) if f else v for f, v in zip(following, row, strict=True)] for row in part])
