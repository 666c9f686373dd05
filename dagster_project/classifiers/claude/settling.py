"""From results to the ledger: what a reply says, what it cost, and whether the same is worth asking again.

Lives here: the one judgement of how a request ended, for both transports and for what earlier runs left behind.
Not here: reading a reply (`reply.py`), what is asked next (`asking.py`).
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dagster_project.classifiers.claude.client import Patience
from dagster_project.classifiers.claude.prices import Price, usd
from dagster_project.classifiers.claude.prompt import COULD_NOT_TELL, Ask, AskError
from dagster_project.classifiers.claude.reply import Outcome, read_reply, without_answers
from dagster_project.classifiers.claude.transport import Blame, Failed, Replied, Result
from dagster_project.classifiers.claude.window import Positions
from dagster_project.domain.labels import Answer, Status, Value
from dagster_project.storage.answers import Given
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.records import Request, Settlement

UNREADABLE = "unreadable_ask"
"""Outcome of a reply to an ask that another version of Confide wrote: paid, and of no use to this one."""

Kept = Mapping[tuple[str, str], Answer]
"""Events kept from earlier, by content hash and prompt hash of their facet."""


@dataclass
class Tally:
    """What came of requests. replied: paid replies, good or bad. closed: conversations that have their answers now,
    of which some are labels that there is none (refused, invalid). again: conversations to be asked again, by why."""

    replied: int = 0
    closed: int = 0
    refused: int = 0
    invalid: int = 0
    again: Counter[str] = field(default_factory=Counter)


class Settler:
    """Takes results (it is a `Settle`). One a run: it remembers whether anything was ever answered.

    labeller_of: under which name a model's answers are kept. price_of: what a model costs now.
    """

    def __init__(
        self,
        ledger: RequestLedger,
        labeller_of: Callable[[str], str],
        price_of: Callable[[str], Price],
        patience: Patience,
    ) -> None:
        self.tally = Tally()
        self.on_settled: Callable[[Sequence[str]], None] | None = None
        """Told of the ids of each group of requests, once they are settled and counted."""
        self._ledger, self._patience = ledger, patience
        self.labeller_of, self._price_of = labeller_of, price_of
        self._asks: dict[str, Ask] = {}
        self._answered_now = False
        self._answered_before: dict[tuple[str, str], bool] = {}
        self._lock = threading.Lock()

    def knows(self, ask: Ask) -> None:
        """An ask of this run: it need not be read from the ledger."""
        self._asks[ask.hash] = ask

    def new_tally(self) -> Tally:
        """Count anew."""
        self.tally = Tally()
        return self.tally

    def __call__(self, results: Sequence[Result]) -> None:
        """Settle a group in one transaction. Raises DatabaseError, and PriceError for a model without a price."""
        if not results:
            return
        tally = Tally()
        kept = self._kept_events(results)
        self._ledger.settle([self._settlement(result, tally, kept) for result in results])
        with self._lock:
            ours = self.tally
            ours.replied += tally.replied
            ours.closed += tally.closed
            ours.refused += tally.refused
            ours.invalid += tally.invalid
            ours.again += tally.again
        if self.on_settled:
            self.on_settled([result.request.id for result in results])

    def _settlement(self, result: Result, tally: Tally, kept: Kept) -> Settlement:
        if isinstance(result.ended, Failed):
            return self._of_failure(result.request, result.ended, tally, kept)
        return self._of_reply(result.request, result.ended, tally, kept)

    def _of_reply(self, request: Request, replied: Replied, tally: Tally, kept: Kept) -> Settlement:
        tally.replied += 1
        paid = usd(self._price_of(request.model), replied.usage, request.transport == "batch")
        ask = self._ask(request.ask_hash)
        if ask is None:
            tally.again[UNREADABLE] += 1
            return Settlement(request.id, UNREADABLE, usage=replied.usage, usd=paid, final=False)
        self._answered_now = True
        reply = read_reply(ask, Positions.from_json(request.positions), replied.stop_reason, replied.texts)
        answers, tries = reply.answers, request.answered + 1
        if reply.outcome is not Outcome.OK:
            most = self._patience.refusals if reply.outcome is Outcome.REFUSED else self._patience.replies
            if tries < most:
                tally.again[reply.outcome.value] += 1
                return Settlement(request.id, reply.outcome.value, usage=replied.usage, usd=paid, final=False)
            answers = self._closed_without(ask, reply.outcome, tally)
        tally.closed += 1
        return Settlement(
            request.id, reply.outcome.value, self._given(request, ask, answers, kept), replied.usage, paid
        )

    def _of_failure(self, request: Request, failed: Failed, tally: Tally, kept: Kept) -> Settlement:
        """Labelled invalid only where others like it are answered: an outage must not become labels."""
        if failed.blame is Blame.REQUEST:
            is_final = self._answered_now or self._answered_ever(request)
        else:
            is_final = self._answered_now and request.attempt >= self._patience.attempts
        ask = self._ask(request.ask_hash)
        if not is_final or ask is None:
            tally.again[failed.outcome] += 1
            return Settlement(request.id, failed.outcome, final=False)
        answers = self._closed_without(ask, Outcome.INVALID, tally)
        tally.closed += 1
        return Settlement(request.id, failed.outcome, self._given(request, ask, answers, kept))

    def _closed_without(self, ask: Ask, outcome: Outcome, tally: Tally) -> Mapping[str, Answer]:
        if outcome is Outcome.REFUSED:
            tally.refused += 1
        else:
            tally.invalid += 1
        return without_answers(ask, outcome)

    def _given(self, request: Request, ask: Ask, answers: Mapping[str, Answer], kept: Kept) -> tuple[Given, ...]:
        labeller = self.labeller_of(request.model)
        given = []
        for facet in ask.facets:
            answer = answers[facet.id]
            if facet.of is not None and (events := kept.get((request.content_hash, ask.hash_of(facet.of)))):
                answer = described(answer, answers[facet.of], events)
            given.append(Given(labeller, facet.id, facet.version, ask.hash_of(facet.id), answer))
        return tuple(given)

    def _ask(self, ask_hash: str) -> Ask | None:
        """The ask of a request, as it was sent; None where it is of a format that is not read any more."""
        if ask_hash not in self._asks:
            try:
                self._asks[ask_hash] = Ask.from_json(self._ledger.ask(ask_hash))
            except AskError:
                return None
        return self._asks[ask_hash]

    def _answered_ever(self, request: Request) -> bool:
        """Whether any request of this stage to this model was ever answered."""
        key = request.stage, request.model
        if not self._answered_before.get(key):
            self._answered_before[key] = any((c.stage, c.model) == key for c in self._ledger.costs())
        return self._answered_before[key]

    def _kept_events(self, results: Sequence[Result]) -> Kept:
        """Events that these contents were found to have before: the first answer stays, and a model does not find the
        very same events twice. What is said of events later must be said of those that are kept."""
        contents: dict[tuple[str, str], list[str]] = {}
        for result in results:
            contents.setdefault((result.request.ask_hash, result.request.model), []).append(result.request.content_hash)
        kept: dict[tuple[str, str], Answer] = {}
        for (ask_hash, model), hashes in contents.items():
            ask = self._ask(ask_hash)
            for facet in ask.facets if ask else ():
                if ask and any(f.of == facet.id for f in ask.facets):
                    digest = ask.hash_of(facet.id)
                    found = self._ledger.answers.read(hashes, facet, self.labeller_of(model), digest)
                    kept |= {(content_hash, digest): answer for content_hash, (answer, _) in found.items()}
        return kept


def described(attribute: Answer, found: Answer, kept: Answer) -> Answer:
    """An attribute of the events just found, as one of the events that are kept: could_not_tell where an event that is
    kept was not found again."""
    if attribute.status is not Status.OK and attribute.status is not Status.COULD_NOT_TELL:
        return attribute
    if kept.status is not Status.OK:
        return Answer(kept.status)
    again = {value.message_index for value in found.values}
    said = {value.message_index: value for value in attribute.values}
    if attribute.status is Status.COULD_NOT_TELL:
        said = {at: Value(COULD_NOT_TELL, None, at) for at in again}
    values = []
    for event in kept.values:
        at = event.message_index
        if at not in again:
            values.append(Value(COULD_NOT_TELL, None, at))
        elif at in said:
            values.append(said[at])
    # A yes/no attribute says no by having no value: fewer values than events is something told.
    if values and len(values) == len(kept.values) and all(value.category == COULD_NOT_TELL for value in values):
        return Answer(Status.COULD_NOT_TELL)
    return Answer(Status.OK, tuple(values))
