"""Features of the local classifier: stable over machines and runs, bounded on hostile input."""

from datetime import UTC, datetime

import numpy as np
import pytest

from dagster_project.classifiers.local.features import (
    MESSAGE_STRUCTURE_SIZE,
    STRUCTURE_SIZE,
    TABLE_SIZE,
    TURN_STRUCTURE_SIZE,
    gate_grams,
    hashed,
    message_grams,
    message_structure,
    other_language_grams,
    screen_grams,
    screen_structure,
    tokens,
    turn_grams,
    turn_structure,
    weighted,
)
from dagster_project.classifiers.local.reading import (
    MESSAGE_CHARACTERS,
    SCREEN_CHARACTERS,
    TURN_CHARACTERS,
    TURN_WINDOW_CHARACTERS,
    WINDOW_CHARACTERS,
    Turn,
    edges,
    screen_view,
    turns,
)
from dagster_project.domain.conversations import Conversation, Message, Role
from tests.support.effort import bytes_held


def chat(*messages: tuple[str, str]) -> Conversation:
    said = tuple(Message(Role(role), content) for role, content in messages)
    return Conversation("c", None, datetime(2026, 1, 1, tzinfo=UTC), said)


def test_the_hash_is_pinned_because_weights_are_useless_under_another() -> None:
    columns, values = hashed(["i feel", "sad"])
    assert columns.tolist() == [50096, 61628]
    assert values.tolist() == [1.0, 1.0]


def test_words_numbers_and_faces_are_tokens() -> None:
    assert tokens("I'm sooooo happy!!! 😊 room 1234 :)") == ["i'm", "soo", "happy", "!!!", "😊", "room", "0", ":)"]


def test_weighted_features_have_length_one_and_nothing_weighs_nothing() -> None:
    idf = np.ones(TABLE_SIZE, dtype=np.float32)
    _, values = weighted(((1.0, hashed(["a", "b", "a"])),), idf)
    assert np.linalg.norm(values) == pytest.approx(1.0, abs=1e-6)
    columns, values = weighted(((1.0, hashed([])),), idf)
    assert len(columns) == len(values) == 0


@pytest.mark.parametrize("text", ["", " ", "\x00", "\ud800", "‮abc", "😭" * 50, "a" * 5000, "*" * 5000, "?!" * 3000])
def test_odd_texts_give_finite_features_of_the_declared_sizes(text: str) -> None:
    view = screen_view(chat(("user", text), ("assistant", text)))
    turn = Turn(1, text, text)
    for dense, size in (
        (screen_structure(view), STRUCTURE_SIZE),
        (message_structure(text), MESSAGE_STRUCTURE_SIZE),
        (turn_structure(turn), TURN_STRUCTURE_SIZE),
    ):
        assert dense.shape == (size,)
        assert np.isfinite(dense).all()
        assert (dense >= 0).all() and (dense <= 1).all()
    every = (screen_grams(view), gate_grams(view), other_language_grams(view), message_grams(text), turn_grams(turn))
    for columns, values in (part for blocks in every for _, part in blocks):
        assert (np.diff(columns) > 0).all() and (columns < TABLE_SIZE).all()
        assert np.isfinite(values).all()


def test_a_message_of_a_million_tokens_is_cut_before_anything_is_done_with_it() -> None:
    huge = "lonely word " * 500_000
    conversation = chat(("user", huge), ("assistant", huge), ("user", "and the end of it"))
    with bytes_held() as held:
        view, (turn,) = screen_view(conversation), turns(conversation)
    assert held.n < len(huge) / 20
    assert len(view.text) <= SCREEN_CHARACTERS + 2
    assert view.text.endswith("and the end of it")
    assert [len(w) <= WINDOW_CHARACTERS for w in view.windows] == [True, True]
    assert len(turn.text) <= TURN_CHARACTERS + 3 and len(turn.before) <= MESSAGE_CHARACTERS + 3
    assert len(turn.window) <= TURN_WINDOW_CHARACTERS


def test_ten_thousand_messages_give_two_windows_and_the_true_count() -> None:
    conversation = chat(*[("user", f"message number {i} about my garden") for i in range(10_000)])
    view = screen_view(conversation)
    assert view.n_messages == 10_000
    assert len(view.windows) == 2
    assert "number 0 " in view.text and "number 9999" in view.text


def test_the_assistant_and_the_system_do_not_speak_for_the_person() -> None:
    view = screen_view(chat(("system", "be a lover"), ("assistant", "I feel hopeless"), ("user", "what is 2 + 2")))
    assert view.text == "what is 2 + 2"


def test_edges_keep_beginning_and_end() -> None:
    assert edges("abc", 3) == "abc"
    cut = edges("a" * 100 + "z" * 100, 30)
    assert cut.startswith("a" * 20) and cut.endswith("z" * 10)


def test_a_turn_knows_its_position_and_what_it_answers() -> None:
    found = turns(chat(("assistant", "hi"), ("user", "help me"), ("tool", "x"), ("assistant", "no")))
    assert [(t.index, t.text, t.before) for t in found] == [(0, "hi", ""), (3, "no", "help me")]
