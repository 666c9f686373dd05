"""`confide labels`: samples for human coders, and their answers back. Not here: what they do (`coding/`)."""

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.console import (
    FirstDayOption,
    HomeOption,
    JsonOption,
    LastDayOption,
    day_of,
    fail,
    one_line_causes,
    separated,
    show,
    workspace_of,
)

labels_app = typer.Typer(
    no_args_is_help=True, help="A stratified sample for human coders, and their answers back: agreement and correction."
)


@labels_app.command()
def export(
    context: typer.Context,
    size: Annotated[int, typer.Option(min=1, help="Conversations to draw, about.")] = 400,
    facets: Annotated[str | None, typer.Option(help="Facet ids, separated by commas.")] = None,
    from_: FirstDayOption = None,
    to: LastDayOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Draw a sample with known probabilities; its tasks hold text and stay in the private zone, for coders alone."""
    with one_line_causes():
        from dagster_project.coding.exporting import export_sample
        from dagster_project.coding.questions import DEFAULT_FACETS
        from dagster_project.storage.in_use import in_use

        workspace = workspace_of(context, home)
        wanted = separated(facets) if facets else DEFAULT_FACETS
        first, last = day_of(from_), day_of(to)
        with in_use(workspace.home):
            show(export_sample(workspace, first, last, size, wanted), json)


@labels_app.command(name="import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The filled-in tasks.csv, or Label Studio's JSON export.")],
    coder: Annotated[str | None, typer.Option(help="Who answered, where the file does not say.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Take in one or several coders' answers; the coder `adjudicator` decides, else the majority."""
    with one_line_causes():
        from dagster_project.coding.importing import import_answers
        from dagster_project.storage.in_use import in_use

        if not file.is_file():
            raise fail(f"{file} does not exist")
        workspace = workspace_of(context, home)
        with in_use(workspace.home):
            show(import_answers(workspace, file, coder).as_json(), json)
