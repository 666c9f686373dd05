"""Fit and hierarchy beside scikit-learn's MiniBatchKMeans. Run: python benchmarks/topic_speed.py [--n 130000]

Planted clusters of unit vectors of 384 dimensions, sizes uneven (log-normal). Each side runs in a process of its own:
wall and processor seconds, peak memory, adjusted Rand index against what was planted. OMP_NUM_THREADS decides how many
threads MiniBatchKMeans may use; ours uses one.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

NOISE = 1.0
PART = 10_000


def planted(n: int, k: int, seed: int) -> tuple[Any, Any]:
    """Unit vectors and their clusters: centres at random, noise of the given length around them."""
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(k, 384)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    sizes = draw.lognormal(0, 0.7, k)
    truth = draw.choice(k, n, p=sizes / sizes.sum())
    # In place and by parts: a peak of the making would hide that of the fit.
    vectors = centres[truth]
    for start in range(0, n, PART):
        part = vectors[start : start + PART]
        part += draw.standard_normal(part.shape, dtype=np.float32) * np.float32(NOISE / np.sqrt(384))
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors, truth


def ours(vectors: Any, k: int) -> Any:
    """Spherical k-means, assignment, and the level above."""
    from dagster_project.domain.topics.groups import assign
    from dagster_project.domain.topics.tree import parents
    from dagster_project.topics.clustering import spherical_kmeans

    centres = spherical_kmeans(vectors, k, 1)
    labels, _ = assign(vectors, centres)
    parents(centres)
    return labels


def minibatch(vectors: Any, k: int) -> Any:
    """scikit-learn with its own settings but for larger batches and three starts."""
    from sklearn.cluster import MiniBatchKMeans

    return MiniBatchKMeans(k, random_state=1, n_init=3, batch_size=4096).fit_predict(vectors)


MODULES = ("faiss", "scipy.cluster.hierarchy", "sklearn.cluster", "dagster_project.topics.clustering")
"""Loaded before anything is measured, on either side."""
SIDES = {"ours": ours, "minibatch": minibatch}


def one(side: str, n: int, k: int, seed: int) -> None:
    """One side, in this process; prints its figures."""
    from sklearn.metrics import adjusted_rand_score

    vectors, truth = planted(n, k, seed)
    for module in MODULES:
        import_module(module)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.monotonic(), time.process_time()
    labels = SIDES[side](vectors, k)
    seconds = time.monotonic() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ari = adjusted_rand_score(truth, labels)
    print(
        json.dumps(
            {"wall": seconds[0], "cpu": seconds[1], "mb": peak / 1024, "more_mb": (peak - before) / 1024, "ari": ari}
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=6_000)
    parser.add_argument("--k", type=int)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--side", choices=SIDES)
    given = parser.parse_args()
    k = given.k or max(10, round(given.n / 130))
    if given.side:
        one(given.side, given.n, k, given.seed)
        return
    print(f"{given.n} x 384, k = {k}")
    for side in SIDES:
        command = [
            sys.executable,
            __file__,
            "--n",
            str(given.n),
            "--k",
            str(k),
            "--seed",
            str(given.seed),
            "--side",
            side,
        ]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"{side:10} {told['wall']:7.1f} s wall {told['cpu']:7.1f} s processor "
            f"{told['mb']:6.0f} MB peak ({told['more_mb']:.0f} more than data and libraries)  ARI {told['ari']:.3f}"
        )


if __name__ == "__main__":
    main()
