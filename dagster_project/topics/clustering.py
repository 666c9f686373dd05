"""Spherical k-means by faiss: seeded, the same result for the same vectors in the same order.

Not here: the rules of how many clusters, and what becomes of small ones (`domain/topics/groups.py`).
"""

from collections.abc import Sequence

import numpy as np

from dagster_project.domain.topics.groups import (
    CHOICE_SAMPLE,
    Vectors,
    assign,
    choose,
    nearly_as_good,
    simplified_silhouette,
    unit,
)
from dagster_project.domain.topics.swaps import moved

ITERATIONS, RESTARTS = 30, 3
SMALL, MANY_STARTS = 10**5, 10
"""Vectors times clusters up to which more starts cost next to nothing. With three, how a hundred conversations are cut
was a matter of the draw (measured against human tags)."""
LARGE = 10**7
"""Vectors times clusters from which one start, fewer iterations and some of the vectors must do."""
LARGE_ITERATIONS, LARGE_POINTS, LARGE_MOVED_ITERATIONS = 6, 40, 3
"""After a move nearly all centres are where they belong: they need half the iterations."""
SWAPS = 4
"""Times, at most, that centres are moved from where two share a group to where one holds two."""


def spherical_kmeans(vectors: Vectors, k: int, seed: int) -> Vectors:
    """Centres of k clusters by cosine, unit length, shape (k, dimension).

    The best of some starts, then improved by moving centres (`moved`) for as long as that brings vectors nearer.
    vectors: unit length, float32, in random order, shape (n, dimension), n ≥ k. Raises ValueError when there are fewer.
    """
    if len(vectors) < k:
        raise ValueError(f"{len(vectors)} vectors cannot make {k} clusters")
    size = len(vectors) * k
    large = size >= LARGE
    starts = 1 if large else MANY_STARTS if size < SMALL else RESTARTS
    sample = vectors[: LARGE_POINTS * k] if large else vectors
    sample = np.ascontiguousarray(sample, dtype=np.float32)
    centres = _train(sample, k, seed, LARGE_ITERATIONS if large else ITERATIONS, starts)
    away = float(assign(sample, centres)[1].sum())
    for _ in range(SWAPS):
        first = moved(sample, centres)
        if first is None:
            break
        other = _train(sample, k, seed, LARGE_MOVED_ITERATIONS if large else ITERATIONS, 1, first)
        other_away = float(assign(sample, other)[1].sum())
        if other_away >= away:
            break
        centres, away = other, other_away
    return centres


def _train(vectors: Vectors, k: int, seed: int, iterations: int, starts: int, first: Vectors | None = None) -> Vectors:
    import faiss

    # One thread: the sums, and so the centres, do not depend on the machine; and threads that wait for a busy core made
    # it nine times slower (measured: 30,000 vectors on two shared cores, 16.3 s against 1.8 s).
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    kmeans = faiss.Kmeans(
        vectors.shape[1],
        k,
        niter=iterations,
        nredo=starts,
        seed=seed,
        spherical=True,
        verbose=False,
        min_points_per_centroid=1,
        max_points_per_centroid=len(vectors),
    )
    try:
        kmeans.train(vectors, init_centroids=first)
    finally:
        faiss.omp_set_num_threads(threads)
    return unit(np.asarray(kmeans.centroids, dtype=np.float32))


def best_clusters(vectors: Vectors, numbers: Sequence[int], seed: int, known: Vectors | None = None) -> Vectors:
    """Centres for that of some numbers of clusters which `choose` takes by the silhouette.

    vectors: unit length, in random order: the first `CHOICE_SAMPLE` of them are compared on. known: centres of the
    version before: moved to these vectors, they are kept where they are nearly as well apart as the best. Several
    numbers and cuts are about as good, and which of them is best by a hair turns on a few conversations.
    """
    sample = vectors[:CHOICE_SAMPLE]
    fitted = {k: spherical_kmeans(sample, k, seed) for k in numbers}
    scores = {k: simplified_silhouette(sample, centres) for k, centres in fitted.items()}
    if known is not None and len(known) <= len(vectors):
        kept = _train(np.ascontiguousarray(vectors, np.float32), len(known), seed, ITERATIONS, 1, known)
        if nearly_as_good(simplified_silhouette(sample, kept), max(scores.values())):
            return kept
    k = choose(scores)
    return fitted[k] if len(sample) == len(vectors) else spherical_kmeans(vectors, k, seed)
