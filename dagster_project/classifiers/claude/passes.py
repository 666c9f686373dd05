"""One pass over conversations: what each of them lacks, claimed and made ready for sending, in bounded memory.

Lives here: the conversations and questions as they are given, finding out what is missing, claiming it, and counting
what came of it. Not here: how many passes there are, and when to give up (`asking.py`); claims and answers themselves
(`storage/request_ledger`).
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from dagster_project.classifiers.claude.prices import Price, usd
from dagster_project.classifiers.claude.prompt import Ask, facet_hash, implied
from dagster_project.classifiers.claude.settling import Settler
from dagster_project.classifiers.claude.transport import Prepared, Transport
from dagster_project.classifiers.claude.window import SentimentScope, View
from dagster_project.classifiers.interface import Progress
from dagster_project.codebook.schema import Facet
from dagster_project.domain.conversations import Conversation
from dagster_project.domain.labels import Answer, Status
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.records import Asked, Budget, Request, Usage, Wanted

PART = 256
"""Conversations that are looked at, and claimed, together."""
PART_CHARACTERS = 20_000_000
"""Of text that a part holds at most, but for its last conversation."""
LATEST_ELSEWHERE = 40
"""Parts that others are asking, of which the latest are waited for."""


@dataclass(frozen=True, slots=True)
class Item:
    """A conversation to be asked about. content_hash: the ledger's own (`RequestLedger.content`)."""

    conversation: Conversation
    content_hash: str
    day: date


@dataclass(frozen=True)
class Questions:
    """Facets of one stage in the codebook's order, with every facet that another is an attribute of, and who is asked.

    Raises AskError when such a facet is missing.
    """

    facets: tuple[Facet, ...]
    model: str
    scope: SentimentScope = "edges"

    def __post_init__(self) -> None:
        Ask(self.facets, self.scope)


class Told:
    """Progress that never counts a conversation twice, although every pass sees them all."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress, self._told = progress, 0

    def done(self, n: int) -> None:
        """So many have their answers, of all."""
        if n > self._told:
            if self._progress:
                self._progress(n - self._told)
            self._told = n


class Pass:
    """One pass, and what came of it.

    n_items, n_found: conversations seen, and those that had their answers. claimed: requests that were this pass's to
    send. beyond_budget: those that were not, for lack of money. elsewhere: asks and contents that others are asking.
    n_own: contents that another thread of this process is asking. n_meanwhile: answered, in part at least, while this
    pass looked.
    """

    def __init__(
        self,
        ledger: RequestLedger,
        transport: Transport,
        settler: Settler,
        questions: Questions,
        items: Iterable[Item],
        *,
        price: Price,
        budget: Budget | None,
        told: Told,
    ) -> None:
        self._ledger, self._transport, self._settler, self._told = ledger, transport, settler, told
        self._questions, self._price, self._budget = questions, price, budget
        self._labeller = settler.labeller_of(questions.model)
        self._facets = {f.id: f for f in questions.facets}
        self._hashes = {f.id: facet_hash(f, questions.scope) for f in questions.facets}
        self._asks: dict[tuple[str, ...], Ask] = {}
        self._items = items
        self._lock = threading.Lock()
        self._open: dict[str, str] = {}
        """Requests of this pass that were not settled yet -> their contents."""
        self._est_usd = 0.0
        self._found_refused = self._found_invalid = 0
        self.tally = settler.new_tally()
        self.n_items = self.n_found = self.claimed = self.beyond_budget = self.n_own = self.n_meanwhile = 0
        self.elsewhere: deque[tuple[Asked, list[str]]] = deque(maxlen=LATEST_ELSEWHERE)

    @property
    def is_open(self) -> bool:
        """Whether something was left without an answer."""
        return bool(self.tally.again or self.elsewhere or self.n_own or self.n_meanwhile)

    @property
    def has_moved(self) -> bool:
        """Whether anything came of it, here or elsewhere."""
        return bool(self.tally.replied or self.tally.closed or self.elsewhere or self.n_own or self.n_meanwhile)

    @property
    def n_refused(self) -> int:
        """Conversations that the model declined to label, now or earlier."""
        return self._found_refused + self.tally.refused

    @property
    def n_invalid(self) -> int:
        """Conversations whose replies stayed invalid, now or earlier."""
        return self._found_invalid + self.tally.invalid

    @property
    def beyond_budget_usd(self) -> float:
        """About what those beyond the budget would cost, at the mean of those that were reckoned."""
        return self.beyond_budget * self._est_usd / max(1, self.claimed)

    def run(self) -> None:
        """Send what is missing. What was claimed and not sent is given back, whatever happens."""
        self._settler.on_settled = self._settled
        try:
            self._transport.send(self._prepared(), self._settler)
        finally:
            self._settler.on_settled = None
            if self._open:
                self._ledger.release(sorted(self._open))

    def _settled(self, request_ids: Sequence[str]) -> None:
        with self._lock:
            for request_id in request_ids:
                self._open.pop(request_id, None)
            self._told.done(self.n_found + self.tally.closed)

    def _prepared(self) -> Iterator[Prepared]:
        for part in parts_of_items(self._items):
            for facet_ids, some in self._lacking(part).items():
                if self.beyond_budget:
                    self.beyond_budget += len(some)
                else:
                    yield from self._claim(facet_ids, some)

    def _lacking(self, part: Sequence[Item]) -> dict[tuple[str, ...], list[Item]]:
        """Items without all answers, each content once, by the facets that they lack."""
        items = {item.content_hash: item for item in part}
        known = {id_: self._read(list(items), id_) for id_ in self._facets}
        self._imply(list(items), known)
        groups: dict[tuple[str, ...], list[Item]] = {}
        refused = invalid = 0
        for content_hash, item in items.items():
            lacking = tuple(id_ for id_ in self._facets if content_hash not in known[id_])
            if lacking:
                groups.setdefault(lacking, []).append(item)
                continue
            statuses = {known[id_][content_hash].status for id_ in self._facets}
            refused += Status.REFUSED in statuses
            invalid += Status.INVALID in statuses
        with self._lock:
            self.n_items += len(part)
            self.n_found += len(part) - sum(map(len, groups.values()))
            self._found_refused += refused
            self._found_invalid += invalid
            self._told.done(self.n_found + self.tally.closed)
        return groups

    def _read(self, hashes: Sequence[str], facet_id: str) -> dict[str, Answer]:
        found = self._ledger.answers.read(hashes, self._facets[facet_id], self._labeller, self._hashes[facet_id])
        return {content_hash: answer for content_hash, (answer, _) in found.items()}

    def _imply(self, hashes: Sequence[str], known: dict[str, dict[str, Answer]]) -> None:
        """Answer without a request what is said of events where there are none."""
        for id_, facet in self._facets.items():
            if facet.of is None:
                continue
            now: dict[str, Answer] = {}
            for content_hash in hashes:
                base = known[facet.of].get(content_hash)
                if content_hash not in known[id_] and base and (answer := implied(facet, base)):
                    now[content_hash] = answer
            if now:
                self._ledger.answers.add(now, facet, self._labeller, self._hashes[id_], datetime.now(UTC))
                known[id_] |= now

    def _ask(self, facet_ids: tuple[str, ...]) -> Ask:
        """The ask of these facets, and of those whose events they describe."""
        if facet_ids not in self._asks:
            wanted = {*facet_ids, *(self._facets[id_].of for id_ in facet_ids)}
            ask = Ask(tuple(f for f in self._facets.values() if f.id in wanted), self._questions.scope)
            self._settler.knows(ask)
            self._asks[facet_ids] = ask
        return self._asks[facet_ids]

    def _claim(self, facet_ids: tuple[str, ...], items: Sequence[Item]) -> Iterator[Prepared]:
        ask = self._ask(facet_ids)
        views = {item.content_hash: ask.view(item.conversation) for item in items}
        wanted = self._wanted(ask, items, views)
        hashes = [one.content_hash for one in wanted]
        with self._lock:
            mine = set(self._open.values()) & set(hashes)
        # The questions are those that are missing: events known already are asked again only to be described.
        asked = Asked(ask.hash, ask.to_json(), tuple(self._hashes[id_] for id_ in facet_ids))
        claim = self._ledger.claim(
            wanted,
            asked,
            model=self._questions.model,
            labeller=self._labeller,
            stage=ask.stage,
            transport=self._transport.name,
            budget=self._budget,
        )
        del items, wanted
        with self._lock:
            self._open.update((request.id, request.content_hash) for request in claim.requests)
            self.claimed += len(claim.requests)
            self.beyond_budget += claim.beyond_budget
            self._est_usd += sum(request.est_usd for request in claim.requests)
            # A content that came before in this pass, and is being asked, counts as found.
            again = len(mine - {request.content_hash for request in claim.requests})
            self.n_found += again
            self.n_own += max(0, claim.own - again)
            self.n_meanwhile += claim.answered
        if claim.foreign:
            self.elsewhere.append((asked, hashes))
        for request in claim.requests:
            yield Prepared(request, partial(_params, ask, views.pop(request.content_hash), request))

    def _wanted(self, ask: Ask, items: Sequence[Item], views: dict[str, View]) -> list[Wanted]:
        overhead, output, is_batch = ask.overhead_tokens, ask.expected_output_tokens, self._transport.name == "batch"
        wanted = []
        for item in items:
            view = views[item.content_hash]
            tokens = overhead + view.tokens
            dollars = usd(self._price, Usage(tokens, output), is_batch)
            wanted.append(Wanted(item.content_hash, item.day, view.positions_json(), tokens, dollars))
        return wanted


def _params(ask: Ask, view: View, request: Request) -> dict[str, Any]:
    """What is sent. After a reply that was cut off or wrong there is more room: it costs only where it is used."""
    params = ask.params(view, request.model)
    return {**params, "max_tokens": params["max_tokens"] * 2 ** min(request.answered, 3)}


def parts_of_items(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The items in parts that can be held."""
    part: list[Item] = []
    characters = 0
    for item in items:
        part.append(item)
        characters += sum(len(m.content) for m in item.conversation.messages)
        if len(part) >= PART or characters >= PART_CHARACTERS:
            yield part
            part, characters = [], 0
    if part:
        yield part
