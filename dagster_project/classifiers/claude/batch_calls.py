"""The calls of the Message Batches API, and what we take of their replies: nothing is believed unread.

Lives here: every call's end in time, and trying again where a call may be made twice. Not here: making a batch again,
which is never done blindly (`batch.py`), what becomes of batches (`batch_fate.py`), reading results
(`batch_results.py`), clients and errors (`client.py`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote

from dagster_project.classifiers.claude.batch_results import ResultLines
from dagster_project.classifiers.claude.batch_spool import Spool
from dagster_project.classifiers.claude.client import Kind, Patience, Trouble, async_client, kind_of
from dagster_project.classifiers.claude.transport import TransportError

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from httpx2 import Response

PATH = "/v1/messages/batches"
PAGE = 100
FAILING_CALLS = 5
"""Calls that must have failed before silence counts: one alone may have hung for long."""
NO_BATCHES = (
    'the server at {where} has no Message Batches (status {status}): set `transport = "live"` in [claude], '
    "or check ANTHROPIC_BASE_URL"
)
_UNREADABLE = Trouble(Kind.AGAIN, "a reply that cannot be read")
_NOT_AS_TOLD = (AttributeError, KeyError, TypeError, RecursionError)
"""What reading a reply raises that is JSON and nothing else that was asked for."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Seen:
    """A batch as the provider tells of it. has_results: they can be fetched (False: not yet, or no more)."""

    id: str
    n_requests: int
    created_at: datetime
    ended: bool
    has_results: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The batch was surely not made."""

    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Unclear:
    """The batch may have been made: the reply is lost, or says nothing."""

    trouble: Trouble


class Broken(Exception):
    """Results that ended before their end. trouble: why."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.words)
        self.trouble = trouble


class BatchCalls:
    """A client for batches; a context manager, for one thread. It is made at the first call.

    Every call raises TransportError where nothing will help but somebody's doing, or where the server has not
    answered for longer than `patience.silence`.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._runner = asyncio.Runner()
        self._made: AsyncAnthropic | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._made is not None:
            with suppress(Exception):
                self._within(self._made.close, self._patience.connect)
        self._runner.close()

    def check(self) -> None:
        """Find out whether this server has batches for us, before anything is made ready. Raises TransportError."""
        self._again(partial(self._page, None, 1))

    def create(self, spool: Spool) -> Seen | Refused | Unclear:
        """Make a batch, in one try that ends after `patience.upload` at the latest."""

        async def create() -> Seen | None:
            from httpx2 import Response

            length = {"Content-Length": str(spool.n_bytes), "Content-Type": "application/json"}
            options: Any = {"headers": length}
            response = await self._client.post(PATH, cast_to=Response, content=spool, options=options)
            return _seen(response.json())

        try:
            made = self._within(create, self._patience.upload)
        except Exception as error:
            trouble = self._trouble(error)
            return Refused(trouble) if _was_refused(error, trouble) else Unclear(trouble)
        return made or Unclear(_UNREADABLE)

    def look(self, provider_id: str) -> Seen | None:
        """How a batch stands; None where the server knows none of this id (it may be too new, or gone)."""

        async def look() -> tuple[Seen | None] | None:
            try:
                seen = _seen((await self._get(_path(provider_id))).json())
            except Exception as error:
                if kind_of(error).status == 404:
                    return (None,)
                raise
            return (seen,) if seen and seen.id == provider_id else None

        return self._again(look)[0]

    def listed(self, since: datetime) -> list[Seen]:
        """All batches of this key's workspace made since then, the newest first."""
        found: dict[str, Seen] = {}
        after: str | None = None
        while True:
            page, after = self._again(partial(self._page, after, PAGE))
            new = {seen.id: seen for seen in page if seen.created_at >= since and seen.id not in found}
            found |= new
            if after is None or not new:
                return list(found.values())

    def lines(self, provider_id: str) -> Generator[list[bytes], None, None]:
        """The results of a batch that has ended, some lines at a time, in one try. Close it when it is left early.

        Raises Broken where they end before their end, as far as that can be seen.
        """
        stream = ResultLines(partial(self._get, f"{_path(provider_id)}/results", stream=True))
        try:
            while True:
                try:
                    some = self._within(stream.some, self._patience.call)
                except Exception as error:
                    raise Broken(self._trouble(error)) from None
                if some is None:
                    return
                yield some
        finally:
            with suppress(Exception):
                self._within(stream.close, self._patience.connect)

    def delete(self, provider_id: str) -> bool:
        """Delete a batch that has ended; True also where there is none. False where the server will not have it."""

        async def delete() -> bool | None:
            from httpx2 import Response

            try:
                response = await self._client.delete(_path(provider_id), cast_to=Response)
                return True if response.json().get("id") == provider_id else None
            except Exception as error:
                trouble = kind_of(error)
                if trouble.status == 404:
                    return True
                if trouble.kind in (Kind.REQUEST, Kind.FATAL):
                    return False
                raise

        return self._again(delete)

    async def _page(self, after: str | None, limit: int) -> tuple[list[Seen], str | None] | None:
        """A page of the list, and where the next one begins."""
        wanted = {"limit": limit} | ({"after_id": after} if after else {})
        told = (await self._get(PATH, params=wanted)).json()
        page, more, last = told["data"], told["has_more"], told["last_id"]
        seen = [_seen(one) for one in page]
        if not isinstance(more, bool) or not isinstance(last, str | None) or None in seen:
            return None
        return [one for one in seen if one], last if more else None

    async def _get(self, path: str, *, stream: bool = False, params: dict[str, Any] | None = None) -> "Response":
        from httpx2 import Response

        options: Any = {"params": params} if params else {}
        if stream:
            # As it is written: a packed line could unpack to anything.
            options["headers"] = {"Accept": "application/binary", "Accept-Encoding": "identity"}
        return await self._client.get(path, cast_to=Response, stream=stream, options=options)

    @property
    def _client(self) -> "AsyncAnthropic":
        if self._made is None:
            self._made = async_client(self._patience, 2)
        return self._made

    def _within(self, call: Callable[[], Awaitable[_T]], seconds: float) -> _T:
        """One call, ended after so long whatever drips in."""

        async def bounded() -> _T:
            async with asyncio.timeout(seconds):
                return await call()

        return self._runner.run(bounded())

    def _again(self, call: Callable[[], Awaitable[_T | None]]) -> _T:
        """A call that may be made twice, until it has a reply that can be read (None: it cannot)."""
        began, failed = time.monotonic(), 0
        while True:
            try:
                reply = self._within(call, self._patience.call)
                trouble = _UNREADABLE
            except Exception as error:
                reply, trouble = None, self._trouble(error)
            if reply is not None:
                return reply
            failed += 1
            self.mind(trouble, began, failed)
            time.sleep(max(self._patience.before(failed), trouble.retry_after or 0.0))

    def mind(self, trouble: Trouble, began: float, failed: int) -> None:
        """Raise TransportError where trying again is in vain: by its nature, or after `failed` calls since `began`
        (monotonic) without an answer."""
        if trouble.kind in (Kind.FATAL, Kind.REQUEST):
            raise trouble.fatal
        minutes = (time.monotonic() - began) / 60
        if trouble.kind is Kind.WAIT:
            is_in_vain = failed >= self._patience.waits
        else:
            is_in_vain = minutes * 60 > self._patience.silence and failed >= FAILING_CALLS
        if is_in_vain:
            raise TransportError(
                f"no answer from {self._where} for {minutes:.0f} minutes ({trouble.words}): run again when it answers; "
                "batches that are under way are taken up then"
            )

    def _trouble(self, error: Exception) -> Trouble:
        """What an error means here. A 404 is none of a batch's own: whoever may meet that asks first."""
        if isinstance(error, _NOT_AS_TOLD) and "authentication" not in str(error):
            return _UNREADABLE
        trouble = kind_of(error)
        if trouble.status in (404, 405, 501):
            words = NO_BATCHES.format(where=self._where, status=trouble.status)
            return Trouble(Kind.FATAL, words, status=trouble.status)
        return trouble

    @property
    def _where(self) -> str:
        url = self._client.base_url
        return f"{url.scheme}://{url.netloc.decode()}"


def _path(provider_id: str) -> str:
    return f"{PATH}/{quote(provider_id, safe='')}"


def _was_refused(error: Exception, trouble: Trouble) -> bool:
    """Whether an error says for sure that nothing was made: what was sent never arrived, or was turned away."""
    import httpx2

    if trouble.status is not None:
        return trouble.status == 501 or (trouble.status < 500 and trouble.status not in (408, 409, 425))
    return trouble.kind is Kind.FATAL or isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)


def _seen(told: Any) -> Seen | None:
    """What a reply says of a batch, or None where it is no batch: a proxy may answer 200 with anything."""
    if not isinstance(told, dict) or not isinstance(told.get("id"), str) or not told["id"]:
        return None
    counts, status = told.get("request_counts"), told.get("processing_status")
    if not isinstance(counts, dict) or not all(type(n) is int and n >= 0 for n in counts.values()):
        return None
    if status not in ("in_progress", "canceling", "ended"):
        return None
    try:
        created_at = datetime.fromisoformat(told["created_at"])
    except (KeyError, TypeError, ValueError):
        return None
    if created_at.tzinfo is None:
        return None
    has_results = status == "ended" and not told.get("archived_at")
    return Seen(told["id"], sum(counts.values()), created_at, status == "ended", has_results)
