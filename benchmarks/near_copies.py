"""What counts as one voice: copies with words changed, and texts of one's own. Run: python benchmarks/near_copies.py

Of 80 copies of a text that keep its last three words, with some of the others changed in each: how many voices are left
(the most of ten draws), by ours and by the share of word triples alone. Then what it costs: of what people wrote in
canonical files (.jsonl or .jsonl.gz), or of invented texts without one, how many count with another text. Not here:
what it does to topics (`topic_reconstruction.py`).
"""

import gzip
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dagster_project.domain.topics.duplicates import PASTED, REWORDED, Duplicates, signature
from tests.support.topic_texts import TOPICS, text_of

COPIES = 80
DRAWS = 10
LENGTHS = (10, 15, 20, 30, 50)
CHANGED = (1, 2, 3)

Groups = Callable[[Sequence[str]], int]


def ours(similarity: float) -> Groups:
    """Groups of near-duplicates."""

    def groups(texts: Sequence[str]) -> int:
        duplicates = Duplicates(similarity)
        return len({duplicates.group(signature(text)) for text in texts})

    return groups


def by_triples(share: float) -> Groups:
    """Groups by the exact share of word triples in common."""

    def groups(texts: Sequence[str]) -> int:
        first: list[set[tuple[str, ...]]] = []
        for text in texts:
            words = re.findall(r"[^\W\d_]+", text.casefold())
            terms = {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))}
            if not any(len(terms & other) >= share * len(terms | other) for other in first):
                first.append(terms)
        return len(first)

    return groups


def copies(length: int, changed: int, draw: Random) -> list[str]:
    """Copies of a text whose own words are those of other invented texts."""
    words = [word for topic in TOPICS for word in text_of(topic, draw).split()]
    kept = draw.sample(words, length - 3)
    found = []
    for _ in range(COPIES):
        said = list(kept)
        for at in draw.sample(range(len(said)), changed):
            said[at] = draw.choice(words)
        found.append(" ".join([*said, "harpsichord", "ventriloquist", "lobster"]))
    return found


def written_in(files: Iterable[Path]) -> Iterator[tuple[str, list[str]]]:
    """What people wrote, by file."""
    for file in files:
        with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
            rows = [json.loads(line)["messages"] for line in lines]
        yield file.name, ["\n".join(m["content"] for m in row if m["role"] == "user") for row in rows]


def main() -> None:
    ways: dict[str, Groups] = {
        "named": ours(REWORDED),
        "fitted": ours(PASTED),
        "triples, .5": by_triples(0.5),
        "triples, .7": by_triples(0.7),
    }
    print(f"voices of {COPIES} copies, {' / '.join(map(str, CHANGED))} words changed in each")
    for length in LENGTHS:
        told = []
        for name, groups in ways.items():
            most = [max(groups(copies(length, n, Random(d))) for d in range(DRAWS)) for n in CHANGED]
            told.append(f"{name}: {' / '.join(map(str, most))}")
        print(f"  {length} words  {'   '.join(told)}", flush=True)
    draw = Random(1)
    invented = [text_of(topic, draw) for topic in TOPICS for _ in range(75)]
    files = [Path(name) for name in sys.argv[1:]]
    print("texts that count with another one")
    for name, texts in written_in(files) if files else [("invented", sorted(set(invented)))]:
        told = [f"{way}: {len(texts) - groups(texts)}" for way, groups in ways.items()]
        print(f"  {name}, {len(texts):,}  {'   '.join(told)}", flush=True)


if __name__ == "__main__":
    main()
