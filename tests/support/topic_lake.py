"""A small lake of analysed conversations for the tests of topics, and an embedder that reads marks in the text."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random

import numpy as np
import polars as pl

from dagster_project.domain.periods import parse_period
from dagster_project.domain.topics.identity import Change, Event
from dagster_project.domain.topics.model import Fit, TopicModel
from dagster_project.home import Home
from dagster_project.storage.lake import TABLES, Lake
from dagster_project.storage.topic_models import TopicModels
from dagster_project.topics.fitting import TopicLimits
from dagster_project.topics.period_topics import TopicWork
from dagster_project.topics.versions import Schedule

PERIOD = parse_period("2026-09-21..2026-10-04")
DIMENSION = 384

_THEMES = {
    "career": "applied interview resume manager salary promotion office career colleague employer",
    "sleep": "insomnia bedroom midnight pillow exhausted nightmare asleep bedtime restless alarm",
    "marriage": "husband divorce wedding wife marriage counseling separation argument spouse household",
    "study": "exam homework lecture semester essay thesis classroom tutor scholarship deadline",
}
THEMES = {theme: words.split() for theme, words in _THEMES.items()}
_FILLER = "lately we had some trouble with it at home and outside which nobody there could explain in a plain manner"
FILLER = _FILLER.split()


@dataclass
class Said:
    """One conversation: who, what they wrote (human messages), its types and the direction of its vector."""

    user: str
    texts: list[str]
    types: tuple[str, ...] = ("coaching",)
    content_creation: bool = False
    status: str = "ok"
    day: date = PERIOD.start
    key: str = field(default="")

    def __post_init__(self) -> None:
        self.key = self.key or hashlib.sha256(f"{self.user}{self.texts}{self.day}".encode()).hexdigest()[:32]


def sentence(theme: str, random: Random, words: int = 5) -> str:
    """Some words of a theme among filler: no two alike, and any two of a theme far from duplicates."""
    said = random.sample(THEMES[theme], words) + random.sample(FILLER, 12)
    random.shuffle(said)
    return " ".join(said)


def embed_by_theme(texts: Sequence[str]) -> np.ndarray:
    """Vectors near one direction a theme, by the words in the text; some noise from the text's own digest."""
    vectors = np.zeros((len(texts), DIMENSION), dtype=np.float32)
    for row, text in enumerate(texts):
        digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        vectors[row] = np.random.default_rng(list(digest)).normal(size=DIMENSION) * 0.02
        for column, words in enumerate(THEMES.values()):
            vectors[row, column] += sum(text.lower().split().count(word) for word in words)
    return vectors


def crowd(theme: str, n_users: int, *, each: int = 2, seed: int = 1, extra: str = "", words: int = 5) -> list[Said]:
    """`each` conversations of `n_users` people on one theme, over the period's days."""
    random = Random(f"{theme}{seed}")
    return [
        Said(
            user=f"{theme}-{seed}-{u}",
            texts=[f"{sentence(theme, random, words)} {extra}".strip()],
            day=PERIOD.start + timedelta(days=random.randrange(14)),
        )
        for u in range(n_users)
        for _ in range(each)
    ]


def topic_model(fit: Fit) -> TopicModel:
    """Some version: three topics, of which two have a parent."""
    names = {"topic0": "Career", "topic1": "Sleep", "topic2": "Marriage", "parent": "Rest"}
    return TopicModel(
        np.eye(3, 8, dtype=np.float32), np.full(3, 0.5), np.full(3, 50), np.array([0, 0, -1]), ("topic0", "topic1", "topic2"),
        ("parent",), "other", names, fit, (Event(Change.SPLIT, "topic1", "topic0"), Event(Change.DIED, "gone")),
    )  # fmt: skip


LIMITS = TopicLimits(min_users=25, min_conversations=50, max_conversations_per_user=5)
KEY = bytes(range(32))
SCHEDULE = Schedule()


def work_of(
    folder: Path,
    said: Sequence[Said],
    shuffle: int | None = None,
    key: bytes = KEY,
    limits: TopicLimits = LIMITS,
    schedule: Schedule = SCHEDULE,
) -> TopicWork:
    """All that topics are made with, over a lake of these conversations."""
    lake = lake_of(folder, said, shuffle)
    return TopicWork(lake, TopicModels(Home(folder)), embed_by_theme, limits, key, schedule)


def lake_of(folder: Path, said: Sequence[Said], shuffle: int | None = None) -> Lake:
    """A lake that holds these conversations; `shuffle` permutes the rows of every file."""
    home = Home(folder)
    home.create()
    lake = Lake(home)
    by_day: dict[date, list[Said]] = {}
    for one in said:
        by_day.setdefault(one.day, []).append(one)
    for day, ones in by_day.items():
        rows: dict[str, list[tuple[object, ...]]] = {"conversations": [], "messages": [], "screen_labels": []}
        at = datetime.combine(day, time(8), UTC)
        for one in ones:
            n = len(one.texts)
            rows["conversations"].append((one.key, one.user, at, False, None, 2 * n, n, n, one.key))
            for i, text in enumerate(one.texts):
                rows["messages"].append((one.key, 2 * i, "user", text, None))
                rows["messages"].append((one.key, 2 * i + 1, "assistant", "assistantonly zebra zebra", None))
            creation = "content_creation" if one.content_creation else None
            rows["screen_labels"].append(_label(one.key, "content_creation", one.status, 0, creation, at))
            for i, value in enumerate(one.types or (None,)):
                rows["screen_labels"].append(_label(one.key, "affective_type", one.status, i, value, at))
        for table, table_rows in rows.items():
            frame = pl.DataFrame(table_rows, schema=TABLES[table], orient="row")
            if shuffle is not None:
                frame = frame.sample(fraction=1.0, shuffle=True, seed=shuffle)
            lake.write(table, day, frame)
    return lake


def _label(key: str, facet: str, status: str, index: int, value: str | None, at: datetime) -> tuple[object, ...]:
    return (key, facet, 1, status, index, value, None, None, None, 1.0, "test", "test", at)
