"""Asking for all that is missing, once: whichever process, run or home asked before, and whatever happened to it.

Lives here: passes until everything is answered, what earlier runs left, waiting for others, and when to stop. Each pass
is a re-run: it finds what is missing, claims it and sends it; the last is the one that leaves nothing open. So a killed
run needs nothing but another one. Not here: one pass (`passes.py`), sending (`live.py`, `batch.py`), judging replies
(`settling.py`).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dagster_project.classifiers.claude.client import Patience
from dagster_project.classifiers.claude.passes import Item, Pass, Questions, Told
from dagster_project.classifiers.claude.prices import Price
from dagster_project.classifiers.claude.settling import Settler
from dagster_project.classifiers.claude.transport import SettleOpen, Transport
from dagster_project.classifiers.interface import Progress
from dagster_project.errors import ConfideError
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.storage.request_ledger.records import Budget

WORTH_ANOTHER_PASS = 0.02
"""Of the budget: as much must be left, once all is settled, for another pass to spend it. Estimates are cautious, and
what is under way counts by them."""
BUDGET_PASSES = 6
FEW_INVALID = 2
"""Invalid conversations that any run may have, however small it is."""


class BudgetReached(ConfideError):
    """What is left would cost more than the budget has left."""


class NotAnswered(ConfideError):
    """Requests came to nothing again and again, and nothing else was answered."""


class TooManyInvalid(ConfideError):
    """More conversations than allowed could not be labelled. All answers are kept."""


@dataclass(frozen=True)
class Report:
    """What `answer_all` did. conversations: all given. found: had their answers, or came twice. requests: claimed and
    sent, one more for each bad reply; calls tried again on the way are not counted. refused, invalid: conversations
    labelled as that, now or earlier.
    """

    conversations: int
    found: int
    requests: int
    refused: int
    invalid: int
    passes: int


class Asker:
    """Asks one ledger's missing questions over one transport.

    settle_open: see `SettleOpen`. labeller_of: the name that a model's answers are kept under. price_of: a model's
    price now. budget: holds for every claim. max_invalid_share: see `TooManyInvalid`; None allows any.
    """

    def __init__(
        self,
        ledger: RequestLedger,
        transport: Transport,
        settle_open: SettleOpen,
        *,
        labeller_of: Callable[[str], str],
        price_of: Callable[[str], Price],
        patience: Patience,
        budget: Budget | None = None,
        max_invalid_share: float | None = None,
    ) -> None:
        self._ledger, self._transport, self._budget = ledger, transport, budget
        self._labeller_of, self._price_of = labeller_of, price_of
        self._settle_open, self._patience, self._max_invalid_share = settle_open, patience, max_invalid_share
        self._looked_at = float("-inf")

    def answer_all(self, questions: Questions, items: Iterable[Item], progress: Progress | None = None) -> Report:
        """Ask until every item has an answer to every question in the ledger.

        items: gone through once a pass, a part at a time: give a list, or an object that reads files each time.
        progress: told of conversations that have their answers. Raises BudgetReached, NotAnswered, TooManyInvalid,
        TransportError, DatabaseError, PriceError; what was answered by then is kept, and never asked again.
        """
        if iter(items) is items:
            raise ValueError("items are gone through more than once: give a list, not an iterator")
        price = self._price_of(questions.model)
        settler = Settler(self._ledger, self._labeller_of, self._price_of, self._patience)
        self._settle_open(settler)
        self._looked_at = time.monotonic()
        told, found, requests, passes, stops, idle = Told(progress), 0, 0, 0, 0, 0
        while True:
            one = Pass(
                self._ledger,
                self._transport,
                settler,
                questions,
                items,
                price=price,
                budget=self._budget,
                told=told,
            )
            one.run()
            passes += 1
            found = one.n_found if passes == 1 else found
            requests += one.claimed
            if one.beyond_budget:
                stops += 1
                if one.claimed and stops <= BUDGET_PASSES and self._can_spend_more():
                    continue
                raise self._budget_reached(one)
            if not one.is_open:
                break
            idle = 0 if one.has_moved else idle + 1
            if idle > 1:
                raise _not_answered(one)
            self._wait(one, questions.model, settler)
        report = Report(one.n_items, found, requests, one.n_refused, one.n_invalid, passes)
        self._check_share(report)
        return report

    def _wait(self, one: Pass, model: str, settler: Settler) -> None:
        """Until others have answered what they are asking; or for a while, where nothing was answered at all."""
        if not one.has_moved:
            time.sleep(self._patience.longest_wait)
        for asked, hashes in one.elsewhere:
            while self._ledger.foreign(hashes, asked, model):
                time.sleep(self._patience.elsewhere)
                # They may be in a batch whose worker has died meanwhile.
                if time.monotonic() - self._looked_at >= self._patience.poll:
                    self._settle_open(settler)
                    self._looked_at = time.monotonic()
        if one.n_own:
            time.sleep(self._patience.elsewhere)

    def _can_spend_more(self) -> bool:
        assert self._budget is not None
        room = self._budget.usd - self._ledger.spent(self._budget.since)
        return room > WORTH_ANOTHER_PASS * self._budget.usd

    def _budget_reached(self, one: Pass) -> BudgetReached:
        assert self._budget is not None
        spent = self._ledger.spent(self._budget.since)
        about = f", about ${one.beyond_budget_usd:.2f}" if one.claimed else ""
        return BudgetReached(
            f"[claude].budget_usd = {self._budget.usd:g} is reached: ${spent:.2f} spent, {one.beyond_budget} requests "
            f"left to do{about}. All answers are kept: raise the budget and run again to go on"
        )

    def _check_share(self, report: Report) -> None:
        if self._max_invalid_share is None or report.invalid <= FEW_INVALID:
            return
        share = report.invalid / report.conversations
        if share > self._max_invalid_share:
            raise TooManyInvalid(
                f"{report.invalid} of {report.conversations} conversations ({share:.1%}) could not be labelled, their "
                f"replies stayed invalid: [claude].max_invalid_share allows {self._max_invalid_share:.1%}. All answers "
                "are kept: another model asks anew, a higher share accepts them"
            )


def _not_answered(one: Pass) -> NotAnswered:
    why = ", ".join(f"{name}: {n}" for name, n in sorted(one.tally.again.items()))
    return NotAnswered(
        f"{one.tally.again.total()} requests came to nothing again and again ({why}), and nothing else was answered. "
        "All answers are kept: run again when the server is well"
    )
