"""The books of the test server: what came in, what was done and billed, what got lost.

Lives here: counting, in little memory a request. Not here: how a test reads them (`Books` in `messages_server.py`).
"""

import time
from collections import Counter, defaultdict, deque
from pathlib import Path
from typing import Any

# One request's counts in one number of four fields: a dict of 100,000 small objects would weigh ten times as much.
PAID, BAD, LOST, FAILED = 1, 1 << 16, 1 << 32, 1 << 48
FIELD = (1 << 16) - 1


class Window:
    """How many came in the last `seconds`, and the most ever in any such window."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._entries: deque[tuple[float, int]] = deque()
        self.now, self.peak = 0, 0

    def clear(self) -> None:
        """Nothing came."""
        self._entries.clear()
        self.now = 0

    def at(self, when: float) -> int:
        """The sum over the window that ends then."""
        while self._entries and self._entries[0][0] <= when - self.seconds:
            self.now -= self._entries.popleft()[1]
        return self.now

    def add(self, when: float, amount: int) -> None:
        """Something came."""
        self.at(when)
        self._entries.append((when, amount))
        self.now += amount
        self.peak = max(self.peak, self.now)


class Bookkeeper:
    """Counts everything since it was made."""

    def __init__(self, window_seconds: float) -> None:
        self.calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.faults: Counter[str] = Counter()
        self.request_bytes: Counter[str] = Counter()
        self.usage: Counter[str] = Counter()
        self.properties: Counter[str] = Counter()
        self.asks: dict[bytes, dict[str, Any]] = {}
        self.tally: dict[bytes, int] = {}
        self.custom_ids: set[str] = set()
        self.custom_ids_again = 0
        self.batches, self.batch_items, self.sdk_retries = 0, 0, 0
        self.complaints: Counter[str] = Counter()
        self.requests_window, self.tokens_window = Window(window_seconds), Window(window_seconds)
        self.open_calls, self.peak_open_calls, self.hanging = 0, 0, 0
        self.arrivals: Counter[int] = Counter()
        self._first: float | None = None

    def arrived(self, when: float) -> None:
        """A call of `messages` came in."""
        self._first = when if self._first is None else self._first
        self.arrivals[int(when - self._first)] += 1
        self.requests_window.add(when, 1)

    def opened(self) -> None:
        """A call is under way."""
        self.open_calls += 1
        self.peak_open_calls = max(self.peak_open_calls, self.open_calls)

    def count(self, key: bytes, amount: int) -> None:
        """Adds to one of the fields of a request."""
        self.tally[key] = self.tally.get(key, 0) + amount

    def tries(self, key: bytes) -> int:
        """How often this request was worked on so far, with or without a reply."""
        packed = self.tally.get(key, 0)
        return (packed & FIELD) + (packed >> 48 & FIELD)

    def paid(self, key: bytes, ask: dict[str, Any], usage: dict[str, int], *, bad: bool) -> None:
        """A request was processed. ask: {model, properties}, of key[8:16]."""
        self.count(key, PAID + (BAD if bad else 0))
        self.asks.setdefault(key[8:16], {**ask, "paid": 0})["paid"] += 1
        self.properties.update(ask["properties"])
        self.usage.update(usage)

    def submitted(self, custom_ids: list[str]) -> None:
        """A batch was made."""
        self.batches += 1
        self.batch_items += len(custom_ids)
        before = len(self.custom_ids)
        self.custom_ids.update(custom_ids)
        self.custom_ids_again += len(custom_ids) - (len(self.custom_ids) - before)

    def by_request(self) -> dict[str, int]:
        """Request -> how often it was paid."""
        return {key.hex(): packed & FIELD for key, packed in self.tally.items() if packed & FIELD}

    def to_json(self) -> dict[str, Any]:
        """As `Books` has it."""
        paid = bad = lost = failed = again = unexplained = requests = 0
        conversations = set()
        memory = resident()
        for key, packed in self.tally.items():
            p, b, gone = packed & FIELD, packed >> 16 & FIELD, packed >> 32 & FIELD
            paid, bad, lost, failed = paid + p, bad + b, lost + gone, failed + (packed >> 48 & FIELD)
            if p:
                requests += 1
                conversations.add(key[:8])
            again += max(0, p - b - 1)
            unexplained += max(0, p - b - gone - 1)
        return {
            "calls": {route: dict(n) for route, n in self.calls.items()},
            "sdk_retries": self.sdk_retries,
            "paid": paid,
            "requests": requests,
            "conversations": len(conversations),
            "bad": bad,
            "lost": lost,
            "paid_again": again,
            "paid_again_unexplained": unexplained,
            "failed_items": failed,
            "asks": {ask.hex(): told for ask, told in self.asks.items()},
            "properties": dict(self.properties),
            "batches": self.batches,
            "batch_items": self.batch_items,
            "custom_ids_again": self.custom_ids_again,
            "usage": dict(self.usage),
            "request_bytes": dict(self.request_bytes),
            "peak_requests_per_window": self.requests_window.peak,
            "peak_tokens_per_window": self.tokens_window.peak,
            "peak_open_calls": self.peak_open_calls,
            "open_calls": self.open_calls,
            "hanging": self.hanging,
            "arrivals": [self.arrivals[s] for s in range(max(self.arrivals, default=-1) + 1)],
            "faults": dict(self.faults),
            "complaints": [f"{n} × {what}" for what, n in self.complaints.items()],
            "server_bytes": memory["VmRSS"],
            "server_peak_bytes": memory["VmHWM"],
        }


def resident() -> dict[str, int]:
    """Bytes of this process in memory, now (VmRSS) and at most (VmHWM). Not `getrusage`: that counts the parent's too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {k: int(v.split()[0]) * 1024 for k, _, v in (x.partition(":") for x in lines) if k in ("VmRSS", "VmHWM")}


def now() -> float:
    """Seconds that never step back."""
    return time.monotonic()
