"""Training: the same rows give the same bytes, and the examples written for it are what they say."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dagster_project.classifiers.local.classifier import PUSHBACK_KINDS
from dagster_project.classifiers.local.features import hashed, tokens, word_grams
from dagster_project.domain.conversations import Role
from dagster_project.domain.study import AFFECTIVE_TYPES, SENTIMENT_LEVELS
from training.data import (
    HELD_OUT,
    OWN_CONVERSATIONS,
    OWN_CREATION,
    OWN_MESSAGES,
    OWN_TURNS,
    Example,
    own_rows,
    read_rows,
    variants,
)
from training.fit import best_threshold, fit_group, gate_threshold, table_of
from training.measures import binary, expected_calibration_error, macro_f1
from training.train import arrays_of, write_arrays

SAD, DRY = "i feel so sad and alone today", "sort the list of numbers by size"


def small_fit(tmp: Path) -> bytes:
    texts = [f"{SAD if i % 2 else DRY} word{i % 6}" for i in range(60)]
    examples = [Example("own", f"g{i}", {"sad": i % 2}, 1.0, text=t) for i, t in enumerate(texts)]
    dense = np.ones((60, 1), dtype=np.float32)
    table = table_of([((1.0, hashed(word_grams(tokens(t)))),) for t in texts], dense, np.ones(60, bool))
    fit = fit_group(("sad",), examples, table, 1.0)
    said = fit.margins[:, 0] > 0
    assert said.tolist() == [bool(i % 2) for i in range(60)]
    write_arrays(tmp, arrays_of("x", fit.heads))
    return tmp.read_bytes()


def test_two_fits_give_the_same_bytes(tmp_path: Path) -> None:
    """Weights nobody can make again are weights nobody can check."""
    assert small_fit(tmp_path / "a.npz") == small_fit(tmp_path / "b.npz")


def test_a_category_nobody_showed_is_never_said() -> None:
    examples = [Example("own", f"g{i}", {"rare": 0}, 1.0) for i in range(20)]
    table = table_of([((1.0, hashed(["a"])),)] * 20, np.ones((20, 1), dtype=np.float32), np.ones(20, bool))
    heads = fit_group(("rare",), examples, table, 1.0).heads
    scores = heads.probabilities(heads.margins(hashed(["a"]), np.ones(1, dtype=np.float32)))
    assert scores["rare"] < 0.001 and heads.chosen(scores) == []


def test_thresholds() -> None:
    p, y = np.array([0.9, 0.7, 0.6, 0.3, 0.1]), np.array([1, 1, 0, 0, 0])
    assert 0.6 < best_threshold(p, y, np.ones(5)) <= 0.7
    scores = np.linspace(0, 1, 101)
    assert gate_threshold(scores, np.ones(101, dtype=int), lost=0.02) == pytest.approx(0.02)


def test_measures_against_figures_worked_out_by_hand() -> None:
    figures = binary([1, 1, 0, 0, 1], [1, 0, 1, 0, 1])
    assert (figures["precision"], figures["recall"], figures["f1"], figures["accuracy"]) == (0.667, 0.667, 0.667, 0.6)
    assert macro_f1(["a", "a", "b"], ["a", "b", "b"]) == pytest.approx((2 / 3 + 2 / 3) / 2, abs=1e-3)
    assert expected_calibration_error([0.85] * 4 + [0.15] * 4, [1, 1, 1, 0, 0, 0, 0, 1]) == pytest.approx(0.1)


def test_own_conversations_are_well_formed_and_enough() -> None:
    rows = own_rows(*OWN_CONVERSATIONS)
    assert len({r["conversation_id"] for r in rows}) == len(rows)
    counts: Counter[str] = Counter()
    for row in rows:
        assert {m["role"] for m in row["messages"]} <= {r.value for r in Role}
        types = row["labels"]["affective_type"]
        assert set(types) <= set(AFFECTIVE_TYPES)
        counts.update(types or ["none"])
    # Those of sexual roleplay are fewer: little can be shown and stay tasteful.
    assert all(counts[t] >= (100 if t == "sexual_roleplay" else 150) for t in AFFECTIVE_TYPES)
    assert counts["none"] >= 600


def test_own_conversations_of_every_talk_type_come_in_every_length() -> None:
    """With single messages alone, a type would be read from the number of messages."""
    for talk_type in AFFECTIVE_TYPES:
        lengths = [
            sum(m["role"] == "user" for m in r["messages"])
            for r in own_rows(*OWN_CONVERSATIONS)
            if talk_type in r["labels"]["affective_type"]
        ]
        assert sum(n >= 4 for n in lengths) >= 10


def test_own_turns_and_messages_cover_every_kind_and_level() -> None:
    events = [e for r in own_rows(*OWN_TURNS) for e in r["labels"]["pushback"]]
    kinds = Counter(e["kind"] for e in events)
    assert all(kinds[k] >= 25 for k in PUSHBACK_KINDS) and kinds[None] >= 70
    for row in own_rows(*OWN_TURNS):
        for event in row["labels"]["pushback"]:
            assert row["messages"][event["message_index"]]["role"] == "assistant"
    levels = Counter(level for r in own_rows(*OWN_MESSAGES) for level in r["labels"]["sentiment"])
    assert all(levels[level] >= 30 for level in SENTIMENT_LEVELS)


def test_a_pasted_text_comes_with_requests_of_both_kinds() -> None:
    """Otherwise the text decides whether a piece of writing is asked for, and a question about a story is content."""
    asked: dict[str, set[bool]] = {}
    for row in own_rows(*OWN_CREATION):
        if row["template"].startswith("paste-"):
            asked.setdefault(row["template"], set()).add(row["labels"]["content_creation"])
    assert len(asked) >= 10 and all(kinds == {True, False} for kinds in asked.values())


def test_no_own_example_is_a_copy_of_another() -> None:
    for names in ((*OWN_CONVERSATIONS, *OWN_CREATION, "other_languages"), OWN_TURNS, OWN_MESSAGES):
        seen = Counter(json.dumps(r["messages"]) for r in own_rows(*names))
        assert max(seen.values()) == 1


def test_nothing_is_learnt_from_what_was_held_out() -> None:
    """Agreement with conversations that were learnt from would flatter the labeller."""
    learnt = {
        m["content"] for r in own_rows(*OWN_CONVERSATIONS, *OWN_CREATION, "other_languages") for m in r["messages"]
    }
    held_out = [r for f in sorted(HELD_OUT.glob("*.jsonl")) for r in read_rows(f)]
    assert len(held_out) >= 300
    long = [m["content"] for r in held_out for m in r["messages"] if len(m["content"]) > 40]
    assert not learnt.intersection(long)


def test_a_variant_says_the_same_in_another_shape() -> None:
    row = {"messages": [{"role": "user", "content": "I lost my job. I cannot sleep. What now?"}]}
    for variant in variants(row):
        said = " ".join(m["content"] for m in variant)
        assert "I lost my job. I cannot sleep. What now?" in said
        assert len(variant) >= 3


def test_roleplay_examples_stay_tasteful() -> None:
    """They are of adults and imply; what is said in full has no place in a repository."""
    words = {"fuck", "cock", "orgasm", "panties", "horny", "strip", "nude", "naked", "moan", "thighs", "breasts"}
    rows = [r for r in own_rows(*OWN_CONVERSATIONS) if any("roleplay" in t for t in r["labels"]["affective_type"])]
    said = {w.strip(".,!?*;:").lower() for r in rows for m in r["messages"] for w in m["content"].split()}
    assert rows and not said & words
