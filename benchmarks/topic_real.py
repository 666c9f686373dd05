"""Topics of real questions against human tags. Run: python benchmarks/topic_real.py [FILE…]

Each file holds canonical conversations (.jsonl or .jsonl.gz) with a human tag: labels.topic or labels.problem_type. In
one run: ours (k by its own criterion, and at the tags' number) and k-means of scikit-learn on the same MiniLM vectors
of what the person wrote, pooled as a release pools them; k-means on the first window alone; kura's grouping; BERTopic
on the same vectors, and its default steps by themselves (UMAP to five dimensions, then HDBSCAN). `kura`, `bertopic` and
`umap-learn` are no dependencies of Confide: a peer that cannot be imported is said to be not installed, and left out.
Adjusted mutual information and purity, mean and standard deviation over --draws orders and seeds: with a few hundred
conversations one draw says little. What a method leaves out counts as one group. Without a file: invented texts.
"""

import argparse
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

sys.path.pop(0)  # this folder: its coverage.py would be taken for the package of that name, which numba asks for
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dagster_project.classifiers.local.embedder import MiniLM
from dagster_project.domain.topics.groups import candidate_numbers, unit
from dagster_project.domain.topics.model import reaches, sort
from dagster_project.topics.clustering import best_clusters, spherical_kmeans
from dagster_project.topics.reading import embed_windows, embedded_windows
from tests.support.topic_texts import TOPICS, text_of

LEAST_TAGGED = 5
PEERS = {"kura": "kura", "bertopic": "bertopic", "umap": "umap-learn"}
"""What is imported, and the package that brings it."""


def tagged(path: Path) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Source, windows and tag of each conversation that has one."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            row = json.loads(line)
            labels = row.get("labels") or {}
            tag = labels.get("topic") or labels.get("problem_type")
            human = [m["content"] for m in row["messages"] if m["role"] == "user" and isinstance(m["content"], str)]
            if isinstance(tag, str) and human:
                yield str(row.get("source", path.stem)), embedded_windows(human), tag


def purity(labels: Sequence[int], tags: Sequence[str]) -> float:
    """The share of conversations whose group's commonest tag is their own."""
    groups: dict[int, Counter[str]] = {}
    for label, tag in zip(labels, tags, strict=True):
        groups.setdefault(label, Counter())[tag] += 1
    return sum(max(found.values()) for found in groups.values()) / len(tags)


def reducer(seed: int) -> Any:
    """UMAP as BERTopic sets it, with a seed."""
    from umap import UMAP

    return UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=seed)


def ways(vectors: Any, first: Any, texts: Sequence[str], n_tags: int, seed: int) -> dict[str, Any]:
    """Labels by each way of grouping. first: vectors of the first window. texts: BERTopic asks for them, to name by."""
    from sklearn.cluster import HDBSCAN, KMeans

    def ours(k: int | None) -> Any:
        centres = (
            best_clusters(vectors, candidate_numbers(len(vectors), 3), seed)
            if k is None
            else spherical_kmeans(vectors, k, seed)
        )
        labels, distance = sort(vectors, centres, np.full(len(centres), 9.0))
        return sort(vectors, centres, reaches(labels, distance, len(centres)))[0]

    found = {
        "ours, own k": ours(None),
        "ours, k of tags": ours(n_tags),
        "k-means, k of tags": KMeans(n_tags, random_state=seed, n_init=10).fit_predict(vectors),
        "k-means, first window": KMeans(n_tags, random_state=seed, n_init=10).fit_predict(first),
    }
    if find_spec("kura"):
        from kura.k_means import KmeansClusteringMethod

        items = [{"embedding": vector.tolist(), "item": i} for i, vector in enumerate(vectors)]
        for name, each in (("kura, its own k", 10), ("kura, k of tags", len(vectors) / n_tags)):
            labels = np.zeros(len(vectors), dtype=np.int64)
            for label, members in KmeansClusteringMethod(each).cluster(items).items():
                labels[members] = label
            found[name] = labels
    if find_spec("umap"):
        few = reducer(seed).fit_transform(vectors)
        for least in (10, 5):
            found[f"UMAP + HDBSCAN, {least}"] = HDBSCAN(min_cluster_size=least, copy=True).fit_predict(few)
    if find_spec("bertopic"):
        from bertopic import BERTopic

        for least in (10, 5):
            model = BERTopic(embedding_model=None, umap_model=reducer(seed), min_topic_size=least)
            found[f"BERTopic, {least}"] = np.asarray(model.fit_transform(list(texts), vectors)[0])
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--draws", type=int, default=10)
    given = parser.parse_args()
    from sklearn.metrics import adjusted_mutual_info_score

    if missing := [package for module, package in PEERS.items() if not find_spec(module)]:
        print(f"not installed: {', '.join(missing)}")
    draw = Random(2)
    rows = [row for path in given.files for row in tagged(path)]
    rows = rows or [("invented", (text_of(topic, draw),), topic) for topic in TOPICS for _ in range(15)]
    embedder = MiniLM()
    for source in sorted({source for source, _, _ in rows}):
        own = sorted({(windows, tag) for s, windows, tag in rows if s == source})
        common = {tag for tag, n in Counter(tag for _, tag in own).items() if n >= LEAST_TAGGED}
        own = [(windows, tag) for windows, tag in own if tag in common]
        if len(common) < 2:
            continue
        pooled = unit(embed_windows(embedder.embed, [windows for windows, _ in own]))
        first = unit(embedder.embed([windows[0] for windows, _ in own]))
        several = sum(len(windows) > 1 for windows, _ in own)
        print(
            f"{source}: {len(own)} conversations, {several} of several windows, {len(common)} tags of {LEAST_TAGGED} up"
        )
        scores: dict[str, list[tuple[float, ...]]] = {}
        for seed in range(given.draws):
            order = np.random.default_rng(seed).permutation(len(own))
            tags = [own[i][1] for i in order]
            texts = [" ".join(own[i][0]) for i in order]
            for name, labels in ways(pooled[order], first[order], texts, len(common), seed).items():
                found = labels.tolist()
                out = sum(label < 0 for label in found) / len(found)
                one = adjusted_mutual_info_score(tags, found), purity(found, tags), len(set(found) - {-1}), out
                scores.setdefault(name, []).append(one)
        for name, many in scores.items():
            (ami, pure, groups, out), spread = np.mean(many, axis=0), np.std([one[0] for one in many])
            print(
                f"  {name:22} groups {groups:4.1f}  left out {out:5.1%}  AMI {ami:.3f} ± {spread:.3f}"
                f"  purity {pure:.3f}"
            )


if __name__ == "__main__":
    main()
