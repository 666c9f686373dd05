"""Faults of a call to the stand-in for the Messages API, and bad replies: one that does not happen would let every test
of the Claude labeller pass for nothing. Not here: faults of batches."""

import asyncio
import json
from typing import Any, get_args

import anthropic
import pytest

from tests.support.messages_asks import DETAIL, ask, text_of
from tests.support.messages_server import MessagesServer
from tests.support.messages_server_settings import (
    CallFault,
    CallKind,
    ReplyFault,
    ReplyKind,
    random_trouble,
)

STATUS: dict[str, tuple[int, type[anthropic.APIStatusError]]] = {
    "rate_limited": (429, anthropic.RateLimitError),
    "spend_limit": (429, anthropic.RateLimitError),
    "low_credit": (400, anthropic.BadRequestError),
    "billing": (402, anthropic.APIStatusError),
    "overloaded": (529, anthropic.InternalServerError),
    "server_error": (500, anthropic.InternalServerError),
    "bad_gateway": (502, anthropic.InternalServerError),
    "unavailable": (503, anthropic.InternalServerError),
    "gateway_timeout": (504, anthropic.InternalServerError),
    "request_timeout": (408, anthropic.APIStatusError),
    "conflict": (409, anthropic.ConflictError),
    "unauthorized": (401, anthropic.AuthenticationError),
    "forbidden": (403, anthropic.PermissionDeniedError),
    "unknown_model": (404, anthropic.NotFoundError),
    "bad_request": (400, anthropic.BadRequestError),
    "too_large": (413, anthropic.APIStatusError),
}


@pytest.mark.parametrize("kind", sorted(STATUS))
def test_an_error_is_the_sdk_s_own(server: MessagesServer, client: anthropic.Anthropic, kind: CallKind) -> None:
    status, error = STATUS[kind]
    server.set(faults=(CallFault(kind=kind, calls=(2,), retry_after=3),))
    client.messages.create(**ask("first"))
    with pytest.raises(error) as caught:
        client.messages.create(**ask("second"))
    assert caught.value.status_code == status
    assert caught.value.response.headers.get("retry-after") == ("3" if kind == "rate_limited" else None)
    assert (caught.value.error_code == "enforced_spend_limit_reached") == (kind == "spend_limit")
    client.messages.create(**ask("third"))
    books = server.books()
    assert books.calls == {"messages": {"ok": 2, kind: 1}}
    assert (books.paid, books.lost, books.faults) == (2, 0, {kind: 1})


@pytest.mark.parametrize("processed", [False, True])
@pytest.mark.parametrize("kind", ["reset", "half_body", "hang", "broken_json", "empty_body"])
def test_a_reply_is_lost_on_the_way(
    server: MessagesServer, client: anthropic.Anthropic, kind: CallKind, processed: bool
) -> None:
    """The difference between before and after the work is the difference between unpaid and paid for nothing."""
    server.set(faults=(CallFault(kind=kind, calls=(1,), processed=processed),))
    broken = ValueError if kind in ("broken_json", "empty_body") else anthropic.APIConnectionError
    with pytest.raises(broken) as caught:
        client.messages.create(**ask("hello"), timeout=0.3 if kind == "hang" else 20)
    assert isinstance(caught.value, anthropic.APITimeoutError) == (kind == "hang")
    books = server.seen(lambda b: b.hanging == 0)
    assert (books.calls, books.paid, books.lost) == ({"messages": {kind: 1}}, processed, processed)
    client.messages.create(**ask("hello"))
    books = server.books()
    assert (books.paid, books.requests, books.paid_again, books.paid_again_unexplained) == (
        1 + processed,
        1,
        processed,
        0,
    )


@pytest.mark.parametrize("kind", ["html", "wrong_shape"])
def test_a_reply_that_the_sdk_takes_for_good_is_none(
    server: MessagesServer, client: anthropic.Anthropic, kind: CallKind
) -> None:
    """The SDK hands over a string, or a message without content, and raises nothing: the caller has to look."""
    server.set(faults=(CallFault(kind=kind, calls=(1,), routes=("messages",)),))
    reply = client.messages.create(**ask("hello"))
    assert getattr(reply, "content", None) is None
    assert server.books().paid == 0


def test_a_hanging_call_is_seen_while_it_hangs(server: MessagesServer) -> None:
    """Tests kill a client exactly there."""
    server.set(faults=(CallFault(kind="hang", calls=(1,), processed=True),))

    async def run() -> None:
        async with anthropic.AsyncAnthropic(base_url=server.url, api_key="k", max_retries=0) as client:
            call = asyncio.ensure_future(client.messages.create(**ask("hello")))
            books = await asyncio.to_thread(server.seen, lambda b: b.hanging == 1)
            assert (books.open_calls, books.paid) == (1, 1)
            call.cancel()
            await asyncio.to_thread(server.seen, lambda b: b.hanging == b.open_calls == 0)

    asyncio.run(run())


def test_a_dripping_reply_ends_only_by_a_timeout_of_the_whole_call(server: MessagesServer) -> None:
    """A read timeout alone never fires on it."""
    server.set(faults=(CallFault(kind="drip", calls=(1,)),))

    async def run() -> None:
        async with anthropic.AsyncAnthropic(base_url=server.url, api_key="k", max_retries=0, timeout=1) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.messages.create(**ask("hello")), 2.5)

    asyncio.run(run())
    server.seen(lambda b: b.hanging == 0)


def test_a_fault_may_follow_a_mark_in_the_conversation(server: MessagesServer, client: anthropic.Anthropic) -> None:
    server.set(faults=(CallFault(kind="bad_request", marker="§cursed"),))
    for n in range(3):
        client.messages.create(**ask(f"well {n}"))
        with pytest.raises(anthropic.BadRequestError):
            client.messages.create(**ask(f"§cursed {n}"))


def test_trouble_at_random_is_as_frequent_as_ordered(server: MessagesServer) -> None:
    """30 % of all calls, a tenth of them hanging: a run that survives less has survived nothing."""
    server.set(faults=random_trouble(0.30, hanging=0.1), seed=5)

    async def one(client: anthropic.AsyncAnthropic, n: int, room: asyncio.Semaphore) -> bool:
        async with room:
            try:
                reply: Any = await client.messages.create(**ask(f"c{n}"))
            except (anthropic.APIError, ValueError):
                return False
            return getattr(reply, "content", None) is not None

    async def run() -> list[bool]:
        room = asyncio.Semaphore(40)
        async with anthropic.AsyncAnthropic(base_url=server.url, api_key="k", max_retries=0, timeout=3) as client:
            return await asyncio.gather(*(one(client, n, room) for n in range(500)))

    came_through = asyncio.run(run())
    books = server.seen(lambda b: b.open_calls == 0)
    failed = books.called("messages") - books.came_of("ok")
    assert 0.25 < failed / 500 < 0.35
    assert came_through.count(False) == failed == sum(books.faults.values())
    assert 5 <= books.faults["hang"] <= 35
    assert len(books.faults) >= 10
    assert books.paid == books.came_of("ok") + books.lost


# Bad replies


@pytest.mark.parametrize("kind", get_args(ReplyKind))
def test_a_bad_reply_is_bad_in_its_own_way(
    server: MessagesServer, client: anthropic.Anthropic, kind: ReplyKind
) -> None:
    said = [f"turn {i}" for i in range(6)]
    good = text_of(client.messages.create(**ask(*said, schema=DETAIL, rate=[0, 2, 4])))
    server.reset(faults=(ReplyFault(kind=kind, marker="turn 3", tries=1),))
    message = client.messages.create(**ask(*said, schema=DETAIL, rate=[0, 2, 4]))
    text, answer = text_of(message), json.loads(good)
    expected: dict[str, Any] = {
        "refusal": lambda: message.stop_reason == "refusal" and not message.content,
        "max_tokens": lambda: message.stop_reason == "max_tokens" and good.startswith(text),
        "empty": lambda: text == "",
        "no_blocks": lambda: message.content == [],
        "text_around": lambda: good in text and not text.startswith("{"),
        "fenced": lambda: text == f"```json\n{good}\n```",
        "thinking_first": lambda: message.content[0].type == "thinking" and text == good,
        "split_blocks": lambda: len(message.content) == 2 and text == good,
        "unknown_enum": lambda: json.loads(text)["start"] not in DETAIL["properties"]["start"]["enum"],
        "unknown_index": lambda: {m["i"] for m in json.loads(text)["mood"]}.isdisjoint(range(6)),
        "nan": lambda: "NaN" in text,
        "nested": lambda: text.startswith("[" * 1000),
        "missing_key": lambda: set(json.loads(text)) < set(answer),
        "extra_key": lambda: set(json.loads(text)) > set(answer),
        "wrong_type": lambda: type(json.loads(text)["start"]) is not str,
        "two_objects": lambda: text.count(good) == 2,
        "not_json": lambda: "{" not in text,
    }
    assert expected[kind](), text[:200]
    harmless = kind in ("fenced", "thinking_first", "split_blocks")
    assert text_of(client.messages.create(**ask(*said, schema=DETAIL, rate=[0, 2, 4]))) == good
    books = server.books()
    assert (books.paid, books.bad, books.paid_again) == (2, not harmless, harmless), (
        "a bad reply is paid, and asked again"
    )


def test_bad_replies_are_drawn_from_what_is_asked_not_from_when(
    server: MessagesServer, client: anthropic.Anthropic
) -> None:
    """Else a run that was killed would meet other bad replies than one that was not, and never give the same labels."""
    server.set(faults=(ReplyFault(kind="empty", share=0.3),))

    def empty(order: list[int]) -> set[int]:
        return {n for n in order if text_of(client.messages.create(**ask(f"c{n}"))) == ""}

    first = empty(list(range(60)))
    assert 8 < len(first) < 30
    assert empty(list(range(59, -1, -1))) == first
    requests: list[Any] = [{"custom_id": str(n), "params": ask(f"c{n}")} for n in range(60)]
    made = client.messages.batches.create(requests=requests)
    results = {int(r.custom_id): r.result for r in client.messages.batches.results(made.id)}
    assert {n for n, r in results.items() if r.type == "succeeded" and text_of(r.message) == ""} == first
