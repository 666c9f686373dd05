"""What topics will ask of others: phrases of Claude, vectors of a server. Told by `confide estimate`, beside labelling.

Lives here: how many requests at most. Topics are found when a period is released, on labels that nobody has yet: both
numbers are bounds from the conversations that were, or are taken to be, analysed. Not here: which those are
(`estimating.py`), prices (`classifiers/claude/prices.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from dagster_project.codebook.loader import read_facet
from dagster_project.domain.conversations import Conversation, Message, Role
from dagster_project.domain.periods import PeriodKind, periods_covering
from dagster_project.domain.topics.naming import MOST_TERMS_IN_NAME, TERMS_IN_NAME
from dagster_project.settings import Settings, host_of
from dagster_project.topics.embedders import AT_ONCE
from dagster_project.topics.phrasing import FACET_FILE, live
from dagster_project.topics.reading import embedded_windows

CHARACTERS_A_TOKEN = 4
DESCRIPTION_CHARACTERS = 100
"""Taken for a description that the labeller will write."""
TERMS = ("job interview", "salary", "promotion", "difficult manager", "notice period")
"""As many terms as a name may have, of the length that they have: a request is priced by them."""


def names_at_most(days: Mapping[date, float], kind: PeriodKind, min_conversations: int) -> int:
    """Phrases asked for, if topics were found anew for every period, in topics as small as the policy allows.

    days: conversations by day, one counted for each of its types. Above every two topics or more there is a parent;
    where siblings are called the same, each is asked for again with a further term.
    """
    rounds = MOST_TERMS_IN_NAME - TERMS_IN_NAME + 1
    topics = [
        int(sum(n for day, n in days.items() if period.start <= day < period.end) // min_conversations)
        for period in periods_covering(days, kind)
    ]
    return sum(rounds * (n + n // 2) for n in topics if n > 1)


def phrases(settings: Settings, labeller: str, requests: int) -> dict[str, Any]:
    """The price of so many phrases, in the words of the command. Raises PriceError."""
    from dagster_project.classifiers.claude.estimate import StageEstimate, priced
    from dagster_project.classifiers.claude.prompt import Ask

    stage = StageEstimate(labeller)
    said = Message(Role.USER, "\n".join(TERMS), None)
    stage.add(Ask((read_facet(FACET_FILE),)), Conversation("terms", None, datetime.now(UTC), (said,), None))
    stage.requests, stage.input_tokens, stage.output_tokens = (
        requests * n for n in (stage.requests, stage.input_tokens, stage.output_tokens)
    )
    found = priced(live(settings), [stage], datetime.now(UTC).date())
    return {
        "requests_at_most": requests,
        "usd_at_most": found["usd"],
        "model": labeller,
        "transport": "live",
        "budget": "claude.budget_usd, with labelling",
    }


@dataclass
class Texts:
    """Pieces of text that a server will be asked to embed. described: one line of the labeller's a conversation."""

    described: bool
    pieces: int = 0
    characters: int = 0

    def add(self, human: Sequence[str]) -> None:
        """One more conversation: its human messages."""
        windows = embedded_windows(human)
        self.pieces += min(len(windows), 1) if self.described else len(windows)
        self.characters += DESCRIPTION_CHARACTERS if self.described else sum(map(len, windows))

    def told(self, settings: Settings) -> dict[str, Any]:
        """In the words of the command. What a server charges, Confide does not know."""
        return {
            "server": host_of(str(settings.topics.embedder_url)),
            "model": settings.topics.embedder_model,
            "texts": self.pieces,
            "requests_at_least": -(-self.pieces // AT_ONCE),
            "tokens": -(-self.characters // CHARACTERS_A_TOKEN),
            "usd": None,
            "budget": "none: the server's own price and limit",
        }
