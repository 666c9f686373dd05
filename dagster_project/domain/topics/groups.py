"""Groups of unit vectors: assignment, how well apart, how many, and merging of groups that are too small.

Lives here: numpy arithmetic on vectors of shape (n, dimension) and centres of shape (k, dimension), both of unit
length. Not here: the clustering itself (`topics/clustering.py`), texts, names.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]

ROOM = 4
"""A type is cut into so many topics at most that an average one has this many times the users that it needs.

With two, most topics of real questions had no word that enough people shared, and so no name (measured)."""
MAX_TOPICS = 40
NEARLY_AS_GOOD = 0.85
"""Finer topics are gathered under parents; too coarse ones are lost. With 0.95, one type of the demo had 2 topics of 5
(measured)."""
CHOICE_SAMPLE = 5_000
"""Vectors, at most, on which numbers of topics are compared; the chosen number is then fitted on all."""
_CHUNK = 8_192


def unit(vectors: Vectors) -> Vectors:
    """The vectors at unit length; zero stays zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.where(length > 0, length, 1)).astype(np.float32)
    return scaled


def assign(vectors: Vectors, centres: Vectors) -> tuple[Labels, NDArray[np.float64]]:
    """Nearest centre of each vector and its distance, 1 − cosine."""
    labels = np.zeros(len(vectors), dtype=np.int64)
    distance = np.zeros(len(vectors), dtype=np.float64)
    for start in range(0, len(vectors), _CHUNK):
        part = slice(start, start + _CHUNK)
        cosine = vectors[part] @ centres.T
        labels[part] = cosine.argmax(axis=1)
        distance[part] = 1.0 - cosine.max(axis=1)
    return labels, distance


def simplified_silhouette(vectors: Vectors, centres: Vectors) -> float:
    """Mean of (b − a) / max(a, b), a and b the distances to the nearest and the second nearest centre.

    Hruschka et al. 2004: the silhouette with centres in place of members, linear in n. −1 to 1.
    """
    if len(centres) < 2:
        return 0.0
    total = 0.0
    for start in range(0, len(vectors), _CHUNK):
        cosine = vectors[start : start + _CHUNK] @ centres.T
        nearest = np.maximum(1.0 - np.partition(cosine, -2, axis=1)[:, -2:], 0.0)  # second nearest, nearest
        total += float(((nearest[:, 0] - nearest[:, 1]) / np.maximum(nearest[:, 0], 1e-9)).sum())
    return total / len(vectors)


def candidate_numbers(n_fit: int, min_users: int) -> list[int]:
    """Numbers of topics to try: none when not even two would have room; all up to 20, then in steps of a quarter.

    n_fit: conversations to fit on, one a user. min_users: the policy's smallest topic.
    """
    most = min(MAX_TOPICS, n_fit // (ROOM * min_users))
    numbers = [k for k in range(2, most + 1) if k <= 20]
    while numbers and numbers[-1] < most:
        numbers.append(min(most, numbers[-1] + max(1, numbers[-1] // 4)))
    return numbers


def choose(scores: dict[int, float]) -> int:
    """The largest number of topics that is nearly as well apart as the best one: detail at no loss of clarity."""
    best = max(scores.values())
    return max(k for k, score in scores.items() if nearly_as_good(score, best))


def nearly_as_good(score: float, best: float) -> bool:
    """Whether a silhouette is within `NEARLY_AS_GOOD` of the best one."""
    return score >= best - (1 - NEARLY_AS_GOOD) * abs(best)


def merge_small(fit: Vectors, centres: Vectors, is_small: Callable[[Vectors], list[int]]) -> Vectors:
    """Merge groups that are too small into their nearest sibling, the smallest first, until none is.

    fit: vectors that the centres were fitted on. is_small: for centres, the groups below the minimum, smallest first.
    After each merge everything is assigned anew, so that a member's group is always its nearest centre.
    """
    while len(centres) > 1 and (small := is_small(centres)):
        labels, _ = assign(fit, centres)
        weights = np.bincount(labels, minlength=len(centres)).astype(np.float32)
        lost = small[0]
        cosine = centres @ centres[lost]
        cosine[lost] = -np.inf
        heir = int(cosine.argmax())
        centres = centres.copy()
        centres[heir] = weights[heir] * centres[heir] + weights[lost] * centres[lost]
        centres = unit(np.delete(centres, lost, axis=0))
    return centres
