"""Marts -> publication: the gate stands inside this asset, so that no other run or selection goes round it.

Not here: what is withheld (`domain/disclosure`), the order of a release (`release.py`), the page (`report/`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from dagster_project.assets.context import ConfideHome
from dagster_project.days import (
    STAGES,
    instrument,
    is_counted,
    period_digest,
    published_revisions,
    topics_digest,
    why_incomplete,
)
from dagster_project.dbt_project import project_digest
from dagster_project.domain.periods import Period, parse_period
from dagster_project.domain.tables import TABLES
from dagster_project.errors import ConfideError, scrubbed
from dagster_project.noisy_counts import Budget
from dagster_project.release import Compared, GateFailed, PeriodMetadata, release
from dagster_project.report.page import files
from dagster_project.storage.closed_days import why_closed
from dagster_project.storage.contributions import Contributions, changes, contributions_of
from dagster_project.storage.warehouse import read_publish_rows, read_this_home, warehouse_lock
from dagster_project.workspace import Workspace

PUBLICATION = dg.AssetKey(["publication"])


class Publishing(dg.Config):
    """How to publish."""

    correct: bool = Field(False, description="Publish the next revision of a period that is published already.")


class NotSound(ConfideError):
    """What a release would be made from is stale or failed its tests."""


def require_sound(workspace: Workspace, periods: Sequence[Period]) -> None:
    """Raises NotSound unless every period is complete and counted, tests passed, from what its days hold now."""
    today = datetime.now(UTC).date()
    for period in periods:
        if reason := why_incomplete(workspace, period, today):
            raise NotSound(reason)
        if not is_counted(workspace, period):
            raise NotSound(
                f"the counts of {period.key} are not up to date or failed a test: run `confide release {period.key}`"
            )


def about(workspace: Workspace, period: Period, revision: int) -> PeriodMetadata:
    """Who labelled a period, and with which questions."""
    labelled = [(f, workspace.answers(stage)) for stage in STAGES for f in instrument(workspace, stage)[0]]
    asked = {f.id for f, _ in labelled}
    return PeriodMetadata(
        period=period,
        labellers={f.id: answers.labeller for f, answers in labelled},
        facet_versions={f.id: f.version for f in workspace.codebook},
        prompt_hashes={f.id: answers.prompt_hash(f) for f, answers in labelled},
        not_measured=[f.id for f in workspace.codebook if f.id not in asked and f.stage != "cluster"],
        sample_design=workspace.sample_design,
        labelling_usd=labelling_usd(workspace, period),
        revision=revision,
        definitions={f.id: f.model_dump(mode="json") for f in workspace.codebook},
        models_digest=project_digest(),
    )


def compared(workspace: Workspace, one: PeriodMetadata, now: pl.DataFrame) -> list[Compared]:
    """What a correction changes against each earlier revision; nothing where a period is published first.

    Raises NotSound where days were erased since, NotComparable where what was counted is not kept.
    """
    if one.revision and (reason := why_closed(workspace.home, one.period)):
        raise NotSound(reason)
    kept = Contributions(workspace.home)
    return [Compared(number, changes(kept.read(one.period, number), now)) for number in range(one.revision)]


def keep(workspace: Workspace, metadata: Sequence[PeriodMetadata], counted: Mapping[Period, pl.DataFrame]) -> None:
    """Keep who contributed to what is about to be published, for later corrections."""
    kept = Contributions(workspace.home)
    for one in metadata:
        inputs, topics = period_digest(workspace, one.period), topics_digest(workspace, one.period) or ""
        kept.keep(one.period, one.revision, counted[one.period], inputs, topics)


def budget(workspace: Workspace) -> Budget | None:
    """What noisy counts may cost; None where they are not switched on."""
    settings = workspace.settings.differential_privacy
    return Budget(settings.epsilon, settings.total_epsilon) if settings.enabled else None


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
    def publish_periods(context: dg.AssetExecutionContext, config: Publishing, confide: ConfideHome) -> Iterator[Any]:
        workspace = confide.open()
        wanted = [parse_period(key) for key in context.partition_keys]
        next_revision = {p: n + 1 for p, n in published_revisions(workspace.home).items()} if config.correct else {}
        try:
            with scrubbed(f"releasing {', '.join(context.partition_keys)}"):
                with warehouse_lock(workspace.home):
                    read_this_home(workspace.home)
                require_sound(workspace, wanted)
                metadata = [about(workspace, p, next_revision.get(p, 0)) for p in wanted]
                counted = {one.period: contributions_of(workspace.home, one.period) for one in metadata}
                result = release(
                    workspace.home,
                    workspace.policy,
                    candidates(workspace, wanted),
                    metadata,
                    lambda tables, manifest: files(
                        tables,
                        manifest,
                        notice=workspace.settings.report.notice,
                        help_line=workspace.settings.report.help_line,
                        codebook=workspace.codebook,
                    ),
                    compared=[c for one in metadata for c in compared(workspace, one, counted[one.period])],
                    keep=lambda: keep(workspace, metadata, counted),
                    budget=budget(workspace),
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
