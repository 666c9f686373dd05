"""The topics of one release period: found per talk type, given random ids, named from shared terms.

Lives here: the order of work. Rules are in `domain/topics`, reading in `reading.py`. Not here: writing the lake
(`assets/`), what of it may be published (`domain/disclosure`). One level of topics; parents come with a hierarchy.
"""

from dataclasses import dataclass
from statistics import median
from typing import Any

import polars as pl

from dagster_project.domain.periods import Period
from dagster_project.domain.study import TALK_TYPES
from dagster_project.domain.topics.duplicates import Duplicates, voices
from dagster_project.domain.topics.groups import (
    Vectors,
    assign,
    candidate_numbers,
    merge_small,
    unit,
)
from dagster_project.domain.topics.keyed import Keyed
from dagster_project.domain.topics.naming import Support, names
from dagster_project.domain.topics.terms import terms
from dagster_project.storage.lake import TABLES, Lake
from dagster_project.topics.clustering import best_clusters
from dagster_project.topics.reading import Analysed, Embed, read_analysed, read_texts
from dagster_project.topics.vocabulary import load_vocabulary


@dataclass(frozen=True)
class TopicLimits:
    """The policy's numbers: the smallest topic, and how many conversations of a user count in a period."""

    min_users: int
    min_conversations: int
    max_conversations_per_user: int


@dataclass(frozen=True)
class PeriodTopics:
    """Rows of the lake tables `topic_assignments` and `topics`, and by type the figures for an operator.

    A conversation has a row for each of its talk types that has topics. figures: counts and names, no other text.
    """

    assignments: pl.DataFrame
    topics: pl.DataFrame
    figures: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class _TypeTopics:
    """Topics of one type: topic id and distance by position, positions that speak for each topic, counted users."""

    assigned: dict[int, tuple[str, float]]
    speakers: dict[str, list[int]]
    n_users: dict[str, int]


def build_period_topics(lake: Lake, period: Period, embed: Embed, limits: TopicLimits, key: bytes) -> PeriodTopics:
    """Find, assign and name the topics of a period.

    Equal lake rows, in whatever order, and an equal key give equal results. A type has no topics when its counted
    conversations are too few for two, or when they do not fall into two that are large enough.
    """
    analysed = read_analysed(lake, period, embed, limits.max_conversations_per_user)
    analysed.vectors = unit(analysed.vectors)
    assignments: list[tuple[str, str, str, float]] = []
    topics: list[tuple[str, str, None, int, str]] = []
    figures: dict[str, dict[str, Any]] = {}
    for affective_type in TALK_TYPES:
        keyed = Keyed(key, period.key, affective_type)
        members = sorted(
            (i for i, types in enumerate(analysed.types) if affective_type in types),
            key=lambda i: keyed.order(analysed.keys[i]),
        )
        counted = [i for i in members if analysed.counted[i]]
        found = _topics_of_type(analysed, members, counted, limits, keyed)
        named = _names_of_type(lake, analysed, found, limits, keyed)
        assignments += [(analysed.keys[i], affective_type, topic, far) for i, (topic, far) in found.assigned.items()]
        topics += [(affective_type, topic, None, 0, named[topic]) for topic in named]
        sizes = sorted(found.n_users.values())
        figures[affective_type] = {
            "n_conversations": len(counted),
            "n_users": len({analysed.users[i] for i in counted}),
            "n_topics": len(named),
            "users_of_smallest": sizes[0] if sizes else None,
            "users_of_median": median(sizes) if sizes else None,
            "users_of_largest": sizes[-1] if sizes else None,
            "names": sorted(named.values()),
        }
    return PeriodTopics(
        _frame("topic_assignments", assignments).sort("affective_type", "conversation_key"),
        _frame("topics", topics).sort("affective_type", "topic_id"),
        figures,
    )


def _frame(table: str, rows: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=TABLES[table], orient="row")


def _topics_of_type(
    analysed: Analysed, members: list[int], counted: list[int], limits: TopicLimits, keyed: Keyed
) -> _TypeTopics:
    """Fit on one conversation a user, cut into as many topics as are well apart, merge the small, assign everything.

    members: positions in keyed order. counted: those of them that count in the period.
    """
    nothing = _TypeTopics({}, {}, {})
    duplicates = Duplicates()
    groups = {i: duplicates.group(analysed.signatures[i]) for i in counted}
    fit = voices(counted, analysed.users, groups)
    numbers = candidate_numbers(len(fit), limits.min_users)
    if not numbers or len(counted) < 2 * limits.min_conversations:
        return nothing
    vectors = analysed.vectors[fit]

    def speakers(centres: Vectors) -> list[list[int]]:
        labels, _ = assign(analysed.vectors[counted], centres)
        split: list[list[int]] = [[] for _ in centres]
        for position, label in zip(counted, labels, strict=True):
            split[label].append(position)
        return split

    def too_small(centres: Vectors) -> list[int]:
        small = []
        for label, own in enumerate(speakers(centres)):
            n_voices = len(voices(own, analysed.users, groups))
            if n_voices < limits.min_users or len(own) < limits.min_conversations:
                small.append((n_voices, len(own), label))
        return [label for _, _, label in sorted(small)]

    centres = merge_small(vectors, best_clusters(vectors, numbers, keyed.seed("fit")), too_small)
    if len(centres) < 2:
        return nothing
    own = speakers(centres)
    ids = [keyed.topic_id(analysed.keys[i] for i in voices(o, analysed.users, groups)) for o in own]
    labels, distances = assign(analysed.vectors[members], centres)
    return _TypeTopics(
        {i: (ids[label], float(far)) for i, label, far in zip(members, labels, distances, strict=True)},
        {ids[label]: voices(o, analysed.users, groups) for label, o in enumerate(own)},
        {ids[label]: len({analysed.users[i] for i in o}) for label, o in enumerate(own)},
    )


def _names_of_type(
    lake: Lake, analysed: Analysed, found: _TypeTopics, limits: TopicLimits, keyed: Keyed
) -> dict[str, str]:
    """A name by topic id, from what those who speak for each topic wrote."""
    vocabulary = load_vocabulary()
    support = Support()
    topic_of = {position: topic for topic, positions in found.speakers.items() for position in positions}
    for position, text in read_texts(lake, analysed, topic_of):
        support.add(topic_of[position], terms(text, vocabulary))
    return names(support, {topic: keyed.jittered(limits.min_users, topic) for topic in found.speakers})
