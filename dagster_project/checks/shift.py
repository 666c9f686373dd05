"""An asset check that alerts on a shift: the newest day's volume and labels against the weeks before it.

It reports and blocks nothing: a shift may be news, a broken export or another labeller. Not here: what a shift is
(`domain/shift.py`).
"""

from collections import Counter
from datetime import date

import dagster as dg

from dagster_project.domain.shift import labels_have_shifted, stability_index, volume_has_shifted
from dagster_project.storage.lake import Lake

NAME = "shift"
DAYS = 28
FEWEST = 7
"""Days before that a comparison needs."""


def shift_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check of the screen's labels."""
    text = f"The newest day's volume and labels are like those of the {DAYS} days before (population stability index)."
    return dg.AssetCheckSpec(NAME, asset=key, description=text, blocking=False)


def shift_result(lake: Lake, key: dg.AssetKey, day: date) -> dg.AssetCheckResult:
    """The newest day of a run against the labelled days before it; a warning where it stands out."""
    days = [d for d in lake.days("screen_labels") if d < day and (day - d).days <= DAYS]
    now = labels_of(lake, day)
    if len(days) < FEWEST:
        return _result(key, True, {"days_before": len(days)})
    past = [labels_of(lake, d) for d in days]
    before = sum(past, Counter[str]())
    volumes = [sum(counts.values()) for counts in past]
    volume, labels = volume_has_shifted(volumes, sum(now.values())), labels_have_shifted(before, now)
    told: dict[str, bool | float | int] = {
        "days_before": len(days),
        "volume_has_shifted": volume,
        "labels_have_shifted": labels,
        "stability_index": round(stability_index(before, now), 2),
    }
    return _result(key, not volume and not labels, told)


def labels_of(lake: Lake, day: date) -> Counter[str]:
    """Conversations of a day by everything that the screen said of them together: one label each, and as many as the
    conversation stands for."""
    import polars as pl

    value = pl.coalesce("value", pl.when(pl.col("status") == "ok").then(pl.lit("-")).otherwise(pl.lit("unknown")))
    said = lake.read("screen_labels", day).filter(pl.col("facet").is_in(["content_creation", "affective_type"]))
    each = said.group_by("conversation_key").agg(
        value.sort_by("facet", "value_index").str.join(" ").alias("label"), pl.col("weight").max()
    )
    return Counter(dict(each.group_by("label").agg(pl.col("weight").sum().round().cast(pl.Int64)).iter_rows()))


def _result(key: dg.AssetKey, passed: bool, told: dict[str, bool | float | int]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed, asset_key=key, check_name=NAME, severity=dg.AssetCheckSeverity.WARN, metadata=told
    )
