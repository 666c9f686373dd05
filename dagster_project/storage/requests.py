"""The periods asked for, and the cells of facets: a few rows that tell dbt what to compute in its next run.

A file instead of `--vars`: each new value of a variable makes dbt parse everything again (3.6 s). Not here: which
periods are due (`assets/`), what is computed (`dbt/`).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from dagster_project.codebook.cells import FacetCell
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


FACETS = {
    "facet": pl.String,
    "value": pl.String,
    "affective_type": pl.String,
    "of_facet": pl.String,
    "values_told": pl.String,
    "published_in": pl.String,
}


def requests_file(home: Home) -> Path:
    """Where the periods asked for are written."""
    return home.private / "requests" / "periods.parquet"


def facets_file(home: Home) -> Path:
    """Where the cells of facets are written."""
    return home.private / "requests" / "facets.parquet"


def write_requests(
    home: Home, periods: Sequence[Period], max_conversations_per_user: int, cells: Iterable[FacetCell] = ()
) -> None:
    """Ask for these periods, and no others, in dbt's next run over periods. cells: of the facets that are measured.

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
    with replacing(facets_file(home)) as temporary:
        pl.DataFrame(list(cells), schema=FACETS, orient="row").write_parquet(temporary)
