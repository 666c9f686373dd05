"""Runs the jobs of the UI in this process, against the home's own Dagster instance.

Lives here: choosing days and periods, launching, turning a failed run into one line. Not here: what the
assets do (`assets/`), what the commands print (`cli/`).
"""

import contextlib
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.assets.context import Progress, require_quiet
from dagster_project.build import build_definitions
from dagster_project.days import (
    complete_unpublished,
    day_states,
    is_counted,
    published_periods,
    releasable,
    why_incomplete,
)
from dagster_project.domain.periods import Period, periods_covering
from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.partitions import PERIODS_NAME, day_ranges, key_ranges
from dagster_project.release import refuse_reasons
from dagster_project.sensors import range_tags
from dagster_project.storage.closed_days import why_closed
from dagster_project.storage.dagster_history import history_ref
from dagster_project.storage.in_use import WAIT_SECONDS
from dagster_project.storage.tombstones import Tombstones
from dagster_project.workspace import Workspace


class RunFailed(ConfideError):
    """A run did not succeed; the message is the failed step's own."""


@dataclass
class Outcome:
    """What some runs did: their ids, and the metadata of the assets they materialized."""

    run_ids: list[str] = field(default_factory=list)
    metadata: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def total(self, key: str, *assets: str) -> int:
        """A count summed over the runs and over some assets."""
        return sum(int(m.get(key, 0)) for asset in assets for m in self.metadata.get(asset, []))

    def dollars(self) -> float:
        """What was paid."""
        return round(sum(float(m.get("usd", 0.0)) for found in self.metadata.values() for m in found), 6)


PID_TAG = "confide/pid"


def close_dead_runs(instance: dg.DagsterInstance) -> None:
    """End the runs of commands that were killed: left open, they would hold their place in the queue for ever."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])):
        pid = run.tags.get(PID_TAG)
        if pid is not None and not Path(f"/proc/{pid}").exists():
            instance.report_run_failed(run, "the command that ran it was killed")


@contextlib.contextmanager
def instance_of(home: Home) -> Iterator[dg.DagsterInstance]:
    """The home's Dagster instance, the one that `confide ui` shows. Raises UnsafeInstance."""
    with dg.DagsterInstance.from_ref(history_ref(home)) as instance:
        require_quiet(instance)
        yield instance


class Runner:
    """Runs jobs of one home in this process."""

    def __init__(self, workspace: Workspace, progress: Progress) -> None:
        self.workspace = workspace
        # A run would do it too (`assets/context.py`), but what stands in its way could not be told in one line.
        if Tombstones(workspace.home).pending():
            from dagster_project.erasing.erasure import carry_out_pending

            carry_out_pending(workspace, WAIT_SECONDS)
        self._progress = progress

    @cached_property
    def _definitions(self) -> dg.Definitions:
        """Made where there is something to run: it takes seconds."""
        return build_definitions(self.workspace.home.root, {"progress": self._progress})

    def run_days(self, days: Sequence[date]) -> Outcome:
        """Ingest, label and build some days. Raises RunFailed."""
        outcome = Outcome()
        for first, last in day_ranges(days):
            self._run("daily", first.isoformat(), last.isoformat(), outcome)
        return outcome

    def run_periods(self, job: str, periods: Sequence[Period], config: Mapping[str, Any] | None = None) -> Outcome:
        """Run `marts` or `publish` for some periods, in one run where they stand together. Raises RunFailed.

        config: of the run's ops, by their names.
        """
        outcome = Outcome()
        # Those of a kind side by side, so that they are one range later, too.
        keys = [p.key for p in sorted(periods, key=lambda p: (p.kind, p))]
        if not keys:
            return outcome
        with instance_of(self.workspace.home) as instance:
            instance.add_dynamic_partitions(PERIODS_NAME, keys)
            known = instance.get_dynamic_partitions(PERIODS_NAME)
        for first, last in key_ranges(known, keys):
            self._run(job, first, last, outcome, config)
        return outcome

    def _run(
        self, job_name: str, first: str, last: str, outcome: Outcome, config: Mapping[str, Any] | None = None
    ) -> None:
        job = self._definitions.resolve_job_def(job_name)
        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        # What dbt prints is not ours to show: stdout is a command's one result, and a library's words may hold values.
        with (
            instance_of(self.workspace.home) as instance,
            Path(os.devnull).open("w") as nowhere,
            contextlib.redirect_stdout(nowhere),
        ):
            close_dead_runs(instance)
            result = job.execute_in_process(
                instance=instance,
                tags={**range_tags(first, last), PID_TAG: str(os.getpid())},
                raise_on_error=False,
                run_config={
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                    "ops": {name: {"config": own} for name, own in (config or {}).items()},
                },
            )
        outcome.run_ids.append(result.run_id)
        if not result.success:
            raise RunFailed(first_cause(result) or f"run {result.run_id} failed: see it in `confide ui`")
        seen: set[str] = set()
        for event in result.all_events:
            if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key is not None:
                name = event.asset_key.path[-1]
                if name not in seen:
                    seen.add(name)
                    found = event.step_materialization_data.materialization.metadata
                    outcome.metadata.setdefault(name, []).append({k: v.value for k, v in found.items()})


def first_cause(result: dg.ExecuteInProcessResult) -> str | None:
    """The innermost words of the first failed step; they are ours (`errors.scrubbed`)."""
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            if error is not None:
                return error.message.strip().splitlines()[0].split(": ", 1)[-1]
    return None


def stale_days(workspace: Workspace, first: date | None, last: date | None) -> list[date]:
    """Landed days in [first, last] (either end open) that are not up to date."""
    return [
        s.day
        for s in day_states(workspace)
        if not s.built and (first is None or s.day >= first) and (last is None or s.day <= last)
    ]


def run_days_and_marts(
    workspace: Workspace,
    progress: Progress,
    first: date | None = None,
    last: date | None = None,
    also: Sequence[Period] = (),
) -> dict[str, Any]:
    """What `confide run` does: bring days up to date, then count the periods that they touch. Raises RunFailed.

    Without first and last: every landed day that is not up to date; with them, every landed day between. also: periods
    to count in the same build.
    """
    began = time.monotonic()
    if first is None and last is None:
        days = stale_days(workspace, None, None)
    else:
        days = [d for d in workspace.landing.days() if (first is None or d >= first) and (last is None or d <= last)]
    runner = Runner(workspace, progress)
    done = runner.run_days(days)
    runner.run_periods("marts", [*periods_covering(days, workspace.settings.release.kind), *also])
    return {
        "days": [d.isoformat() for d in days],
        "conversations": done.total("conversations", "conversations"),
        "labels": done.total("labels", "screen_labels", "detail_labels"),
        "requests": done.total("requests", "screen_labels", "detail_labels"),
        "usd": done.dollars(),
        "seconds": round(time.monotonic() - began, 1),
    }


def release_periods(
    workspace: Workspace, progress: Progress, wanted: Sequence[Period], correct: bool = False
) -> dict[str, Any] | None:
    """What `confide release` does: publish the wanted periods, or every complete, unpublished one.

    correct: the one wanted period is published already, and its next revision is to be. None when there is nothing to
    publish. Raises RunFailed with the reason for a refusal.
    """
    today = datetime.now(UTC).date()
    if wanted and (reasons := refuse_reasons(wanted, published_periods(workspace.home), correct)):
        raise RunFailed("; ".join(reasons))
    for period in wanted:
        if correct and (reason := why_closed(workspace.home, period)):
            raise RunFailed(reason)
        if reason := why_incomplete(workspace, period, today):
            raise RunFailed(reason)
    periods = sorted(set(wanted)) or releasable(workspace, today)
    if not periods:
        if alone := complete_unpublished(workspace, today):
            raise RunFailed(
                f"{len(alone)} complete periods, the first {alone[0].key}, have the conversations of one person only "
                "(logs without user ids are one person): nothing can be published; ingest logs that have user ids"
            )
        return None
    runner = Runner(workspace, progress)
    runner.run_periods("marts", [p for p in periods if not is_counted(workspace, p)])
    outcome = runner.run_periods("publish", periods, {"publish_periods": {"correct": correct}})
    if "publication" not in outcome.metadata:
        raise RunFailed(f"run {outcome.run_ids[-1]} ended without a publication: see it in `confide ui`")
    releases = outcome.metadata["publication"]
    return {
        "release_id": releases[-1]["release_id"],
        "path": releases[-1]["path"],
        "periods": [p.key for p in periods],
        "tables": _cells_of_all(releases),
    }


def _cells_of_all(releases: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int | None]]:
    """Cells published and withheld by table: periods that do not stand together are published by several runs."""
    cells: dict[str, dict[str, int | None]] = {}
    for one in releases:
        for table, counts in one["tables"].items():
            so_far = cells.setdefault(table, {})
            for name, n in counts.items():
                so_far[name] = None if n is None else n + (so_far.get(name) or 0)
    return cells
