"""Labels -> marts: the dbt models as assets, by day and by release period, under the one writer's pool.

Not here: what a model computes (`dbt/`), how the warehouse is opened (`storage/warehouse.py`).
"""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.assets.context import ConfideHome, Progress
from dagster_project.codebook.cells import cells_of
from dagster_project.days import STAGES, Marks, instrument, labels_digest, period_digest
from dagster_project.domain.periods import DAY, parse_period
from dagster_project.errors import ConfideError
from dagster_project.storage.requests import write_requests
from dagster_project.storage.warehouse import (
    DAILY_SELECTION,
    PERIOD_SELECTION,
    daily_arguments,
    period_arguments,
    prepare_warehouse,
    warehouse_lock,
)

POOL = "warehouse"


class BuildFailed(ConfideError):
    """dbt did not finish, or one of its tests failed."""


def warehouse_assets(
    manifest: Path,
    days: dg.PartitionsDefinition,
    periods: dg.PartitionsDefinition,
) -> list[dg.AssetsDefinition]:
    """The dbt project: staging and intermediate models a day at a time, marts and publish a period at a time."""
    from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets

    class Translator(DagsterDbtTranslator):
        def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
            return "warehouse" if "daily" in dbt_resource_props.get("tags", []) else "marts"

        def get_partition_mapping(
            self, dbt_resource_props: Mapping[str, Any], dbt_parent_resource_props: Mapping[str, Any]
        ) -> dg.PartitionMapping | None:
            def daily(props: Mapping[str, Any]) -> bool:
                topics = props.get("resource_type") == "source" and props["name"].startswith("topic")
                return not topics and "period" not in props.get("tags", [])

            crossing = daily(dbt_parent_resource_props) and not daily(dbt_resource_props)
            return dg.AllPartitionMapping() if crossing else None

    @dbt_assets(
        manifest=manifest,
        select=DAILY_SELECTION,
        exclude="resource_type:unit_test",
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        dagster_dbt_translator=Translator(),
        pool=POOL,
        name="daily_models",
    )
    def daily_models(
        context: dg.AssetExecutionContext,
        confide: ConfideHome,
        dbt: DbtCliResource,
        progress: dg.ResourceParam[Progress],
    ) -> Iterator[Any]:
        workspace = confide.open()
        keys = [date.fromisoformat(key) for key in context.partition_keys]
        digests = {day: labels_digest(workspace, day) for day in keys}
        progress.start("Building the warehouse", 1)
        with warehouse_lock(workspace.home):
            prepare_warehouse(workspace.home)
            marks = Marks(workspace.home)
            marks.begin(keys)
            yield from _build(dbt, context, daily_arguments(keys[0], keys[-1] + DAY))
            for day, digest in digests.items():
                if digest is not None:
                    marks.write(day, digest)
        progress.advance(1)

    @dbt_assets(
        manifest=manifest,
        select=PERIOD_SELECTION,
        exclude="resource_type:unit_test",
        partitions_def=periods,
        backfill_policy=dg.BackfillPolicy.single_run(),
        dagster_dbt_translator=Translator(),
        pool=POOL,
        name="period_models",
    )
    def period_models(
        context: dg.AssetExecutionContext,
        confide: ConfideHome,
        dbt: DbtCliResource,
        progress: dg.ResourceParam[Progress],
    ) -> Iterator[Any]:
        workspace = confide.open()
        wanted = [parse_period(key) for key in context.partition_keys]
        progress.start("Counting", 1)
        with warehouse_lock(workspace.home):
            prepare_warehouse(workspace.home)
            cells = cells_of(f for stage in STAGES for f in instrument(workspace, stage)[0])
            write_requests(workspace.home, wanted, workspace.policy.max_conversations_per_user, cells)
            marks = Marks(workspace.home)
            marks.begin([p.key for p in wanted])
            digests = {p.key: period_digest(workspace, p) for p in wanted}
            yield from _build(dbt, context, period_arguments())
            for key, digest in digests.items():
                marks.write(key, digest)
        progress.advance(1)

    return [daily_models, period_models]


def _build(dbt: Any, context: dg.AssetExecutionContext, arguments: list[str]) -> Iterator[Any]:
    """Run dbt and pass its events on. Raises BuildFailed in our own words: dbt's may quote a value."""
    invocation = dbt.cli(["build", *arguments], context=context, raise_on_error=False)
    failed = []
    for event in invocation.stream_raw_events():
        node = event.raw_event["data"].get("node_info", {})
        if event.is_result_event and node.get("node_status") in ("error", "fail"):
            failed.append(node["unique_id"])
        yield from event.to_default_asset_events(
            manifest=invocation.manifest,
            dagster_dbt_translator=invocation.dagster_dbt_translator,
            context=context,
            target_path=invocation.target_path,
        )
    if not invocation.is_successful():
        raise BuildFailed(
            f"dbt: {len(failed)} of its nodes failed, the first {failed[0] if failed else 'before any ran'}"
        )
