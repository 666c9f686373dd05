"""What assets are given: the home as a resource, and somebody who is told of progress.

Not here: opening a home (`workspace.py`).
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import dagster as dg

from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.storage.in_use import WAIT_SECONDS, in_use
from dagster_project.storage.tombstones import Tombstones
from dagster_project.workspace import Workspace


class UnsafeInstance(ConfideError):
    """Dagster is set up to tell others, or to keep what steps print."""


def require_quiet(instance: dg.DagsterInstance) -> None:
    """Raise UnsafeInstance unless Dagster sends no telemetry and keeps nothing of what steps print."""
    from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager

    advice = "put back what `confide init` writes into it (remove the file and run `confide init`)"
    if instance.telemetry_enabled and not instance.is_ephemeral:
        raise UnsafeInstance(f"dagster.yaml: telemetry is on: {advice}")
    if not isinstance(instance.compute_log_manager, NoOpComputeLogManager) and not instance.is_ephemeral:
        raise UnsafeInstance(f"dagster.yaml: what steps print is kept, and could hold text: {advice}")


class ConfideHome(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The home that this code location serves. Opened once a step, so that settings are read when it starts.

    For as long as a run goes, the home is in use, and nothing is erased under its hands. A run does not begin before an
    erasure that was asked for is carried out. Raises ConfideError where that fails.
    """

    root: str

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["ConfideHome"]:
        """Dagster's hook around a run, or a sensor's look at the home."""
        home = Home(Path(self.root))
        os.umask(0o077)
        if context.instance is not None:
            require_quiet(context.instance)
        if context.run is not None and Tombstones(home).pending():
            from dagster_project.erasing.erasure import carry_out_pending

            carry_out_pending(self.open(), WAIT_SECONDS)
        with in_use(home):
            yield self

    def open(self) -> Workspace:
        """The opened home. Raises ConfideError when it is unsafe."""
        return Workspace.open(Path(self.root))


class Progress(Protocol):
    """Somebody who is told how far a long step has come."""

    def start(self, what: str, total: int) -> None: ...

    def advance(self, by: int) -> None: ...


class Silent:
    """Tells nobody: the UI shows Dagster's own events."""

    def start(self, what: str, total: int) -> None:
        """Nothing to do."""

    def advance(self, by: int) -> None:
        """Nothing to do."""


class Told:
    """One long step's progress, told to the command's bar and, twice a minute, to the run's log in the UI."""

    EVERY_SECONDS = 30.0

    def __init__(self, progress: Progress, log: Any, what: str, total: int) -> None:
        self._progress, self._log, self._what, self._total = progress, log, what, total
        self._done = 0
        self._next = time.monotonic() + self.EVERY_SECONDS
        progress.start(what, total)

    def advance(self, by: int) -> None:
        """So many more are done."""
        self._progress.advance(by)
        self._done += by
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self.EVERY_SECONDS
            self._log.info(f"{self._what}: {self._done:,} of {self._total:,}")
