"""What comes out of a reply is an id of the codebook at a position that was shown, or nothing: never the reply's own."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.classifiers.claude.prompt import Ask, values_of
from dagster_project.classifiers.claude.reply import Outcome, Reply, clean_line, read_reply, without_answers
from dagster_project.classifiers.claude.window import Positions
from dagster_project.codebook.loader import load_codebook, shipped_codebook
from dagster_project.domain.labels import Answer, Status, Value
from tests.support.conversations import json_values
from tests.support.replies import check_listed_or_nothing

BOOK = shipped_codebook()
SCREEN, DETAIL = Ask(BOOK.of_stage("screen")), Ask(BOOK.of_stage("detail"))
AT = Positions(human=(0, 2, 4), heard=(0, 2, 4, 6), assistant=(1, 3, 5), share=1.0)
CANARY = "Maximiliane Canary 0171 5550199"

EVENT = {"i": 3, "kind": "challenge", "target": "plan", "strength": "clear", "reason": "facts", "given_up": "held"}
SOUND: dict[str, Any] = {
    "pushback": [EVENT],
    "sentiment": [{"i": 0, "value": "negative"}, {"i": 2, "value": "neutral"}, {"i": 4, "value": "positive"}],
    "type_at_start": "coaching",
    "type_at_end": "companionship",
    "referral": [],
    "topic_description": "Weighing a change of work.",
}


def read(said: Any, ask: Ask = DETAIL, stop: str | None = "end_turn") -> Reply:
    return read_reply(ask, AT, stop, [said if isinstance(said, str) else json.dumps(said)])


def sound(**change: Any) -> dict[str, Any]:
    return {**SOUND, **change}


def ok(said: Any, ask: Ask = DETAIL) -> dict[str, Answer]:
    reply = read(said, ask)
    assert (reply.outcome, reply.reason) == (Outcome.OK, None)
    return dict(reply.answers)


events = st.fixed_dictionaries(
    {
        "i": st.sampled_from([1, 3, 5]) | st.sampled_from([0, 7, True, 3.0, "3"]),
        "kind": st.sampled_from(BOOK["pushback"].category_ids),
        **{
            key: st.sampled_from(values_of(BOOK[f"pushback_{key}"]))
            for key in ("target", "strength", "reason", "given_up")
        },
    }
)
near = {
    "pushback": st.lists(events, max_size=4),
    "sentiment": st.permutations(SOUND["sentiment"]) | st.lists(st.sampled_from(SOUND["sentiment"])),
    "type_at_start": st.sampled_from(values_of(BOOK["type_at_start"])),
    "type_at_end": st.text(),
    "referral": st.lists(st.sampled_from(values_of(BOOK["referral"]))),
    "topic_description": st.text(st.characters()),
}


@st.composite
def near_replies(draw: st.DrawFn) -> dict[str, Any]:
    """Replies with the right keys, some of them with other values: nearly right, or anything at all."""
    said = dict(SOUND)
    for key in draw(st.sets(st.sampled_from(sorted(said)), max_size=3)):
        said[key] = draw(near[key] if draw(st.booleans()) else json_values)
    return said


@settings(deadline=None, max_examples=300)
@given(
    json_values | near_replies(), st.sampled_from([SCREEN, DETAIL]), st.sampled_from(["end_turn", None, "new_reason"])
)
def test_any_json_at_all_gives_listed_values_or_none(said: Any, ask: Ask, stop: str | None) -> None:
    check_listed_or_nothing(read(said, ask, stop), ask, AT)


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters()) | st.text('[]{}":,0123456789.eEn NaN\n`\\u'), st.sampled_from([SCREEN, DETAIL]))
def test_any_text_at_all_gives_listed_values_or_none(said: str, ask: Ask) -> None:
    check_listed_or_nothing(read(said, ask), ask, AT)


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(), max_size=600), st.integers(1, 300))
def test_a_line_of_text_is_bounded_and_can_be_seen(text: str, limit: int) -> None:
    line = clean_line(text, limit)
    assert len(line) <= limit and line.isprintable() and line == line.strip() and "\n" not in line
    line.encode()
    assert clean_line(line, limit) == line


def test_a_sound_reply_becomes_the_labels_it_says() -> None:
    assert ok(SOUND) == {
        "pushback": Answer(Status.OK, (Value("challenge", None, 3),)),
        "pushback_target": Answer(Status.OK, (Value("plan", None, 3),)),
        "pushback_strength": Answer(Status.OK, (Value("clear", None, 3),)),
        "pushback_reason": Answer(Status.OK, (Value("facts", None, 3),)),
        "pushback_given_up": Answer(Status.OK, (Value("held", None, 3),)),
        "sentiment": Answer(
            Status.OK, (Value("negative", None, 0), Value("neutral", None, 2), Value("positive", None, 4))
        ),
        "type_at_start": Answer(Status.OK, (Value("coaching"),)),
        "type_at_end": Answer(Status.OK, (Value("companionship"),)),
        "referral": Answer(Status.OK),
        "topic_description": Answer(Status.OK, text="Weighing a change of work."),
    }


@pytest.mark.parametrize(
    ("made", "types", "expected"),
    [
        ("yes", [], (Answer(Status.OK, (Value("content_creation"),)), Answer(Status.OK))),
        (
            "no",
            ["companionship", "coaching", "coaching"],
            (Answer(Status.OK), Answer(Status.OK, (Value("coaching"), Value("companionship")))),
        ),
        ("could_not_tell", ["could_not_tell"], (Answer(Status.COULD_NOT_TELL), Answer(Status.COULD_NOT_TELL))),
        ("no", ["coaching", "could_not_tell"], (Answer(Status.OK), Answer(Status.COULD_NOT_TELL))),
    ],
)
def test_the_screen_is_read_in_the_codebooks_order(made: str, types: list[str], expected: tuple[Answer, ...]) -> None:
    """A list that says both a type and that none can be told is not known."""
    said = ok({"content_creation": made, "affective_type": types}, SCREEN)
    assert (said["content_creation"], said["affective_type"]) == expected


def test_of_several_events_in_one_turn_the_strongest_stays_with_its_own_attributes() -> None:
    """Two events a turn would count one refusal twice."""
    weaker = {**EVENT, "kind": "correction", "reason": "other"}
    stronger = {**EVENT, "kind": "safety", "reason": "harm_to_self", "given_up": "at_second_request"}
    early = {**EVENT, "i": 1, "kind": "other", "target": "could_not_tell", "given_up": "could_not_tell"}
    said = ok(sound(pushback=[EVENT, weaker, stronger, early]))
    assert said["pushback"].values == (Value("other", None, 1), Value("safety", None, 3))
    assert said["pushback_reason"].values == (Value("facts", None, 1), Value("harm_to_self", None, 3))
    assert said["pushback_target"].values == (Value("could_not_tell", None, 1), Value("plan", None, 3))
    assert said["pushback_given_up"].values == (Value("could_not_tell", None, 1), Value("at_second_request", None, 3))


def test_no_event_is_an_answer_and_so_it_is_for_what_describes_events() -> None:
    said = ok(sound(pushback=[]))
    assert {said[f.id] for f in DETAIL.facets if f.id.startswith("pushback")} == {Answer(Status.OK)}


def test_what_can_be_told_of_no_message_or_event_could_not_be_told() -> None:
    unknown = [{"i": i, "value": "could_not_tell"} for i in AT.human]
    said = ok(sound(sentiment=unknown, pushback=[{**EVENT, "target": "could_not_tell"}], topic_description=" \n"))
    assert said["sentiment"] == said["pushback_target"] == said["topic_description"] == Answer(Status.COULD_NOT_TELL)
    mixed = ok(sound(sentiment=[*unknown[:2], {"i": 4, "value": "positive"}]))["sentiment"]
    assert mixed.categories == ("could_not_tell", "could_not_tell", "positive")


def test_tone_is_given_in_the_order_of_the_messages() -> None:
    assert ok(sound(sentiment=SOUND["sentiment"][::-1]))["sentiment"] == ok(SOUND)["sentiment"]


@pytest.mark.parametrize(
    "said",
    [
        "", " ", "I cannot help with that.", "null", "[]", "{}", '"x"', "NaN", json.dumps(SOUND)[:-1], json.dumps(SOUND) * 2,
        "Here you are: " + json.dumps(SOUND), json.dumps(SOUND) + " Hope this helps!", "[" * 90_000, '{"a":' * 15_000,
        "{" + '"pushback": [], ' + json.dumps(SOUND)[1:], "1" * 90_000, " " * 10 + "x" * 200_000, json.dumps(SOUND) + " " * 10 + "\0",
        sound(extra=1), {k: v for k, v in SOUND.items() if k != "referral"}, sound(pushback=None), sound(pushback={}),
        sound(pushback=[{**EVENT, "i": 2}]), sound(pushback=[{**EVENT, "i": 99}]), sound(pushback=[{**EVENT, "i": -1}]),
        sound(pushback=[{**EVENT, "i": True}]), sound(pushback=[{**EVENT, "i": 3.0}]), sound(pushback=[{**EVENT, "i": "3"}]),
        sound(pushback=[{**EVENT, "kind": "could_not_tell"}]), sound(pushback=[{**EVENT, "kind": "Refusal"}]),
        sound(pushback=[{**EVENT, "strength": 3}]), sound(pushback=[{**EVENT, "given_up": False}]),
        sound(pushback=[{**EVENT, "note": CANARY}]), sound(pushback=[{k: v for k, v in EVENT.items() if k != "reason"}]),
        sound(pushback=[EVENT, [EVENT]]), sound(sentiment=SOUND["sentiment"][:2]), sound(sentiment=SOUND["sentiment"] * 2),
        sound(sentiment=[*SOUND["sentiment"][:2], {"i": 6, "value": "positive"}]),
        sound(sentiment=[*SOUND["sentiment"], {"i": 6, "value": "positive"}]),
        sound(sentiment=["negative", "neutral", "positive"]), sound(sentiment=[{"i": i, "value": 0.5} for i in AT.human]),
        sound(type_at_start=["coaching"]), sound(type_at_start=CANARY), sound(type_at_start=""), sound(type_at_start=None),
        sound(referral="professional"), sound(referral=[["professional"]]), sound(referral=[CANARY]), sound(referral=[None]),
        sound(topic_description=None), sound(topic_description=[CANARY]), sound(topic_description=float("nan")),
        sound(topic_description=float("inf")), sound(topic_description="word " * 30_000),
        "```python\n" + json.dumps(SOUND) + "\n```", "```", "``````",
    ],
)  # fmt: skip
def test_what_is_not_by_the_schema_is_invalid_and_never_quoted(said: Any) -> None:
    """A value let through because it looked near enough is a figure that nobody can account for."""
    reply = read(said)
    assert reply.outcome is Outcome.INVALID
    check_listed_or_nothing(reply, DETAIL, AT)
    assert "Canary" not in repr(reply)


@pytest.mark.parametrize(
    "wrapped",
    ["\n\n{}\n", "```json\n{}\n```", "```\n{}\n```\n", "  ```json\n{}```"],
    ids=["space", "json", "plain", "tight"],
)
def test_a_fence_around_the_one_object_is_taken_off(wrapped: str) -> None:
    """Servers that ignore the schema wrap their answers; the answer is the same."""
    reply = read(wrapped.replace("{}", json.dumps(SOUND)))
    assert reply == read(SOUND) and reply.outcome is Outcome.OK


def test_text_in_several_blocks_is_one_reply() -> None:
    written = json.dumps(SOUND)
    assert read_reply(DETAIL, AT, "end_turn", [written[:40], written[40:]]) == read(SOUND)
    assert read_reply(DETAIL, AT, "end_turn", []).outcome is Outcome.INVALID


@pytest.mark.parametrize(
    ("stop", "outcome"),
    [
        ("end_turn", Outcome.OK),
        ("stop_sequence", Outcome.OK),
        (None, Outcome.OK),
        ("refusal", Outcome.REFUSED),
        ("max_tokens", Outcome.TRUNCATED),
        ("model_context_window_exceeded", Outcome.TRUNCATED),
        ("tool_use", Outcome.INVALID),
        ("pause_turn", Outcome.INVALID),
    ],
)
def test_how_a_reply_stopped_is_told_apart(stop: str | None, outcome: Outcome) -> None:
    """A refusal is a label; a reply cut off is asked again with more room."""
    assert read(SOUND, stop=stop).outcome is outcome


def test_what_is_given_up_is_a_label_for_every_facet() -> None:
    assert set(without_answers(DETAIL, Outcome.REFUSED)) == {f.id for f in DETAIL.facets}
    assert set(without_answers(SCREEN, Outcome.REFUSED).values()) == {Answer(Status.REFUSED)}
    for outcome in (Outcome.TRUNCATED, Outcome.INVALID):
        assert set(without_answers(SCREEN, outcome).values()) == {Answer(Status.INVALID)}


def test_hidden_characters_and_second_lines_leave_a_topic_description() -> None:
    """It is read by clustering and by people who debug: neither may be steered by what cannot be seen."""
    tags = "".join(chr(0xE0000 + ord(c)) for c in "ignore")
    said = f"A\u202e talk\r\n\tabout\u2028work\x1b[31m{tags}\u200b\ufeff, e\u0301te\ud83d\U000e0100."
    assert ok(sound(topic_description=said))["topic_description"].text == "A talk about work[31m, éte."
    assert len(ok(sound(topic_description="word " * 5_000))["topic_description"].text or "") == 199


def test_events_of_the_persons_messages_and_scales_of_conversations_are_read_too(tmp_path: Any) -> None:
    """An organisation's own facets need no Python."""
    head = "version: 1\ntitle: T\nquestion: Q?\napplies_to: [all]\nstage: screen\nsensitive: false\npublish: facets\nsource: s\n"
    ids = "categories: [{id: low, label: L, definition: L., number: 1}, {id: high, label: H, definition: H., number: 2}]\n"
    (tmp_path / "thanks.yaml").write_text(f"id: thanks\nunit: human_message\nanswer: events\n{head}{ids}")
    (tmp_path / "effort.yaml").write_text(f"id: effort\nunit: conversation\nanswer: scale\n{head}{ids}")
    book = load_codebook(tmp_path)
    ask = Ask((book["effort"], book["thanks"]))
    said = ok({"effort": "high", "thanks": [{"i": 6, "kind": "low"}]}, ask)
    assert said == {
        "effort": Answer(Status.OK, (Value("high"),)),
        "thanks": Answer(Status.OK, (Value("low", None, 6),)),
    }
    assert read({"effort": "high", "thanks": [{"i": 1, "kind": "low"}]}, ask).outcome is Outcome.INVALID
