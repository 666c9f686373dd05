"""Marts -> publication: the gate stands inside this asset, so that no other run or selection goes round it.

Not here: what is withheld (`domain/disclosure`), the order of a release (`release.py`), the page (`report/`).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl

from dagster_project.assets.context import ConfideHome
from dagster_project.days import STAGES, Marks, instrument, period_digest, why_incomplete
from dagster_project.domain.periods import Period, parse_period
from dagster_project.domain.tables import TABLES
from dagster_project.errors import ConfideError, scrubbed
from dagster_project.release import GateFailed, PeriodMetadata, release
from dagster_project.report.page import render
from dagster_project.storage.warehouse import read_publish_rows
from dagster_project.workspace import Workspace

PUBLICATION = dg.AssetKey(["publication"])


class NotSound(ConfideError):
    """What a release would be made from is stale or failed its tests."""


def require_sound(workspace: Workspace, periods: Sequence[Period]) -> None:
    """Raises NotSound unless every period is complete and counted, tests passed, from what its days hold now."""
    today = datetime.now(UTC).date()
    marks = Marks(workspace.home)
    for period in periods:
        if reason := why_incomplete(workspace, period, today):
            raise NotSound(reason)
        if marks.read(period.key) != period_digest(workspace, period):
            raise NotSound(
                f"the counts of {period.key} are not up to date or failed a test: run `confide release {period.key}`"
            )


def about(workspace: Workspace, period: Period) -> PeriodMetadata:
    """Who labelled a period, and with which questions."""
    labelled = [(f, workspace.answers(stage)) for stage in STAGES for f in instrument(workspace, stage)[0]]
    asked = {f.id for f, _ in labelled}
    return PeriodMetadata(
        period=period,
        labellers={f.id: answers.labeller for f, answers in labelled},
        facet_versions={f.id: f.version for f in workspace.codebook},
        prompt_hashes={f.id: answers.prompt_hash(f) for f, answers in labelled},
        not_measured=[f.id for f in workspace.codebook if f.id not in asked and f.stage != "cluster"],
        labelling_usd=labelling_usd(workspace, period),
    )


def labelling_usd(workspace: Workspace, period: Period) -> float | None:
    """What the ledger booked for a period's days; None where nobody is paid."""
    if not workspace.asks_claude:
        return None
    return sum(cost.usd for cost in workspace.ledger.costs() if period.start <= cost.day < period.end)


def candidates(workspace: Workspace, periods: Sequence[Period]) -> dict[str, pl.DataFrame]:
    """The publish layer's rows of some periods, by table: exact, for the suppressor alone."""
    keys = [p.key for p in periods]
    return {name: read_publish_rows(workspace.home, f"publish_{name}", keys) for name in TABLES}


def suite_results(failed: frozenset[str]) -> Iterator[dg.AssetCheckResult]:
    """How the rows to be written met their suites, for the UI."""
    for name in TABLES:
        yield dg.AssetCheckResult(passed=name not in failed, asset_key=PUBLICATION, check_name=f"suite_{name}")


def release_assets(periods: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The publication: one immutable snapshot a run, holding everything published so far."""

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                PUBLICATION,
                deps=[dg.AssetKey(["publish", f"publish_{name}"]) for name in TABLES],
                description="Suppressed, rounded, checked and written as a snapshot with its report.",
            )
        ],
        partitions_def=periods,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[
            dg.AssetCheckSpec(
                f"suite_{name}", asset=PUBLICATION, description="The rows to be written meet their suite (GX)."
            )
            for name in TABLES
        ],
        group_name="release",
        name="publish_periods",
    )
    def publish_periods(context: dg.AssetExecutionContext, confide: ConfideHome) -> Iterator[Any]:
        workspace = confide.open()
        wanted = [parse_period(key) for key in context.partition_keys]
        try:
            with scrubbed(f"releasing {', '.join(context.partition_keys)}"):
                require_sound(workspace, wanted)
                result = release(
                    workspace.home,
                    workspace.policy,
                    candidates(workspace, wanted),
                    [about(workspace, p) for p in wanted],
                    lambda tables, manifest: render(
                        tables,
                        manifest,
                        notice=workspace.settings.report.notice,
                        help_line=workspace.settings.report.help_line,
                    ),
                )
        except GateFailed as failed:
            yield from suite_results(failed.tables)
            raise
        yield from suite_results(frozenset())
        yield dg.MaterializeResult(
            PUBLICATION,
            metadata={
                "release_id": result.release_id,
                "path": str(result.path),
                "report": dg.MetadataValue.url((result.path / "report.html").as_uri()),
                "tables": dg.MetadataValue.json({name: dict(cells) for name, cells in result.tables.items()}),
            },
        )

    return [publish_periods]
