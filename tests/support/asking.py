"""Asking Claude in tests and benchmarks: conversations without end, an asker with little patience, a process that asks.

Run as a program it is a client of its own, to be killed or set beside others: `client(...)` starts it. Not here: the
server (`messages_server.py`), what is expected.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from dagster_project.classifiers.claude.asking import Asker, Report
from dagster_project.classifiers.claude.client import Patience
from dagster_project.classifiers.claude.live import LiveTransport
from dagster_project.classifiers.claude.passes import Item, Questions
from dagster_project.classifiers.claude.prices import price_of
from dagster_project.classifiers.claude.prompt import facet_hash
from dagster_project.codebook.loader import shipped_codebook
from dagster_project.codebook.schema import Facet
from dagster_project.domain.conversations import Conversation, Message, Role
from dagster_project.domain.labels import Answer
from dagster_project.errors import ConfideError
from dagster_project.storage.database import sqlite_url
from dagster_project.storage.request_ledger.ledger import RequestLedger

ROOT = Path(__file__).resolve().parents[2]
MODEL = "claude-haiku-5-5"
FIRST_DAY = date(2026, 10, 5)
HASTE = Patience(call=5.0, read=5.0, first_wait=0.05, longest_wait=0.5, silence=20.0, elsewhere=0.1, poll=0.2)
"""For a server on the same machine."""
WORDS = "my friend work home sleep we talk about feel it again plan week money trust what should tell them never"


def labeller_of(model: str) -> str:
    """The name that answers are kept under in these tests."""
    return f"claude:{model}"


def conversation(number: int, n_messages: int = 4, n_words: int = 30, marker: str = "") -> Conversation:
    """The same one for the same number. marker: put into its first message."""
    chosen = random.Random(number)
    roles = (Role.USER, Role.ASSISTANT)
    texts = [f"{number}.{i} " + " ".join(chosen.choices(WORDS.split(), k=n_words)) for i in range(n_messages)]
    texts[0] += marker
    messages = tuple(Message(roles[i % 2], text) for i, text in enumerate(texts))
    return Conversation(f"c{number}", f"u{number % 50}", datetime(2026, 10, 5, tzinfo=UTC), messages)


@dataclass(frozen=True)
class Items:
    """Conversations made as they are read, every time. markers: marker -> every how many-th has it."""

    ledger: RequestLedger
    n: int
    start: int = 0
    n_messages: int = 4
    n_words: int = 30
    days: int = 1
    markers: Mapping[str, int] | None = None

    def __iter__(self) -> Iterator[Item]:
        for number in range(self.start, self.start + self.n):
            marker = "".join(m for m, nth in (self.markers or {}).items() if number % nth == 0)
            made = conversation(number, self.n_messages, self.n_words, marker)
            day = FIRST_DAY + timedelta(days=number * self.days // (self.start + self.n))
            yield Item(made, self.ledger.content(made), day)

    def marked(self, marker: str) -> list[str]:
        """Content hashes of those that have it."""
        return [item.content_hash for item in self if marker in item.conversation.messages[0].content]


def ledger_in(folder: Path, **options: Any) -> RequestLedger:
    """The ledger of a folder, made if need be."""
    return RequestLedger.open(sqlite_url(folder / "ledger.sqlite"), **options)


def questions(stage: str = "screen", *more: Facet, without: Sequence[str] = ()) -> Questions:
    """All facets of a stage."""
    facets = [f for f in shipped_codebook().of_stage(stage) if f.id not in without]
    return Questions((*facets, *more), MODEL)


def asker(
    ledger: RequestLedger, patience: Patience = HASTE, *, per_minute: float = 60_000, at_once: int = 64, **options: Any
) -> Asker:
    """An asker over live requests."""
    live = LiveTransport(ledger, requests_per_minute=per_minute, max_concurrency=at_once, patience=patience)
    price = partial(price_of, on=date(2026, 11, 1))
    return Asker(ledger, live, lambda settle: 0, labeller_of=labeller_of, price_of=price, patience=patience, **options)


def answers(ledger: RequestLedger, asked: Questions, items: Items) -> dict[str, dict[str, Answer]]:
    """Facet -> content hash -> answer, of all that are there."""
    hashes = [item.content_hash for item in items]
    found: dict[str, dict[str, Answer]] = {}
    for facet in asked.facets:
        dated = ledger.answers.read(hashes, facet, labeller_of(asked.model), facet_hash(facet, asked.scope))
        found[facet.id] = {content_hash: answer for content_hash, (answer, _) in dated.items()}
    return found


@dataclass(frozen=True)
class Task:
    """What a client process is to do. folder: of the ledger. together: so many clients of a folder begin at once."""

    folder: str
    n: int
    start: int = 0
    stage: str = "screen"
    per_minute: float = 60_000
    at_once: int = 64
    call: float = 2.0
    threads: int = 1
    together: int = 1


@dataclass(frozen=True)
class Done:
    """What a client process says at its end: reports of its threads, from when to when (seconds since 1970) it asked,
    and the most memory it held."""

    reports: list[Report]
    began: float
    ended: float
    peak_bytes: int


def client(task: Task, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Start a process that asks. Its last line is for `done`; its process group is its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.asking", json.dumps(asdict(task))],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(process: "subprocess.Popen[str]", seconds: float = 300.0) -> Done:
    """Wait for a client. Raises AssertionError with what it said when it failed."""
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err[-2000:]
    said = json.loads(out.splitlines()[-1])
    return Done([Report(**r) for r in said["reports"]], said["began"], said["ended"], said["peak_bytes"])


def main() -> int:
    """Do one task. With several threads each asks its own share of the conversations, as partitions do."""
    import resource
    from concurrent.futures import ThreadPoolExecutor

    task = Task(**json.loads(sys.argv[1]))
    patience = replace(HASTE, call=task.call, read=task.call)
    with ledger_in(Path(task.folder)) as ledger:
        wait_for_the_others(task)
        began = time.time()

        def ask(i: int) -> Report:
            share = task.n // task.threads
            mine = Items(ledger, share, task.start + i * share)
            one = asker(ledger, patience, per_minute=task.per_minute, at_once=task.at_once)
            return one.answer_all(questions(task.stage), mine)

        try:
            if task.threads == 1:  # where an interrupt arrives
                reports = [ask(0)]
            else:
                with ThreadPoolExecutor(task.threads) as threads:
                    reports = list(threads.map(ask, range(task.threads)))
        except ConfideError as error:
            print(error, file=sys.stderr)
            return 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps({"reports": [asdict(r) for r in reports], "began": began, "ended": time.time(), "peak_bytes": peak})
    )
    return 0


def wait_for_the_others(task: Task) -> None:
    """All that takes long before the first call is done first, and then waited until everybody is ready."""
    import anthropic

    assert anthropic.__version__
    if task.together > 1:
        (Path(task.folder) / f"ready-{os.getpid()}").touch()
        while len(list(Path(task.folder).glob("ready-*"))) < task.together:
            time.sleep(0.01)


if __name__ == "__main__":
    raise SystemExit(main())
