"""Processes that share a ledger are killed at random moments: nothing is lost, and nothing paid twice (I2).

Not here: kills of a whole run; what a lost reply of the provider's does (tests of the transports).
"""

import os
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from dagster_project.storage.database import sqlite_url
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.schema import BatchState
from tests.support.ledger import check_books, everything, hashed
from tests.support.ledger_worker import USD, Outcome, missing, supervise

KILLS = 60 if os.environ.get("CONFIDE_AUDIT") else 8
SEED = int(os.environ.get("CONFIDE_SEED", "5"))
CONTENTS = 80 * KILLS


def check_answers(ledger: RequestLedger, contents: int) -> None:
    """Every content has its one right answer, and one request that brought it."""
    assert missing(ledger, contents) == []
    check_books(ledger)
    rows = everything(ledger)
    done = Counter(row["content_hash"] for row in rows["requests"] if row["state"] == "done")
    assert done == Counter(hashed(i) for i in range(contents))
    assert len(rows["answers"]) == 2 * contents
    for row in rows["answers"]:
        assert ("coaching" in row["answer"]) == (int(row["content_hash"][-1], 16) % 2 == 1)


def check_live(outcome: Outcome) -> None:
    """The same attempt is paid twice only where who paid first was killed, and then."""
    first: dict[tuple[str, int], dict[str, float]] = {}
    twice = 0
    for line in sorted(outcome.paid, key=lambda line: line["at"]):
        for item in line["items"]:
            key = item["content"], item["attempt"]
            if key in first:
                twice += 1
                assert outcome.killed[first[key]["pid"]] <= line["at"]  # type: ignore[index]
            first[key] = line
    assert twice <= 5 * len(outcome.killed), "more than was under way when they were killed"


def check_batches(ledger: RequestLedger, outcome: Outcome) -> None:
    """No request was paid twice, and every batch at the provider is known, saved and deleted."""
    ids = Counter(item["id"] for line in outcome.paid for item in line["items"])
    tries = Counter((item["content"], item["attempt"]) for line in outcome.paid for item in line["items"])
    assert set(ids.values()) == {1}
    assert set(tries.values()) == {1}
    batches = everything(ledger)["batches"]
    deleted = [batch["provider_id"] for batch in batches if batch["state"] == BatchState.DELETED]
    assert sorted(deleted) == sorted(line["batch"] for line in outcome.paid)
    assert {batch["state"] for batch in batches} <= {BatchState.DELETED, BatchState.VOID}
    assert ledger.spent() == pytest.approx(USD * len(ids))


@pytest.mark.parametrize("mode", ["live", "batch"])
def test_killed_at_random_each_content_is_answered_once_and_paid_once(tmp_path: Path, mode: str) -> None:
    url, key, book = sqlite_url(tmp_path / "l.sqlite"), tmp_path / "ledger.key", tmp_path / "provider.jsonl"
    outcome = supervise(url, key, book, mode, CONTENTS, KILLS, SEED)
    assert len(outcome.killed) == KILLS
    with RequestLedger.open(url, key) as ledger:
        check_answers(ledger, CONTENTS)
        if mode == "live":
            check_live(outcome)
        else:
            check_batches(ledger, outcome)
    with sqlite3.connect(tmp_path / "l.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
