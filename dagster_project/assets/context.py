"""What assets are given: the home as a resource, and somebody who is told of progress.

Not here: opening a home (`workspace.py`).
"""

from pathlib import Path
from typing import Protocol

import dagster as dg

from dagster_project.workspace import Workspace


class ConfideHome(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The home that this code location serves. Opened once a step, so that settings are read when it starts."""

    root: str

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
