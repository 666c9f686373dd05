"""Sensors: new files ask to be ingested, late data asks for its days, complete periods ask for their release.

Not here: deciding what is stale or complete (`days.py`), which files are ready (`inbox.py`).
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from dagster_project.assets.context import ConfideHome
from dagster_project.days import day_states, releasable
from dagster_project.errors import scrubbed
from dagster_project.inbox import look
from dagster_project.jobs import DAILY, INBOX, RELEASE
from dagster_project.partitions import PERIODS_NAME, day_ranges, key_ranges
from dagster_project.workspace import Workspace

STATE_TAG = "confide/landing"
"""Which state of landing a run was asked for: two sensors that see the same ask for it once."""


def range_tags(first: str, last: str) -> dict[str, str]:
    """The tags with which one run covers the partitions first..last."""
    return {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last}


def requests_for(instance: dg.DagsterInstance, workspace: Workspace, days: Iterable[date]) -> Iterator[dg.RunRequest]:
    """The daily job for some days, in few runs, each state of landing once, whoever asks."""
    days = list(days)
    for first, last in day_ranges(days):
        state = "|".join(f"{d}:{workspace.landing.inputs(d)}" for d in days if first <= d <= last)
        run_key = hashlib.sha256(state.encode()).hexdigest()
        if instance.get_runs_count(dg.RunsFilter(tags={STATE_TAG: run_key})):
            continue
        tags = {**range_tags(first.isoformat(), last.isoformat()), STATE_TAG: run_key}
        yield dg.RunRequest(run_key=run_key, job_name=DAILY.name, tags=tags)


def inbox_sensor(enabled: bool) -> dg.SensorDefinition:
    """Files of the folder that is watched are ingested once each, by a run; then the days that they touch are run."""

    @dg.sensor(
        name="inbox",
        jobs=[INBOX, DAILY],
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING if enabled else dg.DefaultSensorStatus.STOPPED,
        description="New files in the inbox: ingests them, each once, and runs the days that they touch.",
    )
    def inbox(context: dg.SensorEvaluationContext, confide: ConfideHome) -> Iterator[dg.RunRequest | dg.SkipReason]:
        workspace, now = confide.open(), datetime.now(UTC)
        with scrubbed("looking at the inbox"):
            seen = look(workspace, now)
        if seen is None:
            yield dg.SkipReason("files are being taken in")
            return
        asked = list(requests_for(context.instance, workspace, (d for d in seen.days if d < now.date())))
        if seen.ready:
            # Not here and now: a sensor has a minute, and a file may take an hour.
            asked.append(dg.RunRequest(run_key=seen.key(now), job_name=INBOX.name))
        yield from asked
        if not asked:
            yield dg.SkipReason(f"nothing is ready; {seen.waiting} files were seen for the first time or still grow")

    return inbox


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
        yield from requests_for(context.instance, workspace, stale)

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
