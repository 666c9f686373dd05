"""How well topics fit, and how far periods drift from them, as asset checks: warnings with figures, never a stop.

Not here: the figures (`topics/period_topics.py`), when a new version is fitted (`topics/versions.py`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

FIT, DRIFT = "fit", "drift"
MOST_OTHER = 0.2
"""Of the conversations that a version was fitted on: with more in no topic, the topics do not describe the type."""
LEAST_SILHOUETTE = 0.02
"""Topics less well apart than this divide what is one."""
MOST_UNNAMED = 0.5
"""Of a type's topics: with more of them nameless, they are too small or too alike for their number."""

Figures = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By period and affective type, as `topics.period_topics.PeriodTopics` tells them."""


def topic_check_specs(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The two checks of the topics of a period."""
    return [
        dg.AssetCheckSpec(
            FIT, asset=key, blocking=False, description="Topics are apart, named, and hold most of a type."
        ),
        dg.AssetCheckSpec(DRIFT, asset=key, blocking=False, description="Periods still fit the topics found before."),
    ]


def topic_check_results(key: dg.AssetKey, figures: Figures, most_drift: float) -> Iterator[dg.AssetCheckResult]:
    """Their results. most_drift: the share from which a new version is fitted; one that was is told all the same."""
    of_types = [(f"{period}, {t}", f) for period, types in figures.items() for t, f in types.items() if f["n_topics"]]
    ill = {name: why for name, f in of_types if (why := _ill_fitting(f))}
    drifted = {name: f["drift"] for name, f in of_types if f["drift"] > most_drift}
    for check, found in ((FIT, ill), (DRIFT, drifted)):
        yield dg.AssetCheckResult(
            passed=not found,
            asset_key=key,
            check_name=check,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"checked": len(of_types), "found": dg.MetadataValue.json(found), **_worst(check, of_types)},
        )


def _ill_fitting(figures: Mapping[str, Any]) -> str:
    if figures["other_share_of_fit"] > MOST_OTHER:
        return "much fits nowhere"
    if figures["silhouette"] < LEAST_SILHOUETTE:
        return "topics are hardly apart"
    if figures["unnamed"] > MOST_UNNAMED * (figures["n_topics"] + figures["n_parents"]):
        return "most topics have no name"
    return ""


def _worst(check: str, of_types: list[tuple[str, Mapping[str, Any]]]) -> dict[str, float]:
    if not of_types:
        return {}
    if check == DRIFT:
        return {"largest_drift": max(f["drift"] for _, f in of_types)}
    return {
        "least_silhouette": min(f["silhouette"] for _, f in of_types),
        "largest_other_share": max(f["other_share_of_fit"] for _, f in of_types),
    }
