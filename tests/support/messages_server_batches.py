"""Batches of the test server: their lives, kept on disk, and their results, streamed.

Lives here: what becomes of a batch once it is made, and results that are not what they should be. A batch of 100,000 items
costs some bytes an item in memory: the lines of its results are a file. Not here: how it is made
(`messages_server_making.py`), the routes (`messages_server_batch_routes.py`).
"""

import random
from array import array
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from tests.support.messages_server_books import FAILED, LOST, Bookkeeper, now
from tests.support.messages_server_replies import BILLED
from tests.support.messages_server_settings import BatchFault, ResultsFault

KEY_BYTES = 20
BLOCK = 1 << 18
SUCCEEDED, ERRORED, CANCELED, EXPIRED = range(4)
OUTCOMES = ("succeeded", "errored", "canceled", "expired")


@dataclass
class Batch:
    """One batch. keys: 20 bytes an item. usage: four counts an item. lines: where each begins, and where the last ends."""

    id: str
    number: int
    file: Path
    fate: BatchFault | None
    custom_ids: list[str] = field(default_factory=list)
    keys: bytearray = field(default_factory=bytearray)
    outcomes: bytearray = field(default_factory=bytearray)
    bad: bytearray = field(default_factory=bytearray)
    delivered: bytearray = field(default_factory=bytearray)
    lines: "array[int]" = field(default_factory=lambda: array("Q", [0]))
    asks: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    usage: "array[int]" = field(default_factory=lambda: array("I"))
    size: int = 0
    created: float = 0.0
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    due: float = 0.0
    canceled_at: datetime | None = None
    ended_at: datetime | None = None
    deleted: bool = False
    fetches: int = 0
    polls: int = 0
    requests: int = 0

    def fated(self, kind: str) -> bool:
        """Whether this is its fate."""
        return self.fate is not None and self.fate.kind == kind

    @property
    def known(self) -> bool:
        """Whether it can be found by its id."""
        if self.deleted or (self.fated("gone") and self.ended_at):
            return False
        return not (self.fated("fresh_404") and self.fate and now() < self.created + self.fate.seconds)

    @property
    def listed(self) -> bool:
        """Whether it is in the list."""
        return self.known and not (self.fated("unlisted") and self.fate and now() < self.created + self.fate.seconds)

    def counts(self) -> dict[str, int]:
        """Items by outcome: all are processing until the batch has ended."""
        if not self.ended_at:
            return {"processing": self.requests, **dict.fromkeys(OUTCOMES, 0)}
        return {"processing": 0, **{name: self.outcomes.count(n) for n, name in enumerate(OUTCOMES)}}

    def to_api(self, url: str) -> dict[str, Any]:
        """The `MessageBatch` object. url: of the server."""
        archived = self.fated("archived") and self.ended_at
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": "ended" if self.ended_at else "canceling" if self.canceled_at else "in_progress",
            "request_counts": self.counts(),
            "created_at": _time(self.created_at),
            "expires_at": _time(self.created_at + timedelta(hours=24)),
            "ended_at": _time(self.ended_at),
            "cancel_initiated_at": _time(self.canceled_at),
            "archived_at": _time(self.ended_at) if archived else None,
            "results_url": f"{url}/v1/messages/batches/{self.id}/results" if self.ended_at and not archived else None,
        }

    def seen(self) -> dict[str, Any]:
        """As `BatchSeen` has it."""
        status = "deleted" if self.deleted else self.to_api("")["processing_status"]
        counts = {k: v for k, v in self.counts().items() if k != "processing"}
        return {
            "id": self.id,
            "status": "gone" if self.fated("gone") and self.ended_at else status,
            "requests": self.requests,
            "bytes": self.size,
            **counts,
            "delivered": self.delivered.count(1),
            "fetches": self.fetches,
            "polls": self.polls,
            "created_at": _time(self.created_at),
        }

    def drop(self, books: Bookkeeper) -> None:
        """Its results cannot be had any more: what nobody fetched is lost."""
        for n in range(self.requests):
            if self.outcomes[n] == SUCCEEDED and not self.bad[n] and not self.delivered[n]:
                books.count(self.key(n), LOST)
        self.file.unlink(missing_ok=True)
        self.custom_ids, self.keys, self.usage, self.lines = [], bytearray(), array("I"), array("Q", [0])

    def delete(self, books: Bookkeeper) -> None:
        """As the client wishes."""
        self.drop(books)
        self.deleted = True

    def beginning(self) -> bytes:
        """Of its results."""
        with self.file.open("rb") as file:
            return file.read(BLOCK)

    def key(self, n: int) -> bytes:
        """Of the nth item."""
        return bytes(self.keys[KEY_BYTES * n : KEY_BYTES * (n + 1)])


class Batches:
    """All batches, the oldest first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.every: dict[str, Batch] = {}
        self._begun, self._since_faults = 0, 0

    def new_faults(self) -> None:
        """Counts batches anew."""
        self._since_faults = 0

    def clear(self) -> None:
        """No batch was ever made."""
        for batch in self.every.values():
            batch.file.unlink(missing_ok=True)
        self.every.clear()

    def begin(self) -> Batch:
        """A batch whose body is about to come. Nobody knows it until it is added."""
        self._begun += 1
        return Batch("", 0, self._folder / f"{self._begun}.jsonl", None)

    def add(self, batch: Batch, books: Bookkeeper, seconds: float, faults: list[BatchFault]) -> None:
        """It is whole, and begins its life."""
        self._since_faults += 1
        batch.number = len(self.every) + 1
        batch.id = f"msgbatch_{batch.number:06d}{random.Random(batch.number).getrandbits(64):016x}"
        batch.fate = next((f for f in faults if not f.batches or self._since_faults in f.batches), None)
        batch.created, batch.created_at = now(), datetime.now(UTC)
        batch.due = batch.created + seconds
        self.every[batch.id] = batch
        books.submitted(batch.custom_ids)

    def settle(self, books: Bookkeeper) -> None:
        """Ends the batches whose time has come: only then is anything paid."""
        for batch in self.every.values():
            if batch.ended_at or (batch.fated("never_ends") and not batch.canceled_at) or now() < batch.due:
                continue
            batch.ended_at = datetime.now(UTC)
            if batch.fated("expired"):
                batch.outcomes[:] = bytes([EXPIRED]) * batch.requests
            for n in range(batch.requests):
                key = batch.key(n)
                if batch.outcomes[n] == SUCCEEDED:
                    usage = dict(zip(BILLED, batch.usage[4 * n : 4 * n + 4], strict=True))
                    books.paid(key, batch.asks[key[8:16]], usage, bad=bool(batch.bad[n]))
                else:
                    books.count(key, FAILED)
            if batch.fated("gone") or batch.fated("archived"):
                batch.drop(books)

    def cancel(self, batch: Batch, seconds: float) -> None:
        """Stops it: the items whose turn had come by now are done, the others are canceled."""
        if batch.ended_at or batch.canceled_at:
            return
        share = min(1.0, (now() - batch.created) / seconds) if seconds else 0.0
        done = int(batch.requests * share)
        batch.outcomes[done:] = bytes([CANCELED]) * (batch.requests - done)
        batch.canceled_at, batch.due = datetime.now(UTC), now()


class Stream:
    """The results of one batch, once."""

    def __init__(self, batch: Batch, faults: list[ResultsFault], seed: int) -> None:
        batch.fetches += 1
        self._batch = batch
        self._by_kind: dict[str, ResultsFault] = {
            f.kind: f for f in faults if not f.fetches or batch.fetches in f.fetches
        }
        self._random = random.Random(f"{seed}:{batch.number}:{batch.fetches}")

    @property
    def kinds(self) -> list[str]:
        """The faults that it has."""
        return list(self._by_kind)

    @property
    def cut(self) -> ResultsFault | None:
        """How it is cut, if it is."""
        return self._by_kind.get("cut")

    async def blocks(self) -> AsyncIterator[bytes]:
        """The body, in blocks of some hundred kilobytes, and what is delivered marked as such."""
        block = bytearray()
        limit = int(self._batch.lines[-1] * self.cut.at) if self.cut else None
        sent, marked = 0, []
        for n, line in self._lines():
            if limit is not None and sent + len(line) > limit:
                block += line[: limit - sent]
                break
            block += line
            sent += len(line)
            if n is not None:
                marked.append(n)
            if len(block) >= BLOCK:
                yield bytes(block)
                block.clear()
                self._mark(marked)
        yield bytes(block)
        self._mark(marked)

    def _mark(self, delivered: list[int]) -> None:
        for n in delivered:
            self._batch.delivered[n] = 1
        delivered.clear()

    def _happens(self, kind: str) -> bool:
        return kind in self._by_kind and self._random.random() < self._by_kind[kind].share

    def _lines(self) -> Iterator[tuple[int | None, bytes]]:
        """Item and line; no item where the line does not tell of it."""
        batch = self._batch
        order: Any = range(batch.requests)
        if "shuffled" in self._by_kind:
            order = array("L", order)
            self._random.shuffle(order)
        with batch.file.open("rb") as file:
            for n in order:
                if self._happens("missing"):
                    continue
                if file.tell() != batch.lines[n]:
                    file.seek(batch.lines[n])
                line = file.read(batch.lines[n + 1] - batch.lines[n])
                if batch.outcomes[n] in (CANCELED, EXPIRED):
                    result = {"type": OUTCOMES[batch.outcomes[n]]}
                    line = orjson.dumps({"custom_id": batch.custom_ids[n], "result": result}) + b"\n"
                if self._happens("unknown_ids"):
                    yield None, line.replace(batch.custom_ids[n].encode(), f"nobody_{n}".encode(), 1)
                if self._happens("broken_line"):
                    yield None, line[: len(line) // 2] + b"\n"
                    continue
                yield n, line
                if self._happens("duplicated"):
                    yield n, line


def _time(at: datetime | None) -> Any:
    return at.isoformat().replace("+00:00", "Z") if at else None
