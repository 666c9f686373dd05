"""docs/definitions.md: the codebook for readers, with the wording that a model is given.

Not here: the codebook itself (`dagster_project/codebook/facets`), how figures follow from it (`docs/methods.md`).
"""

from dagster_project.classifiers.claude.prompt import PREAMBLE
from dagster_project.codebook.loader import SHIPPED, load_codebook
from dagster_project.codebook.schema import Category, Facet

OPTIONAL = SHIPPED.parent / "optional"
"""Facets that come with the package and are asked only where a home's settings name them."""

HEAD = """\
<!-- Written by `python -m docs.generate` from dagster_project/codebook/facets: change those, not this page. -->
# Definitions

What is asked of a conversation, and what counts as what. `confide facets` prints the same for a home, its own facets included. A release names
the version of each facet in its manifest, for each period. The definitions are Confide's own: the study's appendix is not public.
"""
MORE = """\
## Optional facets

Asked only where the settings of the home name them: `optional = [{names}]` in `[codebook]`.
"""
PROMPT = """\
## What a model is told first

With `[classifier] kind = "claude"`, a request says this, then for each facet its question, notes, categories and boundary notes as they stand above, then
gives the conversation as data. The `local` labeller is not told anything: it learnt from examples, see its [model card](models/local.md).

```text
"""


def definitions_page() -> str:
    """The page, whole."""
    usual = {facet.id: facet for facet in load_codebook()}
    more = [facet for facet in load_codebook(OPTIONAL) if facet.id not in usual]
    parts = [HEAD, *map(_section, usual.values()), f"{PROMPT}{PREAMBLE}\n```\n"]
    if more:
        parts += [MORE.format(names=", ".join(f'"{f.id}"' for f in more)), *map(_section, more)]
    return "\n".join(parts)


def _section(facet: Facet) -> str:
    unit = f"each event of `{facet.of}`" if facet.of else facet.unit.value.replace("_", " ")
    about = [
        f"`{facet.id}`, version {facet.version}",
        f"asked of: {', '.join(_plain(a) for a in facet.applies_to)}",
        f"unit: {unit}",
        f"answer: {_plain(facet.answer.value)}",
        f"stage: {facet.stage}",
        "stays in the private zone" if facet.publish == "no" else f"published in: `{facet.publish}`",
    ]
    lines = [f"## {facet.title}", "", f"**{facet.question}**", "", "; ".join(about) + ".", ""]
    for note in (*facet.notes, *facet.rules):
        lines.append(f"- {note}")
    if facet.notes or facet.rules:
        lines.append("")
    if facet.categories:
        lines += ["| category | what counts | at the boundary |", "|---|---|---|"]
        for category in facet.categories:
            number = "" if category.number is None else f" ({category.number:+g})"
            boundary = "<br>".join([*category.boundary, *_outside(category)])
            lines.append(f"| `{category.id}`{number} | {category.definition} | {boundary} |")
        lines.append("")
    return "\n".join([*lines, f"Source: {facet.source}", ""])


def _outside(category: Category) -> list[str]:
    """Said of a category that says the question does not apply."""
    return [] if category.model_dump().get("counts", True) else ["Such conversations leave the denominator."]


def _plain(name: str) -> str:
    return name.replace("_", " ")
