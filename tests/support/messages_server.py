"""A server that speaks the Messages API over real HTTP, in a process of its own.

Lives here: what a test holds. `messages_server(...)` starts the server and hands over a `MessagesServer`: where it is,
what it was asked (`books()`), and `set(...)` to change it while it runs. The books are kept in the server's process, so
that a client that is killed disturbs nothing. Not here: settings and faults (`messages_server_settings.py`), the server
itself (`messages_server_app.py` and its neighbours). It knows nothing of Confide: it reads the JSON schema and the
conversation that a request holds, as any model would.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from tests.support.messages_server_settings import Settings

ROOT = Path(__file__).resolve().parents[2]
KEY = "a-key-for-tests"


@dataclass(frozen=True)
class Books:
    """What the server saw. A *request* is one conversation with one ask (system prompt, schema, model), live or in a batch.

    calls: route -> outcome -> n; outcomes are ok, a fault's kind, `limited` (beyond the rate limit) or a status. sdk_retries:
    calls that the SDK itself says to be retries. paid: requests processed, that is billed; requests, conversations: the
    different ones among them. bad: paid replies that a ReplyFault spoilt. lost: good replies that nobody can have had (the
    call failed after the work, the client was gone, the results were deleted or gone unread). paid_again: good replies beyond
    the first of a request. paid_again_unexplained: those beyond the first that were not lost either. failed_items:
    items of batches that ended without a reply. asks: ask -> {model, properties, paid}. properties: how often each top
    property of a schema was paid for. custom_ids_again: items whose custom_id was in an earlier batch. peak_*_per_window:
    in any window of window_seconds. arrivals: messages calls by second since the first. open_calls, hanging: now.
    faults: given so far, by kind. server_*_bytes: resident memory of the server's process.
    """

    calls: dict[str, dict[str, int]]
    sdk_retries: int
    paid: int
    requests: int
    conversations: int
    bad: int
    lost: int
    paid_again: int
    paid_again_unexplained: int
    failed_items: int
    asks: dict[str, dict[str, Any]]
    properties: dict[str, int]
    batches: int
    batch_items: int
    custom_ids_again: int
    usage: dict[str, int]
    request_bytes: dict[str, int]
    peak_requests_per_window: int
    peak_tokens_per_window: int
    peak_open_calls: int
    open_calls: int
    hanging: int
    arrivals: list[int]
    faults: dict[str, int]
    complaints: list[str]
    server_bytes: int
    server_peak_bytes: int

    def called(self, *routes: str) -> int:
        """Calls on these routes (none given: on all), whatever came of them."""
        return sum(sum(n.values()) for route, n in self.calls.items() if not routes or route in routes)

    def came_of(self, outcome: str, *routes: str) -> int:
        """Calls with this outcome."""
        return sum(n.get(outcome, 0) for route, n in self.calls.items() if not routes or route in routes)


@dataclass(frozen=True)
class BatchSeen:
    """One batch as the server knows it. status: in_progress | canceling | ended | deleted | gone."""

    id: str
    status: str
    requests: int
    bytes: int
    succeeded: int
    errored: int
    canceled: int
    expired: int
    delivered: int
    fetches: int
    polls: int
    created_at: str


class MessagesServer:
    """A running server."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self._settings, self._log = settings, log
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    @property
    def settings(self) -> Settings:
        """As last set."""
        return self._settings

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None
        return self._process.pid

    @property
    def folder(self) -> Path:
        """Where it keeps the results of batches."""
        return self._log.parent

    def environment(self) -> dict[str, str]:
        """For a client's process: where the server is, as the SDK reads it. No proxy in between."""
        return {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": KEY,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def set(self, **changes: Any) -> None:
        """Changes settings. New faults start their counts anew; calls under way go on as they began."""
        self._settings = replace(self._settings, **changes)
        self._post("set", self._settings.to_json(), new_faults=str("faults" in changes or "seed" in changes))

    def reset(self, **settings: Any) -> None:
        """The usual settings but for these, new books, no batches: another test begins."""
        self._settings = Settings(**settings)
        self._post("reset", self._settings.to_json())

    def books(self) -> Books:
        """What was seen so far."""
        return Books(**self._get("books"))

    def forget(self) -> None:
        """Begins new books; batches stay."""
        self._post("forget", "")

    def batches(self) -> list[BatchSeen]:
        """All batches ever made, oldest first."""
        return [BatchSeen(**b) for b in self._get("batches")]

    def custom_ids(self, batch_id: str) -> list[str]:
        """Of one batch that is not deleted, in the order given."""
        return list(self._get("custom_ids", id=batch_id))

    def paid(self) -> dict[str, int]:
        """Request (hex digits: 16 of the conversation, 16 of the ask, 8 of what is rated) -> how often it was paid."""
        return dict(self._get("paid"))

    def seen(self, what: Callable[[Books], bool], seconds: float = 30.0) -> Books:
        """The books as soon as they say this. Raises TimeoutError."""
        deadline, books = time.monotonic() + seconds, None
        while True:
            with suppress(OSError):  # a busy server may not take one more connection
                if what(books := self.books()):
                    return books
            if time.monotonic() > deadline:
                raise TimeoutError(f"not seen within {seconds} s: {books}")
            time.sleep(0.01)

    def start(self) -> None:
        """Starts the process and waits until it listens. It ends with this one, whatever becomes of it."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.messages_server_app", str(self.folder)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(self._settings.to_json() + "\n")
        self._process.stdin.flush()
        port = self._process.stdout.readline().strip()
        if not port.isdigit():
            self.stop()
            raise RuntimeError(f"the server did not start: {self._log.read_text()[-2000:]}")
        self.url = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        """Ends the process."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait(30)

    def _get(self, what: str, **query: str) -> Any:
        return json.loads(self._post(what, "", **query))

    def _post(self, what: str, body: str, **query: str) -> bytes:
        path = "&".join(f"{k}={v}" for k, v in query.items())
        request = urllib.request.Request(f"{self.url}/_/{what}?{path}", body.encode(), method="POST")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=120) as answer:
            return bytes(answer.read())


@contextmanager
def messages_server(**settings: Any) -> Iterator[MessagesServer]:
    """A server with these `Settings`, until the block ends. What went wrong inside it fails the test.

    >>> with messages_server(latency_seconds=0.1, faults=random_trouble(0.3)) as server:
    ...     run(env={**os.environ, **server.environment()})
    ...     assert server.books().paid_again_unexplained == 0
    """
    unknown = set(settings) - {f.name for f in fields(Settings)}
    if unknown:
        raise TypeError(f"no such setting: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="messages-server-") as folder:
        server = MessagesServer(Settings(**settings), Path(folder) / "log")
        try:
            server.start()
            yield server
        finally:
            server.stop()
        complaints = (Path(folder) / "log").read_text()
        if complaints.strip():
            raise RuntimeError(f"the server broke: {complaints[-2000:]}")
