"""What of a conversation is kept under keyed hashes, and taking it out: answers, vectors, the ledger of requests.

An answer given about a content stays where a conversation that is not erased has the very same content (it was paid
for, and it is that one's answer too). A vector always goes: it is a function of its text and made again for nothing.
Not here: which conversations go (`survey.py`), how the caches keep things.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

from dagster_project.classifiers.cache import AnswerCache
from dagster_project.classifiers.local.reading import MESSAGE_CHARACTERS, edges, screen_view, turns
from dagster_project.domain.conversations import Conversation, Message, Role
from dagster_project.erasing.survey import Doomed
from dagster_project.labelling import conversations_of_day
from dagster_project.storage.ingest_index import IngestIndex
from dagster_project.storage.landing_rewriting import rows_of
from dagster_project.storage.request_ledger.ledger import RequestLedger
from dagster_project.topics.reading import embedded_windows
from dagster_project.workspace import Workspace

_AT_ONCE = 200


@dataclass
class Forgotten:
    """Rows that went, by store."""

    answers: int = 0
    vectors: int = 0
    requests: int = 0


@contextmanager
def ledger_of(workspace: Workspace) -> Iterator[RequestLedger | None]:
    """The ledger of requests, open for an erasure alone; None where no request was ever entered for this home.

    Raises DatabaseError or LedgerError where it cannot be opened.
    """
    if workspace.settings.ledger.url is None and not workspace.home.request_ledger.exists():
        yield None
        return
    with Workspace.open(workspace.home.root).ledger as ledger:
        yield ledger


def forget(
    workspace: Workspace,
    index: IngestIndex,
    ledger: RequestLedger | None,
    day: date,
    doomed: Doomed,
    so_far: Forgotten,
) -> None:
    """Take out what is kept under hashes of a day's doomed conversations, in all their versions."""
    contents: dict[str, str | None] = {}
    versions = _versions(workspace, day, doomed)
    while part := list(islice(versions, _AT_ONCE)):
        texts = {text for conversation, _ in part for text in embedded_texts(conversation)}
        # Those of descriptions are kept under the content that they describe.
        hashes = {*map(workspace.vectors.hash_of, texts), *(content_hash for _, content_hash in part)}
        so_far.vectors += workspace.vectors.delete(sorted(hashes))
        for conversation, content_hash in part:
            contents[content_hash] = ledger.content(conversation) if ledger else None
    gone = set(contents) - index.shared(contents)
    so_far.answers += AnswerCache(workspace.home.cache / "answers.sqlite").delete(sorted(gone))
    if ledger and gone:
        so_far.requests += ledger.erase(sorted(filter(None, (contents[one] for one in gone))))


def embedded_texts(conversation: Conversation) -> set[str]:
    """Every text that the local classifier or the topics may have embedded of a conversation, and some they did not."""
    human = [m.content for m in conversation.human_messages]
    texts = {*screen_view(conversation).windows, *(turn.window for turn in turns(conversation))}
    texts.update(edges(content, MESSAGE_CHARACTERS) for content in human)
    texts.update(embedded_windows(human))
    return texts


def _versions(workspace: Workspace, day: date, doomed: Doomed) -> Iterator[tuple[Conversation, str]]:
    """Every version of the conversations that landing holds, and the lake's own, with their content hashes."""
    seen: set[tuple[str, str]] = set()
    for part in workspace.landing.parts(day):
        for row in rows_of(part, doomed.only):
            key, content_hash = str(row["conversation_key"]), str(row["content_hash"])
            seen.add((key, content_hash))
            yield _conversation(row), content_hash
    for keyed in conversations_of_day(workspace.lake, day, None if doomed.whole else doomed.conversations):
        if (keyed.conversation.conversation_id, keyed.content_hash) not in seen:
            yield keyed.conversation, keyed.content_hash


def _conversation(row: dict[str, Any]) -> Conversation:
    messages: Iterable[dict[str, Any]] = row["messages"]
    return Conversation(
        row["conversation_key"],
        row["user_key"],
        row["started_at"],
        tuple(Message(Role(m["role"]), m["content"], m["created_at"]) for m in messages),
        row["surface"],
    )
