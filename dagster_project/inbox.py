"""The inbox: a folder that is watched. What is put there is ingested once, and the days that it touches are asked for.

Lives here: which files are ready, in what batches they are taken, when one is given up. A file stays where it is and is
known again by a keyed mark of its place, size and times: one that has changed is a new file, and what it repeats is a
duplicate. Not here: reading files (`intake.py`), what is remembered (`storage/inbox_memory.py`), when somebody looks
(`sensors.py`).
"""

import fcntl
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dagster_project.errors import ConfideError, UnexpectedError
from dagster_project.home import Home, HomeError
from dagster_project.intake import IntakeReport, MissingFileError, files_of_folder, ingest
from dagster_project.settings import Settings
from dagster_project.storage.files import private_folder
from dagster_project.storage.inbox_memory import TAKEN, InboxMemory
from dagster_project.workspace import Workspace

QUIET_SECONDS = 30.0
"""How long a file has to look the same: one that grows is still being written."""
ATTEMPTS = 3
"""A file during which the process was killed so often is given up: it would stop all others for ever."""
GIVEN_UP = "killed_each_time"
BATCH_BYTES = 512 * 1024 * 1024
"""Files are ingested together up to this size: one by one they would make as many parts a day, and all at once a kill
near the end would cost the whole."""
WAIT_SECONDS = 3600.0

Step = Callable[[str], None]
"""Called when a step is done (fault tests kill there)."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A file that may be taken."""

    mark: str
    path: Path
    n_bytes: int
    attempts: int


@dataclass(frozen=True)
class Look:
    """What lies in the inbox, by count, and what is to be done about it.

    waiting: files that were seen for too short a time. passed_over: of another kind. given_up: by reason. days: those
    that earlier intakes touched and that the lake does not hold yet as they are.
    """

    ready: tuple[Ready, ...] = ()
    waiting: int = 0
    taken: int = 0
    passed_over: int = 0
    given_up: Mapping[str, int] = field(default_factory=dict)
    days: tuple[date, ...] = ()

    def key(self, now: datetime) -> str:
        """One for each set of ready files and attempt, and hour: what failed for want of disk is tried again then."""
        parts = [*(f"{one.mark}:{one.attempts}" for one in self.ready), now.strftime("%Y-%m-%dT%H")]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()


@dataclass
class Taken:
    """What some intakes did, by count."""

    files: int = 0
    given_up: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    days: set[date] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)

    def add(self, report: IntakeReport) -> None:
        """Count one ingest in."""
        self.files += report.files
        self.records.update({name: getattr(report, name) for name in ("accepted", "duplicates", "replaced", "erased")})
        self.quarantined.update(report.quarantined)
        self.days.update(report.days)
        self.warnings += report.warnings

    def as_metadata(self) -> dict[str, Any]:
        """Counts and reasons: files' names may hold a person's."""
        return {
            "files": self.files,
            "given_up": dict(self.given_up),
            **{name: self.records[name] for name in ("accepted", "duplicates", "replaced", "erased")},
            "quarantined": dict(self.quarantined),
            "days": len(self.days),
        }


class _Busy(Exception):
    """Another process is taking files in."""


def folder_of(home: Home, settings: Settings) -> Path:
    """The folder that is watched; one inside the home is made.

    Raises HomeError when it is missing, open to others, or a place of the home that holds something else.
    """
    folder = home.root / settings.inbox.folder
    real, root = folder.resolve(), home.root.resolve()
    if root.is_relative_to(real):
        raise HomeError(f"[inbox] folder = {settings.inbox.folder}: the home lies in it; name a folder of its own")
    if real.is_relative_to(root):
        if any(real.is_relative_to(taken.resolve()) for taken in home.folders() if taken != home.root):
            raise HomeError(
                f"[inbox] folder = {settings.inbox.folder}: the home keeps other things there; name another"
            )
        private_folder(folder)
    elif not folder.is_dir():
        raise HomeError(f"[inbox] folder: {folder} is not there: make it (mkdir -m 700) or mount it")
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        raise HomeError(f"{folder} is open to others: chmod 700 it")
    return folder


def look(workspace: Workspace, now: datetime) -> Look | None:
    """Look at the inbox and remember what lies there; None while another process takes files in.

    A file is ready when it looked the same `QUIET_SECONDS` ago. Raises HomeError, InboxMemoryError.
    """
    home = workspace.home
    folder = folder_of(home, workspace.settings)
    try:
        with _alone(home, wait=False), InboxMemory(home) as memory:
            memory.reckon(_inputs(workspace))
            return _looked(workspace, folder, memory, now)
    except _Busy:
        return None


def take(workspace: Workspace, now: datetime, step: Step = lambda _: None) -> Taken:
    """Ingest every file that is ready; what was done, by count. Killed anywhere, doing it again ends the same.

    A file that no reader survives is given up by itself, and the others go on. Raises ConfideError on what is no fault
    of a file (no disk, a damaged index, settings): then nothing counts against the files.
    """
    home, taken = workspace.home, Taken()
    folder = folder_of(home, workspace.settings)
    with _alone(home, wait=True), InboxMemory(home) as memory:
        memory.reckon(_inputs(workspace))
        while batch := _next_batch(_looked(workspace, folder, memory, now).ready):
            marks = [one.mark for one in batch]
            if batch[0].attempts >= ATTEMPTS:
                memory.conclude(marks, GIVEN_UP)
                taken.given_up[GIVEN_UP] += 1
                continue
            memory.begin(marks, _inputs(workspace))
            step("begun")
            try:
                report = ingest(
                    home,
                    [one.path for one in batch],
                    format=workspace.settings.inbox.format,
                    now=now,
                    step=step,
                    wait_seconds=WAIT_SECONDS,
                    table=workspace.settings.sources.table,
                )
            except UnexpectedError as error:
                # Of several, the one at fault is found by trying each alone.
                if len(batch) == 1:
                    memory.conclude(marks, str(error))
                    taken.given_up[str(error)] += 1
            except MissingFileError:
                # Removed since the last look: the others are tried again, and its name is told to nobody.
                step("missing")
            except ConfideError:
                memory.excuse(marks)
                raise
            else:
                step("ingested")
                memory.conclude(marks, TAKEN)
                taken.add(report)
            memory.reckon(_inputs(workspace))
            step("remembered")
    return taken


def _looked(workspace: Workspace, folder: Path, memory: InboxMemory, now: datetime) -> Look:
    files, passed_over = _files(workspace, folder)
    known = memory.meet(files, now.timestamp())
    outcomes = Counter(one.outcome for one in known.values() if one.outcome is not None)
    open_ones = {mark: one for mark, one in known.items() if one.outcome is None}
    ready = [
        Ready(mark, *files[mark], one.attempts)
        for mark, one in open_ones.items()
        if one.seen_at <= now.timestamp() - QUIET_SECONDS
    ]
    return Look(
        ready=tuple(sorted(ready, key=lambda one: str(one.path))),
        waiting=len(open_ones) - len(ready),
        taken=outcomes.pop(TAKEN, 0),
        passed_over=passed_over,
        given_up=dict(outcomes),
        days=_owed(workspace, memory),
    )


def _files(workspace: Workspace, folder: Path) -> tuple[dict[str, tuple[Path, int]], int]:
    """By mark, the readable files of the folder and their sizes; and how many files are something else."""
    files: dict[str, tuple[Path, int]] = {}
    found, passed_over = files_of_folder(folder)
    for path in found:
        try:
            about = path.lstat()
        except OSError:
            passed_over += 1
            continue
        if not stat.S_ISREG(about.st_mode):
            # A link may lead to where nothing was meant to be read, and a pipe waits for ever.
            passed_over += 1
            continue
        parts = [str(path.relative_to(folder)), *map(str, (about.st_size, about.st_mtime_ns, about.st_ctime_ns))]
        files[workspace.pseudonyms.content(parts)] = path, about.st_size
    return files, passed_over


def _next_batch(ready: tuple[Ready, ...]) -> list[Ready]:
    """The files to ingest next, together; one that was tried before goes alone, after the others."""
    batch: list[Ready] = []
    n_bytes = 0
    for one in ready:
        if one.attempts == 0:
            n_bytes += one.n_bytes
            if batch and n_bytes > BATCH_BYTES:
                break
            batch.append(one)
    return batch or list(ready[:1])


def _owed(workspace: Workspace, memory: InboxMemory) -> tuple[date, ...]:
    if not (owed := memory.owed()):
        return ()
    stale = set(workspace.landing.stale_days(workspace.lake))
    memory.settle(owed - stale)
    return tuple(sorted(owed & stale))


def _inputs(workspace: Workspace) -> dict[date, str]:
    return {day: workspace.landing.inputs(day) for day in workspace.landing.days()}


@contextmanager
def _alone(home: Home, wait: bool) -> Iterator[None]:
    """One process at a time; the lock dies with it. Raises _Busy where it will not wait."""
    handle = os.open(private_folder(home.private) / "inbox.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise _Busy from None
        yield
    finally:
        os.close(handle)
