"""Claiming: a row for each request before it is sent, and never two open ones for the same question about one content.

Lives here: who may send what, what is taken over from the dead, and the budget, decided in one transaction that shuts
all others out. Not here: how a request ends (`settling.py`).
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.engine import Connection

from dagster_project.storage.database import AnyRow, parts_of
from dagster_project.storage.request_ledger.records import Asked, Budget, Claim, Request, Wanted
from dagster_project.storage.request_ledger.schema import ASKS, OPEN, REQUESTS, State
from dagster_project.storage.request_ledger.spending import Spending

ABANDONED = "abandoned"
"""Outcome of what a dead worker had intended, and that nobody will ask in the same words."""
_CLAIMING = 0x436C6D


@dataclass
class _Held:
    """Contents with an open row that shares a question, by content hash: others', one's own, and the dead's."""

    foreign: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    same: dict[str, AnyRow] = field(default_factory=dict)
    """The dead's row, with the very same ask."""
    other: dict[str, list[str]] = field(default_factory=dict)
    """Ids of the dead's rows with another ask."""


class Claiming(Spending):
    """The part of the ledger that gives out requests."""

    def claim(
        self,
        wanted: Sequence[Wanted],
        asked: Asked,
        *,
        model: str,
        labeller: str,
        stage: str,
        transport: str,
        budget: Budget | None = None,
    ) -> Claim:
        """Rows for those that nobody has open and that this labeller has not answered: they are this worker's now.

        What a dead worker had intended is taken over, unless it lies in a batch. Equal contents are claimed once.
        labeller: under whose name the answers are kept. transport: `batch` or `live`. budget: claims in the order
        wanted, up to the first that would go beyond it.
        """
        items = {one.content_hash: one for one in wanted}
        with self.database.writing() as connection:
            self.database.alone(connection, _CLAIMING)
            now = self.database.now(connection)
            self._keep(connection, asked, now)
            # Open rows first, answers second: whatever is settled in between was seen as open.
            held = self._held(connection, list(items), asked, model)
            free = [h for h in items if h not in held.foreign and h not in held.own]
            answered = self.answers.answered(connection, free, labeller, asked.parts)
            free = [h for h in free if h not in answered]
            chosen = self._affordable(connection, [items[h] for h in free], budget)
            self._abandon(connection, [i for one in chosen for i in held.other.get(one.content_hash, ())], now)
            tries = self._tries(connection, [one.content_hash for one in chosen], asked.hash, model)
            requests = []
            for one in chosen:
                before = held.same.get(one.content_hash)
                failed, replied = tries.get(one.content_hash, (0, 0))
                requests.append(
                    Request(
                        id=before.id if before else secrets.token_urlsafe(16),
                        content_hash=one.content_hash,
                        ask_hash=asked.hash,
                        model=model,
                        stage=stage,
                        transport=transport,
                        day=one.day,
                        attempt=failed + 1,
                        answered=replied,
                        positions=one.positions,
                        est_input_tokens=one.est_input_tokens,
                        est_usd=one.est_usd,
                        owner=self.owner,
                        batch_id=None,
                    )
                )
            self._write(connection, requests, {row.id for row in held.same.values()}, now)
        return Claim(
            requests=tuple(requests),
            foreign=len(held.foreign),
            own=len(held.own),
            answered=len(answered),
            beyond_budget=len(free) - len(chosen),
        )

    def release(self, request_ids: Sequence[str]) -> int:
        """Give back what was claimed and surely never sent; returns how many rows are gone."""
        gone = 0
        mine = delete(REQUESTS).where(REQUESTS.c.owner == self.owner, REQUESTS.c.state == State.INTENDED)
        with self.database.writing() as connection:
            for part in parts_of(list(request_ids)):
                gone += connection.execute(mine.where(REQUESTS.c.id.in_(list(part)))).rowcount
        return gone

    def foreign(self, hashes: Sequence[str], asked: Asked, model: str) -> int:
        """For how many of these contents a question of this ask is open with another living worker, or in a batch."""
        with self.database.reading() as connection:
            return len(self._held(connection, list(dict.fromkeys(hashes)), asked, model).foreign)

    def attempts(self, content_hash: str, ask_hash: str, model: str) -> int:
        """How often this was tried in vain, over all runs."""
        with self.database.reading() as connection:
            return self._tries(connection, [content_hash], ask_hash, model).get(content_hash, (0, 0))[0]

    def ask(self, ask_hash: str) -> str:
        """The full text of an ask that was claimed for. Raises KeyError when none was."""
        with self.database.reading() as connection:
            body = connection.execute(select(ASKS.c.body).where(ASKS.c.hash == ask_hash)).scalar()
        if body is None:
            raise KeyError(ask_hash)
        return str(body)

    def _keep(self, connection: Connection, asked: Asked, now: datetime) -> None:
        row = {"hash": asked.hash, "body": asked.body, "parts": " ".join(asked.parts), "created_at": now}
        connection.execute(self.database.insert(ASKS).on_conflict_do_nothing(), row)

    def _held(self, connection: Connection, hashes: Sequence[str], asked: Asked, model: str) -> _Held:
        query = select(REQUESTS).where(OPEN, REQUESTS.c.model == model)
        query = query.where(REQUESTS.c.content_hash.in_(bindparam("hashes", expanding=True)))
        rows: list[AnyRow] = []
        for part in parts_of(hashes):
            rows.extend(connection.execute(query, {"hashes": list(part)}))
        overlapping = self._overlapping(connection, {row.ask_hash for row in rows}, asked)
        rows = [row for row in rows if row.ask_hash in overlapping]
        living = self._worker.living(connection, {row.owner for row in rows})
        held = _Held()
        for row in rows:
            if row.state == State.BATCHED or (row.owner in living and row.owner != self.owner):
                held.foreign.add(row.content_hash)
            elif row.owner == self.owner:
                held.own.add(row.content_hash)
            elif row.ask_hash == asked.hash:
                held.same[row.content_hash] = row
            else:
                held.other.setdefault(row.content_hash, []).append(row.id)
        return held

    def _overlapping(self, connection: Connection, ask_hashes: set[str], asked: Asked) -> set[str]:
        """Those asks that share a question with this one."""
        if not ask_hashes - {asked.hash}:
            return ask_hashes
        mine = set(asked.parts)
        asks = connection.execute(select(ASKS.c.hash, ASKS.c.parts).where(ASKS.c.hash.in_(sorted(ask_hashes))))
        return {row.hash for row in asks if row.hash == asked.hash or mine & set(row.parts.split())}

    def _affordable(self, connection: Connection, items: list[Wanted], budget: Budget | None) -> list[Wanted]:
        if budget is None or not items:
            return items
        left = budget.usd - self._spent(connection, budget.since) - self._in_flight(connection)[1]
        for i, one in enumerate(items):
            left -= one.est_usd
            if left < -1e-9:
                return items[:i]
        return items

    def _abandon(self, connection: Connection, ids: Sequence[str], now: datetime) -> None:
        for part in parts_of(ids):
            closed = update(REQUESTS).where(REQUESTS.c.id.in_(list(part)))
            connection.execute(closed.values(state=State.FAILED, outcome=ABANDONED, updated_at=now))

    def _tries(
        self, connection: Connection, hashes: Sequence[str], ask_hash: str, model: str
    ) -> dict[str, tuple[int, int]]:
        """Earlier attempts that failed, and those among them that were answered, by content hash."""
        failed, c = {}, REQUESTS.c
        query = (
            select(c.content_hash, func.count().label("tried"), func.count(c.input_tokens).label("replied"))
            .where(c.content_hash.in_(bindparam("hashes", expanding=True)))
            .where(c.ask_hash == ask_hash, c.model == model, c.state == State.FAILED)
            .group_by(c.content_hash)
        )
        for part in parts_of(hashes):
            for row in connection.execute(query, {"hashes": list(part)}):
                failed[row.content_hash] = (row.tried, row.replied)
        return failed

    def _write(self, connection: Connection, requests: Iterable[Request], known: set[str], now: datetime) -> None:
        rows = [
            {
                "id": one.id,
                "content_hash": one.content_hash,
                "ask_hash": one.ask_hash,
                "model": one.model,
                "stage": one.stage,
                "transport": one.transport,
                "day": one.day,
                "state": State.INTENDED,
                "owner": one.owner,
                "batch_id": None,
                "attempt": one.attempt,
                "answered": one.answered,
                "positions": one.positions,
                "est_input_tokens": one.est_input_tokens,
                "est_usd": one.est_usd,
                "usd": 0.0,
                "created_at": now,
                "updated_at": now,
            }
            for one in requests
        ]
        if new := [row for row in rows if row["id"] not in known]:
            connection.execute(insert(REQUESTS), new)
        if taken := [row for row in rows if row["id"] in known]:
            changed = [
                "stage",
                "transport",
                "day",
                "owner",
                "batch_id",
                "positions",
                "est_input_tokens",
                "est_usd",
                "updated_at",
            ]
            connection.execute(
                update(REQUESTS)
                .where(REQUESTS.c.id == bindparam("of"))
                .values({name: bindparam(f"new_{name}") for name in changed}),
                [{"of": row["id"], **{f"new_{name}": row[name] for name in changed}} for row in taken],
            )
