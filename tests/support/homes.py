"""Homes for tests: made through the command line, as a user would.

Lives here: running `confide` as a process, and what dbt parsed, made once for all of them. Not here: assertions.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.home import Home

CONFIDE = str(Path(sys.executable).parent / "confide")


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its one JSON object."""
        return json.loads(self.out)


PARSED = "TESTS_PARSED"
"""Variable that names the folder of this whole run of tests in which the parsed dbt project lies (`conftest.py`)."""


def with_parsed_project(home: Home) -> Home:
    """The same home, with what dbt makes of its project before it runs: the same in every home, and seconds to make.

    The first to ask has it made, as the first run of a home would. Without the folder, each home makes its own.
    """
    from dagster_project.dbt_project import manifest_path, target

    if PARSED in os.environ:
        made = Home(Path(os.environ[PARSED]) / "home")
        with made.root.with_name("lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            manifest_path(made)
        for folder in (target(home).parent, target(home)):
            folder.mkdir(mode=0o700, exist_ok=True)
        for name in ("manifest.json", "partial_parse.msgpack", "project.sha256"):
            shutil.copy(target(made) / name, target(home) / name)
            (target(home) / name).chmod(0o600)
    return home


def confide(home: Path | None, *arguments: str | Path, env: dict[str, str] | None = None, timeout: float = 600) -> Said:
    """Run a command to its end. A home that `init` makes gets the parsed dbt project."""
    command = [CONFIDE, *(["--home", str(home)] if home else []), *(str(a) for a in arguments)]
    environment = {**os.environ, "COLUMNS": "200", "TZ": "UTC", **(env or {})}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=timeout)
    if home and done.returncode == 0 and arguments[0] == "init":
        with_parsed_project(Home(home))
    return Said(done.returncode, done.stdout, done.stderr)


def done(said: Said) -> Said:
    """The same, after making sure that it succeeded."""
    assert said.code == 0, f"exit {said.code}: {said.err[-2000:]}"
    return said


def lake_rows(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every lake table, for comparing homes."""
    import polars as pl

    rows: dict[str, list[tuple[Any, ...]]] = {}
    for table in sorted((home / "private" / "lake").iterdir()):
        for file in sorted(table.glob("*=*/data.parquet")):
            rows.setdefault(f"{table.name}/{file.parent.name}", []).extend(
                pl.read_parquet(file, hive_partitioning=False).rows()
            )
    return rows


def warehouse_rows(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the warehouse, in canonical order."""
    import duckdb

    with duckdb.connect(str(home / "warehouse" / "confide.duckdb"), read_only=True) as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE' order by all"
        ).fetchall()
        return {f"{s}.{t}": connection.execute(f'select * from "{s}"."{t}" order by all').fetchall() for s, t in tables}
