"""How a figure was measured, as it stands beside it: questions, labeller, agreement, interval, thresholds.

Everything in it is the codebook's, the policy's and the manifest's, or counted from published rows. Not here: the same
for the whole release (`about.py`), what a figure says (`figures/`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagster_project.report import words
from dagster_project.report.about import group_rows
from dagster_project.report.figures.context import Context
from dagster_project.report.figures.parts import BOOTSTRAP, WILSON, Basis, Fact, TableRow
from dagster_project.report.selection import FIXED_TABLES, of_facet

PROMPT_DIGITS = 12
NAMES = {
    "prevalence": "shares",
    "funnel": "steps",
    "usage_bands": "bands of users",
    "long_conversations": "shares of very long conversations",
}
"""What people call the cells of tables that share a figure."""
ESTIMATORS = {
    WILSON: (
        "Wilson’s interval on the effective number of conversations, as several of one person tell less than as many "
        "of different people."
    ),
    BOOTSTRAP: (
        "Percentile bootstrap: the people of the period are drawn anew 1,000 times, each with all their conversations."
    ),
}
SAMPLE_ONLY = "It shows the chance of the sample and none of the labeller’s errors. Its ends are rounded outward."


@dataclass(frozen=True)
class Asked:
    """One question behind a figure: what was asked, by which definitions, and who answered.

    groups: agreement with people within groups of conversations; none where people labelled none.
    """

    facet: str
    title: str
    question: str
    categories: tuple[tuple[str, str], ...]
    labelled: str
    agreement: str
    groups: tuple[TableRow, ...]


@dataclass(frozen=True)
class Measured:
    """All of it for one figure; remarks are what holds of the figure as a whole."""

    asked: tuple[Asked, ...]
    remarks: tuple[Fact, ...]


def facts(ctx: Context, basis: Basis) -> tuple[Fact, ...]:
    """What stands beside a figure at all times."""
    every = (
        Fact("Denominator", basis.denominator),
        Fact("Labelled by", words.listed(_labellers(ctx, basis))),
        Fact("Interval", basis.interval),
        Fact("Withheld", "; ".join(told for table in basis.tables if (told := _withheld(ctx, table)))),
    )
    return tuple(fact for fact in every if fact.text)


def measured(ctx: Context, basis: Basis) -> Measured:
    """What unfolds beside a figure."""
    asked = []
    said = {key: ctx.published.about(ctx.period, key, {}) for key in ("labellers", "facet_versions", "prompt_hashes")}
    for facet in ctx.codebook:
        if facet.id not in basis.facets:
            continue
        labeller, version, prompt = (of_facet(said[key], facet.id) for key in said)
        told = [f"labelled by {labeller}"] if labeller else []
        told.append(f"version {version or facet.version} of the question")
        told += [f"prompt {str(prompt)[:PROMPT_DIGITS]}"] if prompt else []
        asked.append(
            Asked(
                facet=facet.id,
                title=facet.title,
                question=facet.question,
                categories=tuple((c.label, c.definition) for c in facet.categories),
                labelled=words.listed(told),
                agreement=ctx.agreement(facet.id),
                groups=tuple(group_rows(ctx.published, ctx.period, ctx.labels, facet.id)),
            )
        )
    remarks = [
        Fact("Interval", f"{ESTIMATORS[basis.interval]} {SAMPLE_ONLY}") if basis.interval in ESTIMATORS else None,
        Fact("Shown from", _thresholds(ctx, basis)),
    ]
    return Measured(tuple(asked), tuple(r for r in remarks if r is not None and r.text))


def _labellers(ctx: Context, basis: Basis) -> list[str]:
    """Who answered the questions of a figure, each once."""
    said = ctx.published.about(ctx.period, "labellers")
    return list(dict.fromkeys(str(of_facet(said, f)) for f in basis.facets if of_facet(said, f)))


def _withheld(ctx: Context, table: str) -> str:
    """How many cells of a fixed grid are withheld in this period. Never for topics: their number would tell."""
    rows = ctx.rows(table) if table in FIXED_TABLES else []
    n = sum(1 for r in rows if r["suppressed"])
    return f"{words.count(n) if n else 'none'} of {words.count(len(rows))} {NAMES.get(table, 'cells')}" if rows else ""


def _thresholds(ctx: Context, basis: Basis) -> str:
    policy = ctx.published.about(ctx.period, "policy", {})
    topic = "" if set(basis.tables) & set(FIXED_TABLES) else "topic_"
    users, talks, base = (
        _plain(policy, name) for name in (f"min_{topic}users", f"min_{topic}conversations", f"{topic}rounding_base")
    )
    if not users or not talks:
        return ""
    told = f"{users} users and {talks} conversations. "
    told += f"Counts are rounded to multiples of {base}. " if base else ""
    if topic:
        return f"{told}Smaller topics have no row, and their number is not told: it could point at a small group."
    return f"{told}Further cells are withheld where they would give a withheld one away."


def _plain(policy: Any, name: str) -> Any:
    said = policy.get(name) if isinstance(policy, Mapping) else None
    return said.get("value") if isinstance(said, Mapping) else said
