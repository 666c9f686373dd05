"""Tells a webhook when a run of Confide fails: a code location of its own, so that Confide's stays as it is.

Loaded by `deploy/workspace.yaml`. The message names job, days and run, and nothing of an error's words. Without
ALERT_WEBHOOK_URL the sensor says so in its log and does nothing. Not here: what a failure means (`docs/runbook.md`).
"""

import json
import os
import urllib.request

import dagster as dg

TIMEOUT_SECONDS = 10


def words(run: dg.DagsterRun) -> str:
    """One line that says which run failed, and of which days or periods."""
    first, last = (run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    days = run.tags.get("dagster/partition") or (f"{first} to {last}" if first else "no days named")
    return f"Confide: {run.job_name} failed ({days}). Run {run.run_id}: its cause is in the Dagster UI."


@dg.run_failure_sensor(
    name="run_failed",
    monitor_all_code_locations=True,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts one line to ALERT_WEBHOOK_URL for each run that failed.",
)
def run_failed(context: dg.RunFailureSensorContext) -> None:
    url = os.environ.get("ALERT_WEBHOOK_URL")
    if not url:
        context.log.warning("ALERT_WEBHOOK_URL is not set: nobody was told")
        return
    body = json.dumps({"text": words(context.dagster_run)}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close()


defs = dg.Definitions(sensors=[run_failed])
