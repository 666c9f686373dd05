"""Sensors: late data asks for its days, complete periods ask for their release.

Not here: deciding what is stale or complete (`days.py`).
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from dagster_project.assets.context import ConfideHome
from dagster_project.days import day_states, releasable
from dagster_project.jobs import DAILY, RELEASE
from dagster_project.partitions import PERIODS_NAME, day_ranges, key_ranges


def range_tags(first: str, last: str) -> dict[str, str]:
    """The tags with which one run covers the partitions first..last."""
    return {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last}


def stale_days_sensor(enabled: bool) -> dg.SensorDefinition:
    """Days that have landed and are not up to date are run again, each state of landing once."""

    @dg.sensor(
        name="stale_days",
        job=DAILY,
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING if enabled else dg.DefaultSensorStatus.STOPPED,
        description="Late or replaced conversations: runs the days that they belong to.",
    )
    def stale_days(context: dg.SensorEvaluationContext, confide: ConfideHome) -> Iterator[dg.RunRequest]:
        workspace = confide.open()
        today = datetime.now(UTC).date()
        stale = [s.day for s in day_states(workspace) if not s.built and s.day < today]
        for first, last in day_ranges(stale):
            state = "|".join(f"{d}:{workspace.landing.inputs(d)}" for d in stale if first <= d <= last)
            run_key = hashlib.sha256(state.encode()).hexdigest()
            yield dg.RunRequest(run_key=run_key, tags=range_tags(first.isoformat(), last.isoformat()))

    return stale_days


def release_sensor(enabled: bool) -> dg.SensorDefinition:
    """Complete periods that are not published yet are released, in order."""

    @dg.sensor(
        name="complete_periods",
        job=RELEASE,
        minimum_interval_seconds=600,
        default_status=dg.DefaultSensorStatus.RUNNING if enabled else dg.DefaultSensorStatus.STOPPED,
        description="Releases every complete, unpublished period of the configured kind.",
    )
    def complete_periods(context: dg.SensorEvaluationContext, confide: ConfideHome) -> Iterator[dg.RunRequest]:
        workspace = confide.open()
        wanted = [p.key for p in releasable(workspace, datetime.now(UTC).date())]
        if not wanted:
            return
        context.instance.add_dynamic_partitions(PERIODS_NAME, wanted)
        known = context.instance.get_dynamic_partitions(PERIODS_NAME)
        for first, last in key_ranges(known, wanted):
            yield dg.RunRequest(run_key=f"release:{first}:{last}", tags=range_tags(first, last))

    return complete_periods
