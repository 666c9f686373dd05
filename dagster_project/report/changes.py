"""Which differences between neighbouring periods survive, among all that one trend makes.

From published numbers alone, so that nothing is told that the tables do not tell. Not here: the arithmetic
(`domain/estimation/differences.py`), how a change is drawn (`trends.py`).
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from dagster_project.domain.estimation.differences import difference, survivors
from dagster_project.report.charts import Estimate
from dagster_project.report.trends import Panel


def with_changes(panels: Sequence[Panel]) -> tuple[list[Panel], int]:
    """The panels with the changes that survive, and among how many differences; none across a break of the series."""
    tried: list[tuple[int, int, float]] = []
    for number, panel in enumerate(panels):
        for j, (before, now) in enumerate(pairwise(panel.points), 1):
            ends = _told(before), _told(now)
            if j not in panel.breaks and ends[0] is not None and ends[1] is not None:
                tried.append((number, j, difference(ends[0], ends[1]).p))
    kept = survivors([p for *_, p in tried])
    changed = {(number, j) for (number, j, _), survives in zip(tried, kept, strict=True) if survives}
    marked = [
        replace(panel, changed=frozenset(j for number, j in changed if number == i)) for i, panel in enumerate(panels)
    ]
    return marked, len(tried)


def _told(point: Estimate) -> tuple[float, float, float] | None:
    if point.value is None or point.low is None or point.high is None:
        return None
    return point.value, point.low, point.high
