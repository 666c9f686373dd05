"""What the cheap score of two-phase screening misses, finds and costs: python benchmarks/cheap_score.py [FILE…]

The held-out conversations of this repository (`training/heldout`, written to be hard, English): by cut, the part of the
affective ones below it and of the others at or above it. FILE: canonical conversations without labels, of which it is
told how many lie at or above each cut, and how many have no score.
"""

import json
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from dagster_project.classifiers.local.classifier import LocalClassifier
from dagster_project.domain.conversations import Conversation, Message, Role

HELDOUT = Path(__file__).parents[1] / "training" / "heldout" / "conversations.jsonl"
CUTS = (0.1, 0.2, 0.3, 0.4, 0.5)


def read(file: Path) -> tuple[list[Conversation], list[bool]]:
    """Conversations, and whether each is affective, where it says so."""
    at, found, affective = datetime(2026, 1, 1, tzinfo=UTC), [], []
    for i, line in enumerate(file.open(encoding="utf-8")):
        row = json.loads(line)
        said = [Message(Role(m["role"]), m["content"]) for m in row["messages"] if isinstance(m["content"], str)]
        found.append(Conversation(str(i), None, at, tuple(said)))
        affective.append(bool((row.get("labels") or {}).get("affective_type")))
    return found, affective


def scored(conversations: Iterable[Conversation]) -> np.ndarray:
    """Their scores, none as below every cut; prints the pace."""
    began, given = time.perf_counter(), list(conversations)
    scores = [np.nan if s is None else s for s in LocalClassifier().affective_scores(given)]
    seconds = time.perf_counter() - began
    print(
        f"{len(given):,} conversations, {len(given) / seconds:.0f} a second; {np.isnan(scores).sum()} without a score"
    )
    return np.nan_to_num(np.array(scores), nan=-1.0)


def main() -> None:
    """Print one line a cut."""
    conversations, affective = read(HELDOUT)
    scores, is_so = scored(conversations), np.array(affective)
    for cut in CUTS:
        above = scores >= cut
        print(f"cut {cut:.1f}: missed {1 - above[is_so].mean():.3f}, others above it {above[~is_so].mean():.3f}")
    for file in map(Path, sys.argv[1:]):
        print(file.name)
        scores = scored(read(file)[0])
        print(*(f"cut {cut:.1f}: above {(scores >= cut).mean():.3f}" for cut in CUTS), sep="\n")


if __name__ == "__main__":
    main()
