"""Claude as a labeller with a memory: what the ledger knows is read, what it lacks is asked, whole ranges at once.

Lives here: putting ledger, transport and asker together by the settings, and the `Answers` of one stage. Not here:
how it is asked (`asking.py`), what it costs (`prices.py`), opening the ledger (`workspace.py`).
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.classifiers.claude.prompt import facet_hash
from dagster_project.classifiers.interface import Account, Dated, Keyed, Progress, Spent
from dagster_project.codebook.schema import AnswerType, Facet
from dagster_project.settings import Settings
from dagster_project.storage.request_ledger.records import Budget

if TYPE_CHECKING:
    from dagster_project.classifiers.claude.asking import Asker
    from dagster_project.classifiers.claude.client import Patience
    from dagster_project.classifiers.claude.passes import Item
    from dagster_project.classifiers.claude.prices import Price
    from dagster_project.classifiers.claude.window import SentimentScope
    from dagster_project.storage.request_ledger.ledger import RequestLedger

LOG = logging.getLogger("dagster_project.claude")
"""How batches stand, in counts, days and batch ids: Dagster shows it with the run."""


class ClaudeAnswers:
    """One stage's answers by one model.

    ledger, asker: opened when first needed. scope: whose tone is asked (`prompt.Ask`).
    """

    def __init__(
        self,
        stage: str,
        model: str,
        ledger: Callable[[], "RequestLedger"],
        asker: Callable[[], "Asker"],
        scope: "SentimentScope" = "edges",
    ) -> None:
        self._stage, self._model, self._scope = stage, model, scope
        self._ledger, self._asker = ledger, asker
        self._found = self._asked = 0

    @property
    def labeller(self) -> str:
        """The model's own id."""
        return self._model

    def measures(self, facet: Facet) -> bool:
        """Every facet of the stage: a codebook's own ones too."""
        return facet.stage == self._stage and facet.answer is not AnswerType.CLUSTER

    def prompt_hash(self, facet: Facet) -> str:
        """Digest of all that decides the answer besides conversation and model."""
        return facet_hash(facet, self._scope)

    def ask_ahead(
        self, facets: Sequence[Facet], conversations: Iterable[Keyed], progress: Progress | None = None
    ) -> None:
        """Ask all that the ledger lacks. conversations: may be gone through several times.

        Raises what `Asker.answer_all` raises; what was answered by then is kept.
        """
        from dagster_project.classifiers.claude.passes import Questions

        questions = Questions(tuple(facets), self._model, self._scope)
        report = self._asker().answer_all(questions, ItemsOf(self._ledger(), conversations), progress)
        self._found += report.found * len(facets)
        self._asked += (report.conversations - report.found) * len(facets)

    def classify(
        self, facets: Sequence[Facet], conversations: Sequence[Keyed], progress: Progress | None = None
    ) -> Iterator[Mapping[str, Dated]]:
        """As `Answers.classify`: what was not asked ahead is asked now. Progress is told of that alone."""
        ledger = self._ledger()
        hashes = [ledger.content(one.conversation) for one in conversations]
        known = {facet.id: self._read(hashes, facet) for facet in facets}
        missing = [k for k, h in zip(conversations, hashes, strict=True) if any(h not in known[f.id] for f in facets)]
        if missing:
            self.ask_ahead(facets, missing, progress)
            known = {facet.id: self._read(hashes, facet) for facet in facets}
        for content_hash in hashes:
            yield {facet.id: known[facet.id][content_hash] for facet in facets}

    def account(self) -> Account:
        """Answers found and asked, and what was paid in this run."""
        ledger = self._ledger()
        costs = [c for c in ledger.costs(ledger.owner) if c.stage == self._stage]
        spent = tuple(
            Spent(
                c.day.isoformat(),
                c.model,
                c.requests,
                c.input_tokens + c.cache_write_tokens + c.cache_read_tokens,
                c.output_tokens,
                round(c.usd, 6),
            )
            for c in costs
        )
        usd = round(sum(c.usd for c in costs), 6)
        return Account(self._found, self._asked, sum(c.requests for c in costs), usd, spent)

    def _read(self, hashes: Sequence[str], facet: Facet) -> dict[str, Dated]:
        return self._ledger().answers.read(hashes, facet, self._model, self.prompt_hash(facet))


class ItemsOf:
    """Conversations with the ledger's hash and their day, as often as they are gone through."""

    def __init__(self, ledger: "RequestLedger", conversations: Iterable[Keyed]) -> None:
        self._ledger, self._conversations = ledger, conversations

    def __iter__(self) -> Iterator["Item"]:
        from dagster_project.classifiers.claude.passes import Item

        for one in self._conversations:
            at = one.conversation.started_at
            day = (at.astimezone(UTC) if at else datetime.now(UTC)).date()
            yield Item(one.conversation, self._ledger.content(one.conversation), day)


def claude_answers(
    settings: Settings, ledger: Callable[[], "RequestLedger"], folder: Path, scope: "SentimentScope" = "edges"
) -> dict[str, ClaudeAnswers]:
    """The answers of each stage by the settings' models. folder: private, for what is about to be sent."""
    models = {"screen": settings.claude.screen_model, "detail": settings.claude.detail_model}
    asker = cache(lambda: asker_of(settings, ledger(), folder))
    return {stage: ClaudeAnswers(stage, model, ledger, asker, scope) for stage, model in models.items()}


def asker_of(settings: Settings, ledger: "RequestLedger", folder: Path) -> "Asker":
    """Who asks, over the transport that the settings choose; batches left open are settled whichever it is."""
    from dagster_project.classifiers.claude.asking import Asker
    from dagster_project.classifiers.claude.batch import BatchTransport
    from dagster_project.classifiers.claude.live import LiveTransport
    from dagster_project.classifiers.claude.transport import Transport

    chosen, patience = settings.claude, patience_of(settings)
    batches = BatchTransport(ledger, folder, patience=patience, note=LOG.info)
    transport: Transport = batches
    if chosen.transport == "live":
        transport = LiveTransport(
            ledger,
            requests_per_minute=chosen.requests_per_minute,
            tokens_per_minute=chosen.tokens_per_minute,
            max_concurrency=chosen.max_concurrency,
            patience=patience,
        )
    return Asker(
        ledger,
        transport,
        batches.settle_open,
        labeller_of=str,
        price_of=price_now(settings),
        patience=patience,
        budget=budget_of(settings),
        max_invalid_share=chosen.max_invalid_share,
    )


def patience_of(settings: Settings) -> "Patience":
    """How long is waited for what, by the settings."""
    from dagster_project.classifiers.claude.client import Patience

    chosen = settings.claude
    return Patience(
        read=chosen.timeout_seconds,
        call=chosen.timeout_seconds,
        poll=chosen.batch_poll_seconds,
        reconcile=chosen.reconcile_seconds,
    )


def price_now(settings: Settings) -> Callable[[str], "Price"]:
    """A model's price today. Raises PriceError, when called, for a model without one."""
    from dagster_project.classifiers.claude.prices import price_of

    overrides = {model: price.model_dump() for model, price in settings.claude.prices.items()}
    return lambda model: price_of(model, datetime.now(UTC).date(), overrides)


def budget_of(settings: Settings) -> Budget | None:
    """What may be spent in this calendar month (UTC), by everybody who shares the ledger."""
    usd = settings.claude.budget_usd
    now = datetime.now(UTC)
    return None if usd is None else Budget(usd, now.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
