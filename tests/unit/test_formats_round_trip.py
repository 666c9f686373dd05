"""A conversation that was written in any format comes back as what it was, as far as the format can hold it."""

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.domain.conversations import Conversation
from dagster_project.sources.confide import parse_record
from dagster_project.sources.outcome import Left, Parsed
from dagster_project.sources.registry import source_named, source_of
from tests.support.chat_formats import FORMS, Form, grown
from tests.support.conversations import NOW, record, turns, worlds, write_lines

form = pytest.mark.parametrize("form", FORMS, ids=str)


def plain(conversation: Conversation) -> tuple[Any, ...]:
    """A conversation without the times of its messages: formats add them or lack them."""
    said = [(m.role, m.content) for m in conversation.messages]
    return conversation.conversation_id, conversation.user_id, conversation.started_at, conversation.surface, said


def expected(conversations: Sequence[dict[str, Any]], form: Form) -> list[tuple[Any, ...]]:
    return [plain(parse_record(form.holds(c), now=NOW)[0]) for c in conversations]


def read_back(path: Path, form: Form) -> list[tuple[Any, ...]]:
    found = []
    for outcome in source_named(form.name, form.table).read(path, now=NOW):
        assert isinstance(outcome, Parsed), outcome
        found.append(plain(outcome.conversation))
    return found


@form
@settings(max_examples=15, deadline=None)
@given(conversations=worlds(max_conversations=4))
def test_what_a_format_can_hold_comes_back(form: Form, conversations: list[dict[str, Any]]) -> None:
    """Else a reader drops, merges or reorders what people said, and every number is of other conversations."""
    with tempfile.TemporaryDirectory() as folder:
        path = form.write(Path(folder) / f"chats{form.suffix}", conversations)
        assert sorted(read_back(path, form), key=str) == sorted(expected(conversations, form), key=str)
        assert form.name == source_of(path, table=form.table).source.NAME


long_talks = st.lists(st.text("abc", min_size=1, max_size=4), min_size=2, max_size=9).map(
    lambda said: turns(*said[: len(said) // 2 * 2])
)


@settings(max_examples=40, deadline=None)
@given(talks=st.lists(long_talks, min_size=1, max_size=4), thread=st.booleans(), seed=st.integers(0, 9))
def test_requests_that_repeat_the_history_are_one_conversation(
    talks: list[list[dict[str, Any]]], thread: bool, seed: int
) -> None:
    """Else a chat of ten turns is ten chats, and whoever talks long counts more; in whatever order the log has them."""
    conversations = [record(f"c{i}", user_id=f"u{i}", messages=talk) for i, talk in enumerate(talks)]
    entries = [entry for c in conversations for entry in grown(c, thread=thread)]
    random.Random(seed).shuffle(entries)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = list(source_named("openai").read(write_lines(Path(folder) / "log.jsonl", entries), now=NOW))
    found = [o for o in outcomes if isinstance(o, Parsed)]
    assert len(found) == len(outcomes)
    said = sorted([m.content for m in o.conversation.messages] for o in found)
    assert said == sorted([m["content"] for m in talk] for talk in talks)
    assert {o.conversation.started_at.isoformat() for o in found} == {"2026-10-05T08:30:00+00:00"}
    joined = sum(o.left_out.get(Left.JOINED_RECORDS, 0) for o in found)
    assert joined == len(entries) - len(conversations)
