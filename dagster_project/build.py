"""Assembly: the explicit list of everything this code location holds.

Not here: reading the environment (`definitions.py`), any asset.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.assets.classification import classification_assets
from dagster_project.assets.coding import coding_assets
from dagster_project.assets.context import ConfideHome, Silent
from dagster_project.assets.inbox import inbox
from dagster_project.assets.ingestion import ingestion_assets
from dagster_project.assets.release import release_assets
from dagster_project.assets.retention import HomeAlone, retention
from dagster_project.assets.topics import topic_assets
from dagster_project.assets.warehouse import warehouse_assets
from dagster_project.dbt_project import dbt_resource, manifest_path, use_home
from dagster_project.home import Home
from dagster_project.jobs import DAILY, INBOX, MARTS, PUBLISH, RELEASE, RETENTION
from dagster_project.partitions import PERIODS, daily_partitions
from dagster_project.schedules import daily_schedule, retention_schedule
from dagster_project.sensors import inbox_sensor, release_sensor, stale_days_sensor
from dagster_project.settings import read_settings
from dagster_project.storage.landing import Landing

OWNER = "team:confide"


def first_day(home: Home) -> date:
    """The first day that has conversations; today in an empty home."""
    return min(Landing(home).days(), default=datetime.now(UTC).date())


def build_definitions(root: Path, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Everything of the home at `root`. `resources` replace the usual ones (progress, in the commands)."""
    home = Home(root.absolute())
    use_home(home)
    settings = read_settings(home.settings_file)
    schedule = settings.schedule
    days = daily_partitions(first_day(home))
    assets = [
        *ingestion_assets(days),
        *classification_assets(days),
        *coding_assets(),
        *topic_assets(PERIODS),
        *warehouse_assets(manifest_path(home), days, PERIODS),
        *release_assets(PERIODS),
        retention,
        inbox,
    ]
    return dg.Definitions(
        assets=[owned(asset) for asset in assets],
        jobs=[DAILY, INBOX, MARTS, PUBLISH, RELEASE, RETENTION],
        schedules=[
            daily_schedule(schedule.hour_utc, schedule.enabled),
            retention_schedule(schedule.hour_utc, settings.retention.days is not None),
        ],
        sensors=[
            stale_days_sensor(schedule.enabled),
            release_sensor(schedule.enabled and schedule.release),
            inbox_sensor(settings.inbox.enabled),
        ],
        executor=dg.in_process_executor,
        resources={
            "confide": ConfideHome(root=str(home.root)),
            "home_alone": HomeAlone(root=str(home.root)),
            "dbt": dbt_resource(),
            "progress": Silent(),
            **(resources or {}),
        },
    )


def owned(asset: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """Graph policy, applied once: every asset has an owner."""
    return asset.map_asset_specs(lambda spec: spec.replace_attributes(owners=[OWNER]))
