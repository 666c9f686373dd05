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
        unit = f"each event of {facet.of}" if facet.of else facet.unit.value.replace("_", " ")
        OUT.print(f"  asked of: {', '.join(facet.applies_to)}; unit: {unit}")
        if facet.max_characters:
            OUT.print(f"  at most {facet.max_characters} characters; stays in the private zone")
        for note in [*facet.notes, *facet.rules]:
            OUT.print(f"  note: {note}")
        for category in facet.categories:
            number = "" if category.number is None else f" = {category.number:+g}"
            OUT.print(f"  [bold]{category.id}[/bold]{number}: {category.definition}")
            for note in category.boundary:
                OUT.print(f"      - {note}")
