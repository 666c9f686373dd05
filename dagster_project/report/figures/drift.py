"""Figure 6: what conversations are about at their start and at their end."""

from dagster_project.domain.tables import ENDS
from dagster_project.report import words
from dagster_project.report.figures.context import Context
from dagster_project.report.figures.parts import Figure, counts, table
from dagster_project.report.selection import Row


def drift(ctx: Context) -> Figure | None:
    rows = ctx.rows("drift")
    if not rows:
        return None
    shown = {(r["start_type"], r["end_type"]): r for r in rows if not r["suppressed"]}
    starts = [t for t in ENDS if any(start == t for start, _ in shown)]
    ends = [t for t in ENDS if any(end == t for _, end in shown)]
    cells = [
        (ctx.label(start), [shown.get((start, end), {}).get("share") for end in ends])
        for start in starts
    ]  # fmt: skip
    whole: Row = next(iter(shown.values()), {})
    return Figure(
        number=6,
        slug="drift",
        title="What conversations start with, and what they end with",
        lead=(
            "What a person mainly seeks in the first third of their messages (rows) and in the last third (columns), "
            "of analysed conversations in which both could be told."
        ),
        charts=(
            (ctx.grid("drift", "Share of conversations, by start and end", [ctx.short(e) for e in ends], cells),)
            if cells
            else ()
        ),
        panels=(),
        caption=(
            f"Denominator: {words.about(whole.get('of_conversations'))} conversations of "
            f"{words.about(whole.get('of_users'))} users.",
            "Rows and columns of which every cell is withheld are left out of the picture.",
            ctx.labelled("type_at_start", "type_at_end"),
            ctx.withheld("drift"),
        ),
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


def _cells(row: Row) -> tuple[str, ...]:
    return (*counts(row), words.share(row["share"]), words.share_interval(row["share_low"], row["share_high"]))
