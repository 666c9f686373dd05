"""A facet file that says something else than meant would change every figure silently."""

import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from dagster_project.classifiers.claude.prompt import fragment, section
from dagster_project.classifiers.local.classifier import LocalClassifier
from dagster_project.codebook.cells import cells_of
from dagster_project.codebook.loader import CodebookError, load_codebook, read_facet, shipped_codebook
from dagster_project.codebook.schema import Facet
from dagster_project.domain.labels import Answer, Status, Value
from dagster_project.domain.study import AFFECTIVE_TYPES, SENTIMENT_LEVELS, TALK_TYPES
from dagster_project.labelling import answer_rows, label_frame
from expectations.frames.contract import check

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


EVENT = """
id: shout
version: 1
title: Loudness
question: How loud?
unit: event
of: pushback
applies_to: [all]
answer: choice
stage: detail
sensitive: false
publish: facets
source: ours
categories:
  - {id: low, label: Low, definition: Low words.}
  - {id: loud, label: Loud, definition: Loud words.}
"""

LINE = """
id: gist
version: 1
title: Gist
question: What is it about?
unit: conversation
applies_to: [all]
answer: text
max_characters: 80
stage: detail
sensitive: true
publish: "no"
source: ours
"""

STUDYS = {
    "content_creation": ("content_creation",),
    "affective_type": AFFECTIVE_TYPES,
    "pushback": ("safety", "refusal", "boundary", "challenge", "correction", "other"),
    "sentiment": tuple(SENTIMENT_LEVELS),
    "topic": (),
}


def test_the_codebook_asks_the_studys_facets_as_before() -> None:
    """Another version or other ids would make every label stale, and the series of a year would break."""
    asked = [f for f in shipped_codebook() if f.id in STUDYS]
    assert {f.id: f.category_ids for f in asked} == STUDYS
    assert [f.id for f in asked] == list(STUDYS)
    assert {f.version for f in asked} == {1}


def test_the_local_classifier_answers_the_studys_facets_and_no_other() -> None:
    """A facet that it never learnt would get answers from nowhere; one that it has learnt must not go stale."""
    local = LocalClassifier()
    measured = [f for f in shipped_codebook() if local.measures(f)]
    assert [f.id for f in measured] == ["content_creation", "affective_type", "pushback", "sentiment"]


def test_what_describes_events_follows_them_and_is_asked_with_them() -> None:
    """A strength without the event that it is of says nothing."""
    book = shipped_codebook()
    ids = [f.id for f in book]
    attributes = [f for f in book if f.of]
    assert {f.id for f in attributes} == {
        "pushback_target",
        "pushback_strength",
        "pushback_reason",
        "pushback_given_up",
    }
    for facet in attributes:
        assert facet.of is not None and ids.index(facet.of) < ids.index(facet.id)
        assert book.with_bases([facet]) == (book[facet.of], facet)
        assert facet.applies_to == book[facet.of].applies_to
    assert book.with_bases([book["sentiment"], book["referral"]]) == (book["sentiment"], book["referral"])


def test_both_ends_of_a_conversation_have_the_same_types() -> None:
    """A drift between two lists that differ would be an artefact of the lists."""
    book = shipped_codebook()
    labels = {c.id: c.label for c in book["affective_type"].categories}
    start, end = book["type_at_start"], book["type_at_end"]
    assert start.category_ids == end.category_ids == (*AFFECTIVE_TYPES, "none_of_these")
    assert start.categories == end.categories
    assert all(labels.get(c.id, c.label) == c.label for c in start.categories)


def test_text_is_private_and_bounded() -> None:
    """A summary in words, published, would be a conversation retold."""
    text = [f for f in shipped_codebook() if f.answer == "text"]
    assert [(f.id, f.publish, f.max_characters, f.category_ids) for f in text] == [("topic_description", "no", 200, ())]


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


def test_an_organisation_may_describe_the_studys_events(tmp_path: Path) -> None:
    (tmp_path / "shout.yaml").write_text(EVENT)
    assert load_codebook(tmp_path)["shout"].of == "pushback"


def read(folder: Path, text: str) -> Facet:
    file = folder / "facet.yaml"
    file.write_text(text)
    return read_facet(file)


@pytest.mark.parametrize(
    ("text", "change", "what"),
    [
        (EVENT, ("of: pushback\n", ""), "names the facet whose events"),
        (EVENT, ("unit: event", "unit: conversation"), "names the facet whose events"),
        (EVENT, ("answer: choice", "answer: multi_choice"), "cannot be asked of the unit event"),
        (GOOD, ("unit: conversation", "unit: assistant_turn"), "cannot be asked of the unit assistant_turn"),
        (GOOD, ("answer: choice", "answer: events"), "cannot be asked of the unit conversation"),
        (GOOD, ("answer: choice", "answer: yes_no"), "has one category"),
        (GOOD, ("stage: detail", "stage: cluster"), "belong together"),
        (GOOD, ("version: 1", "version: 1\nmax_characters: 10"), "max_characters"),
        (LINE, ("max_characters: 80\n", ""), "max_characters"),
        (LINE, ("max_characters: 80", "max_characters: 5000"), "max_characters"),
        (LINE, ('publish: "no"', "publish: facets"), "private zone"),
        (LINE, ("source: ours", "source: ours\ncategories: [{id: a, label: A, definition: A}]"), "no categories"),
    ],
)
def test_a_facet_that_nobody_could_answer_is_refused(
    tmp_path: Path, text: str, change: tuple[str, str], what: str
) -> None:
    """Found when the file is read, not when a thousand paid replies cannot be."""
    assert read(tmp_path, text)
    assert change[0] in text
    with pytest.raises(CodebookError, match=f"facet.yaml.*{what}"):
        read(tmp_path, text.replace(*change))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("of: pushback", "of: nothing"), "no events facet"),
        (("of: pushback", "of: sentiment"), "no events facet"),
        (("stage: detail", "stage: screen"), "asked together"),
    ],
)
def test_what_describes_no_event_is_refused(tmp_path: Path, change: tuple[str, str], what: str) -> None:
    (tmp_path / "shout.yaml").write_text(EVENT.replace(*change))
    with pytest.raises(CodebookError, match=f"shout.yaml: of: .*{what}"):
        load_codebook(tmp_path)


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


def test_a_folder_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    """Prevents a misspelt folder from releasing without the question that its owner meant to ask."""
    with pytest.raises(CodebookError, match="facetz is no folder"):
        load_codebook(tmp_path / "facetz")


def test_optional_facets_are_asked_only_where_they_are_named() -> None:
    """Prevents a home from paying for, and publishing, questions about dependency that nobody switched on."""
    ids = {"dependency", "sycophancy", "reinforced_delusion", "missed_pushback"}
    assert not ids & {facet.id for facet in load_codebook()}
    assert ids & {facet.id for facet in load_codebook(optional=["dependency"])} == {"dependency"}
    whole = load_codebook(optional=sorted(ids))
    assert all(whole[i].publish == "facets" and whole[i].sensitive for i in ids)
    assert not any(LocalClassifier().measures(whole[i]) for i in ids)
    with pytest.raises(CodebookError, match="no optional facet 'happiness': there are dependency"):
        load_codebook(optional=["happiness"])


def test_an_organisations_own_facet_is_a_file_and_nothing_else(tmp_path: Path) -> None:
    """Prevents the worked example of the researchers' page from needing Python or SQL: prompt, schema of the reply,
    contract of label rows and the cells that dbt counts all follow from the file."""
    page = (Path(__file__).parents[2] / "docs" / "researchers.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(id: .*?)```", page, re.S)
    (tmp_path / "work_pressure.yaml").write_text(example, encoding="utf-8")
    own = load_codebook(tmp_path)["work_pressure"]
    assert "## work_pressure:" in section(own) and all(c.definition in section(own) for c in own.categories)
    assert fragment(own) == {"enum": ["deadlines", "conflict", "fear_of_losing_it", "not_about_work", "could_not_tell"]}
    cells = list(cells_of([own]))
    assert [c.value for c in cells if c.affective_type == "any"] == ["deadlines", "conflict", "fear_of_losing_it"]
    assert {(c.values_told, c.of_facet, c.published_in) for c in cells} == {("one", None, "facets")}
    assert {c.affective_type for c in cells} == {"any", *TALK_TYPES}
    answer = Answer(Status.OK, (Value("deadlines"),))
    at = datetime(2026, 11, 1, tzinfo=UTC)
    provenance = {"weight": 1.0, "labeller": "t", "prompt_hash": "0" * 16, "labelled_at": at}
    rows = label_frame(answer_rows("a" * 64, own, answer, provenance))
    vocabulary = {own.id: own.category_ids}
    found = {f.check for f in check("detail_labels", rows, facets=vocabulary)}
    wrong = rows.with_columns(value=pl.lit("holidays"))
    assert {f.check for f in check("detail_labels", wrong, facets=vocabulary)} - found
