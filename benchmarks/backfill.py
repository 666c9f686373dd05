"""56 days of the demo world backfilled from the Dagster UI: wall time beside the limit of three minutes.

Run: python benchmarks/backfill.py [--screenshot FILE]. Starts webserver and daemon on a fresh home, launches
`launchPartitionBackfill` over the daily assets as the UI does, waits, and prints how it ended and how long it took.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dagster_project.demo.world import write_world
from tests.support.homes import confide, done
from tests.support.ui import running_ui

LIMIT_SECONDS = 180


def main() -> int:
    """Exit code 1 when the backfill does not succeed."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--screenshot", type=Path)
    wanted = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        world = write_world(Path(folder) / "world")
        done(confide(home, "init"))
        days: set[str] = set()
        for file in world.files:
            days |= set(done(confide(home, "ingest", file, "--json")).json["days"])
        with running_ui(home) as ui:
            began = time.monotonic()
            ended = ui.wait(ui.backfill(sorted(days)), seconds=600)
            seconds = time.monotonic() - began
            for words in ui.step_times():
                print(words)
            if wanted.screenshot:
                picture(ui.url("/asset-groups"), wanted.screenshot)
        state = done(confide(home, "status", "--json")).json["days"]
    of_limit = seconds / LIMIT_SECONDS
    print(f"{len(days)} days, {world.accepted} conversations: {ended} in {seconds:.0f} s ({of_limit:.2f} of the limit)")
    print(f"up to date: {state['up_to_date']} of {state['landed']} days")
    return 0 if ended == "COMPLETED_SUCCESS" and not state["stale"] else 1


def picture(url: str, file: Path) -> None:
    """A screenshot of the UI in the machine's Chromium."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        page = browser.new_page(viewport={"width": 1600, "height": 950})
        page.goto(url)
        page.wait_for_timeout(8000)
        page.screenshot(path=str(file))
        browser.close()


if __name__ == "__main__":
    raise SystemExit(main())
