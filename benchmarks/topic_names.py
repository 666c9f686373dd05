"""Names as a reader sees them. Run: python benchmarks/topic_names.py [FILE…] [--users 25] [--conversations 50]

The conversations of canonical files (.jsonl or .jsonl.gz) as one study window and one type, or the demo world without
one, by the types that it was written as: every topic with its size and name, under the default policy unless told
otherwise. --cache: a folder for vectors.
"""

import argparse
import gzip
import hashlib
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dagster_project.classifiers.cache import VectorCache
from dagster_project.classifiers.local.embedder import MiniLM
from dagster_project.demo.world import write_world
from dagster_project.domain.study import TALK_TYPES
from dagster_project.topics.fitting import TopicLimits
from dagster_project.topics.period_topics import build_period_topics
from tests.support.topic_lake import PERIOD, Said, work_of


def said_in(path: Path, types: dict[str, tuple[str, ...]] | None = None) -> list[Said]:
    """What people wrote, all on the first day of the window; lines that are no conversation are passed over.

    types: by conversation; of others nothing is taken.
    """
    found = []
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for n, line in enumerate(lines):
            try:
                row = json.loads(line)
                texts = [m["content"] for m in row["messages"] if m["role"] == "user" and isinstance(m["content"], str)]
            except (ValueError, KeyError, TypeError):
                continue
            kinds = ("coaching",) if types is None else types.get(row.get("conversation_id"), ())
            if texts and kinds:
                key = hashlib.sha256(f"{path.name}{n}".encode()).hexdigest()[:32]
                found.append(Said(str(row.get("user_id") or f"nobody{n}"), texts, kinds, day=PERIOD.start, key=key))
    return found


def known_types(truth: Path) -> dict[str, tuple[str, ...]]:
    """The talk types that the demo world's conversations were written as."""
    rows = pl.read_parquet(truth, columns=["conversation_id", "affective_types"])
    return {key: tuple(t for t in TALK_TYPES if t in types) for key, types in rows.iter_rows()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--users", type=int, default=25)
    parser.add_argument("--conversations", type=int, default=50)
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = None if given.files else write_world(folder / "world")
        types = known_types(world.truth) if world else None
        said = [one for path in (world.files if world else given.files) for one in said_in(path, types)]
        vectors = VectorCache(MiniLM(), (given.cache or folder) / "vectors.sqlite", str)
        limits = TopicLimits(given.users, given.conversations, 5)
        work = replace(work_of(folder / "home", said, limits=limits), embed=vectors.embed)
        began = time.monotonic()
        built = build_period_topics(work, PERIOD)
        print(
            f"{len(said)} conversations of {len({one.user for one in said})} people, {time.monotonic() - began:.0f} s"
        )
    sizes = Counter(built.assignments["topic_id"])
    rows = built.topics.sort("topic_name").to_dicts()
    for above in sorted((row for row in rows if row["parent_topic_id"] is None), key=lambda row: row["affective_type"]):
        below = [row for row in rows if row["parent_topic_id"] == above["topic_id"]]
        size = sizes[above["topic_id"]] or sum(sizes[b["topic_id"]] for b in below)
        print(f"{size:6} {above['topic_name']}  ({above['affective_type']})")
        for row in below:
            print(f"{'':8}{sizes[row['topic_id']]:6} {row['topic_name']}")


if __name__ == "__main__":
    main()
