"""Small trends over the published periods.

Not here: charts of one period (`charts.py`), which periods make a trend (`selection.py`).
"""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

from dagster_project.report import words
from dagster_project.report.charts import NARROW, WIDE, Estimate, axis_top
from dagster_project.report.sheet import Sheet


@dataclass(frozen=True)
class Panel:
    """One small trend: an estimate a period in order, and the positions at which a new series starts.

    changed: positions of which the difference from the period before survives.
    """

    title: str
    points: Sequence[Estimate]
    breaks: frozenset[int] = field(default_factory=frozenset)
    changed: frozenset[int] = field(default_factory=frozenset)


def trends(panels: Sequence[Panel], ends: tuple[str, str], *, narrow: bool, around_zero: bool = False) -> Sheet:
    """Small multiples over periods: line and interval, a gap where withheld, dashes between series.

    Shares have a scale from 0 of their own in each panel, changes a common one around zero.
    """
    columns = 2 if narrow else 3
    gap = 20.0 if narrow else 36.0
    full = NARROW if narrow else WIDE
    width = (full - gap * (columns - 1)) / columns
    plot, step = 58.0, 144.0
    sheet = Sheet(full, step * math.ceil(len(panels) / columns))
    common = max((_reach(panel) for panel in panels), default=0.0)
    say = words.signed if around_zero else words.share
    for i, panel in enumerate(panels):
        left, head = (i % columns) * (width + gap), (i // columns) * step + 50
        foot = head + plot
        top = axis_top([common if around_zero else _reach(panel)], 0.02 if around_zero else 0.001)
        bottom = -top if around_zero else 0.0
        n = max(len(panel.points) - 1, 1)

        def x(j: float, left: float = left, n: int = n) -> float:
            return left + 4 + (width - 8) * j / n

        def y(value: float, foot: float = foot, top: float = top, bottom: float = bottom) -> float:
            return foot - plot * (value - bottom) / (top - bottom)

        lines = textwrap.wrap(panel.title, 22 if narrow else 34)
        for k, text in enumerate(lines):
            sheet.text(left, head - 19 - 15 * (len(lines) - 1 - k), text, size=12.5, weight=600)
        if _reach(panel):
            sheet.text(left, head - 4, say(top), size=11, colour="muted")
        sheet.rule((left, y(top)), (left + width, y(top)), "grid")
        sheet.rule((left, y(0)), (left + width, y(0)), "zero", 1)
        sheet.text(left, foot + 15, ends[0], size=11, colour="muted")
        sheet.text(left + width, foot + 15, ends[1], size=11, colour="muted", align="right")
        for j in panel.breaks:
            sheet.rule((x(j - 0.5), head - 2), (x(j - 0.5), foot), "muted", 1, (3, 3))
        for run in _runs(panel):
            low_high = [(j, p.low, p.high) for j, p in run if p.low is not None and p.high is not None]
            if len(low_high) > 1:
                sheet.band([(x(j), y(high), y(low)) for j, low, high in low_high], "soft")
            if len(run) > 1:
                sheet.line([(x(j), y(p.value or 0.0)) for j, p in run], "accent")
            else:
                sheet.dot(x(run[0][0]), y(run[0][1].value or 0.0), "accent", 30)
        for j in sorted(panel.changed):
            sheet.dot(x(j), y(panel.points[j].value or 0.0), "accent", 60, ring=True)
        last = panel.points[-1] if panel.points else None
        if last is not None and last.value is not None:
            sheet.dot(x(len(panel.points) - 1), y(last.value), "accent", 45)
            sheet.text(left + width, head - 4, say(last.value), size=11.5, weight=600, align="right")
        elif last is not None:
            sheet.text(left + width, head - 4, words.WITHHELD, size=11, colour="muted", align="right", italic=True)
    return sheet


def _reach(panel: Panel) -> float:
    """The largest distance from zero in a panel."""
    return max((abs(v) for p in panel.points for v in (p.value, p.low, p.high) if v is not None), default=0.0)


def _runs(panel: Panel) -> list[list[tuple[int, Estimate]]]:
    """Consecutive published points of one series."""
    runs: list[list[tuple[int, Estimate]]] = []
    current: list[tuple[int, Estimate]] = []
    for j, point in enumerate(panel.points):
        if (point.value is None or j in panel.breaks) and current:
            runs.append(current)
            current = []
        if point.value is not None:
            current.append((j, point))
    return [*runs, current] if current else runs
