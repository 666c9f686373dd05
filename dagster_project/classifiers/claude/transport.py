"""What lies between asking and the wire: a request that is ready, how it ended, and what every transport promises.

Lives here: these values and two small interfaces. Not here: how requests travel (`live.py`, `batch.py`), what is asked
and what becomes of a reply (`asking.py`, `settling.py`), SDK clients and their errors (`client.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol

from dagster_project.errors import ConfideError
from dagster_project.storage.request_ledger.records import Request, Usage


class TransportError(ConfideError):
    """Nothing more can be sent: a key, a limit, a server. The message names the cause and the next step."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request of this worker's, to be sent. request: its row in the ledger; `request.id` is the custom_id.

    make: the arguments of `messages.create` (the `params` of a batch item), made anew at every call, so that a queue
    of these holds no prompts. What it gives may share parts with others: do not change it.
    """

    request: Request
    make: Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Replied:
    """A model's reply, good or bad, that was paid. texts: of its text blocks, in order."""

    stop_reason: str | None
    texts: tuple[str, ...]
    usage: Usage


class Blame(StrEnum):
    """Why there is no reply."""

    REQUEST = "request"
    """The server will not have this very request (invalid, too large): the same again would be refused again."""
    CHANCE = "chance"
    """It came to nothing on its way (expired, cancelled, a server's error, no answer): the same again may succeed."""


@dataclass(frozen=True, slots=True)
class Failed:
    """No reply. outcome: for the ledger, at most 32 characters of our own (expired, errored, canceled, lost, …)."""

    outcome: str
    blame: Blame


@dataclass(frozen=True, slots=True)
class Result:
    """How one request ended."""

    request: Request
    ended: Replied | Failed


Settle = Callable[[Sequence[Result]], None]
"""Takes results, whoever's the requests are and whenever they were sent; returns once the ledger has them for good.

Safe to call from any thread, and again with the same results: the first stay. Give it groups (some hundreds), not one
by one. What it raises ends the sending: let it through.
"""

SettleOpen = Callable[[Settle], int]
"""One look, without waiting, at what earlier runs left: batches that a dead worker intended are searched for, those
submitted that have ended are settled and deleted. Returns how many batches of dead workers are still open. Makes no
client where the ledger has no such batch."""


class Transport(Protocol):
    """A way to the model and back."""

    @property
    def name(self) -> Literal["batch", "live"]:
        """As the ledger and the settings call it."""
        ...

    def send(self, prepared: Iterator[Prepared], settle: Settle) -> None:
        """Send all of them and return when each was settled.

        Takes from the iterator only what it can send now (its items are claimed and read as they are taken; taking
        may take a while, and is done by one thread at a time). Each request taken is settled once; where this raises,
        those not settled are left as the ledger has them. Raises TransportError when nothing more can be sent: what
        was under way is settled first. Faults on the way are dealt with inside; replies are not judged here.
        """
        ...
