"""Key rotation: everything stored gets new pseudonyms under one more key; who has the old ones can link nothing.

Lives here: the order of the steps. All new files are written beside the old ones; then one small file says that they
are meant; then each takes its place. Killed before that file: nothing has changed. Killed after it: the home is closed
until `confide rotate-key` has finished the rest. Not here: the pseudonyms (`storage/pseudonyms.py`), the files
themselves (`storage/rekeying.py`).
"""

import secrets
import sqlite3
from collections.abc import Callable

import polars as pl

from dagster_project.domain.periods import parse_period
from dagster_project.erasing.erasure import carry_out
from dagster_project.erasing.leftovers import sweep
from dagster_project.errors import ConfideError, scrubbed
from dagster_project.home import KEY_BYTES, Home, HomeError
from dagster_project.storage.closed_days import ClosedDays
from dagster_project.storage.contributions import Contributions
from dagster_project.storage.files import replacing
from dagster_project.storage.in_use import alone
from dagster_project.storage.ingest_index import IngestIndex, compact
from dagster_project.storage.landing import Landing
from dagster_project.storage.pseudonyms import NO_USER, Rekeying
from dagster_project.storage.rekeying import (
    put_in_place,
    stage_cache,
    stage_lake,
    stage_landing,
    stage_marks,
    stage_tombstones,
    staged,
    staged_files,
)
from dagster_project.storage.tombstones import Tombstones
from dagster_project.storage.warehouse_rewriting import write_rekeyed
from dagster_project.workspace import Workspace

WAIT_SECONDS = 60.0

Step = Callable[[str], None]
"""Called when a step is done (fault tests kill there)."""


class RotationFailed(ConfideError):
    """The new files could not be written; the home is as it was."""


def rotate_key(home: Home, wait_seconds: float = WAIT_SECONDS, step: Step = lambda _: None) -> dict[str, int]:
    """Rotate the key of a home, or finish a rotation that was cut short; counts of what has new pseudonyms.

    Raises HomeError when there is no home or its key is unsafe, HomeBusyError when others are at work in it for longer
    than `wait_seconds`, RotationFailed when something cannot be written.
    """
    if not home.exists:
        raise HomeError(f"{home.root} is not a Confide home: run `confide --home {home.root} init`")
    with alone(home, wait_seconds), scrubbed("rotating the key"):
        if not home.rotation_mark.exists():
            workspace = Workspace.open(home.root)
            if Tombstones(home).pending():
                carry_out(workspace)
            sweep(home)
            _stage(workspace, step)
        _put_in_place(home, step)
        return _counts(Workspace.open(home.root))


def _stage(workspace: Workspace, step: Step) -> None:
    home, key = workspace.home, secrets.token_bytes(KEY_BYTES)
    rekeying = Rekeying(key)
    try:
        inputs = stage_landing(workspace.landing, rekeying)
        step("landing")
        stage_lake(home, workspace.lake, rekeying, inputs)
        step("lake")
        for cache in [*sorted(home.cache.glob("*.sqlite")), home.inbox_memory]:
            stage_cache(cache, rekeying)
        write_rekeyed(home, rekeying, staged(home.warehouse))
        step("warehouse")
        stage_tombstones(home, rekeying)
        stage_marks(home.private / "marks", inputs)
        with replacing(staged(home.key_file)) as temporary:
            temporary.write_bytes(home.key() + key)
        step("staged")
        with replacing(home.rotation_mark) as temporary:
            temporary.write_text('{"staged": true}\n')
        step("meant")
    except (OSError, sqlite3.Error) as error:
        sweep(home)
        why = getattr(error, "strerror", None) or type(error).__name__
        raise RotationFailed(f"the key was not rotated, nothing has changed: {why}") from None


def _put_in_place(home: Home, step: Step) -> None:
    """Every step may be done again. The key goes last, the mark after it."""
    for path in sorted(staged_files(home), key=lambda path: path == staged(home.key_file)):
        put_in_place(path)
        step(f"placed {path.name}")
    # Which conversations count is chosen by pseudonym: a correction would count others than were published.
    ClosedDays(home).close(Landing(home).days())
    contributions = Contributions(home)
    contributions.forget(map(parse_period, contributions.periods()))
    days = {day.isoformat() for day in Landing(home).days()}
    for mark in (home.private / "marks").glob("*"):
        if mark.name not in days:
            mark.unlink()
    # The index is derived from landing: the next ingest fills it again.
    with IngestIndex(home.ingest_index) as index:
        index.clear()
        index.commit()
    compact(home.ingest_index)
    step("index")
    home.rotation_mark.unlink()


def _counts(workspace: Workspace) -> dict[str, int]:
    users: set[str] = set()
    conversations = 0
    for day in workspace.lake.days("conversations"):
        frame = workspace.lake.read("conversations", day)
        users.update(frame.filter(pl.col("user_key") != NO_USER)["user_key"].unique().to_list())
        conversations += frame.height
    return {"users": len(users), "conversations": conversations, "keys": len(workspace.home.key()) // KEY_BYTES}
