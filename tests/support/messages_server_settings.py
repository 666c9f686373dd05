"""How the test server behaves: its settings, the faults that can be ordered, the truths that can be planted.

Lives here: dataclasses shared by the test (`messages_server.py`) and the server's process (`messages_server_app.py`).
Faults are chosen by share (seeded), by script (the nth call) or by a marker in the conversation.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

ROUTES = (
    "messages",
    "count_tokens",
    "batch_create",
    "batch_list",
    "batch_retrieve",
    "batch_results",
    "batch_cancel",
    "batch_delete",
)

CallKind = Literal[
    "rate_limited",  # 429 with retry-after
    "spend_limit",  # 429 that no waiting helps
    "low_credit",  # 400 that is not the item's fault
    "billing",  # 402
    "overloaded",  # 529
    "server_error",  # 500
    "bad_gateway",  # 502 with a page of HTML
    "unavailable",  # 503
    "gateway_timeout",  # 504
    "request_timeout",  # 408
    "conflict",  # 409
    "unauthorized",  # 401
    "forbidden",  # 403
    "unknown_model",  # 404
    "bad_request",  # 400
    "too_large",  # 413
    "reset",  # the connection is reset
    "half_body",  # the reply stops half way and the connection closes
    "hang",  # never an answer, until the client goes
    "drip",  # 200, then a byte now and again, for ever: only a timeout of the whole call ends it
    "broken_json",  # 200
    "html",  # 200 with a page of HTML
    "empty_body",  # 200
    "wrong_shape",  # 200 with JSON that is no answer to anything asked
]
ReplyKind = Literal[
    "refusal",  # stop_reason refusal, no text
    "max_tokens",  # stop_reason max_tokens, the text cut
    "empty",  # a text block with nothing in it
    "no_blocks",  # no content block at all
    "text_around",  # talk before and after the JSON
    "fenced",  # a code fence around the JSON: harmless
    "thinking_first",  # a thinking block before the text: harmless
    "split_blocks",  # the JSON in two text blocks: harmless
    "unknown_enum",  # a category that nobody knows
    "unknown_index",  # a message that is not in the conversation
    "nan",  # NaN instead of a number or a category
    "nested",  # a thousand brackets deep
    "missing_key",
    "extra_key",
    "wrong_type",
    "two_objects",
    "not_json",
]
ItemKind = Literal["expired", "errored", "overloaded", "invalid", "canceled"]
ResultsKind = Literal["shuffled", "duplicated", "missing", "cut", "unknown_ids", "broken_line"]
BatchKind = Literal["fresh_404", "unlisted", "gone", "archived", "never_ends", "expired"]
HARMLESS = ("fenced", "thinking_first", "split_blocks")


@dataclass(frozen=True, kw_only=True)
class CallFault:
    """A call that goes wrong on its way.

    share: of the calls on these routes, at random by the seed (the shares of all faults add up on one draw). calls: the
    nth calls of a route, counted from 1 since the faults were set. marker: `messages` only, the conversations that have
    it. processed: the server first does the work, and bills it: only the reply is lost. retry_after: the header, or none.
    """

    kind: CallKind
    routes: tuple[str, ...] = ROUTES
    share: float = 0.0
    calls: tuple[int, ...] = ()
    marker: str | None = None
    processed: bool = False
    retry_after: float | str | None = 1.0


@dataclass(frozen=True, kw_only=True)
class ReplyFault:
    """A model that answers badly, live or in a batch. It is paid all the same.

    share: of the requests, drawn from their content, so that neither order nor transport changes which. marker: those
    whose conversation has it. tries: the first n replies to a content are bad, then it answers well (None: never well).
    """

    kind: ReplyKind
    share: float = 0.0
    marker: str | None = None
    tries: int | None = None


@dataclass(frozen=True, kw_only=True)
class ItemFault:
    """An item of a batch without a reply (and unpaid). Chosen as in `ReplyFault`; by default the second try succeeds."""

    kind: ItemKind
    share: float = 0.0
    marker: str | None = None
    tries: int | None = 1


@dataclass(frozen=True, kw_only=True)
class ResultsFault:
    """A stream of results that is not what it should be.

    share: of the lines (duplicated, missing, unknown_ids, broken_line). fetches: which fetches of each batch, from 1
    (empty: every one). at: where it is cut, as a share of the bytes; cleanly: the cut looks like a finished reply.
    """

    kind: ResultsKind
    share: float = 1.0
    fetches: tuple[int, ...] = (1,)
    at: float = 0.5
    cleanly: bool = False


@dataclass(frozen=True, kw_only=True)
class BatchFault:
    """A batch with a fate of its own. batches: the nth batches created since the faults were set (empty: every one).

    fresh_404: unknown for `seconds` after its creation, by id and in the list. unlisted: only in the list. gone: unknown
    for ever once it has ended. archived: ended, its results no longer to be had. expired: all that was not done by the
    end of its time, which is everything.
    """

    kind: BatchKind
    batches: tuple[int, ...] = ()
    seconds: float = 1.0


Fault = CallFault | ReplyFault | ItemFault | ResultsFault | BatchFault


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A truth that a test knows: conversations with this marker get these answers.

    marker: text anywhere in the conversation as it was shown ("" is in every one: the rule for all others; the first
    rule that has a property decides it). answers: property of the reply -> value. What a value leaves out is filled in
    from the schema; instead of a message index it may say "assistant:0", "user:-1" (first, last one shown); a rating may
    be one level for all messages or a list in their order; a lone category goes where the schema lists it. messages:
    property -> value at each message that itself has the marker (a level of a rating; one event a message, and no
    others). A value that has no place in the schema fails the test.
    """

    marker: str
    answers: Mapping[str, Any] = field(default_factory=dict)
    messages: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the server behaves. Everything can be changed while it runs: `server.set(latency_seconds=0.5)`.

    latency_seconds: a message's (the work is done, and billed, before the wait). batch_latency_seconds: the same for
    routes of batches. batch_seconds: from creation to the end of a batch. requests_per_minute, tokens_per_minute: beyond
    it 429, in a sliding window of window_seconds. batches: False is a server without these routes, as llama.cpp's.
    model: plain; leaky (quotes the conversation in every free text and error); obedient (follows what it finds in the
    conversation). chances: by property, how often a list has anything in it and a yes/no is yes, `*` for all others.
    models: those that exist (None: all). api_key: the only one accepted (None: any).
    """

    seed: int = 0
    model: Literal["plain", "leaky", "obedient"] = "plain"
    planted: tuple[Planted, ...] = ()
    chances: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    latency_seconds: float = 0.0
    batch_latency_seconds: float = 0.0
    batch_seconds: float = 0.0
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    window_seconds: float = 60.0
    batches: bool = True
    models: tuple[str, ...] | None = None
    api_key: str | None = None
    cache_min_tokens: int = 1024
    max_batch_requests: int = 100_000
    max_batch_bytes: int = 256_000_000

    def to_json(self) -> str:
        """For the server's process."""
        faults = [{"fault": type(f).__name__, **asdict(f)} for f in self.faults]
        return json.dumps({**asdict(self), "faults": faults})

    @classmethod
    def from_json(cls, text: str | bytes) -> "Settings":
        """The same settings again."""
        told = json.loads(text)
        kinds: dict[str, type[Any]] = {
            c.__name__: c for c in (CallFault, ReplyFault, ItemFault, ResultsFault, BatchFault)
        }
        told["faults"] = tuple(kinds[f.pop("fault")](**_tuples(f)) for f in told["faults"])
        told["planted"] = tuple(Planted(**p) for p in told["planted"])
        return cls(**_tuples(told))


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def random_trouble(
    share: float = 0.30, *, hanging: float = 0.1, routes: tuple[str, ...] = ROUTES
) -> tuple[CallFault, ...]:
    """`share` of all calls fail, of every passing kind alike; `hanging` of these never answer."""
    refused: tuple[CallKind, ...] = ("rate_limited", "overloaded", "server_error", "request_timeout", "unavailable")
    before: tuple[CallKind, ...] = (*refused, "bad_gateway", "reset")
    after: tuple[CallKind, ...] = ("reset", "half_body", "broken_json", "html", "empty_body")
    lost = [*((k, False) for k in before), *((k, True) for k in after)]
    each = share * (1 - hanging) / len(lost)
    failing = [CallFault(kind=k, routes=routes, share=each, processed=p, retry_after=0.2) for k, p in lost]
    return (*failing, CallFault(kind="hang", routes=routes, share=share * hanging))
