"""The routes of the test server that answer at once: messages and count_tokens.

Lives here: in which order such a call is counted, limited, failed, worked on and answered. Not here: batches
(`messages_server_batch_routes.py`).
"""

import asyncio
from typing import Any

import orjson

from tests.support.messages_server_asked import Asked, BadRequest, read
from tests.support.messages_server_books import LOST, now
from tests.support.messages_server_replies import billed, is_bad
from tests.support.messages_server_state import State
from tests.support.messages_server_wire import Call

BEGUN = b'{"id": "msg_0", "type": "message", "content": ['


class LiveRoutes:
    """Messages and count_tokens."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def messages(self, call: Call) -> None:
        """POST /v1/messages. The work is done, and billed, before the latency."""
        state, settings, books, arrived = self._state, self._state.settings, self._state.books, now()
        books.arrived(arrived)
        limit = settings.requests_per_minute
        limited = limit is not None and state.admitted.at(arrived) >= limit
        if not limited:
            state.admitted.add(arrived, 1)
        asked = await self._read(call, "messages")
        if asked is None:
            return
        books.tokens_window.add(arrived, asked.input_tokens)
        tokens = settings.tokens_per_minute
        if limited or (tokens is not None and state.tokens.at(arrived) + asked.input_tokens > tokens):
            books.calls["messages"]["limited"] += 1
            await call.error("rate_limited", retry_after=1)
            return
        state.tokens.add(arrived, asked.input_tokens)
        fault = state.fault("messages", asked.text if state.call_faults else None)
        words = state.replies.leak(asked, "Failed on")
        if fault and not fault.processed:
            await state.fail(call, "messages", fault, BEGUN, words)
            return
        message, bad = self._work(asked)
        if settings.latency_seconds:
            await asyncio.sleep(settings.latency_seconds)
        if (fault or call.gone) and not bad:
            books.count(asked.key, LOST)
        if fault:
            await state.fail(call, "messages", fault, orjson.dumps(message), words)
        else:
            await state.ok(call, "messages", message)

    def _work(self, asked: Asked) -> tuple[dict[str, Any], bool]:
        """The reply, billed, and whether it is worth nothing."""
        books, replies = self._state.books, self._state.replies
        spoilt = replies.reply_fault(asked, books.tries(asked.key))
        if spoilt:
            books.faults[f"reply_{spoilt.kind}"] += 1
        message = replies.message(asked, spoilt, batch=False)
        ask = {"model": asked.model, "properties": asked.properties}
        books.paid(asked.key, ask, billed(message["usage"]), bad=is_bad(spoilt))
        return message, is_bad(spoilt)

    async def count_tokens(self, call: Call) -> None:
        """POST /v1/messages/count_tokens."""
        state = self._state
        asked = await self._read(call, "count_tokens", max_tokens=1)
        if asked is None:
            return
        if state.settings.latency_seconds:
            await asyncio.sleep(state.settings.latency_seconds)
        told = {"input_tokens": asked.input_tokens}
        if fault := state.fault("count_tokens", asked.text):
            await state.fail(call, "count_tokens", fault, orjson.dumps(told))
        else:
            await state.ok(call, "count_tokens", told)

    async def _read(self, call: Call, route: str, **more: Any) -> Asked | None:
        """The request, or None: then it has been answered."""
        body = await call.body()
        try:
            told = orjson.loads(body)
            asked = read({**told, **more} if isinstance(told, dict) else told)
        except (ValueError, BadRequest) as why:
            reason = str(why) if isinstance(why, BadRequest) else "The request body is not valid JSON"
            self._state.books.complaints[reason] += 1
            await self._state.refuse(call, route, "bad_request", reason)
            return None
        if kind := self._state.allowed(call, asked.model):
            said = f"model: {asked.model}" if kind == "unknown_model" else None
            await self._state.refuse(call, route, kind, said)
            return None
        return asked
