"""Releases to be killed: a first one, a second one and a correction, and a process that kills itself on the way.

Lives here: the scenarios, and `python -m tests.support.killed_release HOME SCENARIO POINT`, where POINT is the name of a
step, or the number of a line of the code that writes. Not here: what must hold afterwards (`tests/faults/`).
"""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import polars as pl

import dagster_project.release as release_module
from dagster_project.domain.periods import Period, parse_period
from dagster_project.home import Home
from dagster_project.policy.loader import Policy
from dagster_project.release import Compared, ReleaseResult
from dagster_project.storage.contributions import SCHEMA, Contributions, changes
from tests.support.candidates import AT, WEEK, frames, metadata, page
from tests.support.populations import Habits, Talk, candidate_rows, cells_of, counted, random_talks
from tests.support.remembered import writing_alone

NEXT, THIRD = parse_period("2026-W42"), parse_period("2026-W43")
SCENARIOS: dict[str, tuple[Period, int]] = {"first": (WEEK, 0), "second": (NEXT, 0), "correction": (WEEK, 1)}
"""What each publishes: a period and its revision. All but the first come after the first."""
WRITING = ("publication.py", "release_ledger.py", "contributions.py", "files.py")
STORAGE = Path(release_module.__file__).parent / "storage"
ALL_LINES = 0
Step = Callable[[str], None]


@cache
def _talks() -> tuple[Talk, ...]:
    """Without topics: those that a population draws depend on the order of sets, which each process has its own of."""
    return tuple(random_talks(5, Habits(400, talks_per_user=1.0, heavy=0.0, topics=0), WEEK.start, 21))


def talks_of(period: Period, revision: int) -> list[Talk]:
    """Who wrote what: a correction has 25 people more, who all ask for the same sort of thing."""
    late = [Talk(9000 + i, period.start, True) for i in range(25)] if revision else []
    return [*_talks(), *late]


def _tone(talk: Talk) -> tuple[float | None, float | None, float | None, None]:
    """Start, end and first message; and what people answered, which is nothing here."""
    start, end = talk.tone or (None, None)
    return start, end, start, None


def contributions_of(period: Period, revision: int) -> pl.DataFrame:
    """Who contributed to which cell, as the warehouse would tell it."""
    rows = [
        (table, "/".join(cell), f"c{talk.user}-{talk.name}", f"u{talk.user}", *_tone(talk))
        for talk in counted(talks_of(period, revision), period, 5)
        for table, cell in cells_of(talk)
    ]
    return pl.DataFrame(rows, SCHEMA, orient="row").sort(pl.all())


@cache
def _candidates(period: Period, revision: int) -> dict[str, pl.DataFrame]:
    return frames(candidate_rows(talks_of(period, revision), [period]))


def publish(home: Home, period: Period, revision: int = 0, step: Step = lambda _: None) -> ReleaseResult:
    """One release with all that the publishing asset gives it: what it changes, and what is kept for later."""
    kept, now = Contributions(home), contributions_of(period, revision)
    return release_module.release(
        home,
        Policy.resolve(),
        _candidates(period, revision),
        [replace(metadata(period)[0], revision=revision)],
        page,
        clock=lambda: AT,
        step=step,
        compared=[Compared(n, changes(kept.read(period, n), now)) for n in range(revision)],
        keep=lambda: kept.keep(period, revision, now, f"inputs of {revision}"),
    )


class Lines:
    """Counts the lines that the writing modules execute, and kills the process before one of them."""

    def __init__(self, fatal: int) -> None:
        self.seen, self._fatal = 0, fatal

    def __call__(self, frame: FrameType, event: str, _: Any) -> "Lines | None":
        if event == "call":
            file = Path(frame.f_code.co_filename)
            return self if file.parent == STORAGE and file.name in WRITING else None
        if event == "line":
            self.seen += 1
            if self.seen == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def main(root: str, scenario: str, point: str) -> None:
    """Run a scenario; killed at the point, or, where that is line 0, to its end, and print how many lines there are."""
    os.umask(0)

    def step(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    lines = Lines(int(point) if point.isdigit() else ALL_LINES)
    _candidates(*SCENARIOS[scenario])  # made before: every call costs more while lines are counted
    with writing_alone():
        sys.settrace(lines)
        publish(Home(Path(root)), *SCENARIOS[scenario], step=step)
        sys.settrace(None)
    sys.stdout.write(f"{lines.seen}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
