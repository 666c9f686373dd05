"""Days and periods are replaced whole: nothing stale, nothing lost, whatever is run again."""

import multiprocessing
import shutil
import time
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from dagster_project.domain.periods import parse_period
from dagster_project.home import Home
from dagster_project.storage.requests import requests_file, write_requests
from dagster_project.storage.warehouse import (
    WarehouseError,
    daily_arguments,
    prepare_warehouse,
    read_publish_rows,
    reading,
    warehouse_lock,
)
from tests.support.dbt_runs import build_days, build_periods, run_dbt
from tests.support.lake_builder import CANARY, Talk, write_talks

MONDAY, TUESDAY, NEXT_WEEK = date(2026, 10, 5), date(2026, 10, 6), date(2026, 10, 14)
ADVICE = {"types": ("interpersonal_advice",), "pushback": ((0, "challenge"),), "turns": "ua" * 6}


def days_in_warehouse(home: Home) -> list[tuple[str, date]]:
    with reading(home) as connection:
        return connection.execute(
            "select conversation_key, day from intermediate.int_conversations order by 1, 2"
        ).fetchall()


def n_all(home: Home, period: str) -> list[int]:
    rows = read_publish_rows(home, "publish_prevalence", [period])
    return rows.filter(pl.col("category") == "all")["n_conversations"].to_list()


@pytest.mark.long
def test_what_is_run_again_replaces_and_the_rest_stays(tmp_path: Path) -> None:
    """Bad days: late data doubles a day; an erased conversation stays; one week's run removes another's rows."""
    home = Home(tmp_path / "home")
    home.create()
    week, next_week = parse_period("2026-W41"), parse_period("2026-W42")
    first = [
        Talk("a", "u1", MONDAY, sentiment=(0.0, 0.0, 0.0, 0.5, 0.5, 0.5), **ADVICE),
        Talk("b", "u2", MONDAY, content_creation=True),
        Talk("c", "u3", TUESDAY),
        Talk("d", "u1", NEXT_WEEK),
    ]
    write_talks(home, first)

    # No topic was ever written: that table is empty, not an error.
    build_days(home, MONDAY, NEXT_WEEK)
    build_periods(home, [week], 5)
    assert days_in_warehouse(home) == [("a", MONDAY), ("b", MONDAY), ("c", TUESDAY), ("d", NEXT_WEEK)]
    assert n_all(home, week.key) == [3]
    assert n_all(home, next_week.key) == []
    sentiment = read_publish_rows(home, "publish_sentiment", [week.key]).filter(pl.col("affective_type") == "any")
    assert sentiment["sentiment_change"].to_list() == [0.5]

    # b is gone, c moved to Monday, Tuesday is empty; next week's day is not run, its period is asked for anew.
    write_talks(home, [first[0], Talk("c", "u3", MONDAY)], empty_days=[TUESDAY])
    build_days(home, MONDAY, TUESDAY)
    build_periods(home, [next_week], 5)
    assert days_in_warehouse(home) == [("a", MONDAY), ("c", MONDAY), ("d", NEXT_WEEK)]
    assert n_all(home, week.key) == [3], "a period that was not asked for changed"
    assert n_all(home, next_week.key) == [1]

    # Everything of the week is gone: its cells stay, at zero, and every table says so.
    write_talks(home, [], empty_days=[MONDAY, TUESDAY])
    build_days(home, MONDAY, TUESDAY)
    build_periods(home, [week], 5)
    assert days_in_warehouse(home) == [("d", NEXT_WEEK)]
    assert n_all(home, week.key) == [0]
    assert n_all(home, next_week.key) == [1]
    shares = read_publish_rows(home, "publish_prevalence", [week.key])["share"]
    assert shares.null_count() == len(shares) == 11, "a share of nobody"
    with reading(home) as connection:
        left = connection.execute(
            "select count(*) from intermediate.int_counted_conversations where period_key = ?", [week.key]
        )
        assert left.fetchone() == (0,), "rows of a period that became empty were left behind"
        labels = connection.execute("select count(*) from staging.stg_screen_labels").fetchone()

    # A copy of the home (a trial, a backup unpacked elsewhere) read the labels of the first one for its periods.
    copy = Home(tmp_path / "it's [a] copy")
    shutil.copytree(home.root, copy.root)
    shutil.rmtree(home.lake)
    prepare_warehouse(copy)
    with reading(copy) as connection:
        assert connection.execute("select count(*) from staging.stg_screen_labels").fetchone() == labels != (0,)
        views = connection.execute("select sql from duckdb_views() where not internal").fetchall()
        assert not any(f"{home.root}/" in sql for (sql,) in views), "what was asked of the first home is read"


def test_a_category_that_nobody_defined_stops_the_run_without_being_told(tmp_path: Path) -> None:
    """Bad day: a model answers with a name instead of a category, and it is counted, dropped unseen, or logged."""
    home = Home(tmp_path / "home")
    home.create()
    write_talks(home, [Talk("a", "u1", MONDAY, types=("coaching",), pushback=((0, CANARY),))])
    with pytest.raises(AssertionError, match="accepted_values_stg_detail_labels_pushback") as failed:
        build_days(home, MONDAY, MONDAY)
    assert CANARY not in str(failed.value)
    for path in [home.warehouse, *(home.private / "dbt").rglob("*")]:
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path.name


def test_a_table_of_other_columns_stops_the_run_and_keeps_its_rows(tmp_path: Path) -> None:
    """Bad upgrade: a column that is gone stays as nulls, a new one is dropped, or one of another type is cast; or the
    rows are deleted before the new ones fail."""
    home = Home(tmp_path / "home")
    home.create()
    write_talks(home, [Talk("a", "u1", MONDAY, **ADVICE)])
    build_days(home, MONDAY, MONDAY)
    only = ("build", "--select", "int_conversations", *daily_arguments(MONDAY, TUESDAY))
    changes = {
        "add column more int": "drop column more",
        "rename n_human_messages to n": "rename n to n_human_messages",
        "alter n_human_messages type varchar": "alter n_human_messages type integer",
    }
    for change, back in changes.items():
        alter(home, change)
        with pytest.raises(AssertionError, match="columns of the model are not those of its table"):
            run_dbt(home, *only)
        assert days_in_warehouse(home) == [("a", MONDAY)]
        alter(home, back)
        run_dbt(home, *only)


def alter(home: Home, change: str) -> None:
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute(f"alter table intermediate.int_conversations {change}")


def test_preparing_makes_no_day(tmp_path: Path) -> None:
    """The files that give empty tables a shape must not look like a landed day."""
    from dagster_project.storage.lake import TABLES, Lake

    home = Home(tmp_path)
    home.create()
    prepare_warehouse(home)
    prepare_warehouse(home)
    assert all(Lake(home).days(t) == [] for t in TABLES)
    assert all(Lake(home).read(t, date(1970, 1, 1)).is_empty() for t in TABLES)
    assert pl.read_parquet(requests_file(home)).is_empty()


def _hold(root: str, seconds: float, held: object) -> None:
    with warehouse_lock(Home(Path(root))):
        held.set()  # type: ignore[attr-defined]
        time.sleep(seconds)


def test_a_second_process_waits_or_fails_clearly(tmp_path: Path) -> None:
    """DuckDB fails the second at once: a backfill beside the daily run would die for nothing."""
    home = Home(tmp_path)
    home.create()
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    holder = context.Process(target=_hold, args=(str(tmp_path), 1.5, held))
    holder.start()
    assert held.wait(30)
    with pytest.raises(WarehouseError, match="another process has held the warehouse"), warehouse_lock(home, 0.3):
        pass
    with warehouse_lock(home, 30):
        pass
    holder.join()
    assert holder.exitcode == 0


def test_no_warehouse_yet_is_said(tmp_path: Path) -> None:
    """A release before the first run must say what to do, and must not make an empty warehouse."""
    home = Home(tmp_path)
    home.create()
    with pytest.raises(WarehouseError, match="there is no warehouse"):
        read_publish_rows(home, "publish_funnel", [])
    assert not home.warehouse.exists()


def test_requests_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    """A doubled period would double its rows; a bound of none would publish nobody."""
    home = Home(tmp_path)
    week = parse_period("2026-W41")
    with pytest.raises(ValueError, match="twice"):
        write_requests(home, [week, week], 5)
    with pytest.raises(ValueError, match="at least one"):
        write_requests(home, [week], 0)
    with pytest.raises(ValueError, match="empty"):
        daily_arguments(MONDAY, MONDAY)
