"""Landing -> lake: a day's conversations and messages, checked before they are written.

Not here: reading chat logs (`intake.py`), assembling a day (`storage/landing.py`).
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from dagster_project.assets.context import ConfideHome, Progress
from dagster_project.checks.contracts import ContractReport, contract_specs
from dagster_project.errors import scrubbed
from dagster_project.storage.landing import assemble_day

CONVERSATIONS = dg.AssetKey(["lake", "conversations"])
MESSAGES = dg.AssetKey(["lake", "messages"])


def ingestion_assets(days: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The two tables that everything starts from, a file each a day."""

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(CONVERSATIONS, description="One row per conversation: pseudonyms, start and sizes; no text."),
            dg.AssetSpec(MESSAGES, description="One row per message, with its text (private zone)."),
        ],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=contract_specs(CONVERSATIONS, MESSAGES),
        group_name="ingestion",
        name="ingest_days",
    )
    def ingest_days(
        context: dg.AssetExecutionContext, confide: ConfideHome, progress: dg.ResourceParam[Progress]
    ) -> Iterator[Any]:
        workspace = confide.open()
        contracts = ContractReport({"conversations": CONVERSATIONS, "messages": MESSAGES})
        conversations = messages = 0
        progress.start("Ingesting days", len(context.partition_keys))
        for key in context.partition_keys:
            day = date.fromisoformat(key)
            with scrubbed(f"ingesting {key}"):
                assembled = assemble_day(workspace.landing, day)
                sound = [
                    contracts.accepts("conversations", assembled.conversations, day=day),
                    contracts.accepts("messages", assembled.messages, conversations=assembled.conversations),
                ]
                if all(sound):
                    workspace.lake.write("messages", day, assembled.messages, assembled.about)
                    workspace.lake.write("conversations", day, assembled.conversations, assembled.about)
            conversations += assembled.conversations.height
            messages += assembled.messages.height
            progress.advance(1)
        yield from contracts.results()
        contracts.raise_if_broken()
        yield dg.MaterializeResult(CONVERSATIONS, metadata={"conversations": conversations})
        yield dg.MaterializeResult(MESSAGES, metadata={"messages": messages})

    return [ingest_days]
