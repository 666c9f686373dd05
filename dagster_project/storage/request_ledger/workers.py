"""Who works with the ledger now, and who is dead: what the dead had intended may be taken over.

Lives here: one row a worker, its heartbeat, the judgement. On the same machine a worker lives as long as its process
(same number, same start); elsewhere as long as its heart beats. Not here: what is taken over (`requests.py`).
"""

import os
import secrets
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Connection

from dagster_project.storage.database import Database, DatabaseError
from dagster_project.storage.request_ledger.schema import WORKERS

BEAT_SECONDS = 20.0
SILENT_SECONDS = 120.0
"""Without a heartbeat for as long as this, a worker on another machine is dead."""
_KEPT_DAYS = 30
_PROC = Path("/proc")
_FORSAKEN: set[str] = set()
"""Workers of this process that nobody holds any more."""


class Worker:
    """This user of the ledger: registered on making, heard of until `close`, or until its process dies."""

    def __init__(self, database: Database, beat_seconds: float = BEAT_SECONDS) -> None:
        self.owner = secrets.token_hex(8)
        self._database = database
        self._row = {"owner": self.owner, "host": this_host(), "pid": os.getpid(), "started": started(os.getpid())}
        self._closing = threading.Event()
        with database.writing() as connection:
            now = database.now(connection)
            connection.execute(delete(WORKERS).where(WORKERS.c.heartbeat_at < now - timedelta(days=_KEPT_DAYS)))
            connection.execute(insert(WORKERS), {**self._row, "heartbeat_at": now})
        self._heart = threading.Thread(
            target=self._beat, args=(beat_seconds,), name=f"confide-ledger-{self.owner}", daemon=True
        )
        self._heart.start()

    def close(self) -> None:
        """Leave: what this worker had intended and not settled may be taken over at once."""
        if self._closing.is_set() or self._row["pid"] != os.getpid():
            return  # a forked child is not who registered
        self._closing.set()
        if threading.current_thread() is not self._heart:
            self._heart.join()
        with self._database.writing() as connection:
            connection.execute(delete(WORKERS).where(WORKERS.c.owner == self.owner))

    def forsake(self) -> None:
        """Leave, but not from here: the heart does it at its next beat, and to this process the worker is dead at once.

        For finalizers: garbage is collected in the middle of anything, also of a transaction on the same file, which
        leaving at once would wait for, and the transaction for it. Takes no lock, for the same reason.
        """
        _FORSAKEN.add(self.owner)

    def living(self, connection: Connection, owners: Iterable[str | None]) -> set[str]:
        """Those of the owners who are alive."""
        asked = {owner for owner in owners if owner is not None}
        alive = asked & {self.owner}
        if others := asked - alive:
            silent = self._database.now(connection) - timedelta(seconds=SILENT_SECONDS)
            for row in connection.execute(select(WORKERS).where(WORKERS.c.owner.in_(sorted(others)))):
                here = row.host == self._row["host"] and row.started is not None
                if started(row.pid) == row.started if here else row.heartbeat_at > silent:
                    alive.add(row.owner)
        return alive - _FORSAKEN

    def _beat(self, every: float) -> None:
        while not self._closing.wait(every):
            if self.owner in _FORSAKEN:
                with suppress(DatabaseError):
                    self.close()
                self._database.close()
                return
            try:
                with self._database.writing(durable=False) as connection:
                    now = self._database.now(connection)
                    mine = update(WORKERS).where(WORKERS.c.owner == self.owner)
                    if not connection.execute(mine.values(heartbeat_at=now)).rowcount:
                        connection.execute(insert(WORKERS), {**self._row, "heartbeat_at": now})
            except DatabaseError:
                continue  # the next beat may be luckier; who works notices by itself


def this_host() -> str:
    """This machine since it was started, and the process numbers that are seen here: containers have their own."""
    parts = [socket.gethostname()]
    try:
        parts.append((_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str((_PROC / "self/ns/pid").stat().st_ino))
    except OSError:
        pass  # not Linux: `started` is None, and heartbeats decide
    return "/".join(parts)[:255]


def started(pid: int) -> str | None:
    """When the process of this number started (clock ticks since boot); None where it is dead, or cannot be known.

    A process that was killed and not yet reaped is dead.
    """
    try:
        fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else fields[19].decode("ascii")
