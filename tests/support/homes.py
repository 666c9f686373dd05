"""Homes for tests: made through the command line, as a user would.

Lives here: running `confide` as a process, and small worlds to put in. Not here: assertions.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def confide(home: Path | None, *arguments: str | Path, env: dict[str, str] | None = None, timeout: float = 600) -> Said:
    """Run a command to its end."""
    command = [CONFIDE, *(["--home", str(home)] if home else []), *(str(a) for a in arguments)]
    environment = {**os.environ, "COLUMNS": "200", "TZ": "UTC", **(env or {})}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=timeout)
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
