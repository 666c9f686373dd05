"""Retention by age as an asset: conversations older than `[retention] days` are erased. What it does is in `erasing/`.

Not here: when it runs (`schedules.py`).
"""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from dagster_project.assets.warehouse import POOL
from dagster_project.workspace import Workspace

RETENTION = dg.AssetKey(["retention"])
WAIT_SECONDS = 3600.0


class HomeAlone(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The home for a step that must be alone in it: unlike `ConfideHome`, it is not held in use meanwhile."""

    root: str

    def open(self) -> Workspace:
        """The opened home. Raises ConfideError when it is unsafe."""
        return Workspace.open(Path(self.root))


@dg.asset(
    key=RETENTION,
    group_name="retention",
    pool=POOL,
    description="Erased by age: everything before the day named. Does nothing without `[retention] days`.",
)
def retention(context: dg.AssetExecutionContext, home_alone: HomeAlone) -> dg.MaterializeResult[None]:
    from dagster_project.erasing.by_age import erase_expired
    from dagster_project.storage.tombstones import Tombstones

    workspace = home_alone.open()
    report = erase_expired(workspace, datetime.now(UTC).date(), WAIT_SECONDS)
    before = Tombstones(workspace.home).read().before
    return dg.MaterializeResult(
        metadata={
            "erased_before": "nothing" if before is None else before.isoformat(),
            "conversations": report.conversations,
            "days": len(report.days),
            "quarantined": report.quarantined,
        }
    )
