"""What was answered or embedded before: kept by keyed hash of content, so that a re-run pays only for what is new.

Lives here: the answer cache (enums, numbers and times; no text) with the wrapper that asks only for what is missing,
and the vector cache. Both are SQLite files of the private zone, safe with several processes. Not here: the keyed
hashes (`storage/pseudonyms.py`), the classifiers, the embedder.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from dagster_project.classifiers.interface import Account, Classifier, Dated, Keyed, Progress
from dagster_project.codebook.schema import Facet
from dagster_project.domain.labels import Answer, Status, Value
from dagster_project.storage.files import private_folder

CHUNK = 256
BUSY_SECONDS = 60
_ASKED_AT_ONCE = 400  # below SQLite's smallest limit on parameters


class Embeds(Protocol):
    """An embedder, as `classifiers.local.embedder.Embedder`."""

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


@contextmanager
def _opened(path: Path, schema: str) -> Iterator[sqlite3.Connection]:
    """One short connection in one transaction. Created 0600 before SQLite touches it (WAL files take its mode)."""
    if not path.exists():
        private_folder(path.parent)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute(schema)
        with connection:
            yield connection


_T = TypeVar("_T")


def _parts(items: Sequence[_T], size: int = _ASKED_AT_ONCE) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _delete(path: Path, schema: str, table: str, hashes: Iterable[str]) -> int:
    """Delete rows by content hash, and every trace of them in the file. Returns the number of rows.

    `secure_delete` overwrites a row, not the copies that a page keeps in its gaps from before it was split: so the file
    is written anew.
    """
    if not path.exists():
        return 0
    gone = 0
    with _opened(path, schema) as connection:
        for part in _parts(list(hashes)):
            marks = ",".join("?" * len(part))
            gone += connection.execute(f"DELETE FROM {table} WHERE content_hash IN ({marks})", list(part)).rowcount
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return gone


_ANSWERS = """CREATE TABLE IF NOT EXISTS answers (
    content_hash TEXT NOT NULL, labeller TEXT NOT NULL, facet TEXT NOT NULL, facet_version INTEGER NOT NULL,
    prompt_hash TEXT NOT NULL, answer TEXT NOT NULL, labelled_at TEXT NOT NULL,
    PRIMARY KEY (content_hash, labeller, facet, facet_version, prompt_hash)) WITHOUT ROWID"""


class AnswerCache:
    """Answers by (content hash, labeller, facet, facet version, prompt hash). The first answer given stays."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, hashes: Sequence[str], facet: Facet, labeller: str, prompt_hash: str) -> dict[str, Dated]:
        """The answers known, by content hash."""
        found: dict[str, Dated] = {}
        with _opened(self.path, _ANSWERS) as connection:
            for part in _parts(hashes):
                marks = ",".join("?" * len(part))
                rows = connection.execute(
                    "SELECT content_hash, answer, labelled_at FROM answers WHERE labeller = ? AND facet = ? "
                    f"AND facet_version = ? AND prompt_hash = ? AND content_hash IN ({marks})",
                    [labeller, facet.id, facet.version, prompt_hash, *part],
                )
                found.update({h: (_answer_of(a), datetime.fromisoformat(at)) for h, a, at in rows})
        return found

    def add(
        self, answers: Mapping[str, Answer], facet: Facet, labeller: str, prompt_hash: str, labelled_at: datetime
    ) -> None:
        """Keep answers by content hash; one that is already there is left as it is."""
        at = labelled_at.astimezone(UTC).isoformat()
        with _opened(self.path, _ANSWERS) as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(h, labeller, facet.id, facet.version, prompt_hash, _json_of(a), at) for h, a in answers.items()],
            )

    def delete(self, hashes: Iterable[str]) -> int:
        """Erase every answer about these contents; returns how many there were."""
        return _delete(self.path, _ANSWERS, "answers", hashes)


def _json_of(answer: Answer) -> str:
    values = [[v.category, v.score, v.message_index] for v in answer.values]
    return json.dumps([answer.status.value, values], separators=(",", ":"))


def _answer_of(text: str) -> Answer:
    status, values = json.loads(text)
    return Answer(Status(status), tuple(Value(*v) for v in values))


class CachedClassifier:
    """Asks a classifier only for what the cache lacks, and gives every answer with the time of its first giving.

    hits, misses: answers found and answers asked so far. `now` is the clock (UTC).
    """

    def __init__(
        self, classifier: Classifier, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.classifier = classifier
        self.cache = AnswerCache(path)
        self.hits = 0
        self.misses = 0
        self._now = now

    @property
    def labeller(self) -> str:
        return self.classifier.labeller

    def measures(self, facet: Facet) -> bool:
        return self.classifier.measures(facet)

    def prompt_hash(self, facet: Facet) -> str:
        return self.classifier.prompt_hash(facet)

    def ask_ahead(
        self, facets: Sequence[Facet], conversations: Iterable[Keyed], progress: Progress | None = None
    ) -> None:
        """Nothing: asking this classifier together is no cheaper than asking it when the answers are wanted."""

    def account(self) -> Account:
        """Answers found and asked so far; nothing is paid."""
        return Account(self.hits, self.misses)

    def classify(
        self, facets: Sequence[Facet], conversations: Sequence[Keyed], progress: Progress | None = None
    ) -> Iterator[dict[str, Dated]]:
        """One mapping a conversation, in their order: facet id -> (answer, labelled_at).

        Kept as it goes, `CHUNK` conversations at a time: what a killed run had answered is not asked again. Equal
        contents are asked once.
        """
        for part in _parts(conversations, CHUNK):
            hashes = list(dict.fromkeys(k.content_hash for k in part))
            known = {f.id: self._read(hashes, f) for f in facets}
            missing: dict[tuple[str, ...], list[Keyed]] = {}
            for item in {k.content_hash: k for k in part}.values():
                lacking = tuple(f.id for f in facets if item.content_hash not in known[f.id])
                if lacking:
                    missing.setdefault(lacking, []).append(item)
            for lacking, items in missing.items():
                self._ask([f for f in facets if f.id in lacking], items, known)
            asked = sum(len(lacking) * len(items) for lacking, items in missing.items())
            self.misses += asked
            self.hits += len(part) * len(facets) - asked
            for item in part:
                yield {f.id: known[f.id][item.content_hash] for f in facets}
            if progress:
                progress(len(part))

    def _read(self, hashes: Sequence[str], facet: Facet) -> dict[str, Dated]:
        return self.cache.read(hashes, facet, self.labeller, self.prompt_hash(facet))

    def _ask(self, facets: Sequence[Facet], items: Sequence[Keyed], known: dict[str, dict[str, Dated]]) -> None:
        labelled = list(self.classifier.classify(facets, [k.conversation for k in items]))
        at = self._now()
        for facet in facets:
            given = {k.content_hash: one.answers[facet.id] for k, one in zip(items, labelled, strict=True)}
            self.cache.add(given, facet, self.labeller, self.prompt_hash(facet), at)
            # Read back: another process may have been first, and its answer and time are the ones that stay.
            known[facet.id].update(self._read(list(given), facet))


_VECTORS = """CREATE TABLE IF NOT EXISTS vectors (
    content_hash TEXT NOT NULL, embedder TEXT NOT NULL, vector BLOB NOT NULL,
    PRIMARY KEY (content_hash, embedder)) WITHOUT ROWID"""


class VectorCache:
    """An embedder that remembers: float16 vectors by (keyed hash, embedder name). Itself an `Embedder`.

    hash_of: keyed hash of a text (never a plain one: a short text could be guessed from it).
    """

    def __init__(self, embedder: Embeds, path: Path, hash_of: Callable[[str], str]) -> None:
        self.embedder = embedder
        self.path = path
        self.hash_of = hash_of
        self.hits = 0
        self.misses = 0

    @property
    def name(self) -> str:
        return self.embedder.name

    @property
    def dimension(self) -> int:
        return self.embedder.dimension

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts, each kept under the keyed hash of the text itself."""
        return self.embed_cached(texts, [self.hash_of(text) for text in texts])

    def embed_cached(self, texts: Sequence[str], hashes: Sequence[str], about: str = "") -> NDArray[np.float32]:
        """Vectors of texts, kept under the hashes given, shape (len(texts), dimension), float32 of half precision.

        about: what else decides a text of this hash, where it is not the hash of the text itself.
        """
        name = f"{self.name}/{about}" if about else self.name
        found: dict[str, bytes] = {}
        with _opened(self.path, _VECTORS) as connection:
            for part in _parts(list(dict.fromkeys(hashes))):
                marks = ",".join("?" * len(part))
                found.update(
                    connection.execute(
                        f"SELECT content_hash, vector FROM vectors WHERE embedder = ? AND content_hash IN ({marks})",
                        [name, *part],
                    ).fetchall()
                )
        new = {h: text for h, text in zip(hashes, texts, strict=True) if h not in found}
        self.misses += len(new)
        self.hits += len(texts) - len(new)
        for part in _parts(list(new), CHUNK):
            vectors = self.embedder.embed([new[h] for h in part]).astype("<f2")
            fresh = {h: vector.tobytes() for h, vector in zip(part, vectors, strict=True)}
            with _opened(self.path, _VECTORS) as connection:
                connection.executemany(
                    "INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", [(h, name, v) for h, v in fresh.items()]
                )
            found.update(fresh)
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.stack([np.frombuffer(found[h], dtype="<f2") for h in hashes]).astype(np.float32)

    def delete(self, hashes: Iterable[str]) -> int:
        """Erase the vectors under these hashes; returns how many there were."""
        return _delete(self.path, _VECTORS, "vectors", hashes)
