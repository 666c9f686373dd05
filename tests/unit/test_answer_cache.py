"""The caches: what was answered is never asked again, stays as first given, and can be erased."""

import hashlib
import random
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from dagster_project.classifiers.cache import AnswerCache, CachedClassifier, VectorCache
from dagster_project.codebook.loader import shipped_codebook
from dagster_project.codebook.schema import Facet
from dagster_project.domain.conversations import Conversation, Message, Role
from dagster_project.domain.labels import Answer, Labelled, Status, Value

BOOK = shipped_codebook()
CONTENT, TYPES = BOOK["content_creation"], BOOK["affective_type"]
SECRET = "the canary sings at noon"


@dataclass(frozen=True)
class Keyed:
    conversation: Conversation
    content_hash: str


def keyed(*hashes: str) -> list[Keyed]:
    said = (Message(Role.USER, SECRET),)
    return [Keyed(Conversation(f"c{i}", None, datetime(2026, 1, 1, tzinfo=UTC), said), h) for i, h in enumerate(hashes)]


class Counting:
    """A labeller that counts what it is asked; its answer tells which asking it was."""

    def __init__(self, labeller: str = "fake-1", prompt: str = "p1") -> None:
        self.labeller, self.prompt = labeller, prompt
        self.asked: list[tuple[str, str]] = []

    def measures(self, facet: Facet) -> bool:
        return True

    def prompt_hash(self, facet: Facet) -> str:
        return f"{self.prompt}-{facet.id}"

    def classify(
        self, facets: Sequence[Facet], conversations: Sequence[Conversation], progress: object = None
    ) -> Iterator[Labelled]:
        for conversation in conversations:
            answers = {}
            for facet in facets:
                self.asked.append((conversation.conversation_id, facet.id))
                score = round(len(self.asked) / 1000, 4)
                answers[facet.id] = Answer(Status.OK, (Value(facet.category_ids[0], score, len(self.asked)),))
            yield Labelled(answers)


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 10, 5, 8, 30, 0, 123456, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


def test_a_second_run_asks_nothing_and_gives_equal_answers_and_times(tmp_path: Path) -> None:
    classifier, path = Counting(), tmp_path / "cache" / "answers.sqlite"
    items = keyed("a", "b", "c")
    first_cache = CachedClassifier(classifier, path, Clock())
    first = list(first_cache.classify([CONTENT, TYPES], items))
    assert (first_cache.hits, first_cache.misses) == (0, 6)
    later = CachedClassifier(classifier, path, Clock())
    assert list(later.classify([CONTENT, TYPES], items)) == first
    assert (later.hits, later.misses) == (6, 0)
    assert len(classifier.asked) == 6


def test_only_what_is_missing_is_asked(tmp_path: Path) -> None:
    classifier = Counting()
    cache = CachedClassifier(classifier, tmp_path / "a.sqlite", Clock())
    list(cache.classify([CONTENT], keyed("a", "b")))
    classifier.asked.clear()
    list(cache.classify([CONTENT, TYPES], keyed("a", "b", "new")))
    assert sorted(classifier.asked) == sorted(
        [("c0", "affective_type"), ("c1", "affective_type"), ("c2", "affective_type"), ("c2", "content_creation")]
    )


def test_equal_contents_are_asked_once_and_order_is_kept(tmp_path: Path) -> None:
    classifier = Counting()
    cache = CachedClassifier(classifier, tmp_path / "a.sqlite", Clock())
    hashes = [f"h{i % 300}" for i in range(900)]
    answers = [one["content_creation"][0] for one in cache.classify([CONTENT], keyed(*hashes))]
    assert len(classifier.asked) == 300
    assert (cache.hits, cache.misses) == (600, 300)
    by_hash = dict(zip(hashes, answers, strict=True))
    assert answers == [by_hash[h] for h in hashes]
    assert len({str(a) for a in by_hash.values()}) == 300


@pytest.mark.parametrize("other", [Counting(labeller="fake-2"), Counting(prompt="p2")])
def test_another_labeller_or_prompt_is_asked_anew(tmp_path: Path, other: Counting) -> None:
    path = tmp_path / "a.sqlite"
    list(CachedClassifier(Counting(), path, Clock()).classify([CONTENT], keyed("a")))
    list(CachedClassifier(other, path, Clock()).classify([CONTENT], keyed("a")))
    assert len(other.asked) == 1


def test_another_facet_version_is_asked_anew(tmp_path: Path) -> None:
    classifier = Counting()
    cache = CachedClassifier(classifier, tmp_path / "a.sqlite", Clock())
    list(cache.classify([CONTENT], keyed("a")))
    list(cache.classify([CONTENT.model_copy(update={"version": 2})], keyed("a")))
    assert len(classifier.asked) == 2


def test_who_comes_second_takes_the_first_answer(tmp_path: Path) -> None:
    """Two runs that label the same day must leave equal rows, whoever was faster."""
    path = tmp_path / "a.sqlite"
    fast = CachedClassifier(Counting(), path, Clock())

    class Overtaken(Counting):
        def classify(self, facets, conversations, progress=None):  # type: ignore[no-untyped-def]
            list(fast.classify(facets, keyed("a")))
            self.asked += [("", "")] * 500
            yield from super().classify(facets, conversations)

    slow = list(CachedClassifier(Overtaken(), path, Clock()).classify([CONTENT], keyed("a")))
    assert slow == list(fast.classify([CONTENT], keyed("a")))


def test_a_killed_run_keeps_what_it_had(tmp_path: Path) -> None:
    classifier = Counting()
    cache = CachedClassifier(classifier, tmp_path / "a.sqlite", Clock())
    items = keyed(*[f"h{i}" for i in range(600)])
    running = cache.classify([CONTENT], items)
    next(running)
    running.close()
    kept = len(classifier.asked)
    assert 0 < kept < 600
    list(cache.classify([CONTENT], items))
    assert len(classifier.asked) == 600


def test_the_file_is_private_and_holds_no_text(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "answers.sqlite"
    list(CachedClassifier(Counting(), path, Clock()).classify([CONTENT, TYPES], keyed("a", "b")))
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert SECRET.encode() not in file.read_bytes()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_erasure_takes_every_answer_about_a_content_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    cache = CachedClassifier(Counting(), path, Clock())
    list(cache.classify([CONTENT, TYPES], keyed("erase-me-hash", "stay")))
    assert cache.cache.delete(["erase-me-hash", "unknown"]) == 2
    assert cache.cache.delete(["erase-me-hash"]) == 0
    for file in tmp_path.iterdir():
        assert b"erase-me-hash" not in file.read_bytes()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT DISTINCT content_hash FROM answers").fetchall() == [("stay",)]
    connection.close()


class Embedder:
    name, dimension = "fake-3", 3

    def __init__(self) -> None:
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.seen += texts
        vectors = np.array([[len(t), 1.0, t.count("a")] for t in texts], dtype=np.float32).reshape(-1, 3)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_vectors_are_equal_fresh_and_remembered_and_embedded_once(tmp_path: Path) -> None:
    embedder = Embedder()
    cache = VectorCache(embedder, tmp_path / "v.sqlite", lambda text: f"keyed-{len(text)}")
    fresh = cache.embed(["aa", "bbbb", "aa"])
    again = cache.embed(["aa", "bbbb", "aa"])
    assert fresh.dtype == np.float32 and fresh.shape == (3, 3)
    assert (fresh == again).all() and (fresh[0] == fresh[2]).all()
    assert embedder.seen == ["aa", "bbbb"]
    assert (cache.hits, cache.misses) == (4, 2)
    assert cache.embed([]).shape == (0, 3)


def test_vectors_of_another_embedder_are_not_mixed(tmp_path: Path) -> None:
    VectorCache(Embedder(), tmp_path / "v.sqlite", str).embed_cached(["aa"], ["h"])
    other = Embedder()
    other.name = "fake-4"
    VectorCache(other, tmp_path / "v.sqlite", str).embed_cached(["aa"], ["h"])
    assert other.seen == ["aa"]


def test_pages_that_were_split_keep_no_copy_of_what_was_erased(tmp_path: Path) -> None:
    """Prevents the hash of an erased conversation from staying in the gaps of a page (it did: 3 files of 30)."""
    for seed in range(12):
        cache, rng = AnswerCache(tmp_path / f"{seed}.sqlite"), random.Random(seed)
        hashes = [hashlib.sha256(f"{seed} {i}".encode()).hexdigest()[:32] for i in range(1500)]
        for start in range(0, len(hashes), 100):
            answers = {
                h: Answer(Status.OK, tuple(Value("refusal", 0.5, i) for i in range(rng.randint(0, 9))))
                for h in hashes[start : start + 100]
            }
            cache.add(answers, CONTENT, "local-1", "p", datetime(2026, 1, 1, tzinfo=UTC))
        gone = rng.sample(hashes, 40)
        assert cache.delete(gone) == 40
        data = b"".join(p.read_bytes() for p in tmp_path.glob(f"{seed}.sqlite*"))
        assert not [h for h in gone if h.encode() in data]
        assert all(h.encode() in data for h in set(hashes) - set(gone))


def test_vectors_are_erased_by_hash(tmp_path: Path) -> None:
    embedder = Embedder()
    cache = VectorCache(embedder, tmp_path / "v.sqlite", str)
    cache.embed_cached(["aa", "bbb"], ["h1", "h2"])
    assert cache.delete(["h1"]) == 1
    cache.embed_cached(["aa", "bbb"], ["h1", "h2"])
    assert embedder.seen == ["aa", "bbb", "aa"]
    assert stat.S_IMODE((tmp_path / "v.sqlite").stat().st_mode) == 0o600


def test_erasing_from_a_cache_that_was_never_written_is_nothing(tmp_path: Path) -> None:
    assert VectorCache(Embedder(), tmp_path / "none.sqlite", str).delete(["h"]) == 0
    assert not (tmp_path / "none.sqlite").exists()
