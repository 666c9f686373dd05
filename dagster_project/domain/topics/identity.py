"""Identity over time: which topics of a new fit are topics of the fit before, and what became of the others.

Lives here: the assignment and the record of births, deaths, splits and merges. Both fits have sorted the same
conversations, those of the new fit: what they share needs no list of members of the old one, so that none is kept.
Not here: the fits themselves, ids of new topics (`keyed.py`).

Source of the classes of events: Spiliopoulou et al. (2006), MONIC: modeling and monitoring cluster transitions, KDD.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from dagster_project.domain.topics.groups import Labels, Vectors

SAME = 0.5
"""Least likeness (mean of shared members and cosine of centres) of one topic in two fits."""
SHARED = 0.25
"""Least share of members in common (Jaccard): centres alone never make two topics one."""
MOST = 0.5
"""A topic comes out of another, or went into it, where more than this part of its conversations did."""


class Change(StrEnum):
    """What became of a topic between two fits."""

    BORN = "born"
    DIED = "died"
    SPLIT = "split"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Event:
    """One change. other: the old topic that a new one split from, or the topic that an old one merged into."""

    change: Change
    topic_id: str
    other: str | None = None


def overlap(old: Labels, new: Labels, n_old: int, n_new: int) -> NDArray[np.int64]:
    """Conversations by old and new topic, shape (n_old + 1, n_new + 1); the last row and column hold those of none."""
    table = np.zeros((n_old + 1, n_new + 1), dtype=np.int64)
    np.add.at(table, (np.where(old < 0, n_old, old), np.where(new < 0, n_new, new)), 1)
    return table


def match(old_centres: Vectors, new_centres: Vectors, table: NDArray[np.int64]) -> dict[int, int]:
    """Old topic by new topic, one to one: the assignment of the largest likeness in all, without unlike pairs.

    table: as `overlap` gives it. Likeness is the mean of the Jaccard index of members and the cosine of centres.
    """
    if not len(old_centres) or not len(new_centres):
        return {}
    from scipy.optimize import linear_sum_assignment

    both = table[:-1, :-1].astype(np.float64)
    either = table[:-1].sum(axis=1)[:, None] + table[:, :-1].sum(axis=0)[None, :] - both
    shared = both / np.maximum(either, 1)
    cosine = np.clip(old_centres.astype(np.float64) @ new_centres.T.astype(np.float64), 0.0, 1.0)
    likeness = (shared + cosine) / 2
    allowed = (likeness >= SAME) & (shared >= SHARED)
    rows, columns = linear_sum_assignment(np.where(allowed, likeness, 0.0), maximize=True)
    return {int(new): int(old) for old, new in zip(rows, columns, strict=True) if allowed[old, new]}


def events(old_ids: tuple[str, ...], new_ids: tuple[str, ...], table: NDArray[np.int64]) -> tuple[Event, ...]:
    """What changed: ids in both fits are the same topics. table: as `overlap` gives it."""
    found = []
    for new, topic_id in enumerate(new_ids):
        if topic_id not in old_ids:
            source = _most(table[:, new], old_ids)
            found.append(Event(Change.BORN if source is None else Change.SPLIT, topic_id, source))
    for old, topic_id in enumerate(old_ids):
        if topic_id not in new_ids:
            heir = _most(table[old], new_ids)
            found.append(Event(Change.DIED if heir is None else Change.MERGED, topic_id, heir))
    return tuple(found)


def _most(counts: NDArray[np.int64], ids: tuple[str, ...]) -> str | None:
    """The topic that more than `MOST` of the conversations are in, if there is one. The last count is of none."""
    total = int(counts.sum())
    largest = int(counts.argmax())
    return ids[largest] if largest < len(ids) and counts[largest] > MOST * total else None
