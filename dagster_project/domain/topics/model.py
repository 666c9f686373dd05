"""One version of the topics of an affective type: what it takes to sort a conversation, and what is known of the fit.

It holds no conversation and no pseudonym: centres are means over at least the policy's smallest topic of users, one
conversation each. Not here: fitting (`topics/fitting.py`), where versions lie (`storage/topic_models.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dagster_project.domain.topics.groups import Labels, Vectors, assign
from dagster_project.domain.topics.identity import Event
from dagster_project.domain.topics.tree import NONE

OTHER = "Other"
"""The name of what fits nowhere. No topic is called so: the word is no term."""
OUTLYING = 3.0
"""A conversation lies beyond a topic when it is so many robust standard deviations farther than the middle one."""
NARROWEST = 0.05
"""No topic reaches less far beyond its middle (1 − cosine): one of nearly equal texts would keep out its own."""
NORMAL = 1.4826
"""Of a normal distribution, the standard deviation by the median absolute deviation (Rousseeuw & Croux 1993)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What a version was fitted on, and how well. Days are half-open.

    limits: the policy's smallest topic, as the fit kept to it. n_days: days with conversations. n_conversations,
    n_users: of the type. silhouette: how well apart (−1 to 1). other_share: of the fit, what fits nowhere (0 to 1).
    mean_distance: of what fits, 1 − cosine. embedded: what the vectors are of and by which embedder.
    """

    period_key: str
    start: date
    end: date
    limits: str
    n_days: int
    n_conversations: int
    n_users: int
    silhouette: float
    other_share: float
    mean_distance: float
    embedded: str = ""


@dataclass(frozen=True)
class TopicModel:
    """A version. centres: of the base topics, unit length, shape (k, dimension); reach: by base topic, the distance
    beyond which a conversation is not of it; parent_of: number of the parent or −1; weights: conversations of the fit.

    names: by id of a base or parent topic. events: what changed against the neighbouring version.
    """

    centres: Vectors
    reach: NDArray[np.float64]
    weights: NDArray[np.int64]
    parent_of: Labels
    topic_ids: tuple[str, ...]
    parent_ids: tuple[str, ...]
    other_id: str
    names: dict[str, str]
    fit: Fit
    events: tuple[Event, ...] = ()

    def sort(self, vectors: Vectors) -> tuple[Labels, NDArray[np.float64]]:
        """Base topic of each unit vector, −1 for what fits nowhere, and the distance to the nearest centre."""
        return sort(vectors, self.centres, self.reach)

    def parents(self, labels: Labels) -> Labels:
        """Parent of each conversation by its base topic, −1 for none."""
        return np.where(labels < 0, NONE, self.parent_of[labels])

    def id_of(self, label: int) -> str:
        """The id of a base topic, or of what fits nowhere."""
        return self.topic_ids[label] if label >= 0 else self.other_id

    @cached_property
    def rows(self) -> list[tuple[str, str | None, int, str]]:
        """(topic id, parent's id, level, name) of each topic of the tree; level 0 is the top."""
        found: list[tuple[str, str | None, int, str]] = [(p, None, 0, self.names[p]) for p in self.parent_ids]
        for topic_id, parent in zip(self.topic_ids, self.parent_of.tolist(), strict=True):
            up = self.parent_ids[parent] if parent >= 0 else None
            found.append((topic_id, up, 0 if up is None else 1, self.names[topic_id]))
        return [*found, (self.other_id, None, 0, OTHER)]


def sort(vectors: Vectors, centres: Vectors, reach: NDArray[np.float64]) -> tuple[Labels, NDArray[np.float64]]:
    """Nearest centre of each vector within its reach, else −1; and the distance to it (1 − cosine)."""
    labels, distance = assign(vectors, centres)
    return np.where(distance > reach[labels], NONE, labels), distance


def reaches(labels: Labels, distance: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """By topic, the distance of its middle conversation and `OUTLYING` robust deviations more; shape (k,).

    Median and median absolute deviation, so that what is to be left out does not set the limit (Iglewicz & Hoaglin
    1993).
    """
    out = np.zeros(k)
    for topic in range(k):
        own = distance[labels == topic]
        if len(own):
            middle = float(np.median(own))
            spread = NORMAL * float(np.median(np.abs(own - middle)))
            out[topic] = middle + max(OUTLYING * spread, NARROWEST)
    return out


@dataclass(frozen=True, slots=True)
class Drift:
    """A period beside its version's fit. drift: by how much more of it fits nowhere (share, 0 or more)."""

    n_conversations: int
    other_share: float
    mean_distance: float
    drift: float


def drift(model: TopicModel, vectors: Vectors) -> Drift:
    """How far a period's counted conversations have moved away from a version; no drift where there are none."""
    if not len(vectors):
        return Drift(0, 0.0, 0.0, 0.0)
    labels, distance = model.sort(vectors)
    fits = labels >= 0
    other = 1 - float(fits.mean())
    mean = float(distance[fits].mean()) if fits.any() else 1.0
    return Drift(len(vectors), other, mean, max(0.0, other - model.fit.other_share))
