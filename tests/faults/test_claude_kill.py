"""A run in batches killed at any moment: what was sent is found again, and paid once (F2, I2)."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from dagster_project.domain.labels import Answer
from dagster_project.storage.request_ledger.schema import BatchState
from tests.support.asking import Items, answers, ledger_in, questions
from tests.support.claude_batches import Work, worker
from tests.support.messages_server import Books, MessagesServer, messages_server
from tests.support.messages_server_settings import BatchFault, CallFault, Fault, ResultsFault

pytestmark = pytest.mark.long

AUDIT = bool(os.environ.get("CONFIDE_AUDIT"))
KILLS = 44 if AUDIT else 4
KILLS_A_WORLD = 6
SEED = int(os.environ.get("CONFIDE_SEED", "11"))
N, A_BATCH = 200, 25
USUAL = {"batch_seconds": 0.3, "batch_latency_seconds": 0.03}
LOST_AND_LATE: tuple[Fault, ...] = (
    *(CallFault(kind=k, routes=("batch_create",), share=0.1, processed=True) for k in ("reset", "half_body", "html")),
    CallFault(kind="server_error", routes=("batch_create",), share=0.1),
    CallFault(kind="unavailable", routes=("batch_list", "batch_retrieve", "batch_results", "batch_delete"), share=0.1),
    CallFault(kind="reset", routes=("batch_delete",), share=0.1, processed=True),
    ResultsFault(kind="shuffled", fetches=()),
    ResultsFault(kind="missing", share=0.2),
    BatchFault(kind="fresh_404", seconds=0.15),
)
MOMENTS = ("batch_create", "batch_retrieve", "batch_results", "batch_delete")
Labels = dict[str, list[Answer | None]]


@pytest.fixture(scope="module")
def server() -> Iterator[MessagesServer]:
    with messages_server(**USUAL) as running:
        yield running


def labels(folder: Path) -> Labels:
    """Facet -> answers, in the order of the conversations."""
    with ledger_in(folder) as ledger:
        items = Items(ledger, N)
        found = answers(ledger, questions(), items)
        return {facet: [told.get(item.content_hash) for item in items] for facet, told in found.items()}


def standing(folder: Path) -> Counter[str]:
    """What a killed worker left open."""
    with ledger_in(folder) as ledger:
        return Counter(batch.state.value for batch in ledger.open_batches())


def run_to_its_end(work: Work, server: MessagesServer) -> float:
    """Seconds that a worker took from its first call on."""
    process = worker(work, server.environment())
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return time.monotonic() - began


def killed(work: Work, server: MessagesServer, chosen: random.Random, whole: float) -> bool:
    """Start a worker and kill it: at any time, or as the server has begun, or ended, the nth call of a route. Whether
    it was still at work."""
    before = server.books()
    with worker(work, server.environment()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if chosen.random() < 0.4:
            time.sleep(chosen.uniform(0.0, 0.9) * whole)
        else:
            route, nth = chosen.choice(MOMENTS), chosen.randint(1, 4)
            ended = chosen.random() < 0.5

            def calls(books: Books) -> int:
                return books.called(route) + (0 if ended else books.open_calls)

            while process.poll() is None and calls(server.books()) < calls(before) + nth:
                time.sleep(0.01)
            time.sleep(chosen.uniform(0.0, 0.03))
        alive = process.poll() is None
        if alive:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return alive


def test_a_run_killed_at_random_points_pays_nothing_twice_and_loses_no_label(
    server: MessagesServer, tmp_path: Path
) -> None:
    """A worker that dies between sending a batch and saving its id must not send it again, nor leave it unread."""
    usual = Work(str(tmp_path / "undisturbed"), N, batch_requests=A_BATCH)
    whole = run_to_its_end(usual, server)
    expected = labels(tmp_path / "undisturbed")
    assert all(answer is not None for told in expected.values() for answer in told)
    chosen = random.Random(SEED)
    kills, left, faults = 0, Counter[str](), Counter[str]()
    for world in count():
        if kills == KILLS:
            break
        folder = tmp_path / f"world {world}"
        work = replace(usual, folder=str(folder))
        server.reset(**USUAL, faults=LOST_AND_LATE, seed=chosen.randrange(1000))
        for _ in range(KILLS_A_WORLD):
            if kills == KILLS or not killed(work, server, chosen, whole):
                break
            kills += 1
            left += standing(folder)
        run_to_its_end(work, server)
        assert labels(folder) == expected
        books = server.books()
        assert (books.paid, books.requests, books.paid_again) == (N, N, 0)
        assert books.custom_ids_again == 0, "a batch was submitted twice"
        assert books.sdk_retries == 0
        assert {batch.status for batch in server.batches()} == {"deleted"}
        with ledger_in(folder) as ledger:
            totals = ledger.totals()
            assert (totals.requests, totals.in_flight, totals.open_batches) == (N, 0, 0)
        faults.update({**books.faults, "404": books.came_of("not_found", "batch_retrieve")})
    print(f"{kills} kills; batches left open by them: {dict(left)}; faults met: {dict(faults)}")
    assert faults["reset"] + faults["half_body"] + faults["html"] > 0
    assert faults["404"] > 0
    assert left[BatchState.SUBMITTED] > 0
    if AUDIT:
        assert left[BatchState.INTENDED] > 0
