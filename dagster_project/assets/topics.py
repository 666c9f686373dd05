"""Embeddings -> topics of a release period, by versions that last. Not here: how (`topics/`, `domain/topics`)."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from dagster_project.assets.classification import DETAIL, SCREEN
from dagster_project.assets.context import ConfideHome, Progress
from dagster_project.assets.ingestion import CONVERSATIONS, MESSAGES
from dagster_project.checks.contracts import ContractReport, contract_specs
from dagster_project.checks.topics import topic_check_results, topic_check_specs
from dagster_project.days import NAMED_UNDER, naming_limits
from dagster_project.domain.periods import parse_period
from dagster_project.domain.study import TALK_TYPES
from dagster_project.errors import scrubbed

ASSIGNMENTS = dg.AssetKey(["lake", "topic_assignments"])
TOPICS = dg.AssetKey(["lake", "topics"])


class TopicsConfig(dg.Config):
    """refit: find topics anew on the period's span, whatever version there is; ids go on where topics do."""

    refit: bool = False


def topic_assets(periods: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """Topics of each affective type: a release period is sorted by the version of its time."""
    # The detail stage writes the descriptions that are embedded, where its labeller writes any.
    read = (CONVERSATIONS, MESSAGES, SCREEN, DETAIL)
    whole = [dg.AssetDep(key, partition_mapping=dg.AllPartitionMapping()) for key in read]

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(ASSIGNMENTS, deps=whole, description="One row per analysed conversation and type: its topic."),
            dg.AssetSpec(
                TOPICS, deps=whole, description="One row per topic: id and a name from terms that many share."
            ),
        ],
        partitions_def=periods,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[*contract_specs(ASSIGNMENTS, TOPICS), *topic_check_specs(TOPICS)],
        group_name="topics",
        name="topics_of_periods",
    )
    def topics_of_periods(
        context: dg.AssetExecutionContext,
        config: TopicsConfig,
        confide: ConfideHome,
        progress: dg.ResourceParam[Progress],
    ) -> Iterator[Any]:
        from dagster_project.topics.period_topics import build_period_topics
        from dagster_project.topics.working import topic_work

        workspace = confide.open()
        work = topic_work(workspace)
        contracts = ContractReport({"topic_assignments": ASSIGNMENTS, "topics": TOPICS})
        assigned = 0
        figures: dict[str, Any] = {}
        progress.start("Finding topics", len(context.partition_keys))
        for key in sorted(context.partition_keys, key=parse_period):  # a version knows nothing of what comes after it
            with scrubbed(f"finding topics of {key}"):
                found = build_period_topics(work, parse_period(key), config.refit)
                frames = {"topic_assignments": found.assignments, "topics": found.topics}
                sound = [contracts.accepts(t, f, affective_types=TALK_TYPES) for t, f in frames.items()]
                if all(sound):
                    for table, frame in frames.items():
                        workspace.lake.write(table, key, frame, {NAMED_UNDER: naming_limits(workspace)})
            assigned += found.assignments.height
            figures[key] = found.figures
            progress.advance(1)
        yield from contracts.results()
        yield from topic_check_results(TOPICS, figures, work.schedule.drift)
        contracts.raise_if_broken()
        yield dg.MaterializeResult(ASSIGNMENTS, metadata={"assigned": assigned})
        yield dg.MaterializeResult(TOPICS, metadata={"by_period": dg.MetadataValue.json(figures)})

    return [topics_of_periods]
