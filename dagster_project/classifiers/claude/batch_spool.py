"""A batch in the making: its body on disk, in the form in which it is sent, so that memory holds none of it.

Lives here: how large a batch may be, and the file. The file has no name (or loses it at once): it is gone with the
process, however that ends. Not here: sending it (`batch_calls.py`).
"""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from dagster_project.classifiers.claude.transport import TransportError
from dagster_project.storage.files import private_folder
from dagster_project.storage.request_ledger.records import Request

BLOCK = 1 << 18
_OPENING, _BETWEEN, _CLOSING = b'{"requests":[', b",", b"]}"


@dataclass(frozen=True)
class BatchLimits:
    """What a batch may be. requests, bytes: the API's own limits are 100,000 and 256 MB.

    clock: seconds by which our clock and the provider's may differ: generous, for whoever is taken for a candidate only
    costs a look, and whoever is not may be paid twice. gone: seconds that a batch must be missing before
    it is taken to be gone for good. overdue: seconds after which a batch has ended, or something is wrong (the API
    ends it after 24 hours). fetches: fetches in a row of whole results that bring nothing new before what they lack is
    taken to be lost.
    """

    requests: int = 100_000
    bytes: int = 255_000_000
    clock: float = 24 * 3600.0
    gone: float = 600.0
    overdue: float = 26 * 3600.0
    fetches: int = 3


class Spool:
    """The body of one batch; a context manager. Iterating over it gives the body in blocks, as often as asked for.

    ids: the custom_ids in it. n_bytes: of the whole body. Raises TransportError where the disk fails.
    """

    def __init__(self, folder: Path, limits: BatchLimits) -> None:
        """folder: private; conversations are in the file."""
        self._limits = limits
        self._folder = folder
        with self._in_own_words():
            self._file = tempfile.TemporaryFile(dir=private_folder(folder), buffering=BLOCK)  # noqa: SIM115
            self._file.write(_OPENING)
        self.n_bytes = len(_OPENING) + len(_CLOSING)
        self.ids: list[str] = []
        self.first_day = date.max
        self.last_day = date.min

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file up."""
        self._file.close()

    def add(self, request: Request, params: dict[str, Any]) -> bool:
        """Add a request; False where there is no room for it."""
        item = orjson.dumps({"custom_id": request.id, "params": params})
        size = len(item) + (len(_BETWEEN) if self.ids else 0)
        if len(self.ids) >= self._limits.requests or self.n_bytes + size > self._limits.bytes:
            return False
        with self._in_own_words():
            if self.ids:
                self._file.write(_BETWEEN)
            self._file.write(item)
        self.ids.append(request.id)
        self.n_bytes += size
        self.first_day, self.last_day = min(self.first_day, request.day), max(self.last_day, request.day)
        return True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._in_own_words():
            self._file.flush()
            self._file.seek(0)
        while True:
            with self._in_own_words():
                block = self._file.read(BLOCK)
            if not block:
                yield _CLOSING
                return
            yield block

    @contextmanager
    def _in_own_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TransportError(f"a batch could not be made ready in {self._folder}: {error.strerror}") from None
