"""Batches against a server that loses, hides, shuffles and forgets: every label once, every item paid once."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from dagster_project.classifiers.claude.asking import Report
from dagster_project.classifiers.claude.batch import BatchTransport
from dagster_project.classifiers.claude.batch_spool import BatchLimits, Spool
from dagster_project.classifiers.claude.live import LiveTransport
from dagster_project.classifiers.claude.passes import Questions
from dagster_project.classifiers.claude.prompt import Ask
from dagster_project.classifiers.claude.transport import TransportError
from dagster_project.domain.labels import Answer, Status
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.records import Asked, Batch, Request, Wanted
from dagster_project.storage.request_ledger.schema import BatchState
from tests.support.asking import MODEL, ROOT, Items, answers, asker, labeller_of, ledger_in, questions
from tests.support.claude_batches import HASTE, LIMITS, Work, asker_over, batch_asker, worker
from tests.support.messages_server import KEY, MessagesServer, messages_server
from tests.support.messages_server_settings import (
    BatchFault,
    CallFault,
    CallKind,
    Fault,
    ItemFault,
    ResultsFault,
    random_trouble,
)

N = 60
SEED = int(os.environ.get("CONFIDE_SEED", "1"))
STRANGERS = count()
Labels = dict[str, list[Answer | None]]


@pytest.fixture(scope="module")
def running() -> Iterator[MessagesServer]:
    with messages_server() as server:
        yield server


@pytest.fixture(scope="module")
def undisturbed(running: MessagesServer, tmp_path_factory: pytest.TempPathFactory) -> Labels:
    """The labels that live requests get from the server when it is well."""
    running.reset()
    with pytest.MonkeyPatch.context() as patch, ledger_in(tmp_path_factory.mktemp("undisturbed")) as ledger:
        for name, value in running.environment().items():
            patch.setenv(name, value)
        asker(ledger).answer_all(questions(), Items(ledger, N))
        return labels(ledger)


@pytest.fixture
def server(running: MessagesServer, undisturbed: Labels, monkeypatch: pytest.MonkeyPatch) -> MessagesServer:
    """The server as it is when it is well, with empty books and no batches."""
    running.reset(batch_seconds=0.1)
    for name, value in running.environment().items():
        monkeypatch.setenv(name, value)
    return running


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[RequestLedger]:
    with ledger_in(tmp_path) as opened:
        yield opened


def labels(ledger: RequestLedger, asked: Questions | None = None) -> Labels:
    """Facet -> the answers to the conversations of these tests, in their order."""
    items = Items(ledger, N)
    found = answers(ledger, asked or questions(), items)
    return {facet: [told.get(item.content_hash) for item in items] for facet, told in found.items()}


def ask(ledger: RequestLedger, tmp_path: Path, **options: Any) -> Report:
    """Ask about the conversations of these tests."""
    return batch_asker(ledger, tmp_path / "tmp", **options).answer_all(questions(), Items(ledger, N))


def paid_once(server: MessagesServer, batches: int = 1) -> None:
    """By the server's own books: so many batches, no item in two of them, and nothing paid twice."""
    books = server.books()
    assert (books.batches, books.custom_ids_again) == (batches, 0)
    assert (books.paid, books.requests, books.paid_again) == (N, N, 0)
    assert books.sdk_retries == 0


def nothing_left(ledger: RequestLedger, server: MessagesServer) -> None:
    """Nothing is open in the ledger, and no conversation stays with the provider."""
    totals = ledger.totals()
    assert (totals.in_flight, totals.open_batches) == (0, 0)
    assert {batch.status for batch in server.batches()} <= {"deleted", "gone"}


def test_days_share_a_batch_and_a_second_run_sends_nothing(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """One batch a day would be fifty-six waits; a second run must cost nothing, not even a call."""
    told: list[int] = []
    first = batch_asker(ledger, tmp_path / "tmp")
    report = first.answer_all(questions(), Items(ledger, N, days=56), told.append)
    assert (report.requests, report.conversations, report.invalid, sum(told)) == (N, N, 0, N)
    assert labels(ledger) == undisturbed
    paid_once(server)
    nothing_left(ledger, server)
    assert len({cost.day for cost in ledger.costs()}) > 50
    assert ledger.totals().usd > 0
    calls = server.books().called()
    assert ask(ledger, tmp_path).requests == 0
    assert server.books().called() == calls


def test_batches_are_as_few_and_as_large_as_the_limits_allow(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path
) -> None:
    """Beyond a limit the provider refuses the whole batch; far below it, waits multiply."""
    ask(ledger, tmp_path, limits=replace(LIMITS, requests=25))
    assert [batch.requests for batch in server.batches()] == [25, 25, 10]
    with ledger_in(tmp_path / "by bytes") as other:
        most = 100_000
        server.reset(max_batch_bytes=most)
        ask(other, tmp_path, limits=replace(LIMITS, bytes=most))
        made = server.batches()
    smallest = min(batch.bytes / batch.requests for batch in made)
    assert all(most - 1.1 * smallest < batch.bytes <= most for batch in made[:-1])
    assert sum(batch.requests for batch in made) == N
    assert server.books().came_of("too_large") == 0


def test_an_item_that_no_batch_can_hold_does_not_hold_up_the_others(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path
) -> None:
    """One monstrous prompt must not stop a backfill; it gets its label only where others were answered."""
    ask(ledger, tmp_path)
    normal = server.batches()[0].bytes // N
    with ledger_in(tmp_path / "with one") as other:
        items = [*Items(other, N), *Items(other, 1, start=1000, n_words=3000)]
        small = replace(LIMITS, bytes=3 * normal)
        report = batch_asker(other, tmp_path / "tmp", limits=small).answer_all(questions(), items)
        found = answers(other, questions(), Items(other, 1, start=1000, n_words=3000))
    assert (report.conversations, report.invalid) == (N + 1, 1)
    assert {answer.status for told in found.values() for answer in told.values()} == {Status.INVALID}


LOST: list[tuple[CallKind, bool]] = [
    ("reset", True),
    ("half_body", True),
    ("hang", True),
    ("drip", True),
    ("broken_json", True),
    ("html", True),
    ("empty_body", True),
    ("wrong_shape", True),
    ("server_error", True),
    ("gateway_timeout", True),
    ("reset", False),
    ("server_error", False),
    ("overloaded", False),
    ("unavailable", False),
    ("request_timeout", False),
    ("html", False),
    ("rate_limited", False),
]


@pytest.mark.parametrize(("kind", "made"), LOST, ids=[f"{k}-{'made' if m else 'not made'}" for k, m in LOST])
def test_a_batch_whose_making_is_in_doubt_is_made_once(
    kind: CallKind, made: bool, server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """The SDK's own retries made three batches of one call, each of them paid."""
    lost = CallFault(kind=kind, routes=("batch_create",), calls=(1,), processed=made, retry_after=0.2)
    server.set(faults=(lost,), batch_seconds=0.6)
    report = ask(ledger, tmp_path, patience=replace(HASTE, upload=1.5))
    assert server.books().faults == {kind: 1}
    assert (report.requests, report.passes) == (N, 1)
    assert labels(ledger) == undisturbed
    paid_once(server)
    nothing_left(ledger, server)


def test_a_lost_batch_that_is_listed_late_is_not_made_again(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """A fresh batch may answer 404, and be missing from the list, for a while."""
    lost = CallFault(kind="reset", routes=("batch_create",), calls=(1,), processed=True)
    server.set(faults=(lost, BatchFault(kind="fresh_404", seconds=0.3)))
    ask(ledger, tmp_path, patience=replace(HASTE, reconcile=1.0))
    assert labels(ledger) == undisturbed
    paid_once(server)


@pytest.mark.parametrize("kind", ["fresh_404", "unlisted"])
def test_a_batch_that_is_too_new_to_be_known_is_waited_for(
    kind: Any, server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """Taken for gone, it would be paid twice."""
    server.set(faults=(BatchFault(kind=kind, seconds=0.6),))
    ask(ledger, tmp_path)
    assert labels(ledger) == undisturbed
    paid_once(server)
    nothing_left(ledger, server)


def strangers_batch(server: MessagesServer, n: int) -> str:
    """A batch that another program of the same workspace makes; its id."""
    said = next(STRANGERS)

    def params(i: int) -> dict[str, Any]:
        return {"model": "other", "max_tokens": 10, "messages": [{"role": "user", "content": f"not ours {said}.{i}"}]}

    body = {"requests": [{"custom_id": f"stranger-{i}", "params": params(i)} for i in range(n)]}
    request = urllib.request.Request(f"{server.url}/v1/messages/batches", json.dumps(body).encode())
    request.add_header("x-api-key", KEY)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return str(json.load(answer)["id"])


@pytest.mark.parametrize("made", [True, False])
def test_a_strangers_batch_of_the_same_size_is_not_taken_for_ours(
    made: bool, server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """Its results would be lost to us, and ours paid again; deleting it would be worse."""
    stranger = strangers_batch(server, N)
    server.forget()
    lost = CallFault(kind="reset", routes=("batch_create",), calls=(1,), processed=made)
    server.set(faults=(lost,), batch_seconds=0.3)
    ask(ledger, tmp_path)
    assert labels(ledger) == undisturbed
    books = server.books()
    assert books.batches == 1
    assert books.paid_again == 0
    seen = {batch.id: batch.status for batch in server.batches()}
    assert seen.pop(stranger) == "ended"
    assert set(seen.values()) == {"deleted"}


def test_while_a_candidate_has_not_ended_nothing_is_sent_again(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """In doubt, waiting costs nothing and sending again may cost everything."""
    server.set(batch_seconds=3.0)
    stranger = strangers_batch(server, N)
    server.forget()
    lost = CallFault(kind="reset", routes=("batch_create",), calls=(1,))
    server.set(faults=(lost,), batch_seconds=0.1)
    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(ask, ledger, tmp_path)
        looks = 0
        while True:
            made = server.books().batches
            if {batch.id: batch.status for batch in server.batches()}[stranger] == "ended":
                break
            assert made == 0
            looks += server.books().faults == {"reset": 1}
        asking.result(30)
    assert looks > 0
    assert labels(ledger) == undisturbed
    assert (server.books().batches, server.books().paid_again) == (1, 0)


RESULTS: list[tuple[ResultsFault, ...]] = [
    (ResultsFault(kind="shuffled", fetches=()),),
    (ResultsFault(kind="duplicated", fetches=()),),
    (ResultsFault(kind="missing", share=0.4),),
    (ResultsFault(kind="missing", share=1.0),),
    (ResultsFault(kind="cut", at=0.5),),
    (ResultsFault(kind="cut", at=0.5, cleanly=True),),
    (ResultsFault(kind="cut", at=0.0),),
    (ResultsFault(kind="unknown_ids", fetches=()),),
    (ResultsFault(kind="broken_line", share=0.3),),
    (
        ResultsFault(kind="shuffled", fetches=()),
        ResultsFault(kind="duplicated", fetches=(), share=0.5),
        ResultsFault(kind="unknown_ids", fetches=(), share=0.5),
        ResultsFault(kind="missing", share=0.5, fetches=(1, 2)),
        ResultsFault(kind="cut", at=0.7, fetches=(1, 2, 3)),
    ),
]


@pytest.mark.parametrize("faults", RESULTS, ids=["-".join(f"{f.kind} {f.at}" for f in some) for some in RESULTS])
def test_results_come_as_they_like_and_labels_are_the_same(
    faults: tuple[Fault, ...], server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """A label lost in a broken stream would be a conversation that was never there, or one paid twice."""
    server.set(faults=faults)
    report = ask(ledger, tmp_path)
    assert (report.requests, report.invalid) == (N, 0)
    assert labels(ledger) == undisturbed
    paid_once(server)
    nothing_left(ledger, server)


def test_results_that_never_come_are_asked_again_and_the_others_are_not(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """What the provider has lost must be paid again once, and alone."""
    server.set(faults=(ResultsFault(kind="cut", at=0.5, fetches=()),))
    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(ask, ledger, tmp_path, patience=replace(HASTE, tries=3))
        server.seen(lambda books: books.batches == 2)
        server.set(faults=())
        asking.result(30)
    assert labels(ledger) == undisturbed
    first, second = server.batches()
    assert (first.requests, second.requests) == (N, N - first.delivered)
    assert 0 < second.requests < N


@pytest.mark.parametrize("kind", ["expired", "errored", "overloaded", "canceled"])
def test_items_that_came_to_nothing_are_asked_again(
    kind: Any, server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """They are not paid, so asking again is no second payment; left alone they would be missing."""
    server.set(faults=(ItemFault(kind=kind, share=0.4),))
    report = ask(ledger, tmp_path)
    assert labels(ledger) == undisturbed
    assert report.invalid == 0
    books = server.books()
    assert (books.paid, books.paid_again, books.batches) == (N, 0, 2)
    assert books.failed_items > 0
    nothing_left(ledger, server)


def test_items_that_the_server_will_never_take_are_labelled_so(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path
) -> None:
    """Asked for ever, one strange conversation would keep every run from its end."""
    server.set(faults=(ItemFault(kind="invalid", share=0.2, tries=None),))
    report = ask(ledger, tmp_path)
    statuses = [answer.status for told in labels(ledger).values() for answer in told if answer]
    assert 0 < report.invalid < N
    assert statuses.count(Status.INVALID) == report.invalid * len(questions().facets)
    assert None not in labels(ledger)["affective_type"]


@pytest.mark.parametrize("kind", ["gone", "archived", "expired"])
def test_a_batch_that_is_lost_is_asked_again(
    kind: Any, server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """Somebody deleted it, or it waited too long: the run must end with every label all the same."""
    server.set(faults=(BatchFault(kind=kind, batches=(1,)),))
    ask(ledger, tmp_path)
    assert labels(ledger) == undisturbed
    assert server.books().batches == 2
    assert server.books().paid_again_unexplained == 0
    assert ledger.totals().in_flight == 0
    assert ledger.totals().open_batches == 0


def test_a_bad_day_changes_no_label_and_pays_nothing_twice(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """Thirty of a hundred calls fail, a tenth of these hang; batches must stay single."""
    server.set(faults=random_trouble(0.3), seed=SEED, batch_seconds=0.5)
    patience = replace(HASTE, call=0.5, read=0.5, upload=1.0, poll=0.03)
    report = ask(ledger, tmp_path, limits=replace(LIMITS, requests=6), patience=patience)
    assert (report.requests, report.invalid) == (N, 0)
    assert labels(ledger) == undisturbed
    books = server.books()
    failed = books.called() - books.came_of("ok")
    assert failed / books.called() > 0.2
    paid_once(server, batches=10)
    nothing_left(ledger, server)


def dead_workers_batch(tmp_path: Path, start: int, n: int, make: bool) -> tuple[Batch, list[Request]]:
    """What a worker leaves that dies between intending a batch and saving its id. make: whether the call came through."""
    ask = Ask(questions().facets)
    asked = Asked(ask.hash, ask.to_json(), ask.hashes)
    with ledger_in(tmp_path) as ledger:
        items = list(Items(ledger, n, start))
        views = [ask.view(item.conversation) for item in items]
        wanted = [
            Wanted(item.content_hash, item.day, view.positions_json(), 500, 0.001)
            for item, view in zip(items, views, strict=True)
        ]
        claim = ledger.claim(wanted, asked, model=MODEL, labeller=labeller_of(MODEL), stage="screen", transport="batch")
        with Spool(tmp_path / "tmp", BatchLimits()) as spool:
            for request, view in zip(claim.requests, views, strict=True):
                spool.add(request, ask.params(view, MODEL))
            batch = ledger.new_batch(spool.ids, spool.n_bytes, spool.first_day, spool.last_day)
            if make:
                from dagster_project.classifiers.claude.batch_calls import BatchCalls

                with BatchCalls(HASTE) as calls:
                    calls.create(spool)
    return batch, list(claim.requests)


def test_what_dead_workers_left_is_found_or_never_was(
    server: MessagesServer, tmp_path: Path, undisturbed: Labels
) -> None:
    """Batches of one size, some made and some not, each by a worker that died before it knew: none is made twice."""
    third = N // 3
    server.set(batch_seconds=0.5)
    lost = [dead_workers_batch(tmp_path, start * third, third, make=start != 1) for start in range(3)]
    strangers_batch(server, third)
    server.forget()
    with ledger_in(tmp_path) as ledger:
        report = ask(ledger, tmp_path)
        assert labels(ledger) == undisturbed
        states = [ledger.batch(batch.id).state for batch, _ in lost]
        assert states == [BatchState.DELETED, BatchState.VOID, BatchState.DELETED]
        assert report.requests == third
        never_sent = [request.id for request in lost[1][1]]
        assert ledger.attempts(lost[1][1][0].content_hash, lost[1][1][0].ask_hash, MODEL) == 0
        assert ledger.totals().in_flight == 0
    books = server.books()
    assert (books.batches, books.paid_again, books.custom_ids_again) == (1, 0, 0)
    assert len(never_sent) == third


def test_a_lost_batch_is_found_behind_many_others(server: MessagesServer, tmp_path: Path, undisturbed: Labels) -> None:
    """A busy workspace's list has many pages; a search of the first would pay for the batch again."""
    lost, _ = dead_workers_batch(tmp_path, 0, N, make=True)
    for _ in range(130):
        strangers_batch(server, 1)
    with ledger_in(tmp_path) as ledger:
        assert ask(ledger, tmp_path).requests == 0
        assert labels(ledger) == undisturbed
        assert ledger.batch(lost.id).state is BatchState.DELETED
    assert server.books().paid_again == 0


def test_two_processes_share_the_work_and_neither_pays_for_the_others(
    server: MessagesServer, tmp_path: Path, undisturbed: Labels
) -> None:
    """Two backfills of the same days, at once: one wins each conversation, the other waits for it."""
    server.set(batch_seconds=0.5)
    work = Work(str(tmp_path), N, batch_requests=7)
    both = [worker(work, server.environment()) for _ in range(2)]
    for process in both:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    with ledger_in(tmp_path) as ledger:
        assert labels(ledger) == undisturbed
        nothing_left(ledger, server)
    books = server.books()
    assert (books.paid, books.paid_again, books.custom_ids_again) == (N, 0, 0)


def test_threads_of_a_process_share_one_transport(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """Partitions run side by side: what one of them is making must not look lost to another."""
    server.set(batch_seconds=0.3, batch_latency_seconds=0.6)
    transport = BatchTransport(ledger, tmp_path / "tmp", patience=HASTE, limits=LIMITS)

    def half(start: int) -> Report:
        mine = Items(ledger, N // 2, start)
        return asker_over(ledger, transport, transport).answer_all(questions(), mine)

    with ThreadPoolExecutor(2) as threads:
        assert [report.requests for report in threads.map(half, [0, N // 2])] == [N // 2, N // 2]
    assert labels(ledger) == undisturbed
    paid_once(server, batches=2)


def test_a_server_without_batches_is_told_in_one_sentence(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path
) -> None:
    """Nobody should read a 404 and look for a misspelt model; nothing may stay behind as if it were under way."""
    server.set(batches=False)
    with pytest.raises(TransportError, match=re.escape('set `transport = "live"`')) as raised:
        ask(ledger, tmp_path)
    assert "\n" not in str(raised.value)
    assert server.books().called() == 1
    assert ledger.totals().in_flight == 0
    assert ledger.open_batches() == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("spend_limit", "spend limit"),
        ("unauthorized", "ANTHROPIC_API_KEY"),
        ("too_large", "batch of 60 requests"),
        ("bad_request", "does not take the request"),
    ],
)
def test_a_batch_that_is_refused_leaves_nothing_in_flight(
    kind: CallKind, words: str, server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """A refused batch was not made: its requests are free for the next run, and count as no attempt."""
    server.set(faults=(CallFault(kind=kind, routes=("batch_create",), calls=(1,)),))
    with pytest.raises(TransportError, match=words):
        ask(ledger, tmp_path)
    assert ledger.open_batches() == []
    ask(ledger, tmp_path)
    assert labels(ledger) == undisturbed
    paid_once(server)


def test_what_was_sent_before_the_money_ran_out_is_waited_for(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """Paid batches must not be left behind because the next one was refused."""
    server.set(faults=(CallFault(kind="spend_limit", routes=("batch_create",), calls=(3,)),), batch_seconds=0.5)
    with pytest.raises(TransportError, match="spend limit"):
        ask(ledger, tmp_path, limits=replace(LIMITS, requests=20))
    assert ledger.totals().requests == 40
    nothing_left(ledger, server)
    ask(ledger, tmp_path)
    assert labels(ledger) == undisturbed
    paid_once(server, batches=3)


def test_a_server_that_falls_silent_ends_the_run_and_the_next_takes_it_up(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """An outage longer than patience must end in one line, and cost neither labels nor money."""
    server.set(faults=(CallFault(kind="server_error", routes=("batch_retrieve",), share=1.0),))
    with pytest.raises(TransportError, match="no answer from"):
        ask(ledger, tmp_path, patience=replace(HASTE, silence=0.5))
    server.set(faults=())
    assert ask(ledger, tmp_path).requests == 0
    assert labels(ledger) == undisturbed
    paid_once(server)
    nothing_left(ledger, server)


def test_a_batch_that_never_ends_is_named_and_kept(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """Waiting for ever says nothing; giving the batch up would pay for it twice."""
    server.set(batch_seconds=2.0)
    with pytest.raises(TransportError, match=r"msgbatch_.* has not ended"):
        ask(ledger, tmp_path, limits=replace(LIMITS, overdue=0.5))
    assert ask(ledger, tmp_path).requests == 0
    assert labels(ledger) == undisturbed
    paid_once(server)


def test_a_batch_that_may_not_be_deleted_keeps_nobody_waiting(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path, undisturbed: Labels
) -> None:
    """A key without the right to delete must be told of, and not end in a loop."""
    server.set(faults=(CallFault(kind="forbidden", routes=("batch_delete",), share=1.0),))
    said: list[str] = []
    ask(ledger, tmp_path, note=said.append)
    assert labels(ledger) == undisturbed
    assert any("delete the batch" in words for words in said)
    assert ledger.totals().open_batches == 1
    server.set(faults=())
    ask(ledger, tmp_path)
    nothing_left(ledger, server)


def test_nothing_that_is_sent_or_kept_tells_of_a_conversation(
    server: MessagesServer, ledger: RequestLedger, tmp_path: Path
) -> None:
    """custom_ids are shown in consoles and logs, and a spool on disk would outlive a crash."""
    files: set[str] = set()
    original = Spool.add

    def add(spool: Spool, *arguments: Any) -> bool:
        files.update(p.name for p in (tmp_path / "tmp").rglob("*"))
        return original(spool, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Spool, "add", add)
        server.set(batch_seconds=1.0)
        with ThreadPoolExecutor(1) as thread:
            asking = thread.submit(ask, ledger, tmp_path)
            server.seen(lambda books: books.batches == 1)
            ids = server.custom_ids(server.batches()[0].id)
            asking.result(30)
    hashes = {item.content_hash for item in Items(ledger, N)}
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", id_) for id_ in ids)
    assert not hashes & set(ids)
    assert len(set(ids)) == N
    assert files == set()
    assert (tmp_path / "tmp").stat().st_mode & 0o077 == 0


def test_a_worker_killed_after_it_submitted_leaves_its_batches_to_the_next(
    server: MessagesServer, tmp_path: Path, undisturbed: Labels
) -> None:
    """What a dead run has paid for belongs to whoever comes next, over whatever transport."""
    server.set(batch_seconds=2.0)
    process = worker(Work(str(tmp_path), N, batch_requests=20), server.environment())
    server.seen(lambda books: books.batches == 3)
    server.seen(lambda books: books.called("batch_retrieve") > 0)
    process.kill()
    process.communicate()
    with ledger_in(tmp_path) as ledger:
        live = LiveTransport(ledger, requests_per_minute=60_000, patience=HASTE)
        batches = BatchTransport(ledger, tmp_path / "tmp", patience=HASTE, limits=LIMITS)
        assert asker_over(ledger, live, batches).answer_all(questions(), Items(ledger, N)).requests == 0
        assert labels(ledger) == undisturbed
        nothing_left(ledger, server)
    paid_once(server, batches=3)


def test_importing_batches_imports_no_sdk() -> None:
    """Every command would start a second later."""
    code = (
        "import sys, dagster_project.classifiers.claude.batch;"
        "assert not {'anthropic', 'httpx2'} & {m.partition('.')[0] for m in sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
