"""`confide classify`: one line a line, in order, the study's rules applied, no text in an error."""

import gzip
import io
import json
import stat
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from dagster_project.classifiers.interface import Progress
from dagster_project.classifiers.outside import (
    BATCH,
    AsksClaude,
    chosen_facets,
    classifier_of,
    classify_lines,
    classify_to,
)
from dagster_project.codebook.loader import CodebookError
from dagster_project.codebook.schema import Facet
from dagster_project.domain.conversations import Conversation, Role
from dagster_project.domain.labels import Answer, Labelled, Status, Value

OWN = """
id: mood
version: 1
title: Mood
question: Which mood is named?
unit: conversation
applies_to: [all]
answer: choice
stage: detail
sensitive: true
publish: "no"
source: Our own.
categories:
  - {id: calm, label: Calm, definition: Calm is named.}
  - {id: tense, label: Tense, definition: Tension is named.}
"""


class Scripted:
    """A labeller whose answers stand in the conversation's first message, as JSON."""

    labeller = "scripted-1"

    def __init__(self, *facets: str) -> None:
        self._facets = facets or ("content_creation", "affective_type", "pushback", "sentiment")

    def measures(self, facet: Facet) -> bool:
        return facet.id in self._facets

    def prompt_hash(self, facet: Facet) -> str:
        return "none"

    def classify(
        self, facets: Sequence[Facet], conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> Iterator[Labelled]:
        for conversation in conversations:
            script: dict[str, Any] = json.loads(conversation.messages[0].content)
            answers = {}
            for facet in facets:
                found = script.get(facet.id, [])
                if found is None:
                    answers[facet.id] = Answer(Status.COULD_NOT_TELL)
                else:
                    answers[facet.id] = Answer(Status.OK, tuple(Value(c, 0.9, i) for i, c in enumerate(found)))
            yield Labelled(answers)
            if progress:
                progress(1)


def line(conversation_id: str, script: dict[str, Any], n_human: int = 1) -> bytes:
    messages = [{"role": "user", "content": json.dumps(script)}]
    messages += [{"role": Role.USER.value, "content": "more"} for _ in range(n_human - 1)]
    return json.dumps({"conversation_id": conversation_id, "messages": messages}).encode()


def labels(script: dict[str, Any], n_human: int = 1) -> dict[str, Any]:
    (result,) = classify_lines([line("c", script, n_human)], Scripted())
    assert result["conversation_id"] == "c"
    return dict(result["labels"])


def test_all_labels_of_a_conversation() -> None:
    script = {
        "content_creation": ["content_creation"],
        "affective_type": ["coaching", "companionship"],
        "pushback": ["challenge", "safety", "challenge"],
        "sentiment": ["very_negative", "could_not_tell", "positive"],
    }
    assert labels(script, 3) == {
        "content_creation": True,
        "affective_type": ["coaching", "companionship"],
        "pushback": True,
        "pushback_kind": "safety",
        "sentiment": [-1.0, None, 0.5],
    }


def test_nothing_found_is_not_the_same_as_could_not_tell() -> None:
    nothing = labels({"sentiment": ["neutral"]})
    assert nothing == {
        "content_creation": False,
        "affective_type": [],
        "pushback": False,
        "pushback_kind": None,
        "sentiment": [0.0],
    }
    unknown = labels({"content_creation": None, "affective_type": None, "pushback": None, "sentiment": None}, 2)
    assert unknown == {
        "content_creation": None,
        "affective_type": None,
        "pushback": None,
        "pushback_kind": None,
        "sentiment": [None, None],
    }


@pytest.mark.parametrize(
    ("n_human", "expected"),
    [(3, ["companionship"]), (4, ["companionship", "romantic_roleplay"]), (5, ["companionship", "romantic_roleplay"])],
)
def test_roleplay_counts_from_four_human_messages_on(n_human: int, expected: list[str]) -> None:
    assert labels({"affective_type": ["companionship", "romantic_roleplay"]}, n_human)["affective_type"] == expected


def test_order_is_kept_over_batches_and_broken_lines_keep_their_place() -> None:
    lines = [b"{broken secret-word" if i % 7 == 3 else line(f"c{i}", {}) for i in range(BATCH + 50)]
    seen: list[int] = []
    results = list(classify_lines(lines, Scripted(), progress=seen.append))
    assert len(results) == len(lines) == sum(seen)
    for i, result in enumerate(results):
        if i % 7 == 3:
            assert result == {"line": i + 1, "error": "invalid_json"}
        else:
            assert result["conversation_id"] == f"c{i}"
    assert "secret-word" not in json.dumps(results)


def test_only_the_facets_asked_for_are_given() -> None:
    (result,) = classify_lines([line("c", {})], Scripted(), ["sentiment", "content_creation"])
    assert list(result["labels"]) == ["sentiment", "content_creation"]


@pytest.mark.parametrize("facet", ["no_such_facet", "topic"])
def test_a_facet_that_is_not_measured_is_refused_before_anything_is_read(facet: str) -> None:
    def lines() -> Iterator[bytes]:
        raise AssertionError("read")
        yield b""

    with pytest.raises(CodebookError, match=facet):
        list(classify_lines(lines(), Scripted(), [facet]))


def conversation(conversation_id: str, *contents: str) -> str:
    messages = [{"role": "user" if i % 2 == 0 else "assistant", "content": c} for i, c in enumerate(contents)]
    return json.dumps({"conversation_id": conversation_id, "messages": messages})


def test_a_packed_file_is_labelled_to_a_private_file(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl.gz", tmp_path / "out.jsonl"
    with gzip.open(source, "wt", encoding="utf-8") as file:
        file.write(conversation("a", "Write a poem about a sad heron.", "Sure: ...") + "\n")
        file.write("nonsense\n")
        file.write(
            conversation("b", "My girlfriend lied to me and I don't know how to trust her again.", "I'm sorry.") + "\n"
        )
    assert classify_to(source, out) == 3
    first, second, third = (json.loads(text) for text in out.read_text(encoding="utf-8").splitlines())
    assert first["conversation_id"] == "a" and first["labels"]["content_creation"] is True
    assert second == {"line": 2, "error": "invalid_json"}
    assert third["labels"]["affective_type"] == ["interpersonal_advice"]
    assert len(third["labels"]["sentiment"]) == 1
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_without_a_file_the_lines_go_to_stdout(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(conversation("a", "hello") + "\n", encoding="utf-8")
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert classify_to(source, None, ["content_creation"]) == 1
    assert json.loads(printed.getvalue()) == {"conversation_id": "a", "labels": {"content_creation": False}}


def test_a_facet_of_ones_own_is_tried_outside_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents a new question from being paid for on all conversations before anybody has read its answers on a few."""
    (tmp_path / "mood.yaml").write_text(OWN, encoding="utf-8")
    monkeypatch.setenv("CONFIDE_CODEBOOK__FOLDERS", json.dumps([str(tmp_path)]))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    (result,) = classify_lines([line("c", {"mood": ["tense"]})], Scripted("mood"), ["mood"])
    assert result["labels"] == {"mood": ["tense"]}
    with classifier_of("claude") as claude:
        assert isinstance(claude, AsksClaude)
        (mood,) = chosen_facets(claude, ["mood"])
        assert [f.id for _, some in claude.by_stage([mood]) for f in some] == ["mood"]
    monkeypatch.delenv("CONFIDE_CODEBOOK__FOLDERS")
    with pytest.raises(CodebookError, match="no facet 'mood'"):
        list(classify_lines([line("c", {})], Scripted("mood"), ["mood"]))
