"""The periods asked for: a few rows that tell dbt which periods to compute in its next run.

A file instead of `--vars`: each new value of a variable makes dbt parse everything again (3.6 s). Not here: which
periods are due (`assets/`), what is computed (`dbt/`).
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dagster_project.domain.periods import Period
from dagster_project.home import Home
from dagster_project.storage.files import replacing

SCHEMA = {
    "period_key": pl.String,
    "period_kind": pl.String,
    "period_start": pl.Date,
    "period_end": pl.Date,
    "max_conversations_per_user": pl.Int32,
}


def requests_file(home: Home) -> Path:
    """Where the periods asked for are written."""
    return home.private / "requests" / "periods.parquet"


def write_requests(home: Home, periods: Sequence[Period], max_conversations_per_user: int) -> None:
    """Ask for these periods, and no others, in dbt's next run over periods.

    Raises ValueError when a period is named twice or the bound on a user's conversations is below 1.
    """
    if len({p.key for p in periods}) != len(periods):
        raise ValueError("a period is asked for twice")
    if max_conversations_per_user < 1:
        raise ValueError("at least one conversation of a user has to count")
    rows = [(p.key, p.kind.value, p.start, p.end, max_conversations_per_user) for p in sorted(periods)]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    with replacing(requests_file(home)) as temporary:
        frame.write_parquet(temporary)
