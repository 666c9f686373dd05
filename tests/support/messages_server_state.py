"""What the test server's process knows, and how any call is failed, refused or answered.

Lives here: settings in force, books, batches, and the choice of faults. Not here: the routes
(`messages_server_live_routes.py`, `messages_server_batch_routes.py`).
"""

import random
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.support.messages_server_batches import Batches
from tests.support.messages_server_books import Bookkeeper, Window
from tests.support.messages_server_replies import Replies
from tests.support.messages_server_settings import BatchFault, CallFault, ResultsFault, Settings
from tests.support.messages_server_wire import Call, ClientGone

NO_SUCH_ROUTE = {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}
Work = Callable[[Call], Awaitable[None]]


class State:
    """All that the process knows."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.batches = Batches(folder)
        self.books = Bookkeeper(settings.window_seconds)
        self.admitted, self.tokens = Window(settings.window_seconds), Window(settings.window_seconds)
        self._number = 0
        self._cache: dict[bytes, float] = {}
        self._nth: Counter[str] = Counter()
        self._said: set[str] = set()
        self.take(settings, new_faults=True)

    def take(self, settings: Settings, *, new_faults: bool) -> None:
        """New settings."""
        self.settings = settings
        self.call_faults = [f for f in settings.faults if isinstance(f, CallFault)]
        self.batch_faults = [f for f in settings.faults if isinstance(f, BatchFault)]
        self.results_faults = [f for f in settings.faults if isinstance(f, ResultsFault)]
        self.replies = Replies(settings, self._cache, self._broken)
        for window in (self.admitted, self.tokens, self.books.requests_window, self.books.tokens_window):
            window.seconds = settings.window_seconds
        if new_faults:
            self._nth.clear()
            self.batches.new_faults()

    def _broken(self, words: str) -> None:
        """Something is wrong with what was ordered: said once, before the reply goes out. It fails the test."""
        if words not in self._said:
            self._said.add(words)
            print(words, file=sys.stderr, flush=True)

    def forget(self) -> None:
        """New books. What is under way stays open in them; nothing counts towards a limit."""
        for window in (self.admitted, self.tokens):
            window.clear()
        still_open, hanging = self.books.open_calls, self.books.hanging
        self.books = Bookkeeper(self.settings.window_seconds)
        self.books.open_calls = self.books.peak_open_calls = still_open
        self.books.hanging = hanging

    def call(self, scope: Any, receive: Any, send: Any) -> Call:
        """A call that just came in."""
        self._number += 1
        return Call(scope, receive, send, self._number)

    def fault(self, route: str, text: str | None = None) -> CallFault | None:
        """The fault of the next call of this route. text: of its conversation."""
        self._nth[route] += 1
        nth = self._nth[route]
        left = random.Random(f"{self.settings.seed}:{route}:{nth}").random() if self.call_faults else 1.0
        for fault in self.call_faults:
            if route not in fault.routes:
                continue
            marked = fault.marker is not None and text is not None and fault.marker in text
            if nth in fault.calls or marked or left < fault.share:
                return fault
            left -= fault.share
        return None

    def allowed(self, call: Call, model: str | None = None) -> str | None:
        """None, or why this client may not."""
        if self.settings.api_key and call.headers.get(b"x-api-key") != self.settings.api_key.encode():
            return "unauthorized"
        if model and self.settings.models is not None and model not in self.settings.models:
            return "unknown_model"
        return None

    async def fail(
        self, call: Call, route: str, fault: CallFault, reply: bytes = b"{}", said: str | None = None
    ) -> None:
        """The call goes wrong as the fault says. reply: what would have been answered. said: words for an error."""
        self.books.faults[fault.kind] += 1
        self.books.calls[route][fault.kind] += 1
        waits = fault.kind in ("hang", "drip")
        self.books.hanging += waits
        try:
            await call.fail(fault, reply, said)
        finally:
            self.books.hanging -= waits

    async def refuse(self, call: Call, route: str, kind: str, said: str | None = None, **more: Any) -> None:
        """The API's own error, no fault."""
        self.books.calls[route][kind] += 1
        await call.error(kind, said=said, **more)

    async def ok(self, call: Call, route: str, told: Any) -> None:
        """An answer that is as it should be."""
        self.books.calls[route]["client_gone" if call.gone else "ok"] += 1
        await call.json(told)


class Endpoint:
    """One route: counts the calls that come and go. A class, so that Starlette hands over the bare connection."""

    def __init__(self, state: State, route: str, work: Work) -> None:
        self._state, self._route, self._work = state, route, work

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        state, route = self._state, self._route
        call = state.call(scope, receive, send)
        state.books.opened()
        if call.headers.get(b"x-stainless-retry-count", b"0") != b"0":
            state.books.sdk_retries += 1
        try:
            if route.startswith("batch") and not state.settings.batches:
                await call.body()
                state.books.calls[route]["no_such_route"] += 1
                await call.json(NO_SUCH_ROUTE, 404)
            elif route.startswith("batch") and (kind := state.allowed(call)):
                await call.body()
                await state.refuse(call, route, kind)
            else:
                await self._work(call)
        except ClientGone:
            state.books.calls[route]["client_gone"] += 1
        finally:
            state.books.open_calls -= 1
            state.books.request_bytes[route] += call.read
