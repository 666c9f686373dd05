"""Fitting one version of the topics of a type: groups, their reach, their tree, and whose topics of before they are.

Lives here: the order of work on what was read. Not here: the rules (`domain/topics`), reading and naming
(`period_topics.py`), which version is wanted (`versions.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dagster_project.domain.topics.duplicates import PASTED, REWORDED, Duplicates, voices
from dagster_project.domain.topics.groups import (
    ROOM,
    Labels,
    Vectors,
    assign,
    candidate_numbers,
    merge_small,
    simplified_silhouette,
)
from dagster_project.domain.topics.identity import Event, events, match, overlap
from dagster_project.domain.topics.keyed import Keyed, highest
from dagster_project.domain.topics.model import Fit, TopicModel, drift, reaches, sort
from dagster_project.domain.topics.naming import RULES, Needed, condition_minimum
from dagster_project.domain.topics.tree import parent_centres, parents
from dagster_project.topics.clustering import best_clusters
from dagster_project.topics.reading import Analysed
from dagster_project.topics.versions import GROWN
from dagster_project.topics.wording import Wording


@dataclass(frozen=True)
class TopicLimits:
    """The policy's numbers: the smallest topic, and how many conversations of a user count in a period."""

    min_users: int
    min_conversations: int
    max_conversations_per_user: int

    @property
    def most_needed(self) -> Needed:
        """The most people that must share a term, whatever the topic."""
        return Needed(highest(self.min_users), highest(condition_minimum(self.min_users)))

    def needed(self, keyed: Keyed, topic_id: str, version: str) -> Needed:
        """People of a topic that must share a term: each number with a jitter of its own."""
        return Needed(
            keyed.jittered(self.min_users, topic_id, version),
            keyed.jittered(condition_minimum(self.min_users), topic_id, version, "jitter/condition"),
        )

    @property
    def written(self) -> str:
        """What a version remembers of them."""
        return f"{self.min_users}/{self.min_conversations}/{RULES}"


@dataclass(frozen=True)
class Fitted:
    """A version without names. speakers: by topic id, positions of those who speak for it, one conversation a user."""

    model: TopicModel
    speakers: dict[str, list[int]]


class TypeOfSpan:
    """The conversations of one type in a span of days, in keyed order, near-duplicates grouped."""

    def __init__(self, analysed: Analysed, affective_type: str, keyed: Keyed) -> None:
        self.analysed, self.keyed = analysed, keyed
        self.members = sorted(
            (i for i, types in enumerate(analysed.types) if affective_type in types),
            key=lambda i: keyed.order(analysed.keys[i]),
        )
        self.counted = [i for i in self.members if analysed.counted[i]]

    @cached_property
    def _pasted(self) -> dict[int, int]:
        return self._duplicates(self.members, PASTED)

    @cached_property
    def _reworded(self) -> dict[int, int]:
        return self._duplicates(self.members, REWORDED)

    def _duplicates(self, positions: Sequence[int], similarity: float) -> dict[int, int]:
        found = Duplicates(similarity)
        return {i: found.group(self.analysed.signatures[i]) for i in positions}

    def voices(self, positions: Sequence[int]) -> list[int]:
        """Of positions, one a user, a text that was pasted once: who makes a topic."""
        return voices(positions, self.analysed.users, self._pasted)

    def speakers(self, positions: Sequence[int]) -> list[int]:
        """Of positions, one a user, a text with words changed once: whose words may name a topic."""
        return voices(positions, self.analysed.users, self._reworded)

    def elsewhere(self) -> list[int]:
        """Of the conversations of other types, those whose words count against a name: chosen as speakers are."""
        own = set(self.members)
        rest = [i for i in range(len(self.analysed.keys)) if i not in own]
        rest.sort(key=lambda i: self.keyed.order(self.analysed.keys[i]))
        return voices(rest, self.analysed.users, self._duplicates(rest, REWORDED))

    def numbers(self, limits: TopicLimits) -> list[int]:
        """Numbers of topics that the counted conversations have room for; none where there are too few for two."""
        if len(self.counted) < 2 * limits.min_conversations:
            return []
        return candidate_numbers(len(self.voices(self.counted)), limits.min_users)

    def vectors(self, positions: Sequence[int]) -> Vectors:
        """Vectors by position."""
        return self.analysed.vectors[list(positions)]


def fit(
    of: TypeOfSpan,
    limits: TopicLimits,
    about: Fit,
    old: TopicModel | None,
    wording: Wording | None = None,
    anew: bool = False,
) -> Fitted | None:
    """A version fitted on one conversation a user; None where there is no room for two topics of the policy's size.

    about: period and days of the fit; its figures are filled in. Topics are so large that the counted conversations of
    the fit's period meet the minimum in each. old: the version whose ids go on, and its topics where they still serve.
    wording: of the type's conversations; with it, topics that no shared term names are merged as well, as long as two
    are left: they would tell nothing. anew: nothing of the old version's centres shapes the new ones.
    """
    numbers = of.numbers(limits)
    if not numbers:
        return None
    chosen = of.voices(of.members)
    vectors, counted, members = of.vectors(chosen), of.vectors(of.counted), of.vectors(of.members)

    def too_small(centres: Vectors) -> list[int]:
        labels, _ = sort(counted, centres, _reaches(vectors, centres))
        sizes = []
        for label, own in enumerate(_split(of.counted, labels, len(centres))):
            n_voices = len(of.voices(own))
            if n_voices < limits.min_users or len(own) < limits.min_conversations:
                sizes.append((n_voices, len(own), label))
        if sizes or wording is None or len(centres) <= 2:
            return [label for _, _, label in sorted(sizes)]
        labels, _ = sort(members, centres, _reaches(vectors, centres))
        heard = [of.voices(own) for own in _split(of.members, labels, len(centres))]
        nameless = wording.nameless(heard, limits.most_needed)
        return sorted(nameless, key=lambda label: (len(heard[label]), label))

    known = old.centres if old is not None and not anew and _still_serves(old, vectors, limits) else None
    centres = merge_small(vectors, best_clusters(vectors, numbers, of.keyed.seed("fit"), known), too_small)
    if len(centres) < 2:
        return None
    return _version(of, chosen, centres, about, limits, old)


def _still_serves(old: TopicModel, vectors: Vectors, limits: TopicLimits) -> bool:
    """Whether a new fit may begin at the topics of the version before.

    Not where it has twice as much to fit on, so that there is room for finer topics; nor where as many conversations
    as make a topic lie beyond every one that is known, more than did: something new is there, and has to be looked for.
    """
    if old.centres.shape[1] != vectors.shape[1] or len(vectors) >= GROWN * old.fit.n_conversations:
        return False
    small = max(limits.min_users, len(vectors) / (ROOM * len(old.centres)))
    return drift(old, vectors).drift * len(vectors) < small


def _version(
    of: TypeOfSpan, chosen: list[int], centres: Vectors, about: Fit, limits: TopicLimits, old: TopicModel | None
) -> Fitted:
    vectors = of.vectors(chosen)
    reach = _reaches(vectors, centres)
    labels, distance = sort(vectors, centres, reach)
    weights = np.bincount(labels[labels >= 0], minlength=len(centres))
    parent_of = parents(centres)
    above = parent_centres(centres, weights, parent_of)
    parent_labels = np.where(labels < 0, -1, parent_of[labels])
    if old is not None and old.centres.shape[1] != centres.shape[1]:
        old = None
    topic_ids = _ids(of, chosen, labels, len(centres), 1)
    parent_ids = _ids(of, chosen, parent_labels, len(above), 0)
    changes: tuple[Event, ...] = ()
    if old is not None:
        old_labels, _ = old.sort(vectors)
        table = overlap(old_labels, labels, len(old.centres), len(centres))
        topic_ids = _taken_up(topic_ids, old.topic_ids, match(old.centres, centres, table))
        changes = events(old.topic_ids, topic_ids, table)
        old_above = parent_centres(old.centres, old.weights, old.parent_of)
        table = overlap(old.parents(old_labels), parent_labels, len(old_above), len(above))
        parent_ids = _taken_up(parent_ids, old.parent_ids, match(old_above, above, table))
    fits = labels >= 0
    users = of.analysed.users
    figures = Fit(
        about.period_key, about.start, about.end, limits.written, about.n_days,
        n_conversations=len(chosen),
        n_users=len({users[i] for i in chosen}),
        silhouette=simplified_silhouette(vectors, centres),
        other_share=1 - float(fits.mean()),
        mean_distance=float(distance[fits].mean()),
        embedded=about.embedded,
    )  # fmt: skip
    model = TopicModel(
        centres, reach, weights, parent_of, topic_ids, parent_ids,
        old.other_id if old is not None else of.keyed.other_id(), {}, figures, changes,
    )  # fmt: skip
    return Fitted(model, _speakers(of, model))


def _reaches(vectors: Vectors, centres: Vectors) -> NDArray[np.float64]:
    labels, distance = assign(vectors, centres)
    return reaches(labels, distance, len(centres))


def _split(positions: Sequence[int], labels: Labels, k: int) -> list[list[int]]:
    """Positions by label; those of none are left out."""
    split: list[list[int]] = [[] for _ in range(k)]
    for position, label in zip(positions, labels.tolist(), strict=True):
        if label >= 0:
            split[label].append(position)
    return split


def _ids(of: TypeOfSpan, chosen: Sequence[int], labels: Labels, k: int, level: int) -> tuple[str, ...]:
    members = _split(chosen, labels, k)
    return tuple(of.keyed.topic_id((of.analysed.keys[i] for i in own), level) for own in members)


def _taken_up(new: tuple[str, ...], old: tuple[str, ...], matched: dict[int, int]) -> tuple[str, ...]:
    """Ids of the version before where topics go on, else the new ones."""
    return tuple(old[matched[i]] if i in matched else topic_id for i, topic_id in enumerate(new))


def _speakers(of: TypeOfSpan, model: TopicModel) -> dict[str, list[int]]:
    labels, _ = model.sort(of.vectors(of.members))
    base = _split(of.members, labels, len(model.centres))
    above = _split(of.members, model.parents(labels), len(model.parent_ids))
    return {
        topic_id: of.speakers(own)
        for topic_id, own in zip((*model.topic_ids, *model.parent_ids), (*base, *above), strict=True)
    }
