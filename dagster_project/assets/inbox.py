"""The folder that is watched as an asset: its files are ingested, each once. What it does is in `inbox.py`.

Not here: when it runs (`sensors.py`); the lake, which is made from what has landed (`ingestion.py`).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from dagster_project.assets.context import ConfideHome
from dagster_project.errors import scrubbed

INBOX = dg.AssetKey(["inbox"])
CHECK = "files_read"


@dg.asset(
    key=INBOX,
    group_name="inbox",
    check_specs=[dg.AssetCheckSpec(CHECK, asset=INBOX, description="Every file and every record could be used.")],
    description="What was taken from the folder that is watched, by count. Files stay where they are.",
)
def inbox(context: dg.AssetExecutionContext, confide: ConfideHome) -> Iterator[Any]:
    from dagster_project.inbox import take

    with scrubbed("taking files in"):
        taken = take(confide.open(), datetime.now(UTC))
    for warning in taken.warnings:
        context.log.warning(warning)
    refused = {"given_up": dict(taken.given_up), "quarantined": dict(taken.quarantined)}
    yield dg.MaterializeResult(
        metadata=taken.as_metadata(),
        check_results=[
            dg.AssetCheckResult(
                check_name=CHECK,
                passed=not any(refused.values()),
                severity=dg.AssetCheckSeverity.WARN,
                metadata=refused,
            )
        ],
    )
