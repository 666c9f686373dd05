"""Lake -> labels: the screen for every conversation or a sample of them, the detail for affective ones.

Not here: the classifiers (`classifiers/`), the shape of label rows (`labelling.py`).
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from dagster_project.assets.context import ConfideHome, Progress, Told
from dagster_project.assets.ingestion import CONVERSATIONS, MESSAGES
from dagster_project.checks.contracts import ContractReport, contract_specs
from dagster_project.checks.shift import shift_result, shift_spec
from dagster_project.classifiers.interface import Account
from dagster_project.codebook.schema import AnswerType
from dagster_project.days import instrument
from dagster_project.errors import scrubbed
from dagster_project.labelling import (
    ConversationsOf,
    answer_counts,
    conversations_of_day,
    label_conversations,
    sample_of_day,
    weights_of_day,
)
from dagster_project.storage.lake import TABLES
from dagster_project.workspace import Workspace
from expectations.frames.contract import require

SCREEN = dg.AssetKey(["lake", "screen_labels"])
DETAIL = dg.AssetKey(["lake", "detail_labels"])


def label_stage(
    context: dg.AssetExecutionContext, workspace: Workspace, progress: Progress, stage: str, key: dg.AssetKey
) -> Iterator[Any]:
    """Label one stage of the run's days and report counts and cost; what was asked before is not asked again."""
    table = key.path[-1]
    facets, digest = instrument(workspace, stage)
    answers, lake = workspace.answers(stage), workspace.lake
    contracts = ContractReport({table: key})
    vocabulary = {f.id: f.category_ids for f in workspace.codebook}
    totals: Counter[str] = Counter()
    days = [date.fromisoformat(k) for k in context.partition_keys]
    with scrubbed(f"labelling ({stage})"):
        samples = {day: two_phase(workspace, day, progress) for day in days} if stage == "screen" else {}
        weights = {day: weights_of_day(lake, day, stage, workspace.control_share, samples.get(day)) for day in days}
        told = Told(progress, context.log, f"Labelling ({stage})", sum(map(len, weights.values())))
        answers.ask_ahead(facets, ConversationsOf(lake, weights), told.advance)
    for day in days:
        with scrubbed(f"labelling {day} ({stage})"):
            conversations = conversations_of_day(lake, day, frozenset(weights[day]))
            labelled = label_conversations(answers, facets, conversations, weights[day], told.advance)
            if not contracts.accepts(table, labelled.labels, facets=vocabulary):
                continue
            if any(f.answer is AnswerType.TEXT for f in facets):
                require("descriptions", labelled.descriptions)
                lake.write("descriptions", day, labelled.descriptions)
            before = lake.about("conversations" if stage == "screen" else "screen_labels", day) or {}
            counts = answer_counts(labelled.labels)
            about = {"inputs": f"{before.get('inputs')}:{digest}", "labels": str(sum(counts.values()))}
            if (sample := samples.get(day)) is not None:
                require("screening", sample)
                lake.write("screening", day, sample, {"inputs": about["inputs"]})
            lake.write(table, day, labelled.labels, about)
            totals.update(counts)
    yield from contracts.results()
    contracts.raise_if_broken()
    if stage == "screen":
        yield shift_result(lake, key, days[-1])
    account = answers.account()
    yield dg.MaterializeResult(
        key,
        metadata={
            "conversations": sum(map(len, weights.values())),
            "labels": totals.total(),
            "labeller": answers.labeller,
            "answers_from_cache": account.found,
            "answers_asked": account.asked,
            "requests": account.requests,
            "usd": account.usd,
            **totals,
            **({"cost": cost_table(account)} if account.spent else {}),
        },
    )


def two_phase(workspace: Workspace, day: date, progress: Progress) -> pl.DataFrame | None:
    """Whom the screen asks about on a day; no rows where a sample of earlier settings is to be forgotten, None in a
    home that never had one."""
    if not workspace.screens_in_two_phases:
        sampled = workspace.lake.path("screening", day).exists()
        return pl.DataFrame(schema=TABLES["screening"]) if sampled else None
    conversations = conversations_of_day(workspace.lake, day)
    progress.start(f"Scoring {day}", len(conversations))
    scores = []
    for score in workspace.cheap_score.affective_scores([one.conversation for one in conversations]):
        scores.append(score)
        progress.advance(1)
    chosen = workspace.settings.screening
    return sample_of_day(conversations, scores, chosen.cut, chosen.sample_rate)


def cost_table(account: Account) -> dg.TableMetadataValue:
    """What was paid, a row a day and model."""
    return dg.MetadataValue.table([dg.TableRecord(dataclasses.asdict(row)) for row in account.spent])


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
                description="Content creation and affective types of every conversation, or of a sample in two phases.",
            )
        ],
        check_specs=[*contract_specs(SCREEN), shift_spec(SCREEN)],
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
                description="Pushback, sentiment and what else is asked of the conversations to be analysed.",
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
