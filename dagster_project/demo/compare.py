"""Recomputes, from the truth of the demo world, the figures of a publication, and sets them side by side.

The truth is taken over all conversations of the period, by the study's own rules; the publication counts at most so
many conversations a user, found by a classifier that errs, and rounds what it shows. A published interval speaks of
chance between users alone, so it need not cover the truth: the error is what this table is for. Not here: where the
truth comes from (`truth.py`), how figures are published.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from dagster_project.demo.truth import read_truth
from dagster_project.domain.periods import PeriodKind
from dagster_project.domain.study import (
    AFFECTIVE_TYPES,
    ROLEPLAY_TYPES,
    SENTIMENT_LEVELS,
    TALK_TYPES,
    counted_types,
    sentiment_change,
)

if TYPE_CHECKING:
    from rich.table import Table

_PUSHBACK_KINDS = ("refusal", "safety", "boundary", "challenge", "correction", "other")


@dataclass(frozen=True)
class Row:
    """One figure: true and published. Shares and rates from 0 to 1, changes from -2 to 2; None where withheld.

    n: conversations that the true figure rests on (its denominator).
    """

    period: str
    table: str
    cell: str
    n: int
    truth: float | None
    published: float | None
    low: float | None
    high: float | None

    @property
    def covers(self) -> bool | None:
        """Whether the published interval holds the truth; None where either is missing."""
        if self.truth is None or self.low is None or self.high is None:
            return None
        return self.low <= self.truth <= self.high

    @property
    def error(self) -> float | None:
        """Published minus true; None where either is missing."""
        return None if self.truth is None or self.published is None else self.published - self.truth


@dataclass(frozen=True, slots=True)
class _Talk:
    """What the figures need to know of one conversation, the study's rules applied."""

    content_creation: bool
    types: frozenset[str]
    kinds: frozenset[str]
    change: float | None

    @property
    def analysed(self) -> bool:
        return bool(self.types) and not self.types & set(ROLEPLAY_TYPES)


def compare(publication: Path, truth: Path, kind: PeriodKind | None = None) -> list[Row]:
    """The published figures of every period beside the true ones, in the publication's order of periods.

    publication: the folder of a release, with `tables/`. truth: `truth.parquet` of the world. kind: periods of this
    kind alone. Of a period that was corrected, the latest revision counts. Raises OSError, polars' errors on what
    cannot be read.
    """
    world = read_truth(truth)
    tables = {name: _published(publication, name, kind) for name in ("prevalence", "pushback", "sentiment")}
    periods = tables["prevalence"].select("period_start", "period_end").unique().sort("period_start", "period_end")
    rows: list[Row] = []
    for start, end in periods.iter_rows():
        talks = _talks(world.filter(pl.col("day").is_between(start, end, closed="left")))
        rows += _prevalence(talks, _of(tables["prevalence"], start, end), f"{start} – {end}")
        rows += _pushback(talks, _of(tables["pushback"], start, end), f"{start} – {end}")
        rows += _sentiment(talks, _of(tables["sentiment"], start, end), f"{start} – {end}")
    return rows


def comparison_table(rows: list[Row]) -> "Table":
    """The rows for the terminal, with what the comparison can and cannot say as its caption."""
    from rich.table import Table

    table = Table(
        title="Synthetic demo world: truth and publication",
        caption="Truth: all conversations of the period, by the study's rules. Published: at most so many a user, "
        "labelled by a classifier, rounded; its interval covers chance between users, not the classifier's errors.",
        caption_justify="left",
    )
    for heading in ("table", "figure"):
        table.add_column(heading)
    for heading in ("of", "truth", "published", "interval", "covers", "error"):
        table.add_column(heading, justify="right")
    for i, row in enumerate(rows):
        if i and row.table != rows[i - 1].table:
            table.add_section()
        show = _signed if row.table == "sentiment" else _percent
        interval = "–" if row.low is None or row.high is None else f"{show(row.low)} to {show(row.high)}"
        table.add_row(
            row.table,
            row.cell,
            f"{row.n:,}",
            show(row.truth),
            "withheld" if row.published is None else show(row.published),
            interval,
            {None: "–", True: "yes", False: "no"}[row.covers],
            _signed(row.error) if row.table == "sentiment" else _points(row.error),
        )
    return table


def _published(publication: Path, name: str, kind: PeriodKind | None) -> pl.DataFrame:
    """One table of a release, of each period the latest revision."""
    frame = pl.read_parquet(publication / "tables" / f"{name}.parquet")
    latest = pl.col("revision") == pl.col("revision").max().over("period_start", "period_end")
    return frame.filter(latest, pl.lit(True) if kind is None else pl.col("period_kind") == kind.value)


def _of(table: pl.DataFrame, start: date, end: date) -> list[dict[str, Any]]:
    return table.filter(pl.col("period_start") == start, pl.col("period_end") == end).to_dicts()


def _talks(world: pl.DataFrame) -> list[_Talk]:
    talks = []
    for row in world.iter_rows(named=True):
        excluded = bool(row["is_content_creation"])
        types = () if excluded else counted_types(row["affective_types"], row["n_human_messages"])
        ends = sentiment_change([SENTIMENT_LEVELS[level] for level in row["sentiment"]])
        kinds = frozenset(event["kind"] for event in row["pushback"])
        talks.append(_Talk(excluded, frozenset(types), kinds, ends[1] - ends[0] if ends else None))
    return talks


def _prevalence(talks: list[_Talk], published: list[dict[str, Any]], period: str) -> Iterator[Row]:
    bond = {"companionship", *ROLEPLAY_TYPES}
    of_category: dict[str, Callable[[_Talk], bool]] = {
        "content_creation": lambda t: t.content_creation,
        "affective": lambda t: bool(t.types),
        **{kind: partial(_has_type, kind) for kind in AFFECTIVE_TYPES},
        "companionship_or_roleplay": lambda t: bool(t.types & bond),
    }
    by_category = {row["category"]: row for row in published}
    for category, holds in of_category.items():
        n = sum(holds(t) for t in talks)
        yield _row(period, "prevalence", category, len(talks), n, by_category.get(category), "share")


def _has_type(affective_type: str, talk: _Talk) -> bool:
    return affective_type in talk.types


def _pushback(talks: list[_Talk], published: list[dict[str, Any]], period: str) -> Iterator[Row]:
    by_cell = {(row["affective_type"], row["kind"]): row for row in published if row["position"] == "any"}
    cells = [*((kind, "any") for kind in ("any", *TALK_TYPES)), *(("any", kind) for kind in _PUSHBACK_KINDS)]
    for affective_type, kind in cells:
        of = [t for t in talks if t.analysed and (affective_type == "any" or affective_type in t.types)]
        n = sum(bool(t.kinds) if kind == "any" else kind in t.kinds for t in of)
        cell = f"{affective_type}, {kind} pushback"
        yield _row(period, "pushback", cell, len(of), n, by_cell.get((affective_type, kind)), "rate")


def _sentiment(talks: list[_Talk], published: list[dict[str, Any]], period: str) -> Iterator[Row]:
    by_type = {row["affective_type"]: row for row in published}
    for affective_type in ("any", *TALK_TYPES):
        of = [t for t in talks if t.analysed and (affective_type == "any" or affective_type in t.types)]
        changes = [t.change for t in of if t.change is not None]
        row = by_type.get(affective_type) or {}
        yield Row(
            period=period,
            table="sentiment",
            cell=f"{affective_type}, change",
            n=len(changes),
            truth=sum(changes) / len(changes) if changes else None,
            published=row.get("sentiment_change"),
            low=row.get("change_low"),
            high=row.get("change_high"),
        )


def _row(period: str, table: str, cell: str, of: int, n: int, published: dict[str, Any] | None, measure: str) -> Row:
    row = published or {}
    return Row(
        period=period,
        table=table,
        cell=cell,
        n=of,
        truth=n / of if of else None,
        published=row.get(measure),
        low=row.get(f"{measure}_low"),
        high=row.get(f"{measure}_high"),
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _points(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:+.1f} points"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}"
