"""Out of a poor optimum of k-means: centres that share one group are moved to where one centre holds two.

Source: Fränti (2018), Efficiency of random swap clustering, Journal of Big Data 5:13; here the swaps are not drawn but
found by what they cost and what they bring. Not here: k-means itself (`topics/clustering.py`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dagster_project.domain.topics.groups import Vectors, unit

_CHUNK = 8_192
_HALVINGS = 5


def moved(vectors: Vectors, centres: Vectors) -> Vectors | None:
    """Centres to begin anew with, or None where no move is expected to bring vectors nearer to their centres.

    A move takes away the centre whose vectors are nearly as near to their second centre, and halves the group that
    gains most by it. Vectors and centres of unit length, shapes (n, dimension), (k, dimension).
    """
    labels, cost = _removal_costs(vectors, centres)
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(len(centres) + 1))
    halves = [
        _halved(vectors[order[a:b]], centre) for a, b, centre in zip(starts[:-1], starts[1:], centres, strict=True)
    ]
    gain = np.array([gained for gained, _ in halves])
    made, touched = centres.copy(), set[int]()
    by_gain = iter(np.argsort(-gain, kind="stable").tolist())
    changed = False
    for lost in np.argsort(cost, kind="stable").tolist():
        split = next((g for g in by_gain if g not in touched and g != lost), None)
        if split is None or gain[split] <= cost[lost]:
            break
        # The heirs of what is taken away are left as they are in this turn: their cost has changed.
        heir = int(np.argsort(-(centres @ centres[lost]))[1])
        if lost in touched or split == heir:
            continue
        pair = halves[split][1]
        made[split], made[lost] = pair[0], pair[1]
        touched |= {lost, split, heir}
        changed = True
    return made if changed else None


def _removal_costs(vectors: Vectors, centres: Vectors) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Nearest centre of each vector, and by centre how much farther its vectors are from their second."""
    labels = np.zeros(len(vectors), dtype=np.int64)
    cost = np.zeros(len(centres))
    for start in range(0, len(vectors), _CHUNK):
        cosine = vectors[start : start + _CHUNK] @ centres.T
        own = cosine.argmax(axis=1)
        top = np.partition(cosine, -2, axis=1)[:, -2:] if len(centres) > 1 else np.hstack([cosine * 0, cosine])
        labels[start : start + len(own)] = own
        np.add.at(cost, own, (top[:, 1] - top[:, 0]).astype(np.float64))
    return labels, cost


def _halved(members: Vectors, centre: Vectors) -> tuple[float, Vectors]:
    """By how much two centres bring a group's vectors nearer than one, and the two."""
    if len(members) < 2:
        return 0.0, np.stack([centre, centre])
    first = members[int((members @ centre).argmin())]
    pair = unit(np.stack([first, members[int((members @ first).argmin())]]))
    for _ in range(_HALVINGS):
        side = (members @ pair.T).argmax(axis=1)
        if side.all() or not side.any():
            return 0.0, pair
        pair = unit(np.stack([members[side == 0].mean(axis=0), members[side == 1].mean(axis=0)]))
    return float((members @ pair.T).max(axis=1).sum() - (members @ unit(centre[None])[0]).sum()), pair
