"""Foreign lines: whatever they hold, they become the right conversation or a reason that can be counted."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.domain.conversations import Conversation, Role
from dagster_project.sources.confide import parse_line
from dagster_project.sources.outcome import DESCRIPTIONS, Parsed, Reason, Rejected
from tests.support.conversations import NOW, json_values, line, near_records, record, turns


def parsed(value: Any) -> Conversation:
    outcome = parse_line(value if isinstance(value, bytes) else line(value), now=NOW)
    assert isinstance(outcome, Parsed), outcome
    return outcome.conversation


def test_a_sound_line_keeps_all_that_it_says() -> None:
    conversation = parsed(record())
    assert (conversation.conversation_id, conversation.user_id, conversation.surface) == ("c1", "u1", "web")
    assert conversation.started_at == datetime(2026, 10, 5, 8, 30, tzinfo=UTC)
    assert [(m.role, m.content) for m in conversation.messages] == [
        (Role.USER, "hello there"),
        (Role.ASSISTANT, "good morning"),
    ]


REFUSED: list[tuple[str, Any, Reason]] = [
    ("text that is no JSON", b"hello", Reason.INVALID_JSON),
    ("a line cut in the middle", line(record())[:-9], Reason.INVALID_JSON),
    ("nesting that would end the stack", b"[" * 200_000, Reason.INVALID_JSON),
    ("closed nesting", b'{"a":' * 50_000 + b"1" + b"}" * 50_000, Reason.INVALID_JSON),
    ("a number too long to be one", b'{"conversation_id": ' + b"9" * 10_000 + b", NaN}", Reason.INVALID_JSON),
    ("bytes that are not UTF-8", b'{"conversation_id": "\xff\xfe"}', Reason.INVALID_UTF8),
    ("UTF-16", json.dumps(record()).encode("utf-16"), Reason.INVALID_UTF8),
    ("a list", [record()], Reason.NOT_AN_OBJECT),
    ("a bare text", "c1", Reason.NOT_AN_OBJECT),
    ("no id", {k: v for k, v in record().items() if k != "conversation_id"}, Reason.MISSING_ID),
    ("a null id", record(None), Reason.MISSING_ID),
    ("a blank id", record("  "), Reason.MISSING_ID),
    ("an id that is a list", record([1]), Reason.INVALID_ID),
    ("an id that is true", record(True), Reason.INVALID_ID),
    ("an id with a fraction", record(1.5), Reason.INVALID_ID),
    ("an id past what a float can tell apart", record(1e17), Reason.INVALID_ID),
    ("a user that is an object", record(user_id={"id": "u1"}), Reason.INVALID_USER),
    ("no time", {k: v for k, v in record().items() if k != "started_at"}, Reason.MISSING_TIME),
    ("an empty time", record(started_at=""), Reason.MISSING_TIME),
    ("a time in words", record(started_at="yesterday"), Reason.UNREADABLE_TIME),
    ("a time that is true", record(started_at=True), Reason.UNREADABLE_TIME),
    ("1970", record(started_at="1970-01-01T00:00:00Z"), Reason.IMPLAUSIBLE_DATE),
    ("the second before 2000", record(started_at="1999-12-31T23:59:59Z"), Reason.IMPLAUSIBLE_DATE),
    ("zero seconds", record(started_at=0), Reason.IMPLAUSIBLE_DATE),
    ("more than a day ahead", record(started_at="2026-11-21T12:00:01Z"), Reason.IMPLAUSIBLE_DATE),
    ("a year of five thousand", record(started_at="5026-10-05T08:30:00Z"), Reason.IMPLAUSIBLE_DATE),
    ("the first moment there is, east of UTC", record(started_at="0001-01-01T00:00:00+14:00"), Reason.IMPLAUSIBLE_DATE),
    ("no messages", {k: v for k, v in record().items() if k != "messages"}, Reason.NO_MESSAGES),
    ("an empty list of messages", record(messages=[]), Reason.NO_MESSAGES),
    ("messages that are a text", record(messages="hello"), Reason.INVALID_MESSAGE),
    ("a message that is a text", record(messages=["hello"]), Reason.INVALID_MESSAGE),
    ("a person's message without content", record(messages=[{"role": "user"}]), Reason.INVALID_MESSAGE),
    ("a content that is a number", record(messages=[{"role": "user", "content": 3}]), Reason.INVALID_MESSAGE),
    ("a block that is a number", record(messages=[{"role": "user", "content": [3]}]), Reason.INVALID_MESSAGE),
    ("an unknown role", record(messages=[*turns("a"), {"role": "bot", "content": "b"}]), Reason.UNKNOWN_ROLE),
    ("a role that is a list", record(messages=[{"role": ["user"], "content": "b"}]), Reason.UNKNOWN_ROLE),
    ("only an assistant", record(messages=[{"role": "assistant", "content": "hi"}]), Reason.NO_HUMAN_MESSAGE),
    (
        "only system and tool messages",
        record(messages=[{"role": "system", "content": "be kind"}, {"role": "tool", "content": "{}"}]),
        Reason.NO_HUMAN_MESSAGE,
    ),
    (
        "a user message of tool results alone, which nobody typed",
        record(messages=[{"role": "user", "content": [{"type": "tool_result", "content": "12"}]}]),
        Reason.NO_HUMAN_MESSAGE,
    ),
]


@pytest.mark.parametrize(("value", "reason"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_cannot_be_used_has_its_reason_and_is_kept_whole(value: Any, reason: Reason) -> None:
    data = value if isinstance(value, bytes) else line(value)
    outcome = parse_line(data, now=NOW, line_number=7)
    assert outcome == Rejected(reason, 7, data, len(data))


CONTENTS: list[tuple[str, Any, str]] = [
    ("empty content", "", ""),
    ("NUL", "a\x00b", "a\ufffdb"),
    ("a lone surrogate", "a\ud800b", "a\ufffdb"),
    ("a pair of surrogates is a character", "\ud83d\ude00", "\U0001f600"),
    ("bidi marks stay: they are the text", "\u202eabc\u202c", "\u202eabc\u202c"),
    ("line separators stay inside", "a\r\nb\u2028c", "a\r\nb\u2028c"),
    ("blocks of text", [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
    ("a block that is a text", ["a"], "a"),
    ("an image", [{"type": "text", "text": "look"}, {"type": "image", "source": {}}], "look\n[image]"),
    ("a tool call", [{"type": "tool_use", "input": {"text": "x"}}], "[tool_use]"),
    ("a block whose type is a trick", [{"type": "] ignore [", "text": "x"}], "[block]"),
    ("a block without a type", [{"text": "a"}], "a"),
    ("no blocks", [], ""),
    ("a million tokens", "word " * 1_000_000, "word " * 1_000_000),
]


@pytest.mark.parametrize(("content", "text"), [case[1:] for case in CONTENTS], ids=[case[0] for case in CONTENTS])
def test_contents_become_text_that_can_be_stored(content: Any, text: str) -> None:
    messages = parsed(record(messages=[{"role": "user", "content": content}])).messages
    assert messages[0].content == text
    messages[0].content.encode()


def test_an_assistant_that_only_calls_a_tool_does_not_cost_the_conversation() -> None:
    messages = [*turns("what time is it"), {"role": "assistant", "content": None, "tool_calls": []}]
    assert parsed(record(messages=messages)).messages[1].content == ""


def test_the_same_role_twice_running_and_ten_thousand_messages_stay_in_order() -> None:
    messages = [{"role": "user", "content": str(i)} for i in range(10_000)]
    assert [m.content for m in parsed(record(messages=messages)).messages] == [str(i) for i in range(10_000)]


IDS: list[tuple[str, Any, str | None]] = [
    ("a whole number", 12, "12"),
    ("a whole number that a table made a float", 12.0, "12"),
    ("none", None, None),
    ("empty", "", None),
    ("blank", " \t", None),
    ("NaN, as tables write nothing", float("nan"), None),
    ("a NUL inside", "u\x00", "u\ufffd"),
]


@pytest.mark.parametrize(("given_id", "user_id"), [case[1:] for case in IDS], ids=[case[0] for case in IDS])
def test_user_ids_of_other_types_neither_split_nor_join_people(given_id: Any, user_id: str | None) -> None:
    assert parsed(record(user_id=given_id)).user_id == user_id


def test_what_other_writers_do_to_lines_is_no_reason_to_refuse_them() -> None:
    """BOM, CRLF, unknown and doubled keys, NaN in a field that nobody reads: all seen in exports."""
    plain = parsed(record())
    assert parsed(b"\xef\xbb\xbf" + line(record()) + b"\r") == plain
    assert parsed(record(model="m-1", labels={"a": [1, {}]})) == plain
    assert parsed(record(score=float("nan"), other=float("inf"))) == plain
    assert parsed(b'{"user_id": "other", ' + line(record())[1:]) == plain


def test_a_message_time_that_cannot_be_read_is_unknown_and_costs_nothing() -> None:
    times = ["2026-10-05T10:30:00+02:00", "soon", None, 1759652100]
    messages = [{"role": "user", "content": "a", "created_at": t} for t in times]
    read = [m.created_at for m in parsed(record(messages=messages)).messages]
    assert read == [datetime(2026, 10, 5, 8, 30, tzinfo=UTC), None, None, datetime(2025, 10, 5, 8, 15, tzinfo=UTC)]


@pytest.mark.parametrize("surface", [None, 3, ["web"], ""])
def test_a_surface_that_is_no_text_is_none(surface: Any) -> None:
    assert parsed(record(surface=surface)).surface is None


def test_without_a_time_a_line_can_still_be_labelled_where_days_do_not_matter() -> None:
    for value in (record(started_at=None), {k: v for k, v in record().items() if k != "started_at"}):
        outcome = parse_line(line(value), require_time=False, now=NOW)
        assert isinstance(outcome, Parsed)
        assert outcome.conversation.started_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert isinstance(parse_line(line(record(started_at="soon")), require_time=False, now=NOW), Rejected)


def test_a_time_without_a_zone_is_utc_and_is_counted() -> None:
    zones = {"2026-10-05T08:30:00": True, "2026-10-05T08:30:00Z": False}
    for text, assumed in zones.items():
        outcome = parse_line(line(record(started_at=text)), now=NOW)
        assert isinstance(outcome, Parsed)
        assert (outcome.assumed_utc, outcome.conversation.started_at.hour) == (assumed, 8)


def test_neither_outcome_shows_text_when_printed() -> None:
    """Outcomes end up in tracebacks and logs; the conversation must not."""
    kept = parse_line(line(record("CANARY-ID", messages=turns("CANARY"))), now=NOW)
    refused = parse_line(b"CANARY", now=NOW)
    assert "CANARY" not in repr(kept) + repr(refused)


def test_every_reason_is_explained_and_can_be_a_folder_name() -> None:
    assert set(DESCRIPTIONS) == set(Reason)
    assert all(reason.value.replace("_", "").isalnum() and reason.value.islower() for reason in Reason)


@given(json_values | near_records())
def test_no_json_value_whatever_ends_the_run(value: Any) -> None:
    outcome = parse_line(line(value), now=NOW)
    if isinstance(outcome, Parsed):
        for text in (outcome.conversation.conversation_id, *(m.content for m in outcome.conversation.messages)):
            text.encode()
            assert "\x00" not in text


@given(st.binary())
def test_no_bytes_whatever_end_the_run(data: bytes) -> None:
    assert isinstance(parse_line(data, now=NOW), Rejected)
