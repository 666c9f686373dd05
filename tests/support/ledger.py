"""Builders for tests of the request ledger, and a random walk over everything that can be done to it.

Not here: processes that are killed (`ledger_worker.py`).
"""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from dagster_project.domain.labels import Answer, Status, Value
from dagster_project.storage.answers import ANSWERS, Given
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.records import Asked, Batch, Claim, Request, Settlement, Usage, Wanted
from dagster_project.storage.request_ledger.schema import BATCHES, REQUESTS, SPENDING, WORKERS, BatchState, State

DAY = date(2026, 10, 5)
SCREEN = Asked("ask-screen", '{"facets": ["content_creation", "affective_type"]}', ("part-cc", "part-type"))
WIDER = Asked("ask-wider", '{"facets": ["content_creation", "risk"]}', ("part-cc", "part-risk"))
OTHER = Asked("ask-other", '{"facets": ["risk"]}', ("part-risk",))
MODEL, LABELLER = "model-1", "claude-model-1"
USAGE = Usage(400, 20, cache_write_tokens=60, cache_read_tokens=40)
POSITIONS = '{"human":[0,2],"assistant":[1]}'


def hashed(i: int) -> str:
    """A content hash like a real one."""
    return f"{i:032x}"


def wanted(*contents: int, usd: float = 0.01, day: date = DAY) -> list[Wanted]:
    return [Wanted(hashed(i), day, POSITIONS, 500, usd) for i in contents]


def claim(ledger: RequestLedger, items: Sequence[Wanted], asked: Asked = SCREEN, **changed: Any) -> Claim:
    """A claim as the screening stage makes it."""
    said = {"model": MODEL, "labeller": LABELLER, "stage": "screen", "transport": "live", **changed}
    return ledger.claim(items, asked, **said)


def given(content_hash: str, asked: Asked = SCREEN) -> tuple[Given, ...]:
    """The answers to an ask, which a content alone decides."""
    category = "coaching" if int(content_hash[-1], 16) % 2 else "companionship"
    answer = Answer(Status.OK, (Value(category),))
    return tuple(Given(LABELLER, part.removeprefix("part-"), 1, part, answer) for part in asked.parts)


def ok(request: Request, asked: Asked = SCREEN, usd: float = 0.008) -> Settlement:
    return Settlement(request.id, "ok", given(request.content_hash, asked), USAGE, usd)


def failed(request: Request, paid: bool) -> Settlement:
    if paid:
        return Settlement(request.id, "invalid", (), USAGE, 0.008, final=False)
    return Settlement(request.id, "lost", final=False)


def kill(ledger: RequestLedger) -> None:
    """Let a worker look to the others as its process would after a kill -9: its row stays, its process is no more."""
    ledger._worker._closing.set()
    ledger._worker._heart.join()
    with ledger.database.writing() as connection:
        connection.execute(update(WORKERS).where(WORKERS.c.owner == ledger.owner).values(started="1"))
    ledger._leave.detach()
    ledger.database.close()


def everything(ledger: RequestLedger) -> dict[str, list[dict[str, Any]]]:
    """All rows of the tables that tests look at."""
    with ledger.database.reading() as connection:
        return {
            table.name: [dict(row._mapping) for row in connection.execute(select(table))]
            for table in (REQUESTS, BATCHES, ANSWERS, SPENDING, WORKERS)
        }


def check_books(ledger: RequestLedger) -> None:
    """What must hold after whatever was done."""
    rows = everything(ledger)
    open_rows = [r for r in rows["requests"] if r["state"] in ("intended", "batched")]
    open_once = Counter((r["content_hash"], r["model"], r["ask_hash"]) for r in open_rows)
    assert all(n == 1 for n in open_once.values())
    paid = sum(r["usd"] for r in rows["requests"])
    assert abs(paid - sum(r["usd"] for r in rows["spending"])) < 1e-6
    assert abs(paid - ledger.spent()) < 1e-6
    assert ledger.totals().requests == sum(r["input_tokens"] is not None for r in rows["requests"])
    batches = {b["id"]: b for b in rows["batches"]}
    for row in rows["requests"]:
        assert (row["state"] != State.BATCHED) or batches[row["batch_id"]]["state"] in ("intended", "submitted")
        assert (row["outcome"] is None) == (row["state"] in ("intended", "batched") or _erased_unpaid(row))
    done = Counter(r["content_hash"] for r in rows["requests"] if r["state"] == State.DONE)
    assert all(n == 1 for n in done.values())
    answered = Counter(r["content_hash"] for r in rows["answers"])
    assert {h for h in done if not h.startswith("erased-")} == set(answered)


def _erased_unpaid(row: dict[str, Any]) -> bool:
    return bool(row["state"] == State.ERASED and row["input_tokens"] is None)


def walk(url: str, key_file: Path, seed: int, steps: int, contents: int = 60) -> RequestLedger:
    """Random steps of three workers, some of whom die; the books are checked as it goes. Returns an open ledger."""
    rng = random.Random(seed)
    workers = [RequestLedger.open(url, key_file) for _ in range(3)]
    mine: dict[str, list[Request]] = defaultdict(list)
    batches: dict[str, tuple[Batch, list[Request]]] = {}
    erased: set[str] = set()
    for step in range(steps):
        i = rng.randrange(3)
        ledger = workers[i]
        match rng.choice(["claim"] * 3 + ["batch"] * 2 + ["settle", "fail", "send", "save", "die", "erase", "void"]):
            case "claim":
                items = [w for w in wanted(*rng.sample(range(contents), 4)) if w.content_hash not in erased]
                taken = claim(ledger, items)
                assert len(taken.requests) + taken.foreign + taken.own + taken.answered == len(items)
                held = {r.content_hash for o, rs in mine.items() if ledger.alive(o) for r in rs}
                assert not held & {r.content_hash for r in taken.requests}
                mine[ledger.owner] += taken.requests
            case "settle" | "fail" as how:
                some = [mine[ledger.owner].pop() for _ in range(min(2, len(mine[ledger.owner])))]
                ended = [ok(r) if how == "settle" else failed(r, paid=rng.random() < 0.5) for r in some]
                ledger.settle(ended + ended[:1])
            case "batch" if mine[ledger.owner]:
                ids = [r.id for r in mine[ledger.owner] if r.id in ledger.requests([r.id])]
                if ids:
                    batch = ledger.new_batch(ids, 1000, DAY, DAY)
                    batches[batch.id] = batch, [r for r in mine[ledger.owner] if r.id in ids]
                mine[ledger.owner] = []
            case "send" if batches:
                batch_id = rng.choice(sorted(batches))
                if ledger.adopt(batch_id) and ledger.batch(batch_id).state in (BatchState.INTENDED, BatchState.VOID):
                    ledger.submitted(batch_id, f"provider-{batch_id}")
            case "void" if batches:
                batch_id = rng.choice(sorted(batches))
                if ledger.adopt(batch_id) and ledger.batch(batch_id).state == BatchState.INTENDED:
                    ledger.void(batch_id)
                    del batches[batch_id]
            case "save" if batches:
                batch_id = rng.choice(sorted(batches))
                if ledger.batch(batch_id).state == BatchState.SUBMITTED:
                    results = [ok(r) if rng.random() < 0.7 else failed(r, paid=False) for r in batches[batch_id][1]]
                    rng.shuffle(results)
                    ledger.settle(results[: len(results) // 2])
                    ledger.settle(results)
                    assert ledger.unsettled(batch_id) == []
                    ledger.saved(batch_id)
                    ledger.deleted(batch_id)
                    del batches[batch_id]
            case "die":
                kill(ledger)
                workers[i] = RequestLedger.open(url, key_file)
            case "erase" if rng.random() < 0.2:
                gone = hashed(rng.randrange(contents))
                erased.add(gone)
                ledger.erase([gone])
                for rows in mine.values():
                    rows[:] = [r for r in rows if r.content_hash != gone]
        if step % 20 == 0:
            check_books(workers[0])
    for ledger in workers[1:]:
        ledger.close()
    check_books(workers[0])
    return workers[0]


def moment(text: str) -> float:
    """Seconds since 1970 of an ISO time."""
    return datetime.fromisoformat(text).timestamp()
