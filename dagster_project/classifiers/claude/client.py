"""The SDK's clients as we use them, how long we wait for what, and what an error means.

Lives here: everything that knows the SDK's own types, so that transports know ours alone. Not here: trying again
(`live.py`, `batch.py`); the SDK never does (`max_retries=0`), or retries would hide in retries and pay twice.
"""

import json
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from dagster_project.classifiers.claude.transport import Replied, TransportError
from dagster_project.storage.request_ledger.records import Usage

if TYPE_CHECKING:
    from anthropic import Anthropic, AsyncAnthropic

LONGEST_RETRY_AFTER_SECONDS = 3600.0
"""A server that asks for a longer wait than this has closed for us."""


@dataclass(frozen=True)
class Patience:
    """How long is waited for what, and how often something is tried. Seconds, if not said otherwise.

    connect, read, call: to connect; between two bytes; for a whole call, whatever drips in. first_wait, longest_wait:
    between tries of a call, doubling, with jitter. tries: of one call that fails on its way, before its request is put
    back. waits: the same for "too many requests", which is nobody's fault. silence: failing calls and not one answer
    for so long: the server is taken to be gone. replies: bad replies to one conversation that are paid before it gets
    a label that says so; refusals: the same where the model declines. attempts: times that a request may come to
    nothing, over all runs, before its conversation is labelled invalid. elsewhere: between two looks at what other
    processes are asking. poll, reconcile, upload: of batches: between two looks at one; how long after its making one
    may be missing from the list; to send one.
    """

    connect: float = 10.0
    read: float = 90.0
    call: float = 120.0
    first_wait: float = 0.5
    longest_wait: float = 30.0
    tries: int = 8
    waits: int = 60
    silence: float = 600.0
    replies: int = 3
    refusals: int = 2
    attempts: int = 5
    elsewhere: float = 2.0
    poll: float = 60.0
    reconcile: float = 60.0
    upload: float = 1800.0

    def before(self, nth: int) -> float:
        """Seconds before the nth try again (from 1), at random between half and all of what doubling gives."""
        longest = min(self.longest_wait, self.first_wait * 2.0 ** min(nth - 1, 30))
        return longest * random.uniform(0.5, 1.0)


class Kind(StrEnum):
    """What to do about an error."""

    AGAIN = "again"
    """Something went wrong on the way: the same again, a little later."""
    WAIT = "wait"
    """The server is busy, or wants us slower: the same again, and everybody more slowly."""
    REQUEST = "request"
    """This request will never be taken; others may be."""
    FATAL = "fatal"
    """Nothing will be taken until somebody does something."""


@dataclass(frozen=True)
class Trouble:
    """An error understood. words: ours alone; for FATAL they name the next step. retry_after: seconds, if said."""

    kind: Kind
    words: str
    retry_after: float | None = None
    status: int | None = None

    @property
    def fatal(self) -> TransportError:
        """The error to raise."""
        return TransportError(self.words)


def async_client(patience: Patience, connections: int) -> "AsyncAnthropic":
    """A client for live requests; key and address as the SDK reads them. Raises TransportError where that fails."""
    from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient
    from httpx2 import Limits

    # Few idle ones: the pool looks at each of them at every request, which took a third of a request's time.
    limits = Limits(max_connections=None, max_keepalive_connections=max(8, connections // 8))
    try:
        http = DefaultAsyncHttpxClient(limits=limits, timeout=_timeout(patience))
        client = AsyncAnthropic(http_client=http, **_options(patience))
    except Exception as error:
        raise kind_of(error).fatal from None
    _hush()
    return client


def sync_client(patience: Patience) -> "Anthropic":
    """The same for batches."""
    from anthropic import Anthropic

    try:
        client = Anthropic(**_options(patience))
    except Exception as error:
        raise kind_of(error).fatal from None
    _hush()
    return client


def _timeout(patience: Patience) -> Any:
    from httpx2 import Timeout

    return Timeout(patience.read, connect=patience.connect, pool=None)


def _options(patience: Patience) -> dict[str, Any]:
    # Given, so that no ANTHROPIC_OPEN_TELEMETRY… variable has the SDK put conversations into traces.
    silent = {"traces": {"enabled": False}, "propagation": False}
    return {"max_retries": 0, "timeout": _timeout(patience), "open_telemetry": silent}


def _hush() -> None:
    """At DEBUG these write whole prompts (ANTHROPIC_LOG=debug asks for it)."""
    for name in ("anthropic", "httpx2", "httpcore2"):
        logger = logging.getLogger(name)
        if logger.getEffectiveLevel() < logging.INFO:
            logger.setLevel(logging.INFO)


def message_of(said: bytes) -> Any:
    """The message in the body of a reply, or None where it is not JSON. The SDK's own types cost a fifth of a call."""
    try:
        return json.loads(said, object_hook=lambda pairs: SimpleNamespace(**pairs))
    except (ValueError, TypeError, RecursionError):
        return None


def replied(message: Any) -> Replied | None:
    """What we take of a message, or None where it is none: a proxy may answer 200 with anything."""
    stop_reason, content = getattr(message, "stop_reason", None), getattr(message, "content", None)
    usage = usage_of(getattr(message, "usage", None))
    if not isinstance(content, list) or usage is None or not isinstance(stop_reason, str | None):
        return None
    texts = [getattr(block, "text", None) for block in content if getattr(block, "type", None) == "text"]
    return Replied(stop_reason, tuple(text for text in texts if isinstance(text, str)), usage)


def usage_of(said: Any) -> Usage | None:
    """Tokens as the API counts them, or None where it does not."""
    names = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    counts = [getattr(said, name, None) for name in names]
    if not all(type(n) is int and n >= 0 for n in counts[:2]):
        return None
    return Usage(*(n if type(n) is int and n >= 0 else 0 for n in counts))


_SETTING = "[claude].screen_model and detail_model"
_OUT_OF_MONEY = (
    "the API's own spend limit or credit is used up: raise it or add credit with the provider, then run again; "
    "nothing that was answered is lost"
)
_SPEND_CODES = ("spend_limit", "billing", "organization_on_hold", "ramp_limit")
_SPEND_WORDS = ("your credit balance is too low", "you have reached your")
"""How the message begins. Not anywhere in it: a server may quote a conversation."""


def kind_of(error: BaseException, model: str | None = None) -> Trouble:
    """What an error of a call means. model: the one asked for, to be named where the server does not know it.

    Never quotes the server or the SDK: both may quote the conversation. A 404 means an unknown model: whoever asked
    for a batch knows better and looks at `status` first.
    """
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        return _of_status(error, model)
    if isinstance(error, anthropic.APITimeoutError | TimeoutError | httpx2.TimeoutException):
        return Trouble(Kind.AGAIN, "no answer in time")
    cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) and error.__cause__ else error
    if isinstance(cause, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return Trouble(Kind.FATAL, "ANTHROPIC_BASE_URL is not an address: give one such as http://127.0.0.1:8080")
    if isinstance(cause, httpx2.LocalProtocolError):
        return Trouble(Kind.FATAL, "ANTHROPIC_API_KEY cannot be sent as it is: does a line break stand at its end?")
    if isinstance(cause, httpx2.ConnectError):
        return Trouble(Kind.AGAIN, "the server cannot be reached")
    if isinstance(cause, anthropic.APIConnectionError | httpx2.TransportError | OSError):
        return Trouble(Kind.AGAIN, "the connection broke")
    if isinstance(cause, anthropic.APIResponseValidationError | httpx2.HTTPError | httpx2.StreamError | ValueError):
        return Trouble(Kind.AGAIN, "a reply that cannot be read")
    if isinstance(error, anthropic.AnthropicError | TypeError) and "authentication" in str(error):
        return Trouble(Kind.FATAL, "there is no key for the API: set ANTHROPIC_API_KEY")
    if isinstance(error, anthropic.CredentialsError):
        return Trouble(Kind.FATAL, "the API's credentials cannot be read: set ANTHROPIC_API_KEY")
    raise error


def _of_status(error: Any, model: str | None) -> Trouble:
    status: int = error.status_code
    retry_after = _retry_after(error.response.headers)
    if _is_out_of_money(error):
        return Trouble(Kind.FATAL, _OUT_OF_MONEY, status=status)
    if status == 429 or status in (503, 529):
        if retry_after is not None and retry_after > LONGEST_RETRY_AFTER_SECONDS:
            words = f"the server asks us to wait for {retry_after / 3600:.0f} hours: run again then"
            return Trouble(Kind.FATAL, words, retry_after, status)
        return Trouble(Kind.WAIT, f"the server is too busy for us (status {status})", retry_after, status)
    if status in (408, 409, 425) or status >= 500:
        return Trouble(Kind.AGAIN, f"the server failed (status {status})", retry_after, status)
    if status in (400, 413, 422):
        return Trouble(Kind.REQUEST, f"the server does not take the request (status {status})", status=status)
    words = {
        401: "the API refuses the key (status 401): check ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL",
        403: "the API does not allow this key to do this (status 403): check ANTHROPIC_API_KEY and its rights",
        404: f"the server does not know the model {model or 'asked for'} (status 404): check {_SETTING}, and "
        "ANTHROPIC_BASE_URL if it is set",
    }.get(status, f"the server answers with status {status}: does ANTHROPIC_BASE_URL speak the Messages API?")
    return Trouble(Kind.FATAL, words, status=status)


def _is_out_of_money(error: Any) -> bool:
    code, said = getattr(error, "error_code", None), getattr(error, "api_message", None)
    if error.status_code == 402 or error.type == "billing_error":
        return True
    if isinstance(code, str) and any(part in code for part in _SPEND_CODES):
        return True
    if error.status_code not in (400, 403, 429) or not isinstance(said, str):
        return False
    # The same was said without a code, under 400, for years.
    return said.lower().startswith(_SPEND_WORDS)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from `retry-after-ms` or `retry-after` (seconds or a date)."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        then = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())
