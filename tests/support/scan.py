"""Looking for planted text: every byte of every file, and every value of what is stored compressed.

Not here: planting (`worlds.py` and the tests).
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

PRIVATE = ("landing", "private", "quarantine", "inbox")


def outside_private(home: Path) -> list[Path]:
    """Every file of a home that is not in a declared private place."""
    return [p for p in home.rglob("*") if p.is_file() and p.relative_to(home).parts[0] not in PRIVATE]


def values(path: Path) -> Iterator[str]:
    """Every value of a Parquet, DuckDB, SQLite or gzip file as text (bytes as hex), whatever its compression."""
    if path.suffix == ".parquet":
        import polars as pl

        for column in pl.read_parquet(path, hive_partitioning=False):
            yield from map(str, column.to_list())
    elif path.suffix == ".duckdb":
        import duckdb

        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
            for schema, table in tables:
                for row in connection.execute(f'select * from "{schema}"."{table}"').fetchall():
                    yield from map(str, row)
            yield from (str(row) for row in connection.execute("select sql from duckdb_views()").fetchall())
    elif path.suffix in (".sqlite", ".db"):
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(path)) as database:
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in database.execute(f'SELECT * FROM "{name}"'):
                    for value in row:
                        yield from _of_bytes(value) if isinstance(value, bytes) else [str(value)]
    elif path.suffix == ".gz":
        yield gzip.decompress(path.read_bytes()).decode("utf-8", "replace")


def _of_bytes(value: bytes) -> Iterator[str]:
    """A blob as hex, and the text in it: Dagster keeps its snapshots compressed."""
    yield value.hex()
    with suppress(zlib.error):
        value = zlib.decompress(value)
    yield value.decode("utf-8", "replace")


def found(files: Iterable[Path], canaries: Iterable[str]) -> list[str]:
    """`file: canary` for every canary that is in a file, as bytes in any usual encoding or as a value."""
    wanted = list(canaries)
    hits = []
    for path in files:
        data = path.read_bytes()
        stored = "\n".join(values(path))
        for canary in wanted:
            forms = [canary.encode(), canary.encode("utf-16-le"), canary.encode("unicode_escape")]
            if any(form in data for form in forms) or canary in stored:
                hits.append(f"{path}: {canary}")
    return hits
