"""What every part of the ledger stands on: the database, the answers, and this worker.

Not here: the parts themselves (`spending.py`, `claiming.py`, `settling.py`, `batches.py`, each upon the one before).
"""

from dagster_project.storage.answers import AnswerStore
from dagster_project.storage.database import AnyRow, Database
from dagster_project.storage.request_ledger.records import Request
from dagster_project.storage.request_ledger.workers import Worker


class Connected:
    """A part of the ledger. run: what settled requests are booked under."""

    def __init__(self, database: Database, worker: Worker, run: str | None = None) -> None:
        self.database = database
        self.answers = AnswerStore(database)
        self.run = run or worker.owner
        self._worker = worker

    @property
    def owner(self) -> str:
        """This worker, as the rows name it."""
        return self._worker.owner

    def alive(self, owner: str) -> bool:
        """Whether that worker still works with the ledger."""
        with self.database.reading() as connection:
            return owner in self._worker.living(connection, [owner])


def request_of(row: AnyRow) -> Request:
    """A row as a value."""
    return Request(
        id=row.id,
        content_hash=row.content_hash,
        ask_hash=row.ask_hash,
        model=row.model,
        stage=row.stage,
        transport=row.transport,
        day=row.day,
        attempt=row.attempt,
        answered=row.answered,
        positions=row.positions or "",
        est_input_tokens=row.est_input_tokens,
        est_usd=row.est_usd,
        owner=row.owner,
        batch_id=row.batch_id,
    )
