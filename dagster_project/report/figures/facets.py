"""Figure 7: facets without a figure of their own: what pushback is like, referral, and what a home asks besides."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dagster_project.domain.study import TALK_TYPES
from dagster_project.report import charts, words
from dagster_project.report.charts import Estimate
from dagster_project.report.figures.context import Context
from dagster_project.report.figures.parts import WILSON, Basis, Cells, Chart, Figure, counts, table
from dagster_project.report.selection import Row

BY_TYPE = ("pushback_reason",)
"""Facets that a second chart sets beside one another by type: the reasons stand for the kinds of Figure 3, which has
them by type too."""
ADD_UP = {"one": "each conversation has one value", "one_or_more": "a conversation may have several values"}


def facets(ctx: Context) -> Figure | None:
    rows = ctx.rows("facets")
    if not rows:
        return None
    names = list(dict.fromkeys(row["facet"] for row in rows))
    drawn: list[Chart] = []
    for name in names:
        own = [row for row in rows if row["facet"] == name]
        drawn += [chart for chart in (_chart(ctx, name, own), _by_type(ctx, name, own)) if chart]
    return Figure(
        number=7,
        slug="facets",
        title="More of what was asked",
        lead="Further questions of the codebook, each of the conversations that it applies to and could be told of.",
        charts=tuple(drawn),
        panels=(),
        basis=Basis("told above each chart", WILSON, tuple(names), ("facets",)),
        caption=(
            f"Dot: share. Line: {words.INTERVAL}.",
            "These describe words of one conversation. They say nothing of a person’s health, and nothing of causes.",
        ),
        tables=(
            table(
                "All facets by type",
                ("Question", "Value", "Type"),
                ("Conversations", "Users", "Of conversations", "Share", words.INTERVAL),
                [((ctx.facet(r["facet"]), ctx.value(r), _type(ctx, r)), r, _cells(r)) for r in rows],
                folded=True,
            ),
        ),
        help_line=True,
    )


def _chart(ctx: Context, facet: str, rows: Sequence[Row]) -> Chart | None:
    """Of the widest denominator: all conversations where the facet is asked of all, else the analysed ones."""
    whole = "all" if any(row["affective_type"] == "all" for row in rows) else "any"
    own = [row for row in rows if row["affective_type"] == whole]
    known = [row for row in own if not row["suppressed"]]
    if not known:
        return None
    estimates = [Estimate(ctx.value(r), r["share"], r["share_low"], r["share_high"]) for r in own]
    of = f"of {words.about(known[0]['of_conversations'])} conversations of {words.about(known[0]['of_users'])} users"
    told = ADD_UP.get(known[0]["values_told"], "any number of values may hold")
    heading = f"{ctx.facet(facet)}: {of}; {told}"
    return ctx.chart(f"facet-{facet}", heading, charts.shares, estimates, Cells("facets", own))


def _by_type(ctx: Context, facet: str, rows: Sequence[Row]) -> Chart | None:
    """A grid of values by type; None where only all types together are told, or the facet has no such chart."""
    by = {(row["value"], row["affective_type"]): row for row in rows}
    types = [t for t in ("any", *TALK_TYPES) if any(not by[k]["suppressed"] for k in by if k[1] == t)]
    if facet not in BY_TYPE or len(types) < 2:
        return None
    values = list(dict.fromkeys(value for value, _ in by))
    grid = [(ctx.value(by[v, "any"]), [_share(by, v, t) for t in types]) for v in values if (v, "any") in by]
    chart = ctx.grid(
        f"facet-{facet}-by-type",
        f"{ctx.facet(facet)}: by type",
        ["All types" if t == "any" else ctx.short(t) for t in types],
        grid,
        Cells("facets", [by[v, t] for v in values for t in types if (v, t) in by]),
    )
    of = {t: next(r for (_, kind), r in by.items() if kind == t and not r["suppressed"]) for t in types}
    told = [
        f"{ctx.type(t).lower()} {words.about(row['of_conversations'])} of {words.about(row['of_users'])} users"
        for t, row in of.items()
    ]
    note = f"Of the conversations that the question applies to: {words.listed(told)}."
    return replace(chart, note=note)


def _share(by: Mapping[tuple[str, str], Row], value: str, affective_type: str) -> float | None:
    share: float | None = by.get((value, affective_type), {}).get("share")
    return share


def _type(ctx: Context, row: Row) -> str:
    return "All conversations" if row["affective_type"] == "all" else ctx.type(row["affective_type"])


def _cells(row: Row) -> tuple[str, ...]:
    share = words.share_of(row, "share", "share_low", "share_high")
    return *counts(row), words.count(row["of_conversations"]), *share
