"""One group of a job's assets run alone, in this process, as an operator may select it in the UI. Not here: assertions."""

import dagster as dg

from dagster_project.assets.context import Silent
from dagster_project.build import build_definitions
from dagster_project.home import Home
from dagster_project.partitions import PERIODS_NAME
from dagster_project.running import first_cause, instance_of
from dagster_project.sensors import range_tags


def run_job(home: Home, job: str, partition: str, group: str | None = None) -> dg.ExecuteInProcessResult:
    """A job of the UI for one partition, or one group of its assets alone."""
    definitions = build_definitions(home.root, {"progress": Silent()})
    selected = None
    if group is not None:
        graph = definitions.resolve_asset_graph()
        selected = sorted(dg.AssetSelection.groups(group).resolve(graph))
        assert selected, f"no asset is in {group}"
    with instance_of(home) as instance:
        if job != "daily":
            instance.add_dynamic_partitions(PERIODS_NAME, [partition])
        return definitions.resolve_job_def(job).execute_in_process(
            instance=instance, tags=range_tags(partition, partition), raise_on_error=False, asset_selection=selected
        )


def run_group(home: Home, job: str, group: str, partition: str) -> str:
    """The cause that is told where the group fails, else nothing."""
    return first_cause(run_job(home, job, partition, group)) or ""
