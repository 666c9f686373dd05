"""Speed of the local classifier: `python -m benchmarks.classify [FILE.jsonl]`, one JSON object on stdout.

FILE: conversations in the canonical form; without one, short made-up chats. Not here: how right the labels are
(`training/evaluate.py`).
"""

import json
import os
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from dagster_project.classifiers.local.classifier import LocalClassifier
from dagster_project.classifiers.local.embedder import MiniLM
from dagster_project.codebook.loader import shipped_codebook
from dagster_project.domain.conversations import Conversation, Message, Role
from dagster_project.sources.confide import read
from dagster_project.sources.outcome import Parsed

WORDS = "the my of and rain sister work never always garden sleep talk boss night well what how please friend long"


def made_up(n: int) -> list[Conversation]:
    """Chats of two to eight messages of about fifteen words; no two messages alike."""
    chats, vocabulary = [], WORDS.split()
    for i in range(n):
        messages = []
        for j in range(2 + i % 7):
            words = [vocabulary[(i * 7 + j * 13 + k * (1 + i % 5)) % len(vocabulary)] for k in range(10 + (i + j) % 11)]
            messages.append(Message(Role.USER if j % 2 == 0 else Role.ASSISTANT, f"{' '.join(words)} {i} {j}"))
        chats.append(Conversation(f"c{i}", None, datetime(2026, 1, 1, tzinfo=UTC), tuple(messages)))
    return chats


def plain_questions(n: int) -> list[Conversation]:
    """Single questions of fact of about thirty words, no two alike."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Conversation(
            f"p{i}",
            None,
            start,
            (
                Message(
                    Role.USER,
                    f"What is the boiling point of water at {1000 + i} metres, and how does the pressure of the air "
                    f"change between sea level and that height? Explain the formula with the units in table {i}.",
                ),
            ),
        )
        for i in range(n)
    ]


def embedding_rates(embedder: MiniLM) -> dict[str, int]:
    """Texts a second by number of words."""
    rates, vocabulary = {}, WORDS.split()
    for n_words in (10, 40, 90):
        texts = [
            " ".join(vocabulary[(i + k) % len(vocabulary)] for k in range(n_words)) + f" {i % 10}" for i in range(200)
        ]
        start = time.perf_counter()
        embedder.embed(texts)
        rates[f"{n_words}_words"] = round(len(texts) / (time.perf_counter() - start))
    return rates


def main() -> None:
    if len(sys.argv) > 1:
        records = read(Path(sys.argv[1]), require_time=False)
        chats = [r.conversation for r in records if isinstance(r, Parsed)]
    else:
        chats = made_up(600)
    book = shipped_codebook()
    classifier = LocalClassifier(sentiment_scope="edges")
    start = time.perf_counter()
    list(classifier.classify([book["content_creation"], book["pushback"]], chats[:1]))
    result: dict[str, object] = {
        "conversations": len(chats),
        "cpus": len(os.sched_getaffinity(0)),
        "load_seconds": round(time.perf_counter() - start, 2),
        "embedding_texts_per_second": embedding_rates(MiniLM()),
    }
    for stage in ("screen", "detail"):
        facets = [f for f in book.of_stage(stage) if classifier.measures(f)]
        start = time.perf_counter()
        list(classifier.classify(facets, chats))
        result[f"{stage}_conversations_per_second"] = round(len(chats) / (time.perf_counter() - start), 1)
    # What a log is mostly made of: one plain question, ruled out by its first words and never embedded.
    plain = [chat for chat in plain_questions(6_000) if classifier.is_plain(chat)]
    screen = [f for f in book.of_stage("screen") if classifier.measures(f)]
    start = time.perf_counter()
    list(classifier.classify(screen, plain))
    result["plain_conversations_per_second"] = round(len(plain) / (time.perf_counter() - start), 1)
    result["peak_megabytes"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
