"""The estimators as SQL functions: what dbt calls is what was tested against scipy."""

from pathlib import Path

import duckdb
import pytest

from dagster_project.domain.estimation.bootstrap import bootstrap_mean_interval
from dagster_project.domain.estimation.wilson import clustered_wilson_interval
from dagster_project.home import Home
from dagster_project.storage.warehouse import configure_connection


@pytest.fixture
def connection(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    configure_connection(connection, Home(tmp_path))
    return connection


def test_wilson_in_sql_is_wilson(connection: duckdb.DuckDBPyConnection) -> None:
    """Arguments in another order would give plausible ends."""
    low, high = clustered_wilson_interval(0.25, 0.002, 200, 80)
    got = connection.execute("select wilson_interval(0.25, 0.002, 200, 80, 1000)").fetchone()
    assert got == ({"low": pytest.approx(low), "high": pytest.approx(high)},)


def test_bootstrap_in_sql_is_the_bootstrap(connection: duckdb.DuckDBPyConnection) -> None:
    """Groups of several lengths in one vector must not run into each other."""
    rows = connection.execute(
        "select n, bootstrap_mean(list((i % 7)::double order by hash(i)), list(1.0 + i % 3)) "
        "from (values (3), (40), (500)) as sizes (n), range(500) as users (i) where i < n group by n order by n"
    ).fetchall()
    assert [n for n, _ in rows] == [3, 40, 500]
    same = connection.execute(
        "select bootstrap_mean(list((i % 7)::double order by i), list(1.0 + i % 3 order by i)) from range(40) as u (i)"
    ).fetchone()
    expected = bootstrap_mean_interval([float(i % 7) for i in range(40)], [1.0 + i % 3 for i in range(40)])
    assert same == ({"low": pytest.approx(expected.low, abs=1e-9), "high": pytest.approx(expected.high, abs=1e-9)},)


@pytest.mark.parametrize(
    "call",
    [
        "wilson_interval(null, 0.1, 5, 5, 5)",
        "wilson_interval(0.5, null, 5, 5, 5)",
        "wilson_interval(0.5, 0.1, 0, 0, 0)",
        "bootstrap_mean(null, null)",
        "bootstrap_mean([]::double[], []::double[])",
    ],
)
def test_nobody_gives_null(connection: duckdb.DuckDBPyConnection, call: str) -> None:
    """An empty category must not stop the run of all others, nor get an invented interval."""
    assert connection.execute(f"select {call}").fetchone() == (None,)


def test_nothing_is_downloaded_and_time_is_utc(connection: duckdb.DuckDBPyConnection) -> None:
    """A host in another zone must not move a conversation to another day; no run may depend on a network."""
    settings = dict(
        connection.execute(
            "select name, value from duckdb_settings() where name in "
            "('TimeZone', 'autoinstall_known_extensions', 'autoload_known_extensions', 'temp_directory')"
        ).fetchall()
    )
    assert settings["TimeZone"] == "UTC"
    assert settings["autoinstall_known_extensions"] == settings["autoload_known_extensions"] == "false"
    assert settings["temp_directory"].endswith("private/tmp/duckdb")
