"""Lake -> labels: the screen for every conversation, the detail for affective ones.

Not here: the classifiers (`classifiers/`), the shape of label rows (`labelling.py`).
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from dagster_project.assets.context import ConfideHome, Progress
from dagster_project.assets.ingestion import CONVERSATIONS, MESSAGES
from dagster_project.checks.contracts import ContractReport, contract_specs
from dagster_project.days import instrument
from dagster_project.errors import scrubbed
from dagster_project.labelling import (
    analysed_of_day,
    answer_counts,
    conversations_of_day,
    label_conversations,
    label_frame,
)
from dagster_project.workspace import Workspace

SCREEN = dg.AssetKey(["lake", "screen_labels"])
DETAIL = dg.AssetKey(["lake", "detail_labels"])


def label_stage(
    context: dg.AssetExecutionContext, workspace: Workspace, progress: Progress, stage: str, key: dg.AssetKey
) -> Iterator[Any]:
    """Label one stage of the run's days and report counts; the cache answers what was asked before."""
    table = key.path[-1]
    facets, digest = instrument(workspace, stage)
    contracts = ContractReport({table: key})
    vocabulary = {f.id: f.category_ids for f in workspace.codebook}
    totals: Counter[str] = Counter()
    asked = 0
    days = [date.fromisoformat(k) for k in context.partition_keys]
    sizes = {d: workspace.lake.read("conversations", d).height for d in days}
    progress.start(f"Labelling ({stage})", sum(sizes.values()))
    for day in days:
        with scrubbed(f"labelling {day} ({stage})"):
            only = frozenset(analysed_of_day(workspace.lake, day)) if stage == "detail" else None
            conversations = conversations_of_day(workspace.lake, day, only)
            progress.advance(sizes[day] - len(conversations))
            rows = label_conversations(workspace.answers, facets, conversations, progress.advance)
            frame = label_frame(rows)
            if contracts.accepts(table, frame, facets=vocabulary):
                inputs = (
                    workspace.lake.about("conversations" if stage == "screen" else "screen_labels", day) or {}
                ).get("inputs")
                counts = answer_counts(frame)
                about = {"inputs": f"{inputs}:{digest}", "labels": str(sum(counts.values()))}
                workspace.lake.write(table, day, frame, about)
                totals.update(counts)
        asked += len(conversations)
    yield from contracts.results()
    contracts.raise_if_broken()
    cache = workspace.answers
    yield dg.MaterializeResult(
        key,
        metadata={
            "conversations": asked,
            "labels": totals.total(),
            "labeller": workspace.classifier.labeller,
            "answers_from_cache": cache.hits,
            "answers_asked": cache.misses,
            **totals,
        },
    )


def classification_assets(days: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The two labelling stages, a file each a day."""
    shared: dict[str, Any] = {
        "partitions_def": days,
        "backfill_policy": dg.BackfillPolicy.single_run(),
        "group_name": "classification",
    }

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                SCREEN,
                deps=[CONVERSATIONS, MESSAGES],
                description="Content creation and affective types of every conversation.",
            )
        ],
        check_specs=contract_specs(SCREEN),
        name="screen_days",
        **shared,
    )
    def screen_days(
        context: dg.AssetExecutionContext, confide: ConfideHome, progress: dg.ResourceParam[Progress]
    ) -> Iterator[Any]:
        yield from label_stage(context, confide.open(), progress, "screen", SCREEN)

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                DETAIL,
                deps=[SCREEN, MESSAGES],
                description="Pushback events and sentiment of the conversations to be analysed.",
            )
        ],
        check_specs=contract_specs(DETAIL),
        name="detail_days",
        **shared,
    )
    def detail_days(
        context: dg.AssetExecutionContext, confide: ConfideHome, progress: dg.ResourceParam[Progress]
    ) -> Iterator[Any]:
        yield from label_stage(context, confide.open(), progress, "detail", DETAIL)

    return [screen_days, detail_days]
