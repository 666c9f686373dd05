"""Figure 1: how common each kind of conversation is, and the funnel to those analysed."""

from collections.abc import Sequence

from dagster_project.domain.study import AFFECTIVE_TYPES
from dagster_project.report import charts, words
from dagster_project.report.charts import Step
from dagster_project.report.figures.context import Context
from dagster_project.report.figures.parts import (
    CORRECTED,
    WILSON,
    Basis,
    Cells,
    Figure,
    counts,
    is_corrected,
    not_corrected,
    table,
)
from dagster_project.report.selection import Row


def prevalence(ctx: Context) -> Figure | None:
    rows = ctx.rows("prevalence")
    if not rows:
        return None
    by = {row["category"]: row for row in rows}
    whole, any_type = by.get("all", {}), by.get("affective", {})
    order = ("affective", *AFFECTIVE_TYPES, "companionship_or_roleplay")
    shown = [by[c] for c in order if c in by]
    estimates = [ctx.share(row, "share", strong=row["category"] == "affective") for row in shown]
    funnel = ctx.rows("funnel")
    first = funnel[0]["n_conversations"] if funnel else None
    steps = [Step(ctx.label(r["step"]), r["n_conversations"], _part(r["n_conversations"], first)) for r in funnel]
    title = "How common affective conversations are"
    if any_type.get("share") is not None:
        title = f"Affective conversations are {_told(any_type, 'share')[0]} of all that were counted"
    cells = Cells("prevalence", shown)
    drawn = [ctx.chart("prevalence", "Share of all counted conversations", charts.shares, estimates, cells)]
    if steps:
        heading = "From all conversations to those analysed"
        drawn.append(ctx.chart("prevalence-funnel", heading, charts.totals, steps, Cells("funnel", funnel)))
    return Figure(
        number=1,
        slug="prevalence",
        title=title,
        lead=(
            "Affective conversations are those in which a person seeks advice about others, coaching, "
            "counselling, company or roleplay for themselves. A conversation may be of several kinds."
        ),
        charts=tuple(drawn),
        panels=(),
        basis=Basis(
            f"{words.about(whole.get('n_conversations'))} counted conversations of "
            f"{words.about(whole.get('n_users'))} users",
            WILSON,
            ("content_creation", "affective_type"),
            ("prevalence", "funnel"),
        ),
        caption=(
            f"Dot: share. Line: {words.INTERVAL}.",
            ctx.agreement("affective_type"),
            _correction(ctx, any_type, rows),
        ),
        tables=(
            table(
                "Prevalence by type",
                ("Category",),
                (
                    "Conversations",
                    "Users",
                    "Share",
                    words.INTERVAL,
                    *(CORRECTED if is_corrected(rows, "corrected_share") else ()),
                ),
                [
                    ((ctx.label(r["category"]),), r, _prevalence_cells(r, is_corrected(rows, "corrected_share")))
                    for r in rows
                ],
            ),
            table(
                "From all conversations to those analysed",
                ("Step",),
                ("Conversations", "Users"),
                [((ctx.label(r["step"]),), r, counts(r)) for r in funnel],
            ),
        ),
        trend=ctx.trend(
            "prevalence",
            "Share of conversations",
            ("affective", *AFFECTIVE_TYPES),
            lambda row, c: row["category"] == c,
            "share",
            ("content_creation", "affective_type"),
        ),
    )


def _correction(ctx: Context, any_type: Row, rows: Sequence[Row]) -> str:
    """The corrected share of affective conversations beside the raw one, or why there is none."""
    if not ctx.rows("agreement"):
        return ""
    if not is_corrected(rows, "corrected_share"):
        return not_corrected("a share", "shares")
    value = any_type.get("corrected_share")
    told = "The table has the corrected shares beside the raw ones; where one is missing, too few were labelled."
    if value is None:
        return told
    corrected, interval = _told(any_type, "corrected")
    raw, _ = _told(any_type, "share")
    return f"Corrected for the labeller's error, {raw} affective are {corrected} ({interval}). {told}"


def _told(row: Row, what: str) -> tuple[str, str]:
    """A share, raw (`share`) or corrected (`corrected`), and its interval."""
    return words.share_of(row, "share" if what == "share" else "corrected_share", f"{what}_low", f"{what}_high")


def _prevalence_cells(row: Row, corrected: bool) -> tuple[str, ...]:
    whole = row["category"] == "all"  # all of all: there is nothing to be unsure of
    share, interval = _told(row, "share")
    cells = (*counts(row), share, "–" if whole else interval)
    if not corrected:
        return cells
    return (*cells, *_told(row, "corrected"))


def _part(n: int | None, whole: int | None) -> float | None:
    """Length of a bar: published counts only, so nothing is told that is not told already."""
    return n / whole if n is not None and whole else None
