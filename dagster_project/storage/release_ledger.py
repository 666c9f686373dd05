"""The release ledger: every release as one line of a hash chain, appended and never changed.

Lives here: reading, verifying and appending. No ledger row, no publication: a release is entered before anything of
it becomes visible (`intent`), and once more when it is (`visible`) or never was (`void`). Not here: the snapshots
themselves (`publication.py`).
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dagster_project.domain.periods import Period, PeriodKind
from dagster_project.errors import ConfideError
from dagster_project.storage.files import replacing

FIRST = "0" * 64
"""What the first entry names as the hash before it."""
KINDS = ("intent", "visible", "void")


class ReleaseRefused(ConfideError):
    """Nothing was published; one line that says why and, where there is one, the next step."""


@dataclass(frozen=True)
class Entry:
    """One line. `periods`: key, kind, start, end and revision of what the release publishes for the first time."""

    index: int
    kind: str
    release_id: str
    manifest_sha256: str
    periods: tuple[Mapping[str, Any], ...]
    created_at: str
    previous: str
    hash: str

    @property
    def published(self) -> list[Period]:
        """The periods that this release publishes for the first time."""
        return [
            Period(date.fromisoformat(p["start"]), date.fromisoformat(p["end"]), PeriodKind(p["kind"]))
            for p in self.periods
        ]


class Ledger:
    """A verified ledger. Build it with `Ledger.read`."""

    def __init__(self, path: Path, entries: Sequence[Entry]) -> None:
        self._path = path
        self.entries = tuple(entries)

    @classmethod
    def read(cls, path: Path) -> "Ledger":
        """The whole chain, verified; empty where the file was never written.

        Raises ReleaseRefused when it is unreadable or any line was altered, dropped, moved or added by hand.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return cls(path, [])
        except (OSError, UnicodeDecodeError):
            raise ReleaseRefused("the release ledger cannot be read: restore it from backup") from None
        if text and not text.endswith("\n"):
            raise _altered(text.count("\n") + 1)
        entries: list[Entry] = []
        previous = FIRST
        for index, line in enumerate(text.splitlines()):
            try:
                fields = json.loads(line)
                entry = Entry(**{**fields, "periods": tuple(fields["periods"])})
            except (ValueError, TypeError, KeyError):
                raise _altered(index + 1) from None
            if (entry.index, entry.previous) != (index, previous) or entry.hash != _hash(fields):
                raise _altered(index + 1)
            if entry.kind not in KINDS or not _follows(entry, entries):
                raise _altered(index + 1)
            previous = entry.hash
            entries.append(entry)
        return cls(path, entries)

    def require_for(self, n_releases: int) -> None:
        """Raise ReleaseRefused where releases are there and no ledger: what they published cannot be known any more."""
        if n_releases and not self.entries:
            raise ReleaseRefused("the release ledger is missing but there are publications: restore it from backup")

    @property
    def head(self) -> str:
        """Hash of the last entry, which the next one names."""
        return self.entries[-1].hash if self.entries else FIRST

    @property
    def open_intent(self) -> Entry | None:
        """A release that was entered and not heard of since: its run was cut short."""
        return self.entries[-1] if self.entries and self.entries[-1].kind == "intent" else None

    @property
    def released(self) -> list[Entry]:
        """The intents of every release that became visible, in order."""
        visible = {entry.release_id for entry in self.entries if entry.kind == "visible"}
        return [entry for entry in self.entries if entry.kind == "intent" and entry.release_id in visible]

    def next_release_id(self, at: datetime) -> str:
        """A sortable id, by number first so that a clock stepping back changes nothing. `at` is UTC."""
        number = 1 + sum(entry.kind == "intent" for entry in self.entries)
        return f"r{number:04d}-{at:%Y%m%dT%H%M%SZ}"

    def append(
        self, kind: str, release_id: str, manifest_sha256: str, periods: Sequence[Mapping[str, Any]], at: datetime
    ) -> "Ledger":
        """The ledger with one more line, on disk when this returns. The file is replaced whole, never torn."""
        fields: dict[str, Any] = {
            "index": len(self.entries),
            "kind": kind,
            "release_id": release_id,
            "manifest_sha256": manifest_sha256,
            "periods": list(periods),
            "created_at": at.isoformat(),
            "previous": self.head,
        }
        fields["hash"] = _hash(fields)
        with replacing(self._path) as temporary:
            before = self._path.read_bytes() if self.entries else b""
            temporary.write_bytes(before + json.dumps(fields, sort_keys=True).encode() + b"\n")
        sync_folder(self._path.parent)
        return Ledger.read(self._path)


def _follows(entry: Entry, before: Sequence[Entry]) -> bool:
    """Whether an entry may come next: an intent on its own, its outcome right after it and of the same release."""
    after_intent = bool(before) and before[-1].kind == "intent"
    if entry.kind == "intent":
        return not after_intent and entry.release_id not in {e.release_id for e in before}
    return after_intent and before[-1].release_id == entry.release_id


def _hash(fields: Mapping[str, Any]) -> str:
    body = {name: value for name, value in fields.items() if name != "hash"}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _altered(line: int) -> ReleaseRefused:
    return ReleaseRefused(f"the release ledger was altered at line {line}: restore it from backup")


def sync_folder(folder: Path) -> None:
    """Make renames within a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
