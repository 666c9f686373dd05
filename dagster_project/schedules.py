"""The daily schedules: yesterday, once its day is over, and retention. Not here: late data (`sensors.py`)."""

from datetime import UTC, timedelta

import dagster as dg

from dagster_project.jobs import DAILY, RETENTION


def daily_schedule(hour_utc: int, enabled: bool) -> dg.ScheduleDefinition:
    """Every day at `hour_utc`, the day before is ingested, labelled and built."""

    @dg.schedule(
        name="daily_schedule",
        job=DAILY,
        cron_schedule=f"0 {hour_utc} * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING if enabled else dg.DefaultScheduleStatus.STOPPED,
        description="Yesterday's conversations (UTC).",
    )
    def yesterday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = context.scheduled_execution_time.astimezone(UTC).date() - timedelta(days=1)
        return dg.RunRequest(run_key=day.isoformat(), partition_key=day.isoformat())

    return yesterday


def retention_schedule(hour_utc: int, enabled: bool) -> dg.ScheduleDefinition:
    """Every day at half past `hour_utc`, what has grown older than `[retention] days` is erased."""
    return dg.ScheduleDefinition(
        name="retention_schedule",
        job=RETENTION,
        cron_schedule=f"30 {hour_utc} * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING if enabled else dg.DefaultScheduleStatus.STOPPED,
        description="Erases conversations by age. On where `[retention] days` is set.",
    )
