"""A process that claims, pays and settles over a ledger, and the supervisor that kills such processes at random.

The provider is a file: a line appended to it is what was paid. Not here: the ledger; what a test makes of the books.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.records import Request, Settlement
from dagster_project.storage.request_ledger.schema import BatchState
from tests.support.ledger import DAY, LABELLER, SCREEN, USAGE, claim, given, hashed, wanted

ROOT = Path(__file__).parents[2]
USD = 0.008
PART = 15


@dataclass(frozen=True)
class Outcome:
    """What the supervisor saw. killed: monotonic time of death by process number. paid: the provider's book."""

    killed: dict[int, float]
    paid: list[dict[str, Any]]


def missing(ledger: RequestLedger, contents: int) -> list[int]:
    """The contents without an answer."""
    facet: Any = SimpleNamespace(id="cc", version=1)
    known = ledger.answers.read([hashed(i) for i in range(contents)], facet, LABELLER, "part-cc")
    return [i for i in range(contents) if hashed(i) not in known]


def result_of(request_id: str, content_hash: str, attempt: int) -> Settlement:
    """What comes back: every seventh content fails at first, and is paid all the same."""
    if int(content_hash, 16) % 7 == 0 and attempt == 1:
        return Settlement(request_id, "invalid", (), USAGE, USD, final=False)
    return Settlement(request_id, "ok", given(content_hash), USAGE, USD)


def pay(book: Path, entry: dict[str, Any]) -> None:
    """One line, written at once."""
    line = json.dumps({**entry, "pid": os.getpid(), "at": time.monotonic()}) + "\n"
    handle = os.open(book, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(handle, line.encode())
    os.close(handle)


def read_book(book: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in book.read_text().splitlines()] if book.exists() else []


def entries_of(requests: Sequence[Request]) -> list[dict[str, Any]]:
    return [{"id": r.id, "content": r.content_hash, "attempt": r.attempt} for r in requests]


def groups(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def live(ledger: RequestLedger, requests: Sequence[Request], book: Path, rng: random.Random) -> None:
    for group in groups(requests, 5):
        pay(book, {"items": entries_of(group)})
        time.sleep(rng.uniform(0, 0.03))
        ledger.settle([result_of(r.id, r.content_hash, r.attempt) for r in group])


def send_batch(ledger: RequestLedger, requests: Sequence[Request], book: Path, rng: random.Random) -> None:
    batch = ledger.new_batch([r.id for r in requests], 1000, DAY, DAY)
    time.sleep(rng.uniform(0, 0.08))
    provider_id = f"msgbatch_{os.getpid()}_{rng.getrandbits(64):x}"
    pay(book, {"batch": provider_id, "items": entries_of(requests)})
    time.sleep(rng.uniform(0, 0.08))
    ledger.submitted(batch.id, provider_id)


def look_after_batches(ledger: RequestLedger, book: Path, rng: random.Random) -> None:
    """Reconcile what the dead intended; settle, out of order and partly twice, whatever was submitted by anybody."""
    for batch in ledger.open_batches():
        if batch.state == BatchState.INTENDED:
            if not ledger.adopt(batch.id) or ledger.batch(batch.id).state != BatchState.INTENDED:
                continue
            ids = {r.id for r in ledger.unsettled(batch.id)}
            made = [line for line in read_book(book) if ids & {item["id"] for item in line["items"]}]
            if made:
                ledger.submitted(batch.id, made[0]["batch"])
            else:
                ledger.void(batch.id)
                continue
        batch = ledger.batch(batch.id)
        if batch.state == BatchState.SUBMITTED:
            line = next(line for line in read_book(book) if line["batch"] == batch.provider_id)
            items = [*line["items"], *line["items"][:3]]
            rng.shuffle(items)
            for group in groups(items, 7):
                time.sleep(rng.uniform(0, 0.004))
                ledger.settle([result_of(i["id"], i["content"], i["attempt"]) for i in group])
            ledger.saved(batch.id)
        if ledger.batch(batch.id).state == BatchState.SAVED:
            ledger.deleted(batch.id)


def work(url: str, key: Path, book: Path, mode: str, contents: int, seed: int) -> None:
    """Until every content has its answer."""
    rng = random.Random(seed)
    with RequestLedger.open(url, key) as ledger:
        print("ready", flush=True)
        while left := missing(ledger, contents):
            if mode == "batch" and rng.random() < 0.7:  # not always: claiming must itself keep off the dead's batches
                look_after_batches(ledger, book, rng)
            start = rng.randrange(len(left))
            got = claim(ledger, wanted(*left[start : start + PART]), SCREEN, transport=mode)
            if not got.requests:
                time.sleep(0.01)
            elif mode == "batch":
                send_batch(ledger, got.requests, book, rng)
            else:
                live(ledger, got.requests, book, rng)
        while mode == "batch" and ledger.open_batches():
            look_after_batches(ledger, book, rng)
            time.sleep(0.01)


def supervise(
    url: str, key: Path, book: Path, mode: str, contents: int, kills: int, seed: int, workers: int = 3
) -> Outcome:
    """Keep so many processes working and kill one of them now and then, until all is answered.

    Raises AssertionError when a process fails, or when the work was done before the kills were.
    """
    rng = random.Random(seed)
    killed: dict[int, float] = {}
    running: list[subprocess.Popen[str]] = []

    def start() -> None:
        arguments = [url, str(key), str(book), mode, str(contents), str(rng.getrandbits(32))]
        command = [sys.executable, "-m", "tests.support.ledger_worker", *arguments]
        running.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))

    try:
        for _ in range(workers):
            start()
        while len(killed) < kills:
            victim = running[0]
            assert victim.stdout is not None and victim.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0.0, 0.25))
            assert victim.poll() is None, f"ended by itself before the kills were done: {victim.returncode}"
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            killed[victim.pid] = time.monotonic()
            victim.stdout.close()
            running.pop(0)
            start()
        for process in running:
            process.communicate(timeout=300)
            assert process.returncode == 0
    finally:
        for process in running:
            with suppress(ProcessLookupError):
                process.kill()
            process.communicate()
    return Outcome(killed, read_book(book))


if __name__ == "__main__":
    url, key, book, mode, contents, seed = sys.argv[1:]
    work(url, Path(key), Path(book), mode, int(contents), int(seed))
