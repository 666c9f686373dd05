"""What is shown of a conversation is bounded, exact, in its place, and nothing in it can pose as more than data."""

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.classifiers.claude.window import (
    LEAST_BUDGET,
    RATED_AT_MOST,
    SIDE_CHARACTERS,
    Positions,
    View,
    estimated_tokens,
    view_of,
)
from dagster_project.domain.conversations import Conversation, Message, Role, indices_of
from tests.support.effort import bytes_held

NAMES = {"human": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM, "tool": Role.TOOL}
USER, ASSISTANT, SYSTEM, TOOL = NAMES.values()
WORDS = "all of this was said by somebody who had a lot to say about the weather and the garden "


def talk(*messages: tuple[Role, str]) -> Conversation:
    return Conversation("c", None, datetime(2026, 10, 5, tzinfo=UTC), tuple(Message(r, t) for r, t in messages))


def chat(n: int, length: int = 60) -> Conversation:
    return talk(*[((USER, ASSISTANT)[i % 2], f"{i} {WORDS * (length // 80 + 1)}"[:length]) for i in range(n)])


def shown(view: View) -> list[dict[str, Any]]:
    messages = json.loads(view.document)["messages"]
    assert isinstance(messages, list)
    return messages


def check(view: View, conversation: Conversation, budget: int) -> None:
    """Everything that holds of any view: true positions, exact pieces, honest counts, a bounded size."""
    expected = characters = 0
    for item in shown(view):
        if "omitted" in item:
            assert item.keys() == {"omitted"} and item["omitted"] > 0
            expected += item["omitted"]
            continue
        message = conversation.messages[item["i"]]
        assert item["i"] == expected
        expected += 1
        assert NAMES[item["role"]] is message.role
        head, tail = item["text"], item.get("then", "")
        if "cut" in item:
            assert item["cut"] > 0
            assert message.content.startswith(head) and message.content.endswith(tail)
        else:
            assert head == message.content
        assert len(head) + item.get("cut", 0) + len(tail) == len(message.content)
        characters += len(head) + len(tail)
    assert expected == len(conversation.messages)
    seen = [item["i"] for item in shown(view) if "i" in item]
    assert view.assistant == tuple(i for i in seen if conversation.messages[i].role is ASSISTANT)
    assert view.positions.heard == tuple(i for i in seen if conversation.messages[i].role is USER)
    assert set(view.human) <= set(view.positions.heard)
    human = indices_of(conversation.messages, USER)
    assert set(human[:3] + human[-3:]) <= set(view.human)
    total = sum(len(m.content) for m in conversation.messages)
    assert view.characters == characters
    assert view.share == (round(characters / total, 4) if total else 1.0)
    assert view.tokens == estimated_tokens(view.document) <= budget
    assert view.delimiter not in view.document
    view.document.encode()
    assert Positions.from_json(view.positions_json()) == view.positions


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300) | st.builds(
    lambda piece, n: piece * n,
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5),
    st.integers(0, 900),
)
conversations = st.lists(st.tuples(st.sampled_from(list(NAMES.values())), texts), max_size=80).map(lambda m: talk(*m))


@settings(deadline=None, max_examples=120)
@given(conversations, st.sampled_from([LEAST_BUDGET, 900, 6_000]), st.sampled_from(["edges", "all"]))
def test_any_conversation_gives_a_bounded_view_with_true_positions(
    conversation: Conversation, budget: int, scope: Any
) -> None:
    check(view_of(conversation, budget, scope), conversation, budget)


def test_a_short_conversation_is_shown_whole_with_its_own_words() -> None:
    view = view_of(talk((USER, 'Grüße\n\nHuman: 日本 "x" \\'), (ASSISTANT, "")), 6_000)
    assert shown(view) == [
        {"i": 0, "role": "human", "text": 'Grüße\n\nHuman: 日本 "x" \\'},
        {"i": 1, "role": "assistant", "text": ""},
    ]
    assert view.share == 1.0


def test_system_and_tool_messages_are_marked_and_short() -> None:
    """A tool's page of JSON at every turn would be most of the bill."""
    conversation = talk((SYSTEM, WORDS * 50), (USER, "hi"), (TOOL, WORDS * 50), (ASSISTANT, "hello"))
    view = view_of(conversation, 6_000)
    check(view, conversation, 6_000)
    assert [len(m["text"]) for m in shown(view) if m["role"] in ("system", "tool")] == [SIDE_CHARACTERS] * 2
    assert view.share < 0.2


def test_a_long_conversation_shows_its_start_its_middle_and_its_end() -> None:
    """Cut to its first tokens, a conversation that turned would be labelled by its small talk."""
    conversation = chat(2_000, 400)
    view = view_of(conversation, 6_000)
    check(view, conversation, 6_000)
    at = [m["i"] for m in shown(view) if "i" in m]
    assert at[:6] == [0, 1, 2, 3, 4, 5] and at[-6:] == [1994, 1995, 1996, 1997, 1998, 1999]
    assert max(b - a for a, b in pairwise(at)) < 500, "a gap in the middle"
    assert len(view.assistant) > 20
    for i in view.assistant:
        assert i - 1 in at, "what the assistant answers has to be seen"
    assert estimated_tokens(view.document) > 4_000, "paid for and not used"


def test_one_endless_message_is_shown_at_both_ends() -> None:
    conversation = talk((USER, "BEGINNING " + WORDS * 50_000 + " ENDING"), (ASSISTANT, "I see."))
    view = view_of(conversation, 6_000)
    check(view, conversation, 6_000)
    first = shown(view)[0]
    assert first["text"].startswith("BEGINNING") and first["then"].endswith("ENDING") and first["cut"] > 4_000_000
    assert shown(view)[1]["text"] == "I see."


def test_short_messages_are_not_cut_for_a_long_one() -> None:
    conversation = talk(*[(USER, f"line {i}") for i in range(20)], (ASSISTANT, WORDS * 5_000))
    view = view_of(conversation, 1_500)
    check(view, conversation, 1_500)
    assert [m.get("cut", 0) > 0 for m in shown(view) if "i" in m] == [False] * 20 + [True]


@pytest.mark.parametrize(
    "conversation",
    [
        chat(100_000, 10),
        talk((USER, "a " * 4_000_000)),
        talk((USER, "\U000e0041" * 1_000_000), (ASSISTANT, "<|" * 1_000_000)),
        chat(600, 60_000),
    ],
    ids=["100,000 messages", "8 million characters", "all escaped", "long in every way"],
)
def test_the_work_is_bounded_however_long_the_conversation(conversation: Conversation) -> None:
    """A single conversation of a million tokens must not cost, nor take, what a day does."""
    for budget in (6_000, 20_000):
        with bytes_held() as held:
            view = view_of(conversation, budget)
        assert held.n < 4_000_000
        check(view, conversation, budget)


def test_the_tone_asked_for_is_that_of_the_ends_or_of_all() -> None:
    ten = chat(20)
    assert view_of(ten, 6_000).human == (0, 2, 4, 14, 16, 18)
    assert view_of(ten, 6_000, "all").human == tuple(range(0, 20, 2))
    assert view_of(chat(7), 6_000).human == (0, 2, 4, 6)
    many = view_of(chat(1_000, 20), 20_000, "all")
    assert len(many.human) == RATED_AT_MOST and many.human[0] == 0 and many.human[-1] == 998


def test_who_speaks_last_or_first_does_not_push_the_person_out() -> None:
    """Sentiment of the ends needs the ends, also where a hundred tool messages stand before them."""
    conversation = talk(
        *[(TOOL, WORDS)] * 400, (USER, "one"), *[(ASSISTANT, WORDS)] * 400, (USER, "two"), *[(TOOL, WORDS)] * 400
    )
    view = view_of(conversation, 2_000)
    check(view, conversation, 2_000)
    assert view.human == (400, 801)


@pytest.mark.parametrize(
    "marker",
    [
        "<|im_start|>system", "<|eot_id|>", "</s>", "<start_of_turn>", "[INST]", "[/INST]", "<<SYS>>", "<｜User｜>",
        "\n\nHuman:", "\u202eevil", "\u200b", "\ufeff", "\x1b[2J", "\x7f", "\x85", "\u2028", "\U000e0041", "\U000e0100",
    ],
)  # fmt: skip
def test_control_tokens_and_what_cannot_be_seen_are_written_out(marker: str) -> None:
    """Servers of other models take such marks in a text for their own; people and models overlook the invisible."""
    conversation = talk((USER, f"a{marker}b"))
    view = view_of(conversation, 6_000)
    assert marker not in view.document
    assert shown(view)[0]["text"] == f"a{marker}b"


def test_joiners_of_scripts_and_emoji_stay_as_they_are() -> None:
    said = "می‌خواهم 👩‍👧 ❤️ [ok] [1] ما"
    assert said in view_of(talk((USER, said)), 6_000).document


def test_a_lone_surrogate_can_be_sent() -> None:
    """One broken character in one message must not stop the batch that it is in."""
    view = view_of(talk((USER, "a\ud83db")), 6_000)
    view.document.encode()
    assert shown(view)[0]["text"] == "a\ud83db"


def test_the_delimiter_is_random_and_never_in_the_conversation() -> None:
    conversation = chat(4)
    first, second = view_of(conversation, 6_000), view_of(conversation, 6_000)
    assert first.delimiter != second.delimiter and len(first.delimiter) == 12
    assert first.document == second.document
    with pytest.raises(ValueError, match="delimiter"):
        view_of(conversation, 6_000, delimiter="somebody")
    with pytest.raises(ValueError, match="delimiter"):
        view_of(conversation, 6_000, delimiter="")
    assert view_of(conversation, 6_000, delimiter="x9").delimiter == "x9"


def test_a_budget_that_holds_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        view_of(chat(2), LEAST_BUDGET - 1)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("a" * 300, 75, 150),
        ("Как дела сегодня вечером, мой друг? " * 10, 90, 330),
        ("今日はとても良い天気ですね。" * 10, 130, 200),
        ("😀" * 20, 40, 70),
        ("a\ud83d" * 10, 10, 40),
    ],
)
def test_tokens_are_estimated_rather_too_high_in_any_script(text: str, least: int, most: int) -> None:
    """Four characters a token holds for English alone: a Japanese corpus would cost four times its estimate."""
    assert least <= estimated_tokens(text) <= most
