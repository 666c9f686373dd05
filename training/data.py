"""Rows to learn from: labelled conversations turned into examples with weights, sources and groups.

Lives here: which sources count as what, and how far each is trusted. Not here: features (the package's own), fitting
(`fit.py`). Only rows with `use` = train are read for fitting; `evaluation_rows` is for `evaluate.py` alone.

Groups keep what belongs together (one prompt answered by five models, a post and its title) in one fold.
"""

import dataclasses
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster_project.classifiers.local.classifier import AFFECTIVE, PUSHBACK_KINDS
from dagster_project.classifiers.local.language import clearly_not_english, is_readable
from dagster_project.classifiers.local.reading import Turn, turns
from dagster_project.domain.conversations import Conversation, Message, Role
from dagster_project.domain.study import AFFECTIVE_TYPES

OWN = Path(__file__).parent / "examples"
HELD_OUT = Path(__file__).parent / "heldout"
"""Written by other hands; measured on, never learnt from."""
OWN_CONVERSATIONS = (
    "types",
    "talks_interpersonal",
    "talks_coaching",
    "talks_counselling",
    "talks_companionship",
    "roleplay",
    "creation_everyday",
    "talks_texting",
)
OWN_CREATION = ("creation_forms", "creation_prompts")
"""Single requests on the boundary of content creation alone. What they say of types nobody doubts; learnt from as well,
they outweigh short small talk (cross-validation)."""
OWN_TURNS = ("pushback", "pushback_styles")
OWN_MESSAGES = ("sentiment", "sentiment_chat", "sentiment_texting", "sentiment_dialogue")
RELIABILITY = {"high": 1.0, "medium": 0.7, "low": 0.4}
REQUESTS = {"arena-hard-v2": 2.0, "mt_bench": 2.0}
"""Requests as people write them, of which there are few: they weigh as much as own examples (cross-validation)."""
LICENCES = {
    "own": "written for Confide (Apache-2.0)",
    "own-talks": "written for Confide (Apache-2.0)",
    "counsel-chat": "MIT",
    "arena-hard-v2": "Apache-2.0",
    "mt_bench": "Apache-2.0",
    "oasst-en100": "Apache-2.0",
    "hh-rlhf-harmless-test": "MIT",
    "xstest-v2": "CC BY 4.0 (Röttger et al. 2024)",
    "llms-as-therapists": "MIT (Moore et al. 2025)",
    "byu-chitchat": "MIT",
    "goemotions": "Apache-2.0 (Demszky et al. 2020)",
}
WEAK = ("byu-chitchat", "hh-rlhf-harmless-test", "oasst-en100", "xstest-prompts")
"""Sources whose rows have no human label for the facet: what they are follows from where they come from."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """One thing to learn from. labels: 0/1 by head; a head not named is not known here. variant: another shape of an
    example that is there already: learnt from, not measured on."""

    source: str
    group: str
    labels: dict[str, int]
    weight: float
    conversation: Conversation | None = None
    turn: Turn | None = None
    text: str = ""
    variant: bool = False


def read_rows(path: Path) -> list[Row]:
    """JSON lines, plain or gzipped."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def conversation_of(row: Row, messages: list[Row] | None = None) -> Conversation:
    """A row's conversation; times do not matter here."""
    said = tuple(Message(Role(m["role"]), m["content"]) for m in (row["messages"] if messages is None else messages))
    return Conversation(str(row.get("conversation_id", "")), None, datetime(2026, 1, 1, tzinfo=UTC), said)


def number_of(text: str) -> int:
    """A stable number from a text, for choosing and folding without a random state."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def human_text(row: Row) -> str:
    return "\n".join(m["content"] for m in row["messages"] if m["role"] == "user")


def screen_labels(label: str) -> dict[str, int]:
    """Heads from one mapped label of the dev rows."""
    types = {t: int(t == label) for t in AFFECTIVE_TYPES} | {AFFECTIVE: int(label in AFFECTIVE_TYPES)}
    if label == "general_roleplay":
        return types
    return {"content_creation": int(label == "content_creation"), **types}


NOTHING = screen_labels("non_affective")


def own_labels(row: Row) -> dict[str, int]:
    """Heads from the labels of an own example: content creation, and any number of types."""
    labels = row["labels"]
    return {
        "content_creation": int(labels["content_creation"]),
        **{t: int(t in labels["affective_type"]) for t in AFFECTIVE_TYPES},
        AFFECTIVE: int(bool(labels["affective_type"])),
    }


def own_rows(*names: str) -> list[Row]:
    """Examples written for Confide, from some files."""
    return [row for name in names for row in read_rows(OWN / f"{name}.jsonl")]


def template_of(row: Row) -> str:
    """What rows made from one idea share, so that they stay in one fold."""
    return f"own {row.get('template') or row['conversation_id']}"


def train_rows(path: Path) -> list[Row]:
    """The rows of a file that may be learnt from."""
    return [r for r in read_rows(path) if r["use"] == "train"]


def evaluation_rows(path: Path) -> list[Row]:
    """The rows of a file that may only be measured on."""
    return [r for r in read_rows(path) if r["use"] == "evaluation"]


def screen_examples(data: Path) -> list[Example]:
    """Content creation and affective types."""
    found: list[Example] = []
    for row in own_rows(*OWN_CONVERSATIONS):
        heads = own_labels(row)
        found.append(Example("own", template_of(row), heads, 2.0, conversation_of(row)))
        found.extend(
            Example("own", template_of(row), heads, 0.7, conversation_of(row, v), variant=True) for v in variants(row)
        )
    for row in own_rows(*OWN_CREATION):
        made = {"content_creation": int(row["labels"]["content_creation"])}
        found.append(Example("own", template_of(row), made, 2.0, conversation_of(row)))
        found.extend(
            Example("own", template_of(row), made, 0.7, conversation_of(row, v), variant=True) for v in variants(row)
        )
    seen: set[str] = set()
    for row in train_rows(data / "dev" / "affective_type.jsonl.gz"):
        heads = screen_labels(row["labels"]["affective_type"])
        weight = RELIABILITY[row["labels"]["mapping_reliability"]] * REQUESTS.get(row["source"], 1.0)
        text = human_text(row)
        seen.add(text)
        found.append(Example(row["source"], text[:80], heads, weight, conversation_of(row)))
        if row["source"] == "counsel-chat" and "\n" in text:
            title = [{"role": "user", "content": text.split("\n", 1)[0]}]
            found.append(
                Example(row["source"], text[:80], heads, weight / 2, conversation_of(row, title), variant=True)
            )
            found.extend(
                Example(row["source"], text[:80], heads, weight / 2, conversation_of(row, v), variant=True)
                for v in variants(row)
            )
    for row in train_rows(data / "corpus" / "assistant_chats.jsonl.gz"):
        text = human_text(row)
        if text in seen:
            continue
        if row["source"] == "arena-hard-v2":
            made = row["labels"]["arena_category"] == "creative_writing"
            heads = screen_labels("content_creation" if made else "non_affective")
            weight = (1.0 if made else 0.7) * REQUESTS[row["source"]]
            found.append(Example(row["source"], text[:80], heads, weight, conversation_of(row)))
        elif row["source"] in ("hh-rlhf-harmless-test", "oasst-en100") and _impersonal(text):
            found.append(Example(row["source"], text[:80], NOTHING, 0.3, conversation_of(row)))
    found.extend(_questions(data))
    found.extend(_chitchat(data))
    return [e for e in found if e.conversation and _usable(said_by_person(e.conversation))]


def gate_examples(data: Path) -> list[Example]:
    """The same conversations, asked whether there is content creation or any type; not those where that is unknown."""
    return [
        dataclasses.replace(e, labels={"any": max(e.labels.values())})
        for e in screen_examples(data)
        if "content_creation" in e.labels or any(e.labels.values())
    ]


def other_language_examples(data: Path) -> list[Example]:
    """Conversations that are clearly not English: is a piece of writing asked for?

    Talk about oneself is rare among the rows, and the one thing that must not be taken for a piece of writing.
    """
    found = [
        Example(
            "own",
            template_of(row),
            {"content_creation": int(row["labels"]["content_creation"])},
            3.0 if row["labels"]["affective_type"] else 1.0,
            conversation_of(row),
        )
        for row in own_rows("other_languages")
    ]
    seen: set[str] = set()
    for row in train_rows(data / "corpus" / "assistant_chats.jsonl.gz"):
        text = human_text(row)
        if row["source"] == "arena-hard-v2" and text not in seen:
            seen.add(text)
            made = int(row["labels"]["arena_category"] == "creative_writing")
            found.append(Example(row["source"], text[:80], {"content_creation": made}, 1.0, conversation_of(row)))
    return [e for e in found if e.conversation and clearly_not_english(said_by_person(e.conversation))]


def said_by_person(conversation: Conversation) -> str:
    """The human messages of a conversation, a line each: as `human_text` has them of a row."""
    return "\n".join(m.content for m in conversation.human_messages)


GREETINGS = ("hi", "hello", "hey there", "good morning", "good evening!", "hi, can I ask you something?", "hello again")
PARTINGS = (
    "thanks",
    "thank you, that helps",
    "ok thanks!",
    "cheers",
    "ok",
    "alright, I'll think about it",
    "bye for now",
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def variants(row: Row) -> list[list[Row]]:
    """The same conversation as it could also have come: its first half; in several messages; with hello and thanks.

    Sources differ in how many messages a conversation has, and what is meant must not be read from that.
    """
    messages: list[Row] = row["messages"]
    found: list[list[Row]] = []
    if len(messages) >= 6:
        found.append(messages[: len(messages) // 2])
    n = number_of(human_text(row))
    hello, thanks = GREETINGS[n % len(GREETINGS)], PARTINGS[n // 7 % len(PARTINGS)]
    human = [m["content"] for m in messages if m["role"] == "user"]
    sentences = [p for p in _SENTENCE.split(human[0]) if p.strip()]
    if len(human) == 1 and len(sentences) >= 3:
        size = 1 + len(sentences) // 6
        pieces = [" ".join(sentences[i : i + size]) for i in range(0, len(sentences), size)]
        if n % 2:
            pieces = [hello, *pieces, thanks]
        found.append([{"role": "user", "content": p} for p in pieces])
    elif n % 2:
        found.append([{"role": "user", "content": hello}, *messages, {"role": "user", "content": thanks}])
    return found


def _questions(data: Path) -> Iterator[Example]:
    """XSTest's questions: one by one, and several in a row as people ask them. Questions of a bucket share a fold."""
    rows = train_rows(data / "dev" / "pushback.jsonl.gz")
    buckets: dict[str, list[str]] = {}
    for prompt in sorted({r["messages"][0]["content"] for r in rows if r["source"] == "xstest-v2"}):
        buckets.setdefault(f"xstest-{number_of(prompt) % 30}", []).append(prompt)
    for bucket, prompts in buckets.items():
        series = [[p] for p in prompts] + [prompts[i : i + 2 + i % 4] for i in range(0, len(prompts), 2)]
        for asked in series:
            row = {"messages": [{"role": "user", "content": p} for p in asked]}
            yield Example("xstest-prompts", bucket, NOTHING, 0.4, conversation_of(row), variant=len(asked) > 1)


def _usable(text: str) -> bool:
    return is_readable(text) and not clearly_not_english(text)


def _impersonal(text: str) -> bool:
    """No talk of oneself, and no request for a piece of writing: safely neither affective nor content creation."""
    words = text.lower().replace("’", "'").split()
    own = sum(
        w.strip(".,?!") in ("i", "i'm", "my", "me", "i've", "im", "we", "our", "you", "your", "lonely") for w in words
    )
    return own == 0 and not any(w in ("write", "story", "poem", "song", "joke", "essay", "letter") for w in words)


def _chitchat(data: Path, wanted: int = 500) -> Iterator[Example]:
    """Stretches of one to eight turns of talk for its own sake between two people: company, weakly labelled."""
    rows = train_rows(data / "corpus" / "dated_chats.jsonl.gz")
    heads = screen_labels("companionship")
    for row in sorted(rows, key=lambda r: number_of(r["conversation_id"]))[:wanted]:
        n = number_of(row["conversation_id"] + "cut")
        start = n % max(1, len(row["messages"]) - 4)
        piece = row["messages"][start : start + 2 + n % 14]
        yield Example("byu-chitchat", row["conversation_id"], heads, 0.5, conversation_of(row, piece))


def pushback_examples(data: Path) -> list[Example]:
    """Turns of the assistant: `any`, and among those that push back, the kind."""
    found: list[Example] = []
    for row in own_rows(*OWN_TURNS):
        said = {t.index: t for t in turns(conversation_of(row))}
        for event in row["labels"]["pushback"]:
            kind = event["kind"]
            heads = {"any": int(kind is not None)}
            if kind:
                heads |= {k: int(k == kind) for k in PUSHBACK_KINDS}
            found.append(Example("own", template_of(row), heads, 1.5, turn=said[event["message_index"]]))
    for row in own_rows(*OWN_CONVERSATIONS):
        # The assistant's part in the talks written for the types was written without pushback.
        types = row["labels"]["affective_type"]
        if types and not any("roleplay" in t for t in types):
            for turn in turns(conversation_of(row))[:3]:
                found.append(Example("own-talks", template_of(row), {"any": 0}, 1.0, turn=turn))
    refusal = {"any": 1, **{k: int(k == "refusal") for k in PUSHBACK_KINDS}}
    for row in train_rows(data / "dev" / "pushback.jsonl.gz"):
        (turn,) = turns(conversation_of(row))
        if row["source"] == "xstest-v2":
            label = row["labels"]["pushback"]
            heads = {"none": {"any": 0}, "partial": {"any": 1}, "refusal": refusal}[label]
            found.append(Example(row["source"], turn.before, heads, 0.6 if label == "partial" else 1.0, turn=turn))
        else:
            heads = {"any": int(row["labels"]["held_boundary"])}
            found.append(Example(row["source"], turn.before[:80], heads, 0.4, turn=turn))
    for row in train_rows(data / "corpus" / "assistant_chats.jsonl.gz"):
        if row["source"] in ("counsel-chat", "oasst-en100"):
            for turn in turns(conversation_of(row))[:2]:
                found.append(Example(row["source"], turn.before[:80], {"any": 0}, 0.3, turn=turn))
    for example in _chitchat(data, 300):
        for turn in turns(example.conversation)[:2] if example.conversation else ():
            found.append(Example(example.source, example.group, {"any": 0}, 0.5, turn=turn))
    return [e for e in found if e.turn and _usable(e.turn.text)]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


GO_POSITIVE = _words("amusement excitement joy love desire optimism caring pride admiration gratitude relief approval")
GO_NEGATIVE = _words(
    "fear nervousness remorse embarrassment disappointment sadness grief disgust anger annoyance disapproval"
)
GO_STRONG = _words("excitement love joy grief anger fear disgust")
GO_MILD = _words(
    "optimism approval caring admiration amusement annoyance disapproval disappointment nervousness embarrassment"
)


def sentiment_examples(data: Path) -> list[Example]:
    """Messages: valence in three, and strong or not within the negative and the positive."""
    found = [
        Example(
            "own",
            template_of(row),
            _level_heads(row["labels"]["sentiment"][0]),
            7.0,
            text=row["messages"][0]["content"],
        )
        for row in own_rows(*OWN_MESSAGES)
    ]
    return [e for e in [*found, *emotion_examples(data, "train")] if is_readable(e.text)]


def emotion_examples(data: Path, part: str) -> list[Example]:
    """GoEmotions' comments of a part: train is learnt from, dev is measured on."""
    names = (data / "goemotions" / "emotions.txt").read_text().split()
    found = []
    with gzip.open(data / "goemotions" / f"goemotions_{part}.tsv.gz", "rt", encoding="utf-8") as file:
        for line in file:
            text, codes, row_id = line.rstrip("\n").split("\t")
            if heads := _emotion_heads({names[int(c)] for c in codes.split(",")}):
                text = text.replace("[NAME]", "Alex").replace("[RELIGION]", "religion")
                found.append(Example("goemotions", row_id, heads, 1.0, text=text))
    return found


def _level_heads(level: str) -> dict[str, int]:
    valence = level.removeprefix("very_")
    heads = {v: int(v == valence) for v in ("neutral", "negative", "positive")}
    if valence != "neutral":
        heads[f"strong_{valence}"] = int(level.startswith("very_"))
    return heads


def _emotion_heads(emotions: set[str]) -> dict[str, int]:
    positive, negative = bool(emotions & GO_POSITIVE), bool(emotions & GO_NEGATIVE)
    if positive and negative:
        return {}
    valence = "positive" if positive else "negative" if negative else "neutral"
    heads = _level_heads(valence)
    heads.pop(f"strong_{valence}", None)
    if valence != "neutral" and emotions <= GO_STRONG:
        heads[f"strong_{valence}"] = 1
    elif valence != "neutral" and emotions <= GO_MILD:
        heads[f"strong_{valence}"] = 0
    return heads
