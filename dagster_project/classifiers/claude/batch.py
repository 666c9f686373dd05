"""Requests in batches, at half the price: as few as the limits allow, none sent twice, whatever dies on the way.

Lives here: filling batches from the iterator, making them, waiting for all, and what dead workers left. A batch is
intended in the ledger before the call that makes it. Where that call's reply is lost, the batch is searched for, and
made again only when it surely was not. Not here: the search (`batch_search.py`), results (`batch_fate.py`).
"""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

from dagster_project.classifiers.claude.batch_calls import BatchCalls, Refused, Seen
from dagster_project.classifiers.claude.batch_fate import Fate, Means, Note
from dagster_project.classifiers.claude.batch_search import Search, Verdict
from dagster_project.classifiers.claude.batch_spool import BatchLimits, Spool
from dagster_project.classifiers.claude.client import Patience, Trouble
from dagster_project.classifiers.claude.transport import (
    Blame,
    Failed,
    Prepared,
    Result,
    Settle,
    TransportError,
)
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.records import Batch
from dagster_project.storage.request_ledger.schema import BatchState

LOOKS_PER_GRACE = 4


class BatchTransport:
    """Requests in batches. One for each open ledger; threads may share it.

    folder: private, on a disk with room for `limits.bytes` for each send under way. note: is told how batches stand.
    """

    name: Literal["batch"] = "batch"

    def __init__(
        self,
        ledger: RequestLedger,
        folder: Path,
        *,
        patience: Patience | None = None,
        limits: BatchLimits | None = None,
        note: Note = lambda words: None,
    ) -> None:
        self._folder = folder
        self._means = Means(ledger, patience or Patience(), limits or BatchLimits(), note)
        self._busy: set[str] = set()
        self._left: dict[str, Fate] = {}
        self._undeletable: set[str] = set()
        self._looking = threading.Lock()

    def send(self, prepared: Iterator[Prepared], settle: Settle) -> None:
        """As `Transport.send`. Returns when every batch has ended and is saved: hours, not minutes."""
        with BatchCalls(self._means.patience) as calls:
            sending = _Sending(self, self._means, calls, settle)
            try:
                with closing(_batches(prepared, self._folder, self._means.limits, calls, settle)) as spools:
                    sending.make_all(spools)
                sending.follow_all()
            finally:
                self._busy.difference_update(sending.batch_ids)
        if sending.error is not None:
            raise sending.error

    def settle_open(self, settle: Settle) -> int:
        """As `SettleOpen`: a look at the batches of dead workers, and at those that a `send` of this one gave up."""
        with self._looking, BatchCalls(self._means.patience) as calls:
            return sum(not self._is_done(batch, calls, settle) for batch in self._means.ledger.open_batches())

    def busy(self, batch: Batch) -> None:
        """A batch that a `send` is about to make, and looks after."""
        self._busy.add(batch.id)

    def _is_done(self, batch: Batch, calls: BatchCalls, settle: Settle) -> bool:
        """Whether a batch needs no more looks of ours."""
        if batch.id in self._busy:
            # What was seen of it before it was known to be busy says nothing about it later.
            self._left.pop(batch.id, None)
            return True
        if batch.id in self._undeletable or not self._means.ledger.adopt(batch.id):
            return True
        if batch.id not in self._left:
            # Nobody makes it any more, from now on at the latest.
            search = None
            if batch.state is BatchState.INTENDED:
                search = Search(self._means.ledger, batch, self._means.patience, self._means.limits)
            self._left[batch.id] = Fate(self._means, batch, search)
        if not self._left[batch.id].step(calls, settle):
            return False
        fate = self._left.pop(batch.id)
        state = self._means.ledger.batch(batch.id).state
        if fate.error is not None and state is BatchState.SUBMITTED:
            raise fate.error
        if state is BatchState.SAVED:
            self._undeletable.add(batch.id)
        return True


class _Sending:
    """One `send` under way."""

    def __init__(self, transport: BatchTransport, means: Means, calls: BatchCalls, settle: Settle) -> None:
        self._transport, self._means, self._calls, self._settle = transport, means, calls, settle
        self._fates: list[Fate] = []
        self._looked = time.monotonic()
        self.batch_ids: list[str] = []
        self.error: TransportError | None = None

    def make_all(self, spools: Iterator[Spool]) -> None:
        """Make a batch of each. When nothing more can be made, the reason is kept: the others are still waited for."""
        try:
            for spool in spools:
                self._make(spool)
                if time.monotonic() >= self._looked + self._means.patience.poll:
                    self._look()
        except TransportError as error:
            self.error = self.error or error
            self._means.note(f"no more batches are made: {error}")

    def follow_all(self) -> None:
        """Wait until each has ended and is saved."""
        while self._fates:
            time.sleep(max(0.0, self._looked + self._means.patience.poll - time.monotonic()))
            self._look()

    def _look(self) -> None:
        before = len(self._fates)
        for fate in list(self._fates):
            if fate.step(self._calls, self._settle):
                self._fates.remove(fate)
                self.error = self.error or fate.error
        self._looked = time.monotonic()
        if len(self._fates) < before:
            self._means.note(f"{len(self.batch_ids) - len(self._fates)} of {len(self.batch_ids)} batches are done")

    def _make(self, spool: Spool) -> None:
        batch = self._means.ledger.new_batch(spool.ids, spool.n_bytes, spool.first_day, spool.last_day)
        self._transport.busy(batch)
        self.batch_ids.append(batch.id)
        began, failed = time.monotonic(), 0
        while True:
            made = self._calls.create(spool)
            if isinstance(made, Seen):
                self._means.ledger.submitted(batch.id, made.id)
                return self._follow(batch, None, spool)
            if isinstance(made, Refused):
                failed += 1
                self._void_if_in_vain(batch, spool, made.trouble, began, failed)
                time.sleep(max(self._means.patience.before(failed), made.trouble.retry_after or 0.0))
                continue
            search = Search(self._means.ledger, batch, self._means.patience, self._means.limits)
            verdict = self._verdict(search)
            if verdict is not Verdict.NEVER_MADE:
                return self._follow(batch, None if verdict is Verdict.FOUND else search, spool)
            failed += 1
            self._void_if_in_vain(batch, spool, made.trouble, began, failed)

    def _follow(self, batch: Batch, search: Search | None, spool: Spool) -> None:
        self._fates.append(Fate(self._means, batch, search, is_ours=True))
        self._means.note(
            f"batch {len(self.batch_ids)} is on its way: {len(spool.ids)} requests, {spool.n_bytes / 1e6:.1f} MB, "
            f"{spool.first_day} to {spool.last_day}"
        )

    def _verdict(self, search: Search) -> Verdict:
        """Look for a batch until it is found, or was never made, or a candidate has to end first."""
        while (verdict := search.look(self._calls)) is Verdict.TOO_EARLY:
            time.sleep(self._means.patience.reconcile / LOOKS_PER_GRACE)
        return verdict

    def _void_if_in_vain(self, batch: Batch, spool: Spool, trouble: Trouble, began: float, failed: int) -> None:
        """Raise where a batch that surely does not exist cannot be made: its requests may be claimed again."""
        try:
            if trouble.status == 413:
                raise TransportError(
                    f"the server does not take a batch of {len(spool.ids)} requests and {spool.n_bytes / 1e6:.0f} MB "
                    '(status 413): raise the limit of what stands at ANTHROPIC_BASE_URL, or set `transport = "live"` '
                    "in [claude]"
                )
            self._calls.mind(trouble, began, failed)
        except TransportError:
            self._means.ledger.void(batch.id)
            raise


def _batches(
    prepared: Iterator[Prepared], folder: Path, limits: BatchLimits, calls: BatchCalls, settle: Settle
) -> Generator[Spool, None, None]:
    """Full batches, and a last one. One is closed when the next is asked for."""
    spool: Spool | None = None
    try:
        for item in prepared:
            if spool is None:
                calls.check()
                spool = Spool(folder, limits)
            params = item.make()
            if spool.add(item.request, params):
                continue
            if spool.ids:
                yield spool
                spool.close()
                spool = Spool(folder, limits)
            if not spool.add(item.request, params):
                settle([Result(item.request, Failed("too_large", Blame.REQUEST))])
        if spool is not None and spool.ids:
            yield spool
    finally:
        if spool is not None:
            spool.close()
