"""The quarantine: refused records, by reason, as they came, for the operator to look at and mend.

Lives here: how they are kept (JSON lines, private), and taking some out again. Not here: the reasons
(`sources/outcome.py`), whose a record is (`sources/mentions.py`). No step of the pipeline reads the quarantine.
"""

import base64
import hashlib
import os
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson

from dagster_project.home import Home
from dagster_project.sources.outcome import Reason
from dagster_project.storage.files import private_folder, replacing

KEPT_BYTES = 1024 * 1024
"""Of one record; the whole of nearly all. The source file has the rest."""


class Quarantine:
    """Takes the refused records of one ingest; `keep` puts them in place, one file a reason.

    Files are named after their contents, so that the same input refused again replaces them. Use as a
    context manager under the lock of the ingest index; without `keep` nothing stays.
    """

    def __init__(self, home: Home) -> None:
        self._root = home.quarantine
        self._open: dict[Reason, tuple[Path, IO[bytes], Any]] = {}
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        for left in self._root.glob("*/.*.tmp"):
            left.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path, file, _ in self._open.values():
            file.close()
            path.unlink(missing_ok=True)

    def add(self, reason: Reason, source: Path | str, line_number: int, original: bytes, n_bytes: int) -> None:
        """Take one record. line_number 0: the file as such. n_bytes: its whole length."""
        kept = original[:KEPT_BYTES]
        record: dict[str, Any] = {"file": os.fsencode(source).decode(errors="replace"), "line": line_number}
        record |= {"reason": reason.value, "n_bytes": n_bytes, "shortened": len(kept) < n_bytes}
        try:
            record["original"] = kept.decode()
        except UnicodeDecodeError:
            record["original_base64"] = base64.b64encode(kept).decode()
        data = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        _, file, digest = self._open.get(reason) or self._begin(reason)
        file.write(data)
        digest.update(data)
        self.counts[reason.value] += 1

    def keep(self) -> list[Path]:
        """Put what was taken in place and return the files."""
        files = []
        for reason, (pending, file, digest) in sorted(self._open.items()):
            file.flush()
            os.fsync(file.fileno())
            file.close()
            path = self._root / reason.value / f"{digest.hexdigest()[:16]}.jsonl"
            pending.replace(path)
            files.append(path)
        self._open.clear()
        return files

    def _begin(self, reason: Reason) -> tuple[Path, IO[bytes], Any]:
        folder = private_folder(self._root / reason.value)
        pending = folder / f".{secrets.token_hex(8)}.tmp"
        descriptor = os.open(pending, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._open[reason] = pending, os.fdopen(descriptor, "wb"), hashlib.sha256()
        return self._open[reason]


def drop_records(home: Home, goes: Callable[[str, bytes], bool], set_aside_before: datetime | None = None) -> int:
    """Take records out, and files that were set aside before a time whole; how many records went.

    goes: called with a record's source file and its original bytes. A file is replaced by one named after what is left.
    Call it while alone in the home (`in_use.alone`). Raises OSError.
    """
    gone = 0
    for path in sorted(home.quarantine.glob("*/*.jsonl")):
        too_old = set_aside_before is not None and path.stat().st_mtime < set_aside_before.timestamp()
        digest, kept, dropped = hashlib.sha256(), 0, 0
        pending = path.parent / f".{secrets.token_hex(8)}.tmp"
        try:
            with path.open("rb") as lines, replacing(pending) as temporary, temporary.open("wb") as left:
                for line in lines:
                    if too_old or _goes(line, goes):
                        dropped += 1
                        continue
                    left.write(line)
                    digest.update(line)
                    kept += 1
            if dropped:
                if kept:
                    os.utime(pending, (path.stat().st_atime, path.stat().st_mtime))
                    pending.replace(path.parent / f"{digest.hexdigest()[:16]}.jsonl")
                path.unlink()
        finally:
            pending.unlink(missing_ok=True)
        gone += dropped
    return gone


def _goes(line: bytes, goes: Callable[[str, bytes], bool]) -> bool:
    try:
        record = orjson.loads(line)
        kept = record["original"].encode() if "original" in record else base64.b64decode(record["original_base64"])
        return goes(record["file"], kept)
    except (ValueError, KeyError, TypeError, AttributeError):
        # A line that an operator has changed is still somebody's.
        return goes("", line)
