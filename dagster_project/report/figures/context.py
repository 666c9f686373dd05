"""What every figure needs: the rows of its period, labels, and drawings fit for the page.

Not here: what a figure says (its own module), marks and axes (`charts.py`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dagster_project.codebook.loader import Codebook
from dagster_project.report import charts, words
from dagster_project.report.changes import with_changes
from dagster_project.report.charts import Estimate, Shift, Step
from dagster_project.report.figures.parts import Cells, Chart
from dagster_project.report.selection import Published, Row, Shown, of_facet
from dagster_project.report.sheet import Sheet
from dagster_project.report.svg import dress
from dagster_project.report.trends import Panel, trends


@dataclass(frozen=True)
class Context:
    """One release, the period shown in full, and what its categories are called."""

    published: Published
    period: Shown
    labels: Mapping[str, str]
    codebook: Codebook

    def rows(self, table: str) -> list[Row]:
        return self.published.rows(table, self.period)

    def label(self, category: str) -> str:
        return words.label(self.labels, category)

    def facet(self, facet: str) -> str:
        """The title of a facet; the id, spelt out, of one that the codebook has no more."""
        return next((f.title for f in self.codebook if f.id == facet), words.label({}, facet))

    def value(self, row: Row) -> str:
        """The label of a facet's value: other facets may mean something else by the same id."""
        categories = next((f.categories for f in self.codebook if f.id == row["facet"]), [])
        return words.label({c.id: c.label for c in categories}, row["value"])

    def type(self, affective_type: str) -> str:
        return "All types" if affective_type == "any" else self.label(affective_type)

    def short(self, kind: str) -> str:
        return self.label(kind).split(" ")[0]

    def share(self, row: Row, measure: str, *, label: str = "", strong: bool = False) -> Estimate:
        name = label or self.label(row["category"])
        return Estimate(name, row[measure], row[f"{measure}_low"], row[f"{measure}_high"], strong)

    def agreement(self, facet: str) -> str:
        """How far the labeller of a figure agrees with people, in one sentence; nothing where people labelled none."""
        row = next((r for r in self.rows("agreement") if r["facet"] == facet), None)
        if row is None:
            return "No human labels cover this period: how far the labeller agrees with people is not known here."
        if row["n_labelled"] is None:
            return "People labelled too few conversations to tell how far the labeller agrees with them."
        seen = f"on {words.about(row['n_labelled'])} conversations that people labelled too"
        if row["kappa"] is None:
            return f"Agreement with people: {words.share(row['accuracy'])}, {seen}; too few are of it for more."
        kappa, between = words.signed_of(row, "kappa", "kappa_low", "kappa_high")
        return f"Agreement with people: kappa {kappa} ({words.INTERVAL} {between}), {seen}."

    def dressed(self, sheet: Sheet, chart_id: str, title: str, description: str, variant: str) -> str:
        chart_id = f"c-{file_name(chart_id)}"
        return dress(sheet.svg(), chart_id=chart_id, title=title, description=description, variant=variant)

    def both(self, chart_id: str, title: str, description: str, draw: Callable[[bool], Sheet]) -> tuple[str, ...]:
        """One chart drawn for a page and for a phone."""
        return tuple(
            self.dressed(draw(narrow), f"{chart_id}-{variant}", title, description, variant)
            for narrow, variant in ((False, "wide"), (True, "narrow"))
        )

    def chart(
        self,
        chart_id: str,
        heading: str,
        draw: Callable[..., Sheet],
        rows: Sequence[object],
        cells: Cells,
        signed: bool = False,
    ) -> Chart:
        """One chart, wide and narrow. cells: what it draws. signed: its numbers are changes, not shares."""
        description = "; ".join(_described(row, signed) for row in rows)
        drawings = self.both(chart_id, heading, description, lambda narrow: draw(rows, narrow=narrow))
        return Chart(heading, drawings, name=file_name(chart_id), cells=cells)

    def grid(
        self,
        chart_id: str,
        heading: str,
        columns: Sequence[str],
        rows: list[tuple[str, list[float | None]]],
        cells: Cells,
    ) -> Chart:
        description = "; ".join(
            f"{name}: " + ", ".join(f"{column} {words.share(v)}" for column, v in zip(columns, values, strict=True))
            for name, values in rows
        )

        def draw(narrow: bool) -> Sheet:
            return charts.cells(columns, rows, narrow=narrow, strong=1 if rows and rows[0][0] == "All types" else 0)

        drawings = self.both(chart_id, heading, description, draw)
        return Chart(heading, drawings, name=file_name(chart_id), cells=cells)

    def trend(
        self,
        table: str,
        heading: str,
        categories: Sequence[str],
        is_of: Callable[[Row, str], bool],
        measure: str,
        facets: tuple[str, ...],
        around_zero: bool = False,
    ) -> Chart | None:
        """Small trends over periods of one kind, or None where no category is published in two of them."""
        periods = self.published.trend()
        if not periods:
            return None
        series = [self.published.series(p, facets) for p in periods]
        breaks = frozenset(i for i in range(1, len(series)) if series[i] != series[i - 1])
        low, high = ("change_low", "change_high") if around_zero else (f"{measure}_low", f"{measure}_high")
        found = [self.published.rows(table, p) for p in periods]
        panels: list[Panel] = []
        drawn: list[Row] = []
        for category in categories:
            own = [next((r for r in rows if is_of(r, category)), {}) for rows in found]
            points = [Estimate("", row.get(measure), row.get(low), row.get(high)) for row in own]
            name = "All types" if category in {"any", "affective"} else self.label(category)
            if sum(point.value is not None for point in points) > 1:
                panels.append(Panel(name, points, breaks))
                drawn.extend(row for row in own if row)
        if not panels:
            return None
        panels, compared = with_changes(panels)
        say = words.signed if around_zero else words.share
        description = "; ".join(f"{p.title}: " + ", ".join(say(e.value) for e in p.points) for p in panels)
        ends = words.short_day(periods[0].start), words.short_day(periods[-1].start)
        heading = f"{heading}, by {periods[0].kind}"
        drawings = self.both(
            f"{table}-trend",
            heading,
            f"{len(periods)} periods, oldest first. {description}",
            lambda narrow: trends(panels, ends, narrow=narrow, around_zero=around_zero),
        )
        scale = "" if around_zero else " Each panel has its own scale, from 0."
        note = f"Band: {words.INTERVAL}. A gap is a withheld period; dates are first days.{scale}"
        n_changed = sum(len(panel.changed) for panel in panels)
        note += (
            f" Rings: {n_changed or 'none'} of {compared} differences from the period before "
            f"{'is' if n_changed == 1 else 'are'} told apart from chance (Benjamini–Hochberg, 5{words.THIN}%)."
        )
        if breaks:
            note += " A dashed line marks a change of labeller or definition: across it, periods do not compare. "
            note += " ".join(self._new_series(periods[i - 1], periods[i], facets) for i in sorted(breaks))
        return Chart(heading, drawings, note, f"{table}-trend", Cells(table, drawn))

    def _new_series(self, before: Shown, after: Shown, facets: tuple[str, ...]) -> str:
        """What is other from a period on, for each question that a trend rests on."""
        told = []
        for key, what in (("labellers", "labeller"), ("facet_versions", "version"), ("prompt_hashes", "prompt")):
            pairs: dict[tuple[str, str], list[str]] = {}
            for facet in facets:
                was, now = (str(of_facet(self.published.about(p, key), facet) or "none") for p in (before, after))
                if was != now:
                    pairs.setdefault((was[:20], now[:20]), []).append(self.facet(facet))
            told += [f"{what} {now} after {was} ({words.listed(names)})" for (was, now), names in pairs.items()]
        return f"From {words.day(after.start)}: {'; '.join(told)}."


def file_name(chart_id: str) -> str:
    """The name of a chart in the page and of its files: letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]", "-", chart_id.lower())


def _described(row: object, signed: bool) -> str:
    """One row of a chart in words, for those who hear it."""
    if isinstance(row, Estimate):
        say, between = (words.signed, words.signed_interval) if signed else (words.share, words.share_interval)
        ends = f", interval {between(row.low, row.high, row.value)}" if None not in (row.value, row.low) else ""
        return f"{row.label}: {say(row.value, row.low, row.high)}{ends}"
    if isinstance(row, Shift):
        return f"{row.label}: start {words.signed(row.start, row.end)}, end {words.signed(row.end, row.start)}"
    if isinstance(row, Step):
        return f"{row.label}: {words.count(row.n_conversations)}"
    raise TypeError(f"no words for a {type(row).__name__}")
