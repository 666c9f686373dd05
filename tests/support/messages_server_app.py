"""The test server's process: started by `messages_server.py`, and ended with the process that started it.

Lives here: the table of routes, the desk at which a test changes settings and reads the books, and serving. Not here: what
the routes do (`messages_server_live_routes.py`, `messages_server_batch_routes.py`).

It reads its settings as one line of JSON from standard input, writes its port to standard output, and ends when standard
input does. Its argument is a folder for the results of batches.
"""

import asyncio
import gc
import shutil
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn
from starlette.routing import Route, Router

from tests.support.messages_server_batch_routes import BatchRoutes
from tests.support.messages_server_live_routes import LiveRoutes
from tests.support.messages_server_settings import Settings
from tests.support.messages_server_state import Endpoint, State
from tests.support.messages_server_wire import Call, OpenProtocol

EVERY = "/v1/messages/batches"
ONE = f"{EVERY}/{{id}}"


class Desk:
    """POST /_/…: for the test alone, counted in no book."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        state, call = self._state, self._state.call(scope, receive, send)
        what, body = scope["path_params"]["what"], await call.body()
        state.batches.settle(state.books)
        await call.json(self._told(what, body, call))

    def _told(self, what: str, body: bytes, call: Call) -> Any:
        state = self._state
        if what == "set":
            return state.take(Settings.from_json(body), new_faults=call.query["new_faults"] == "True")
        if what == "reset":
            state.batches.clear()
            state.forget()
            return state.take(Settings.from_json(body), new_faults=True)
        if what == "forget":
            return state.forget()
        if what == "batches":
            return [b.seen() for b in state.batches.every.values()]
        if what == "custom_ids":
            return state.batches.every[call.query["id"]].custom_ids
        return state.books.by_request() if what == "paid" else state.books.to_json()


def application(state: State) -> Router:
    """The table of routes."""
    live, batch = LiveRoutes(state), BatchRoutes(state)
    table = [
        ("POST", "/v1/messages", "messages", live.messages),
        ("POST", "/v1/messages/count_tokens", "count_tokens", live.count_tokens),
        ("POST", EVERY, "batch_create", batch.create),
        ("GET", EVERY, "batch_list", batch.list),
        ("GET", ONE, "batch_retrieve", batch.retrieve),
        ("DELETE", ONE, "batch_delete", batch.delete),
        ("GET", f"{ONE}/results", "batch_results", batch.results),
        ("POST", f"{ONE}/cancel", "batch_cancel", batch.cancel),
    ]
    routes = [Route(path, Endpoint(state, name, work), methods=[method]) for method, path, name, work in table]
    return Router([*routes, Route("/_/{what}", Desk(state), methods=["POST"])])


def main() -> None:
    """Serves until standard input ends."""
    state = State(Settings.from_json(sys.stdin.readline()), Path(sys.argv[1]))
    # Only loopback, on any free port. A long queue: hundreds of clients may come at once.
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    serving = uvicorn.Server(
        uvicorn.Config(
            application(state),
            http=OpenProtocol,
            lifespan="off",
            log_level="error",
            access_log=False,
            server_header=False,
            # A client that comes back to a connection just closed would see a fault that nobody ordered.
            timeout_keep_alive=3600,
        )
    )

    def until_orphaned() -> None:
        sys.stdin.read()
        serving.force_exit = serving.should_exit = True

    threading.Thread(target=until_orphaned, daemon=True).start()
    gc.collect()
    gc.freeze()
    print(listener.getsockname()[1], flush=True)
    asyncio.run(serving.serve(sockets=[listener]))
    # Only an orphan comes here: nobody else will clear up.
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
