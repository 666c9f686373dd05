"""Phrases for topics by Claude, made of shared terms alone: a facet that is asked of a list of terms.

Lives here: asking through the labeller's own machinery, so that the same terms are asked about once, each request is in
the ledger and within the budget. Not here: which terms are shared and what a phrase may say (`domain/topics`): the
filter has the last word, and the plain list stands wherever no phrase comes.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from dagster_project.classifiers.interface import Dated
from dagster_project.codebook.loader import read_facet
from dagster_project.codebook.schema import Facet
from dagster_project.domain.conversations import Conversation, Message, Role
from dagster_project.domain.topics.naming import Namer
from dagster_project.errors import ConfideError
from dagster_project.labelling import KeyedConversation
from dagster_project.settings import Settings
from dagster_project.workspace import Workspace

FACET_FILE = Path(__file__).with_name("phrase.yaml")
LOG = logging.getLogger("dagster_project.topics")


class Asked(Protocol):
    """What of a labeller is needed, as `classifiers.interface.Answers`."""

    def classify(
        self, facets: Sequence[Facet], conversations: Sequence[KeyedConversation]
    ) -> Iterator[Mapping[str, Dated]]: ...


def namer_of(workspace: Workspace) -> Namer | None:
    """Claude's phrases where the home asks Claude and wants them, else None, for the plain list. Sends nothing yet.

    Live, whatever the transport of labelling: a release does not wait a day for a batch of a few dozen lines.
    """
    settings = workspace.settings
    if not (workspace.asks_claude and settings.topics.phrases):
        return None
    from dagster_project.classifiers.claude.answers import claude_answers

    return phrases_of(claude_answers(live(settings), lambda: workspace.ledger, workspace.home.tmp)["detail"])


def live(settings: Settings) -> Settings:
    """The settings that phrases are asked with."""
    claude = settings.claude.model_copy(update={"transport": "live", "max_invalid_share": 1.0})
    return settings.model_copy(update={"claude": claude})


def phrases_of(answers: Asked) -> Namer:
    """Asks for a phrase. After the first error nothing more is asked: names never hold up a release."""
    facet = read_facet(FACET_FILE)
    failed = False

    def phrase(terms: Sequence[str]) -> str:
        nonlocal failed
        if failed:
            return ""
        said = Message(Role.USER, "\n".join(terms), None)
        item = KeyedConversation(Conversation("terms", None, datetime.now(UTC), (said,), None), "")
        try:
            (found,) = answers.classify([facet], [item])
        except ConfideError as error:
            failed = True
            LOG.warning("no phrases for topics, their terms are listed instead: %s", error)
            return ""
        return found[facet.id][0].text or ""

    return phrase
