"""Writes releases: the only writer outside the private zone, and only `release.py` may import it.

A release is a whole snapshot under a name beginning with a dot, entered in the ledger, renamed, and then pointed at:
nothing of it is visible before the rename, and a reader of the pointer sees the old release or the new one. Modes are
the home's own (folders 0700, files 0400): who may see a release is the operator's decision, taken by copying it out.
Not here: what may be published (`domain/disclosure/`, `expectations/`), reading (`published.py`).
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from dagster_project.domain.tables import PUBLISHED, TABLES
from dagster_project.home import Home
from dagster_project.storage.files import private_folder
from dagster_project.storage.published import (
    CURRENT,
    MANIFEST,
    Snapshot,
    SnapshotDamaged,
    current,
    file_sha256,
    polars_schema,
    verify,
)
from dagster_project.storage.release_ledger import Entry, Ledger, ReleaseRefused, sync_folder

UNFINISHED = ".unfinished-"
FORMULA_START = r"^[=+\-@\t\r]"
READ_ONLY = 0o400

Content = str | bytes | pl.DataFrame
"""What a file holds: text, bytes, or rows of a published table, which become CSV as the tables do."""
Page = Callable[[Mapping[str, pl.DataFrame], Mapping[str, Any]], str]
Render = Callable[[Mapping[str, pl.DataFrame], Mapping[str, Any]], Mapping[str, Content]]
Step = Callable[[str], None]


@dataclass(frozen=True)
class Draft:
    """What a new release adds: its rows by table, its periods as the manifest has them, and general keys.

    report: what makes the report's files of all tables and the manifest, by name. pages: by file name, what makes one.
    """

    rows: Mapping[str, pl.DataFrame]
    periods: Sequence[Mapping[str, Any]]
    about: Mapping[str, Any]
    report: Render
    pages: Mapping[str, Page]


@contextmanager
def release_lock(home: Home) -> Iterator[None]:
    """Hold the home's only right to release. Raises ReleaseRefused when another process has it.

    Meanwhile whatever this process makes is private: polars and DuckDB make files as open as the host lets them, and a
    kill before their mode is set would leave them so.
    """
    private_folder(home.private)
    handle = os.open(home.private / "release.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise ReleaseRefused("another release of this home is running: wait for it") from None
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
        os.close(handle)


def recover(home: Home, at: datetime, step: Step = lambda _: None) -> tuple[Ledger, Snapshot | None]:
    """Verify ledger and publications against one another, and finish what a killed run left.

    A release that had become visible is completed (pointer, ledger); one that had not is void. Call it under
    `release_lock`. Returns the ledger and the newest release. Raises ReleaseRefused on any contradiction.
    """
    private_folder(home.publications)
    ledger = Ledger.read(home.release_ledger)
    folders = {p.name for p in home.publications.iterdir() if not p.name.startswith(".") and p.name != CURRENT}
    ledger.require_for(len(folders))
    if cut_short := ledger.open_intent:
        if cut_short.release_id in folders:
            _require_as_entered(home, cut_short)
            _point(home, cut_short.release_id, step)
            ledger = _enter(ledger, "visible", cut_short, at)
        else:
            ledger = _enter(ledger, "void", cut_short, at)
    released = {entry.release_id: entry for entry in ledger.released}
    if unknown := folders - set(released):
        raise ReleaseRefused(f"{len(unknown)} folder(s) in publications/ are not in the release ledger: move them away")
    for leftover in home.publications.glob(f"{UNFINISHED}*"):
        _remove(leftover)
    newest = current(home)
    if not released:
        if newest is not None:
            raise ReleaseRefused("publications/current points at a release that the ledger does not have")
        return ledger, None
    last = ledger.released[-1]
    if newest is None or newest.release_id != last.release_id:
        raise ReleaseRefused(
            f"publications/current does not point at the newest release: point it at {last.release_id}"
        )
    for name in sorted(folders):
        _require_as_entered(home, released[name], whole=name == last.release_id)
    return ledger, newest


def publish(
    home: Home,
    ledger: Ledger,
    newest: Snapshot | None,
    draft: Draft,
    at: datetime,
    step: Step = lambda _: None,
) -> Snapshot:
    """Write, enter, rename, point. `ledger` and `newest` come from `recover`, under the same lock.

    `step` is told the name of each step as it ends (fault tests kill there). Raises ReleaseRefused, with nothing
    visible, when anything cannot be written.
    """
    release_id = ledger.next_release_id(at)
    unfinished = home.publications / f"{UNFINISHED}{release_id}"
    try:
        _write_files(unfinished, release_id, ledger, newest, draft, at, step)
        ledger = ledger.append("intent", release_id, file_sha256(unfinished / MANIFEST), _entered(draft.periods), at)
    except (OSError, duckdb.Error, pl.exceptions.PolarsError) as error:
        # The libraries' own messages may quote a cell.
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        _remove(unfinished)
        raise ReleaseRefused(f"the release could not be written ({why}); nothing was published") from None
    except BaseException:
        _remove(unfinished)
        raise
    try:
        step("entered")
        unfinished.rename(home.publications / release_id)
        sync_folder(home.publications)
        step("renamed")
        _point(home, release_id, step)
        _enter(ledger, "visible", ledger.entries[-1], at)
    except OSError as error:
        raise ReleaseRefused(
            f"release {release_id} was written but not finished ({error.strerror}): run `confide release` again"
        ) from None
    step("confirmed")
    return Snapshot(home.publications / release_id)


def _write_files(
    folder: Path,
    release_id: str,
    ledger: Ledger,
    newest: Snapshot | None,
    draft: Draft,
    at: datetime,
    step: Step,
) -> None:
    private_folder(folder / "tables")
    whole = {name: _whole_table(name, newest, draft.rows.get(name)) for name in PUBLISHED}
    tables = {name: frame for name, frame in whole.items() if name in TABLES or frame.height}
    manifest: dict[str, Any] = {
        "release_id": release_id,
        "created_at": at.isoformat(),
        "previous_ledger_entry": ledger.head,
        "periods": [*(newest.manifest()["periods"] if newest else []), *draft.periods],
        "cells": {name: count_cells(frame) for name, frame in tables.items() if not PUBLISHED[name].is_topic},
        **draft.about,
    }
    files: dict[str, Any] = {}

    def done(name: str, rows: int) -> None:
        file = folder / name
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
        file.chmod(READ_ONLY)
        files[name] = {"sha256": file_sha256(file), "bytes": file.stat().st_size, "rows": rows}
        step(f"wrote {name}")

    for name, frame in tables.items():
        frame.write_parquet(folder / "tables" / f"{name}.parquet", compression="zstd")
        done(f"tables/{name}.parquet", frame.height)
        _write(folder / "tables" / f"{name}.csv", frame)
        done(f"tables/{name}.csv", frame.height)
    _write_duckdb(folder / "confide.duckdb", tables)
    done("confide.duckdb", sum(frame.height for frame in tables.values()))
    manifest["files"] = dict(files)
    for name, content in draft.report(tables, manifest).items():
        private_folder((folder / name).parent)
        _write(folder / name, content)
        done(name, content.height if isinstance(content, pl.DataFrame) else 0)
    for name, page in draft.pages.items():
        _write(folder / name, page(tables, manifest))
        done(name, 0)
    manifest["files"] = dict(files)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    done(MANIFEST, 0)
    for path in {folder / Path(name).parent for name in files} | {folder}:
        sync_folder(path)


def _whole_table(name: str, newest: Snapshot | None, new: pl.DataFrame | None) -> pl.DataFrame:
    """Everything published so far and the new rows, by period. Earlier rows keep their order and their values."""
    schema = polars_schema(PUBLISHED[name])
    empty = pl.DataFrame(schema=schema)
    earlier = newest.read_table(name) if newest else empty
    whole = pl.concat([earlier, (empty if new is None else new).select(list(schema)).cast(pl.Schema(schema))])
    return whole.sort("period_start", "period_end", "revision", maintain_order=True)


def count_cells(frame: pl.DataFrame) -> dict[str, int]:
    """How many cells of a fixed-category table are published, and how many withheld."""
    withheld = int(frame["suppressed"].sum())
    return {"published": frame.height - withheld, "withheld": withheld}


def _write(file: Path, content: Content) -> None:
    match content:
        case str():
            file.write_text(content, encoding="utf-8")
        case bytes():
            file.write_bytes(content)
        case _:
            _escaped(content).write_csv(file)


def _escaped(frame: pl.DataFrame) -> pl.DataFrame:
    """Text that a spreadsheet would run as a formula gets an apostrophe before it; numbers stay as they are."""
    text = pl.col(pl.String)
    return frame.with_columns(pl.when(text.str.contains(FORMULA_START)).then("'" + text).otherwise(text).name.keep())


def _write_duckdb(file: Path, tables: Mapping[str, pl.DataFrame]) -> None:
    """A fresh database, so that no deleted value lingers in it, with a comment on every table and column."""
    with duckdb.connect(file) as connection:
        connection.execute("SET temp_directory = ''")
        for name, frame in tables.items():
            table = PUBLISHED[name]
            columns = ", ".join(f'"{c.name}" {c.kind.value}' for c in table.published_columns)
            connection.execute(f'CREATE TABLE main."{name}" ({columns})')
            connection.register("published_rows", frame.to_arrow())
            connection.execute(f'INSERT INTO main."{name}" SELECT * FROM published_rows')
            connection.unregister("published_rows")
            connection.execute(f"COMMENT ON TABLE main.\"{name}\" IS '{_quoted(table.description)}'")
            for column in table.published_columns:
                comment = _quoted(column.description)
                connection.execute(f'COMMENT ON COLUMN main."{name}"."{column.name}" IS \'{comment}\'')
        connection.execute("CHECKPOINT")


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _point(home: Home, release_id: str, step: Step) -> None:
    pointer = home.publications / f"{UNFINISHED}{CURRENT}"
    pointer.unlink(missing_ok=True)
    pointer.symlink_to(release_id)
    pointer.replace(home.publications / CURRENT)
    sync_folder(home.publications)
    step("pointed")


def _enter(ledger: Ledger, kind: str, intent: Entry, at: datetime) -> Ledger:
    return ledger.append(kind, intent.release_id, intent.manifest_sha256, [], at)


def _entered(periods: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = ("key", "kind", "start", "end", "revision", "epsilon")
    return [{name: period[name] for name in names if name in period} for period in periods]


def _require_as_entered(home: Home, entry: Entry, whole: bool = True) -> None:
    snapshot = Snapshot(home.publications / entry.release_id)
    try:
        manifest = snapshot.manifest()
        if snapshot.manifest_sha256() != entry.manifest_sha256 or manifest["previous_ledger_entry"] != entry.previous:
            raise SnapshotDamaged(f"release {entry.release_id}: {MANIFEST} is not the one in the ledger")
        if whole:
            verify(snapshot)
    except SnapshotDamaged as error:
        raise ReleaseRefused(f"{error}: restore it from backup; nothing was published") from None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
