"""Figure 2: the topics of each kind of conversation."""

import re
from collections.abc import Mapping, Sequence

from dagster_project.domain.study import TALK_TYPES
from dagster_project.report import charts, words
from dagster_project.report.charts import Topic
from dagster_project.report.figures.context import Context, file_name
from dagster_project.report.figures.parts import Basis, Branch, Cells, Chart, Figure, Tree, counts, table
from dagster_project.report.selection import Row
from dagster_project.report.topic_map import Spot, topic_map

TOPICS_SHOWN = 8
SELF_HARM = re.compile(r"\b(suicid\w*|self.?harm\w*|overdos\w*|die|died|dying|kill\w*)\b")


def topics(ctx: Context) -> Figure | None:
    rows = [r for r in ctx.rows("topics") if not r["suppressed"] and r["share"] is not None]
    if "topics" not in ctx.published.tables:
        return None
    roots = [r for r in rows if r["parent_topic_id"] is None]
    named = [r for r in roots if r["topic_name"] != words.OTHER]
    by_type = {t: _largest([r for r in named if r["affective_type"] == t]) for t in TALK_TYPES}
    earlier = _earlier(ctx)
    top = max((r["share"] for found in by_type.values() for r in found), default=1.0)
    panels = tuple(
        Chart(
            ctx.label(kind),
            (
                ctx.dressed(
                    charts.topics([Topic(r["topic_name"], r["share"]) for r in found], top),
                    f"topics-{kind}",
                    f"Largest topics in {ctx.label(kind)}",
                    "; ".join(f"{r['topic_name']}: {words.share(r['share'])}" for r in found),
                    "both",
                ),
            )
            if found
            else (),
            _topics_note(ctx, kind, bool(found)),
            file_name(f"topics-{kind}"),
            Cells("topics", found),
        )
        for kind, found in by_type.items()
    )
    trees = tuple(
        _tree(ctx, kind, own, earlier)
        for kind in TALK_TYPES
        if (own := [r for r in rows if r["affective_type"] == kind])
    )
    return Figure(
        number=2,
        slug="topics",
        title=_topics_title(ctx, by_type),
        lead=(
            "Conversations of one kind that are about similar things form a topic. Its name is made only of "
            "words that many different people used."
        ),
        charts=(),
        panels=panels,
        basis=Basis("analysed conversations of each kind", "none is given for topics", ("topic",), ("topics",)),
        caption=(
            f"Up to {TOPICS_SHOWN} topics a kind, largest first; the bars of all kinds have one scale.",
            "A topic is published only when enough people share it, so the shares of a kind need not add up.",
            "Other is what is far from every topic. On a map, topics of one parent stand in one ring; area is the "
            "share, and places say nothing more.",
            "Changes are against the period before; a topic keeps its identity from period to period of one kind."
            if earlier
            else "",
        ),
        tables=tuple(
            table(
                f"Topics in {ctx.label(kind)}",
                ("Topic",),
                ("Conversations", "Users", "Share", *(("Change",) if earlier else ())),
                [
                    (
                        (name,),
                        r,
                        (*counts(r), words.share(r["share"]), *((_change(r, earlier) or "–",) if earlier else ())),
                    )
                    for name, r in _nested(found)
                ],
            )
            for kind in TALK_TYPES
            if (found := [r for r in rows if r["affective_type"] == kind])
        ),
        trees=trees,
        help_line=any(_names_self_harm(r["topic_name"]) for r in rows),
    )


def _topics_title(ctx: Context, by_type: Mapping[str, Sequence[Row]]) -> str:
    first = [(ctx.label(kind), found[0]["share"]) for kind, found in by_type.items() if found]
    if not first:
        return "What people bring to each kind of conversation"
    kind, part = max(first, key=lambda item: item[1])
    return f"In {_lower(kind)}, the largest topic holds {words.share(part)} of conversations"


def _topics_note(ctx: Context, kind: str, any_topic: bool) -> str:
    if not any_topic:
        return "No topic is published for this kind."
    size = next((r["n_conversations"] for r in ctx.rows("prevalence") if r["category"] == kind), None)
    return f"Of {words.about(size)} conversations, less those with roleplay" if size else ""


def _largest(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda r: (-r["share"], r["topic_name"]))[:TOPICS_SHOWN]


def _earlier(ctx: Context) -> dict[tuple[str, str], float]:
    """Share by type and topic in the period of the same kind next before, as far as it was published."""
    before = [p for p in ctx.published.periods() if p.kind == ctx.period.kind and p.end <= ctx.period.start]
    if not before:
        return {}
    rows = ctx.published.rows("topics", max(before, key=lambda p: (p.end, p.start)))
    return {(r["affective_type"], r["topic_id"]): r["share"] for r in rows if r["share"] is not None}


def _change(row: Row, earlier: Mapping[tuple[str, str], float]) -> str:
    then = earlier.get((row["affective_type"], row["topic_id"]))
    return "" if then is None else words.points(row["share"] - then)


def _tree(ctx: Context, kind: str, rows: Sequence[Row], earlier: Mapping[tuple[str, str], float]) -> Tree:
    ids = {r["topic_id"] for r in rows}
    # What fits nowhere comes last, whatever its size.
    ordered = sorted(rows, key=lambda r: (r["topic_name"] == words.OTHER, -r["share"], r["topic_name"]))
    roots = [r for r in ordered if r["parent_topic_id"] not in ids]

    def below(row: Row) -> list[Row]:
        return [r for r in ordered if r["parent_topic_id"] == row["topic_id"]]

    def branch(row: Row) -> Branch:
        told = [
            words.share(row["share"]),
            f"{words.about(row['n_conversations'])} conversations",
            _change(row, earlier),
        ]
        return Branch(row["topic_name"], " · ".join(t for t in told if t), tuple(map(branch, below(row))))

    def spot(row: Row) -> Spot:
        return Spot(row["topic_name"], row["share"], tuple(map(spot, below(row))))

    branches = tuple(map(branch, roots))
    drawing = ctx.dressed(
        topic_map([spot(r) for r in roots]),
        f"topic-map-{kind}",
        f"Map of topics in {ctx.label(kind)}",
        "; ".join(f"{r['topic_name']}: {words.share(r['share'])}" for r in ordered),
        "both",
    )
    name = file_name(f"topic-map-{kind}")
    return Tree(ctx.label(kind), branches, Chart("As a map", (drawing,), name=name, cells=Cells("topics", ordered)))


def _nested(rows: Sequence[Row]) -> list[tuple[str, Row]]:
    """Topics by share, each followed by its own sub-topics, set off by a dash."""
    ids = {r["topic_id"] for r in rows}
    ordered = sorted(rows, key=lambda r: (-r["share"], r["topic_name"]))
    found: list[tuple[str, Row]] = []

    def walk(parent: str | None, depth: int) -> None:
        for r in ordered:
            above = r["parent_topic_id"] if r["parent_topic_id"] in ids else None
            if above == parent and r["topic_id"] != parent:
                found.append((f"{'– ' * depth}{r['topic_name']}", r))
                walk(r["topic_id"], depth + 1)

    walk(None, 0)
    return found


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _names_self_harm(name: str) -> bool:
    return SELF_HARM.search(name.lower()) is not None
