"""`confide classify --against`: agreement is of the same conversations and facets, and says what was left out."""

import json
from pathlib import Path
from typing import Any

import pytest

from dagster_project.classifiers.against import NothingToCompare, read_said


def said(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    file = tmp_path / "people.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_each_question_is_counted_by_source_and_over_all(tmp_path: Path) -> None:
    """Sides that are mixed up would show precision as recall."""
    truth = [(["coaching"], "a"), ([], "a"), ("coaching", "b"), ("none", "b")]
    labels = [["coaching"], ["coaching"], [], None]
    rows = [
        {"conversation_id": f"c{i}", "source": s, "labels": {"affective_type": t}} for i, (t, s) in enumerate(truth)
    ]
    against = read_said(said(tmp_path, *rows))
    for i, found in enumerate(labels):
        against.add({"conversation_id": f"c{i}", "labels": {"affective_type": found}})
    against.add({"conversation_id": "nobody's", "labels": {"affective_type": ["coaching"]}})
    against.add({"line": 9, "error": "invalid_json"})
    table = {(row.question, row.source): row for row in against.rows()}
    whole = table["affective_type", "all"]
    assert (whole.n, whole.could_not_tell) == (3, 1)
    assert (whole.agreement.accuracy, whole.agreement.precision, whole.agreement.recall) == (1 / 3, 1 / 2, 1 / 2)
    assert table["affective_type", "a"].agreement.recall == 1
    assert (table["affective_type", "b"].n, table["affective_type", "b"].agreement.recall) == (1, 0)
    assert table["affective_type.coaching", "all"].agreement == whole.agreement


def test_tone_is_compared_message_by_message(tmp_path: Path) -> None:
    against = read_said(said(tmp_path, {"conversation_id": "c", "labels": {"sentiment": [-1, None, 0.5, 0]}}))
    against.add({"conversation_id": "c", "labels": {"sentiment": [-0.5, 1, None, 0]}})
    table = {row.question: row for row in against.rows()}
    assert (table["sentiment.negative"].n, table["sentiment.negative"].could_not_tell) == (2, 1)
    assert table["sentiment.negative"].agreement.accuracy == 1


@pytest.mark.parametrize(
    "labels", [["coaching"], {"affective_type": ["Quixley"]}, {"affective_type": 3}, {"sentiment": ["Quixley"]}]
)
def test_labels_of_another_shape_are_refused_without_being_told(tmp_path: Path, labels: Any) -> None:
    """Prevents labels of another vocabulary from counting as `none of these`."""
    file = said(tmp_path, {"conversation_id": "c0", "labels": {}}, {"conversation_id": "c1", "labels": labels})
    with pytest.raises(NothingToCompare, match=r"people\.jsonl, line 2") as caught:
        read_said(file)
    assert "Quixley" not in str(caught.value)


def test_nothing_in_common_is_an_error_and_no_empty_table(tmp_path: Path) -> None:
    against = read_said(said(tmp_path, {"conversation_id": "c", "labels": {"pushback": True}}))
    against.add({"conversation_id": "c", "labels": {"affective_type": []}})
    with pytest.raises(NothingToCompare):
        list(against.rows())
