"""Live requests: how near the limit they stay and never beyond, what faults cost in time, how much memory is held.

Run: python benchmarks/live.py [--quick] [--memory]. A server on this machine answers after 0.5 s and takes 4,000
requests a minute; four partitions in one process ask it, then two processes. Then the same conversations twice, without
faults and with 30 % of all calls failing, a tenth of these hanging until the timeout. `--memory`: 100,000 conversations
in flight, over a transport that takes them all before it settles one. Prints ratios; fails when one is missed.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).parents[1]))

from dagster_project.classifiers.claude.asking import Asker
from dagster_project.classifiers.claude.prices import price_of
from dagster_project.classifiers.claude.transport import Prepared, Replied, Result, Settle
from dagster_project.storage.request_ledger.records import Request, Usage
from tests.support.asking import FIRST_DAY, HASTE, Items, Task, client, done, labeller_of, ledger_in, questions
from tests.support.messages_server import Books, MessagesServer, messages_server
from tests.support.messages_server_settings import random_trouble

LIMIT = 4000
LATENCY_SECONDS = 0.5
RAMP_SECONDS = 5
TIMEOUT_SECONDS = 3.0
AT_ONCE, AT_ONCE_FAULTED = 64, 32
SUSTAINED, TIMES, MEGABYTES = 0.95, 2.0, 500


def main() -> int:
    """Exit code 1 when a figure is worse than what is promised."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--quick", action="store_true", help="a quarter of the time: an impression")
    arguments.add_argument("--memory", action="store_true", help="100,000 conversations in flight (two minutes more)")
    wanted = arguments.parse_args()
    seconds = 20 if wanted.quick else 72
    well = True
    with messages_server(latency_seconds=LATENCY_SECONDS, requests_per_minute=LIMIT) as server:
        for name, processes, threads in (("4 partitions in one process", 1, 4), ("2 processes", 2, 1)):
            well &= pace(server, name, processes, threads, seconds)
    with messages_server(latency_seconds=LATENCY_SECONDS) as server:
        well &= faults(server, 300 if wanted.quick else 1200)
    if wanted.memory:
        well &= memory(100_000)
    return 0 if well else 1


def run(
    server: MessagesServer, n: int, processes: int, threads: int, per_minute: float, at_once: int
) -> tuple[float, float]:
    """Ask n conversations with a fresh ledger, each process and each of its threads a share of them: the seconds that
    it took, and the megabytes that a process held at most."""
    with tempfile.TemporaryDirectory() as folder:
        ledger_in(Path(folder)).close()
        share = n // processes
        task = Task(folder, share, 0, "screen", per_minute, at_once, TIMEOUT_SECONDS, threads, processes)
        clients = [client(replace(task, start=i * share), server.environment()) for i in range(processes)]
        ended = [done(process) for process in clients]
        reports = [report for one in ended for report in one.reports]
    assert sum(r.requests for r in reports) == n
    assert sum(r.invalid for r in reports) == 0
    seconds = max(one.ended for one in ended) - min(one.began for one in ended)
    return seconds, max(one.peak_bytes for one in ended) / 2**20


def pace(server: MessagesServer, name: str, processes: int, threads: int, seconds: int) -> bool:
    """How near the limit."""
    server.forget()
    _, held = run(server, LIMIT * seconds // 60 // 8 * 8, processes, threads, LIMIT, AT_ONCE)
    books = server.books()
    steady = books.arrivals[RAMP_SECONDS:-RAMP_SECONDS]
    sustained = sum(steady) / len(steady) * 60 / LIMIT
    slowest = min(sum(steady[i : i + 10]) / 10 for i in range(len(steady) - 9)) * 60 / LIMIT
    peak = books.peak_requests_per_window / LIMIT
    busy = books.came_of("limited")
    print(
        f"{name}: {sustained:.3f} of the limit sustained over {len(steady)} s (slowest 10 s: {slowest:.3f}), "
        f"{peak:.3f} of it in the fullest 60 s, {busy} of {books.called()} calls beyond it, "
        f"{books.paid / books.requests:.3f} paid a conversation, {held:.0f} MB a process",
        flush=True,
    )
    return sustained >= SUSTAINED and peak <= 1 and busy == 0


def faults(server: MessagesServer, n: int) -> bool:
    """What failing calls cost in time."""
    calm, _ = run(server, n, 1, 1, 60_000, AT_ONCE_FAULTED)
    server.forget()
    server.set(faults=random_trouble(0.3))
    troubled, _ = run(server, n, 1, 1, 60_000, AT_ONCE_FAULTED)
    books: Books = server.books()
    hung = books.came_of("hang") * TIMEOUT_SECONDS / AT_ONCE_FAULTED
    failed = 1 - books.came_of("ok") / books.called()
    times = (troubled - hung) / calm
    print(
        f"{failed:.2f} of {books.called()} calls failed, {books.came_of('hang')} hung for {TIMEOUT_SECONDS:.0f} s: "
        f"{troubled / calm:.2f} times the faultless run's {calm:.1f} s, {times:.2f} times without the {hung:.1f} s for "
        f"which hanging calls held {AT_ONCE_FAULTED} places; {books.paid_again / n:.3f} paid again a conversation, "
        f"{books.paid_again_unexplained} of them not for a reply that was lost; {books.sdk_retries} retries in retries",
        flush=True,
    )
    return times <= TIMES and books.paid_again_unexplained == 0 and books.sdk_retries == 0


class AllAtOnce:
    """A transport that takes everything before it settles anything, and answers by rote."""

    name: Literal["batch"] = "batch"

    def send(self, prepared: Iterator[Prepared], settle: Settle) -> None:
        """As `Transport.send`."""
        taken: list[Request] = []
        for one in prepared:
            one.make()
            taken.append(one.request)
        print(f"  {len(taken)} in flight: {megabytes():.0f} MB", flush=True)
        text = '{"content_creation":"no","affective_type":["coaching"]}'
        for start in range(0, len(taken), 500):
            settle([Result(r, Replied("end_turn", (text,), Usage(1000, 20))) for r in taken[start : start + 500]])


def memory(n: int) -> bool:
    """How much is held with n conversations in flight, of 2,000 characters each."""
    with tempfile.TemporaryDirectory() as folder, ledger_in(Path(folder)) as ledger:
        before = megabytes()
        one = Asker(
            ledger,
            AllAtOnce(),
            lambda settle: 0,
            labeller_of=labeller_of,
            price_of=lambda model: price_of(model, FIRST_DAY),
            patience=HASTE,
        )
        began = time.monotonic()
        report = one.answer_all(questions(), Items(ledger, n, n_words=100))
        each = (time.monotonic() - began) / n
        assert (report.requests, report.invalid) == (n, 0)
        found = one.answer_all(questions(), Items(ledger, n, n_words=100)).found
    peak = megabytes()
    print(
        f"{n} conversations: {peak:.0f} MB at the peak, {before:.0f} MB before; {each * 1e3:.2f} ms each; "
        f"{found} found again"
    )
    return peak < MEGABYTES and found == n


def megabytes() -> float:
    """Peak of this process's resident memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    raise SystemExit(main())
