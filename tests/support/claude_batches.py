"""Asking Claude in batches, in tests and benchmarks: an asker with little patience, and a process to be killed.

Run as a program it asks about a task's conversations and ends; `worker(...)` starts it. Not here: conversations and
ledgers (`asking.py`), the server (`messages_server.py`), what is expected.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from dagster_project.classifiers.claude.asking import Asker
from dagster_project.classifiers.claude.batch import BatchTransport
from dagster_project.classifiers.claude.batch_spool import BatchLimits
from dagster_project.classifiers.claude.client import Patience
from dagster_project.classifiers.claude.prices import price_of
from dagster_project.classifiers.claude.transport import Transport
from dagster_project.errors import ConfideError
from dagster_project.storage.request_ledger.ledger import RequestLedger
from tests.support.asking import FIRST_DAY, ROOT, Items, labeller_of, ledger_in, questions

HASTE = Patience(
    connect=5.0,
    read=2.0,
    call=2.0,
    first_wait=0.02,
    longest_wait=0.2,
    silence=15.0,
    elsewhere=0.02,
    poll=0.05,
    reconcile=0.4,
    upload=20.0,
)
"""For a server on the same machine."""
LIMITS = BatchLimits(gone=1.0)


def batch_asker(
    ledger: RequestLedger,
    folder: Path,
    patience: Patience = HASTE,
    limits: BatchLimits = LIMITS,
    note: Callable[[str], None] = lambda words: None,
) -> Asker:
    """An asker over batches. folder: for what is made ready."""
    batches = BatchTransport(ledger, folder, patience=patience, limits=limits, note=note)
    return asker_over(ledger, batches, batches, patience)


def asker_over(
    ledger: RequestLedger, transport: Transport, batches: BatchTransport, patience: Patience = HASTE
) -> Asker:
    """An asker over any transport. batches: for what earlier runs left."""
    price = partial(price_of, on=FIRST_DAY)
    return Asker(ledger, transport, batches.settle_open, labeller_of=labeller_of, price_of=price, patience=patience)


@dataclass(frozen=True)
class Work:
    """What a worker is to do. folder: of the ledger, in which its files lie too. batch_requests: at most, in one batch.
    n_words: of each message."""

    folder: str
    n: int
    stage: str = "screen"
    batch_requests: int = 100_000
    days: int = 1
    n_words: int = 30


def worker(work: Work, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Start a process that asks; it says `ready` when it begins, and ends with 0 when everything is answered."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.claude_batches", json.dumps(asdict(work))],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def main() -> int:
    """Do one piece of work. The last line says what came of it, and the peak of resident memory."""
    import resource

    import anthropic  # noqa: F401  (so that what is killed is the work, and not an import)

    work = Work(**json.loads(sys.argv[1]))
    folder = Path(work.folder)
    limits = replace(LIMITS, requests=work.batch_requests)
    with ledger_in(folder) as ledger:
        print("ready", flush=True)
        asker = batch_asker(ledger, folder / "tmp", patience_for(work), limits, partial(print, flush=True))
        try:
            report = asker.answer_all(
                questions(work.stage), Items(ledger, work.n, days=work.days, n_words=work.n_words)
            )
        except ConfideError as error:
            print(error, file=sys.stderr)
            return 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"report": asdict(report), "peak_bytes": peak}))
    return 0


def patience_for(work: Work) -> Patience:
    """A batch that is two hundred megabytes large takes its time, on the same machine too."""
    return HASTE if work.n < 1000 else replace(HASTE, read=300.0, call=300.0, upload=600.0, poll=1.0)


if __name__ == "__main__":
    raise SystemExit(main())
