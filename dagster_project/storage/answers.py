"""Answers that were given before, by keyed hash of content: what is here is never asked again.

Lives here: the one table of answers and its reading, adding and erasing, on any `Database`: an organisation's
ledger or one home's own file. No conversation is in it; only a facet answered in free text leaves text here.
Not here: keyed hashes (`pseudonyms.py`), who asks (`classifiers/`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Column, Integer, MetaData, String, Table, Text, bindparam, delete, select
from sqlalchemy.engine import Connection

from dagster_project.codebook.schema import Facet
from dagster_project.domain.labels import Answer, Status, Value
from dagster_project.storage.database import Database, parts_of

Dated = tuple[Answer, datetime]
"""An answer, and when it was first given (UTC)."""

METADATA = MetaData()
ANSWERS = Table(
    "answers",
    METADATA,
    Column("content_hash", String(64), primary_key=True),
    Column("labeller", String(128), primary_key=True),
    Column("facet", String(64), primary_key=True),
    Column("facet_version", Integer, primary_key=True, autoincrement=False),
    Column("prompt_hash", String(64), primary_key=True),
    Column("answer", Text, nullable=False),
    Column("labelled_at", String(40), nullable=False),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class Given:
    """An answer with what it answers: facet, its version and the digest of how it was asked, and by whom."""

    labeller: str
    facet: str
    facet_version: int
    prompt_hash: str
    answer: Answer


class AnswerStore:
    """Answers by (content hash, labeller, facet, facet version, prompt hash). The first answer given stays."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, hashes: Sequence[str], facet: Facet, labeller: str, prompt_hash: str) -> dict[str, Dated]:
        """The answers known, by content hash."""
        asked = (
            select(ANSWERS.c.content_hash, ANSWERS.c.answer, ANSWERS.c.labelled_at)
            .where(ANSWERS.c.content_hash.in_(bindparam("hashes", expanding=True)))
            .where(ANSWERS.c.labeller == labeller, ANSWERS.c.facet == facet.id)
            .where(ANSWERS.c.facet_version == facet.version, ANSWERS.c.prompt_hash == prompt_hash)
        )
        found: dict[str, Dated] = {}
        with self._database.reading() as connection:
            for part in parts_of(hashes):
                for row in connection.execute(asked, {"hashes": list(part)}):
                    found[row.content_hash] = answer_of(row.answer), datetime.fromisoformat(row.labelled_at)
        return found

    def add(
        self, answers: Mapping[str, Answer], facet: Facet, labeller: str, prompt_hash: str, labelled_at: datetime
    ) -> None:
        """Keep answers by content hash; one that is already there is left as it is."""
        given = [(h, Given(labeller, facet.id, facet.version, prompt_hash, a)) for h, a in answers.items()]
        with self._database.writing() as connection:
            self.put(connection, given, labelled_at)

    def put(self, connection: Connection, given: Iterable[tuple[str, Given]], labelled_at: datetime) -> None:
        """The same as a part of somebody's transaction: (content hash, answer given)."""
        at = labelled_at.astimezone(UTC).isoformat()
        rows = [
            {
                "content_hash": content_hash,
                "labeller": one.labeller,
                "facet": one.facet,
                "facet_version": one.facet_version,
                "prompt_hash": one.prompt_hash,
                "answer": json_of(one.answer),
                "labelled_at": at,
            }
            for content_hash, one in given
        ]
        if rows:
            # In the order of the key: two who add the same rows must meet, and not wait for each other in a circle.
            rows.sort(key=lambda row: [str(value) for value in row.values()])
            connection.execute(self._database.insert(ANSWERS).on_conflict_do_nothing(), rows)

    def answered(
        self, connection: Connection, hashes: Sequence[str], labeller: str, prompt_hashes: Sequence[str]
    ) -> set[str]:
        """Those of the contents for which this labeller answered at least one of the prompts."""
        asked = (
            select(ANSWERS.c.content_hash)
            .distinct()
            .where(ANSWERS.c.content_hash.in_(bindparam("hashes", expanding=True)))
            .where(ANSWERS.c.labeller == labeller)
            .where(ANSWERS.c.prompt_hash.in_(bindparam("prompts", expanding=True)))
        )
        found: set[str] = set()
        for part in parts_of(hashes):
            found.update(connection.execute(asked, {"hashes": list(part), "prompts": list(prompt_hashes)}).scalars())
        return found

    def remove(self, connection: Connection, hashes: Sequence[str]) -> int:
        """Delete every answer about these contents as a part of somebody's transaction; how many there were."""
        gone = 0
        gone_with = delete(ANSWERS).where(ANSWERS.c.content_hash.in_(bindparam("hashes", expanding=True)))
        for part in parts_of(hashes):
            gone += connection.execute(gone_with, {"hashes": list(part)}).rowcount
        return gone

    def delete(self, hashes: Iterable[str]) -> int:
        """Erase every answer about these contents, and the space they took; returns how many there were."""
        with self._database.writing() as connection:
            gone = self.remove(connection, list(hashes))
        self._database.forget_deleted(ANSWERS)
        return gone


def json_of(answer: Answer) -> str:
    """An answer as it is kept: status, values and, where there is one, text."""
    values = [[v.category, v.score, v.message_index] for v in answer.values]
    kept: list[object] = [answer.status.value, values]
    if answer.text is not None:
        kept.append(answer.text)
    return json.dumps(kept, separators=(",", ":"))


def answer_of(kept: str) -> Answer:
    """The answer that `json_of` wrote."""
    status, values, *text = json.loads(kept)
    return Answer(Status(status), tuple(Value(*v) for v in values), *text)
