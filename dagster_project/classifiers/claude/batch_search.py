"""A batch that was intended, and of which nobody knows whether it was made: looked for before anything is sent again.

Lives here: the search. The provider's list tells times and counts alone, so a candidate is confirmed by the custom_ids
in its results; as long as one of them has none yet, the question stays open. Not here: what follows from the answer
(`batch.py`, `batch_fate.py`).
"""

import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from dagster_project.classifiers.claude.batch_calls import BatchCalls, Broken, Seen
from dagster_project.classifiers.claude.batch_results import line_read
from dagster_project.classifiers.claude.batch_spool import BatchLimits
from dagster_project.classifiers.claude.client import Kind, Patience
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.records import Batch, LedgerError
from dagster_project.storage.request_ledger.schema import BatchState

VAIN_LOOKS = 4
"""Looks at a candidate's results that break off, or hold nothing, before it is taken for another's."""


class Verdict(Enum):
    """What is known of a batch now."""

    FOUND = auto()
    """It was made; the ledger has its id."""
    NEVER_MADE = auto()
    IN_DOUBT = auto()
    """There is a candidate that has not ended: wait, however long."""
    TOO_EARLY = auto()
    """There is no candidate, and the batch may be too new to be listed."""


class Search:
    """The search for one intended batch. It begins when surely nobody is making it any more."""

    def __init__(self, ledger: RequestLedger, batch: Batch, patience: Patience, limits: BatchLimits) -> None:
        self._ledger, self._batch = ledger, batch
        self._clock = timedelta(seconds=limits.clock)
        self._begun = time.monotonic()
        self._grace = patience.reconcile
        self._latest = datetime.now(UTC) + timedelta(seconds=self._grace) + self._clock
        self._others: set[str] = set()
        self._vain: dict[str, int] = {}

    def look(self, calls: BatchCalls) -> Verdict:
        """Look once. Raises TransportError and DatabaseError."""
        looked = time.monotonic()
        listed = calls.listed(self._batch.intended_at - self._clock)
        # Read after the list: what another worker has submitted meanwhile is no candidate.
        if (known := self._known()) is not None:
            return known
        taken = {batch.provider_id for batch in self._ledger.open_batches()}
        is_open = False
        for seen in listed:
            if seen.n_requests != self._batch.n_requests or seen.created_at > self._latest:
                continue
            if seen.id in taken or seen.id in self._others:
                continue
            if not seen.ended:
                is_open = True
            elif (of := self._of(calls, seen)) == self._batch.id:
                return Verdict.FOUND
            else:
                is_open = is_open or of is None
        if is_open:
            return Verdict.IN_DOUBT
        return Verdict.NEVER_MADE if looked >= self._begun + self._grace else Verdict.TOO_EARLY

    def _known(self) -> Verdict | None:
        state = self._ledger.batch(self._batch.id).state
        if state is BatchState.INTENDED:
            return None
        return Verdict.NEVER_MADE if state is BatchState.VOID else Verdict.FOUND

    def _of(self, calls: BatchCalls, seen: Seen) -> str | None:
        """The ledger's batch that this one is, now known as such; "" where it is another's, None where that cannot be
        told yet."""
        if seen.has_results:
            read, is_whole = 0, True
            try:
                with closing(calls.lines(seen.id)) as lines:
                    for some in lines:
                        ids = [found[0] for found in map(line_read, some) if found]
                        read += len(ids)
                        if batch_id := self._submitted(ids, seen.id):
                            return batch_id
            except Broken as broken:
                if broken.trouble.kind is Kind.FATAL and broken.trouble.status != 404:
                    raise broken.trouble.fatal from None
                is_whole = False
            self._vain[seen.id] = self._vain.get(seen.id, 0) + 1
            if not (read and is_whole) and self._vain[seen.id] < VAIN_LOOKS:
                return None
        self._others.add(seen.id)
        return ""

    def _submitted(self, custom_ids: list[str], provider_id: str) -> str | None:
        """The ledger's batch that holds any of these, known by its provider's id from now on."""
        for request in self._ledger.requests(custom_ids).values():
            if request.batch_id is not None:
                try:
                    return self._ledger.submitted(request.batch_id, provider_id).id
                except LedgerError:
                    continue  # known under another id: this request has been in two batches
        return None
