"""Faults of batches at the stand-in for the Messages API: one that does not happen would let every test of batches pass
for nothing. Not here: faults of a call."""

import time
from typing import Any

import anthropic
import httpx2
import pytest

from tests.support.messages_asks import items
from tests.support.messages_server import MessagesServer
from tests.support.messages_server_settings import (
    BatchFault,
    CallFault,
    CallKind,
    ItemFault,
    ResultsFault,
    ResultsKind,
)


@pytest.mark.parametrize("kind", ["expired", "errored", "overloaded", "invalid", "canceled"])
def test_an_item_without_a_reply_is_unpaid_and_may_come_again(
    server: MessagesServer, client: anthropic.Anthropic, kind: Any
) -> None:
    server.set(faults=(ItemFault(kind=kind, share=0.5),))
    first = client.messages.batches.create(requests=items(40))
    counts = client.messages.batches.retrieve(first.id).request_counts
    errored = kind in ("errored", "overloaded", "invalid")
    failed = counts.errored if errored else getattr(counts, kind)
    assert 8 < failed < 32
    assert counts.succeeded == 40 - failed
    results = {r.custom_id: r.result for r in client.messages.batches.results(first.id)}
    lost = sorted(c for c, r in results.items() if r.type != "succeeded")
    assert len(lost) == failed
    assert {results[c].type for c in lost} == {"errored" if errored else kind}
    if errored:
        type_ = {"errored": "api_error", "overloaded": "overloaded_error", "invalid": "invalid_request_error"}[kind]
        assert {results[c].error.error.type for c in lost} == {type_}  # type: ignore[union-attr]
    again = [i for i in items(40) if i["custom_id"] in lost]
    second = client.messages.batches.create(requests=again)
    assert client.messages.batches.retrieve(second.id).request_counts.succeeded == failed
    books = server.books()
    assert (books.paid, books.paid_again, books.failed_items) == (40, 0, failed)
    assert books.custom_ids_again == failed


def results_of(client: anthropic.Anthropic, batch_id: str) -> list[str]:
    return [r.custom_id for r in client.messages.batches.results(batch_id)]


def test_results_come_in_any_order_twice_or_not_at_all(server: MessagesServer, client: anthropic.Anthropic) -> None:
    made = client.messages.batches.create(requests=items(60))
    sound = results_of(client, made.id)
    kinds: list[ResultsKind] = ["shuffled", "duplicated", "missing", "unknown_ids"]
    for n, kind in enumerate(kinds, 2):
        server.set(faults=(ResultsFault(kind=kind, share=0.3, fetches=(n,)),))
        got = results_of(client, made.id)
        if kind == "shuffled":
            assert got != sound
            assert sorted(got) == sorted(sound)
        elif kind == "duplicated":
            assert list(dict.fromkeys(got)) == sound
            assert 65 < len(got) < 100
        elif kind == "missing":
            assert [c for c in sound if c in got] == got
            assert 30 < len(got) < 56
        else:
            assert [c for c in got if c in sound] == sound
            assert 65 < len(got) < 100
    assert results_of(client, made.id) == sound, "the next fetch is sound"
    assert server.batches()[-1].fetches == 6


def test_results_are_cut_in_the_middle(server: MessagesServer, client: anthropic.Anthropic) -> None:
    """Half a file is half the labels: a cut that looks like the end must be noticed by counting."""
    made = client.messages.batches.create(requests=items(60))
    server.set(
        faults=(
            ResultsFault(kind="cut", fetches=(1,), at=0.5),
            ResultsFault(kind="cut", fetches=(2,), at=0.5, cleanly=True),
            ResultsFault(kind="broken_line", fetches=(3,), share=0.2),
        )
    )
    got: list[str] = []
    with pytest.raises(httpx2.RemoteProtocolError):
        got.extend(r.custom_id for r in client.messages.batches.results(made.id))
    with pytest.raises(ValueError, match="line 1"):
        results_of(client, made.id)
    with pytest.raises(ValueError, match="line 1"):
        results_of(client, made.id)
    assert 20 < server.batches()[-1].delivered < 60
    assert len(results_of(client, made.id)) == 60
    client.messages.batches.delete(made.id)
    assert server.books().lost == 0


def test_what_nobody_fetched_before_the_end_is_lost(server: MessagesServer, client: anthropic.Anthropic) -> None:
    made = client.messages.batches.create(requests=items(10))
    server.set(faults=(ResultsFault(kind="missing", share=0.4, fetches=()),))
    got = results_of(client, made.id)
    client.messages.batches.delete(made.id)
    assert server.books().lost == 10 - len(got) > 0


def test_a_fresh_batch_is_unknown_for_a_while(server: MessagesServer, client: anthropic.Anthropic) -> None:
    """F2: who takes this 404 for `gone` pays twice."""
    server.set(faults=(BatchFault(kind="fresh_404", seconds=1.5),))
    made = client.messages.batches.create(requests=items(2))
    assert client.messages.batches.list().data == []
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(made.id)
    time.sleep(1.6)
    assert client.messages.batches.retrieve(made.id).request_counts.succeeded == 2
    assert [b.id for b in client.messages.batches.list()] == [made.id]


def test_a_batch_may_be_missing_from_the_list_alone(server: MessagesServer, client: anthropic.Anthropic) -> None:
    server.set(faults=(BatchFault(kind="unlisted", batches=(1,), seconds=1.5),))
    made = client.messages.batches.create(requests=items(1))
    assert client.messages.batches.retrieve(made.id).id == made.id
    assert client.messages.batches.list().data == []
    time.sleep(1.6)
    assert [b.id for b in client.messages.batches.list()] == [made.id]


def test_a_batch_may_be_gone_archived_expired_or_never_end(server: MessagesServer, client: anthropic.Anthropic) -> None:
    kinds: list[Any] = ["gone", "archived", "expired", "never_ends"]
    server.set(faults=tuple(BatchFault(kind=k, batches=(n,)) for n, k in enumerate(kinds, 1)))
    made = {k: client.messages.batches.create(requests=items(3, f"{k}_")).id for k in kinds}
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(made["gone"])
    archived = client.messages.batches.retrieve(made["archived"])
    assert archived.archived_at
    assert (archived.processing_status, archived.results_url) == ("ended", None)
    assert client.messages.batches.retrieve(made["expired"]).request_counts.expired == 3
    assert client.messages.batches.retrieve(made["never_ends"]).processing_status == "in_progress"
    books = server.books()
    assert (books.paid, books.lost, books.failed_items) == (6, 6, 3)
    assert [b.status for b in server.batches()] == ["gone", "ended", "ended", "in_progress"]


@pytest.mark.parametrize("kind", ["reset", "hang", "half_body", "gateway_timeout"])
@pytest.mark.parametrize("processed", [False, True])
def test_the_reply_to_create_is_lost_and_the_batch_is_there_or_not(
    server: MessagesServer, client: anthropic.Anthropic, kind: CallKind, processed: bool
) -> None:
    """F2: who creates again without looking has two batches, and the books say so."""
    server.set(faults=(CallFault(kind=kind, routes=("batch_create",), calls=(1,), processed=processed),))
    with pytest.raises(anthropic.APIError):
        client.messages.batches.create(requests=items(4), timeout=0.4 if kind == "hang" else 20)
    assert len(client.messages.batches.list().data) == processed
    client.messages.batches.create(requests=items(4))
    books = server.books()
    assert (books.batches, books.custom_ids_again) == (1 + processed, 4 * processed)
    assert (books.paid, books.paid_again_unexplained) == (4 + 4 * processed, 4 * processed)


def test_the_sdk_s_own_retries_are_counted(server: MessagesServer) -> None:
    """Measured once: it makes a batch three times. A retry inside our own retries is a number in the books."""
    server.set(faults=(CallFault(kind="gateway_timeout", routes=("batch_create",), calls=(1, 2), processed=True),))
    with anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=2) as client:
        client.messages.batches.create(requests=items(4))
    books = server.books()
    assert (books.batches, books.sdk_retries, books.custom_ids_again) == (3, 2, 8)
