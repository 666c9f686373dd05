"""The quarantine: refused records, by reason, as they came, for the operator to look at and mend.

Lives here: how they are kept (JSON lines, private). Not here: the reasons (`sources/outcome.py`). Nothing of the
quarantine is ever read by the pipeline.
"""

import base64
import hashlib
import os
import secrets
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson

from dagster_project.home import Home
from dagster_project.sources.outcome import Reason
from dagster_project.storage.files import private_folder

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

    def add(self, reason: Reason, source: Path, line_number: int, original: bytes, n_bytes: int) -> None:
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
