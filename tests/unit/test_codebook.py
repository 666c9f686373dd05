"""A facet file that says something else than meant would change every figure silently."""

from pathlib import Path

import pytest

from dagster_project.codebook.loader import CodebookError, load_codebook, read_facet, shipped_codebook
from dagster_project.domain.study import AFFECTIVE_TYPES, SENTIMENT_LEVELS, TALK_TYPES

GOOD = """
id: mood
version: 1
title: Mood
question: What mood?
unit: conversation
applies_to: [all]
answer: choice
stage: detail
sensitive: false
publish: facets
source: ours
categories:
  - {id: calm, label: Calm, definition: Calm words.}
  - {id: tense, label: Tense, definition: Tense words.}
"""


def test_the_codebook_asks_the_studys_facets() -> None:
    assert [f.id for f in shipped_codebook()] == [
        "content_creation",
        "affective_type",
        "pushback",
        "sentiment",
        "topic",
    ]


def test_codebook_and_study_rules_speak_of_the_same_categories() -> None:
    book = shipped_codebook()
    assert book["affective_type"].category_ids == AFFECTIVE_TYPES
    assert {c.id: c.number for c in book["sentiment"].categories} == SENTIMENT_LEVELS
    for facet in ("pushback", "sentiment", "topic"):
        assert tuple(book[facet].applies_to) == TALK_TYPES


def test_every_category_has_a_definition_and_every_type_its_boundaries() -> None:
    book = shipped_codebook()
    for facet in ("content_creation", "affective_type"):
        assert all(c.boundary for c in book[facet].categories)


def test_an_organisation_adds_a_facet_by_adding_a_file(tmp_path: Path) -> None:
    (tmp_path / "mood.yaml").write_text(GOOD)
    assert load_codebook(tmp_path)["mood"].category_ids == ("calm", "tense")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("id: calm", "id: none"), "reserved"),
        (("id: tense", "id: calm"), "share an id"),
        (("answer: choice", "answer: scale"), "needs a number"),
        (("version: 1", "version: 0"), "version"),
        (("title: Mood", "titel: Mood"), "titel|title"),
        (("id: mood", "id: Mood Of User"), "id"),
    ],
)
def test_a_wrong_facet_is_refused_by_file_and_field(tmp_path: Path, change: tuple[str, str], what: str) -> None:
    file = tmp_path / "mood.yaml"
    file.write_text(GOOD.replace(*change))
    with pytest.raises(CodebookError, match=f"mood.yaml.*({what})"):
        read_facet(file)


def test_two_files_for_one_facet_are_refused(tmp_path: Path) -> None:
    (tmp_path / "topic.yaml").write_text(GOOD.replace("id: mood", "id: topic"))
    with pytest.raises(CodebookError, match="defined twice"):
        load_codebook(tmp_path)
