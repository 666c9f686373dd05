"""What is asked is the codebook's, costs what it must, and is named by digests that change when, and only when, it does."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dagster_project.classifiers.claude import prompt, window
from dagster_project.classifiers.claude.prompt import Ask, AskError, facet_hash, implied
from dagster_project.codebook.loader import shipped_codebook
from dagster_project.codebook.schema import Facet
from dagster_project.domain.conversations import Conversation, Message, Role
from dagster_project.domain.labels import Answer, Status, Value

BOOK = shipped_codebook()
SCREEN, DETAIL = Ask(BOOK.of_stage("screen")), Ask(BOOK.of_stage("detail"))
TALK = Conversation(
    "c",
    None,
    datetime(2026, 10, 5, tzinfo=UTC),
    tuple(Message((Role.USER, Role.ASSISTANT)[i % 2], f"turn {i}") for i in range(16)),
)
both = pytest.mark.parametrize("ask", [SCREEN, DETAIL], ids=["screen", "detail"])


@both
def test_every_question_category_and_boundary_is_in_the_prompt(ask: Ask) -> None:
    """What a category means is told to the labeller in the words that the reader is told it in."""
    for facet in ask.facets:
        said = [facet.question, *facet.notes]
        said += [text for c in facet.categories for text in (c.definition, *c.boundary)]
        assert [text for text in said if text not in ask.text] == []
        if facet.answer != "yes_no":
            assert all(f"- {c.id}: " in ask.text for c in facet.categories)


def test_rules_that_are_applied_later_are_no_labellers_business() -> None:
    """Labels are raw: a model that applies the rule of four messages too would hide what the rule leaves out."""
    rules = [rule for facet in BOOK for rule in facet.rules]
    assert rules
    assert all(rule not in SCREEN.text for rule in rules)


@both
def test_the_schema_is_closed_and_within_what_structured_outputs_support(ask: Ask) -> None:
    """An open object, or a bound that the API refuses, fails every request of a run."""
    from anthropic import transform_schema

    assert transform_schema(ask.schema) == ask.schema
    objects = list(objects_of(ask.schema))
    assert objects
    for one in objects:
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])


def objects_of(schema: Any) -> Any:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for inner in schema.values():
            yield from objects_of(inner)


def test_the_schema_asks_for_every_facet_once() -> None:
    assert list(SCREEN.schema["properties"]) == ["content_creation", "affective_type"]
    properties = DETAIL.schema["properties"]
    assert list(properties) == [f.id for f in DETAIL.facets if f.of is None]
    event = properties["pushback"]["items"]["properties"]
    assert list(event) == ["i", "kind", "target", "strength", "reason", "given_up"]
    assert event["kind"]["enum"] == list(BOOK["pushback"].category_ids)
    assert event["given_up"]["enum"] == [*BOOK["pushback_given_up"].category_ids, "could_not_tell"]
    assert properties["type_at_end"]["enum"] == [*BOOK["type_at_end"].category_ids, "could_not_tell"]
    assert properties["topic_description"] == {"type": "string"}


def test_a_prompt_costs_what_it_may() -> None:
    """The prompt is paid for at every conversation: half a page more for all of a year's is money for nothing."""
    assert len(SCREEN.text) // 4 < 1_150
    assert len(DETAIL.text) // 4 < 2_200
    assert SCREEN.overhead_tokens < 1_700 and DETAIL.overhead_tokens < 3_500


@both
def test_a_request_is_what_the_interface_takes(ask: Ask) -> None:
    view = ask.view(TALK, delimiter="d3l1m")
    params = ask.params(view, "claude-haiku-5-5")
    assert params.keys() == {"model", "max_tokens", "system", "messages", "output_config", "thinking"}
    assert params["output_config"]["format"] == {"type": "json_schema", "schema": ask.schema}
    assert params["system"][-1]["cache_control"] == {"type": "ephemeral"}
    (message,) = params["messages"]
    assert message["role"] == "user"
    lines = message["content"].split("\n")
    assert lines[:4] == ["Conversation:", "d3l1m", view.document, "d3l1m"]
    assert json.loads(json.dumps(params)) == params
    rated = [line for line in lines if line.startswith("Rate")]
    assert rated == (["Rate these messages: [0,2,4,10,12,14]"] if ask is DETAIL else [])


@both
def test_thinking_neither_costs_nor_cuts_off_a_reply(ask: Ask) -> None:
    """Thinking is billed as output and counts towards the limit: left on unseen, it would end replies in the middle."""
    view = ask.view(TALK)
    off, bound, other = (ask.params(view, m) for m in ("claude-haiku-5-5", "claude-opus-5-5", "some-local-model"))
    assert off["thinking"] == {"type": "disabled"} and off["max_tokens"] == ask.max_tokens
    assert "thinking" not in bound and bound["output_config"]["effort"] == "low"
    assert bound["max_tokens"] > ask.max_tokens + 4_000
    assert "thinking" not in other and "effort" not in other["output_config"]


@both
def test_any_full_reply_fits_in_its_limit(ask: Ask) -> None:
    """A limit that cuts off the longest honest replies loses the conversations with most pushback."""
    from dagster_project.classifiers.claude.window import estimated_tokens

    reply: dict[str, Any] = {}
    for facet in (f for f in ask.facets if f.of is None):
        longest = max(prompt.values_of(facet), key=len, default="")
        if facet.answer == "events":
            more = {
                key: max(prompt.values_of(a), key=len)
                for key, a in prompt.keys_of_attributes(facet, ask.facets).items()
            }
            reply[facet.id] = [{"i": 1000 + i, "kind": longest, **more} for i in range(prompt.EVENTS_AT_MOST)]
        elif facet.unit == "human_message":
            reply[facet.id] = [{"i": 1000 + i, "value": longest} for i in range(6)]
        elif facet.answer == "text":
            reply[facet.id] = "wordy " * 33
        else:
            reply[facet.id] = list(facet.category_ids) if facet.answer == "multi_choice" else longest
    written = json.dumps(reply, indent=1)
    assert estimated_tokens(written) < ask.max_tokens < 5_000
    assert ask.expected_output_tokens < ask.max_tokens / 3


def test_the_hash_of_a_facet_does_not_know_what_else_is_asked() -> None:
    """One facet added would have every other asked, and paid, again."""
    for facet in BOOK.of_stage("detail"):
        alone = Ask(BOOK.with_bases([facet]))
        assert alone.hash_of(facet.id) == DETAIL.hash_of(facet.id) == facet_hash(facet)
    assert len(set(DETAIL.hashes)) == len(DETAIL.facets)
    assert Ask((BOOK["sentiment"],)).hash != Ask((BOOK["referral"],)).hash != DETAIL.hash


def altered(facet: Facet, **change: Any) -> Facet:
    return Facet.model_validate({**facet.model_dump(), **change})


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"question": "Another question?"},
        {"notes": ["Another note."]},
        {"categories": [{"id": "a", "label": "A", "definition": "A."}, {"id": "b", "label": "B", "definition": "B."}]},
    ],
    ids=lambda c: next(iter(c)),
)
def test_the_hash_of_a_facet_changes_with_whatever_decides_its_answers(change: dict[str, Any]) -> None:
    """Answers to another question under the old one's hash would be counted together."""
    facet = BOOK["affective_type"]
    assert facet_hash(altered(facet, **change)) != facet_hash(facet)


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (prompt, "PREAMBLE", "Other instructions."),
        (prompt, "AFTER", "Well?"),
        (prompt, "WINDOW_RULES", window.WINDOW_RULES + 1),
        (prompt, "REPLY_FORMAT", prompt.REPLY_FORMAT + 1),
        (prompt, "BUDGET_TOKENS", {"screen": 1_000, "detail": 1_000}),
    ],
)
def test_the_hash_changes_with_the_instructions_and_the_window(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, value: Any
) -> None:
    before = [facet_hash(f) for f in (*SCREEN.facets, *DETAIL.facets)]
    monkeypatch.setattr(module, name, value)
    after = [facet_hash(f) for f in (*SCREEN.facets, *DETAIL.facets)]
    assert not set(before) & set(after)


def test_what_readers_alone_are_told_changes_no_hash() -> None:
    """A better label in the report must not cost a year of requests."""
    facet = BOOK["affective_type"]
    told = altered(facet, title="Kind", source="elsewhere", rules=["Counted otherwise."], publish="no", sensitive=True)
    assert facet_hash(told) == facet_hash(facet)


def test_the_scope_of_tone_concerns_tone_alone() -> None:
    for facet in BOOK.of_stage("detail"):
        same = facet_hash(facet, "all") == facet_hash(facet, "edges")
        assert same == (facet.id != "sentiment"), facet.id
    assert Ask(DETAIL.facets, "all").max_tokens > DETAIL.max_tokens


@both
def test_an_ask_comes_back_from_the_ledger_as_it_was_sent(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply that arrives after an update of the codebook or the wording belongs to the question that was asked."""
    kept, text, name, hashes = ask.to_json(), ask.text, ask.hash, ask.hashes
    monkeypatch.setattr(prompt, "PREAMBLE", "Other instructions.")
    again = Ask.from_json(kept)
    assert (again.text, again.hash, again.hashes, again.facets, again.scope) == (
        text,
        name,
        hashes,
        ask.facets,
        "edges",
    )
    assert again == ask and hash(again) == hash(ask)
    assert again.schema == ask.schema and again.to_json() == kept
    assert Ask(ask.facets).hash != name


@pytest.mark.parametrize("kept", ["", "[]", "{}", '{"format":99,"facets":[]}', '{"format":1,"facets":[{}]}'])
def test_an_ask_that_cannot_be_read_is_told_in_our_words(kept: str) -> None:
    with pytest.raises(AskError, match=r"an ask .* version"):
        Ask.from_json(kept)


@pytest.mark.parametrize(
    ("facets", "what"),
    [
        ((), "one stage"),
        (("content_creation", "sentiment"), "one stage"),
        (("topic",), "one stage"),
        (("pushback_reason",), "asked together"),
        (("sentiment", "sentiment"), "twice"),
    ],
)
def test_facets_that_cannot_be_asked_together_are_refused(facets: tuple[str, ...], what: str) -> None:
    with pytest.raises(AskError, match=what):
        Ask(tuple(BOOK[f] for f in facets))


def test_an_attribute_named_like_another_key_keeps_its_full_name() -> None:
    """Two keys of one name in an object would be one."""
    kind = altered(BOOK["pushback_target"], id="pushback_kind")
    event = Ask((BOOK["pushback"], kind, BOOK["pushback_target"])).schema["properties"]["pushback"]["items"]
    assert event["required"] == ["i", "kind", "pushback_kind", "target"]


def test_no_request_is_needed_for_what_describes_no_event() -> None:
    """A new attribute would otherwise ask nine of ten conversations about pushback that they do not have."""
    attribute = BOOK["pushback_reason"]
    assert implied(attribute, Answer(Status.OK)) == Answer(Status.OK)
    assert implied(attribute, Answer(Status.REFUSED)) == Answer(Status.REFUSED)
    assert implied(attribute, Answer(Status.OK, (Value("refusal", None, 3),))) is None
