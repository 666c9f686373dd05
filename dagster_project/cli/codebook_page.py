"""`confide facets` for people: the codebook as text on a terminal."""

from dagster_project.cli.console import OUT
from dagster_project.codebook.loader import Codebook


def print_codebook(book: Codebook) -> None:
    """Each facet with its question, categories, definitions and boundary notes."""
    for facet in book:
        OUT.print(
            f"\n[bold]{facet.title}[/bold]  ({facet.id}, version {facet.version}, {facet.stage}, {facet.answer.value})"
        )
        OUT.print(f"  {facet.question}")
        OUT.print(f"  asked of: {', '.join(facet.applies_to)}; unit: {facet.unit.value.replace('_', ' ')}")
        for category in facet.categories:
            number = "" if category.number is None else f" = {category.number:+g}"
            OUT.print(f"  [bold]{category.id}[/bold]{number}: {category.definition}")
            for note in category.boundary:
                OUT.print(f"      - {note}")
