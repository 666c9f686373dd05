"""Whether human labels move the local classifier's figures towards people's: python benchmarks/correction.py [FOLDER]

FOLDER holds gzipped JSON lines of conversations with `labels` by people: `affective_type.jsonl.gz` (its affective_type,
a type or null), `pushback.jsonl.gz` (its pushback: none, partial or refusal) and `sentiment_messages.jsonl.gz` (its
task last_user_message, valence -1 to 1). Without one, the held-out conversations of this repository are taken, for
affective types alone.

For each seed, a keyed stratified sample gives the labels that correct; the truth is what people say of all the others.
"""

import argparse
import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dagster_project.classifiers.local.classifier import LocalClassifier
from dagster_project.codebook.loader import shipped_codebook
from dagster_project.domain.conversations import Conversation, Message, Role
from dagster_project.domain.estimation.correction import Estimate, corrected_share, share_of_true
from dagster_project.domain.estimation.prediction_powered import UserSums, prediction_powered_mean
from dagster_project.domain.estimation.wilson import wilson_interval
from dagster_project.domain.sampling import draw
from dagster_project.domain.study import AFFECTIVE_TYPES, SENTIMENT_LEVELS

HELDOUT = Path(__file__).parents[1] / "training" / "heldout" / "conversations.jsonl"


@dataclass(frozen=True)
class Said:
    """Of each conversation, what people say and what the classifier says: both yes/no, or both numbers."""

    name: str
    people: np.ndarray
    predicted: np.ndarray
    is_share: bool = True


def rows_of(file: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines."""
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
        return [json.loads(line) for line in lines]


def conversations(rows: Sequence[dict[str, Any]]) -> list[Conversation]:
    """As the classifier reads them; times do not matter."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Conversation(str(i), None, at, tuple(Message(Role(m["role"]), m["content"]) for m in row["messages"]))
        for i, row in enumerate(rows)
    ]


def labelled(rows: Sequence[dict[str, Any]], facet: str) -> list[tuple[str, ...]]:
    """The categories that the local classifier finds in each row."""
    found = LocalClassifier().classify([shipped_codebook()[facet]], conversations(rows))
    return [one.answers[facet].categories for one in found]


def affective(rows: list[dict[str, Any]], types_of: Callable[[dict[str, Any]], Sequence[str]]) -> list[Said]:
    """Affective or not, and each type that at least 40 rows have."""
    said = labelled(rows, "affective_type")
    people = [set(types_of(row)) & set(AFFECTIVE_TYPES) for row in rows]
    out = [Said("affective", np.array([bool(t) for t in people]), np.array([bool(t) for t in said]))]
    for kind in AFFECTIVE_TYPES:
        true = np.array([kind in t for t in people])
        if true.sum() >= 40:
            out.append(Said(kind, true, np.array([kind in t for t in said])))
    return out


def types_of_row(row: dict[str, Any]) -> Sequence[str]:
    """The types that people gave: one, several or none."""
    found = row["labels"].get("affective_type")
    return found if isinstance(found, list) else [found] if found else []


def pushback(rows: list[dict[str, Any]]) -> list[Said]:
    """Refusal in whole or in part; rows that nobody judged are left out."""
    rows = [row for row in rows if row["labels"].get("pushback") is not None]
    said = labelled(rows, "pushback")
    people = np.array([row["labels"]["pushback"] != "none" for row in rows])
    return [Said("pushback (any)", people, np.array([bool(kinds) for kinds in said]))]


def sentiment(rows: list[dict[str, Any]]) -> list[Said]:
    """Mean tone of the last human message."""
    rows = [row for row in rows if row["labels"].get("task") == "last_user_message"]
    said = labelled(rows, "sentiment")
    told = [i for i, levels in enumerate(said) if levels and levels[-1] in SENTIMENT_LEVELS]
    people = np.array([float(rows[i]["labels"]["valence"]) for i in told])
    return [Said("mean tone", people, np.array([SENTIMENT_LEVELS[said[i][-1]] for i in told]), False)]


def once(one: Said, n_labels: int, seed: int) -> tuple[float, float, Estimate]:
    """(people's figure, the classifier's, the corrected one) of the conversations that were not drawn."""
    strata: dict[str, list[str]] = {}
    for i, value in enumerate(one.predicted):
        strata.setdefault(str(value), []).append(str(i))
    drawn = draw(strata, n_labels, seed.to_bytes(32, "big"), one.name)
    chosen = np.array([int(d.conversation_key) for d in drawn])
    weight = np.array([1 / d.inclusion_probability for d in drawn])
    rest = np.setdiff1d(np.arange(len(one.people)), chosen)
    truth, raw = float(one.people[rest].mean()), float(one.predicted[rest].mean())
    if not one.is_share:
        users = [
            UserSums(w * y, w * f, w, 0, 0)
            for w, y, f in zip(weight, one.people[chosen], one.predicted[chosen], strict=True)
        ]
        users += [UserSums(0, 0, 0, f, 1) for f in one.predicted[rest]]
        return truth, raw, prediction_powered_mean(users).estimate
    sides = []
    for side in (True, False):
        own = one.predicted[chosen] == side
        sides.append(share_of_true(weight[own] * one.people[chosen][own], weight[own], int(own.sum())))
    return truth, raw, corrected_share(Estimate(raw, *wilson_interval(raw, len(rest))), *sides)


def main() -> None:
    """Print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--labels", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=20)
    given = parser.parse_args()
    if given.folder is None:
        figures = affective(rows_of(HELDOUT), lambda row: row["labels"]["affective_type"])
    else:
        figures = affective(rows_of(given.folder / "affective_type.jsonl.gz"), types_of_row)
        figures += pushback(rows_of(given.folder / "pushback.jsonl.gz"))
        figures += sentiment(rows_of(given.folder / "sentiment_messages.jsonl.gz"))
    print(f"{given.labels} human labels correct, the rest are the truth; means over {given.seeds} seeds")
    print("figure                     rows   people  classifier  corrected | error raw  corrected | nearer  holds")
    for one in figures:
        found = [once(one, given.labels, seed) for seed in range(given.seeds)]
        truth, raw = (float(np.mean([f[k] for f in found])) for k in (0, 1))
        fixed = float(np.mean([f[2].value for f in found]))
        errors = [(abs(r - t), abs(e.value - t)) for t, r, e in found]
        before, after = (float(np.mean([e[k] for e in errors])) for k in (0, 1))
        nearer = sum(b < a for a, b in errors)
        holds = sum(e.low <= t <= e.high for t, _, e in found)
        print(
            f"{one.name:25s} {len(one.people):5d}  {truth:7.3f}  {raw:9.3f}  {fixed:9.3f} |   {before:7.3f}"
            f"  {after:9.3f} | {nearer:3d}/{given.seeds}  {holds:2d}/{given.seeds}"
        )


if __name__ == "__main__":
    main()
