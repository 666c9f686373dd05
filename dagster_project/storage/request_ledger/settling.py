"""Settling: answers kept and requests closed in one transaction, however often a result comes.

Lives here: closing, reading open rows back, erasing. Not here: claiming (`claiming.py`), batches (`batches.py`).
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Connection

from dagster_project.storage.answers import ANSWERS
from dagster_project.storage.database import AnyRow, parts_of
from dagster_project.storage.request_ledger.claiming import ABANDONED, Claiming
from dagster_project.storage.request_ledger.connected import request_of
from dagster_project.storage.request_ledger.records import Request, Settlement
from dagster_project.storage.request_ledger.schema import BATCHED, REQUESTS, State

_OPEN = (State.INTENDED, State.BATCHED)


class Settling(Claiming):
    """The part of the ledger that takes in how requests ended."""

    def settle(self, settlements: Iterable[Settlement]) -> int:
        """Close requests: answers, usage, cost and outcome at once. Returns how many were closed by this.

        What is closed already, or unknown, is left alone: results may come twice and from anybody. Of what was erased
        the cost is taken in and nothing else.
        """
        given: dict[str, Settlement] = {}
        for one in settlements:
            given.setdefault(one.request_id, one)
        with self.database.writing() as connection:
            now = self.database.now(connection)
            rows = [row for row in self._locked(connection, list(given)) if _takes(row, given[row.id])]
            self.answers.put(
                connection,
                [(row.content_hash, a) for row in rows if row.state != State.ERASED for a in given[row.id].answers],
                now,
            )
            if rows:
                connection.execute(_CLOSED, [_closed(row, given[row.id], self.run, now) for row in rows])
            self._book(connection, [(row, given[row.id]) for row in rows], now)
        return sum(row.state != State.ERASED for row in rows)

    def requests(self, request_ids: Sequence[str]) -> dict[str, Request]:
        """The requests of these ids that are still open, by id. Unknown and closed ones are not there."""
        with self.database.reading() as connection:
            return {row.id: request_of(row) for row in self._rows(connection, request_ids) if row.state in _OPEN}

    def unsettled(self, batch_id: str, limit: int = 1000) -> list[Request]:
        """Requests of a batch (the ledger's own id) that no result has closed, at most `limit` of them."""
        query = select(REQUESTS).where(BATCHED, REQUESTS.c.batch_id == batch_id).order_by(REQUESTS.c.id).limit(limit)
        with self.database.reading() as connection:
            return [request_of(row) for row in connection.execute(query)]

    def erase(self, content_hashes: Sequence[str]) -> int:
        """Take out every answer about these contents, and their hashes from the requests, whose cost stays.

        What arrives for them later is dropped. Returns the answers and requests there were.
        """
        hashes = list(dict.fromkeys(content_hashes))
        with self.database.writing() as connection:
            # Requests first: a result that is being settled now is waited for, and its answers go with the others.
            touched = self._forget(connection, hashes)
            gone = self.answers.remove(connection, hashes)
        self.database.forget_deleted(ANSWERS, REQUESTS)
        return touched + gone

    def _forget(self, connection: Connection, hashes: Sequence[str]) -> int:
        query = select(REQUESTS.c.id, REQUESTS.c.state).order_by(REQUESTS.c.id).with_for_update()
        touched = 0
        for part in parts_of(hashes):
            rows = list(connection.execute(query.where(REQUESTS.c.content_hash.in_(list(part)))))
            touched += len(rows)
            if rows:
                connection.execute(
                    _FORGOTTEN,
                    [
                        {
                            "of": row.id,
                            "hidden": f"erased-{secrets.token_hex(16)}",
                            "then": State.ERASED if row.state in _OPEN else row.state,
                        }
                        for row in rows
                    ],
                )
        return touched

    def _locked(self, connection: Connection, ids: Sequence[str]) -> list[AnyRow]:
        return self._rows(connection, ids, locked=True)

    def _rows(self, connection: Connection, ids: Sequence[str], locked: bool = False) -> list[AnyRow]:
        query = select(REQUESTS).where(REQUESTS.c.id.in_(bindparam("ids", expanding=True))).order_by(REQUESTS.c.id)
        if locked:
            # In the order of their ids: two who settle the same must not wait for each other in a circle.
            query = query.with_for_update()
        found: list[AnyRow] = []
        for part in parts_of(sorted(set(ids))):
            found.extend(connection.execute(query, {"ids": list(part)}))
        return found


_CLOSED = (
    update(REQUESTS)
    .where(REQUESTS.c.id == bindparam("of"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                "state",
                "outcome",
                "positions",
                "input_tokens",
                "output_tokens",
                "cache_write_tokens",
                "cache_read_tokens",
                "usd",
                "settled_by",
                "updated_at",
            )
        }
    )
)
_FORGOTTEN = (
    update(REQUESTS)
    .where(REQUESTS.c.id == bindparam("of"))
    .values(content_hash=bindparam("hidden"), state=bindparam("then"), positions=None)
)


def _takes(row: AnyRow, given: Settlement) -> bool:
    """Whether a request still takes this in: open, or given up before its reply came, which was paid all the same."""
    if row.state in _OPEN:
        return True
    unpaid = row.input_tokens is None and given.usage is not None
    return unpaid and (row.state == State.ERASED or (row.state == State.FAILED and row.outcome == ABANDONED))


def _closed(row: AnyRow, given: Settlement, run: str, now: object) -> Mapping[str, object]:
    state = State.ERASED if row.state == State.ERASED else State.DONE if given.final else State.FAILED
    usage = given.usage
    return {
        "of": row.id,
        "new_state": state,
        "new_outcome": given.outcome,
        "new_positions": None,
        "new_input_tokens": usage.input_tokens if usage else None,
        "new_output_tokens": usage.output_tokens if usage else None,
        "new_cache_write_tokens": usage.cache_write_tokens if usage else None,
        "new_cache_read_tokens": usage.cache_read_tokens if usage else None,
        "new_usd": given.usd,
        "new_settled_by": run,
        "new_updated_at": now,
    }
