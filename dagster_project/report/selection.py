"""Which period is shown in full, which periods make a trend, and the rows of each.

Not here: numbers in words (`words.py`), what a figure says (`figures.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from dagster_project.domain.tables import TABLES

Row = dict[str, Any]
FIXED_TABLES = tuple(name for name, table in TABLES.items() if not table.is_topic)
"""Tables with a full grid of categories: for these, and these only, it is told how many cells are withheld."""

MAX_TREND_PERIODS = 60


@dataclass(frozen=True, order=True)
class Shown:
    """One published period: days [start, end)."""

    start: date
    end: date
    kind: str


@dataclass(frozen=True)
class Published:
    """All tables of a release, with what its manifest says of each period."""

    tables: Mapping[str, pl.DataFrame]
    manifest: Mapping[str, Any]

    def periods(self) -> list[Shown]:
        """Every period that has rows, oldest first."""
        found: set[Shown] = set()
        for frame in self.tables.values():
            if frame.height:
                keys = frame.select("period_start", "period_end", "period_kind").unique()
                found.update(Shown(*row) for row in keys.iter_rows())
        return sorted(found)

    def in_full(self) -> Shown | None:
        """The longest window, or where there is no window, the newest period."""
        periods = self.periods()
        windows = [p for p in periods if p.kind == "window"]
        if windows:
            return max(windows, key=lambda p: (p.end - p.start, p.end))
        return max(periods, key=lambda p: (p.end, p.start), default=None)

    def trend(self) -> list[Shown]:
        """Periods of one kind, oldest first: of the kind shown in full, or beside a single window of the commonest.

        Empty when there is only one.
        """
        periods, full = self.periods(), self.in_full()
        by_kind = {kind: [p for p in periods if p.kind == kind] for kind in sorted({p.kind for p in periods})}
        same = by_kind[full.kind] if full else []
        if full and full.kind == "window" and len(same) == 1:
            same = max(by_kind.values(), key=len)
        return same[-MAX_TREND_PERIODS:] if len(same) > 1 else []

    def rows(self, table: str, period: Shown) -> list[Row]:
        """A period's rows of one table in their published order, of the latest revision."""
        frame = self.tables.get(table)
        if frame is None or not frame.height:
            return []
        mine = frame.filter(
            (pl.col("period_start") == period.start)
            & (pl.col("period_end") == period.end)
            & (pl.col("period_kind") == period.kind)
        )
        if "revision" in mine.columns:
            mine = mine.filter(pl.col("revision") == pl.col("revision").max())
        return [_withheld(row) if row["suppressed"] else row for row in mine.to_dicts()]

    def about(self, period: Shown, key: str, default: Any = None) -> Any:
        """What the manifest says of a period; a key that a period lacks is looked up for the whole release."""
        for entry in reversed(self.manifest.get("periods") or []):  # the last is the newest revision
            if isinstance(entry, Mapping) and _is(entry, period) and entry.get(key) is not None:
                return entry[key]
        found = self.manifest.get(key)
        return default if found is None else found

    def series(self, period: Shown, facets: tuple[str, ...]) -> tuple[str, ...]:
        """What must be equal for two periods to be compared: labeller, version and prompt of each facet; the sample."""
        said = [self.about(period, key) for key in ("labellers", "facet_versions", "prompt_hashes")]
        design = self.about(period, "sample_design", {})
        drawn = (
            sorted((k, v) for k, v in design.items() if k != "largest_weight") if isinstance(design, Mapping) else ""
        )
        return *(str(of_facet(part, facet)) for part in said for facet in facets), str(drawn)


def _withheld(row: Row) -> Row:
    """A withheld row with its names alone: were a number left in it, the page would still not tell it."""
    numbers = {k for k, v in row.items() if isinstance(v, int | float) and k not in {"revision", "suppressed"}}
    return {k: None if k in numbers else v for k, v in row.items()}


def of_facet(said: Any, facet: str) -> Any:
    """A manifest entry is one value for all facets or a mapping by facet."""
    return said.get(facet) if isinstance(said, Mapping) else said


def _is(entry: Mapping[str, Any], period: Shown) -> bool:
    start = entry.get("period_start", entry.get("start"))
    end = entry.get("period_end", entry.get("end"))
    kind = entry.get("period_kind", entry.get("kind", period.kind))
    return (_iso(start), _iso(end), str(kind)) == (period.start.isoformat(), period.end.isoformat(), period.kind)


def _iso(value: Any) -> str:
    return value.isoformat()[:10] if isinstance(value, date | datetime) else str(value)[:10]
