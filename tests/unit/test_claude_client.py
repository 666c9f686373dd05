"""What an error of the SDK means to us, how long we wait, and how many calls the gate lets through."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import anthropic
import httpx2
import pytest

from dagster_project.classifiers.claude.client import Kind, Patience, kind_of, replied
from dagster_project.classifiers.claude.gate import FIRST_WIDTH, ROUND, Gate
from dagster_project.classifiers.claude.transport import TransportError

REQUEST = httpx2.Request("POST", "http://127.0.0.1/v1/messages")
SECRET = "what the person wrote"


def error_of(
    status: int, type_: str = "api_error", message: str = SECRET, code: str | None = None, **headers: str
) -> Exception:
    """The SDK's own exception for a reply."""
    error: dict[str, Any] = {"type": type_, "message": message}
    if code:
        error["details"] = {"error_code": code}
    body = json.dumps({"type": "error", "error": error}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = httpx2.Response(status, content=body, headers=named, request=REQUEST)
    return anthropic.Anthropic(api_key="k", base_url="http://127.0.0.1")._make_status_error_from_response(reply)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (error_of(429, "rate_limit_error"), Kind.WAIT),
        (error_of(529, "overloaded_error"), Kind.WAIT),
        (error_of(503), Kind.WAIT),
        (error_of(500), Kind.AGAIN),
        (error_of(502), Kind.AGAIN),
        (error_of(504, "timeout_error"), Kind.AGAIN),
        (error_of(408, "timeout_error"), Kind.AGAIN),
        (error_of(409), Kind.AGAIN),
        (anthropic.APITimeoutError(REQUEST), Kind.AGAIN),
        (anthropic.APIConnectionError(request=REQUEST), Kind.AGAIN),
        (TimeoutError(), Kind.AGAIN),
        (json.JSONDecodeError("no", SECRET, 0), Kind.AGAIN),
        (httpx2.RemoteProtocolError(SECRET), Kind.AGAIN),
        (error_of(400, "invalid_request_error"), Kind.REQUEST),
        (error_of(413, "request_too_large"), Kind.REQUEST),
        (error_of(401, "authentication_error"), Kind.FATAL),
        (error_of(403, "permission_error"), Kind.FATAL),
        (error_of(404, "not_found_error"), Kind.FATAL),
        (error_of(405), Kind.FATAL),
        (error_of(402, "billing_error"), Kind.FATAL),
        (error_of(429, "rate_limit_error", code="enforced_spend_limit_reached"), Kind.FATAL),
        (error_of(403, "permission_error", code="contract_spend_limit_reached"), Kind.FATAL),
        (error_of(400, "invalid_request_error", "Your credit balance is too low to access the API."), Kind.FATAL),
        (error_of(400, "invalid_request_error", "You have reached your specified API usage limits."), Kind.FATAL),
        (error_of(429, "rate_limit_error", retry_after="90000"), Kind.FATAL),
    ],
)
def test_each_error_is_understood_and_none_is_quoted(error: Exception, kind: Kind) -> None:
    """A limit that is tried again for ever, or a passing fault that ends a run, costs a night."""
    trouble = kind_of(error, "some-model")
    assert trouble.kind is kind
    assert SECRET not in trouble.words
    assert isinstance(trouble.fatal, TransportError)


def test_a_conversation_quoted_by_the_server_cannot_stop_the_run() -> None:
    """Who writes about a credit balance must not look like an empty account."""
    quoted = "messages.0: 'your credit balance is too low' said my bank; you have reached your limit"
    assert kind_of(error_of(400, "invalid_request_error", quoted)).kind is Kind.REQUEST


def test_an_unknown_error_is_not_swallowed() -> None:
    """A mistake of ours must not be tried again as if it were the server's."""
    with pytest.raises(KeyError):
        kind_of(KeyError("ours"))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    """A header that is misread is a server that is hammered, or a run that sleeps for a day."""
    assert kind_of(error_of(429, **headers)).retry_after == seconds


def test_retry_after_may_be_a_date() -> None:
    """Proxies send dates."""
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert kind_of(error_of(429, retry_after=then)).retry_after == pytest.approx(30, abs=2)
    past = format_datetime(datetime.now(UTC) - timedelta(days=1))
    assert kind_of(error_of(429, retry_after=past)).retry_after == 0.0


def test_waits_double_up_to_the_longest_and_are_not_all_alike() -> None:
    """Clients that wait equally long come back all at once."""
    patience = Patience(first_wait=1.0, longest_wait=10.0)
    random.seed(1)
    for nth, most in ((1, 1.0), (2, 2.0), (4, 8.0), (5, 10.0), (500, 10.0)):
        waits = [patience.before(nth) for _ in range(200)]
        assert most / 2 <= min(waits) < 0.6 * most
        assert 0.9 * most < max(waits) <= most


@pytest.mark.parametrize(
    "message",
    [
        "<html>please sign in</html>",
        {"status": "healthy"},
        {"content": None, "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}},
        {"content": [], "stop_reason": "end_turn", "usage": None},
        {"content": [], "stop_reason": "end_turn", "usage": {"input_tokens": "1", "output_tokens": 1}},
        {"content": [], "stop_reason": "end_turn", "usage": {"input_tokens": -1, "output_tokens": 1}},
        {"content": [], "stop_reason": 7, "usage": {"input_tokens": 1, "output_tokens": 1}},
    ],
)
def test_what_is_no_message_is_no_reply(message: Any) -> None:
    """A proxy's page under status 200 must be tried again, and not be labelled."""
    made: Any = message
    if isinstance(message, dict):
        made = SimpleNamespace(**message)
        if message.get("usage"):
            made.usage = SimpleNamespace(**message["usage"])
    assert replied(made) is None


def test_only_text_blocks_are_read() -> None:
    """A thinking block comes first with some models, and quotes the conversation."""
    blocks: list[Any] = [
        anthropic.types.ThinkingBlock(type="thinking", thinking=SECRET, signature="s"),
        anthropic.types.TextBlock(type="text", text="{"),
        anthropic.types.TextBlock(type="text", text="}"),
    ]
    usage = anthropic.types.Usage.model_construct(input_tokens=5, output_tokens=2, cache_read_input_tokens=None)
    reply = replied(SimpleNamespace(content=blocks, stop_reason="end_turn", usage=usage))
    assert reply is not None
    assert reply.texts == ("{", "}")
    assert (reply.usage.prompt_tokens, reply.usage.output_tokens) == (5, 2)


def rounds(gate: Gate, n: int, busy_share: float) -> None:
    """Answers enough for n changes."""
    chosen = random.Random(0)
    for _ in range(n):
        for _ in range(max(ROUND, int(gate.width))):
            gate.learn(chosen.random() < busy_share)


def test_the_gate_widens_to_the_most_and_a_bad_day_does_not_close_it() -> None:
    """A few busy answers among many would else cost most of the speed."""
    calm, rough = Gate(64), Gate(64)
    assert calm.width == FIRST_WIDTH
    rounds(calm, 2, 0.0)
    rounds(rough, 12, 0.07)
    assert calm.width == rough.width == 64
    assert not rough.is_crowded


def test_the_gate_narrows_while_the_server_says_that_it_is_busy() -> None:
    """Who keeps pushing an overloaded server keeps it overloaded; and it opens again."""
    gate = Gate(64)
    rounds(gate, 3, 0.0)
    rounds(gate, 30, 0.9)
    assert gate.is_crowded
    assert gate.width == 1
    rounds(gate, 10, 0.0)
    assert 8 < gate.width < 32
    assert not gate.is_crowded


def test_the_gate_lets_through_as_many_as_it_is_wide_in_their_order() -> None:
    """One too many is a limit broken; one lost is a run that hangs at its end."""

    async def crowd() -> tuple[int, list[int]]:
        gate, inside, most, order = Gate(3), 0, 0, []

        async def one(i: int) -> None:
            nonlocal inside, most
            await gate.enter()
            try:
                order.append(i)
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.001)
                inside -= 1
            finally:
                gate.leave()

        tasks = [asyncio.create_task(one(i)) for i in range(40)]
        await asyncio.sleep(0)
        for i in (5, 6, 20):
            tasks[i].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait_for(gate.enter(), 1)
        return most, order

    most, order = asyncio.run(crowd())
    assert most == 3
    assert order == [i for i in range(40) if i not in (5, 6, 20)]
