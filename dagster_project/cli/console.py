"""How commands speak: options they share, results on stdout, progress and one-line causes on stderr.

Not here: any command.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from dagster_project.errors import ConfideError, place_of
from dagster_project.home import Home
from dagster_project.workspace import Workspace

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The home. Default: CONFIDE_HOME, else ./confide-home.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")]

FirstDayOption = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day.")]
LastDayOption = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last UTC day, included.")]

DEFAULT_HOME = Path("confide-home")


def home_of(context: typer.Context, home: Path | None) -> Home:
    """The home named after the command, before it, by the environment or by default."""
    chosen = home or (context.obj or {}).get("home") or DEFAULT_HOME
    return Home(Path(chosen).absolute())


def workspace_of(context: typer.Context, home: Path | None) -> Workspace:
    """The opened home. Raises ConfideError."""
    return Workspace.open(home_of(context, home).root)


def day_of(moment: datetime | None) -> date | None:
    """The day that an option named."""
    return moment.date() if moment else None


def separated(words: str) -> list[str]:
    """The words of an option that takes several, by commas."""
    return [word.strip() for word in words.split(",") if word.strip()]


def show(result: Mapping[str, Any], as_json: bool, title: str = "") -> None:
    """Print a result: one JSON object, or a table of names and values."""
    if as_json:
        sys.stdout.write(json.dumps(result, default=str) + "\n")
        return
    table = Table(title=title or None, show_header=False, box=None, padding=(0, 2), title_justify="left")
    for name, value in result.items():
        table.add_row(name.replace("_", " "), _words(value))
    OUT.print(table)


def show_agreement(rows: Iterable[Any]) -> None:
    """A table on stderr of how far labels agree with people's (`classifiers.against.Compared`)."""
    table = Table(box=None, padding=(0, 2))
    for i, name in enumerate(
        ("question", "source", "n", "could not tell", "accuracy", "precision", "recall", "F1", "kappa", "95 %")
    ):
        table.add_column(name, justify="left" if i < 2 else "right")
    for row in rows:
        *measures, low, high = row.agreement
        ends = "–" if low is None else f"{low:.2f} to {high:.2f}"
        told = ["–" if m is None else f"{m:.3f}" for m in measures]
        table.add_row(row.question, row.source, f"{row.n:,}", f"{row.could_not_tell:,}", *told, ends)
    ERR.print(table)


def _words(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, Mapping) and any(isinstance(v, Mapping) for v in value.values()):
        return "\n".join(f"{k}: {_words(v)}" for k, v in value.items())
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_words(v)}" for k, v in value.items()) or "none"
    if isinstance(value, list):
        if len(value) > 6:
            return f"{len(value)} ({value[0]} … {value[-1]})"
        return ", ".join(_words(v) for v in value) or "none"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


class Bar:
    """Progress of long steps as bars on stderr (`assets.context.Progress`)."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: Any = None

    def start(self, what: str, total: int) -> None:
        """Begin a new bar; the one before is left where it is."""
        self._task = self._progress.add_task(what, total=total)

    def advance(self, by: int) -> None:
        """Move the newest bar on."""
        if self._task is not None:
            self._progress.advance(self._task, by)

    def reach(self, done: int, total: int) -> None:
        """Put the newest bar at `done` of `total`."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total)


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """Bars on stderr, for as long as a command works."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=ERR) as progress:
        yield Bar(progress)


def fail(cause: str) -> typer.Exit:
    """One line on stderr, exit code 1."""
    ERR.print(f"confide: {' '.join(cause.split())}", style="red", markup=False, soft_wrap=True)
    return typer.Exit(1)


@contextmanager
def one_line_causes() -> Iterator[None]:
    """Any error ends a command with one line; a foreign one without its words, which may quote text."""
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter, KeyboardInterrupt):
        raise
    except ConfideError as error:
        raise fail(str(error)) from None
    except Exception as error:
        raise fail(f"unexpected {type(error).__name__} at {place_of(error)}; nothing was published") from None
