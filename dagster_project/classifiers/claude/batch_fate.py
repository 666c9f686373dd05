"""What becomes of one batch, step by step: found, waited for, its results saved, deleted at the provider.

Lives here: one batch from its intent to its end, so that every step may be the last of this process and the first of
another. Not here: making batches (`batch.py`), the search for a lost one (`batch_search.py`), the calls
(`batch_calls.py`).
"""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from dagster_project.classifiers.claude.batch_calls import BatchCalls, Broken
from dagster_project.classifiers.claude.batch_results import line_read
from dagster_project.classifiers.claude.batch_search import Search, Verdict
from dagster_project.classifiers.claude.batch_spool import BatchLimits
from dagster_project.classifiers.claude.client import Patience, Trouble
from dagster_project.classifiers.claude.transport import Blame, Failed, Replied, Result, Settle, TransportError
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.records import Batch
from dagster_project.storage.request_ledger.schema import BatchState

SETTLED_AT_ONCE = 500
Note = Callable[[str], None]


@dataclass(frozen=True)
class Means:
    """What all batches of a transport share. note: is told, in words, how they stand."""

    ledger: RequestLedger
    patience: Patience
    limits: BatchLimits
    note: Note


@dataclass
class _Fetched:
    """One fetch. read: lines that could be read. new: requests of the batch that it closed."""

    read: int = 0
    new: int = 0
    trouble: Trouble | None = None


class Fate:
    """One batch. search: where it is not known whether it was made.

    is_ours: its requests were sent by a call that still waits for them; those of a dead worker are left to be claimed,
    as the same attempt, when they were never sent. error: what concerns more than this batch; to be raised at the end.
    """

    def __init__(self, means: Means, batch: Batch, search: Search | None = None, *, is_ours: bool = False) -> None:
        self.batch_id = batch.id
        self.error: TransportError | None = None
        self._means, self._search, self._is_ours = means, search, is_ours
        self._missing_since: float | None = None
        self._has_waited = False

    def step(self, calls: BatchCalls, settle: Settle) -> bool:
        """Take it as far as it goes now, without waiting; True when nothing is left to do or to wait for.

        Raises TransportError, DatabaseError, and what `settle` raises.
        """
        ledger = self._means.ledger
        if self._search:
            verdict = self._search.look(calls)
            if verdict is Verdict.NEVER_MADE:
                self._never_made(settle)
                return True
            if verdict is not Verdict.FOUND:
                return False
            self._search = None
        batch = ledger.batch(self.batch_id)
        if batch.state is BatchState.SUBMITTED:
            if self._is_overdue(batch):
                return True
            if not self._saves(calls, batch, settle):
                return False
            batch = ledger.saved(self.batch_id)
        if batch.state is BatchState.SAVED:
            self._delete(calls, batch)
        return True

    def _never_made(self, settle: Settle) -> None:
        ledger = self._means.ledger
        if ledger.batch(self.batch_id).state is not BatchState.INTENDED:
            if self._is_ours:
                self.error = TransportError("another worker took this one for dead and gave up its batch: run again")
            return
        if self._is_ours:
            self._close_all("never_made", settle)
        ledger.void(self.batch_id)
        self._means.note("a batch whose making was in doubt was never made: its requests are asked again")

    def _saves(self, calls: BatchCalls, batch: Batch, settle: Settle) -> bool:
        """Whether everything of a submitted batch is settled now."""
        assert batch.provider_id is not None
        seen = calls.look(batch.provider_id)
        if seen is None or (seen.ended and not seen.has_results):
            return self._is_gone(settle)
        if seen.ended:
            return self._fetches(calls, batch.provider_id, settle)
        self._missing_since, self._has_waited = None, True
        return False

    def _is_gone(self, settle: Settle) -> bool:
        """A new batch may be unknown for a while; one that stays so, or has no results, is lost."""
        if not self._means.ledger.unsettled(self.batch_id, 1):
            return True  # others have saved and deleted it
        now = time.monotonic()
        self._missing_since = now if self._missing_since is None else self._missing_since
        if now < self._missing_since + self._means.limits.gone:
            return False
        self._close_all("gone", settle)
        return True

    def _is_overdue(self, batch: Batch) -> bool:
        """Whether waiting for it has become pointless. The ledger keeps it open: the next run looks again."""
        hours = (datetime.now(UTC) - (batch.submitted_at or batch.intended_at)).total_seconds() / 3600
        if not self._has_waited or hours * 3600 <= self._means.limits.overdue:
            return False
        self.error = TransportError(
            f"the batch {batch.provider_id} was submitted {hours:.0f} hours ago and has not ended: look at it with "
            "the provider, cancel it there if need be, and run again"
        )
        return True

    def _fetches(self, calls: BatchCalls, provider_id: str, settle: Settle) -> bool:
        """Fetch results until nothing is missing, or nothing more comes; False where they are not there now."""
        began, failed, whole, broken = time.monotonic(), 0, 0, 0
        while True:
            fetched = self._fetch(calls, provider_id, settle)
            if not self._means.ledger.unsettled(self.batch_id, 1):
                return True
            trouble = fetched.trouble
            if trouble and trouble.status == 404:
                return self._is_gone(settle)
            if fetched.new:
                began, failed, whole, broken = time.monotonic(), 0, 0, 0
            elif trouble is None:
                whole += 1
            elif fetched.read:
                broken += 1
            if whole >= self._means.limits.fetches or broken >= self._means.patience.tries:
                self._close_all("no_result", settle)
                return True
            failed += 1
            if trouble:
                calls.mind(trouble, began, failed)
            wait = self._means.patience.before(failed)
            time.sleep(max(wait, trouble.retry_after or 0.0) if trouble else wait)

    def _fetch(self, calls: BatchCalls, provider_id: str, settle: Settle) -> _Fetched:
        """The results once, as far as they come, in any order, some twice, some of nobody."""
        fetched = _Fetched()
        group: dict[str, Replied | Failed | Trouble] = {}
        try:
            with closing(calls.lines(provider_id)) as lines:
                for some in lines:
                    for custom_id, ended in filter(None, map(line_read, some)):
                        group.setdefault(custom_id, ended)
                    if len(group) >= SETTLED_AT_ONCE:
                        self._settle(group, settle, fetched)
                        group = {}
        except Broken as broken:
            fetched.trouble = broken.trouble
        self._settle(group, settle, fetched)
        return fetched

    def _settle(self, group: dict[str, Replied | Failed | Trouble], settle: Settle, fetched: _Fetched) -> None:
        results = []
        for custom_id, request in self._means.ledger.requests(list(group)).items():
            ended = group[custom_id]
            if isinstance(ended, Trouble):
                self.error = self.error or ended.fatal
                ended = Failed("errored", Blame.CHANCE)
            fetched.new += request.batch_id == self.batch_id
            results.append(Result(request, ended))
        fetched.read += len(group)
        if results:
            settle(results)

    def _close_all(self, outcome: str, settle: Settle) -> None:
        """No result will come for what is left: it may be asked again."""
        ledger, n = self._means.ledger, 0
        while left := ledger.unsettled(self.batch_id, SETTLED_AT_ONCE):
            settle([Result(request, Failed(outcome, Blame.CHANCE)) for request in left])
            n += len(left)
            if ledger.requests([left[0].id]):
                raise TransportError("requests of a batch that is lost could not be closed in the ledger")
        if n:
            self._means.note(f"no results for {n} requests of a batch ({outcome}): they are asked again")

    def _delete(self, calls: BatchCalls, batch: Batch) -> None:
        assert batch.provider_id is not None
        if calls.delete(batch.provider_id):
            self._means.ledger.deleted(self.batch_id)
        else:
            self._means.note(
                f"the provider does not let us delete the batch {batch.provider_id}: its results stay there until they "
                "expire; delete it there, or give the key the right to"
            )
