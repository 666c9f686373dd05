"""Real dbt runs for tests, as production starts them: same arguments, same environment, a process of its own."""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from dagster_project.codebook.cells import FacetCell
from dagster_project.dbt_project import DBT, target
from dagster_project.domain.periods import Period
from dagster_project.home import Home
from dagster_project.storage import warehouse
from dagster_project.storage.requests import write_requests
from tests.support import warm
from tests.support.homes import with_parsed_project


def run_dbt(home: Home, *arguments: str) -> str:
    """Run dbt; returns what it printed. Raises AssertionError, with that, when it fails."""
    words = ["--no-use-colors", *arguments]
    environment = {**os.environ, **warehouse.dbt_environment(home)}
    where = warm.folder()
    with warehouse.warehouse_lock(home, timeout_seconds=300), tempfile.TemporaryFile("w+") as said:
        if where:
            code = warm.run(where, warm.DBT, words, environment, said.fileno(), said.fileno())
        else:
            cold = subprocess.run([*DBT, *words], env=environment, stdout=said, stderr=said, check=False)
            code = cold.returncode
        said.seek(0)
        printed = said.read()
    assert code == 0, printed[-6000:]
    return printed


def build_days(home: Home, first: date, last: date) -> str:
    """The daily part for the days first to last, both included."""
    if not target(home).exists():
        with_parsed_project(home)
    warehouse.prepare_warehouse(home)
    arguments = warehouse.daily_arguments(first, last + timedelta(1))
    return run_dbt(home, "build", "--select", warehouse.DAILY_SELECTION, *arguments)


def build_periods(
    home: Home, periods: Sequence[Period], max_conversations_per_user: int, cells: Iterable[FacetCell] = ()
) -> str:
    """The period part for these periods; cells: of the facets that are measured."""
    warehouse.prepare_warehouse(home)
    write_requests(home, periods, max_conversations_per_user, cells)
    return run_dbt(home, "build", "--select", warehouse.PERIOD_SELECTION, *warehouse.period_arguments())
