"""Who works in a home: any number of runs and ingests side by side, or one erasure or key rotation alone.

Lives here: the lock that tells them apart. It dies with its process. Not here: the locks of single stores (the
warehouse's, the ingest index's, the release's).
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.storage.files import private_folder

WAIT_SECONDS = 3600.0
POLL_SECONDS = 0.1


class HomeBusyError(ConfideError):
    """Others were at work in the home for longer than this one would wait."""


@contextmanager
def in_use(home: Home, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Work in a home beside others; waits for whoever is alone in it. Raises HomeBusyError."""
    with _locked(home, fcntl.LOCK_SH, wait_seconds, "an erasure or a key rotation goes on in this home"):
        yield


@contextmanager
def alone(home: Home, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Be the only one at work in a home; waits for those that are. Raises HomeBusyError."""
    with _locked(home, fcntl.LOCK_EX, wait_seconds, "a run or an ingest goes on in this home"):
        yield


@contextmanager
def _locked(home: Home, kind: int, wait_seconds: float, otherwise: str) -> Iterator[None]:
    handle = os.open(private_folder(home.private) / "in_use.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(handle, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise HomeBusyError(f"{otherwise}: try again when it is done") from None
                time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(handle)
