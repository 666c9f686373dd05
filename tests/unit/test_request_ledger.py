"""The request ledger: each question about a content is open once, paid once, counted once, and can be erased."""

import gc
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from dagster_project.codebook.loader import shipped_codebook
from dagster_project.domain.conversations import Conversation, Message, Role
from dagster_project.domain.labels import Answer, Status, Value
from dagster_project.storage.answers import Given, answer_of, json_of
from dagster_project.storage.database import Database, DatabaseError, sqlite_url
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.records import Budget, LedgerError, Settlement, Usage
from dagster_project.storage.request_ledger.schema import WORKERS, BatchState
from dagster_project.storage.request_ledger.workers import started
from tests.support.effort import sqlite_steps
from tests.support.ledger import (
    DAY,
    LABELLER,
    MODEL,
    OTHER,
    SCREEN,
    USAGE,
    WIDER,
    check_books,
    claim,
    everything,
    failed,
    given,
    hashed,
    kill,
    ok,
    walk,
    wanted,
)

Open = Callable[[], RequestLedger]


@pytest.fixture
def open_ledger(tmp_path: Path) -> Iterator[Open]:
    """Opens the same ledger again and again, each time as another worker."""
    opened: list[RequestLedger] = []

    def open_one() -> RequestLedger:
        opened.append(RequestLedger.open(sqlite_url(tmp_path / "ledger" / "requests.sqlite")))
        return opened[-1]

    yield open_one
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: Open) -> RequestLedger:
    return open_ledger()


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


# Who may ask


def test_each_content_is_given_to_one_worker_alone(ledger: RequestLedger, open_ledger: Open) -> None:
    """Prevents two runs over the same days from paying for the same conversation."""
    other = open_ledger()
    first = claim(ledger, wanted(3, 1, 2, 1))
    assert [r.content_hash for r in first.requests] == [hashed(3), hashed(1), hashed(2)]
    second = claim(other, wanted(1, 2, 3, 4))
    assert [r.content_hash for r in second.requests] == [hashed(4)]
    assert (second.foreign, second.own) == (3, 0)
    assert other.foreign([hashed(i) for i in range(1, 5)], SCREEN, MODEL) == 3
    again = claim(ledger, wanted(1, 2, 3))
    assert (len(again.requests), again.own, again.foreign) == (0, 3, 0)


def test_ids_are_fit_to_be_custom_ids_and_say_nothing(ledger: RequestLedger) -> None:
    ids = [r.id for r in claim(ledger, wanted(*range(50))).requests]
    assert len(set(ids)) == 50
    assert all(0 < len(i) <= 64 and set(i) <= set("-_0123456789") | set(map(chr, range(65, 123))) for i in ids)


def test_threads_that_claim_the_same_share_it_out(open_ledger: Open) -> None:
    ledgers = [open_ledger() for _ in range(6)]
    taken: dict[int, list[str]] = {}
    ready = threading.Barrier(len(ledgers))

    def work(n: int) -> None:
        ready.wait()
        for start in range(0, 120, 20):
            got = claim(ledgers[n], wanted(*range(start, start + 20)))
            taken.setdefault(n, []).extend(r.content_hash for r in got.requests)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(ledgers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(h for hashes in taken.values() for h in hashes) == [hashed(i) for i in range(120)]


def test_a_question_shared_by_two_asks_is_open_once(ledger: RequestLedger, open_ledger: Open) -> None:
    """Prevents a facet from being paid twice when a new one is added while an old batch is still out."""
    claim(ledger, wanted(1), SCREEN)
    other = open_ledger()
    assert claim(other, wanted(1), WIDER).foreign == 1
    assert len(claim(other, wanted(1), OTHER).requests) == 1, "what shares no question need not wait"
    assert len(claim(other, wanted(1), SCREEN, model="model-2").requests) == 1


def test_what_was_answered_in_between_is_not_given_out(ledger: RequestLedger, open_ledger: Open) -> None:
    """Prevents a second payment when another run settles between looking for an answer and claiming."""
    ledger.settle([ok(r) for r in claim(ledger, wanted(1, 2)).requests])
    late = claim(open_ledger(), wanted(1, 2, 3), WIDER)
    assert (late.answered, [r.content_hash for r in late.requests]) == (2, [hashed(3)])
    assert len(claim(ledger, wanted(1), labeller="claude-model-2").requests) == 1


def test_a_dead_workers_intent_is_taken_over_as_it_was(ledger: RequestLedger, open_ledger: Open) -> None:
    lost = claim(ledger, wanted(1, 2)).requests
    next_one = open_ledger()
    assert claim(next_one, wanted(1, 2)).foreign == 2
    assert next_one.in_flight_usd() == pytest.approx(0.02)
    kill(ledger)
    assert not next_one.alive(ledger.owner)
    assert next_one.in_flight_usd() == 0
    taken = claim(next_one, wanted(1, 2, usd=0.5), transport="batch").requests
    assert [(r.id, r.attempt) for r in taken] == [(r.id, 1) for r in lost]
    assert {(r.owner, r.transport, r.est_usd) for r in taken} == {(next_one.owner, "batch", 0.5)}
    assert next_one.in_flight_usd() == pytest.approx(1.0)
    assert next_one.requests([r.id for r in lost]) == {r.id: r for r in taken}


def test_what_a_closed_ledger_left_is_free(ledger: RequestLedger, open_ledger: Open) -> None:
    """Prevents a run that failed in a process that goes on from holding its contents as long as that process lives."""
    claim(ledger, wanted(1))
    ledger.close()
    assert len(claim(open_ledger(), wanted(1)).requests) == 1


def test_a_ledger_that_was_forgotten_leaves_too(tmp_path: Path, open_ledger: Open) -> None:
    forgotten = RequestLedger.open(sqlite_url(tmp_path / "ledger" / "requests.sqlite"))
    claim(forgotten, wanted(1))
    del forgotten
    assert len(claim(open_ledger(), wanted(1)).requests) == 1


def test_a_dead_workers_other_ask_gives_way_and_a_late_reply_is_still_counted(
    ledger: RequestLedger, open_ledger: Open
) -> None:
    """Prevents an abandoned question from blocking a new one, and a reply that was paid from being lost."""
    lost = claim(ledger, wanted(1), WIDER).requests[0]
    kill(ledger)
    other = open_ledger()
    taken = claim(other, wanted(1), SCREEN).requests
    assert len(taken) == 1 and taken[0].id != lost.id
    assert other.settle([ok(lost, WIDER)]) == 1
    assert other.spent() == pytest.approx(0.008)
    assert other.settle([ok(lost, WIDER)]) == 0
    risk = Given(LABELLER, "risk", 1, "part-risk", Answer(Status.OK))
    assert any(row["facet"] == risk.facet for row in everything(other)["answers"])


@pytest.mark.parametrize(("silent_seconds", "alive"), [(100, True), (140, False)])
def test_on_another_machine_a_worker_lives_while_its_heart_beats(
    ledger: RequestLedger, open_ledger: Open, silent_seconds: int, alive: bool
) -> None:
    other = open_ledger()
    last = datetime.now(UTC) - timedelta(seconds=silent_seconds)
    with ledger.database.writing() as connection:
        elsewhere = update(WORKERS).where(WORKERS.c.owner == ledger.owner)
        connection.execute(elsewhere.values(host="elsewhere", heartbeat_at=last))
    assert other.alive(ledger.owner) is alive


def test_garbage_collected_in_a_transaction_does_not_wait_for_it(
    ledger: RequestLedger, open_ledger: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a run from standing still for a minute, and failing, when a ledger of before is collected as it claims."""
    forgotten = RequestLedger.open(sqlite_url(Path(ledger.database.name)))
    owner, cycle = forgotten.owner, [forgotten]
    cycle.append(cycle)  # type: ignore[arg-type]
    written = []
    with ledger.database.writing(), monkeypatch.context() as patch:
        patch.setattr(Database, "writing", lambda *_, **__: written.append("from a finalizer"))
        del forgotten, cycle
        gc.collect()
    assert written == []
    assert not ledger.alive(owner)


def test_a_heart_beats(tmp_path: Path) -> None:
    from dagster_project.storage.request_ledger.workers import Worker

    ledger = RequestLedger.open(sqlite_url(tmp_path / "l.sqlite"))
    quick = Worker(ledger.database, beat_seconds=0.01)

    def beat() -> datetime:
        return next(w["heartbeat_at"] for w in everything(ledger)["workers"] if w["owner"] == quick.owner)

    first, deadline = beat(), time.monotonic() + 10
    while beat() <= first:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    quick.close()
    ledger.close()


@pytest.mark.skipif(not Path("/proc").exists(), reason="no /proc")
def test_a_killed_process_is_dead_before_anybody_reaps_it() -> None:
    """Prevents a run from waiting for ever for a process whose parent does not look."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert started(child.pid) is not None
    child.kill()
    deadline = time.monotonic() + 10
    while started(child.pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.wait()


def test_what_was_not_sent_can_be_given_back(ledger: RequestLedger, open_ledger: Open) -> None:
    taken = claim(ledger, wanted(1, 2)).requests
    other = open_ledger()
    assert other.release([r.id for r in taken]) == 0, "only what is one's own"
    assert ledger.release([taken[0].id]) == 1
    assert claim(other, wanted(1, 2)).requests[0].content_hash == hashed(1)


# How it ends


def test_results_may_come_twice_and_the_first_answer_stays(ledger: RequestLedger, open_ledger: Open) -> None:
    one, two = claim(ledger, wanted(1, 2)).requests
    other_words = Settlement(one.id, "ok", (Given(LABELLER, "cc", 1, "part-cc", Answer(Status.REFUSED)),), USAGE, 0.5)
    assert ledger.settle([ok(one), other_words]) == 1
    assert open_ledger().settle([other_words, ok(two), Settlement("unknown", "ok")]) == 1
    assert ledger.spent() == pytest.approx(0.016)
    facet = shipped_codebook()["content_creation"].model_copy(update={"id": "cc"})
    found = ledger.answers.read([hashed(1), hashed(2), hashed(3)], facet, LABELLER, "part-cc")
    assert {h: a for h, (a, _) in found.items()} == {h: given(h)[0].answer for h in (hashed(1), hashed(2))}
    check_books(ledger)


def test_answers_come_back_as_they_were_given(ledger: RequestLedger) -> None:
    one = claim(ledger, wanted(1)).requests[0]
    answers = {
        "a": Answer(Status.OK, (Value("x", 0.5, 3), Value("y"))),
        "b": Answer(Status.COULD_NOT_TELL),
        "c": Answer(Status.OK, (), 'quiet "talk" \x00 \ud800 ☃'),
    }
    before = datetime.now(UTC)
    ledger.settle([Settlement(one.id, "ok", tuple(Given(LABELLER, f, 2, "p", a) for f, a in answers.items()))])
    for facet, answer in answers.items():
        asked = shipped_codebook()["content_creation"].model_copy(update={"id": facet, "version": 2})
        found, at = ledger.answers.read([hashed(1)], asked, LABELLER, "p")[hashed(1)]
        assert found == answer
        assert before <= at <= datetime.now(UTC)


def test_of_two_answers_the_first_stays(ledger: RequestLedger) -> None:
    """Prevents a label from changing under the rows that were already made of it."""
    facet, at = shipped_codebook()["content_creation"], datetime(2026, 10, 5, tzinfo=UTC)
    first, second = Answer(Status.OK, (Value("content_creation"),)), Answer(Status.REFUSED)
    ledger.answers.add({"a": first}, facet, LABELLER, "p", at)
    ledger.answers.add({"a": second, "b": second}, facet, LABELLER, "p", at + timedelta(days=1))
    found = ledger.answers.read(["a", "b"], facet, LABELLER, "p")
    assert found == {"a": (first, at), "b": (second, at + timedelta(days=1))}
    assert ledger.answers.read(["a"], facet, LABELLER, "other prompt") == {}
    assert ledger.answers.read(["a"], facet, "other labeller", "p") == {}
    assert ledger.answers.read(["a"], facet.model_copy(update={"version": 99}), LABELLER, "p") == {}
    assert ledger.answers.delete(["a", "c"]) == 1
    assert ledger.answers.read(["a", "b"], facet, LABELLER, "p").keys() == {"b"}


def test_answers_without_text_are_kept_as_ever() -> None:
    """Prevents caches that were written before there were texts from being asked anew."""
    assert json_of(Answer(Status.OK, (Value("x", None, 2),))) == '["ok",[["x",null,2]]]'
    assert answer_of('["ok",[["x",null,2]]]') == Answer(Status.OK, (Value("x", None, 2),))


def test_what_failed_may_be_asked_again_and_its_tries_are_counted(ledger: RequestLedger, open_ledger: Open) -> None:
    attempts = []
    for paid in (False, True, True, False):
        request = claim(ledger, wanted(1)).requests[0]
        attempts.append((request.attempt, request.answered))
        ledger.settle([failed(request, paid)])
    last = claim(open_ledger(), wanted(1)).requests[0]
    assert [*attempts, (last.attempt, last.answered)] == [(1, 0), (2, 0), (3, 1), (4, 2), (5, 2)]
    assert ledger.attempts(hashed(1), SCREEN.hash, MODEL) == 4
    assert ledger.attempts(hashed(1), WIDER.hash, MODEL) == 0
    assert ledger.spent() == pytest.approx(0.016), "replies that were no use were paid all the same"


def test_an_ask_can_be_read_back(ledger: RequestLedger) -> None:
    claim(ledger, wanted(1))
    assert ledger.ask(SCREEN.hash) == SCREEN.body
    with pytest.raises(KeyError):
        ledger.ask("unknown")


# Batches


def test_a_batch_from_intent_to_deletion(ledger: RequestLedger, open_ledger: Open) -> None:
    taken = claim(ledger, wanted(1, 2, 3), transport="batch").requests
    batch = ledger.new_batch([r.id for r in taken], 12345, DAY, date(2026, 11, 29))
    assert (batch.state, batch.provider_id, batch.n_requests, batch.n_bytes) == (BatchState.INTENDED, None, 3, 12345)
    other = open_ledger()
    assert not other.adopt(batch.id), "its owner lives"
    ledger.submitted(batch.id, "msgbatch_1")
    kill(ledger)
    assert claim(other, wanted(1, 2, 3)).foreign == 3, "a batch that may exist is waited for, whoever sent it"
    assert other.in_flight_usd() == pytest.approx(0.03)
    (left,) = other.open_batches()
    assert (left.state, left.provider_id, left.last_day) == (BatchState.SUBMITTED, "msgbatch_1", date(2026, 11, 29))
    assert other.adopt(batch.id) and other.batch(batch.id).owner == other.owner
    assert {r.id for r in other.unsettled(batch.id)} == {r.id for r in taken}
    assert len(other.unsettled(batch.id, limit=2)) == 2
    assert other.requests([taken[0].id])[taken[0].id].positions == taken[0].positions
    other.settle([ok(r) for r in taken[:2]])
    with pytest.raises(LedgerError, match="1 requests"):
        other.saved(batch.id)
    with pytest.raises(LedgerError, match="not saved"):
        other.deleted(batch.id)
    other.settle([failed(r, paid=False) for r in other.unsettled(batch.id)])
    assert other.saved(batch.id).state == BatchState.SAVED
    assert [b.id for b in other.open_batches()] == [batch.id], "still to be deleted at the provider"
    other.deleted(batch.id)
    other.deleted(batch.id)
    assert other.open_batches() == []
    assert [r.attempt for r in claim(other, wanted(1, 2, 3)).requests] == [2]
    check_books(other)


def test_a_batch_holds_only_what_is_its_workers_own(ledger: RequestLedger, open_ledger: Open) -> None:
    other = open_ledger()
    mine, theirs = claim(ledger, wanted(1, 2)).requests, claim(other, wanted(3)).requests
    for ids in ([mine[0].id, theirs[0].id], [mine[0].id, "unknown"], []):
        with pytest.raises(LedgerError):
            ledger.new_batch(ids, 1, DAY, DAY)
    assert ledger.open_batches() == []
    ledger.new_batch([mine[0].id], 1, DAY, DAY)
    with pytest.raises(LedgerError):
        ledger.new_batch([r.id for r in mine], 1, DAY, DAY)
    assert ledger.release([r.id for r in mine]) == 1, "what is in a batch cannot be given back"


def test_a_void_batch_frees_its_requests_as_the_same_attempt(ledger: RequestLedger, open_ledger: Open) -> None:
    taken = claim(ledger, wanted(1, 2)).requests
    batch = ledger.new_batch([r.id for r in taken], 1, DAY, DAY)
    assert ledger.void(batch.id).state == BatchState.VOID
    assert ledger.open_batches() == []
    assert ledger.in_flight_usd() == 0
    again = claim(open_ledger(), wanted(1)).requests
    assert [(r.id, r.attempt, r.batch_id) for r in again] == [(taken[0].id, 1, None)]


def test_a_batch_that_turns_up_after_it_was_given_up_is_not_lost(ledger: RequestLedger, open_ledger: Open) -> None:
    """Prevents a batch that was paid from being forgotten because somebody was too quick to call it void."""
    taken = claim(ledger, wanted(1, 2)).requests
    batch = ledger.new_batch([r.id for r in taken], 1, DAY, DAY)
    other = open_ledger()
    other.void(batch.id)
    reclaimed = claim(other, wanted(1)).requests
    ledger.submitted(batch.id, "msgbatch_1")
    assert [r.content_hash for r in ledger.unsettled(batch.id)] == [hashed(2)]
    assert claim(other, wanted(2)).foreign == 1
    assert ledger.settle([ok(r) for r in taken]) == 2
    assert other.settle([ok(r) for r in reclaimed]) == 0
    ledger.saved(batch.id)
    check_books(ledger)


def test_a_submitted_batch_is_never_void_and_has_one_name(ledger: RequestLedger) -> None:
    batch = ledger.new_batch([claim(ledger, wanted(1)).requests[0].id], 1, DAY, DAY)
    assert ledger.submitted(batch.id, "a") == ledger.submitted(batch.id, "a")
    with pytest.raises(LedgerError, match="another id"):
        ledger.submitted(batch.id, "b")
    with pytest.raises(LedgerError, match="cannot be void"):
        ledger.void(batch.id)
    with pytest.raises(LedgerError, match="no batch"):
        ledger.batch("unknown")


# Money


def test_a_budget_holds_for_all_who_claim(ledger: RequestLedger, open_ledger: Open) -> None:
    """Prevents partitions that run side by side from each spending the whole budget."""
    other, budget = open_ledger(), Budget(0.05)
    ledger.settle([ok(r, usd=0.011) for r in claim(ledger, wanted(1), budget=budget).requests])
    first = claim(ledger, wanted(2, 3), budget=budget)
    second = claim(other, wanted(4, 5, 6, 2), budget=budget)
    assert (len(first.requests), first.beyond_budget) == (2, 0)
    assert [r.content_hash for r in second.requests] == [hashed(4)]
    assert (second.beyond_budget, second.foreign) == (2, 1)
    kill(ledger)
    assert len(claim(other, wanted(5, 6), budget=budget).requests) == 2, "the dead spend nothing"
    assert claim(other, wanted(7), budget=Budget(0.0)).beyond_budget == 1


def test_spending_is_known_by_run_and_by_hour(tmp_path: Path) -> None:
    clock = [datetime(2026, 10, 5, 8, 59, tzinfo=UTC).timestamp()]
    url = sqlite_url(tmp_path / "l.sqlite")
    early = RequestLedger.open(url, run="run-1", clock=lambda: clock[0])
    late = RequestLedger.open(url, run="run-2", clock=lambda: clock[0])
    requests = claim(early, wanted(1, 2, 3)).requests
    early.settle([ok(requests[0], usd=1.0)])
    clock[0] += 120
    late.settle([ok(r, usd=2.0) for r in requests[1:]])
    assert late.spent() == 5.0
    assert late.spent(run="run-1") == 1.0
    assert late.spent(datetime(2026, 10, 5, 9, 30, tzinfo=UTC)) == 4.0
    assert late.spent(datetime(2026, 10, 5, 10, 30, tzinfo=UTC)) == 0.0
    assert claim(late, wanted(4), budget=Budget(4.5, datetime(2026, 10, 5, 9, tzinfo=UTC))).requests
    early.close()
    late.close()


def test_costs_are_kept_by_day_stage_model_and_transport(ledger: RequestLedger) -> None:
    other_day = date(2026, 10, 6)
    for day, stage, transport, i in (
        (DAY, "screen", "live", 1),
        (other_day, "detail", "batch", 2),
        (DAY, "screen", "live", 3),
    ):
        requests = claim(ledger, wanted(i, day=day), stage=stage, transport=transport).requests
        ledger.settle([Settlement(r.id, "ok", given(r.content_hash), Usage(10, 5, 2, 3), 0.25) for r in requests])
    ledger.settle([failed(r, paid=False) for r in claim(ledger, wanted(4)).requests])
    detail, screen = sorted(ledger.costs(), key=lambda cost: cost.stage)
    assert (screen.day, screen.stage, screen.model, screen.transport) == (DAY, "screen", MODEL, "live")
    assert (screen.requests, screen.input_tokens, screen.output_tokens, screen.usd) == (2, 20, 10, 0.5)
    assert (screen.cache_write_tokens, screen.cache_read_tokens) == (4, 6)
    assert (detail.day, detail.transport, detail.requests) == (other_day, "batch", 1)
    assert ledger.costs("another run") == []
    totals = ledger.totals()
    assert (totals.requests, totals.input_tokens, totals.output_tokens, totals.usd) == (3, 45, 15, 0.75)
    claim(ledger, wanted(5))
    assert (ledger.totals().in_flight, ledger.totals().in_flight_usd) == (1, 0.01)


# Erasure, key, files


def test_erasure_leaves_no_byte_and_keeps_the_cost(ledger: RequestLedger, open_ledger: Open, tmp_path: Path) -> None:
    other = open_ledger()
    contents = wanted(*range(40))
    secret = "she wrote of her sister"
    for request in claim(ledger, contents).requests:
        answers = (*given(request.content_hash), Given(LABELLER, "topic", 1, "p", Answer(Status.OK, (), secret)))
        ledger.settle([Settlement(request.id, "ok", answers, USAGE, 0.01)])
    assert len(other.open_batches()) == 0  # a second connection holds the log open
    hashes = [one.content_hash for one in contents]
    assert ledger.erase(hashes[:-1]) == 39 * 4
    assert ledger.erase(hashes[:-1]) == 0
    kept = bytes_of(tmp_path)
    assert not [h for h in hashes[:-1] if h.encode() in kept]
    assert hashes[-1].encode() in kept
    assert ledger.erase(hashes[-1:]) == 4
    assert secret.encode() not in bytes_of(tmp_path)
    assert ledger.spent() == pytest.approx(0.4)
    assert len(claim(other, wanted(1)).requests) == 1, "another who says the same is asked about"


def test_what_arrives_after_erasure_is_dropped_but_paid(ledger: RequestLedger) -> None:
    taken = claim(ledger, wanted(1, 2, 3)).requests
    batch = ledger.new_batch([taken[0].id, taken[2].id], 1, DAY, DAY)
    ledger.submitted(batch.id, "msgbatch_1")
    ledger.erase([hashed(1), hashed(2)])
    assert [r.content_hash for r in ledger.unsettled(batch.id)] == [hashed(3)]
    assert ledger.in_flight_usd() == pytest.approx(0.01)
    assert ledger.requests([r.id for r in taken]).keys() == {taken[2].id}
    positions = {row["content_hash"]: row["positions"] for row in everything(ledger)["requests"]}
    assert [positions.pop(hashed(3)) is not None, *positions.values()] == [True, None, None]
    assert ledger.settle([ok(r) for r in taken]) == 1
    assert ledger.settle([ok(r) for r in taken]) == 0
    assert {row["content_hash"] for row in everything(ledger)["answers"]} == {hashed(3)}
    assert ledger.spent() == pytest.approx(0.024)
    ledger.saved(batch.id)
    check_books(ledger)


def conversation(*said: tuple[Role, str], key: str = "c1") -> Conversation:
    return Conversation(key, "u1", datetime(2026, 10, 5, tzinfo=UTC), tuple(Message(r, c) for r, c in said))


def test_contents_are_known_by_the_ledgers_own_key(tmp_path: Path) -> None:
    """Prevents a home whose pseudonyms are rotated, or a second home, from asking everything again."""
    said = ((Role.USER, "the canary sings"), (Role.ASSISTANT, "does it"))
    one, two = (RequestLedger.open(sqlite_url(tmp_path / name / "l.sqlite")) for name in "ab")
    assert len(one.content(conversation(*said))) == 32
    assert one.content(conversation(*said)) == one.content(conversation(*said, key="c2"))
    changed = [said[:1], said[::-1], ((Role.USER, "the canary sings does it"),), ((Role.SYSTEM, said[0][1]), said[1])]
    assert len({one.content(conversation(*said)), *(one.content(conversation(*c)) for c in changed)}) == 5
    assert one.content(conversation(*said)) != two.content(conversation(*said))
    again = RequestLedger.open(sqlite_url(tmp_path / "a" / "l.sqlite"))
    assert one.content(conversation(*said)) == again.content(conversation(*said))
    assert b"canary" not in bytes_of(tmp_path)
    for ledger in (one, two, again):
        ledger.close()


def test_files_are_private(ledger: RequestLedger, tmp_path: Path) -> None:
    claim(ledger, wanted(1))
    files = list((tmp_path / "ledger").iterdir())
    assert {f.name for f in files} >= {"requests.sqlite", "requests.sqlite-wal", "ledger.key"}
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "ledger").stat().st_mode) == 0o700


@pytest.mark.parametrize("how", ["another", "missing", "short", "open to others"])
def test_a_wrong_key_is_refused(tmp_path: Path, how: str) -> None:
    """Prevents a second key from making every answer unknown, and everything asked and paid anew."""
    url, key = sqlite_url(tmp_path / "l.sqlite"), tmp_path / "ledger.key"
    RequestLedger.open(url).close()
    was = key.read_bytes()
    if how == "another":
        key.write_bytes(bytes(range(32)))
    elif how == "missing":
        key.unlink()
    elif how == "short":
        key.write_bytes(b"x" * 32)
    else:
        key.chmod(0o640)
    with pytest.raises(LedgerError, match=r"ledger\.key"):
        RequestLedger.open(url)
    assert key.exists() is (how != "missing"), "a missing key is not replaced"
    key.write_bytes(was)
    key.chmod(0o600)
    RequestLedger.open(url).close()


def test_many_open_a_new_ledger_at_once(tmp_path: Path) -> None:
    ledgers: list[RequestLedger] = []
    ready = threading.Barrier(8)

    def work() -> None:
        ready.wait()
        ledgers.append(RequestLedger.open(sqlite_url(tmp_path / "new" / "l.sqlite")))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.content(conversation((Role.USER, "hello"))) for one in ledgers}) == 1
    assert len(ledgers) == 8
    for ledger in ledgers:
        ledger.close()
    assert {p.name for p in (tmp_path / "new").iterdir()} == {"l.sqlite", "ledger.key"}


def test_who_comes_while_a_new_ledger_is_being_made_waits(tmp_path: Path) -> None:
    """SQLite does not queue for the switch to its write-ahead log: it fails at once."""
    path = tmp_path / "l.sqlite"
    maker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    maker.execute("BEGIN IMMEDIATE")
    path.chmod(0o600)
    timer = threading.Timer(0.3, lambda: (maker.execute("COMMIT"), maker.close()))
    timer.start()
    RequestLedger.open(sqlite_url(path)).close()
    timer.join()


def test_errors_name_the_cause_and_no_value(ledger: RequestLedger, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"hashes and answers " * 1000)
    with pytest.raises(DatabaseError, match="not a database") as error:
        RequestLedger.open(sqlite_url(damaged))
    assert "answers" not in str(error.value)
    for url in ("mysql://me:hunter2@host/name", "sqlite://", "not a url hunter2"):
        with pytest.raises(DatabaseError, match="sqlite:////path") as error:
            RequestLedger.open(url)
        assert "hunter2" not in str(error.value)
    with sqlite3.connect(tmp_path / "ledger" / "requests.sqlite") as connection:
        connection.execute("DROP TABLE requests")
    connection.close()
    with pytest.raises(DatabaseError) as error:
        claim(ledger, wanted(1))
    assert hashed(1) not in str(error.value) and error.value.__cause__ is None


def test_a_ledger_of_another_version_is_left_alone(ledger: RequestLedger, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger" / "requests.sqlite") as connection:
        connection.execute("UPDATE about SET value = '99' WHERE name = 'version'")
    connection.close()
    with pytest.raises(LedgerError, match="another version"):
        RequestLedger.open(sqlite_url(tmp_path / "ledger" / "requests.sqlite"))


# All together


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_done_in_whatever_order_the_books_agree(tmp_path: Path, seed: int) -> None:
    walk(sqlite_url(tmp_path / "l.sqlite"), tmp_path / "ledger.key", seed, steps=150).close()


def test_a_day_takes_no_more_after_much_history(ledger: RequestLedger) -> None:
    """Prevents a day's run from growing slower with every day before it."""

    def a_day(first: int) -> int:
        with sqlite_steps(ledger.database) as steps:
            taken = claim(ledger, wanted(*range(first, first + 200)), budget=Budget(1e6)).requests
            ledger.settle([ok(r) for r in taken[:100]])
        assert len(taken) == 200
        return steps.n

    first = a_day(0)
    for start in range(1_000, 11_000, 2_000):
        ledger.settle([ok(r) for r in claim(ledger, wanted(*range(start, start + 2_000))).requests])
    assert first > 0
    assert a_day(100_000) < 1.1 * first
