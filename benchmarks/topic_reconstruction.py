"""Known topics found again: accuracy. Run: python benchmarks/topic_reconstruction.py [--n 20000]

Invented texts over 20 topics of uneven sizes (`tests/support/topic_texts.py`), from texts to topics by the same code as
a release, with MiniLM. A found topic stands for the true one that most of its conversations are of (as Clio's appendix
scores its reconstruction); what fits nowhere counts as wrong. --cache: a folder to keep vectors in.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dagster_project.classifiers.cache import VectorCache
from dagster_project.classifiers.local.embedder import MiniLM
from dagster_project.topics.period_topics import TopicWork, build_period_topics
from tests.support.topic_lake import KEY, LIMITS, PERIOD, SCHEDULE, Said, lake_of
from tests.support.topic_texts import text_of, uneven_sizes


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    draw = Random(given.seed)
    users = [f"u{i}" for i in range(max(given.n * 2 // 3, 1))]
    said, truth = [], {}
    for topic, size in uneven_sizes(given.n).items():
        for _ in range(size):
            day = PERIOD.start + timedelta(days=draw.randrange(14))
            one = Said(draw.choice(users), [text_of(topic, draw)], day=day, key=f"{draw.getrandbits(128):032x}")
            said.append(one)
            truth[one.key] = topic
    with tempfile.TemporaryDirectory() as folder:
        from dagster_project.home import Home
        from dagster_project.storage.topic_models import TopicModels

        lake = lake_of(Path(folder) / "home", said)
        vectors = VectorCache(MiniLM(), (given.cache or Path(folder)) / "vectors.sqlite", str)
        began = time.monotonic()
        work = TopicWork(lake, TopicModels(Home(Path(folder) / "home")), vectors.embed, LIMITS, KEY, SCHEDULE)
        built = build_period_topics(work, PERIOD)
        seconds = time.monotonic() - began
    found = dict(built.assignments.select("conversation_key", "topic_id").iter_rows())
    names = dict(built.topics.select("topic_id", "topic_name").iter_rows())
    base = {t: names[t] for t in set(found.values()) if names[t] != "Other"}
    stands_for = {}
    for topic_id in base:
        stands_for[topic_id] = Counter(truth[k] for k, t in found.items() if t == topic_id).most_common(1)[0][0]
    right = sum(stands_for.get(topic_id) == truth[key] for key, topic_id in found.items())
    sizes, recovered = Counter(truth.values()), Counter(stands_for[t] for t in found.values() if t in stands_for)
    errors = [abs(recovered[topic] - n) / len(truth) for topic, n in sizes.items()]
    figures = built.figures["coaching"]
    print(f"{len(said)} texts ({len({one.texts[0] for one in said})} different), 20 topics, {seconds:.0f} s")
    stood_for = len(set(stands_for.values()))
    print(f"topics found: {len(base)} under {figures['n_parents']} parents; true ones that one stands for: {stood_for}")
    print(f"assignment right: {right / len(truth):.1%}; fits nowhere: {figures['other_share']:.1%}")
    mean, total = sum(errors) / len(errors), sum(errors) / 2
    print(f"shares: mean absolute error {mean:.2%}, largest {max(errors):.2%}; total variation {total:.1%}")
    for topic_id, name in sorted(base.items(), key=lambda item: stands_for[item[0]]):
        print(f"  {stands_for[topic_id]:10} {name}")


if __name__ == "__main__":
    main()
