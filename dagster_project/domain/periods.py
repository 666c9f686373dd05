"""Periods: days, ISO weeks, months and study windows, half-open and in UTC.

Lives here: parsing, naming, enumeration and overlap. Not here: what Dagster makes of them
(`partitions.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

DAY = timedelta(days=1)
FORMS = (
    "write a day (2026-10-05), an ISO week (2026-W41), a month (2026-10) or a window (2026-09-21..2026-11-15), "
    "whose last day is included"
)


class PeriodKind(StrEnum):
    """The kinds of period a release may publish."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    WINDOW = "window"


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Days [start, end) of one kind. `end` is the first day that is no longer in it."""

    start: date
    end: date
    kind: PeriodKind

    @property
    def key(self) -> str:
        """Its written form: 2026-10-05, 2026-W41, 2026-10 or 2026-09-21..2026-11-15."""
        if self.kind is PeriodKind.DAY:
            return self.start.isoformat()
        if self.kind is PeriodKind.WEEK:
            year, week, _ = self.start.isocalendar()
            return f"{year}-W{week:02d}"
        if self.kind is PeriodKind.MONTH:
            return f"{self.start:%Y-%m}"
        return f"{self.start.isoformat()}..{(self.end - DAY).isoformat()}"

    @property
    def days(self) -> list[date]:
        """Every day in it, in order."""
        return [self.start + i * DAY for i in range((self.end - self.start).days)]

    def overlaps(self, other: Period) -> bool:
        """Whether the two share a day."""
        return self.start < other.end and other.start < self.end


def parse_period(text: str) -> Period:
    """Read a period's written form. Raises ValueError, with the forms allowed, on anything else."""
    try:
        if match := re.fullmatch(r"(\d{4})-W(\d{2})", text):
            start = date.fromisocalendar(int(match[1]), int(match[2]), 1)
            return Period(start, start + 7 * DAY, PeriodKind.WEEK)
        if re.fullmatch(r"\d{4}-\d{2}", text):
            return period_of(date.fromisoformat(f"{text}-01"), PeriodKind.MONTH)
        if match := re.fullmatch(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})", text):
            start, last = date.fromisoformat(match[1]), date.fromisoformat(match[2])
            if last < start:
                raise ValueError("the window ends before it starts")
            return Period(start, last + DAY, PeriodKind.WINDOW)
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return period_of(date.fromisoformat(text), PeriodKind.DAY)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a period: {error}; {FORMS}") from None
    raise ValueError(f"{text!r} is not a period: {FORMS}")


def period_of(day: date, kind: PeriodKind) -> Period:
    """The period of a kind that holds a day. Raises ValueError for windows: they are chosen, not found."""
    if kind is PeriodKind.DAY:
        return Period(day, day + DAY, kind)
    if kind is PeriodKind.WEEK:
        start = day - day.weekday() * DAY
        return Period(start, start + 7 * DAY, kind)
    if kind is PeriodKind.MONTH:
        start = day.replace(day=1)
        return Period(start, (start + 31 * DAY).replace(day=1), kind)
    raise ValueError("a window has no calendar: name its first and last day")


def periods_covering(days: Iterable[date], kind: PeriodKind) -> list[Period]:
    """The periods of a kind that hold at least one of the days, in order."""
    return sorted({period_of(day, kind) for day in days})
