"""The ingest index: what of each conversation has landed, without a word of it, so that one look-up decides.

Lives here: the SQLite file that says new, duplicate, replaced or conflict, and the lock that one ingest at a
time holds. It is derived from the landing parts and caught up with them (`intake.py`): losing it loses
nothing. Not here: texts (`landing.py`), reading files (`sources/`).
"""

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from dagster_project.errors import ConfideError
from dagster_project.storage.files import private_folder
from dagster_project.storage.tombstones import Erased

WAIT_SECONDS = 30.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversations (
    conversation_key BLOB PRIMARY KEY,
    user_key TEXT NOT NULL,
    started_at_us INTEGER NOT NULL,
    n_messages INTEGER NOT NULL,
    content_hash BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS earlier_versions (
    conversation_key BLOB,
    content_hash BLOB,
    PRIMARY KEY (conversation_key, content_hash)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parts (name TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class IngestBusyError(ConfideError):
    """Another ingest into the same home went on for longer than this one would wait."""


class IndexDamagedError(ConfideError):
    """The index file is not readable as one; the message says how to have it rebuilt."""


class Verdict(StrEnum):
    """What a conversation is, beside what has landed."""

    NEW = "new"
    DUPLICATE = "duplicate"
    REPLACED = "replaced"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Entry:
    """A conversation as the index knows it. `content_hash`: keyed, over roles and contents, 32 hex digits."""

    conversation_key: str
    user_key: str
    started_at: datetime
    n_messages: int
    content_hash: str


class IngestIndex:
    """The index, open for one ingest: the write lock is taken on entering, and only `commit` keeps anything.

    A second ingest waits `wait_seconds` and then raises IngestBusyError. The lock dies with its process.
    """

    def __init__(self, path: Path, wait_seconds: float = WAIT_SECONDS) -> None:
        self._path = path
        self._wait_seconds = wait_seconds

    def __enter__(self) -> Self:
        private_folder(self._path.parent)
        # SQLite would make the file readable by others where the umask lets it; its journal copies the mode.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(self._path, timeout=self._wait_seconds, isolation_level=None)
        try:
            self._db.execute("PRAGMA cache_size = -65536")
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.execute("PRAGMA temp_store = MEMORY")
            self._db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
        except sqlite3.DatabaseError as error:
            self._db.close()
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise IngestBusyError("another ingest into this home is running: try again when it is done") from None
            if isinstance(error, sqlite3.OperationalError):
                raise ConfideError(f"the ingest index cannot be written: {error}") from None
            raise IndexDamagedError(
                f"{self._path} is damaged: remove it, the next ingest rebuilds it from the landing folder"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def judge(self, entry: Entry, hash_of_first: Callable[[int], str]) -> Verdict:
        """What a conversation is, beside what has landed; new and replaced ones are noted.

        A version that was itself replaced is a duplicate when it comes again (an older export, or the same file
        twice); one that is shorter and never came is a conflict. hash_of_first: the content hash of its first n
        messages, asked only for a longer version.
        """
        key, content_hash = bytes.fromhex(entry.conversation_key), bytes.fromhex(entry.content_hash)
        known = self._db.execute(
            "SELECT user_key, started_at_us, n_messages, content_hash FROM conversations WHERE conversation_key = ?",
            (key,),
        ).fetchone()
        if known is None:
            self._note(key, entry)
            return Verdict.NEW
        user_key, started_at_us, n_messages, known_hash = known
        if user_key != entry.user_key or started_at_us != _microseconds(entry.started_at):
            return Verdict.CONFLICT
        if content_hash == known_hash or (entry.n_messages < n_messages and self._came_earlier(key, content_hash)):
            return Verdict.DUPLICATE
        if entry.n_messages <= n_messages or bytes.fromhex(hash_of_first(n_messages)) != known_hash:
            return Verdict.CONFLICT
        self._note_earlier(key, known_hash)
        self._note(key, entry)
        return Verdict.REPLACED

    def start_of(self, conversation_key: str) -> datetime | None:
        """When a conversation that has landed began; None for one that has not."""
        known = self._db.execute(
            "SELECT started_at_us FROM conversations WHERE conversation_key = ?", (bytes.fromhex(conversation_key),)
        ).fetchone()
        return None if known is None else _EPOCH + known[0] * _MICROSECOND

    def parts(self) -> set[str]:
        """Names of the landing parts that the index covers."""
        return {name for (name,) in self._db.execute("SELECT name FROM parts")}

    def clear(self) -> None:
        """Forget everything (until committed, for this ingest only)."""
        for table in ("conversations", "earlier_versions", "parts"):
            self._db.execute(f"DELETE FROM {table}")

    def cover(self, parts: Iterable[str]) -> None:
        """Note landing parts as covered."""
        self._db.executemany("INSERT OR IGNORE INTO parts VALUES (?)", ((name,) for name in parts))

    def catch_up(self, entries: Iterable[Entry]) -> None:
        """Take conversations of a part that landed without the index: the longer version stays."""
        for entry in entries:
            key, content_hash = bytes.fromhex(entry.conversation_key), bytes.fromhex(entry.content_hash)
            known = self._db.execute(
                "SELECT n_messages, content_hash FROM conversations WHERE conversation_key = ?", (key,)
            ).fetchone()
            if known is None:
                self._note(key, entry)
            elif known[0] < entry.n_messages:
                self._note_earlier(key, known[1])
                self._note(key, entry)
            elif known[1] != content_hash:
                self._note_earlier(key, content_hash)

    def mark(self, erased: Erased) -> None:
        """Take down, for this ingest only, which conversations are to be erased: `shared` and `erase` speak of them."""
        self._db.execute("CREATE TEMP TABLE marked (conversation_key BLOB PRIMARY KEY) WITHOUT ROWID")
        self._db.executemany(
            "INSERT INTO marked VALUES (?)", ((bytes.fromhex(key),) for key in sorted(erased.conversations))
        )
        into = "INSERT OR IGNORE INTO marked SELECT conversation_key FROM conversations WHERE "
        self._db.executemany(f"{into} user_key = ?", ((user,) for user in sorted(erased.users)))
        if erased.before is not None:
            until = _microseconds(datetime.combine(erased.before, time(), UTC))
            self._db.execute(f"{into} started_at_us < ?", (until,))

    def shared(self, content_hashes: Iterable[str]) -> set[str]:
        """Those contents that a conversation has which is not marked, in any version that landed."""
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS asked (content_hash BLOB PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("DELETE FROM asked")
        self._db.executemany(
            "INSERT OR IGNORE INTO asked VALUES (?)", ((bytes.fromhex(one),) for one in content_hashes)
        )
        found: set[str] = set()
        for table in ("conversations", "earlier_versions"):
            rows = self._db.execute(
                f"SELECT DISTINCT content_hash FROM {table} WHERE content_hash IN (SELECT content_hash FROM asked) "
                "AND conversation_key NOT IN (SELECT conversation_key FROM marked)"
            )
            found.update(one.hex() for (one,) in rows)
        return found

    def erase(self) -> int:
        """Forget the marked conversations (until committed, for this ingest only); how many there were."""
        where = "WHERE conversation_key IN (SELECT conversation_key FROM marked)"
        self._db.execute(f"DELETE FROM earlier_versions {where}")
        return self._db.execute(f"DELETE FROM conversations {where}").rowcount

    def uncover(self, parts: Iterable[str]) -> None:
        """Forget landing parts that are no longer there."""
        self._db.executemany("DELETE FROM parts WHERE name = ?", ((name,) for name in parts))

    def commit(self) -> None:
        """Keep what was noted. Only after the parts it speaks of are in place."""
        self._db.execute("COMMIT")

    def _came_earlier(self, key: bytes, content_hash: bytes) -> bool:
        found = self._db.execute(
            "SELECT 1 FROM earlier_versions WHERE conversation_key = ? AND content_hash = ?", (key, content_hash)
        )
        return found.fetchone() is not None

    def _note_earlier(self, key: bytes, content_hash: bytes) -> None:
        self._db.execute("INSERT OR IGNORE INTO earlier_versions VALUES (?, ?)", (key, content_hash))

    def _note(self, key: bytes, entry: Entry) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO conversations VALUES (?, ?, ?, ?, ?)",
            (
                key,
                entry.user_key,
                _microseconds(entry.started_at),
                entry.n_messages,
                bytes.fromhex(entry.content_hash),
            ),
        )


def compact(path: Path) -> None:
    """Rewrite an index, so that nothing of what was erased is left between its rows. Raises sqlite3.Error."""
    with closing(sqlite3.connect(path, timeout=WAIT_SECONDS)) as db:
        db.execute("VACUUM")


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
