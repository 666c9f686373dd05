"""The request ledger, as others open it: SQLite in a home, or PostgreSQL for several homes and machines.

Lives here: opening and closing, and the keyed hash of a content. Not here: claiming and settling, batches, money
(the other modules of this package), sending (`classifiers/claude`).
"""

import atexit
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import insert, select

from dagster_project.domain.conversations import Conversation
from dagster_project.storage import answers
from dagster_project.storage.database import Database, DatabaseError
from dagster_project.storage.pseudonyms import Pseudonyms
from dagster_project.storage.request_ledger.batches import Batches
from dagster_project.storage.request_ledger.key import key_of
from dagster_project.storage.request_ledger.records import LedgerError
from dagster_project.storage.request_ledger.schema import ABOUT, METADATA, VERSION
from dagster_project.storage.request_ledger.workers import Worker

KEY_FILE = "ledger.key"
_ENDING = threading.Event()


class RequestLedger(Batches):
    """One user's view of the ledger; a context manager. Threads may share it, processes open their own.

    Every method is one transaction and raises DatabaseError where the database fails. While it is open, what it claimed
    and did not settle is its own; closing it, or the death of its process, lets others take that over.
    """

    def __init__(self, database: Database, worker: Worker, pseudonyms: Pseudonyms, run: str | None = None) -> None:
        super().__init__(database, worker, run)
        self._pseudonyms = pseudonyms
        # A ledger that nobody holds any more must not pass for a living worker as long as its process runs.
        self._leave = weakref.finalize(self, _leave, database, worker)
        _notice_the_end()

    @classmethod
    def open(
        cls,
        url: str,
        key_file: Path | None = None,
        run: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> "RequestLedger":
        """Open, or make, the ledger at `sqlite:////path` or `postgresql://user@host/name`.

        key_file: the ledger's own key; beside a SQLite file (`ledger.key`) unless given. A new ledger makes its key.
        run: what costs are booked under (`costs(run)`); this worker's own name unless given. clock: seconds since
        1970, on SQLite. Raises DatabaseError, and LedgerError when the key is missing or another's.
        """
        database = Database.open(url, (METADATA, answers.METADATA), clock)
        try:
            if key_file is None:
                if not database.is_sqlite:
                    raise LedgerError(f"the ledger {database.name} needs a key file: give the one it was made with")
                key_file = Path(database.name).with_name(KEY_FILE)
            with database.writing() as connection:
                database.alone(connection, 0x4B6579)
                known = connection.execute(select(ABOUT.c.value).where(ABOUT.c.name == "version")).scalar()
                if known is None:
                    connection.execute(insert(ABOUT), {"name": "version", "value": VERSION})
                elif known != VERSION:
                    raise LedgerError(f"the ledger {database.name} is of another version of Confide: use that one")
                key = key_of(connection, key_file, database.name)
            return cls(database, Worker(database), Pseudonyms(key), run)
        except BaseException:
            database.close()
            raise

    def content(self, conversation: Conversation) -> str:
        """Keyed hash of roles and contents, 32 hexadecimal digits: equal contents are asked about once."""
        parts = (part for message in conversation.messages for part in (message.role.value, message.content))
        return self._pseudonyms.content(parts)

    def close(self) -> None:
        """Leave the ledger. What was claimed and not settled may be taken over at once. Raises DatabaseError."""
        if self._leave.detach():
            _leave_or_raise(self.database, self._worker)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _leave_or_raise(database: Database, worker: Worker) -> None:
    try:
        worker.close()
    finally:
        database.close()


def _leave(database: Database, worker: Worker) -> None:
    """The same when nobody is left to be told of an error: others find the worker dead by its process."""
    if not _ENDING.is_set():
        worker.forsake()
        return
    with suppress(DatabaseError):
        _leave_or_raise(database, worker)


@cache
def _notice_the_end() -> None:
    """Have it known when the interpreter ends. To be called after the first finalizer was made, to come before them."""
    atexit.register(_ENDING.set)
