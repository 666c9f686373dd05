"""Rewriting the warehouse into a fresh file, because what is deleted or updated stays in the bytes of a DuckDB file.

Lives here: copying every table through a condition or an expression, for erasing and for key rotation. It knows tables
by their columns alone (`conversation_key`, `user_key`, `day`, `period_key`). Not here: dbt's models, opening the
warehouse (`warehouse.py`).
"""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project.domain.periods import parse_period
from dagster_project.home import Home
from dagster_project.storage.files import private_folder
from dagster_project.storage.pseudonyms import Rekeying
from dagster_project.storage.tombstones import Erased
from dagster_project.storage.warehouse import warehouse_lock

FRESH = ".confide.duckdb.tmp"
_Table = tuple[str, str]


@dataclass(frozen=True)
class Removed:
    """What was taken out of the warehouse. periods: keys of the periods that are counted anew."""

    rows: int = 0
    periods: tuple[str, ...] = ()


def erase_rows(home: Home, erased: Erased, days: Collection[date]) -> Removed:
    """Take out the rows of what is erased, and every row of the periods that held any of it.

    days: days that are known to be touched; the warehouse's own rows add to them. The file is replaced only when it
    held any of it. Raises WarehouseError when it is not free in time.
    """
    with warehouse_lock(home), _opened(home) as connection:
        if connection is None:
            return Removed()
        tables = _tables(connection)
        keys = pl.DataFrame({"conversation_key": sorted(erased.conversations)}, schema={"conversation_key": pl.String})
        connection.register("asked", keys.to_arrow())
        connection.execute("create temp table doomed as select conversation_key from asked")
        touched = set(days)
        for table, columns in tables.items():
            if {"conversation_key", "user_key", "day"} <= set(columns):
                where = _of_erased(columns, erased)
                found = connection.execute(f"select distinct day from {_name(table)} where {where}").fetchall()
                touched |= {day for (day,) in found}
                connection.execute(f"insert into doomed select conversation_key from {_name(table)} where {where}")
        periods = sorted(_periods(connection, tables, touched))
        conditions = {table: _condition(columns, erased, periods) for table, columns in tables.items()}
        rows = sum(
            connection.execute(f"select count(*) from {_name(table)} where {where}").fetchone()[0]
            for table, where in conditions.items()
        )
        if not rows:
            return Removed()
        _copy(connection, tables, {table: f"not coalesce({where}, false)" for table, where in conditions.items()})
        _put_in_place(home, connection)
        return Removed(rows, tuple(periods))


def write_rekeyed(home: Home, rekeying: Rekeying, to: Path) -> bool:
    """Write the warehouse under the next pseudonyms to another file; False where there is none."""
    with warehouse_lock(home), _opened(home) as connection:
        if connection is None:
            return False
        for column, following in (("user_key", rekeying.user), ("conversation_key", rekeying.conversation)):
            connection.create_function(f"next_{column}", following, ["VARCHAR"], "VARCHAR")
        _copy(connection, _tables(connection), {}, ("user_key", "conversation_key"))
        connection.execute("detach fresh")
        _finished(_fresh(home)).replace(to)
        return True


@contextmanager
def _opened(home: Home) -> Iterator[Any]:
    """A connection with the warehouse as `old` and an empty file as `fresh`; None where there is no warehouse."""
    import duckdb

    if not home.warehouse.exists():
        yield None
        return
    fresh = _fresh(home)
    _forget(fresh)
    with closing(duckdb.connect(":memory:")) as connection:
        connection.execute(f"set temp_directory = '{_quoted(private_folder(home.tmp / 'duckdb'))}'")
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute(f"attach '{_quoted(home.warehouse)}' as old")
        try:
            connection.execute(f"attach '{_quoted(fresh)}' as fresh")
            fresh.chmod(0o600)
            yield connection
        finally:
            _forget(fresh)


def _copy(
    connection: Any, tables: Mapping[_Table, list[str]], where: Mapping[_Table, str], rekeyed: Collection[str] = ()
) -> None:
    """Schemas, constraints and views as they are; the rows of a table that meet its condition, some columns rekeyed."""
    connection.execute("copy from database old to fresh (schema)")
    for table, columns in tables.items():
        chosen = ", ".join(f'next_{c}("{c}")' if c in rekeyed else f'"{c}"' for c in columns)
        connection.execute(
            f"insert into fresh.{_name(table, '')} select {chosen} from {_name(table)} where {where.get(table, 'true')}"
        )


def _put_in_place(home: Home, connection: Any) -> None:
    connection.execute("detach fresh")
    connection.execute("detach old")
    _finished(_fresh(home)).replace(home.warehouse)
    _with_suffix(home.warehouse, ".wal").unlink(missing_ok=True)


def _finished(file: Path) -> Path:
    file.chmod(0o600)
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
    return file


def _tables(connection: Any) -> dict[_Table, list[str]]:
    found = connection.execute(
        "select schema_name, table_name, list(column_name order by column_index) from duckdb_columns() "
        "where database_name = 'old' and not internal and table_name in "
        "(select table_name from duckdb_tables() where database_name = 'old') group by all order by all"
    ).fetchall()
    return {(schema, table): columns for schema, table, columns in found}


def _of_erased(columns: Collection[str], erased: Erased) -> str:
    """The condition that a row is of what is erased; `doomed` holds the conversations."""
    terms = []
    if "conversation_key" in columns:
        terms.append("conversation_key in (select conversation_key from doomed)")
    if "user_key" in columns and erased.users:
        terms.append(f"user_key in ({', '.join(_literal(user) for user in sorted(erased.users))})")
    if "day" in columns and erased.before is not None:
        terms.append(f"day < date '{erased.before}'")
    return " or ".join(terms) or "false"


def _condition(columns: Collection[str], erased: Erased, periods: Collection[str]) -> str:
    of_erased = _of_erased(columns, erased)
    if "period_key" not in columns or not periods:
        return of_erased
    return f"{of_erased} or period_key in ({', '.join(map(_literal, periods))})"


def _periods(connection: Any, tables: Mapping[_Table, list[str]], days: Collection[date]) -> set[str]:
    """The periods that any of these days lies in, out of those that the warehouse holds."""
    keys: set[str] = set()
    for table, columns in tables.items():
        if "period_key" in columns:
            keys |= {key for (key,) in connection.execute(f"select distinct period_key from {_name(table)}").fetchall()}
    periods = [parse_period(key) for key in keys]
    return {period.key for period in periods if any(period.start <= day < period.end for day in days)}


def _name(table: _Table, database: str = "old.") -> str:
    schema, name = table
    return f'{database}"{schema}"."{name}"'


def _literal(text: str) -> str:
    return f"'{_quoted(text)}'"


def _quoted(text: str | Path) -> str:
    return str(text).replace("'", "''")


def _fresh(home: Home) -> Path:
    return home.warehouse.with_name(FRESH)


def _with_suffix(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def _forget(file: Path) -> None:
    for suffix in ("", ".wal"):
        _with_suffix(file, suffix).unlink(missing_ok=True)
