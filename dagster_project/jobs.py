"""Jobs by name: what the commands and schedules run, the same assets that the UI shows."""

import dagster as dg

DAILY = dg.define_asset_job(
    "daily",
    selection=dg.AssetSelection.groups("ingestion", "classification", "warehouse"),
    description="Ingest, label and build some days.",
)
INBOX = dg.define_asset_job(
    "take_inbox",
    selection=dg.AssetSelection.groups("inbox"),
    description="Ingest the files of the folder that is watched, each once.",
)
MARTS = dg.define_asset_job(
    "marts",
    selection=dg.AssetSelection.groups("topics", "marts"),
    description="Find topics and count, for some release periods. Publishes nothing.",
)
PUBLISH = dg.define_asset_job(
    "publish",
    selection=dg.AssetSelection.groups("release"),
    description="Pass the gate and publish some complete periods whose counts are up to date.",
)
RELEASE = dg.define_asset_job(
    "release",
    selection=dg.AssetSelection.groups("topics", "marts", "release"),
    description="Find topics, count, pass the gate and publish some complete periods.",
)
RETENTION = dg.define_asset_job(
    "erase_expired",
    selection=dg.AssetSelection.groups("retention"),
    description="Erase conversations older than `[retention] days`, and whatever else is waiting to be erased.",
)
