"""Figure 5: how often people come back within a period, and how many conversations are very long."""

from dagster_project.domain.study import TALK_TYPES
from dagster_project.report import charts, words
from dagster_project.report.charts import Estimate
from dagster_project.report.figures.context import Context
from dagster_project.report.figures.parts import WILSON, Basis, Cells, Figure, counts, table
from dagster_project.report.selection import Row


def use(ctx: Context) -> Figure | None:
    bands, lengths = ctx.rows("usage_bands"), ctx.rows("long_conversations")
    if not bands and not lengths:
        return None
    by = {row["affective_type"]: row for row in lengths}
    types = [t for t in ("any", *TALK_TYPES) if t in by]
    long = [ctx.share(by[t], "share", label=ctx.type(t), strong=t == "any") for t in types]
    users = [Estimate(ctx.label(r["band"]), r["share_of_users"], r["share_low"], r["share_high"]) for r in bands]
    whole = by.get("any", {})
    of_users = next((r["of_users"] for r in bands if r["of_users"] is not None), None)
    return Figure(
        number=5,
        slug="use",
        title="How often people come, and how long they stay",
        lead=(
            "Affective conversations of a user among those that were counted in the period, and the share of analysed "
            "conversations with 50 or more messages by the person."
        ),
        charts=(
            *(
                ctx.chart(name, heading, charts.shares, estimates, Cells(of, drawn))
                for name, heading, estimates, of, drawn in (
                    ("use", "Share of users by counted affective conversations", users, "usage_bands", bands),
                    (
                        "use-long",
                        "Share of conversations that are very long",
                        long,
                        "long_conversations",
                        [by[t] for t in types],
                    ),
                )
                if drawn
            ),
        ),
        panels=(),
        basis=Basis(
            f"{words.about(of_users)} users with an affective conversation; "
            f"{words.about(whole.get('of_conversations'))} analysed conversations of "
            f"{words.about(whole.get('of_users'))} users",
            WILSON,
            ("content_creation", "affective_type"),
            ("usage_bands", "long_conversations"),
        ),
        caption=(
            "Of each user a limited number of conversations counts: who writes more may stand in a lower band.",
            f"Dot: share. Line: {words.INTERVAL}.",
        ),
        tables=(
            table(
                "Users by counted affective conversations",
                ("Conversations",),
                ("Users", "Of users", "Share", words.INTERVAL),
                [((ctx.label(r["band"]),), r, _band_cells(r)) for r in bands],
            ),
            table(
                "Very long conversations",
                ("Type",),
                ("Conversations", "Users", "Of conversations", "Share", words.INTERVAL),
                [((ctx.type(r["affective_type"]),), r, _long_cells(r)) for r in lengths],
            ),
        ),
    )


def _band_cells(row: Row) -> tuple[str, ...]:
    share = words.share_of(row, "share_of_users", "share_low", "share_high")
    return words.count(row["n_users"]), words.count(row["of_users"]), *share


def _long_cells(row: Row) -> tuple[str, ...]:
    share = words.share_of(row, "share", "share_low", "share_high")
    return *counts(row), words.count(row["of_conversations"]), *share
