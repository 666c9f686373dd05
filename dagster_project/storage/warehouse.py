"""The working warehouse: the one place that opens `warehouse/confide.duckdb`, or starts dbt on it.

Lives here: the lock, the settings of a connection, what dbt needs in its environment and on its command line, and
reading what it built. Not here: SQL (`dbt/`), the SQL functions (`warehouse_functions.py`), publishing.

DuckDB lets one process write, or many read: a second one fails at once. `warehouse_lock` makes it wait instead, so
every use of the file, dbt's included, belongs inside it.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from dagster_project.domain.tables import TABLES
from dagster_project.home import Home
from dagster_project.storage import lake
from dagster_project.storage.files import private_folder, replacing
from dagster_project.storage.requests import facets_file, requests_file, write_requests
from dagster_project.storage.warehouse_functions import register_estimators

DBT_PROJECT = (Path(__file__).parents[1] / "dbt").resolve()
"""In a checkout a link leads to `dbt/` beside the package; an installed package holds the files."""
PUBLISH_TABLES = tuple(f"publish_{name}" for name in TABLES)
DAILY_SELECTION = "tag:daily"
PERIOD_SELECTION = "tag:period"

LOCK_SECONDS = 3600.0
POLL_SECONDS = 0.2

EMPTY_PARTITION = {"day": "day=1970-01-01", "period": "period=none"}

FILES_OF_A_HOME = re.compile(r"'/(?:[^']|'')*?(?=/private/(?:lake|requests)/)")
"""Where a view's SQL says which home's files it reads, the quotation mark included."""


class WarehouseError(Exception):
    """The warehouse cannot be used; the message says why and what to do next."""


@contextmanager
def warehouse_lock(home: Home, timeout_seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the warehouse for this process; others wait. Freed by the system when the holder dies.

    Not reentrant. Raises WarehouseError when it is not free in time.
    """
    private_folder(home.warehouse.parent)
    handle = os.open(home.warehouse.parent / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise WarehouseError(
                        f"another process has held the warehouse for over {timeout_seconds:.0f} s: "
                        "wait for the run that uses it, or stop that run, and try again"
                    ) from None
                time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(handle)


def configure_connection(connection: Any, home: Home) -> None:
    """Give a DuckDB connection our functions and settings: UTC, private spill files, nothing downloaded."""
    temporary = str(private_folder(home.tmp / "duckdb")).replace("'", "''")
    connection.execute(f"set temp_directory = '{temporary}'")
    connection.execute("set autoinstall_known_extensions = false")
    connection.execute("set autoload_known_extensions = false")
    connection.execute("set TimeZone = 'UTC'")
    register_estimators(connection)


@contextmanager
def reading(home: Home, timeout_seconds: float = LOCK_SECONDS) -> Iterator[Any]:
    """A read-only connection, under the lock. Raises WarehouseError when there is no warehouse yet, or no lock."""
    import duckdb

    with warehouse_lock(home, timeout_seconds):
        if not home.warehouse.exists():
            raise WarehouseError(f"there is no warehouse at {home.warehouse} yet: run `confide run` first")
        connection = duckdb.connect(str(home.warehouse), read_only=True)
        try:
            configure_connection(connection, home)
            yield connection
        finally:
            connection.close()


def read_publish_rows(home: Home, table: str, period_keys: Sequence[str]) -> pl.DataFrame:
    """Candidate rows of one publish table for some periods, in the order of all their columns.

    Exact numbers: for the suppressor alone. Raises KeyError on a table that is not one of `PUBLISH_TABLES`,
    WarehouseError as `reading` does.
    """
    if table not in PUBLISH_TABLES:
        raise KeyError(table)
    with reading(home) as connection:
        rows: pl.DataFrame = connection.execute(
            f"select * from publish.{table} where period_key in (select unnest(?::varchar[])) order by all",
            [list(period_keys)],
        ).pl()
        return rows


def prepare_warehouse(home: Home) -> None:
    """Make what dbt needs before its first run: one file without rows a lake table, and an empty request.

    The globs of dbt's sources then always match, and a table that nobody has filled yet is empty, not an error. The
    files are named so that `Lake.days` does not take them for a day.
    """
    for table in lake.TABLES:
        unit = "period" if table in lake.BY_PERIOD else "day"
        path = home.lake / table / EMPTY_PARTITION[unit] / "empty.parquet"
        expected = lake.empty_arrow(table)
        if not path.exists() or not pq.read_schema(path).equals(expected.schema):
            with replacing(path) as temporary:
                pq.write_table(expected, temporary)
    if not requests_file(home).exists() or not facets_file(home).exists():
        write_requests(home, [], max_conversations_per_user=1)
    read_this_home(home)


def read_this_home(home: Home) -> None:
    """Have the warehouse's views read the files of this home. Under `warehouse_lock`.

    In a copy of a home, or a backup unpacked elsewhere, they name those of the first. Building days makes them anew;
    building periods does not, and would count the other home's labels: what was erased here, or lives on there alone.
    A release builds nothing where all is up to date, and would read what was asked of the other home.
    """
    import duckdb

    if not home.warehouse.exists():
        return
    here = "'" + str(home.root.absolute()).replace("'", "''").replace("[", "[[]")
    try:
        opened = duckdb.connect(str(home.warehouse))
    except duckdb.Error:
        return  # damaged: dbt, which comes next, refuses it in words of ours
    with opened as connection:
        configure_connection(connection, home)
        for (sql,) in connection.execute("select sql from duckdb_views() where not internal").fetchall():
            ours = FILES_OF_A_HOME.sub(lambda _: here, sql)
            if ours != sql:
                connection.execute(ours.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))


def dbt_environment(home: Home) -> dict[str, str]:
    """Environment of a dbt process: which home, and where it leaves its artefacts (never in the repository).

    No log: it would hold every statement, and values that an error quotes; and writing it takes a tenth of the time.
    """
    root = home.root.absolute()
    return {
        "CONFIDE_HOME": str(root),
        "DBT_PROFILES_DIR": str(DBT_PROJECT),
        "DBT_PROJECT_DIR": str(DBT_PROJECT),
        "DBT_TARGET_PATH": str(root / "private" / "dbt" / "target"),
        "DBT_LOG_PATH": str(root / "private" / "dbt" / "logs"),
        "DBT_LOG_LEVEL_FILE": "none",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


COMMON_ARGUMENTS = (
    "--exclude-resource-type",
    "unit_test",
    "--indirect-selection",
    "buildable",
    "--no-write-json",
    "--no-partial-parse-file-diff",
)
"""Unit tests belong to the test suite. A test that looks at two parts runs with the later one: `buildable`.

Neither a manifest nor results are written: nobody reads them, results quote values of a row that failed, and writing
costs a sixth of a build. Nor are the project's files looked through again: the manifest that Dagster shows was parsed
from these (`dbt_project.manifest_path`), and what is built is what is shown.
"""


def daily_arguments(start: date, end: date) -> list[str]:
    """Arguments of `dbt build` for the days [start, end), selection not included."""
    if end <= start:
        raise ValueError("the range of days is empty")
    return [*COMMON_ARGUMENTS, "--event-time-start", f"{start}", "--event-time-end", f"{end}"]


def period_arguments() -> list[str]:
    """Arguments of `dbt build` for the periods asked for by `write_requests`, selection not included."""
    return list(COMMON_ARGUMENTS)
