"""A check that failed in one run refuses the release in a later one, also when that selects the publishing asset alone.

A failed blocking check stops only its own run; so what it found has to outlive the run.
"""

from datetime import date

import polars as pl
import pytest

from dagster_project.home import Home
from dagster_project.running import first_cause
from dagster_project.storage.lake import Lake
from tests.support.groups import run_job
from tests.support.ready_home import COUNTED, DAYS, ready_home


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a week that is counted, every test passed, and not yet published."""
    return Home(ready_home(tmp_path_factory).home)


def refused(home: Home) -> str:
    before = sorted(home.publications.iterdir())
    result = run_job(home, "publish", COUNTED)
    assert {e.step_key for e in result.all_events if e.step_key} == {"publish_periods"}
    assert not result.success
    assert sorted(home.publications.iterdir()) == before
    return first_cause(result) or ""


def damage(home: Home, table: str, partition: date | str, rows: pl.DataFrame) -> None:
    """Other rows in the lake under the same marks, as a disk or a hand might leave them."""
    lake = Lake(home)
    lake.write(table, partition, rows, lake.about(table, partition))


def test_after_a_failed_check_the_publishing_asset_alone_publishes_nothing(sound: Home) -> None:
    lake, day = Lake(sound), date.fromisoformat(DAYS[9])
    topics, labels = lake.read("topics", COUNTED), lake.read("screen_labels", day)

    made_up = {"affective_type": "coaching", "topic_id": "twice", "level": 1, "topic_name": "work"}
    damage(sound, "topics", COUNTED, pl.concat([topics, pl.DataFrame([made_up] * 2, schema=topics.schema)]))
    assert not run_job(sound, "marts", COUNTED, "marts").success
    assert "failed a test" in refused(sound)

    damage(sound, "screen_labels", day, pl.concat([labels, labels.head(1)]))
    assert not run_job(sound, "daily", DAYS[9], "warehouse").success
    assert "1 of its days are not up to date" in refused(sound)
