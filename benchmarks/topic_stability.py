"""How topics last: the same data twice, nine tenths of it, eight weekly fits. Run: python benchmarks/topic_stability.py

Invented texts over ten topics (`tests/support/topic_texts.py`), vectors by MiniLM. Eight weeks with a fit a week, on
that week alone: one topic is born in the fourth, one has its last week in the fifth and is gone in the sixth. --each:
texts of a topic and week. --cache: a folder to keep vectors in.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dagster_project.classifiers.cache import VectorCache
from dagster_project.classifiers.local.embedder import MiniLM
from dagster_project.domain.periods import parse_period
from dagster_project.topics.period_topics import PeriodTopics, TopicWork, build_period_topics
from dagster_project.topics.versions import Schedule
from tests.support.topic_lake import Said, work_of
from tests.support.topic_texts import TOPICS, text_of

MONDAY = date(2026, 9, 21)
THEMES = list(TOPICS)[:10]
BORN, DYING = "interview", "grief"
WEEKLY = Schedule(span_days=7, refit_days=7)


def week(n: int) -> str:
    year, number, _ = (MONDAY + timedelta(7 * n)).isocalendar()
    return f"{year}-W{number:02d}"


def texts(n: int, themes: Iterable[str], each: int) -> list[tuple[str, Said]]:
    draw = Random(f"stable{n}")
    return [
        (
            t,
            Said(
                f"{t}{n}-{u}",
                [text_of(t, draw)],
                day=MONDAY + timedelta(7 * n + u % 7),
                key=f"{draw.getrandbits(128):032x}",
            ),
        )
        for t in themes
        for u in range(each)
    ]


def base(built: PeriodTopics) -> dict[str, str]:
    """Base topic by conversation; parents hold none themselves."""
    return dict(built.assignments.select("conversation_key", "topic_id").iter_rows())


def about(built: PeriodTopics, truth: dict[str, str]) -> dict[str, str]:
    """What each topic is about: the true topic of most of its conversations."""
    found: dict[str, Counter[str]] = {}
    for key, topic_id in base(built).items():
        found.setdefault(topic_id, Counter())[truth[key]] += 1
    other = set(built.topics.filter(topic_name="Other")["topic_id"])
    return {topic_id: counts.most_common(1)[0][0] for topic_id, counts in found.items() if topic_id not in other}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--each", type=int, default=120)
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    from sklearn.metrics import adjusted_rand_score

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vectors = VectorCache(MiniLM(), (given.cache or folder) / "vectors.sqlite", str)

        def work(at: str, said: list[Said]) -> TopicWork:
            return replace(work_of(folder / at, said, schedule=WEEKLY), embed=vectors.embed)

        first = [one for _, one in texts(0, THEMES, given.each * 2)]
        whole = work("whole", first)
        built = build_period_topics(whole, parse_period(week(0)))
        twice = build_period_topics(work("twice", list(reversed(first))), parse_period(week(0)))
        same = twice.topics.equals(built.topics) and twice.assignments.equals(built.assignments)
        print(f"the same {len(first)} conversations twice, in another order: {'identical' if same else 'DIFFERENT'}")
        draw = Random(9)
        part = work("part", draw.sample(first, round(0.9 * len(first))))
        fewer = build_period_topics(replace(part, models=whole.models), parse_period(week(0)), refit=True)
        a, b = base(built), base(fewer)
        both = sorted(a.keys() & b.keys())
        ari = adjusted_rand_score([a[k] for k in both], [b[k] for k in both])
        ids = set(a.values()), set(b.values())
        print(f"90 % of them, fitted anew: ARI {ari:.3f}; {len(ids[0] & ids[1])} of {len(ids[0])} topics keep their id")

        rows = []
        for n in range(8):
            themes = [t for t in THEMES if (t != BORN or n >= 3) and (t != DYING or n < 5)]
            rows += texts(n, themes, given.each)
        truth = {one.key: t for t, one in rows}
        weekly = work("weekly", [one for _, one in rows])
        before: dict[str, str] = {}
        for n in range(8):
            built = build_period_topics(weekly, parse_period(week(n)))
            now, figures = about(built, truth), built.figures["coaching"]
            kept = sum(before.get(topic_id) == theme for topic_id, theme in now.items())
            changes = {k: figures[k] for k in ("born", "died", "split", "merged") if figures[k]}
            came = sorted(f"{theme}" for topic_id, theme in now.items() if topic_id not in before) if n else []
            went = sorted(f"{theme}" for topic_id, theme in before.items() if topic_id not in now)
            print(
                f"week {n + 1}: {len(now)} topics of {len(set(now.values()))} themes, {kept} keep id and theme; "
                f"recorded {changes or 'no change'}; new ids {came}; gone {went}"
            )
            before = now


if __name__ == "__main__":
    main()
