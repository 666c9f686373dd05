"""One pace for all who send: requests and tokens a minute, over tasks, threads, processes and machines together.

Lives here: reserving moments to send at in one row of the ledger's database, and waiting for them. Not here: how many
requests are under way at once (`live.py`), what an answer of 429 means (`client.py`).

Source of the method: the generic cell rate algorithm (GCRA, ITU-T I.371) as a virtual schedule: the row holds when the
next request and the next token are due; whoever sends takes the due moment and moves it on by one interval.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from dagster_project.storage.database import AnyRow, Database
from dagster_project.storage.request_ledger.schema import PACE

KEPT = 0.97
"""Of the limit: the rest is for how long a request takes to its server, which is not the same for each."""
BLOCK_SECONDS = 0.25
"""Moments reserved ahead by one sender: more would be lost to the others when it dies or has nothing to send."""
LATE_SECONDS = 0.2
"""How far in the past a moment may be and still be given out: what a slow transaction missed is made up for."""
STALE_SECONDS = 0.3
"""A moment that was given out and not used until then is dropped: a sender that hung must not send all at once."""
LONGEST_PAUSE_SECONDS = 3600.0
_PACING = 0x506163


class Pace:
    """Moments to send at, never more than the limits in any 60 s. One for each event loop or thread; all of the same
    name in the same database share the limits.

    Tokens: any 60 s hold at most the limit and one request. After a pause of all senders at most `LATE_SECONDS` worth
    goes out at once.
    """

    def __init__(
        self, database: Database, name: str, requests_per_minute: float, tokens_per_minute: float | None = None
    ) -> None:
        if requests_per_minute <= 0 or (tokens_per_minute is not None and tokens_per_minute <= 0):
            raise ValueError("a pace needs limits above 0")
        self._database = database
        self._name = name
        self._interval = 60.0 / (KEPT * requests_per_minute)
        self._token_interval = 60.0 / (KEPT * tokens_per_minute) if tokens_per_minute else 0.0
        self._block = max(1, int(BLOCK_SECONDS / self._interval))
        self._turn = asyncio.Lock()
        self._waiting: deque[_Waiter] = deque()

    def reserve(self, tokens: Sequence[int]) -> list[float]:
        """A moment for each request of so many tokens, ascending, on the clock of `time.monotonic`.

        Whoever reserves must send then, and not later. Raises DatabaseError.
        """
        return self._reserve(tokens, float("inf"))

    async def acquire(self, tokens: int = 0) -> None:
        """Wait until one request of so many tokens may be sent: first come, first served. Raises DatabaseError."""
        mine = _Waiter(tokens)
        self._waiting.append(mine)
        try:
            async with self._turn:
                while True:
                    wait = mine.at - time.monotonic()
                    if wait < -STALE_SECONDS:
                        await self._fetch()
                    elif wait <= 0:
                        return
                    else:
                        await asyncio.sleep(wait)
        finally:
            self._waiting.remove(mine)

    def pause(self, seconds: float) -> None:
        """Nobody sends for so long, at most an hour: what a server asked for by `retry-after`. Raises DatabaseError.

        Others may still use the moments that they hold: `BLOCK_SECONDS` worth each.
        """
        with self._database.writing(durable=False) as connection:
            row, now = self._row(connection)
            until = now + min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS)
            self._move(connection, max(row[0], until), max(row[1], until), now)
        for waiter in list(self._waiting):
            waiter.at = float("-inf")

    async def _fetch(self) -> None:
        """Moments for the first of those who wait, in one transaction, without holding up the loop."""
        now = time.monotonic()
        first = [w for w in islice(self._waiting, self._block) if w.at < now - STALE_SECONDS]
        moments = await asyncio.to_thread(self._reserve, [w.tokens for w in first], BLOCK_SECONDS)
        for waiter, at in zip(first, moments, strict=False):
            waiter.at = at

    def _reserve(self, tokens: Sequence[int], ahead: float) -> list[float]:
        """Moments for the first, and for those after it that are due within `ahead` seconds of now or of the first."""
        if not tokens:
            return []
        with self._database.writing(durable=False) as connection:
            (request, token), now = self._row(connection)
            here = time.monotonic()
            request, token = max(request, now - LATE_SECONDS), max(token, now - LATE_SECONDS)
            moments: list[float] = []
            for n in tokens:
                at = max(request, token)
                if moments and at > max(moments[0], now) + ahead:
                    break
                moments.append(at)
                # What was waiting for the other limit gains no more than LATE_SECONDS worth on its own.
                request = max(request, at - LATE_SECONDS) + self._interval
                token = max(token, at - LATE_SECONDS) + n * self._token_interval
            self._move(connection, request, token, now)
        return [here + (at - now) for at in moments]

    def _row(self, connection: Connection) -> tuple[tuple[float, float], float]:
        """When the next request and token are due, and now. On a clock that stepped back, both step back with it."""
        self._database.alone(connection, _PACING)
        row: AnyRow | None = connection.execute(select(PACE).where(PACE.c.name == self._name)).one_or_none()
        now = self._database.seconds(connection)
        if row is None:
            fresh = {"name": self._name, "next_request": now, "next_token": now, "seen": now}
            connection.execute(insert(PACE), fresh)
            return (now, now), now
        back = min(0.0, now - row.seen)
        return (row.next_request + back, row.next_token + back), now

    def _move(self, connection: Connection, request: float, token: float, now: float) -> None:
        moved = update(PACE).where(PACE.c.name == self._name)
        connection.execute(moved.values(next_request=request, next_token=token, seen=now))


@dataclass(eq=False)
class _Waiter:
    """One request that waits: how many tokens, and its moment on the monotonic clock once it has one."""

    tokens: int
    at: float = float("-inf")
