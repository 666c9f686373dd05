"""What labelling would cost before anything is sent: requests, tokens and dollars, by model.

Lives here: going through the days as a run would, against what the ledger already knows. Tokens are counted by the
server on a sample where it can (`count_tokens` costs nothing) and estimated from characters otherwise; the result says
which. Not here: prices (`prices.py`), what a run sends (`passes.py`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from dagster_project.classifiers.claude.answers import ItemsOf, patience_of, price_now
from dagster_project.classifiers.claude.client import sync_client
from dagster_project.classifiers.claude.passes import parts_of_items
from dagster_project.classifiers.claude.prices import Price, usd
from dagster_project.classifiers.claude.prompt import Ask, facet_hash
from dagster_project.classifiers.interface import Keyed
from dagster_project.codebook.schema import Facet
from dagster_project.domain.conversations import Conversation
from dagster_project.settings import Settings
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.records import Usage

COUNTED = 24
"""Requests of a stage whose tokens the server is asked to count."""


@dataclass
class StageEstimate:
    """One stage's requests so far. sample: some of them, spread over all, for the server to count."""

    model: str
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    sample: list[tuple[Ask, Conversation, int]] = field(default_factory=list)

    def add(self, ask: Ask, conversation: Conversation) -> None:
        """One more request."""
        tokens = ask.overhead_tokens + ask.view(conversation).tokens
        if self.requests < COUNTED or self.requests % 997 == 0:
            self.sample = [*self.sample[-(COUNTED - 1) :], (ask, conversation, tokens)]
        self.requests += 1
        self.input_tokens += tokens
        self.output_tokens += ask.expected_output_tokens

    def add_missing(self, ledger: RequestLedger, facets: Sequence[Facet], conversations: Iterable[Keyed]) -> None:
        """The requests that labelling these conversations would send, by what the ledger lacks."""
        hashes = {f.id: facet_hash(f) for f in facets}
        asks: dict[tuple[str, ...], Ask] = {}
        seen: set[str] = set()
        for part in parts_of_items(ItemsOf(ledger, conversations)):
            contents = {i.content_hash: i for i in part if i.content_hash not in seen}
            seen.update(contents)
            known = {f.id: ledger.answers.read(list(contents), f, self.model, hashes[f.id]) for f in facets}
            for content_hash, item in contents.items():
                lacking = tuple(f.id for f in facets if content_hash not in known[f.id])
                if not lacking:
                    continue
                if lacking not in asks:
                    wanted = {*lacking, *(f.of for f in facets if f.id in lacking)}
                    asks[lacking] = Ask(tuple(f for f in facets if f.id in wanted))
                self.add(asks[lacking], item.conversation)


def priced(settings: Settings, stages: Sequence[StageEstimate], on: date) -> dict[str, Any]:
    """The estimate in the words of the command: sums, and by model. Raises PriceError."""
    price_of = price_now(settings)
    batch = settings.claude.transport == "batch"
    counted = [_calibrate(stage, _counter(settings)) for stage in stages if stage.requests]
    by_model: dict[str, dict[str, Any]] = {}
    for stage in stages:
        row = by_model.setdefault(stage.model, {"requests": 0, "input_tokens": 0, "output_tokens": 0, "usd": 0.0})
        row["requests"] += stage.requests
        row["input_tokens"] += stage.input_tokens
        row["output_tokens"] += stage.output_tokens
        row["usd"] = round(row["usd"] + _dollars(stage, price_of(stage.model), batch), 4)
    sums = {name: sum(row[name] for row in by_model.values()) for name in ("requests", "input_tokens", "output_tokens")}
    return {
        **sums,
        "usd": round(sum(row["usd"] for row in by_model.values()), 4),
        "by_model": by_model,
        "transport": settings.claude.transport,
        "prices_of": on.isoformat(),
        "tokens": "counted on a sample" if counted and all(counted) else "estimated from characters",
    }


def _dollars(stage: StageEstimate, price: Price, batch: bool) -> float:
    """The stage's price: a request of mean size, so many times. Nothing is taken to be read from a prompt cache."""
    n = stage.requests
    return n * usd(price, Usage(round(stage.input_tokens / n), round(stage.output_tokens / n)), batch) if n else 0.0


def _calibrate(stage: StageEstimate, count: Callable[[dict[str, Any]], int | None]) -> bool:
    """Set the stage's tokens right by what the server counts of its sample; whether it could be asked."""
    ours = theirs = 0
    for ask, conversation, tokens in stage.sample[:COUNTED]:
        found = count(ask.params(ask.view(conversation), stage.model))
        if found is None:
            return False
        ours, theirs = ours + tokens, theirs + found
    stage.input_tokens = round(stage.input_tokens * theirs / ours) if ours else stage.input_tokens
    return True


def _counter(settings: Settings) -> Callable[[dict[str, Any]], int | None]:
    """Counts a request's tokens at the server; None once it cannot."""
    try:
        client: Any = sync_client(patience_of(settings)).with_options(timeout=20.0, max_retries=0)
    except Exception:
        return lambda _: None

    def count(params: dict[str, Any]) -> int | None:
        sent = {name: value for name, value in params.items() if name != "max_tokens"}
        try:
            return int(client.messages.count_tokens(**sent).input_tokens)
        except Exception:
            # No key, no server, or one that does not count: said in the result, and no reason to fail.
            return None

    return count
