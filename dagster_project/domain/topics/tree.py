"""A second level: base topics gathered under parents, where some lie closer to one another than to the rest.

Lives here: which base topics have one parent. Not here: how the base topics are found (`groups.py`), whose topics they
were before (`identity.py`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dagster_project.domain.topics.groups import Labels, Vectors, unit

LEAST_BASE = 4
"""With fewer base topics a second level would repeat the first."""
MOST_PARENTS = 12
LEAST_SILHOUETTE = 0.05
"""With less, the base topics lie about equally far from one another, and a parent would say nothing."""
NONE = -1


def parents(centres: Vectors) -> Labels:
    """Number of each base topic's parent, −1 where it stands alone; shape (k,). Parents have two children at least.

    Average linkage on cosine distance, cut into that number of groups (2 to half of k, at most `MOST_PARENTS`) whose
    mean silhouette over the base topics is largest (Rousseeuw 1987; a group of one counts 0). All alone where k < 4 or
    no cut has a silhouette of `LEAST_SILHOUETTE`.
    """
    alone = np.full(len(centres), NONE, dtype=np.int64)
    if len(centres) < LEAST_BASE:
        return alone
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    distance = np.maximum(1.0 - centres.astype(np.float64) @ centres.T.astype(np.float64), 0.0)
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0.0)
    links = linkage(squareform(distance, checks=False), method="average")
    best, chosen = LEAST_SILHOUETTE, alone
    for number in range(2, min(MOST_PARENTS, len(centres) // 2) + 1):
        cut = fcluster(links, number, criterion="maxclust")
        score = silhouette(distance, cut)
        if score > best:
            best, chosen = score, cut
    return _without_singles(chosen) if chosen is not alone else alone


def silhouette(distance: NDArray[np.float64], groups: Labels) -> float:
    """Mean silhouette of items by their pairwise distances, shape (k, k); 0 for a group of one."""
    scores = np.zeros(len(groups))
    for i, own in enumerate(groups):
        mates = (groups == own) & (np.arange(len(groups)) != i)
        others = [distance[i, groups == g].mean() for g in np.unique(groups) if g != own]
        if mates.any() and others:
            a, b = float(distance[i, mates].mean()), float(min(others))
            scores[i] = (b - a) / max(a, b, 1e-12)
    return float(scores.mean())


def _without_singles(groups: Labels) -> Labels:
    """Groups renumbered from 0 in order of their first member; groups of one have none."""
    out = np.full(len(groups), NONE, dtype=np.int64)
    numbers: dict[int, int] = {}
    for i, group in enumerate(groups.tolist()):
        if int((groups == group).sum()) > 1:
            out[i] = numbers.setdefault(group, len(numbers))
    return out


def parent_centres(centres: Vectors, weights: NDArray[np.int64], parent_of: Labels) -> Vectors:
    """Centres of the parents: their children's, by the conversations that each was fitted on; unit length."""
    number = int(parent_of.max(initial=NONE)) + 1
    made = np.zeros((number, centres.shape[1]), dtype=np.float32)
    for parent in range(number):
        own = parent_of == parent
        made[parent] = (centres[own] * weights[own, None]).sum(axis=0)
    return unit(made)
