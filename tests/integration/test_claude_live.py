"""Live requests against a server that fails, lies, hangs, refuses and limits: every answer once, and what is said."""

import logging
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from opentelemetry import trace

from dagster_project.classifiers.claude import live
from dagster_project.classifiers.claude.asking import BudgetReached, NotAnswered, TooManyInvalid
from dagster_project.classifiers.claude.transport import TransportError
from dagster_project.domain.labels import Status
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.records import Budget
from tests.support.asking import (
    HASTE,
    MODEL,
    Items,
    Task,
    answers,
    asker,
    client,
    done,
    ledger_in,
    questions,
)
from tests.support.messages_server import Books, MessagesServer, messages_server
from tests.support.messages_server_settings import CallFault, CallKind, ReplyFault, ReplyKind, random_trouble

POISON = "§poison"
SECRET = "Zaphod Beeblebrox"


@pytest.fixture(scope="module")
def running() -> Iterator[MessagesServer]:
    with messages_server() as server:
        yield server


@pytest.fixture
def server(running: MessagesServer, monkeypatch: pytest.MonkeyPatch) -> MessagesServer:
    """The server as it is when it is well, with empty books."""
    usual = {"faults": (), "latency_seconds": 0.01, "requests_per_minute": None, "models": None, "api_key": None}
    running.set(**usual, model="plain")
    running.forget()
    for name, value in running.environment().items():
        monkeypatch.setenv(name, value)
    return running


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[RequestLedger]:
    with ledger_in(tmp_path) as opened:
        yield opened


def test_answers_are_the_same_whatever_fails(server: MessagesServer, ledger: RequestLedger, tmp_path: Path) -> None:
    """A bad day at the provider must cost time, and change no label."""
    asked = questions("detail")
    asker(ledger).answer_all(asked, Items(ledger, 200))
    expected = answers(ledger, asked, Items(ledger, 200))
    server.forget()
    server.set(faults=(*random_trouble(0.3), ReplyFault(kind="not_json", share=0.05, tries=2)))
    patience = replace(HASTE, call=2.0, read=2.0)
    with ledger_in(tmp_path / "faulted") as faulted:
        items = Items(faulted, 200)
        report = asker(faulted, patience).answer_all(asked, items)
        found = answers(faulted, asked, items)
        totals = faulted.totals()
    books = server.books()
    plain, troubled = Items(ledger, 200), items
    names = dict(zip((i.content_hash for i in plain), (i.content_hash for i in troubled), strict=True))
    assert {f: {names[h]: a for h, a in told.items()} for f, told in expected.items()} == found
    assert all(len(told) == 200 for told in found.values())
    assert (report.conversations, report.invalid) == (200, 0)
    assert books.calls["messages"]["hang"] > 0
    failed = books.called("messages") - books.came_of("ok", "messages")
    assert failed / books.called("messages") > 0.2
    assert books.sdk_retries == 0
    assert books.paid_again_unexplained == 0
    assert totals.in_flight == 0


def test_a_second_run_asks_nothing(server: MessagesServer, ledger: RequestLedger) -> None:
    """A re-run, a backfill or a second home with this ledger pays nothing twice; equal contents are asked once."""
    items = [*Items(ledger, 60), *Items(ledger, 60)]
    told: list[int] = []
    first = asker(ledger).answer_all(questions(), items, told.append)
    assert (first.requests, first.conversations, first.found, sum(told)) == (60, 120, 60, 120)
    assert server.books().called() == 60
    again = asker(ledger).answer_all(questions(), items, told.append)
    assert (again.requests, again.found, sum(told)) == (0, 120, 240)
    assert server.books().called() == 60


def test_a_new_facet_is_asked_alone(server: MessagesServer, ledger: RequestLedger) -> None:
    """An added facet costs one small request a conversation, not the whole codebook again."""
    without = questions(without=["content_creation"])
    asker(ledger).answer_all(without, Items(ledger, 40))
    server.forget()
    report = asker(ledger).answer_all(questions(), Items(ledger, 40))
    assert report.requests == 40
    assert server.books().properties == {"content_creation": 40}


def test_an_attribute_added_later_describes_the_events_that_are_kept(
    server: MessagesServer, ledger: RequestLedger
) -> None:
    """Otherwise a later facet would speak of messages where no event is, or events would change under it."""
    late = "pushback_strength"
    items = Items(ledger, 80, n_messages=12)
    before = questions("detail", without=[late])
    asker(ledger).answer_all(before, items)
    events = answers(ledger, before, items)["pushback"]
    with_events = {h for h, answer in events.items() if answer.values}
    assert 0 < len(with_events) < 80
    server.forget()
    report = asker(ledger).answer_all(questions("detail"), items)
    assert report.requests == len(with_events) == server.books().paid
    assert server.books().properties == {"pushback": len(with_events)}
    found = answers(ledger, questions("detail"), items)
    assert found["pushback"] == events
    for content_hash, answer in found[late].items():
        places = {value.message_index for value in events[content_hash].values}
        assert {value.message_index for value in answer.values} in (places, set())


def test_an_event_facet_added_alone_needs_no_request_where_there_are_no_events(
    server: MessagesServer, ledger: RequestLedger
) -> None:
    """Nothing is bought that is known already."""
    server.set(chances={"pushback": 0.0})
    items = Items(ledger, 30, n_messages=12)
    asker(ledger).answer_all(questions("detail", without=["pushback_reason"]), items)
    server.forget()
    report = asker(ledger).answer_all(questions("detail"), items)
    server.set(chances={})
    assert report.requests == server.books().called() == 0
    reasons = answers(ledger, questions("detail"), items)["pushback_reason"]
    assert {answer.status for answer in reasons.values()} == {Status.OK}


@pytest.mark.parametrize(
    ("kind", "status", "paid"),
    [
        ("refusal", Status.REFUSED, HASTE.refusals),
        ("max_tokens", Status.INVALID, HASTE.replies),
        ("unknown_enum", Status.INVALID, HASTE.replies),
        ("nested", Status.INVALID, HASTE.replies),
        ("empty", Status.INVALID, HASTE.replies),
    ],
)
def test_what_cannot_be_labelled_becomes_a_label_after_a_few_tries(
    server: MessagesServer, ledger: RequestLedger, kind: ReplyKind, status: Status, paid: int
) -> None:
    """One conversation that the model will not label must neither stop the others nor be paid for ever."""
    server.set(faults=(ReplyFault(kind=kind, marker=POISON),))
    items = Items(ledger, 40, markers={POISON: 13})
    report = asker(ledger).answer_all(questions(), items)
    poisoned = set(items.marked(POISON))
    assert len(poisoned) == 4
    for told in answers(ledger, questions(), items).values():
        assert {h for h, answer in told.items() if answer.status is status} == poisoned
        assert len(told) == 40
    assert (report.refused, report.invalid) == ((4, 0) if status is Status.REFUSED else (0, 4))
    assert server.books().paid == 36 + 4 * paid == ledger.totals().requests
    server.forget()
    assert asker(ledger).answer_all(questions(), items).requests == server.books().called() == 0


def test_a_reply_that_is_bad_once_is_asked_again(server: MessagesServer, ledger: RequestLedger) -> None:
    """A model has a bad moment."""
    server.set(faults=(ReplyFault(kind="max_tokens", share=0.5, tries=1),))
    report = asker(ledger).answer_all(questions(), Items(ledger, 40))
    assert report.invalid == 0
    assert 40 < report.requests < 80
    assert all(
        a.status is Status.OK for t in answers(ledger, questions(), Items(ledger, 40)).values() for a in t.values()
    )


def test_too_many_invalid_replies_fail_the_run_with_their_share(server: MessagesServer, ledger: RequestLedger) -> None:
    """A model that does not do its job must not fill a mart with `invalid`; nor does running again hide it."""
    server.set(faults=(ReplyFault(kind="not_json", marker=POISON),))
    items = Items(ledger, 50, markers={POISON: 10})
    for _ in range(2):
        with pytest.raises(TooManyInvalid, match=r"5 of 50 conversations \(10\.0%\)") as raised:
            asker(ledger, max_invalid_share=0.02).answer_all(questions(), items)
        assert "[claude].max_invalid_share" in str(raised.value)
    assert server.books().paid == 45 + 5 * HASTE.replies
    assert asker(ledger, max_invalid_share=0.1).answer_all(questions(), items).invalid == 5


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("spend_limit", "spend limit"),
        ("low_credit", "spend limit or credit"),
        ("billing", "spend limit or credit"),
        ("unauthorized", "refuses the key .status 401.: check ANTHROPIC_API_KEY"),
        ("forbidden", "status 403"),
        ("unknown_model", f"does not know the model {MODEL} .status 404.: check .claude..screen_model"),
    ],
)
def test_what_waiting_does_not_help_is_one_sentence_and_not_tried_again(
    server: MessagesServer, ledger: RequestLedger, kind: CallKind, words: str
) -> None:
    """A limit, a key or a name is for a person to mend: hammering the server mends nothing."""
    items = Items(ledger, 300)
    server.set(faults=(CallFault(kind=kind, calls=tuple(range(21, 2000))),), latency_seconds=0.05)
    with pytest.raises(TransportError, match=words) as raised:
        asker(ledger, at_once=16).answer_all(questions(), items)
    assert "\n" not in str(raised.value)
    # Those under way together fail together; the twenty before are kept.
    assert server.books().called() <= 20 + 16
    assert ledger.totals().requests == 20
    assert ledger.totals().in_flight == 0
    server.set(faults=())
    assert asker(ledger).answer_all(questions(), items).requests == 280
    assert server.books().paid_again == 0


def test_without_a_key_or_an_address_the_error_says_what_to_set(
    server: MessagesServer, ledger: RequestLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first thing that goes wrong for everybody."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(TransportError, match="set ANTHROPIC_API_KEY"):
        asker(ledger).answer_all(questions(), Items(ledger, 3))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "from-a-file\n")
    with pytest.raises(TransportError, match="line break") as raised:
        asker(ledger).answer_all(questions(), Items(ledger, 3))
    assert "from-a-file" not in str(raised.value)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    for address in ("nonsense", "http://127.0.0.1:nowhere"):
        monkeypatch.setenv("ANTHROPIC_BASE_URL", address)
        with pytest.raises(TransportError, match="ANTHROPIC_BASE_URL is not an address"):
            asker(ledger).answer_all(questions(), Items(ledger, 3))
    assert server.books().called() == 0


def test_a_server_that_is_gone_ends_the_run_and_labels_nothing(
    server: MessagesServer, ledger: RequestLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage must not become thousands of `invalid` labels."""
    items = Items(ledger, 30)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    patience = replace(HASTE, silence=1.0, tries=50)
    with pytest.raises(TransportError, match=r"no answer from http://127\.0\.0\.1:9 .* cannot be reached"):
        asker(ledger, patience).answer_all(questions(), items)
    few_tries = replace(HASTE, tries=2, attempts=1)
    with pytest.raises(NotAnswered, match="no_answer: 30"):
        asker(ledger, few_tries).answer_all(questions(), items)
    assert not any(answers(ledger, questions(), items).values())
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    assert asker(ledger).answer_all(questions(), items).invalid == 0


def test_one_request_that_the_server_never_takes_does_not_stop_the_others(
    server: MessagesServer, ledger: RequestLedger
) -> None:
    """A conversation that breaks the server, or that it will not have, is one label: invalid."""
    items = Items(ledger, 60, markers={POISON: 30})
    for kind in ("bad_request", "server_error"):
        with ledger_in(Path(ledger.database.name).parent / kind) as fresh:
            mine = replace(items, ledger=fresh)
            server.set(faults=(CallFault(kind=kind, marker=POISON),))
            report = asker(fresh, replace(HASTE, tries=2, attempts=2)).answer_all(questions(), mine)
            assert report.invalid == 2
            told = answers(fresh, questions(), mine)["affective_type"]
            assert {h for h, a in told.items() if a.status is Status.INVALID} == set(mine.marked(POISON))


def test_a_server_that_takes_no_request_at_all_labels_nothing(server: MessagesServer, ledger: RequestLedger) -> None:
    """A model without structured output refuses every request: that is a wrong setting, not 100,000 invalid labels."""
    server.set(faults=(CallFault(kind="bad_request", share=1.0),))
    with pytest.raises(TransportError, match="structured output"):
        asker(ledger).answer_all(questions(), Items(ledger, 200))
    assert server.books().called() < 120
    few = Items(ledger, 3, start=1000)
    with pytest.raises(NotAnswered, match="not_taken: 3"):
        asker(ledger).answer_all(questions(), few)
    assert not any(answers(ledger, questions(), few).values())
    server.set(faults=())
    assert asker(ledger).answer_all(questions(), Items(ledger, 200)).invalid == 0


def test_the_budget_stops_before_and_half_way_and_the_rest_is_done_later(
    server: MessagesServer, ledger: RequestLedger
) -> None:
    """Money is asked for before it is spent; what was bought stays bought."""
    items = Items(ledger, 400)
    with pytest.raises(BudgetReached, match=r"\[claude\]\.budget_usd = 1e-06 is reached: .* 400 requests left"):
        asker(ledger, budget=Budget(1e-6)).answer_all(questions(), items)
    assert server.books().called() == 0
    enough = 0.02
    with pytest.raises(BudgetReached) as raised:
        asker(ledger, budget=Budget(enough)).answer_all(questions(), items)
    paid = server.books().paid
    assert 100 < paid < 400
    assert f"{400 - paid} requests left" in str(raised.value)
    assert 0.5 * enough < ledger.spent() <= enough
    assert ledger.totals().in_flight == 0
    report = asker(ledger, budget=Budget(1.0)).answer_all(questions(), items)
    assert (report.requests, report.found) == (400 - paid, paid)
    assert server.books().paid == 400


@pytest.mark.long
def test_two_processes_ask_each_content_once(server: MessagesServer, tmp_path: Path) -> None:
    """The daily run and a backfill meet on the same days: each conversation is paid once, and both end right."""
    ledger_in(tmp_path).close()
    server.set(latency_seconds=0.2)
    task = Task(str(tmp_path), 600, at_once=16, together=2)
    both = [client(task, server.environment()) for _ in range(2)]
    reports = [done(process).reports[0] for process in both]
    assert sum(r.requests for r in reports) == 600
    assert all(r.requests > 0 for r in reports)
    # Who waits for the other looks now and again, and does not spin.
    assert max(r.passes for r in reports) < 10
    books = server.books()
    assert (books.paid, books.requests, books.called()) == (600, 600, 600)
    with ledger_in(tmp_path) as ledger:
        assert len(answers(ledger, questions(), Items(ledger, 600))["affective_type"]) == 600


def test_threads_of_one_process_ask_each_content_once(server: MessagesServer, ledger: RequestLedger) -> None:
    """Partitions that run side by side share conversations that were exported twice."""
    with ThreadPoolExecutor(3) as threads:
        told = list(threads.map(lambda _: asker(ledger).answer_all(questions(), Items(ledger, 300)), range(3)))
    assert sum(report.requests for report in told) == 300 == server.books().called()
    assert [report.conversations for report in told] == [300] * 3
    assert len(answers(ledger, questions(), Items(ledger, 300))["affective_type"]) == 300


def has_paid(n: int, books: Books) -> bool:
    return books.paid >= n


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.audit)])
def test_what_a_killed_process_was_asking_is_taken_over(server: MessagesServer, tmp_path: Path, how: int) -> None:
    """After kill -9 or Ctrl-C the next run goes on at once: at most what was under way is paid again."""
    server.set(latency_seconds=0.6)  # slow enough that a busy machine kills in time
    ledger_in(tmp_path).close()
    task = Task(str(tmp_path), 200, at_once=16)
    for kill_at in (30, 90):
        process = client(task, server.environment())
        server.seen(partial(has_paid, kill_at))
        process.send_signal(how)
        process.communicate()
        assert process.returncode != 0
    if how == signal.SIGINT:
        with ledger_in(tmp_path) as ledger:
            assert ledger.totals().in_flight == 0
    report = done(client(task, server.environment())).reports[0]
    books = server.books()
    assert report.conversations == 200
    # Twice killed with 16 under way; at most as many had come and were not yet written down.
    assert report.requests <= 200 - 90 + 2 * 2 * 16
    assert books.paid - 200 <= 2 * 2 * 16
    with ledger_in(tmp_path) as ledger:
        assert len(answers(ledger, questions(), Items(ledger, 200))["affective_type"]) == 200
        assert ledger.totals().in_flight == 0


def test_replies_that_have_come_are_kept_when_interrupted(
    server: MessagesServer, ledger: RequestLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C must not throw away what was just paid."""
    monkeypatch.setattr(live, "GATHERED_SECONDS", 60.0)
    server.set(latency_seconds=0.2)
    # A process that a shell has started in the background ignores interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt() -> None:
        server.seen(partial(has_paid, 40))
        os.kill(os.getpid(), signal.SIGINT)

    try:
        with ThreadPoolExecutor(1) as threads:
            interrupted = threads.submit(interrupt)
            with pytest.raises(KeyboardInterrupt):
                asker(ledger, at_once=8).answer_all(questions(), Items(ledger, 200))
                interrupted.result()
    finally:
        signal.signal(signal.SIGINT, before)
    assert 40 - 8 <= ledger.totals().requests < 100
    assert ledger.totals().in_flight == 0


def test_a_limit_lower_than_ours_is_kept_after_being_told(server: MessagesServer, ledger: RequestLedger) -> None:
    """retry-after is honoured by everybody who sends, not by the one request that was told."""
    server.set(requests_per_minute=60, window_seconds=2.0)
    server.forget()
    report = asker(ledger, replace(HASTE, longest_wait=2.0)).answer_all(questions(), Items(ledger, 240))
    books = server.books()
    server.set(window_seconds=60.0)
    assert report.invalid == 0
    assert books.came_of("limited") < 100


def test_no_error_quotes_a_conversation_nor_the_server(
    server: MessagesServer, ledger: RequestLedger, caplog: pytest.LogCaptureFixture
) -> None:
    """Servers quote prompts in their errors; ours go into logs that many can read."""
    marker = f" {SECRET} "
    items = Items(ledger, 30, markers={marker: 1})
    caplog.set_level("DEBUG")
    said = []
    for kind in ("bad_request", "unauthorized", "unknown_model", "server_error", "broken_json", "half_body"):
        server.set(
            model="leaky", faults=(CallFault(kind=kind, share=1.0, processed=kind in ("broken_json", "half_body")),)
        )
        with pytest.raises((TransportError, NotAnswered)) as raised:
            asker(ledger, replace(HASTE, tries=2)).answer_all(questions(), items)
        assert raised.value.__cause__ is None
        said.append(str(raised.value))
    assert not [words for words in said if SECRET in words or "Failed on" in words]
    assert SECRET not in caplog.text


def test_prompts_are_neither_logged_nor_traced_even_when_asked_for(
    server: MessagesServer, ledger: RequestLedger, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ANTHROPIC_LOG=debug prints prompts, and OpenTelemetry's content mode sends them to whoever collects traces."""
    traced: list[str] = []

    class Collector(trace.TracerProvider):
        def get_tracer(self, *names: object, **options: object) -> trace.Tracer:
            traced.append("tracer")
            return trace.NoOpTracer()

    monkeypatch.setattr(trace, "_TRACER_PROVIDER", Collector())
    monkeypatch.setenv("ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE", "content")
    loggers = [logging.getLogger(name) for name in ("anthropic", "httpx2", "httpcore2")]
    for logger in loggers:
        monkeypatch.setattr(logger, "level", logging.DEBUG)
    caplog.set_level("DEBUG")
    asker(ledger).answer_all(questions(), Items(ledger, 5, markers={f" {SECRET} ": 1}))
    assert server.books().paid == 5
    assert SECRET not in caplog.text
    assert "Request options" not in caplog.text
    assert [logger.level for logger in loggers] == [logging.INFO] * 3
    assert traced == []


def test_an_iterator_is_refused_before_anything_is_sent(server: MessagesServer, ledger: RequestLedger) -> None:
    """It would be empty at the second pass, and the run would end with half of its labels."""
    with pytest.raises(ValueError, match="give a list"):
        asker(ledger).answer_all(questions(), iter([]))
    assert server.books().called() == 0
