"""The page: published tables and a manifest in, one HTML string out.

Lives here: what stands on the page and in which order. Not here: the figures (`figures.py`), markup
(`templates/`), where a page is written (`storage/publication.py`).
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project.codebook.loader import Codebook, shipped_codebook
from dagster_project.report import words
from dagster_project.report.about import agreement_rows, key_figures, measured_by, policy_rows, withheld_rows
from dagster_project.report.figures.context import Context
from dagster_project.report.figures.drift import drift
from dagster_project.report.figures.facets import facets
from dagster_project.report.figures.parts import TableRow
from dagster_project.report.figures.prevalence import prevalence
from dagster_project.report.figures.pushback import pushback
from dagster_project.report.figures.sentiment import sentiment
from dagster_project.report.figures.topics import topics
from dagster_project.report.figures.use import use
from dagster_project.report.selection import Published

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
    import jinja2

    published = Published(tables, manifest)
    period = published.in_full()
    if period is None:
        raise ValueError("there is no published period to report on")
    book = codebook or shipped_codebook()
    context = Context(published, period, words.labels_of(book), book)
    figures = [figure for build in FIGURES if (figure := build(context)) is not None]
    style = (HERE / "style.css").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = published.about(period, "policy", {})
    rules = policy_rows(policy)
    reasoned = any(reason for _, _, reason in rules)
    measured = measured_by(published, period, book)
    lacking = list(published.about(period, "not_measured", []))
    titles = {f.id: f.title for f in book}
    private = {f.id for f in book if f.publish == "no"}
    return environment.get_template("page.html.j2").render(
        style=style,
        style_digest=digest,
        notice=notice,
        notice_label="Synthetic" if "synthetic" in (notice or "").lower() else "Notice",
        help_line=help_line or HELP_LINE,
        period=period,
        period_text=words.span(period.start, period.end),
        n_periods=len(published.periods()),
        revision=int(published.about(period, "revision", 0)),
        key_figures=key_figures(published, period),
        figures=figures,
        measured_rows=[_row(m.facet, m.labeller, m.version, m.prompt_hash) for m in measured],
        agreement_table=agreement_rows(published, period, words.labels_of(book)),
        is_corrected=any(row.get("corrected_share") is not None for row in published.rows("prevalence", period)),
        uses_local=any(m.labeller.startswith("local") for m in measured),
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
    parts = [f"{before}{manifest[key]}" for before, key in said if manifest.get(key)]
    return ", ".join(parts) + "." if parts else ""


def _design(said: Any) -> str:
    if isinstance(said, Mapping):
        return "; ".join(f"{str(k).replace('_', ' ')}: {v}" for k, v in said.items())
    return str(said or "census")
