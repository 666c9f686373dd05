"""Contracts find what is wrong with a frame and tell it by check and count: a value in their words would be a leak."""

import traceback
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from dagster_project.codebook.loader import shipped_codebook
from dagster_project.domain.conversations import Role
from dagster_project.domain.labels import Status
from dagster_project.storage.lake import TABLES
from dagster_project.storage.pseudonyms import NO_USER
from expectations.frames import labels, messages
from expectations.frames.contract import ContractBroken, ContractUncheckable, Finding, check, require, tables

CANARY = "Maximiliane Canary, 0171 5550199"
DAY = date(2026, 10, 5)
AT = datetime(2026, 10, 5, 8, 30, tzinfo=UTC)
A, B = "a" * 32, "b" * 32
FACETS = {"affective_type": ["coaching", "companionship"], "sentiment": ["negative", "positive"]}

CONVERSATION = {
    "conversation_key": A,
    "user_key": NO_USER,
    "started_at": AT,
    "assumed_utc": False,
    "surface": None,
    "n_messages": 2,
    "n_human_messages": 1,
    "n_assistant_messages": 1,
    "content_hash": B,
}
MESSAGE = {"conversation_key": A, "message_index": 0, "role": "user", "content": "hello", "created_at": None}
LABEL = {
    "conversation_key": A,
    "facet": "affective_type",
    "facet_version": 1,
    "status": "ok",
    "value_index": 0,
    "value": "coaching",
    "number": None,
    "score": 0.5,
    "message_index": None,
    "weight": 1.0,
    "labeller": "local-1",
    "prompt_hash": "p",
    "labelled_at": AT,
}
DESCRIPTION = {
    "conversation_key": A,
    "facet": "topic_description",
    "facet_version": 1,
    "text": "how to ask for a rise",
    "labeller": "claude-haiku-5-5",
    "prompt_hash": "p",
    "labelled_at": AT,
}
ASSIGNMENT = {"conversation_key": A, "affective_type": "coaching", "topic_id": "t1", "distance": 0.25}
TOPIC = {
    "affective_type": "coaching",
    "topic_id": "t1",
    "parent_topic_id": None,
    "level": 0,
    "topic_name": "finding a new job",
}
DRAWN = {
    "conversation_key": A,
    "sample_id": "2026-10-05..2026-10-05",
    "item_id": "0123456789ab",
    "stratum": "coaching/sure",
    "inclusion_probability": 0.25,
}
CODED = {
    "conversation_key": A,
    "facet": "affective_type",
    "facet_version": 1,
    "status": "ok",
    "value_index": 0,
    "value": "coaching",
}
SOUND: dict[str, dict[str, Any]] = {
    "conversations": CONVERSATION,
    "messages": MESSAGE,
    "screen_labels": LABEL,
    "detail_labels": LABEL,
    "descriptions": DESCRIPTION,
    "topic_assignments": ASSIGNMENT,
    "topics": TOPIC,
    "screening": {"conversation_key": A, "stratum": "below", "inclusion_probability": 0.1, "is_asked": False},
    "human_samples": DRAWN,
    "coder_answers": {**CODED, "coder": "coder-1"},
    "human_labels": {**CODED, "n_coders": 2, "resolved_by": "majority"},
}
CONTEXT: dict[str, Any] = {"day": DAY, "facets": FACETS, "affective_types": ["coaching"]}


def frame(table: str, *changed: dict[str, Any]) -> pl.DataFrame:
    """Rows of a table, each sound but for what is given."""
    return pl.DataFrame([{**SOUND[table], **change} for change in changed or ({},)], schema=TABLES[table])


def found(table: str, *changed: dict[str, Any], **context: Any) -> dict[str, int]:
    return {f.check: f.n_rows for f in check(table, frame(table, *changed), **{**CONTEXT, **context})}


@pytest.mark.parametrize("table", tables())
def test_a_sound_row_and_an_empty_frame_hold(table: str) -> None:
    assert found(table) == {}
    assert check(table, pl.DataFrame(schema=TABLES[table]), **CONTEXT) == []


def test_every_table_of_the_lake_has_a_contract() -> None:
    assert set(tables()) == set(TABLES)


BROKEN: list[tuple[str, list[dict[str, Any]], dict[str, int]]] = [
    ("screening", [{"inclusion_probability": 0.0}], {"inclusion_probability: above_0_to_1": 1}),
    ("screening", [{"stratum": CANARY}], {"stratum: known_value": 1}),
    ("screening", [{"stratum": "above"}], {"all_above_are_asked": 1}),
    ("screening", [{}, {"is_asked": True}], {"screened_once": 2}),
    ("human_samples", [{"inclusion_probability": 0.0}], {"inclusion_probability: above_0_to_1": 1}),
    ("human_samples", [{"item_id": CANARY}], {"item_id: is_item": 1}),
    ("human_samples", [{}, {"item_id": "ba9876543210"}], {"drawn_once": 2}),
    ("coder_answers", [{"coder": CANARY}], {"coder: is_coder": 1}),
    ("coder_answers", [{"value": CANARY}], {"category_of_facet": 1}),
    ("human_labels", [{"status": "could_not_tell"}], {"value_only_when_ok": 1}),
    ("human_labels", [{"value": None}, {"value_index": 1}], {"no_value_stands_alone": 1}),
    ("human_labels", [{"resolved_by": "guess"}], {"resolved_by: known_value": 1}),
    ("conversations", [{"conversation_key": CANARY}], {"conversation_key: is_pseudonym": 1}),
    ("conversations", [{"user_key": CANARY}], {"user_key: is_pseudonym": 1}),
    ("conversations", [{"user_key": None}], {"user_key: not_nullable": 1}),
    ("conversations", [{"started_at": AT + timedelta(days=1)}], {"started_at: within_day": 1}),
    ("conversations", [{"started_at": datetime(2026, 10, 6, tzinfo=UTC)}], {"started_at: within_day": 1}),
    ("conversations", [{}, {}], {"unique_conversation": 2}),
    ("conversations", [{"n_human_messages": 0}], {"n_human_messages: at_least_one": 1}),
    ("conversations", [{"n_assistant_messages": 2}], {"counts_add_up": 1}),
    ("conversations", [{"content_hash": CANARY}], {"content_hash: is_pseudonym": 1}),
    ("messages", [{"role": CANARY}], {"role: known_value": 1, "has_human_message": 1}),
    ("messages", [{"message_index": 1}], {"numbered_without_gap": 1}),
    ("messages", [{}, {}], {"unique_message": 2, "numbered_without_gap": 2}),
    ("messages", [{"content": CANARY + "\0"}], {"content: no_nul": 1}),
    ("messages", [{"content": None}], {"content: not_nullable": 1}),
    ("screen_labels", [{"facet": CANARY}], {"facet: known_facet": 1, "category_of_facet": 1}),
    ("screen_labels", [{"value": CANARY}], {"category_of_facet": 1}),
    ("screen_labels", [{"value": "positive"}], {"category_of_facet": 1}),
    ("screen_labels", [{"status": CANARY}], {"status: known_value": 1, "value_only_when_ok": 1}),
    ("screen_labels", [{"status": "refused"}], {"value_only_when_ok": 1}),
    ("screen_labels", [{}, {}], {"unique_label": 2, "value_once": 2}),
    ("screen_labels", [{}, {"value_index": 1}], {"value_once": 2}),
    ("screen_labels", [{}, {"value": None, "value_index": 1}], {"no_value_stands_alone": 1}),
    ("screen_labels", [{"score": 1.01}], {"score: between_0_and_1": 1}),
    ("screen_labels", [{"number": float("nan")}], {"number: finite": 1}),
    ("screen_labels", [{"weight": 0.0}], {"weight: positive": 1}),
    ("screen_labels", [{"labeller": ""}], {"labeller: not_empty": 1}),
    ("detail_labels", [{"facet_version": 0}], {"facet_version: at_least_one": 1}),
    ("descriptions", [{"text": "two\nlines"}], {"text: one_line": 1}),
    ("descriptions", [{"text": "a\u202eb"}], {"text: one_line": 1}),
    ("descriptions", [{"text": "a" * 501}], {"text: bounded": 1}),
    ("descriptions", [{}, {}], {"unique_description": 2}),
    ("topic_assignments", [{"affective_type": CANARY}], {"affective_type: known_value": 1}),
    ("topic_assignments", [{}, {"topic_id": "t2"}], {"unique_assignment": 2}),
    ("topic_assignments", [{"distance": -0.5}], {"distance: not_negative": 1}),
    ("topics", [{"topic_name": "mail a@b.example"}], {"topic_name: allowed_characters": 1}),
    ("topics", [{"topic_name": "see https://a.example"}], {"topic_name: allowed_characters": 1}),
    ("topics", [{"topic_name": "a\u202eb"}], {"topic_name: allowed_characters": 1}),
    ("topics", [{"topic_name": "call 5550"}], {"topic_name: few_digits": 1}),
    ("topics", [{"topic_name": "a b c d e f g h i j k"}], {"topic_name: few_words": 1}),
    ("topics", [{"parent_topic_id": "t1"}], {"not_its_own_parent": 1}),
]


@pytest.mark.parametrize(("table", "changed", "checks"), BROKEN, ids=[f"{c[0]}-{'-'.join(c[2])}" for c in BROKEN])
def test_each_check_fails_on_its_fault_and_counts_its_rows(
    table: str, changed: list[dict[str, Any]], checks: dict[str, int]
) -> None:
    assert found(table, *changed) == checks


SOUND_LABELS: list[list[dict[str, Any]]] = [
    [{"value": None}],
    [{"value": None, "status": "could_not_tell"}],
    [{}, {"value": "companionship", "value_index": 1}],
    [
        {"facet": "sentiment", "value": v, "value_index": i, "message_index": i, "status": s}
        for i, (v, s) in enumerate([("positive", "ok"), (None, "could_not_tell"), ("positive", "ok")])
    ],
]


@pytest.mark.parametrize("changed", SOUND_LABELS)
def test_none_several_and_unknown_answers_are_labels_too(changed: list[dict[str, Any]]) -> None:
    assert found("screen_labels", *changed) == {}


def test_messages_are_as_many_as_their_conversation_says() -> None:
    announced = frame("conversations", {"n_messages": 2}, {"conversation_key": B, "n_messages": 1})
    two = [{}, {"message_index": 1, "role": "assistant"}]
    assert found("messages", *two, conversations=announced) == {}
    assert found("messages", {}, conversations=announced) == {"as_many_as_announced": 1}
    assert found("messages", *two, {"conversation_key": "c" * 32}, conversations=announced) == {
        "as_many_as_announced": 1
    }


def test_columns_missing_or_of_another_type_are_told_and_foreign_names_are_not() -> None:
    sound = frame("messages")
    findings = check("messages", sound.drop("role").with_columns(pl.lit(1).alias(CANARY), content=pl.lit(3)))
    assert findings == [
        Finding("role: column_missing", 1),
        Finding("content: wrong_type", 1),
        Finding("unexpected_column", 1),
    ]


def test_a_time_without_its_zone_or_unit_is_another_type() -> None:
    naive = frame("conversations").with_columns(pl.col("started_at").dt.replace_time_zone(None))
    assert [f.check for f in check("conversations", naive)] == ["started_at: wrong_type"]


def words_of(error: BaseException) -> str:
    """Everything that printing or storing an error could show, its causes and their locals' reprs included."""
    told, seen = [], set()
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        told += [str(one), repr(one), repr(one.args), repr(vars(one)), "".join(traceback.format_exception(one))]
        pending += [one.__cause__, one.__context__]
    return "\n".join(told)


@pytest.mark.parametrize("case", [c for c in BROKEN if CANARY in repr(c[1])], ids=lambda c: f"{c[0]}-{'-'.join(c[2])}")
def test_no_error_carries_a_value(case: tuple[str, list[dict[str, Any]], dict[str, int]]) -> None:
    table, changed, checks = case
    with pytest.raises(ContractBroken) as broken:
        require(table, frame(table, *changed), **CONTEXT)
    told = words_of(broken.value)
    assert "Maximiliane" not in told and "5550199" not in told
    assert table in told and all(name in told for name in checks)
    assert broken.value.__cause__ is None and broken.value.__context__ is None


def test_a_check_that_cannot_be_run_leaks_nothing_and_does_not_pass() -> None:
    announced = frame("conversations").rename({"n_messages": CANARY})
    with pytest.raises(ContractUncheckable) as failed:
        check("messages", frame("messages"), conversations=announced)
    told = words_of(failed.value)
    assert "ColumnNotFoundError" in told and "Maximiliane" not in told
    unusable: Any = [{"a": CANARY}]
    with pytest.raises((ContractBroken, ContractUncheckable)) as broken:
        require("topics", frame("topics"), affective_types=unusable)
    assert "Maximiliane" not in words_of(broken.value)


def test_a_lazy_frame_is_refused_because_its_rows_would_not_be_looked_at() -> None:
    lazy: Callable[[], Any] = frame("messages").lazy
    with pytest.raises(TypeError, match="eager"):
        check("messages", lazy())


def test_the_contracts_vocabularies_are_the_domains() -> None:
    """`expectations` knows nothing of the domain, so a new role or status has to be told to both."""
    assert set(messages.ROLES) == set(Role)
    assert set(labels.STATUSES) == set(Status)


def test_the_shipped_codebook_fits_the_labels_contract() -> None:
    facets = {facet.id: facet.category_ids for facet in shipped_codebook()}
    row = {"facet": "affective_type", "value": "psychotherapy_counseling"}
    assert found("screen_labels", row, facets=facets) == {}
