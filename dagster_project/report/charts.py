"""The charts of the report, each drawn wide for a page and narrow for a phone.

Lives here: what goes where on a sheet, in px. Not here: marks and rendering (`sheet.py`), words for
numbers (`words.py`), which rows are shown (`figures.py`).
"""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from dagster_project.report import words
from dagster_project.report.sheet import Sheet

WIDE, NARROW = 720.0, 320.0
LABELS = 236.0  # width of the label column of a wide chart: the longest label in a wide font (DejaVu Sans)
NUMBERS = 172.0  # width of the column of numbers


@dataclass(frozen=True)
class Estimate:
    """One labelled number with its interval; a value of None is withheld."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    strong: bool = False


@dataclass(frozen=True)
class Shift:
    """Where a mean starts and where it ends; None is withheld."""

    label: str
    start: float | None
    end: float | None
    strong: bool = False


@dataclass(frozen=True)
class Step:
    """A step of a funnel and its part of the first (0–1); None is withheld."""

    label: str
    n_conversations: int | None
    part: float | None


@dataclass(frozen=True)
class Topic:
    """A topic's name and its share (0–1)."""

    name: str
    share: float


def axis_top(values: Sequence[float | None], least: float = 0.0) -> float:
    """A round upper end for an axis that starts at 0."""
    highest = max([v for v in values if v is not None], default=0.0)
    highest = max(highest, least, 1e-6)
    unit: float = 10.0 ** math.floor(math.log10(highest))
    return next(
        step * unit for step in (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0) if step * unit >= highest * 0.999
    )


def _ticks(top: float) -> list[float]:
    mantissa = top / 10 ** math.floor(math.log10(top) + 1e-9)
    parts = 4 if round(mantissa, 3) in {2.0, 4.0, 8.0} else 3 if round(mantissa, 3) in {1.5, 3.0, 6.0} else 5
    return [top * i / parts for i in range(parts + 1)]


def _around(top: float) -> tuple[float, ...]:
    """Ticks on both sides of zero."""
    return -top, -top / 2, 0.0, top / 2, top


def shares(rows: Sequence[Estimate], *, narrow: bool) -> Sheet:
    """Shares as bars from zero with a dot and an interval."""
    top = axis_top([v for row in rows for v in (row.value, row.high)])
    step, head = (66.0, 38.0) if narrow else (36.0, 6.0)
    height = _height(rows, head, step, narrow)
    sheet = Sheet(NARROW if narrow else WIDE, height)
    left, right = (2.0, NARROW - 12) if narrow else (LABELS, WIDE - NUMBERS - 12)

    def x(value: float) -> float:
        return left + (right - left) * value / top

    ticks = _ticks(top) if any(row.value is not None for row in rows) else []  # no axis without a number
    for tick in ticks[:: 2 if narrow and len(ticks) > 5 else 1]:
        sheet.rule((x(tick), 0 if not narrow else head), (x(tick), height - 22), "grid")
        sheet.text(
            x(tick), height - 6, words.share(tick, *ticks), size=11.5, colour="muted",
            align="left" if narrow and tick == 0 else "center" if tick < top or not narrow else "right",
        )  # fmt: skip
    for i, row in enumerate(rows):
        y = head + step * i + (8 if narrow else step / 2)
        share = words.share(row.value, row.low, row.high), words.share_interval(row.low, row.high, row.value)
        _names_and_numbers(sheet, row, y, narrow, *share, 92)
        if row.value is None:
            continue
        sheet.box(left, y - 7, x(row.value) - left, 14, "soft", 2)
        colour = "ink" if row.strong else "accent"
        if row.low is not None and row.high is not None:
            _whisker(sheet, x(row.low), x(row.high), y, colour)
        sheet.dot(x(row.value), y, colour, 48)
    return sheet


def changes(rows: Sequence[Estimate], *, narrow: bool) -> Sheet:
    """Changes around zero with their intervals."""
    top = axis_top([abs(v) for row in rows for v in (row.value, row.low, row.high) if v is not None], 0.05)
    step, head = (66.0, 38.0) if narrow else (36.0, 6.0)
    height = _height(rows, head, step, narrow)
    sheet = Sheet(NARROW if narrow else WIDE, height)
    left, right = (14.0, NARROW - 14) if narrow else (LABELS + 14, WIDE - NUMBERS - 26)
    middle, half = (left + right) / 2, (right - left) / 2

    def x(value: float) -> float:
        return middle + half * value / top

    for tick in _around(top) if any(row.value is not None for row in rows) else ():
        zero = tick == 0
        low_edge = head if narrow else 0
        sheet.rule((x(tick), low_edge), (x(tick), height - 22), "zero" if zero else "grid", 1)
        text = "no change" if zero else words.signed(tick, *_around(top))
        sheet.text(x(tick), height - 6, text, size=11.5, colour="muted", align="center")
    for i, row in enumerate(rows):
        y = head + step * i + (8 if narrow else step / 2)
        change = words.signed(row.value, row.low, row.high), words.signed_interval(row.low, row.high, row.value)
        _names_and_numbers(sheet, row, y, narrow, *change, 118)
        if row.value is None:
            continue
        colour = "ink" if row.strong else "accent"
        if row.low is not None and row.high is not None:
            _whisker(sheet, x(row.low), x(row.high), y, colour)
        sheet.dot(x(row.value), y, colour, 48)
    return sheet


def _whisker(sheet: Sheet, low: float, high: float, y: float, colour: str) -> None:
    """An interval with ends that stand out from the dot between them, however narrow it is."""
    sheet.rule((low, y), (high, y), colour, 2)
    for end in (low, high):
        sheet.rule((end, y - 6), (end, y + 6), colour, 2)


def _height(rows: Sequence[object], head: float, step: float, narrow: bool) -> float:
    """Rows and the axis below them, in px."""
    return head + step * len(rows) + (22 if not narrow else 2)


def _names_and_numbers(
    sheet: Sheet, row: Estimate, y: float, narrow: bool, value: str, interval: str, room: float
) -> None:
    """The label and the number of one row: beside the plot when wide, above it, a line each, when narrow."""
    weight = 600 if row.strong else 400
    base = y - 15 if narrow else y + 4.5
    sheet.text(0, base - (17 if narrow else 0), row.label, size=13.5, weight=weight)
    if narrow and row.value is not None:
        sheet.text(0, base, value, size=13.5, weight=600)
        if row.low is not None:
            sheet.text(sheet.width, base, interval, size=12, colour="muted", align="right")
        return
    if row.value is None:
        sheet.text(sheet.width, base, words.WITHHELD, size=12.5, colour="muted", align="right", italic=True)
    elif row.low is None:
        sheet.text(sheet.width, base, value, size=13.5, weight=600, align="right")
    else:
        sheet.text(sheet.width, base, interval, size=12, colour="muted", align="right")
        sheet.text(sheet.width - room, base, value, size=13.5, weight=600, align="right")


def totals(rows: Sequence[Step], *, narrow: bool) -> Sheet:
    """A funnel: a bar and a count a step."""
    step, head = (46.0, 20.0) if narrow else (34.0, 2.0)
    height = head + step * len(rows)
    sheet = Sheet(NARROW if narrow else WIDE, height)
    left, right = (0.0, NARROW) if narrow else (LABELS, WIDE - NUMBERS - 12)
    for i, row in enumerate(rows):
        y = head + step * i + (2 if narrow else 8)
        base = y - 7 if narrow else y + 13
        sheet.text(0, base, row.label, size=13.5)
        if row.n_conversations is None or row.part is None:
            sheet.text(sheet.width, base, words.WITHHELD, size=12.5, colour="muted", align="right", italic=True)
            continue
        sheet.box(left, y, right - left, 18 if not narrow else 12, "track", 3)
        sheet.box(left, y, (right - left) * min(row.part, 1), 18 if not narrow else 12, "softink", 3)
        sheet.text(sheet.width, base, words.count(row.n_conversations), size=13.5, weight=600, align="right")
    return sheet


def topics(rows: Sequence[Topic], top: float) -> Sheet:
    """The largest topics of one type: names above bars, one width for every screen. top: end of the common axis."""
    wrapped = [textwrap.wrap(row.name, 44, max_lines=2, placeholder=" …") or ["–"] for row in rows]
    height = sum(17 * len(lines) + 25 for lines in wrapped) + 4.0
    sheet = Sheet(NARROW, height)
    y = 0.0
    for row, lines in zip(rows, wrapped, strict=True):
        for line in lines:
            y += 17
            sheet.text(0, y - 3, line, size=13)
        room = NARROW - 58
        sheet.box(0, y + 3, room, 8, "track", 2)
        sheet.box(0, y + 3, room * min(row.share / top, 1), 8, "accent", 2)
        sheet.text(NARROW, y + 11.5, words.share(row.share), size=12.5, weight=600, align="right")
        y += 25
    return sheet


def cells(
    columns: Sequence[str], rows: Sequence[tuple[str, Sequence[float | None]]], *, narrow: bool, strong: int = 0
) -> Sheet:
    """Shares in a grid: a number over a small bar in each cell. strong: how many first rows are set bold.

    On a phone every second heading stands a line lower: beside one another they would touch in a wide font.
    """
    top = axis_top([v for _, values in rows for v in values])
    step, head = (62.0, 57.0) if narrow else (46.0, 30.0)
    height = head + step * len(rows)
    sheet = Sheet(NARROW if narrow else WIDE, height)
    left = 0.0 if narrow else LABELS
    gap = 8.0 if narrow else 14.0
    width = (sheet.width - left + gap) / len(columns)
    for j, column in enumerate(columns):
        heading = 25.0 if narrow and j % 2 else 12.0
        sheet.text(left + j * width, heading, column, size=11 if narrow else 12.5, colour="muted")
    for i, (name, values) in enumerate(rows):
        y = head + step * i
        sheet.rule((0, y - (24 if narrow else 11)), (sheet.width, y - (24 if narrow else 11)), "grid")
        sheet.text(0, y - 7 if narrow else y + 13, name, size=13.5, weight=600 if i < strong else 400)
        base = y + (12 if narrow else 9)
        for j, value in enumerate(values):
            at = left + j * width
            if value is None:
                sheet.text(at, base, words.WITHHELD, size=11.5 if narrow else 12, colour="muted", italic=True)
                continue
            sheet.text(at, base, words.share(value), size=12 if narrow else 13)
            sheet.box(at, base + 7, width - gap, 5, "track", 2)
            sheet.box(at, base + 7, (width - gap) * value / top, 5, "accent", 2)
    return sheet


def shifts(rows: Sequence[Shift], *, narrow: bool) -> Sheet:
    """Mean tone at the start (ring) and at the end (dot) on the scale from −1 to +1."""
    known = [abs(v) for row in rows for v in (row.start, row.end) if v is not None]
    top = 1.0 if max(known, default=0.0) > 0.5 else 0.5
    step, head = (50.0, 56.0) if narrow else (36.0, 26.0)
    height = _height(rows, head, step, narrow)
    sheet = Sheet(NARROW if narrow else WIDE, height)
    left, right = (14.0, NARROW - 14) if narrow else (LABELS + 14, WIDE - NUMBERS - 26)
    middle, half = (left + right) / 2, (right - left) / 2

    def x(value: float) -> float:
        return middle + half * value / top

    for tick in _around(top) if known else ():
        zero = tick == 0
        sheet.rule((x(tick), head - (34 if narrow else 6)), (x(tick), height - 22), "zero" if zero else "grid", 1)
        sheet.text(
            x(tick),
            height - 6,
            "neutral" if zero else words.signed(tick, *_around(top)),
            size=11.5,
            colour="muted",
            align="center",
        )
    sheet.text(left - 14, 12, "← more negative", size=11.5, colour="muted")
    sheet.text(right + 14, 12, "more positive →", size=11.5, colour="muted", align="right")
    for i, row in enumerate(rows):
        y = head + step * i + (8 if narrow else step / 2)
        base = y - 15 if narrow else y + 4.5
        sheet.text(0, base, row.label, size=13.5, weight=600 if row.strong else 400)
        if row.start is None or row.end is None:
            sheet.text(sheet.width, base, words.WITHHELD, size=12.5, colour="muted", align="right", italic=True)
            continue
        colour = "ink" if row.strong else "accent"
        sheet.rule((x(row.start), y), (x(row.end), y), colour, 2.5)
        sheet.dot(x(row.start), y, colour, 80, ring=True)
        sheet.dot(x(row.end), y, colour, 100)
        both = f"{words.signed(row.start, row.end)} → {words.signed(row.end, row.start)}"
        sheet.text(sheet.width, base, both, size=13, align="right")
    return sheet
