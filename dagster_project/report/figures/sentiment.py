"""Figure 4: how the tone of a person's words moves from the start of a conversation to its end."""

from collections.abc import Sequence

from dagster_project.domain.study import TALK_TYPES
from dagster_project.report import charts, words
from dagster_project.report.charts import Estimate, Shift
from dagster_project.report.figures.context import Context
from dagster_project.report.figures.parts import (
    BOOTSTRAP,
    CORRECTED,
    Basis,
    Cells,
    Figure,
    counts,
    is_corrected,
    not_corrected,
    table,
)
from dagster_project.report.selection import Row

LATER = "Change without the first message: second and third to the last three"
LATER_ENDS = f"Its {words.INTERVAL}"
READING = (
    "A first message often tells a problem, or is why a conversation counts at all, so some change follows by itself. "
    "The change without it leaves that out. Where it is near zero, no change is shown beyond an unlike first message; "
    "where it is not, tone moved later on, whatever the reason.",
    "How tone moves in other conversations is not measured here: a problem told over several messages would look the "
    "same.",
)


def sentiment(ctx: Context) -> Figure | None:
    rows = ctx.rows("sentiment")
    if not rows:
        return None
    by = {r["affective_type"]: r for r in rows}
    types = [t for t in ("any", *TALK_TYPES) if t in by]
    shifts = [Shift(ctx.type(t), by[t]["sentiment_start"], by[t]["sentiment_end"], t == "any") for t in types]
    changed = [
        Estimate(ctx.type(t), r["sentiment_change"], r["change_low"], r["change_high"], t == "any")
        for t in types
        for r in (by[t],)
    ]
    drawn = Cells("sentiment", [by[t] for t in types])
    known = [by[t] for t in types if by[t].get("later_change") is not None]
    later = [
        Estimate(ctx.type(t), r["later_change"], r["later_low"], r["later_high"], t == "any")
        for r in known
        for t in (r["affective_type"],)
    ]
    whole = by.get("any", {})
    corrected = is_corrected(rows, "corrected_change")
    return Figure(
        number=4,
        slug="sentiment",
        title=_tone_title(rows if not whole else [whole]),
        lead=(
            "The tone of a person’s words, from −1 (very negative) to +1 (very positive): the mean of their last "
            "three messages beside the mean of their first three, in conversations of six or more."
        ),
        charts=(
            ctx.chart("sentiment", "Mean tone at the start (ring) and at the end (dot)", charts.shifts, shifts, drawn),
            ctx.chart("sentiment-change", "Change from start to end", charts.changes, changed, drawn, signed=True),
            *(
                [ctx.chart("sentiment-later", LATER, charts.changes, later, Cells("sentiment", known), signed=True)]
                if later
                else []
            ),
        ),
        panels=(),
        basis=Basis(
            f"{words.about(whole.get('n_conversations'))} conversations of "
            f"{words.about(whole.get('n_users'))} users in which all six messages could be told"
            if whole
            else "conversations of each type in which all six messages could be told",
            BOOTSTRAP,
            ("sentiment",),
            ("sentiment",),
        ),
        caption=(
            f"Dot: change. Line: {words.INTERVAL}.",
            "Expressed tone is not a person’s state, and a change within a conversation is not an outcome.",
            *(READING if later else ()),
            *_correction(ctx, whole, corrected),
        ),
        tables=(
            table(
                "Tone at the start and at the end, by type",
                ("Type",),
                (
                    "Conversations",
                    "Users",
                    "Start",
                    "End",
                    "Change",
                    words.INTERVAL,
                    "First",
                    "Later change",
                    LATER_ENDS,
                    *(("Corrected start", "Corrected end", *CORRECTED) if corrected else ()),
                ),
                [((ctx.type(r["affective_type"]),), r, _tone_cells(r, corrected)) for r in rows],
            ),
        ),
        trend=ctx.trend(
            "sentiment",
            "Change in tone",
            tuple(types),
            lambda row, t: row["affective_type"] == t,
            "sentiment_change",
            ("affective_type", "sentiment"),
            around_zero=True,
        ),
    )


def _correction(ctx: Context, whole: Row, corrected: bool) -> tuple[str, ...]:
    """The corrected change beside the raw one, or that there is none."""
    if not ctx.rows("agreement"):
        return ()
    if not corrected:
        return (not_corrected("a mean", "means"),)
    told = (
        "The table has corrected means beside the raw ones; where one is missing, too few conversations of the type "
        "were labelled by people, message by message."
    )
    if whole.get("corrected_change") is None:
        return (told,)
    value, between = words.signed_of(whole, "corrected_change", "corrected_change_low", "corrected_change_high")
    raw, _ = words.signed_of(whole, "sentiment_change", "change_low", "change_high")
    return (f"Corrected for the labeller's error, a change of {raw} is {value} ({between}). {told}",)


def _tone_cells(row: Row, corrected: bool) -> tuple[str, ...]:
    start, end = row["sentiment_start"], row["sentiment_end"]
    tone = words.signed(start, end), words.signed(end, start)
    change = words.signed_of(row, "sentiment_change", "change_low", "change_high")
    later = words.signed_of(row, "later_change", "later_low", "later_high")
    raw = (*counts(row), *tone, *change, words.signed(row.get("tone_first")), *later)
    if not corrected:
        return raw
    ends = words.signed(row.get("corrected_start")), words.signed(row.get("corrected_end"))
    return (*raw, *ends, *words.signed_of(row, "corrected_change", "corrected_change_low", "corrected_change_high"))


def _tone_title(rows: Sequence[Row]) -> str:
    """What the interval of the change allows to say, and no more."""
    known = [r for r in rows if r["change_low"] is not None and r["change_high"] is not None]
    if not known:
        return "How expressed tone moves within a conversation"
    if len(known) == 1:
        row = known[0]
        change = words.signed_of(row, "sentiment_change", "change_low", "change_high")[0].lstrip(f"+{words.MINUS}")
        if row["change_low"] > 0:
            return f"Expressed tone ends higher than it starts, by {change} on a scale from −1 to +1"
        if row["change_high"] < 0:
            return f"Expressed tone ends lower than it starts, by {change} on a scale from −1 to +1"
        return "No clear change in expressed tone from start to end"
    up, down = sum(r["change_low"] > 0 for r in known), sum(r["change_high"] < 0 for r in known)
    return f"Expressed tone ends higher in {up}, lower in {down} and unclear in {len(known) - up - down} types"
