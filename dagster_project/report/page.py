"""The page: published tables and a manifest in, one HTML string out, and each chart as files beside it.

Lives here: what stands on the page and in which order. Not here: the figures (`figures/`), markup
(`templates/`), charts as files (`pictures.py`), where a page is written (`storage/publication.py`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project.codebook.loader import Codebook, shipped_codebook
from dagster_project.report import pictures, words
from dagster_project.report.about import (
    agreement_rows,
    group_rows,
    key_figures,
    measured_by,
    policy_rows,
    withheld_rows,
)
from dagster_project.report.figures.context import Context
from dagster_project.report.figures.drift import drift
from dagster_project.report.figures.facets import facets
from dagster_project.report.figures.parts import Chart, Fact, Figure, TableRow
from dagster_project.report.figures.prevalence import prevalence
from dagster_project.report.figures.pushback import pushback
from dagster_project.report.figures.sentiment import sentiment
from dagster_project.report.figures.topics import topics
from dagster_project.report.figures.use import use
from dagster_project.report.glossary import FirstUses, of_the_report
from dagster_project.report.html import environment, styled
from dagster_project.report.measured import facts, measured
from dagster_project.report.selection import Published

CORRECTED_BY_TABLE = {
    "prevalence": "corrected_share",
    "pushback": "corrected_rate",
    "sentiment": "corrected_change",
}

PAGE = "report.html"
FIGURES = (prevalence, topics, pushback, sentiment, use, drift, facets)
HERE = Path(__file__).parent
MODEL_CARD = "docs/models/local.md"
HELP_LINE = (
    "If you or someone you know is going through a hard time or is thinking about suicide or self-harm, support is "
    "there: call your local emergency number or a crisis line in your country."
)


def render(
    tables: Mapping[str, pl.DataFrame],
    manifest: Mapping[str, Any],
    *,
    notice: str | None = None,
    help_line: str | None = None,
    codebook: Codebook | None = None,
) -> str:
    """The report of a release as one HTML page without JavaScript and without anything to load.

    tables: the published tables by name (prevalence, funnel, topics, pushback, sentiment), as written.
    manifest: what `manifest.json` says, as far as it is known; its `files` are listed with checksums.
    notice: said at the top, e.g. that the data are synthetic. help_line: said beside figures that touch
    self-harm (None: a neutral one; it cannot be left out). codebook: the shipped one unless given. Equal input
    gives equal bytes. Raises ValueError when there is no published period.
    """
    context = _context(tables, manifest, codebook)
    return _page(context, _figures(context), notice, help_line)


def files(
    tables: Mapping[str, pl.DataFrame],
    manifest: Mapping[str, Any],
    *,
    notice: str | None = None,
    help_line: str | None = None,
    codebook: Codebook | None = None,
) -> dict[str, str | bytes | pl.DataFrame]:
    """The page as `render` makes it, and the files of its charts, by name in the release.

    Text, bytes, and rows still to be written as CSV. Equal input gives equal files.
    """
    context = _context(tables, manifest, codebook)
    figures = _figures(context)
    charts = [(figure, chart) for figure in figures for chart in figure.drawn()]
    return {
        **pictures.files([(chart, _around(context, figure, chart, notice)) for figure, chart in charts], tables),
        PAGE: _page(context, figures, notice, help_line),
    }


def _context(tables: Mapping[str, pl.DataFrame], manifest: Mapping[str, Any], codebook: Codebook | None) -> Context:
    published = Published(tables, manifest)
    period = published.in_full()
    if period is None:
        raise ValueError("there is no published period to report on")
    book = codebook or shipped_codebook()
    return Context(published, period, words.labels_of(book), book)


def _figures(context: Context) -> list[Figure]:
    return [figure for build in FIGURES if (figure := build(context)) is not None]


def _around(context: Context, figure: Figure, chart: Chart, notice: str | None) -> pictures.Around:
    """What a picture says beside its drawing. A trend is of other periods than the numbers of its figure."""
    is_trend = chart is figure.trend
    shown = context.published.trend() if is_trend else [context.period]
    told = [f for f in facts(context, figure.basis) if not is_trend or f.term in {"Labelled by", "Interval"}]
    return pictures.Around(
        warning=notice or "",
        above=[f"Figure {figure.number}. {words.span(shown[0].start, shown[-1].end)}"],
        below=[chart.note, " ".join(_said(figure, fact) for fact in told), _made(context.published.manifest)],
    )


def _said(figure: Figure, fact: Fact) -> str:
    """Withheld cells are counted for a figure as a whole: alone, a picture must not seem to be all of it."""
    return f"{fact.term}{f' in Figure {figure.number}' if fact.term == 'Withheld' else ''}: {fact.text}."


def _page(context: Context, figures: Sequence[Figure], notice: str | None, help_line: str | None) -> str:
    published, period, book = context.published, context.period, context.codebook
    manifest = published.manifest
    pages = environment()
    pages.filters["words"] = FirstUses(of_the_report())
    policy = published.about(period, "policy", {})
    rules = policy_rows(policy)
    reasoned = any(reason for _, _, reason in rules)
    by = measured_by(published, period, book)
    lacking = list(published.about(period, "not_measured", []))
    titles = {f.id: f.title for f in book}
    private = {f.id for f in book if f.publish == "no"}
    return pages.get_template("page.html.j2").render(
        **styled("style.css"),
        notice=notice,
        notice_label="Synthetic" if "synthetic" in (notice or "").lower() else "Notice",
        help_line=help_line or HELP_LINE,
        period=period,
        period_text=words.span(period.start, period.end),
        n_periods=len(published.periods()),
        revision=int(published.about(period, "revision", 0)),
        key_figures=key_figures(published, period),
        figures=[(f, facts(context, f.basis), measured(context, f.basis)) for f in figures],
        defined=[f.id for f in book if f.id not in lacking],
        measured_rows=[_row(m.facet, m.labeller, m.version, m.prompt_hash) for m in by],
        agreement_table=agreement_rows(published, period, words.labels_of(book)),
        group_table=group_rows(published, period, words.labels_of(book)),
        is_corrected=any(
            row.get(column) is not None
            for name, column in CORRECTED_BY_TABLE.items()
            for row in published.rows(name, period)
        ),
        uses_local=any(m.labeller.startswith("local") for m in by),
        model_card=str(manifest.get("model_card") or MODEL_CARD),
        not_measured=[titles.get(f, f) for f in lacking if f not in private],
        policy_table=[_row(what, value, *([reason] if reasoned else [])) for what, value, reason in rules],
        policy_reasons=reasoned,
        withheld_table=[
            _row(t, words.count(shown), words.count(n)) for t, shown, n in withheld_rows(published, period)
        ],
        bound=_plain(policy.get("max_conversations_per_user")),
        facets=[f for f in book if f.id not in lacking],
        sample_design=_design(published.about(period, "sample_design")),
        glossary=of_the_report(),
        is_sampled="two_phase" in str(published.about(period, "sample_design")),
        made=_made(manifest),
        files_table=[
            _row(name, *(str(said.get(key, "")) for key in ("rows", "bytes", "sha256")))
            for name, said in sorted((manifest.get("files") or {}).items())
        ],
    )


def _row(key: str, *cells: str) -> TableRow:
    return TableRow((key,), cells)


def _plain(setting: Any) -> Any:
    return setting.get("value") if isinstance(setting, Mapping) else setting


def _made(manifest: Mapping[str, Any]) -> str:
    said = (("Release ", "release_id"), ("made ", "created_at"), ("with Confide ", "code_version"))
    told = {**manifest, "created_at": words.moment(str(manifest.get("created_at") or ""))}
    parts = [f"{before}{told[key]}" for before, key in said if told.get(key)]
    return ", ".join(parts) + "." if parts else ""


def _design(said: Any) -> str:
    if isinstance(said, Mapping):
        return "; ".join(f"{str(k).replace('_', ' ')}: {v}" for k, v in said.items())
    return str(said or "census")
