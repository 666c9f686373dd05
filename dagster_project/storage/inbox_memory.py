"""What became of the files of the inbox: a small database that knows them by keyed marks, and no name or word of them.

Lives here: which files were seen when, tried how often, taken or given up; and which days an intake touched that nobody
was asked to run yet. Losing it loses no conversation: files are read again, and ingesting knows what has landed. Not
here: looking at the folder and taking files in (`inbox.py`).
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from types import TracebackType
from typing import Self

from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.storage.files import private_folder

WAIT_SECONDS = 30.0
KEPT_SECONDS = 30 * 86_400.0
"""How long a file that is gone is remembered: it may come back with a disk that was away."""
TAKEN = "taken"
_UNDER_WAY = ""
"""In the place of a day: the intake began that the other rows are from before of."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    file_mark TEXT PRIMARY KEY,
    seen_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    outcome TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS before_intake (day TEXT PRIMARY KEY, inputs TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owed (day TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class InboxMemoryError(ConfideError):
    """The database cannot be read or written; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Known:
    """A file as it was met. seen_at: when first, in seconds. outcome: `TAKEN`, why it was given up, or None before."""

    seen_at: float
    attempts: int
    outcome: str | None


class InboxMemory:
    """The database of one home, open; each method is one transaction. Raises InboxMemoryError."""

    def __init__(self, home: Home) -> None:
        self._path = home.inbox_memory

    def __enter__(self) -> Self:
        private_folder(self._path.parent)
        # SQLite would make the file readable by others where the umask lets it; its journal copies the mode.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        with self._own_words():
            self._db = sqlite3.connect(self._path, timeout=WAIT_SECONDS)
            self._db.executescript(_SCHEMA)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def meet(self, marks: Iterable[str], now: float) -> dict[str, Known]:
        """What is known of the files that lie in the folder now; new ones are noted.

        A mark that was waiting and is no longer there was a file that has grown since: it is forgotten.
        """
        here = set(marks)
        with self._own_words(), self._db:
            self._db.executemany(
                "INSERT OR IGNORE INTO files (file_mark, seen_at) VALUES (?, ?)", ((m, now) for m in here)
            )
            # A clock that stepped back would have a file wait for as long as it stepped.
            self._db.execute("UPDATE files SET seen_at = ? WHERE seen_at > ?", (now, now))
            known = {mark: Known(*row) for mark, *row in self._db.execute("SELECT * FROM files")}
            gone = [
                mark
                for mark, one in known.items()
                if mark not in here and (one.outcome is None or one.seen_at < now - KEPT_SECONDS)
            ]
            self._db.executemany("DELETE FROM files WHERE file_mark = ?", ((mark,) for mark in gone))
        return {mark: known[mark] for mark in here}

    def begin(self, marks: Iterable[str], inputs: Mapping[date, str]) -> None:
        """Note, before files are tried, that they are, and what every day held before."""
        with self._own_words(), self._db:
            self._db.executemany("UPDATE files SET attempts = attempts + 1 WHERE file_mark = ?", ((m,) for m in marks))
            self._db.execute("DELETE FROM before_intake")
            rows = [(_UNDER_WAY, ""), *((day.isoformat(), digest) for day, digest in inputs.items())]
            self._db.executemany("INSERT INTO before_intake VALUES (?, ?)", rows)

    def reckon(self, inputs: Mapping[date, str]) -> None:
        """Note as owed the days that hold something else than before the last intake, also of one that was killed."""
        with self._own_words(), self._db:
            before = dict(self._db.execute("SELECT day, inputs FROM before_intake").fetchall())
            if _UNDER_WAY in before:
                changed = [day.isoformat() for day, digest in inputs.items() if before.get(day.isoformat()) != digest]
                self._db.executemany("INSERT OR IGNORE INTO owed VALUES (?)", ((day,) for day in changed))
                self._db.execute("DELETE FROM before_intake")

    def conclude(self, marks: Iterable[str], outcome: str) -> None:
        """Note what became of some files: they are not tried again."""
        with self._own_words(), self._db:
            self._db.executemany("UPDATE files SET outcome = ? WHERE file_mark = ?", ((outcome, m) for m in marks))

    def excuse(self, marks: Iterable[str]) -> None:
        """Take an attempt back that failed by no fault of the files."""
        with self._own_words(), self._db:
            self._db.executemany("UPDATE files SET attempts = attempts - 1 WHERE file_mark = ?", ((m,) for m in marks))

    def owed(self) -> set[date]:
        """Days that an intake touched, until `settle`."""
        with self._own_words():
            return {date.fromisoformat(day) for (day,) in self._db.execute("SELECT day FROM owed")}

    def settle(self, days: Iterable[date]) -> None:
        """Note that somebody has run these days."""
        with self._own_words(), self._db:
            self._db.executemany("DELETE FROM owed WHERE day = ?", ((day.isoformat(),) for day in days))

    @contextmanager
    def _own_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise InboxMemoryError(f"{self._path} cannot be used: {error}") from None
        except sqlite3.DatabaseError:
            raise InboxMemoryError(f"{self._path} is damaged: remove it, the inbox is then read again") from None
