"""Tombstones: who and what was erased, under keyed pseudonyms alone, so that an old export cannot bring it back.

Lives here: the one small file that says so (`private/tombstones.json`), and which of it is still being carried out.
Not here: removing anything (`erasing/`), refusing records (`intake.py`).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import orjson

from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.storage.files import private_folder, replacing


class TombstonesDamaged(ConfideError):
    """The file cannot be read: nothing is ingested or erased until it is restored."""


@dataclass(frozen=True)
class Erased:
    """Pseudonyms of users and of conversations, and the day before which everything is erased by age."""

    users: frozenset[str] = frozenset()
    conversations: frozenset[str] = frozenset()
    before: date | None = None

    def __bool__(self) -> bool:
        return bool(self.users or self.conversations or self.before)

    def __or__(self, other: "Erased") -> "Erased":
        days = [day for day in (self.before, other.before) if day is not None]
        return Erased(self.users | other.users, self.conversations | other.conversations, max(days) if days else None)

    def minus(self, done: "Erased") -> "Erased":
        """What is left when some of it is done."""
        return Erased(
            self.users - done.users,
            self.conversations - done.conversations,
            None if self.before is None or (done.before is not None and done.before >= self.before) else self.before,
        )

    def covers(self, user_key: str, conversation_key: str, started_at: datetime) -> bool:
        """Whether a conversation is to stay out."""
        return user_key in self.users or conversation_key in self.conversations or self.covers_start(started_at)

    def covers_start(self, started_at: datetime) -> bool:
        """Whether everything of that time is erased by age."""
        return self.before is not None and started_at < datetime.combine(self.before, time(), UTC)


class Tombstones:
    """The tombstones of one home. Reading is cheap; every change replaces the file whole, one process at a time."""

    def __init__(self, home: Home) -> None:
        self._file = tombstones_file(home)

    def read(self) -> Erased:
        """Everything that was ever erased. Raises TombstonesDamaged."""
        return self._read()[0]

    def pending(self) -> Erased:
        """The part of it that may not be carried out yet. Raises TombstonesDamaged."""
        return self._read()[1]

    def add(self, erased: Erased) -> None:
        """Note what is to be erased: from now on it stays out, and it is pending. On disk when this returns."""
        with self._alone():
            every, pending = self._read()
            self._write(every | erased, pending | erased)

    def settle(self, done: Erased) -> None:
        """Note what was carried out."""
        with self._alone():
            every, pending = self._read()
            self._write(every, pending.minus(done))

    def _read(self) -> tuple[Erased, Erased]:
        try:
            document = orjson.loads(self._file.read_bytes())
            return _erased(document["erased"]), _erased(document["pending"])
        except FileNotFoundError:
            return Erased(), Erased()
        except (OSError, ValueError, KeyError, TypeError):
            raise TombstonesDamaged(
                f"{self._file} cannot be read: restore it from backup, it keeps out what was erased"
            ) from None

    def _write(self, every: Erased, pending: Erased) -> None:
        with replacing(self._file) as temporary:
            temporary.write_bytes(document_of(every, pending))
        descriptor = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        handle = os.open(private_folder(self._file.parent) / "tombstones.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def tombstones_file(home: Home) -> Path:
    """Where the tombstones lie."""
    return home.private / "tombstones.json"


def document_of(every: Erased, pending: Erased) -> bytes:
    """The file's content. Sorted: the order of erasing, and what was erased together, is not told."""
    return orjson.dumps({"erased": _plain(every), "pending": _plain(pending)})


def _plain(erased: Erased) -> dict[str, Any]:
    return {
        "users": sorted(erased.users),
        "conversations": sorted(erased.conversations),
        "before": erased.before,
    }


def _erased(plain: dict[str, Any]) -> Erased:
    before = plain["before"]
    return Erased(
        frozenset(plain["users"]),
        frozenset(plain["conversations"]),
        date.fromisoformat(before) if before is not None else None,
    )
