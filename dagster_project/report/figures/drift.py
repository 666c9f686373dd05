"""Figure 6: what conversations are about at their start and at their end."""

from dagster_project.report import charts, words
from dagster_project.report.charts import Estimate
from dagster_project.report.figures.context import Context
from dagster_project.report.figures.parts import WILSON, Basis, Cells, Figure, counts, table
from dagster_project.report.selection import Row

MOST = 10


def drift(ctx: Context) -> Figure | None:
    rows = ctx.rows("drift")
    if not rows:
        return None
    shown = [r for r in rows if not r["suppressed"]]
    same = [r for r in shown if r["start_type"] == r["end_type"]]
    moved = sorted((r for r in shown if r["start_type"] != r["end_type"]), key=lambda r: -r["share"])[:MOST]
    drawn = [
        ctx.chart(name, heading, charts.shares, [_estimate(ctx, r) for r in own], Cells("drift", own))
        for name, heading, own in (
            ("drift-same", "The same at the start and at the end", same),
            (
                "drift-moved",
                f"Another at the end, the {MOST} most frequent of those published",
                moved,
            ),
        )
        if own
    ]
    whole: Row = next(iter(shown), {})
    return Figure(
        number=6,
        slug="drift",
        title="What conversations start with, and what they end with",
        lead=(
            "What a person mainly seeks in the first third of their messages and in the last third, of analysed "
            "conversations in which both could be told."
        ),
        charts=tuple(drawn),
        panels=(),
        basis=Basis(
            f"{words.about(whole.get('of_conversations'))} conversations of {words.about(whole.get('of_users'))} users",
            WILSON,
            ("type_at_start", "type_at_end"),
            ("drift",),
        ),
        caption=(f"Dot: share of all these. Line: {words.INTERVAL}.",),
        tables=(
            table(
                "Start and end",
                ("Start", "End"),
                ("Conversations", "Users", "Share", words.INTERVAL),
                [((ctx.label(r["start_type"]), ctx.label(r["end_type"])), r, _cells(r)) for r in rows],
                folded=True,
            ),
        ),
    )


def _estimate(ctx: Context, row: Row) -> Estimate:
    start, end = row["start_type"], row["end_type"]
    name = ctx.label(start) if start == end else f"{ctx.short(start)} → {ctx.short(end)}"
    return Estimate(name, row["share"], row["share_low"], row["share_high"])


def _cells(row: Row) -> tuple[str, ...]:
    return (*counts(row), *words.share_of(row, "share", "share_low", "share_high"))
