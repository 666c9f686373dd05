"""Homes for tests: made through the command line, as a user would.

Lives here: running `confide` as a process, and what dbt parsed, made once for all of them. Not here: how such a process
is made without loading everything anew (`warm.py`), assertions.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.home import Home
from tests.support import warm

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


def with_parsed_project(home: Home) -> Home:
    """The same home, with what dbt makes of its project before it runs: the same in every home, and seconds to make.

    Outside a run of tests, each home makes its own.
    """
    from dagster_project.dbt_project import target

    if where := warm.folder():
        warm.connected(where).close()
        for folder in (target(home).parent, target(home)):
            folder.mkdir(mode=0o700, exist_ok=True)
        for name in ("manifest.json", "partial_parse.msgpack", "project.sha256"):
            shutil.copy(target(Home(warm.parsed_home(where))) / name, target(home) / name)
            (target(home) / name).chmod(0o600)
    return home


READ_WHEN_USED = ("CONFIDE_", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "TZ")
"""What a command reads of its environment after it has loaded its libraries."""


def confide(home: Path | None, *arguments: str | Path, env: dict[str, str] | None = None, timeout: float = 600) -> Said:
    """Run a command to its end, in a process of its own. A home that `init` makes gets the parsed dbt project."""
    words = [*(["--home", str(home)] if home else []), *(str(a) for a in arguments)]
    environment = {**os.environ, "COLUMNS": "200", "TZ": "UTC", **(env or {})}
    where = warm.folder()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        if where and all(name.startswith(READ_WHEN_USED) for name in env or {}):
            code = warm.run(where, warm.CONFIDE, words, environment, out.fileno(), err.fileno(), timeout)
        else:
            cold = subprocess.run(
                [CONFIDE, *words], stdout=out, stderr=err, check=False, env=environment, timeout=timeout
            )
            code = cold.returncode
        out.seek(0)
        err.seek(0)
        said = Said(code, out.read(), err.read())
    if home and code == 0 and arguments[0] == "init":
        with_parsed_project(Home(home))
    return said


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
