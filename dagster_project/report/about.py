"""What stands around the figures: key numbers, who labelled, the policy in force, what was withheld.

Not here: the figures (`figures.py`), markup (`templates/`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagster_project.codebook.loader import Codebook
from dagster_project.report import words
from dagster_project.report.figures.parts import TableRow
from dagster_project.report.selection import FIXED_TABLES, Published, Shown, of_facet

SETTINGS = {
    "profile": "Profile",
    "min_users": "Users a published cell has at least",
    "min_conversations": "Conversations a published cell has at least",
    "min_topic_users": "Users a published topic has at least",
    "min_topic_conversations": "Conversations a published topic has at least",
    "max_conversations_per_user": "Conversations of one user counted in a period at most",
    "rounding_base": "Counts are rounded to a multiple of",
    "topic_rounding_base": "Counts of topics are rounded to a multiple of",
    "max_top_user_share": "Part of a cell that one user may give at most",
    "max_top_two_share": "Part of a cell that two users may give at most",
    "small_organisation_users": "Users a period has at least for more than prevalence",
    "grid_steps": "Shares and means are told in steps of one of",
    "digest": "Digest of the policy",
}


AGREEMENT_NAMES = {"affective_type": "affective"}
"""A facet judged as a whole goes by the category of prevalence that it finds."""


@dataclass(frozen=True)
class KeyFigure:
    """One number of the line at the top. ends: of its interval, not to be broken over lines."""

    value: str
    label: str
    note: str = ""
    ends: str = ""


@dataclass(frozen=True)
class MeasuredBy:
    """Who answered one facet, and with which version of the question."""

    facet: str
    labeller: str
    version: str
    prompt_hash: str


def key_figures(published: Published, period: Shown) -> list[KeyFigure]:
    """Up to four numbers that are published; a withheld one is said to be withheld."""
    prevalence = {r["category"]: r for r in published.rows("prevalence", period)}
    found = []
    if whole := prevalence.get("all"):
        users = f"of {words.count(whole['n_users'])} users (rounded)"
        found.append(KeyFigure(words.count(whole["n_conversations"]), "conversations counted", users))
    if row := prevalence.get("affective"):
        share, ends = words.share_of(row, "share", "share_low", "share_high")
        found.append(KeyFigure(share, "seek advice, support, company or roleplay", *_interval(ends)))
    for row in published.rows("pushback", period):
        if (row["affective_type"], row["kind"], row["position"]) == ("any", "any", "any"):
            rate, ends = words.share_of(row, "rate", "rate_low", "rate_high")
            found.append(KeyFigure(rate, "of those analysed meet pushback", *_interval(ends)))
    for row in published.rows("sentiment", period):
        if row["affective_type"] == "any":
            change, ends = words.signed_of(row, "sentiment_change", "change_low", "change_high")
            found.append(KeyFigure(change, "change in expressed tone, start to end", *_interval(ends)))
    return found


def _interval(ends: str) -> tuple[str, str]:
    return ("", "") if ends == words.WITHHELD else (words.INTERVAL, ends)


def measured_by(published: Published, period: Shown, book: Codebook) -> list[MeasuredBy]:
    """One row a facet that the manifest names a labeller for."""
    labellers = published.about(period, "labellers", {})
    versions, prompts = published.about(period, "facet_versions", {}), published.about(period, "prompt_hashes", {})
    rows = []
    for facet in book:
        if labeller := of_facet(labellers, facet.id):
            version = str(of_facet(versions, facet.id) or facet.version)
            rows.append(MeasuredBy(facet.title, str(labeller), version, str(of_facet(prompts, facet.id) or "")[:12]))
    return rows


def agreement_rows(published: Published, period: Shown, labels: Mapping[str, str]) -> list[TableRow]:
    """Agreement with people of each facet that they labelled; cells is None where it is withheld."""
    rows = []
    for row in published.rows("agreement", period):
        facet, _, category = row["facet"].partition(".")
        name = words.label(labels, category or AGREEMENT_NAMES.get(facet, facet))
        numbers = (
            words.count(row["n_labelled"]),
            *(words.share(row[measure]) for measure in ("accuracy", "precision", "recall", "f1")),
            *words.signed_of(row, "kappa", "kappa_low", "kappa_high"),
        )
        shown = tuple("–" if cell == words.WITHHELD else cell for cell in numbers)
        rows.append(TableRow((name,), None if row["suppressed"] else shown))
    return rows


def group_rows(
    published: Published, period: Shown, labels: Mapping[str, str], facet: str | None = None
) -> list[TableRow]:
    """Agreement within each group, of one facet or, named, of all of them; cells is None where it is withheld."""
    rows = []
    for row in published.rows("agreement_by", period):
        if facet not in (None, row["facet"]):
            continue
        whole, _, category = row["facet"].partition(".")
        name = words.label(labels, category or AGREEMENT_NAMES.get(whole, whole))
        group = words.label(labels, row["group_name"])
        numbers = (
            words.count(row["n_labelled"]),
            *(words.share(row[measure]) for measure in ("accuracy", "f1")),
            *words.signed_of(row, "kappa", "kappa_low", "kappa_high"),
        )
        shown = tuple("–" if cell == words.WITHHELD else cell for cell in numbers)
        rows.append(TableRow((group,) if facet else (name, group), None if row["suppressed"] else shown))
    return rows


def policy_rows(policy: Any) -> list[tuple[str, str, str]]:
    """(what, value, reason) a setting; a setting is a plain value or one with its reason."""
    rows = []
    for key, said in policy.items() if isinstance(policy, Mapping) else ():
        value = said.get("value") if isinstance(said, Mapping) else said
        reason = str(said.get("reason") or "") if isinstance(said, Mapping) else ""
        if value is None or isinstance(value, Mapping):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        rows.append((SETTINGS.get(str(key), str(key).replace("_", " ").capitalize()), text, " ".join(reason.split())))
    return rows


def withheld_rows(published: Published, period: Shown) -> list[tuple[str, int, int]]:
    """(table, published, withheld) for tables with a fixed grid. Topics are left out: their number would tell."""
    rows = []
    for table in FIXED_TABLES:
        cells = published.rows(table, period)
        n = sum(1 for row in cells if row["suppressed"])
        if cells:
            rows.append((table.replace("_", " ").capitalize(), len(cells) - n, n))
    return rows
