"""Counts periods anew from the labels of a home, in a warehouse of its own that is gone afterwards.

Lives here: that scratch home, and dbt run on it: the same project, without its tests, as what comes of it is compared
and not published. Nothing of the home's own is written, its warehouse is not even opened. Not here: which periods can
be counted anew, and what is done with the rows (`verifying.py`).
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dagster_project import dbt_project
from dagster_project.codebook.cells import FacetCell
from dagster_project.domain.periods import Period
from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.storage.files import private_folder
from dagster_project.storage.lake import TABLES
from dagster_project.storage.requests import write_requests
from dagster_project.storage.warehouse import (
    DAILY_SELECTION,
    DBT_PROJECT,
    EMPTY_PARTITION,
    PERIOD_SELECTION,
    daily_arguments,
    dbt_environment,
    period_arguments,
    prepare_warehouse,
    warehouse_lock,
)


class RecountFailed(ConfideError):
    """dbt could not count the labels of the home."""


@dataclass(frozen=True)
class Counting:
    """Periods that are counted alike: with one bound on a user's conversations, and the cells of the same facets."""

    periods: tuple[Period, ...]
    max_conversations_per_user: int
    cells: tuple[FacetCell, ...]


@contextmanager
def recounted(home: Home, countings: Sequence[Counting]) -> Iterator[Home]:
    """A home whose warehouse holds these periods, counted from what the lake of `home` holds now.

    It lies among the temporary files of the private zone, which an erasure sweeps, and is removed at the end. Call it
    while nobody erases (`in_use`). Raises RecountFailed.
    """
    with tempfile.TemporaryDirectory(prefix="verify-", dir=private_folder(home.tmp)) as folder:
        scratch = Home(Path(folder))
        _link_lake(home, scratch)
        _copy_parsed(home, scratch)
        prepare_warehouse(scratch)
        periods = [period for counting in countings for period in counting.periods]
        for number, one in enumerate(countings):
            write_requests(scratch, one.periods, one.max_conversations_per_user, one.cells)
            if number == 0:
                days = daily_arguments(min(p.start for p in periods), max(p.end for p in periods))
                _dbt(scratch, [DAILY_SELECTION, PERIOD_SELECTION], days)
            else:
                _dbt(scratch, [PERIOD_SELECTION], period_arguments())
        yield scratch


def _link_lake(home: Home, scratch: Home) -> None:
    """Every partition of the lake under the same name. As links: what is left after a kill holds no row of the lake."""
    for table in TABLES:
        folder = private_folder(scratch.lake / table)
        for partition in (home.lake / table).glob("*=*"):
            if partition.name not in EMPTY_PARTITION.values():
                (folder / partition.name).symlink_to(partition)


def _copy_parsed(home: Home, scratch: Home) -> None:
    """What dbt parsed holds for any home, and takes seconds to make."""
    parsed = dbt_project.target(home) / "partial_parse.msgpack"
    if parsed.exists():
        shutil.copy(parsed, private_folder(dbt_project.target(scratch)))


def _dbt(scratch: Home, selected: Sequence[str], arguments: Sequence[str]) -> None:
    """Build some models. What dbt prints may quote a value: it goes nowhere."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")}
    command = [*dbt_project.DBT, "--quiet", "build", "--resource-type", "model", "--select", *selected, *arguments]
    with warehouse_lock(scratch):
        done = subprocess.run(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            env={**ours, **dbt_environment(scratch)},
            cwd=DBT_PROJECT,
        )
    if done.returncode != 0:
        raise RecountFailed("the labels of the home cannot be counted: `confide run` says which of the models refuses")
