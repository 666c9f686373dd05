"""Topics of real questions against human tags. Run: python benchmarks/topic_real.py [FILE…]

Each file holds canonical conversations (.jsonl or .jsonl.gz) with a human tag: labels.topic or labels.problem_type. In
one run, on the same MiniLM vectors of what the person wrote: ours (k by its own criterion, and at the tags' number),
k-means of scikit-learn, and BERTopic's default steps (UMAP to five dimensions, then HDBSCAN) where `umap-learn` is
installed; it is no dependency of Confide. Adjusted mutual information and purity; what a method leaves out counts as
one group. Without a file: invented texts.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dagster_project.classifiers.local.embedder import MiniLM
from dagster_project.domain.topics.groups import candidate_numbers, unit
from dagster_project.domain.topics.model import reaches, sort
from dagster_project.topics.clustering import best_clusters, spherical_kmeans
from dagster_project.topics.reading import embedded_text
from tests.support.topic_texts import TOPICS, text_of

LEAST_TAGGED = 5


def tagged(path: Path) -> Iterator[tuple[str, str, str]]:
    """Source, text and tag of each conversation that has one."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            row = json.loads(line)
            labels = row.get("labels") or {}
            tag = labels.get("topic") or labels.get("problem_type")
            human = [m["content"] for m in row["messages"] if m["role"] == "user" and isinstance(m["content"], str)]
            if isinstance(tag, str) and human:
                yield str(row.get("source", path.stem)), embedded_text(human), tag


def purity(labels: Sequence[int], tags: Sequence[str]) -> float:
    """The share of conversations whose group's commonest tag is their own."""
    groups: dict[int, Counter[str]] = {}
    for label, tag in zip(labels, tags, strict=True):
        groups.setdefault(label, Counter())[tag] += 1
    return sum(max(found.values()) for found in groups.values()) / len(tags)


def ways(vectors: Any, n_tags: int) -> dict[str, Any]:
    """Labels by each way of grouping."""
    from sklearn.cluster import HDBSCAN, KMeans

    def ours(k: int | None) -> Any:
        centres = (
            best_clusters(vectors, candidate_numbers(len(vectors), 3), 1)
            if k is None
            else spherical_kmeans(vectors, k, 1)
        )
        labels, distance = sort(vectors, centres, np.full(len(centres), 9.0))
        return sort(vectors, centres, reaches(labels, distance, len(centres)))[0]

    found = {
        "ours, own k": ours(None),
        "ours, k of tags": ours(n_tags),
        "k-means, k of tags": KMeans(n_tags, random_state=1, n_init=10).fit_predict(vectors),
    }
    if find_spec("umap"):
        from umap import UMAP

        few = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=1).fit_transform(vectors)
        for least in (10, 5):
            found[f"UMAP + HDBSCAN, {least}"] = HDBSCAN(min_cluster_size=least, copy=True).fit_predict(few)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", type=Path, nargs="*")
    given = parser.parse_args()
    from sklearn.metrics import adjusted_mutual_info_score

    draw = Random(2)
    rows = [row for path in given.files for row in tagged(path)]
    rows = rows or [("invented", text_of(topic, draw), topic) for topic in TOPICS for _ in range(15)]
    embedder = MiniLM()
    for source in sorted({source for source, _, _ in rows}):
        own = sorted({(text, tag) for s, text, tag in rows if s == source})
        common = {tag for tag, n in Counter(tag for _, tag in own).items() if n >= LEAST_TAGGED}
        own = [(text, tag) for text, tag in own if tag in common]
        if len(common) < 2:
            continue
        draw.shuffle(own)
        tags = [tag for _, tag in own]
        vectors = unit(embedder.embed([text for text, _ in own]))
        print(f"{source}: {len(own)} conversations, {len(common)} tags of {LEAST_TAGGED} or more")
        for name, labels in ways(vectors, len(common)).items():
            found = labels.tolist()
            score = adjusted_mutual_info_score(tags, found)
            out = sum(label < 0 for label in found) / len(found)
            groups = len(set(found) - {-1})
            print(
                f"  {name:20} groups {groups:3}  left out {out:5.1%}  AMI {score:.3f}  purity {purity(found, tags):.3f}"
            )


if __name__ == "__main__":
    main()
