"""Reads releases: the newest one, its tables, and whether it is still what was published.

Anybody may import this; only `release.py` may import the writer (`publication.py`). Not here: the ledger.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project.domain.columns import Kind, Table
from dagster_project.domain.tables import PUBLISHED
from dagster_project.errors import ConfideError
from dagster_project.home import Home

CURRENT = "current"
MANIFEST = "manifest.json"

TYPES: dict[Kind, pl.DataType | type[pl.DataType]] = {
    Kind.TEXT: pl.String,
    Kind.DATE: pl.Date,
    Kind.COUNT: pl.Int64,
    Kind.NUMBER: pl.Float64,
    Kind.FLAG: pl.Boolean,
}


class SnapshotDamaged(ConfideError):
    """A release is not what its manifest says; one line that names the file."""


@dataclass(frozen=True)
class Snapshot:
    """One release on disk."""

    path: Path

    @property
    def release_id(self) -> str:
        return self.path.name

    def manifest(self) -> dict[str, Any]:
        """The manifest. Raises SnapshotDamaged when it cannot be read."""
        try:
            manifest = json.loads((self.path / MANIFEST).read_bytes())
        except (OSError, ValueError):
            raise SnapshotDamaged(f"release {self.release_id}: {MANIFEST} cannot be read") from None
        if not isinstance(manifest, dict) or manifest.get("release_id") != self.release_id:
            raise SnapshotDamaged(f"release {self.release_id}: {MANIFEST} is of another release")
        return manifest

    def manifest_sha256(self) -> str:
        """Digest of the manifest's bytes, as the ledger has it."""
        return file_sha256(self.path / MANIFEST)

    def read_table(self, name: str) -> pl.DataFrame:
        """One published table; no rows where the release is older than the table. Raises KeyError on an unknown one."""
        schema = polars_schema(PUBLISHED[name])
        file = self.path / "tables" / f"{name}.parquet"
        empty = pl.DataFrame(schema=schema)
        if not file.exists():
            return empty
        return pl.concat([empty, pl.read_parquet(file)], how="diagonal").select(list(schema))


def polars_schema(table: Table) -> dict[str, pl.DataType | type[pl.DataType]]:
    """The columns of a published table, in order, as polars types."""
    return {column.name: TYPES[column.kind] for column in table.published_columns}


def current(home: Home) -> Snapshot | None:
    """The newest release, or None before the first. Follows the pointer once, so a reader stays on one release.

    Raises SnapshotDamaged when it points at anything but a folder beside it.
    """
    pointer = home.publications / CURRENT
    if not pointer.is_symlink():
        return None
    target = pointer.readlink()
    if target.parts != (target.name,) or (home.publications / target).is_symlink():
        raise SnapshotDamaged(
            "publications/current does not point at a folder beside it: point it at the newest release"
        )
    return Snapshot(home.publications / target)


def damages(snapshot: Snapshot) -> list[str]:
    """What of a release is not as its manifest says, in words that name files; empty where everything is.

    Raises SnapshotDamaged where there is no manifest to go by.
    """
    files = snapshot.manifest().get("files", {})
    there = {str(p.relative_to(snapshot.path)) for p in snapshot.path.rglob("*") if not p.is_dir()} - {MANIFEST}
    found = [f"{name} is missing" for name in sorted(set(files) - there)]
    if added := len(there - set(files)):
        found.append(f"{added} file(s) are not of the release")
    altered = [name for name in files if name in there and file_sha256(snapshot.path / name) != files[name]["sha256"]]
    return found + [f"{name} was altered" for name in altered]


def verify(snapshot: Snapshot) -> None:
    """Raise SnapshotDamaged unless every file is the one of the manifest, and there is no other."""
    if found := damages(snapshot):
        raise SnapshotDamaged(f"release {snapshot.release_id}: {found[0]}")


def file_sha256(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
