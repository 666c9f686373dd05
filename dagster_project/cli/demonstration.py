"""`confide demo`: the whole path on the synthetic world, then what was published beside what is true.

Not here: the world (`demo/`), any step of the path: these are the same calls as the commands'.
"""

import shutil
import time
from pathlib import Path
from typing import Any

from dagster_project.cli.console import OUT, progress_bar, show
from dagster_project.demo.compare import compare, comparison_table
from dagster_project.demo.world import write_world
from dagster_project.domain.periods import DAY, Period, PeriodKind
from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.intake import ingest
from dagster_project.running import release_periods, run_days_and_marts
from dagster_project.setting_up import create_home
from dagster_project.settings import TEMPLATE
from dagster_project.storage.published import CURRENT
from dagster_project.workspace import Workspace

NOTICE = "Synthetic data: every conversation behind these figures was generated. Nobody said any of it."
MARK = ".confide-demo"


class DemoError(ConfideError):
    """The demo cannot have the folder it was given."""


def demonstrate(root: Path, conversations: int, seed: int) -> Path:
    """Make the demo home anew, run the path, publish a study window and its weeks, print the comparison with the truth.

    Returns where the report is. Raises DemoError when the folder holds something that is not a demo.
    """
    began = time.monotonic()
    home = _fresh(Home(root.absolute()))
    create_home(home, TEMPLATE.replace('# notice = "Internal"', f'notice = "{NOTICE}"'))
    (home.root / MARK).touch()
    OUT.print("[bold]1. A synthetic world[/bold]")
    world = write_world(home.private / "demo", seed, conversations)
    OUT.print(f"   {world.conversations:,} conversations of {world.users:,} invented people; some lines are broken")
    workspace = Workspace.open(home.root)
    with progress_bar() as bar:
        OUT.print("[bold]2. confide ingest[/bold]")
        for file in world.files:
            bar.start(f"Reading {file.name}", 0)
            report = ingest(home, [file], progress=bar.reach)
            show(report.as_json(), False)
        OUT.print("[bold]3. confide run[/bold]")
        window = Period(world.first_day, world.last_day + DAY, PeriodKind.WINDOW)
        show(run_days_and_marts(workspace, bar, also=[window]), False)
        OUT.print(f"[bold]4. confide release {window.key}[/bold]")
        _show(release_periods(workspace, bar, [window]))
        OUT.print("[bold]5. confide release[/bold]: its weeks, as far as they tell nothing that the window withholds")
        _show(release_periods(workspace, bar, []))
    OUT.print("\n[bold]6. Published against the known truth[/bold]")
    current = home.publications / CURRENT
    OUT.print(comparison_table(compare(current, world.truth, PeriodKind.WINDOW)))
    OUT.print(f"\nReport:   {current / 'report.html'}", soft_wrap=True)
    OUT.print(f"Marts:    {current / 'confide.duckdb'}", soft_wrap=True)
    OUT.print(f"The UI:   confide --home {root} ui", soft_wrap=True)
    OUT.print(f"Took {time.monotonic() - began:.0f} s.")
    return current / "report.html"


def open_in_browser(report: Path) -> None:
    """Show a report, or say where it is on a machine without a browser."""
    import webbrowser

    if not webbrowser.open(report.absolute().as_uri()):
        OUT.print(f"There is no browser here: open {report} in one, or copy it to where there is.", soft_wrap=True)


def _show(released: dict[str, Any] | None) -> None:
    if released is None:
        raise DemoError("the demo has nothing to release")
    show(released, False)


def _fresh(home: Home) -> Home:
    if home.root.exists() and any(home.root.iterdir()):
        if not (home.root / MARK).exists():
            raise DemoError(f"{home.root} is not a demo's home: name an empty folder with --home")
        shutil.rmtree(home.root)
    return home
