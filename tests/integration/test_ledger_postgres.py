"""The ledger on a real PostgreSQL: what holds on one machine's file holds for many machines' server.

The server of these tests runs in another time zone and with another default isolation than the ledger's own.
Not here: what does not depend on the database (tests/unit/test_request_ledger.py).
"""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from dagster_project.classifiers.claude.pace import Pace
from dagster_project.codebook.loader import shipped_codebook
from dagster_project.storage.database import DatabaseError
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.records import Budget, LedgerError
from dagster_project.storage.request_ledger.schema import WORKERS
from tests.support.effort import statements
from tests.support.ledger import (
    DAY,
    LABELLER,
    check_books,
    claim,
    everything,
    failed,
    given,
    hashed,
    ok,
    walk,
    wanted,
)
from tests.support.ledger_worker import USD, missing, supervise
from tests.support.postgres import postgres_server

Open = Callable[[], RequestLedger]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as url:
        yield url


_NUMBERS = itertools.count()


@pytest.fixture
def url(server: str) -> str:
    """A database of this test's own."""
    import psycopg2

    name = f"ledger_{next(_NUMBERS)}"
    connection = psycopg2.connect(server)
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name}")
    connection.close()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def open_ledger(url: str, tmp_path: Path) -> Iterator[Open]:
    opened: list[RequestLedger] = []

    def open_one() -> RequestLedger:
        opened.append(RequestLedger.open(url, tmp_path / "keys" / "ledger.key"))
        return opened[-1]

    yield open_one
    for ledger in opened:
        ledger.close()


def at_once(*work: Callable[[], None]) -> None:
    """Run all of these in threads that begin together; raise what one of them raised."""
    ready, errors = threading.Barrier(len(work)), []

    def run(one: Callable[[], None]) -> None:
        ready.wait()
        try:
            one()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


@pytest.mark.parametrize("seed", [10, 11])
def test_whatever_is_done_in_whatever_order_the_books_agree(url: str, tmp_path: Path, seed: int) -> None:
    walk(url, tmp_path / "ledger.key", seed, steps=150).close()


@pytest.mark.parametrize("mode", ["live", "batch"])
def test_killed_processes_lose_nothing_and_batches_are_paid_once(url: str, tmp_path: Path, mode: str) -> None:
    key, book, kills = tmp_path / "ledger.key", tmp_path / "provider.jsonl", 4
    contents = 40 * kills
    outcome = supervise(url, key, book, mode, contents, kills, seed=7)
    with RequestLedger.open(url, key) as ledger:
        assert missing(ledger, contents) == []
        check_books(ledger)
        done = Counter(r["content_hash"] for r in everything(ledger)["requests"] if r["state"] == "done")
        assert done == Counter(hashed(i) for i in range(contents))
        if mode == "batch":
            ids = Counter(item["id"] for line in outcome.paid for item in line["items"])
            assert set(ids.values()) == {1}
            assert ledger.spent() == pytest.approx(USD * len(ids))


def test_many_open_a_new_ledger_at_once(open_ledger: Open) -> None:
    ledgers: list[RequestLedger] = []
    at_once(*[lambda: ledgers.append(open_ledger())] * 6)
    assert len({ledger.owner for ledger in ledgers}) == 6


def test_each_content_is_given_out_once_and_a_budget_holds_for_all(open_ledger: Open) -> None:
    ledgers, taken = [open_ledger() for _ in range(4)], []

    def work(ledger: RequestLedger) -> Callable[[], None]:
        def run() -> None:
            for start in range(0, 200, 20):
                got = claim(ledger, wanted(*range(start, start + 20)), budget=Budget(1.5))
                taken.extend(r.content_hash for r in got.requests)

        return run

    at_once(*map(work, ledgers))
    assert len(taken) == len(set(taken)) == 150
    assert ledgers[0].in_flight_usd() == pytest.approx(1.5)


def test_two_who_settle_the_same_do_not_block_each_other(open_ledger: Open) -> None:
    one, two = open_ledger(), open_ledger()
    for round_ in range(5):
        requests = claim(one, wanted(*range(round_ * 100, round_ * 100 + 100))).requests
        closed: list[int] = []
        at_once(
            lambda r=requests, c=closed: c.append(one.settle([ok(x) for x in r])),  # type: ignore[misc]
            lambda r=requests, c=closed: c.append(two.settle([ok(x) for x in reversed(r)])),  # type: ignore[misc]
        )
        assert sum(closed) == 100
    assert one.spent() == pytest.approx(500 * 0.008)
    check_books(one)


def test_what_is_erased_while_its_answer_arrives_is_gone(open_ledger: Open) -> None:
    one, two = open_ledger(), open_ledger()
    for i in range(10):
        contents = list(range(i * 20, i * 20 + 20))
        requests = claim(one, wanted(*contents)).requests
        at_once(
            lambda r=requests: one.settle([ok(x) for x in r]),  # type: ignore[misc]
            lambda c=contents: two.erase([hashed(x) for x in c]),  # type: ignore[misc]
        )
    rows = everything(one)
    assert rows["answers"] == []
    assert all(row["content_hash"].startswith("erased-") for row in rows["requests"])
    assert one.spent() == pytest.approx(200 * 0.008), "what was paid stays counted"


def test_answers_and_times_come_back_as_they_were(open_ledger: Open) -> None:
    ledger, before = open_ledger(), datetime.now(UTC) - timedelta(seconds=1)
    ledger.settle([ok(r) for r in claim(ledger, wanted(1)).requests])
    facet = shipped_codebook()["content_creation"].model_copy(update={"id": "cc", "version": 1})
    answer, at = open_ledger().answers.read([hashed(1)], facet, LABELLER, "part-cc")[hashed(1)]
    assert answer == given(hashed(1))[0].answer
    assert before <= at <= datetime.now(UTC) + timedelta(seconds=1)
    (row,) = everything(ledger)["requests"]
    assert abs(row["created_at"] - at) < timedelta(seconds=5) and row["day"] == DAY
    assert ledger.spent(datetime.now(UTC)) == pytest.approx(0.008), "the hour is UTC's, not half of Kolkata's"


def test_the_tries_are_counted(open_ledger: Open) -> None:
    ledger = open_ledger()
    for paid in (True, False):
        ledger.settle([failed(r, paid) for r in claim(ledger, wanted(1)).requests])
    last = claim(ledger, wanted(1)).requests[0]
    assert (last.attempt, last.answered) == (3, 1)
    assert ledger.totals().in_flight == 1


def test_hearts_are_timed_by_the_servers_clock(open_ledger: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents a machine whose clock is wrong from taking the living for dead, and paying again what they asked."""
    one, two = open_ledger(), open_ledger()
    with one.database.writing() as connection:
        connection.execute(update(WORKERS).where(WORKERS.c.owner == one.owner).values(host="elsewhere"))
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert two.alive(one.owner)
    with one.database.writing() as connection:
        late = text("UPDATE workers SET heartbeat_at = now() - interval '3 minutes' WHERE owner = :owner")
        connection.execute(late, {"owner": one.owner})
    assert not two.alive(one.owner)


def test_the_pace_is_one_for_all(open_ledger: Open) -> None:
    ledgers, moments = [open_ledger() for _ in range(3)], []

    def work(ledger: RequestLedger) -> Callable[[], None]:
        pace = Pace(ledger.database, "messages", 6000)

        def run() -> None:
            for _ in range(20):
                moments.extend(pace.reserve([0] * 10))

        return run

    at_once(*map(work, ledgers))
    moments.sort()
    assert (len(moments) - 1) / (moments[-1] - moments[0]) == pytest.approx(97, rel=0.02)
    Pace(ledgers[0].database, "messages", 6000).pause(60)
    assert Pace(ledgers[1].database, "messages", 6000).reserve([0])[0] > time.monotonic() + 59


def test_a_key_is_asked_for_and_a_wrong_one_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="needs a key file"):
        RequestLedger.open(url)
    RequestLedger.open(url, tmp_path / "a.key").close()
    with pytest.raises(LedgerError, match=r"b\.key cannot be read"):
        RequestLedger.open(url, tmp_path / "b.key")
    assert not (tmp_path / "b.key").exists()
    (tmp_path / "b.key").write_bytes(bytes(range(32)))
    (tmp_path / "b.key").chmod(0o600)
    with pytest.raises(LedgerError, match="is not the key"):
        RequestLedger.open(url, tmp_path / "b.key")


def test_a_server_that_is_not_there_is_named_without_its_password(server: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"127\.0\.0\.1/ledger could not be .*cannot be reached") as error:
        RequestLedger.open("postgresql://me:hunter2@127.0.0.1:1/ledger", tmp_path / "k")
    assert "hunter2" not in str(error.value)


def test_a_broken_connection_is_an_error_without_values_and_the_next_one_works(open_ledger: Open) -> None:
    ledger, other = open_ledger(), open_ledger()
    requests = claim(ledger, wanted(1, 2)).requests
    cut = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with pytest.raises(DatabaseError) as error, ledger.database.writing() as connection:
        with other.database.writing() as killer:
            killer.execute(cut.bindparams())
        connection.execute(text("SELECT 1"))
    assert requests[0].content_hash not in str(error.value)
    assert ledger.settle([ok(r) for r in requests]) == 2


def test_many_are_claimed_and_settled_in_few_statements(open_ledger: Open) -> None:
    """Prevents a day of thousands from waiting for a server's answer to each of them."""
    ledger = open_ledger()
    with statements(ledger.database) as sent:
        taken = claim(ledger, wanted(*range(1000)), budget=Budget(1e6)).requests
        ledger.settle([ok(r) for r in taken[:500]])
    assert 0 < sent.n < 50
