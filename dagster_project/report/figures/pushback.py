"""Figure 3: how often the assistant pushes back, of which kind, and where in the conversation."""

from collections.abc import Mapping, Sequence

from dagster_project.domain.study import TALK_TYPES
from dagster_project.report import charts, words
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

KINDS = ("safety", "refusal", "boundary", "challenge", "correction", "other")
THIRDS = ("early", "middle", "late")


def pushback(ctx: Context) -> Figure | None:
    rows = ctx.rows("pushback")
    if not rows:
        return None
    by = {(r["affective_type"], r["kind"], r["position"]): r for r in rows}
    types = [t for t in ("any", *TALK_TYPES) if (t, "any", "any") in by]
    whole = by.get(("any", "any", "any"), {})
    rates = [ctx.share(by[t, "any", "any"], "rate", label=ctx.type(t), strong=t == "any") for t in types]
    kinds = [(ctx.type(t), [_rate(by, t, kind, "any") for kind in KINDS]) for t in types]
    thirds = [(ctx.type(t), [_rate(by, t, "any", third) for third in THIRDS]) for t in types]
    told_why = any(row["facet"] == "pushback_reason" for row in ctx.rows("facets"))
    reasons = ["Its reasons, by type, are in Figure 7."] if told_why else []
    title = "How often the assistant pushes back"
    if whole.get("rate") is not None:
        rate, _ = words.share_of(whole, "rate", "rate_low", "rate_high")
        title = f"The assistant pushes back in {rate} of the analysed conversations"
    main = [r for r in rows if r["position"] == "any"]
    more = CORRECTED if is_corrected(main, "corrected_rate") else ()
    placed = [r for r in rows if r["kind"] == "any" and r["position"] != "any"]
    rest = [r for r in rows if r["kind"] != "any" and r["position"] != "any"]
    keys = ("Type", "Kind", "Where first")
    measures = ("With it", "Users with it", "Of conversations", "Of users", "Rate", words.INTERVAL)
    return Figure(
        number=3,
        slug="pushback",
        title=title,
        lead=(
            "Pushback is where the assistant pushes back against, or refuses to comply with, something the "
            "person requests or says. It may be right or wrong to do so: this figure counts, it does not judge."
        ),
        charts=(
            ctx.chart(
                "pushback",
                "Conversations with any pushback",
                charts.shares,
                rates,
                _cells(by, types, ["any"], ["any"]),
            ),
            ctx.grid(
                "pushback-kinds",
                "By kind of pushback",
                [ctx.short(k) for k in KINDS],
                kinds,
                _cells(by, types, KINDS, ["any"]),
            ),
            ctx.grid(
                "pushback-thirds",
                "Where it first occurs",
                [ctx.label(t) for t in THIRDS],
                thirds,
                _cells(by, types, ["any"], THIRDS),
            ),
        ),
        panels=(),
        basis=Basis(
            f"{words.about(whole.get('of_conversations'))} analysed conversations of "
            f"{words.about(whole.get('of_users'))} users; for a type, those of that type",
            WILSON,
            ("pushback",),
            ("pushback",),
        ),
        caption=(
            f"Dot: rate. Line: {words.INTERVAL}. A conversation may show several kinds; thirds are of "
            "the assistant’s turns.",
            ctx.agreement("pushback"),
            *_correction(ctx, whole, main),
            *reasons,
        ),
        tables=(
            table("Pushback by type and kind", keys[:2], (*measures, *more), _pushback_rows(ctx, main, 2, bool(more))),
            table("Where pushback first occurs", (keys[0], keys[2]), measures, _pushback_rows(ctx, placed, 0)),
            table("Each kind by position", keys, measures, _pushback_rows(ctx, rest, 3), folded=True),
        ),
        trend=ctx.trend(
            "pushback",
            "Conversations with any pushback",
            ("any", *TALK_TYPES),
            lambda row, t: (row["affective_type"], row["kind"], row["position"]) == (t, "any", "any"),
            "rate",
            ("affective_type", "pushback"),
        ),
        help_line=True,
    )


def _correction(ctx: Context, whole: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    """The corrected rate of any pushback beside the raw one, or that there is none."""
    if not any(row["facet"] == "pushback" for row in ctx.rows("agreement")):
        return ()
    if not is_corrected(rows, "corrected_rate"):
        return (not_corrected("a rate", "rates"),)
    told = "The table has corrected rates beside the raw ones, of the types as the labeller finds them."
    if whole.get("corrected_rate") is None:
        return (told,)
    corrected, interval = words.share_of(whole, "corrected_rate", "corrected_low", "corrected_high")
    raw, _ = words.share_of(whole, "rate", "rate_low", "rate_high")
    return (f"Corrected for the labeller's error, {raw} with any pushback are {corrected} ({interval}). {told}",)


def _pushback_rows(
    ctx: Context, rows: Sequence[Row], keys: int, corrected: bool = False
) -> list[tuple[tuple[str, ...], Row, tuple[str, ...]]]:
    """keys: 2 = type and kind, 3 = type, kind and position, 0 = type and position."""
    found: list[tuple[tuple[str, ...], Row, tuple[str, ...]]] = []
    for r in rows:
        kind = "Any kind" if r["kind"] == "any" else ctx.label(r["kind"])
        names = (ctx.type(r["affective_type"]), kind, ctx.label(r["position"]))
        shown = (names[0], names[2]) if keys == 0 else names[:keys]
        measures = (
            *counts(r),
            words.count(r["of_conversations"]),
            words.count(r["of_users"]),
            *words.share_of(r, "rate", "rate_low", "rate_high"),
            *(words.share_of(r, "corrected_rate", "corrected_low", "corrected_high") if corrected else ()),
        )
        found.append((shown, r, measures))
    return found


def _cells(
    by: Mapping[tuple[str, str, str], Row], types: Sequence[str], kinds: Sequence[str], positions: Sequence[str]
) -> Cells:
    keys = [(t, kind, position) for t in types for kind in kinds for position in positions]
    return Cells("pushback", [by[key] for key in keys if key in by])


def _rate(by: Mapping[tuple[str, str, str], Row], affective_type: str, kind: str, position: str) -> float | None:
    row = by.get((affective_type, kind, position))
    rate: float | None = row["rate"] if row else None
    return rate
