"""Batches: intended before they are sent, known by the provider's id after, and gone only when all is saved.

Lives here: the states of a batch and whose it is. Not here: sending, polling, reconciling (`classifiers/claude`).
"""

import secrets
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection

from dagster_project.storage.database import AnyRow, parts_of
from dagster_project.storage.request_ledger.records import Batch, LedgerError
from dagster_project.storage.request_ledger.schema import BATCHED, BATCHES, REQUESTS, BatchState, State
from dagster_project.storage.request_ledger.settling import Settling
from dagster_project.storage.request_ledger.spending import OPEN_BATCHES


class Batches(Settling):
    """The part of the ledger that keeps batches."""

    def new_batch(self, request_ids: Sequence[str], n_bytes: int, first_day: date, last_day: date) -> Batch:
        """Say that these requests are about to be sent as one batch. From here on it may exist at the provider.

        Raises LedgerError, and changes nothing, when one of them is not this worker's to send (any more).
        """
        ids = list(dict.fromkeys(request_ids))
        mine = update(REQUESTS).where(REQUESTS.c.owner == self.owner, REQUESTS.c.state == State.INTENDED)
        batch_id = secrets.token_hex(8)
        with self.database.writing() as connection:
            now = self.database.now(connection)
            moved = 0
            for part in parts_of(sorted(ids)):
                moving = mine.where(REQUESTS.c.id.in_(list(part)))
                values = {"state": State.BATCHED, "batch_id": batch_id, "updated_at": now}
                moved += connection.execute(moving.values(values)).rowcount
            if not ids:
                raise LedgerError("a batch needs requests")
            if moved != len(ids):
                raise LedgerError(f"{len(ids) - moved} of {len(ids)} requests of a batch are not this worker's to send")
            row = {
                "id": batch_id,
                "state": BatchState.INTENDED,
                "owner": self.owner,
                "n_requests": len(ids),
                "n_bytes": n_bytes,
                "first_day": first_day,
                "last_day": last_day,
                "intended_at": now,
            }
            connection.execute(insert(BATCHES), row)
            return _batch(_locked(connection, batch_id))

    def submitted(self, batch_id: str, provider_id: str) -> Batch:
        """The batch exists under this id. Also when it had been given up as void: what came of it is not lost.

        Raises LedgerError when it is known under another id.
        """
        with self.database.writing() as connection:
            now = self.database.now(connection)
            row = _locked(connection, batch_id)
            if row.provider_id not in (None, provider_id):
                raise LedgerError(f"batch {batch_id} of the ledger is known under another id already")
            if row.state == BatchState.VOID:
                back = update(REQUESTS).where(REQUESTS.c.batch_id == batch_id, REQUESTS.c.state == State.INTENDED)
                back = back.where(REQUESTS.c.owner.is_(None))
                connection.execute(back.values(state=State.BATCHED, updated_at=now))
            if row.state in (BatchState.INTENDED, BatchState.VOID):
                new = {
                    "state": BatchState.SUBMITTED,
                    "provider_id": provider_id,
                    "submitted_at": now,
                    "closed_at": None,
                }
                _change(connection, batch_id, new)
            return _batch(_locked(connection, batch_id))

    def void(self, batch_id: str) -> Batch:
        """The batch surely never came to be: its requests may be claimed again, by anybody, as the same attempt.

        Raises LedgerError when it has a provider's id.
        """
        with self.database.writing() as connection:
            now = self.database.now(connection)
            row = _locked(connection, batch_id)
            if row.state not in (BatchState.INTENDED, BatchState.VOID):
                raise LedgerError(f"batch {batch_id} of the ledger was submitted: it cannot be void")
            freed = update(REQUESTS).where(BATCHED, REQUESTS.c.batch_id == batch_id)
            connection.execute(freed.values(state=State.INTENDED, owner=None, updated_at=now))
            _change(connection, batch_id, {"state": BatchState.VOID, "closed_at": now})
            return _batch(_locked(connection, batch_id))

    def saved(self, batch_id: str) -> Batch:
        """Everything of the batch is settled: it may be deleted at the provider. Raises LedgerError when it is not."""
        with self.database.writing() as connection:
            row = _locked(connection, batch_id)
            left = select(func.count()).select_from(REQUESTS).where(BATCHED, REQUESTS.c.batch_id == batch_id)
            if n := connection.execute(left).scalar_one():
                raise LedgerError(f"batch {batch_id} of the ledger still has {n} requests that nothing has settled")
            if row.state not in (BatchState.SUBMITTED, BatchState.SAVED, BatchState.DELETED):
                raise LedgerError(f"batch {batch_id} of the ledger is {row.state}: it has no results to save")
            if row.state == BatchState.SUBMITTED:
                _change(connection, batch_id, {"state": BatchState.SAVED})
            return _batch(_locked(connection, batch_id))

    def deleted(self, batch_id: str) -> Batch:
        """The batch is gone at the provider. Raises LedgerError unless its results were saved before."""
        with self.database.writing() as connection:
            row = _locked(connection, batch_id)
            if row.state not in (BatchState.SAVED, BatchState.DELETED):
                raise LedgerError(f"batch {batch_id} of the ledger is {row.state}: its results are not saved")
            if row.state == BatchState.SAVED:
                _change(connection, batch_id, {"state": BatchState.DELETED, "closed_at": self.database.now(connection)})
            return _batch(_locked(connection, batch_id))

    def adopt(self, batch_id: str) -> bool:
        """Take a batch on: True when it is this worker's from now on, or was; False while its owner lives."""
        with self.database.writing() as connection:
            row = _locked(connection, batch_id)
            if self._worker.living(connection, [row.owner]) - {self.owner}:
                return False
            if row.owner != self.owner:
                _change(connection, batch_id, {"owner": self.owner})
            return True

    def batch(self, batch_id: str) -> Batch:
        """One batch as it stands. Raises LedgerError when there is none of this id."""
        with self.database.reading() as connection:
            return _batch(_locked(connection, batch_id))

    def open_batches(self) -> list[Batch]:
        """Batches that may exist at the provider, oldest first."""
        query = select(BATCHES).where(BATCHES.c.state.in_(OPEN_BATCHES)).order_by(BATCHES.c.intended_at, BATCHES.c.id)
        with self.database.reading() as connection:
            return [_batch(row) for row in connection.execute(query)]


def _locked(connection: Connection, batch_id: str) -> AnyRow:
    row = connection.execute(select(BATCHES).where(BATCHES.c.id == batch_id).with_for_update()).one_or_none()
    if row is None:
        raise LedgerError(f"the ledger has no batch {batch_id}")
    return row


def _change(connection: Connection, batch_id: str, values: dict[str, Any]) -> None:
    connection.execute(update(BATCHES).where(BATCHES.c.id == batch_id).values(values))


def _batch(row: AnyRow) -> Batch:
    return Batch(
        id=row.id,
        provider_id=row.provider_id,
        state=BatchState(row.state),
        owner=row.owner,
        n_requests=row.n_requests,
        n_bytes=row.n_bytes,
        first_day=row.first_day,
        last_day=row.last_day,
        intended_at=row.intended_at,
        submitted_at=row.submitted_at,
    )
