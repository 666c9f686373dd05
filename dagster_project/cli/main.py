"""The commands. Not here: how they speak (`console.py`), what they do (the modules that they call)."""

import os
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from dagster_project import __version__
from dagster_project.cli.console import (
    ERR,
    OUT,
    FirstDayOption,
    HomeOption,
    JsonOption,
    LastDayOption,
    day_of,
    fail,
    home_of,
    one_line_causes,
    progress_bar,
    separated,
    show,
    show_agreement,
    workspace_of,
)
from dagster_project.cli.labels import labels_app

app = typer.Typer(
    name="confide",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Measure what people bring to an AI assistant, on your own logs; publish nothing that points at a person.",
)


app.add_typer(labels_app, name="labels")


class Labeller(StrEnum):
    """Who labels a file."""

    LOCAL = "local"
    CLAUDE = "claude"


class PeriodName(StrEnum):
    """A period that is released by default."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def _version(wanted: bool) -> None:
    if wanted:
        OUT.print(f"confide {__version__}")
        raise typer.Exit


@app.callback()
def confide(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option(envvar="CONFIDE_HOME", help="The home directory.")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options for every command."""
    os.umask(0o077)
    context.obj = {"home": home}


@app.command()
def init(
    context: typer.Context,
    classifier: Annotated[Labeller | None, typer.Option(help="Who labels. Default: local.")] = None,
    period: Annotated[PeriodName | None, typer.Option(help="What is released. Default: week.")] = None,
    inbox: Annotated[bool | None, typer.Option("--inbox/--no-inbox", help="Watch a folder for new files.")] = None,
    home: HomeOption = None,
) -> None:
    """Make a home: settings with comments, a random 32-byte key file (0600). Asks on a terminal what is not said."""
    from dagster_project.cli.first_home import make_home

    with one_line_causes():
        make_home(home_of(context, home), classifier and classifier.value, period and period.value, inbox)


@app.command()
def ingest(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(help="Chat logs: files, folders, or addresses (s3://…).")],
    format: Annotated[str, typer.Option("--format", help="auto decides by content; docs/formats.md has all.")] = "auto",
    started_at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The UTC day of conversations that say no time themselves."),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Read chat logs into landing/: counts what was accepted, known, replaced and set aside, and why."""
    from dagster_project.intake import ingest as take_in

    with one_line_causes():
        workspace = workspace_of(context, home)
        with progress_bar() as bar:
            bar.start("Reading bytes", 0)
            report = take_in(
                workspace.home,
                paths,
                format=format,
                progress=bar.reach,
                started_at=started_at.replace(tzinfo=UTC) if started_at else None,
                table=workspace.settings.sources.table,
            )
        for warning in report.warnings:
            ERR.print(f"Warning: {warning}", style="yellow", soft_wrap=True, markup=False)
        told = report.as_json()
        if not json:
            del told["formats"]
            for (name, why), n in sorted(report.formats.items()):
                OUT.print(
                    f"Read as {name}: {n:,} {'file' if n == 1 else 'files'} ({why})", soft_wrap=True, markup=False
                )
        show(told, json)


@app.command()
def estimate(
    context: typer.Context,
    from_: FirstDayOption = None,
    to: LastDayOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Requests, tokens and price by model of labelling some days (default: all that are not up to date)."""
    with one_line_causes():
        from dagster_project.estimating import estimate_run

        workspace = workspace_of(context, home)
        with progress_bar() as bar:
            bar.start("Estimating", 0)
            show(estimate_run(workspace, day_of(from_), day_of(to), bar.advance), json)


@app.command()
def run(
    context: typer.Context,
    from_: FirstDayOption = None,
    to: LastDayOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Materialize the daily assets and the marts for some days (default: all that are not up to date)."""
    with one_line_causes():
        from dagster_project.running import run_days_and_marts

        workspace = workspace_of(context, home)
        if from_ and to and to < from_:
            raise typer.BadParameter("--to is before --from")
        with progress_bar() as bar:
            show(run_days_and_marts(workspace, bar, day_of(from_), day_of(to)), json)


@app.command()
def release(
    context: typer.Context,
    periods: Annotated[
        list[str] | None, typer.Argument(help="2026-10-05, 2026-W41, 2026-10 or 2026-09-21..2026-11-15")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every complete, unpublished period.")] = False,
    correct: Annotated[
        str | None, typer.Option(metavar="PERIOD", help="Publish the next revision of a published period.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Run the gate and publish: tells what was published and what was withheld, by count."""
    from dagster_project.domain.periods import parse_period

    try:
        wanted = [parse_period(text) for text in [*(periods or []), *([correct] if correct else [])]]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if wanted and all_:
        raise typer.BadParameter("name periods or say --all, not both")
    if correct and len(wanted) > 1:
        raise typer.BadParameter("--correct takes one period, and no others beside it")
    with one_line_causes():
        from dagster_project.running import release_periods

        workspace = workspace_of(context, home)
        with progress_bar() as bar:
            result = release_periods(workspace, bar, wanted, correct is not None)
        if result is None:
            if json:
                raise fail("no complete, unpublished period")
            OUT.print("No complete, unpublished period: nothing to release.")
            return
        show(result, json)
        if not json:
            OUT.print(f"Report: {result['path']}/report.html", soft_wrap=True, markup=False)


@app.command()
def verify(
    context: typer.Context,
    release_id: Annotated[
        str | None, typer.Argument(metavar="[RELEASE]", help="Its id; default the newest.", show_default=False)
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Check a release: its hashes, and its numbers recomputed from the labels of the home. Only reads."""
    with one_line_causes():
        from dagster_project.cli.verification_page import print_verification
        from dagster_project.verifying import verify_release

        workspace = workspace_of(context, home)
        with progress_bar() as bar:
            found = verify_release(workspace, bar, release_id)
        if json:
            show(found.as_json(), True)
        else:
            print_verification(found)
        if not found.ok:
            raise typer.Exit(1)


@app.command()
def erase(
    context: typer.Context,
    user_id: Annotated[
        list[str] | None,
        typer.Option(help="A user's id as in the logs; - reads ids from stdin."),
    ] = None,
    conversation_id: Annotated[list[str] | None, typer.Option(help="A conversation's id; - likewise.")] = None,
    expired: Annotated[bool, typer.Option("--expired", help="What retention.days says is due.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Remove every trace of a user, a conversation or an age from the home, and keep it out afterwards."""
    with one_line_causes():
        from dagster_project.erasing.command import erase_asked

        if bool(user_id or conversation_id) == expired:
            raise typer.BadParameter("give --user-id or --conversation-id (- reads ids from stdin), or --expired")
        workspace = workspace_of(context, home)
        if expired and workspace.settings.retention.days is None:
            ERR.print("Warning: [retention] days is not set: nothing is too old", style="yellow", markup=False)
        show(erase_asked(workspace, user_id or [], conversation_id or [], sys.stdin).as_json(), json)


@app.command(name="rotate-key")
def rotate_key(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Give everything stored new pseudonyms under one more key; also finishes a rotation that was cut short."""
    with one_line_causes():
        from dagster_project.key_rotation import rotate_key as rotate

        show(rotate(home_of(context, home)), json)


@app.command()
def status(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Days, labels, spend, releases, open batches."""
    with one_line_causes():
        from dagster_project.state import status_of

        show(status_of(workspace_of(context, home)), json)


@app.command()
def doctor(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """Look the home over: what is missing or unsafe, and how to mend it."""
    with one_line_causes():
        from dagster_project.state import examine

        findings = examine(home_of(context, home))
        if json:
            show({"ok": all(f.ok for f in findings), "findings": [f.__dict__ for f in findings]}, True)
        else:
            for finding in findings:
                mark = "[green]ok[/green]  " if finding.ok else "[red]mend[/red]"
                said = finding.hint if finding.ok else finding.advice
                OUT.print(mark, finding.what, f"- {escape(said)}" if said else "", soft_wrap=True)
        if not all(f.ok for f in findings):
            raise typer.Exit(1)


@app.command()
def classify(
    file: Annotated[Path, typer.Argument(help="Canonical conversations (.jsonl, .gz, .zst), or what --format says.")],
    facets: Annotated[str | None, typer.Option(help="Facet ids, separated by commas; default all.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; default stdout.")] = None,
    classifier: Annotated[Labeller, typer.Option(help="Who labels.")] = Labeller.LOCAL,
    format: Annotated[str, typer.Option("--format", help="As for ingest; auto decides by content.")] = "confide",
    against: Annotated[
        Path | None, typer.Option(help="Labels that people gave, as this command writes them: prints the agreement.")
    ] = None,
) -> None:
    """Label a file outside any home, in its order: one JSON line a conversation."""
    with one_line_causes():
        from dagster_project.classifiers.against import read_said
        from dagster_project.classifiers.outside import classify_to

        for needed in (file, against):
            if needed and not needed.is_file():
                raise fail(f"{needed} does not exist")
        said = read_said(against) if against else None
        chosen = separated(facets) if facets else None
        with progress_bar() as bar:
            bar.start("Classifying", 0)
            also = said.add if said else lambda _: None
            n = classify_to(file, out, chosen, bar.advance, classifier.value, format, also)
        ERR.print(f"{n:,} lines")
        if said:
            show_agreement(said.rows())


@app.command(name="facets")
def list_facets(context: typer.Context, home: HomeOption = None, json: JsonOption = False) -> None:
    """The codebook: what is asked of a conversation, and what counts as what."""
    with one_line_causes():
        from dagster_project.cli.codebook_page import print_codebook
        from dagster_project.codebook.loader import load_codebook

        chosen = home_of(context, home)
        book = workspace_of(context, home).codebook if chosen.exists else load_codebook()
        if json:
            show({"facets": [f.model_dump(mode="json") for f in book]}, True)
        else:
            print_codebook(book)


@app.command()
def demo(
    context: typer.Context,
    home: HomeOption = None,
    conversations: Annotated[int, typer.Option(help="Size of the synthetic world.")] = 6200,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic world.")] = 20260921,
    open_: Annotated[bool, typer.Option("--open", help="Open the report in the browser at the end.")] = False,
) -> None:
    """The whole path on a synthetic world, in a home of its own, against the known truth."""
    with one_line_causes():
        from dagster_project.cli.demonstration import demonstrate, open_in_browser

        given = home or (context.obj or {}).get("home")
        report = demonstrate(Path(given) if given else Path("demo-home"), conversations, seed)
        if open_:
            open_in_browser(report)


@app.command()
def ui(
    context: typer.Context,
    home: HomeOption = None,
    port: Annotated[int, typer.Option(help="Where the UI listens.")] = 3000,
) -> None:
    """Open the Dagster UI on the home: assets, days, backfills, checks, schedule."""
    with one_line_causes():
        from dagster_project.running import instance_of

        workspace = workspace_of(context, home)
        with instance_of(workspace.home):
            pass  # opened to be refused where it would send telemetry, or keep what steps print
        environment = {
            **os.environ,
            "CONFIDE_HOME": str(workspace.home.root),
            "DAGSTER_HOME": str(workspace.home.dagster),
        }
        command = [sys.executable, "-m", "dagster", "dev", "-m", "dagster_project.definitions", "-p", str(port)]
        # In place of this process: whoever ends it ends Dagster, which would else run on and hold the port.
        os.execve(command[0], command, environment)


def main() -> None:
    """Entry point of the `confide` command."""
    app()


if __name__ == "__main__":
    main()
