"""The folder that is watched, for tests: putting files in, and letting time pass for them.

Not here: what is expected of it (the tests).
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from dagster_project.home import Home
from dagster_project.setting_up import chosen_settings, create_home
from dagster_project.workspace import Workspace
from tests.support.conversations import KEY, write_lines


def inbox_home(root: Path) -> Workspace:
    """An empty home that watches its inbox, with a fixed key."""
    home = Home(root)
    create_home(home, chosen_settings({"inbox.enabled": "true"}))
    home.key_file.write_bytes(KEY)
    return Workspace.open(root)


def put(workspace: Workspace, name: str, *values: Any) -> Path:
    """A file of JSON lines in the inbox; folders in its name are made."""
    path = workspace.home.root / "inbox" / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return write_lines(path, values)


def age(workspace: Workspace, seconds: float = 60) -> None:
    """Everything in the inbox was first seen so much earlier: what a test would else have to wait for."""
    with closing(sqlite3.connect(workspace.home.inbox_memory)) as db, db:
        db.execute("UPDATE files SET seen_at = seen_at - ?", (seconds,))
