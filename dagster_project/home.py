"""The home: one private directory and the names of everything in it.

Lives here: paths, creation with the right modes, key files. Not here: settings (`settings.py`), what the
files contain (`storage/`).
"""

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from dagster_project.errors import ConfideError

PRIVATE_MODE = 0o700
KEY_BYTES = 32
LEAST_DISTINCT = 16
"""Bytes of a key that differ from one another: random ones have about 30, of one in 10^13 fewer than this."""


class HomeError(ConfideError):
    """The home is missing, unsafe or incomplete; the message says what to do next."""


@dataclass(frozen=True)
class Home:
    """Paths of one home. Creating this object touches nothing."""

    root: Path

    @property
    def settings_file(self) -> Path:
        return self.root / "confide.toml"

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def private(self) -> Path:
        return self.root / "private"

    @property
    def lake(self) -> Path:
        return self.private / "lake"

    @property
    def key_file(self) -> Path:
        return self.private / "keys" / "pseudonym.key"

    @property
    def rotation_mark(self) -> Path:
        """There while a key rotation is being put in place (`key_rotation.py`)."""
        return self.private / "keys" / "rotation.json"

    @property
    def cache(self) -> Path:
        return self.private / "cache"

    @property
    def coding(self) -> Path:
        """Samples for human coders, a folder each: text lies in them."""
        return self.private / "coding"

    @property
    def ingest_index(self) -> Path:
        return self.private / "ingest_index.sqlite"

    @property
    def inbox_memory(self) -> Path:
        """What became of the files of the folder that is watched (`inbox.py`)."""
        return self.private / "inbox.sqlite"

    @property
    def request_ledger(self) -> Path:
        return self.private / "ledger" / "requests.sqlite"

    @property
    def tmp(self) -> Path:
        return self.private / "tmp"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse" / "confide.duckdb"

    @property
    def dagster(self) -> Path:
        return self.root / "dagster"

    @property
    def publications(self) -> Path:
        return self.root / "publications"

    @property
    def release_ledger(self) -> Path:
        return self.private / "release_ledger.jsonl"

    @property
    def exists(self) -> bool:
        return self.settings_file.is_file()

    def folders(self) -> list[Path]:
        """Every folder of a home, parents first."""
        return [
            self.root,
            self.landing,
            self.private,
            self.lake,
            self.key_file.parent,
            self.cache,
            self.request_ledger.parent,
            self.tmp,
            self.quarantine,
            self.warehouse.parent,
            self.dagster,
            self.publications,
        ]

    def require_private(self) -> None:
        """Raise HomeError unless every folder that exists is one of the home itself and closed to others."""
        for folder in self.folders():
            if folder.is_symlink() and folder != self.root:
                raise HomeError(f"{folder} is a symbolic link: it must be a folder of the home itself")
            if folder.exists() and stat.S_IMODE(folder.stat().st_mode) & 0o077:
                raise HomeError(f"{folder} is open to others: chmod 700 it")

    def create(self) -> None:
        """Make the folders (0700) and the key (0600). Existing ones are left as they are.

        Raises HomeError where existing ones are open to others, and where conversations lie there without their key.
        """
        os.umask(0o077)
        self.require_private()
        if not self.key_file.exists() and any(self.landing.glob("*/*")):
            raise HomeError(
                f"there are conversations, but their key file {self.key_file} is missing: restore it from backup "
                "(under a new key each person would count as two)"
            )
        for folder in self.folders():
            folder.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
        if not self.key_file.exists():
            handle = os.open(self.key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))

    def key(self) -> bytes:
        """The pseudonym key, or the chain of keys after rotations, the oldest first: `KEY_BYTES` each.

        Raises HomeError when it is missing, short or readable by others, or while a rotation is half in place.
        """
        if self.rotation_mark.exists():
            raise HomeError("a key rotation was cut short: run `confide rotate-key` to finish it")
        try:
            info = self.key_file.stat()
            key = self.key_file.read_bytes()
        except OSError:
            raise HomeError(
                f"the key file {self.key_file} cannot be read: restore it from backup, users are known by it alone"
            ) from None
        if stat.S_IMODE(info.st_mode) & 0o077:
            raise HomeError(f"the key file {self.key_file} is readable by others: chmod 600 it")
        links = [key[i : i + KEY_BYTES] for i in range(0, len(key), KEY_BYTES)]
        if not links or any(len(link) != KEY_BYTES or len(set(link)) < LEAST_DISTINCT for link in links):
            raise HomeError(f"the key file {self.key_file} is not {KEY_BYTES} random bytes: restore it from backup")
        return key
