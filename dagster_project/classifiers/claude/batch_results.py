"""A batch's results as they come: lines out of a stream, and of one line whose it is and how it ended.

Not here: the call and its timeouts (`batch_calls.py`), what is done with results (`batch_fate.py`).
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from dagster_project.classifiers.claude.client import Kind, Trouble, kind_of, replied
from dagster_project.classifiers.claude.transport import Blame, Failed, Replied

if TYPE_CHECKING:
    from httpx2 import Response

LONGEST_LINE = 8_000_000
"""Bytes of one result: a reply is bounded, so this is none."""
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}
_OTHER = 500
_TOLD = ("type", "message", "details")


class ResultLines:
    """One fetch, pulled piece by piece, so that what is done with a piece holds up no timeout."""

    def __init__(self, fetch: "Callable[[], Awaitable[Response]]") -> None:
        self._fetch = fetch
        self._response: Response | None = None
        self._pieces: AsyncIterator[bytes]
        self._rest = b""

    async def some(self) -> list[bytes] | None:
        """Lines, at least one; None at the end. What dribbles in without ever being a line runs into the timeout."""
        if self._response is None:
            self._response = await self._fetch()
            self._pieces = self._response.aiter_bytes()
        async for piece in self._pieces:
            *lines, self._rest = (self._rest + piece).split(b"\n")
            if len(self._rest) > LONGEST_LINE:
                raise ValueError("a line without an end")
            if lines:
                return lines
        last, self._rest = self._rest, b""
        return [last] if last else None

    async def close(self) -> None:
        """Leave the connection."""
        if self._response is not None:
            await self._response.aclose()


def line_read(line: bytes) -> tuple[str, Replied | Failed | Trouble] | None:
    """The custom_id and how the request ended; None where the line cannot be read.

    A Trouble is an error that concerns all requests of its kind, and not this one alone (a model that is unknown, a
    limit of money).
    """
    try:
        said: Any = json.loads(line, object_hook=lambda pairs: SimpleNamespace(**pairs))
        custom_id, result = said.custom_id, said.result
        ended = _ended(result.type, result)
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None
    return (custom_id, ended) if isinstance(custom_id, str) and ended is not None else None


def _ended(kind: Any, result: Any) -> Replied | Failed | Trouble | None:
    if kind == "succeeded":
        return replied(result.message)
    if kind in ("expired", "canceled"):
        return Failed(kind, Blame.CHANCE)
    return _errored(result.error.error) if kind == "errored" else None


def _errored(error: Any) -> Failed | Trouble:
    """An item's error means what the same error would mean to a live request."""
    import anthropic
    import httpx2

    told = {name: getattr(error, name) for name in _TOLD if hasattr(error, name)}
    if isinstance(told.get("details"), SimpleNamespace):
        told["details"] = vars(told["details"])
    response = httpx2.Response(_STATUS.get(str(error.type), _OTHER), request=httpx2.Request("POST", "http://batch"))
    trouble = kind_of(anthropic.APIStatusError("", response=response, body={"error": told}))
    if trouble.kind is Kind.FATAL:
        return trouble
    return Failed("errored", Blame.REQUEST if trouble.kind is Kind.REQUEST else Blame.CHANCE)
