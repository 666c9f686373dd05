"""Live requests: many at once, at one pace with everybody else who sends, each tried again until it is answered.

Lives here: the one loop of tries of a live request, and the flow from the iterator to the ledger in bounded memory.
Not here: what errors mean (`client.py`), requests a minute (`pace.py`), calls at once (`gate.py`), what becomes of a
reply (`settling.py`).
"""

import asyncio
import time
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Literal

from dagster_project.classifiers.claude.client import (
    Kind,
    Patience,
    Trouble,
    async_client,
    kind_of,
    message_of,
    replied,
)
from dagster_project.classifiers.claude.gate import Gate
from dagster_project.classifiers.claude.pace import Pace
from dagster_project.classifiers.claude.transport import (
    Blame,
    Failed,
    Prepared,
    Replied,
    Result,
    Settle,
    TransportError,
)
from dagster_project.storage.request_ledger.ledger import RequestLedger

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

TAKEN_AT_ONCE = 16
READY = 256
"""Requests taken and not yet under way, so that reading the next conversations holds nobody up."""
SETTLED_AT_ONCE = 200
GATHERED_SECONDS = 0.1
"""A transaction for each reply would cost as much as the reply. What a kill loses in it was still under way."""
NONE_TAKEN = 20
"""Requests refused as such, and not one answered: it is not the requests that are wrong."""
FAILING_CALLS = 5
"""Calls that must have failed before silence counts: one alone may have hung for long."""


class LiveTransport:
    """Requests one by one, within a pace that all users of the ledger share. May be used by several threads.

    pace: its name; who has another key, and so other limits, takes another name.
    """

    name: Literal["live"] = "live"

    def __init__(
        self,
        ledger: RequestLedger,
        *,
        requests_per_minute: float,
        tokens_per_minute: float | None = None,
        max_concurrency: int = 64,
        patience: Patience | None = None,
        pace: str = "messages",
    ) -> None:
        self._ledger = ledger
        self._limits = (pace, requests_per_minute, tokens_per_minute)
        self._most = max_concurrency
        self._patience = patience or Patience()

    def send(self, prepared: Iterator[Prepared], settle: Settle) -> None:
        """As `Transport.send`."""
        pace = Pace(self._ledger.database, *self._limits)
        asyncio.run(_Sending(prepared, settle, pace, Gate(self._most), self._most, self._patience).run())


class _Sending:
    """One `send` under way."""

    def __init__(
        self, prepared: Iterator[Prepared], settle: Settle, pace: Pace, gate: Gate, most: int, patience: Patience
    ) -> None:
        self._prepared, self._settle = prepared, settle
        self._pace, self._gate, self._patience, self._most = pace, gate, patience, most
        self._client: AsyncAnthropic
        self._ready: asyncio.Queue[Prepared | None] = asyncio.Queue(READY)
        self._results: asyncio.Queue[Result | None] = asyncio.Queue(2 * SETTLED_AT_ONCE)
        self._gathered: list[Result] = []
        # Besides those under way as many that wait for their next try; no more, or memory would grow with trouble.
        self._room = asyncio.Semaphore(2 * most)
        self._stopped = asyncio.Event()
        self._error: BaseException | None = None
        self._any_reply = False
        self._not_taken = 0
        self._failing_since: float | None = None
        self._failing_calls = 0
        self._paused_until = 0.0

    async def run(self) -> None:
        """Send all. What was under way when something went wrong is waited for and settled, then it is raised."""
        async with async_client(self._patience, self._most) as self._client:
            try:
                async with asyncio.TaskGroup() as group:
                    settling = group.create_task(self._settle_all())
                    await self._send_all()
                    await self._results.put(None)
            except BaseExceptionGroup as several:
                raise several.exceptions[0] from None
            finally:
                if settling.cancelled():
                    self._settle_rest()
        if self._error is not None:
            raise self._error

    async def _send_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_all())
            while (item := await self._ready.get()) is not None:
                await self._room.acquire()
                group.create_task(self._one(item))

    async def _take_all(self) -> None:
        """Read ahead in a thread: the iterator claims, reads files and builds what is shown."""
        try:
            while not self._stopped.is_set():
                some = await asyncio.to_thread(lambda: list(islice(self._prepared, TAKEN_AT_ONCE)))
                for item in some:
                    await self._ready.put(item)
                if not some:
                    break
        except Exception as error:
            self._stop(error)
        await self._ready.put(None)

    async def _one(self, item: Prepared) -> None:
        try:
            ended = await self._ended(item)
            if ended is not None:
                await self._results.put(Result(item.request, ended))
        except Exception as error:
            self._stop(error)
        finally:
            self._room.release()

    async def _settle_all(self) -> None:
        """A group is what has come since the last one, after a moment in which more may come."""
        while (result := await self._results.get()) is not None:
            group = self._gathered = [result]
            await asyncio.sleep(GATHERED_SECONDS)
            while len(group) < SETTLED_AT_ONCE and not self._results.empty():
                more = self._results.get_nowait()
                if more is None:
                    self._results.put_nowait(None)
                    break
                group.append(more)
            await asyncio.to_thread(self._settle, group)
            self._gathered = []

    def _settle_rest(self) -> None:
        """Interrupted: what has been answered was paid. Settling the last group once more does nothing."""
        rest = [self._results.get_nowait() for _ in range(self._results.qsize())]
        self._settle([*self._gathered, *(result for result in rest if result is not None)])

    def _stop(self, error: BaseException) -> None:
        """Nothing new is sent; the first error is the one to raise."""
        self._error = self._error or error
        self._stopped.set()

    async def _ended(self, item: Prepared) -> Replied | Failed | None:
        """How it ended; None where it was given up because nothing more is sent."""
        failed = waited = 0
        while not self._stopped.is_set():
            came = await self._call(item)
            if came is None or isinstance(came, Replied):
                return came
            if came.kind is Kind.FATAL:
                self._stop(came.fatal)
                return None
            if came.kind is Kind.REQUEST:
                self._count_not_taken(came)
                return Failed("not_taken", Blame.REQUEST)
            if came.kind is Kind.WAIT:
                waited += 1
            else:
                failed += 1
            if failed >= self._patience.tries or waited >= self._patience.waits:
                return Failed("no_answer", Blame.CHANCE)
            await self._rest(max(self._patience.before(failed + waited), came.retry_after or 0.0))
        return None

    async def _call(self, item: Prepared) -> Replied | Trouble | None:
        """One call: a reply, or what went wrong; None where nothing is sent any more."""
        await self._gate.enter()
        try:
            params = item.make()
            await self._pace.acquire(item.request.est_input_tokens)
            if self._stopped.is_set():
                return None
            came = await self._message(params, item.request.model)
        finally:
            self._gate.leave()
        self._gate.learn(isinstance(came, Trouble) and came.kind is Kind.WAIT)
        if isinstance(came, Trouble):
            await self._note(came)
        else:
            self._any_reply, self._failing_since, self._failing_calls = True, None, 0
        return came

    async def _message(self, params: dict[str, object], model: str) -> Replied | Trouble:
        try:
            async with asyncio.timeout(self._patience.call):
                raw = await self._client.messages.with_raw_response.create(**params)  # type: ignore[call-overload]
                said = await raw.read()
        except Exception as error:
            return kind_of(error, model)
        return replied(message_of(said)) or Trouble(Kind.AGAIN, "a reply that cannot be read")

    async def _note(self, trouble: Trouble) -> None:
        """What a failed call says about the server: to be spared by everybody, or gone."""
        now = time.monotonic()
        if trouble.kind is Kind.WAIT:
            until = now + (trouble.retry_after or 0.0)
            # One "not now" among many answers concerns its own request alone; many are a limit, and everybody's.
            if self._gate.is_crowded and until > self._paused_until + 0.1:
                self._paused_until = until
                await asyncio.to_thread(self._pace.pause, until - now)
            if trouble.retry_after:
                return
        self._failing_calls += 1
        if self._failing_since is None:
            self._failing_since = now
        silent = now - self._failing_since
        if silent > self._patience.silence and self._failing_calls >= FAILING_CALLS:
            where = f"{self._client.base_url.scheme}://{self._client.base_url.netloc.decode()}"
            self._stop(
                TransportError(
                    f"no answer from {where} for {silent / 60:.0f} minutes ({trouble.words}): run again when it answers"
                )
            )

    def _count_not_taken(self, trouble: Trouble) -> None:
        self._not_taken += 1
        if self._not_taken >= NONE_TAKEN and not self._any_reply:
            self._stop(
                TransportError(
                    f"{trouble.words}, nor any of {self._not_taken} others: does the model take structured output, and "
                    "does ANTHROPIC_BASE_URL speak the Messages API?"
                )
            )

    async def _rest(self, seconds: float) -> None:
        """Wait before the next try, or until nothing is sent any more."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return
