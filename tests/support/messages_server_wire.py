"""One call as the test server sees it: its body, and every way of answering it, the broken ones too.

Lives here: the HTTP connection laid open (uvicorn's protocol), replies, errors in the API's form, and the faults of the
way. Not here: what is answered (`messages_server_model.py`, `messages_server_batches.py`), when (`messages_server_app.py`).
"""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.support.messages_server_settings import CallFault

JSON = (b"content-type", b"application/json")
HTML = b"<html><head><title>Sign in</title></head><body><h1>Please sign in to the network</h1></body></html>"

# kind -> status, error type, error code, message
ERRORS: dict[str, tuple[int, str, str | None, str]] = {
    "rate_limited": (429, "rate_limit_error", None, "This request would exceed your organization's rate limit."),
    "spend_limit": (429, "rate_limit_error", "enforced_spend_limit_reached", "You have reached your API usage limits."),
    "low_credit": (
        400,
        "invalid_request_error",
        None,
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.",
    ),
    "billing": (402, "billing_error", None, "There is an issue with your organization's billing."),
    "overloaded": (529, "overloaded_error", None, "Overloaded"),
    "server_error": (500, "api_error", None, "Internal server error"),
    "unavailable": (503, "api_error", None, "Service unavailable"),
    "gateway_timeout": (504, "timeout_error", None, "Request timed out"),
    "request_timeout": (408, "timeout_error", None, "Request timeout"),
    "conflict": (409, "conflict_error", None, "The resource was changed by another request."),
    "unauthorized": (401, "authentication_error", None, "invalid x-api-key"),
    "forbidden": (403, "permission_error", None, "Your API key does not have permission to use this resource."),
    "unknown_model": (404, "not_found_error", None, "model: no-such-model"),
    "bad_request": (400, "invalid_request_error", None, "messages: the prompt cannot be taken"),
    "too_large": (413, "request_too_large", None, "Request exceeds the maximum size"),
}


class ClientGone(Exception):
    """The client closed the connection before the call was over."""


def set_option(transport: Any, level: int, option: int, value: int | bytes) -> None:
    """Of the socket under a transport, which itself lets nobody touch it."""
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as same:
        same.setsockopt(level, option, value)


class OpenProtocol(HttpToolsProtocol):
    """uvicorn's protocol that hands itself to the application, so that it can break the connection."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # Head and body are two writes: without this the second waits for the client's acknowledgement, 40 ms a call.
        set_option(transport, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["connection"] = self  # type: ignore[typeddict-unknown-key]


class Call:
    """One call: read it, then answer it once."""

    def __init__(self, scope: Any, receive: Any, send: Any, number: int) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self._connection: OpenProtocol = scope["connection"]
        self._cycle = self._connection.cycle
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = f"req_{number:016x}"
        self.read, self.more_to_come = 0, True

    @property
    def gone(self) -> bool:
        """Whether the client has left."""
        return bool(self._cycle.disconnected)

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the address."""
        from urllib.parse import parse_qsl

        return dict(parse_qsl(self.scope["query_string"].decode()))

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises ClientGone when it never comes to its end."""
        while self.more_to_come:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            self.read += len(message["body"])
            self.more_to_come = message.get("more_body", False)
            if message["body"]:
                yield message["body"]

    async def body(self) -> bytes:
        """The whole body."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def start(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        """Status and headers."""
        every = [*headers, (b"request-id", self.request_id.encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": every})

    async def more(self, body: bytes, *, last: bool = False) -> None:
        """A piece of the reply's body."""
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})

    async def whole(self, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
        """A complete reply."""
        await self.start(status, *(headers or (JSON,)), (b"content-length", b"%d" % len(body)))
        await self.more(body, last=True)

    async def json(self, told: Any, status: int = 200) -> None:
        """A complete reply of JSON."""
        await self.whole(status, orjson.dumps(told))

    async def error(self, kind: str, *, said: str | None = None, retry_after: float | str | None = None) -> None:
        """An error in the API's form. said: instead of the usual words."""
        status, type_, code, words = ERRORS[kind]
        error: dict[str, Any] = {"type": type_, "message": said or words}
        if code:
            error["details"] = {"error_code": code}
        body = orjson.dumps({"type": "error", "error": error, "request_id": self.request_id})
        headers = [JSON] + ([(b"retry-after", str(retry_after).encode())] if retry_after is not None else [])
        await self.whole(status, body, *headers)

    async def until_gone(self) -> None:
        """Waits until the client leaves."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def close(self) -> None:
        """Closes the connection after what was written."""
        self._connection.transport.close()
        await self.until_gone()

    async def reset(self) -> None:
        """Resets the connection: the client gets ECONNRESET and not one byte more."""
        if not self._connection.transport.is_closing():
            set_option(self._connection.transport, socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._connection.transport.abort()
        await self.until_gone()

    async def break_off(self, body: bytes, *headers: tuple[bytes, bytes]) -> None:
        """The first half of a reply, then the end of the connection."""
        await self.start(200, *headers, (b"content-length", b"%d" % len(body)))
        await self.more(body[: len(body) // 2])
        await self.close()

    async def drip(self, every: float = 0.05) -> None:
        """White space for ever: each byte comes in time, the reply never does."""
        await self.start(200, JSON, (b"content-length", b"1000000000"))
        while not self.gone:
            await self.more(b" ")
            await asyncio.sleep(every)

    async def fail(self, fault: CallFault, reply: bytes, said: str | None) -> None:
        """Answers as the fault says. reply: what would have been answered. said: words for an error."""
        kind = fault.kind
        if kind == "reset":
            await self.reset()
        elif kind == "half_body":
            await self.break_off(reply, JSON)
        elif kind == "hang":
            await self.until_gone()
        elif kind == "drip":
            await self.drip()
        elif kind == "broken_json":
            await self.whole(200, reply[: len(reply) * 2 // 3])
        elif kind == "html":
            await self.whole(200, HTML, (b"content-type", b"text/html"))
        elif kind == "empty_body":
            await self.whole(200, b"")
        elif kind == "wrong_shape":
            await self.whole(200, b'{"status": "healthy"}')
        elif kind == "bad_gateway":
            await self.whole(502, HTML, (b"content-type", b"text/html"))
        else:
            after = fault.retry_after if kind == "rate_limited" else None
            await self.error(kind, said=said, retry_after=after)
