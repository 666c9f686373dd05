"""Small lakes for the warehouse's tests: conversations as a test thinks of them, written as production would.

No text but a marker that must never reach the warehouse.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from dagster_project.domain.study import AFFECTIVE_TYPES, SENTIMENT_LEVELS
from dagster_project.home import Home
from dagster_project.storage.lake import TABLES, Lake

CANARY = "canary-text-3141"
NO_LABEL = "no label"
"""As a facet's answer: no row at all. `None` is a row that says `could_not_tell`."""

LEVEL_IDS = {number: level for level, number in SENTIMENT_LEVELS.items()}
PUSHBACK_KINDS = ("safety", "refusal", "boundary", "challenge", "correction", "other")


@dataclass(frozen=True)
class Talk:
    """One conversation with its labels.

    turns: the roles in order, u, a, s or t a message. types: the affective types found, before any rule. pushback:
    (turn of the assistant, 0-based; kind). sentiment: one level a human message, or None for one not told. facets:
    (stage, facet, values) of any others, None where it could not be told.
    """

    key: str
    user: str
    day: date
    turns: str = "ua"
    content_creation: bool | str | None = False
    types: tuple[str, ...] | str | None = ()
    pushback: tuple[tuple[int, str], ...] | str | None = NO_LABEL
    sentiment: tuple[float | None, ...] | str | None = NO_LABEL
    weight: float = 1.0
    facets: tuple[tuple[str, str, tuple[str, ...] | None], ...] = ()

    @property
    def n_human(self) -> int:
        return self.turns.count("u")

    @property
    def n_assistant(self) -> int:
        return self.turns.count("a")


@dataclass(frozen=True)
class Coded:
    """What people say of one conversation; None could not be told. Answers as in `Talk`, before any rule."""

    talk: Talk
    probability: float
    content_creation: bool | None
    types: tuple[str, ...] | None
    pushback: bool | None
    tone: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Topic:
    """One topic of a period; `talks` are the keys of the conversations assigned to it."""

    affective_type: str
    topic_id: str
    parent: str | None = None
    level: int = 0
    talks: tuple[str, ...] = field(default=())


ROLES = {"u": "user", "a": "assistant", "s": "system", "t": "tool"}


def write_talks(home: Home, talks: Iterable[Talk], empty_days: Iterable[date] = ()) -> list[date]:
    """Write the days of these conversations, each whole; returns the days. `empty_days` get files without rows."""
    by_day: dict[date, list[Talk]] = defaultdict(list, {d: [] for d in empty_days})
    for talk in talks:
        by_day[talk.day].append(talk)
    lake = Lake(home)
    for day, of_day in sorted(by_day.items()):
        rows: dict[str, list[dict[str, object]]] = {t: [] for t in _WRITERS}
        for talk in of_day:
            for table, writer in _WRITERS.items():
                rows[table].extend(writer(talk))
        for table, table_rows in rows.items():
            lake.write(table, day, pl.DataFrame(table_rows, schema=TABLES[table]))
    return sorted(by_day)


def write_topics(home: Home, period_key: str, topics: Sequence[Topic]) -> None:
    """Write a period's topics and assignments."""
    lake = Lake(home)
    about = [(t.affective_type, t.topic_id, t.parent, t.level, f"name of {t.topic_id}") for t in topics]
    assigned = [(key, t.affective_type, t.topic_id, 0.1) for t in topics for key in t.talks]
    lake.write("topics", period_key, pl.DataFrame(about, schema=TABLES["topics"], orient="row"))
    lake.write(
        "topic_assignments", period_key, pl.DataFrame(assigned, schema=TABLES["topic_assignments"], orient="row")
    )


def write_coded(home: Home, coded: Sequence[Coded], days: Iterable[date]) -> None:
    """Write the sample and people's answers; every one of the days belongs to the sample."""
    lake = Lake(home)
    for day in days:
        own = sorted((c for c in coded if c.talk.day == day), key=lambda c: c.talk.key)
        drawn = [(c.talk.key, "all", f"{i:012x}", "none", c.probability) for i, c in enumerate(own)]
        lake.write("human_samples", day, pl.DataFrame(drawn, schema=TABLES["human_samples"], orient="row"))
        rows = [row for c in own for row in _coded_rows(c)]
        lake.write("human_labels", day, pl.DataFrame(rows, schema=TABLES["human_labels"], orient="row"))


def _coded_rows(coded: Coded) -> list[tuple[object, ...]]:
    said: dict[str, tuple[str, ...] | None] = {
        "content_creation": None if coded.content_creation is None else ("content_creation",) * coded.content_creation,
        "affective_type": coded.types,
        "pushback": None if coded.pushback is None else ("refusal",) * coded.pushback,
    }
    said |= {f"sentiment_{n}": (level,) for n, level in enumerate(coded.tone or (), 1)}
    return [
        (coded.talk.key, facet, 1, "could_not_tell" if values is None else "ok", i, value, 1, "single")
        for facet, values in said.items()
        for i, value in enumerate(values or (None,))
    ]


def random_coded(talks: Sequence[Talk], seed: int) -> list[Coded]:
    """Half of them labelled by people who mostly agree, at two probabilities that are powers of two."""
    rng, ears = random.Random(seed), random.Random(f"tone {seed}")
    coded = []
    for talk in talks:
        probability = rng.choice((0.25, 1.0))
        if rng.random() >= probability:
            continue
        types = talk.types if isinstance(talk.types, tuple) else ()
        others = tuple(t for t in AFFECTIVE_TYPES if rng.random() < 0.03)
        pushback = talk.pushback if isinstance(talk.pushback, tuple) else ()
        coded.append(
            Coded(
                talk,
                probability,
                rng.choices((talk.content_creation is True, None), (95, 5))[0],
                rng.choices((tuple(sorted({*types, *others} - {rng.choice(AFFECTIVE_TYPES)})), None), (95, 5))[0],
                rng.choices((bool(pushback), not pushback, None), (85, 10, 5))[0],
                _heard(talk, ears),
            )
        )
    return coded


def _heard(talk: Talk, ears: random.Random) -> tuple[str, ...] | None:
    """The tone of the first and last three messages as people hear it: the labeller's, or one level brighter."""
    levels = talk.sentiment if isinstance(talk.sentiment, tuple) else ()
    if len(levels) < 6:
        return None
    ids = tuple(SENTIMENT_LEVELS)
    said = [2 if level is None else ids.index(LEVEL_IDS[level]) for level in (*levels[:3], *levels[-3:])]
    return tuple(ids[min(4, place + ears.choice((0, 0, 1)))] for place in said)


def _conversation(talk: Talk) -> list[dict[str, object]]:
    return [
        {
            "conversation_key": talk.key,
            "user_key": talk.user,
            "started_at": datetime.combine(talk.day, time(8), UTC),
            "assumed_utc": False,
            "surface": CANARY,
            "n_messages": len(talk.turns),
            "n_human_messages": talk.n_human,
            "n_assistant_messages": talk.n_assistant,
            "content_hash": f"hash {talk.key}",
        }
    ]


def _messages(talk: Talk) -> list[dict[str, object]]:
    return [
        {
            "conversation_key": talk.key,
            "message_index": i,
            "role": ROLES[turn],
            "content": f"{CANARY} {i}",
            "created_at": None,
        }
        for i, turn in enumerate(talk.turns)
    ]


def _label(talk: Talk, facet: str, status: str, value: str | None, index: int = 0, **more: object) -> dict[str, object]:
    return {
        "conversation_key": talk.key,
        "facet": facet,
        "facet_version": 1,
        "status": status,
        "value_index": index,
        "value": value,
        "number": None,
        "score": None,
        "message_index": None,
        "weight": talk.weight,
        "labeller": "test-1",
        "prompt_hash": "0" * 8,
        "labelled_at": datetime(2026, 11, 20, tzinfo=UTC),
        **more,
    }


def _screen_labels(talk: Talk) -> list[dict[str, object]]:
    rows = []
    if talk.content_creation is None:
        rows.append(_label(talk, "content_creation", "could_not_tell", None))
    elif talk.content_creation != NO_LABEL:
        value = "content_creation" if talk.content_creation else None
        rows.append(_label(talk, "content_creation", "ok", value))
    if talk.types is None:
        rows.append(_label(talk, "affective_type", "refused", None))
    elif not talk.types:
        rows.append(_label(talk, "affective_type", "ok", None))
    elif not isinstance(talk.types, str):
        rows.extend(_label(talk, "affective_type", "ok", t, i) for i, t in enumerate(talk.types))
    return [*rows, *_others(talk, "screen")]


def _others(talk: Talk, stage: str) -> list[dict[str, object]]:
    """Other facets of a stage; a value told of two events has two rows."""
    rows = []
    for of, facet, values in talk.facets:
        if of == stage and not values:
            rows.append(_label(talk, facet, "could_not_tell" if values is None else "ok", None))
        elif of == stage and values:
            rows.extend(_label(talk, facet, "ok", value, i) for i, value in enumerate(values))
    return rows


def _detail_labels(talk: Talk) -> list[dict[str, object]]:
    rows = []
    assistant = [i for i, turn in enumerate(talk.turns) if turn == "a"]
    human = [i for i, turn in enumerate(talk.turns) if turn == "u"]
    if talk.pushback is None:
        rows.append(_label(talk, "pushback", "invalid", None))
    elif not talk.pushback:
        rows.append(_label(talk, "pushback", "ok", None))
    elif not isinstance(talk.pushback, str):
        for i, (turn, kind) in enumerate(talk.pushback):
            rows.append(_label(talk, "pushback", "ok", kind, i, message_index=assistant[turn]))
    if talk.sentiment is None:
        rows.append(_label(talk, "sentiment", "could_not_tell", None))
    elif not isinstance(talk.sentiment, str):
        for i, (level, where) in enumerate(zip(talk.sentiment, human, strict=True)):
            if level is None:
                rows.append(_label(talk, "sentiment", "could_not_tell", None, i, message_index=where))
            else:
                value = LEVEL_IDS[level]
                rows.append(_label(talk, "sentiment", "ok", value, i, message_index=where, number=level))
    return [*rows, *_others(talk, "detail")]


_WRITERS = {
    "conversations": _conversation,
    "messages": _messages,
    "screen_labels": _screen_labels,
    "detail_labels": _detail_labels,
}


def random_talks(seed: int, n: int, first_day: date, n_days: int, n_users: int, affective: float = 0.5) -> list[Talk]:
    """A random world that visits every rule: short roleplay, unknowns of each facet, odd turns, heavy users."""
    rng = random.Random(seed)
    talks = []
    for i in range(n):
        turns = "".join(rng.choice(("ua", "ua", "ua", "u", "uaa", "sua", "uta")) for _ in range(rng.randint(1, 10)))
        n_human, n_assistant = turns.count("u"), turns.count("a")
        types: tuple[str, ...] | str | None = ()
        if rng.random() < affective:
            types = tuple(sorted(set(rng.choices(AFFECTIVE_TYPES, (6, 6, 6, 3, 1, 1), k=rng.choice((1, 1, 2))))))
        if rng.random() < 0.06:
            types = rng.choice((None, NO_LABEL))
        n_events = rng.choice((0, 0, 1, 3)) if n_assistant else 0
        events = tuple(sorted((rng.randrange(n_assistant), rng.choice(PUSHBACK_KINDS)) for _ in range(n_events)))
        levels = tuple(rng.choice((*LEVEL_IDS, *LEVEL_IDS, None)) for _ in range(n_human))
        if rng.random() < 0.7:
            levels = tuple(level or 0.0 for level in levels)
        talks.append(
            Talk(
                key=f"{seed:02d}-{i:07d}",
                # The square makes a few users heavy.
                user=f"user-{int(n_users * rng.random() ** 2):06d}",
                day=first_day + timedelta(rng.randrange(n_days)),
                turns=turns,
                content_creation=rng.choices((False, True, None, NO_LABEL), (80, 12, 5, 3))[0],
                types=types,
                pushback=rng.choices((events, None, NO_LABEL), (90, 6, 4))[0],
                sentiment=rng.choices((levels, None, NO_LABEL), (90, 6, 4))[0],
                weight=1.0,
            )
        )
    return talks
