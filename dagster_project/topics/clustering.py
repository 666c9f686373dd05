"""Spherical k-means by faiss: seeded, the same result for the same vectors in the same order.

Not here: how many clusters, what becomes of small ones (`domain/topics/groups.py`).
"""

import numpy as np

from dagster_project.domain.topics.groups import Vectors, unit

ITERATIONS = 30
RESTARTS = 5


def spherical_kmeans(vectors: Vectors, k: int, seed: int) -> Vectors:
    """Centres of k clusters by cosine, unit length, shape (k, dimension); the best of five starts.

    vectors: unit length, float32, shape (n, dimension), n ≥ k. Raises ValueError when there are fewer.
    """
    if len(vectors) < k:
        raise ValueError(f"{len(vectors)} vectors cannot make {k} clusters")
    import faiss

    kmeans = faiss.Kmeans(
        vectors.shape[1],
        k,
        niter=ITERATIONS,
        nredo=RESTARTS,
        seed=seed,
        spherical=True,
        verbose=False,
        min_points_per_centroid=1,
        max_points_per_centroid=len(vectors),
    )
    kmeans.train(np.ascontiguousarray(vectors, dtype=np.float32))
    return unit(np.asarray(kmeans.centroids, dtype=np.float32))
