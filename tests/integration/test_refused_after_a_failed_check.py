"""A check that failed in one run refuses the release in a later one, also when that selects the publishing asset alone.

A failed blocking check stops only its own run; so what it found has to outlive the run.
"""

from datetime import date

import dagster as dg
import polars as pl
import pytest

from dagster_project.assets.context import Silent
from dagster_project.build import build_definitions
from dagster_project.home import Home
from dagster_project.partitions import PERIODS_NAME
from dagster_project.running import first_cause, instance_of
from dagster_project.sensors import range_tags
from dagster_project.storage.lake import Lake
from tests.support.homes import confide, done
from tests.support.worlds import days_from, small_world, write_lines

DAYS = days_from("2026-10-05", 7)
WEEK = "2026-W41"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose week is counted, every test passed, and not yet published."""
    home = tmp_path_factory.mktemp("refused") / "home"
    logs = write_lines(home.parent / "world.jsonl", small_world(DAYS, a_day=12, users=60))
    done(confide(home, "init"))
    done(confide(home, "ingest", logs))
    done(confide(home, "run"))
    return Home(home)


def run(home: Home, first: str, last: str, *, job: str, group: str | None = None) -> dg.ExecuteInProcessResult:
    """A job of the UI, or one group of its assets alone."""
    definitions = build_definitions(home.root, {"progress": Silent()})
    selected = None
    if group is not None:
        graph = definitions.resolve_asset_graph()
        selected = sorted(dg.AssetSelection.groups(group).resolve(graph))
    with instance_of(home) as instance:
        instance.add_dynamic_partitions(PERIODS_NAME, [WEEK])
        return definitions.resolve_job_def(job).execute_in_process(
            instance=instance, tags=range_tags(first, last), raise_on_error=False, asset_selection=selected
        )


def publish_alone(home: Home) -> dg.ExecuteInProcessResult:
    result = run(home, WEEK, WEEK, job="publish")
    assert {e.step_key for e in result.all_events if e.step_key} == {"publish_periods"}
    return result


def refused(home: Home) -> str:
    result = publish_alone(home)
    assert not result.success
    assert not list(home.publications.iterdir())
    return first_cause(result) or ""


def damage(home: Home, table: str, partition: date | str, rows: pl.DataFrame) -> None:
    """Other rows in the lake under the same marks, as a disk or a hand might leave them."""
    lake = Lake(home)
    lake.write(table, partition, rows, lake.about(table, partition))


def test_after_a_failed_check_the_publishing_asset_alone_publishes_nothing(sound: Home) -> None:
    lake, day = Lake(sound), date.fromisoformat(DAYS[2])
    topics, labels = lake.read("topics", WEEK), lake.read("screen_labels", day)

    made_up = {"affective_type": "coaching", "topic_id": "twice", "level": 1, "topic_name": "work"}
    damage(sound, "topics", WEEK, pl.concat([topics, pl.DataFrame([made_up] * 2, schema=topics.schema)]))
    assert not run(sound, WEEK, WEEK, job="marts", group="marts").success
    assert "failed a test" in refused(sound)

    damage(sound, "screen_labels", day, pl.concat([labels, labels.head(1)]))
    assert not run(sound, DAYS[2], DAYS[2], job="daily", group="warehouse").success
    assert "1 of its days are not up to date" in refused(sound)
