"""Batches: how few, how much memory, how many requests and dollars a conversation, beside what is promised.

Run: python benchmarks/batch.py [--quick] [--memory]. A server on this machine takes the place of the API. 56 days are
screened and looked at in detail as a backfill does: 3 % of the conversations are affective, and a keyed sample of 1 %
of the others are controls. Dollars are list prices on the server's own counts (a token is four characters there), with
a prompt cache that never misses and without any; what a model's cache really takes lies between. `--memory`: 100,000
conversations in flight, with the batches that the API's limits allow. Prints each figure with its limit; fails when one
is missed.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dagster_project.classifiers.claude.batch import BatchTransport
from dagster_project.classifiers.claude.batch_spool import BatchLimits
from dagster_project.classifiers.claude.live import LiveTransport
from dagster_project.classifiers.claude.passes import Item
from dagster_project.classifiers.claude.prices import price_of
from dagster_project.classifiers.claude.prompt import Ask
from dagster_project.classifiers.claude.transport import Transport
from dagster_project.domain.selection import control_sample
from dagster_project.domain.study import AFFECTIVE_TYPES
from dagster_project.storage.request_ledger.ledger import RequestLedger
from tests.support.asking import FIRST_DAY, MODEL, answers, conversation, ledger_in, questions
from tests.support.claude_batches import HASTE, Work, asker_over, worker
from tests.support.messages_server import MessagesServer, messages_server
from tests.support.messages_server_settings import Planted

DAYS, AFFECTIVE, CONTROLS = 56, 3, 0.01
MARKER = "§affective"
N_MESSAGES, N_WORDS = 8, 90
PLANTED = (
    Planted(marker=MARKER, answers={"content_creation": "no", "affective_type": [AFFECTIVE_TYPES[0]]}),
    Planted(marker="", answers={"content_creation": "no", "affective_type": []}),
)
NEVER = 1_000_000_000
REQUESTS, CLIO_USD, MEGABYTES = 1.04, 0.49, 500


@dataclass(frozen=True)
class World:
    """Conversations of 56 days, three of a hundred affective; `chosen` alone where it is given."""

    ledger: RequestLedger
    n: int
    chosen: frozenset[str] | None = None

    def __iter__(self) -> Iterator[Item]:
        for number in range(self.n):
            if self.chosen is None or f"c{number}" in self.chosen:
                marker = MARKER if number % 100 < AFFECTIVE else ""
                made = conversation(number, N_MESSAGES, N_WORDS, marker)
                day = FIRST_DAY + timedelta(days=number * DAYS // self.n)
                yield Item(made, self.ledger.content(made), day)


def main() -> int:
    """Exit code 1 when a figure is worse than what is promised."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--quick", action="store_true", help="fewer conversations: an impression")
    arguments.add_argument("--memory", action="store_true", help="100,000 conversations in flight (minutes more)")
    wanted = arguments.parse_args()
    with messages_server(planted=PLANTED, batch_seconds=0.2) as server:
        os.environ.update(server.environment())
        well = backfill(server, 1_000 if wanted.quick else 11_200)
        well &= money(server, 500 if wanted.quick else 2_000)
        if wanted.memory:
            well &= memory(server, 10_000 if wanted.quick else 100_000)
    return 0 if well else 1


@contextmanager
def fresh(server: MessagesServer, cache_min_tokens: int = NEVER) -> Iterator[tuple[RequestLedger, BatchTransport]]:
    """An empty ledger and an empty server."""
    server.reset(planted=PLANTED, batch_seconds=0.2, cache_min_tokens=cache_min_tokens)
    with tempfile.TemporaryDirectory() as folder, ledger_in(Path(folder)) as ledger:
        yield ledger, BatchTransport(ledger, Path(folder) / "tmp", patience=HASTE)


def label_all(ledger: RequestLedger, transport: Transport, batches: BatchTransport, n: int) -> tuple[int, int]:
    """Both stages, the detail for the affective and the controls. Requests of each."""
    asker, world = asker_over(ledger, transport, batches), World(ledger, n)
    screen, detail = questions("screen"), questions("detail")
    first = asker.answer_all(screen, world)
    told = answers(ledger, screen, world)["affective_type"]
    found = {item.conversation.conversation_id for item in world if told[item.content_hash].values}
    others = {f"c{number}" for number in range(n)} - found
    chosen = World(ledger, n, frozenset(found | control_sample(others, CONTROLS)))
    return first.requests, asker.answer_all(detail, chosen).requests


def backfill(server: MessagesServer, n: int) -> bool:
    """How many batches and requests 56 days take."""
    with fresh(server) as (ledger, batches):
        began = time.monotonic()
        screen, detail = label_all(ledger, batches, batches, n)
        seconds = time.monotonic() - began
        again = sum(label_all(ledger, batches, batches, n))
    books = server.books()
    fewest = sum(
        max(math.ceil(m / BatchLimits().requests), math.ceil(size / BatchLimits().bytes))
        for m, size in zip((screen, detail), sizes(server), strict=True)
    )
    each = (screen + detail) / n
    print(
        f"{DAYS} days, {n} conversations: {books.batches} batches (fewest that the limits allow: {fewest}) in "
        f"{seconds:.0f} s; {each:.4f} requests a conversation (at most {REQUESTS}; for topics alone "
        f"kura 1.29, OpenClio 6.24): {screen} to screen, {detail} in detail; {again} when run again (0), "
        f"{books.paid_again} paid again (0)",
        flush=True,
    )
    return books.batches == fewest and each <= REQUESTS and again == 0 and books.paid_again == 0


def sizes(server: MessagesServer) -> list[int]:
    """Bytes of the batches of each stage: a batch of the detail is the last."""
    every = [batch.bytes for batch in server.batches()]
    return [sum(every[:-1]), every[-1]]


def money(server: MessagesServer, n: int) -> bool:
    """Prompt tokens and dollars, batch and live, with and without a cache."""
    well = True
    rates = price_of(MODEL, FIRST_DAY)
    screen, detail = Ask(questions("screen").facets), Ask(questions("detail").facets)
    print(
        f"prompts: screen {len(screen.text) / 4:.0f} tokens and schema {len(json.dumps(screen.schema)) / 4:.0f}, "
        f"detail {len(detail.text) / 4:.0f} and {len(json.dumps(detail.schema)) / 4:.0f}; "
        f"{rates.model}, {rates.since}: ${rates.input:g}/${rates.output:g} a million tokens",
        flush=True,
    )
    for name in ("batch", "live"):
        for cached in (False, True):
            with fresh(server, 0 if cached else NEVER) as (ledger, batches):
                live = LiveTransport(ledger, requests_per_minute=60_000, patience=HASTE)
                label_all(ledger, batches if name == "batch" else live, batches, n)
                costs = ledger.costs()
                own = sum(len(screen.view(item.conversation).document) / 4 for item in World(ledger, n)) / n
            read, written = (sum(getattr(c, f"cache_{kind}_tokens") for c in costs) / n for kind in ("read", "write"))
            prompt = sum(c.input_tokens for c in costs) / n + read + written
            billed = (
                prompt - read * (1 - rates.cache_read / rates.input) + written * (rates.cache_write / rates.input - 1)
            )
            usd = sum(c.usd for c in costs) / n * 1000
            print(
                f"{name}, {'every prompt from the cache' if cached else 'no cache'}: ${usd:.3f} a 1,000 conversations "
                f"(Clio: {CLIO_USD}); {prompt:.0f} prompt tokens for a conversation of {own:.0f}: {prompt - own:.0f} "
                f"beyond its own, {billed - own:.0f} as billed; {sum(c.output_tokens for c in costs) / n:.0f} of reply",
                flush=True,
            )
            well &= usd <= CLIO_USD
    return well


def memory(server: MessagesServer, n: int) -> bool:
    """Peak of a process that has so many conversations in flight, of 2,000 characters each."""
    server.reset(batch_seconds=1.0)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        process = worker(Work(folder, n, n_words=100, days=DAYS), server.environment())
        out, err = process.communicate()
        seconds = time.monotonic() - began
        if process.returncode:
            print(err[-2000:])
            return False
    told, made, books = json.loads(out.splitlines()[-1]), server.batches(), server.books()
    peak = told["peak_bytes"] / 1e6
    print(
        f"{n} conversations in {len(made)} batches, the largest of {max(b.requests for b in made)} requests and "
        f"{max(b.bytes for b in made) / 1e6:.0f} MB: {peak:.0f} MB at the peak (at most {MEGABYTES}), {seconds:.0f} s; "
        f"{books.paid} paid, {books.paid_again} again",
        flush=True,
    )
    return peak <= MEGABYTES and books.paid_again == 0 and told["report"]["requests"] == n


if __name__ == "__main__":
    raise SystemExit(main())
