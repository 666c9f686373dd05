"""People's labels in the graph: what `confide labels` writes, so that the UI shows where agreement comes from.

Nothing runs here: coders take weeks, and their answers come by command. Not here: sampling and importing (`coding/`).
"""

import dagster as dg

from dagster_project.assets.classification import DETAIL, SCREEN

SAMPLES = dg.AssetKey(["lake", "human_samples"])
LABELS = dg.AssetKey(["lake", "human_labels"])


def coding_assets() -> list[dg.AssetsDefinition]:
    """The sample that coders were given, and the answers that count."""
    specs = [
        dg.AssetSpec(
            SAMPLES,
            deps=[SCREEN, DETAIL],
            group_name="coding",
            description="Who was drawn for human coders, by `confide labels export`.",
        ),
        dg.AssetSpec(
            LABELS,
            deps=[SAMPLES],
            group_name="coding",
            description="What people answered, after adjudication, by `confide labels import`.",
        ),
    ]
    return [dg.AssetsDefinition(specs=specs)]
