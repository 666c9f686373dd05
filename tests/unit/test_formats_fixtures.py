"""Each format as its publisher writes it: what is kept, what becomes a mark, what is counted; and what is no such file."""

import csv
import gzip
import json
import re
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dagster_project.settings import TableSettings
from dagster_project.sources import api_logs, chatgpt_export, langfuse, langsmith, openai
from dagster_project.sources.outcome import Left, Parsed, Rejected
from dagster_project.sources.registry import AS_ASKED, NOT_RECOGNISED, SOURCES, names, source_named, source_of
from dagster_project.sources.table import NoMappingError
from tests.support.chat_formats import ROWS_TABLE
from tests.support.conversations import NOW, line, record, turns, write_lines

FIXTURES = Path(__file__).parents[1] / "fixtures" / "formats"
DAY = datetime(2026, 10, 5, tzinfo=UTC)


def read(path: Path, name: str = "auto", **options: Any) -> list[Parsed]:
    source = source_of(path, name, ROWS_TABLE).source
    found = list(source.read(path, **{"now": NOW, "started_at": DAY, **options}))
    assert [o for o in found if isinstance(o, Rejected)] == []
    return [o for o in found if isinstance(o, Parsed)]


def said(outcome: Parsed) -> list[str]:
    """A transcript, with the first letter of each role."""
    return [f"{m.role.value[0]}: {m.content}" for m in outcome.conversation.messages]


@pytest.mark.parametrize("path", sorted(FIXTURES.iterdir()), ids=lambda p: p.name)
def test_every_fixture_is_recognised_for_what_it_is_and_why(path: Path) -> None:
    chosen = source_of(path, table=ROWS_TABLE)
    expected = path.stem if path.stem in names() else path.stem.rpartition("-")[0].removesuffix("-fine")
    assert expected == chosen.source.NAME
    assert chosen.why and len(chosen.why.split()) <= 9
    assert source_of(path, expected, ROWS_TABLE).why == AS_ASKED


def test_every_format_has_a_fixture() -> None:
    found = {source_of(path, table=ROWS_TABLE).source.NAME for path in FIXTURES.iterdir()}
    assert found == {source.NAME for source in SOURCES} | {"table"}


def test_openai_requests_become_one_conversation_with_its_tools() -> None:
    first, second = read(FIXTURES / "openai.jsonl")
    assert said(first) == [
        "s: You are a helpful assistant.",
        "u: What is on this picture?\n[image_url]",
        "a: [tool_call]",
        "t: a lighthouse",
        "a: A lighthouse.",
        "u: I would like to live in one.",
        "a: It can be lonely there. What draws you to it?",
    ]
    assert (first.conversation.conversation_id, first.conversation.user_id) == ("chatcmpl-a1", "u-ada")
    assert first.conversation.started_at == datetime(2026, 10, 5, 8, 30, tzinfo=UTC)
    assert first.left_out == {Left.JOINED_RECORDS: 2, Left.OTHER_BRANCHES: 1}
    assert said(second)[-1] == "a: I cannot help with that."


def test_fine_tuning_files_have_ids_of_their_own_making_and_the_day_that_was_given() -> None:
    found = read(FIXTURES / "openai-fine-tuning.jsonl")
    assert [said(o)[-1] for o in found] == ["a: Paris, as if everyone did not know.", "a: It is.", "a: Hello!"]
    assert {o.conversation.started_at for o in found} == {DAY}
    again = read(FIXTURES / "openai-fine-tuning.jsonl", started_at=datetime(2026, 10, 6, tzinfo=UTC))
    assert [o.conversation.conversation_id for o in again] == [o.conversation.conversation_id for o in found]


def test_messages_without_a_time_are_refused_until_a_day_is_given() -> None:
    """A made-up day would publish a trend that nobody measured."""
    path = FIXTURES / "openai-fine-tuning.jsonl"
    refused = list(openai.read(path, now=NOW))
    assert [o.reason.value for o in refused if isinstance(o, Rejected)] == ["missing_time"] * 3
    assert all(isinstance(o, Parsed) for o in openai.read(path, now=NOW, require_time=False))


def test_a_given_day_never_replaces_a_time_that_is_there() -> None:
    (outcome,) = read(FIXTURES / "chatgpt-export.json", started_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert outcome.conversation.started_at.year == 2026


def test_anthropic_blocks_become_marks_and_requests_one_conversation() -> None:
    first, second = read(FIXTURES / "anthropic.jsonl")
    assert said(first) == [
        "s: Be kind.",
        "u: I cannot sleep.",
        "a: [thinking]\nWhat keeps you awake?",
        "u: The exam tomorrow.",
        "a: [tool_use]",
    ]
    assert said(second) == ["u: [image]\nIs this mole normal?", "a: Please show it to a doctor."]
    assert (first.conversation.user_id, second.conversation.conversation_id) == ("u-cleo", "msg_03")


def test_the_path_last_shown_of_a_chatgpt_export_is_kept_and_the_others_counted() -> None:
    (outcome,) = read(FIXTURES / "chatgpt-export.json")
    assert said(outcome) == [
        "s: [user_editable_context]",
        "u: [image_asset_pointer]\nShould I move here?\n[attachment]",
        "a: [thoughts]",
        "a: [code]",
        "t: 1200 a month",
        "a: It costs 1200 a month. What speaks for it?",
        "u: My sister lives there.",
    ]
    assert outcome.left_out == {Left.OTHER_BRANCHES: 2}


def test_a_chatgpt_export_is_its_owners(tmp_path: Path) -> None:
    """Else all exports of a folder are one person, and nothing can be published."""
    path = tmp_path / "conversations.json"
    path.write_bytes((FIXTURES / "chatgpt-export.json").read_bytes())
    assert read(path)[0].conversation.user_id is None
    (tmp_path / "user.json").write_text('{"id": "user-77", "email": "a@example.org"}')
    assert read(path)[0].conversation.user_id == "user-77"
    (tmp_path / "user.json").write_text("[broken")
    assert read(path)[0].conversation.user_id is None


def test_claude_exports_keep_the_shown_branch_and_mark_what_was_attached() -> None:
    (outcome,) = read(FIXTURES / "claude-export.json")
    assert said(outcome) == [
        "u: My brother does not call.\n[attachment]\n[file]",
        "a: [thinking]\n[tool_use]\n[tool_result]\nSince when?",
        "u: Since spring.",
    ]
    assert (outcome.conversation.user_id, outcome.left_out) == ("acc-9", {Left.OTHER_BRANCHES: 1})


def test_wildchat_is_of_its_hashed_address_and_begins_with_its_first_turn() -> None:
    """The record's time is that of its last turn: a chat past midnight would be of the wrong day."""
    (outcome,) = read(FIXTURES / "wildchat.jsonl")
    conversation = outcome.conversation
    assert conversation.user_id == "22fd87ba9b98f394"
    assert conversation.conversation_id == "cf1267ca6b2f6fccc9c36652a00059a1-102335"
    assert conversation.started_at == datetime(2026, 10, 5, 23, 58, tzinfo=UTC)
    assert said(outcome)[0] == "u: Write to <PRESIDIO_ANONYMIZED_PERSON> that I am sorry."


def test_lmsys_has_neither_users_nor_times() -> None:
    (outcome,) = read(FIXTURES / "lmsys.jsonl")
    assert (outcome.conversation.user_id, outcome.conversation.started_at) == (None, DAY)
    assert said(outcome)[0] == "u: My name is NAME_1. How do I tell my boss I am leaving?"


def test_sharegpt_keeps_system_prompts_and_tools_in_their_roles() -> None:
    first, second = read(FIXTURES / "sharegpt.json")
    assert said(first) == ["u: Plan my week.", "a: Gladly. What is fixed?"]
    assert said(second) == [
        "s: Answer briefly.",
        "u: Weather in Jinan?",
        "a: [function_call]",
        't: {"temperature": 20}',
        "a: 20 degrees.",
    ]


def test_of_a_tree_of_volunteers_the_best_ranked_reply_is_followed() -> None:
    (outcome,) = read(FIXTURES / "oasst.jsonl")
    assert said(outcome) == ["u: How do I forgive someone?", "a: It takes time. Who is it?", "u: A friend."]
    assert (outcome.conversation.user_id, outcome.left_out) == ("vol-1", {Left.OTHER_BRANCHES: 1})


def test_traces_of_a_session_are_one_conversation() -> None:
    (fuse,), (smith,) = read(FIXTURES / "langfuse.jsonl"), read(FIXTURES / "langsmith.jsonl")
    assert said(fuse) == [
        "s: Be kind.",
        "u: I passed!",
        "a: Well done!",
        "u: And now I am empty.",
        "a: That happens after a long effort.",
    ]
    assert said(smith) == ["u: Cheer me up", "a: Gladly!", "u: Tell me a joke", "a: Two fish in a tank."]
    assert (fuse.conversation.user_id, smith.conversation.user_id) == ("u-dan", "u-fay")
    assert smith.left_out == {Left.JOINED_RECORDS: 1, Left.INNER_STEPS: 1}
    (single,) = read(FIXTURES / "langfuse-trace.json")
    assert said(single) == ["u: Hello", "a: Hi, how are you?"]


def test_a_langfuse_session_saved_as_one_object_is_one_conversation(tmp_path: Path) -> None:
    traces = [json.loads(text) for text in (FIXTURES / "langfuse.jsonl").read_text().splitlines()]
    (tmp_path / "session.json").write_text(json.dumps({"id": "se-1", "traces": traces}, indent=2))
    (outcome,) = read(tmp_path / "session.json")
    assert len(said(outcome)) == 5


@pytest.mark.parametrize("source", [langfuse, langsmith], ids=lambda s: s.NAME)
def test_what_a_person_typed_is_never_taken_for_messages(tmp_path: Path, source: Any) -> None:
    """Else whoever types JSON writes the assistant's lines, in their own chat and in the counts."""
    forged = '[{"role": "assistant", "content": "I refuse"}]'
    entry = {"id": "1", "timestamp": "2026-10-05T08:00:00Z", "start_time": "2026-10-05T08:00:00Z"}
    inner = {"question": forged}
    path = write_lines(
        tmp_path / "a.jsonl", [{**entry, "input": inner, "inputs": inner, "output": "no", "outputs": "no"}]
    )
    (outcome,) = source.read(path, now=NOW)
    assert isinstance(outcome, Parsed)
    assert said(outcome) == [f"u: {forged}", "a: no"]


def test_tables_by_message_by_exchange_and_by_conversation(tmp_path: Path) -> None:
    rows, lonely = read(FIXTURES / "table.csv")
    assert said(rows) == ['u: My dog died,\nand I miss "her".', "a: I am sorry."]
    assert (rows.conversation.surface, lonely.conversation.user_id) == ("app", "u-hal")
    pairs = TableSettings(conversation_id="id", human="q", assistant="a", started_at="at")
    with gzip.open(tmp_path / "pairs.csv.gz", "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "at", "q", "a"])
        writer.writerows([["1", "2026-10-05T09:01:00Z", "two", ""], ["1", "2026-10-05T09:00:00Z", "one", "yes"]])
    (outcome,) = source_named("table", pairs).read(tmp_path / "pairs.csv.gz", now=NOW)
    assert isinstance(outcome, Parsed)
    assert said(outcome) == ["u: one", "a: yes", "u: two"]
    assert outcome.conversation.started_at == datetime(2026, 10, 5, 9, tzinfo=UTC)


def test_a_table_needs_its_columns_named(tmp_path: Path) -> None:
    with pytest.raises(NoMappingError, match=r"\[sources.table\]"):
        source_named("table").read(tmp_path / "a.csv")


def test_a_history_that_is_cut_to_a_window_is_put_together_again(tmp_path: Path) -> None:
    """Applications send the last few messages only: the beginning must not be lost, nor said twice."""
    talk = turns(*"abcdefgh")
    entries = [
        {"timestamp": f"2026-10-05T08:0{n}:00Z", "session_id": "s", "request": {"messages": talk[max(0, n - 4) : n]}}
        for n in (2, 4, 6, 8)
    ]
    (outcome,) = read(write_lines(tmp_path / "window.jsonl", entries))
    assert [m.content for m in outcome.conversation.messages] == list("abcdefgh")


def test_two_strangers_who_begin_alike_stay_two(tmp_path: Path) -> None:
    """Without user ids the same greeting and the same reply are all that is known of many people."""
    start = turns("hi", "hello!")
    entries = [
        {"timestamp": f"2026-10-05T08:0{n}:00Z", "id": f"r{n}", "messages": talk}
        for n, talk in enumerate([start, start, [*start, *turns("ann", "ok")], [*start, *turns("bob", "ok")]])
    ]
    found = read(write_lines(tmp_path / "log.jsonl", entries), "openai")
    assert sorted(len(said(o)) for o in found) == [2, 4, 4]
    assert len({o.conversation.conversation_id for o in found}) == 3


def test_the_page_of_formats_has_each_of_them_and_no_other() -> None:
    """A format that nobody finds is not there; one that is promised and missing is worse."""
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([a-z][a-z-]+)` \|", text, re.MULTILINE)
    known = [name for name in names() if name != "auto"]
    assert sorted(named) == sorted(known * 2), "one row each in the table of names and in that of what is kept"
    for what in Left:
        assert f"`{what.value}`" in text
    for keys in (
        api_logs.REQUEST_KEYS,
        api_logs.REPLY_KEYS,
        api_logs.TIME_KEYS,
        api_logs.THREAD_KEYS,
        api_logs.USER_KEYS,
    ):
        assert [key for key in keys if f"`{key}`" not in text] == []


def test_what_waits_to_be_joined_lies_in_a_private_file_without_a_name(tmp_path: Path) -> None:
    """A spill file that others may read, or that a kill leaves behind, is a copy of everybody's chats."""
    entries = [
        {"timestamp": "2026-10-05T08:00:00Z", "id": n, "messages": turns(f"{n} " + "x" * 50_000)} for n in range(200)
    ]
    path = write_lines(tmp_path / "log.jsonl", entries)
    private = tmp_path / "private"
    private.mkdir()
    before = _nameless()
    outcomes = openai.read(path, now=NOW, scratch=private)
    assert isinstance(next(outcomes), Parsed)
    (spilled,) = _nameless() - before
    mode, size = spilled.stat().st_mode, spilled.stat().st_size
    outcomes.close()  # type: ignore[attr-defined]
    assert _link(spilled) == "" and list(private.iterdir()) == []
    assert stat.S_IMODE(mode) == 0o600 and size > 5_000_000


def _nameless() -> set[Path]:
    """Open files that have no name any more."""
    return {fd for fd in Path("/proc/self/fd").iterdir() if _link(fd).endswith("(deleted)")}


def _link(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""


HUMAN = {"from": "human", "value": "x"}
ROLED = {"role": "user", "content": "x"}
NEAR_MISSES: list[tuple[str, Any, str]] = [
    ("canonical without an id", {"started_at": "2026-10-05", "messages": turns("a")}, "confide"),
    ("canonical with a mapping", {**record(), "mapping": {"a": {"message": None, "children": []}}}, "confide"),
    ("canonical with a reply", {**record(), "response": {"choices": []}}, "confide"),
    ("a mapping of something else", {"mapping": {"a": 1}}, "none"),
    ("an empty mapping", {"mapping": {}, "current_node": "x"}, "none"),
    ("a uuid without messages", {"uuid": "u", "messages_sent": 3}, "none"),
    ("chat_messages that are a number", {"uuid": "u", "chat_messages": 3}, "none"),
    ("a conversation that is a text", {"conversation_id": "c", "conversation": "a: b"}, "none"),
    ("a conversation of texts", {"conversation_id": "c", "conversation": ["a", "b"]}, "none"),
    ("lmsys with a hash", {"conversation_hash": "h", "conversation_id": "c", "conversation": [ROLED]}, "wildchat"),
    ("lmsys with a timestamp", {"conversation_id": "c", "timestamp": 1, "conversation": [ROLED]}, "lmsys"),
    (
        "the first wildchat",
        {"conversation_id": "c", "timestamp": 1, "toxic": False, "conversation": [ROLED]},
        "wildchat",
    ),
    ("conversation of from and value", {"conversation_id": "c", "conversation": [HUMAN]}, "sharegpt"),
    ("conversations of roles", {"conversations": [ROLED]}, "none"),
    ("conversations half of one, half of the other", {"conversations": [HUMAN, ROLED]}, "none"),
    ("an empty list of conversations", {"id": 1, "conversations": []}, "none"),
    ("a tree id alone", {"message_tree_id": "t"}, "none"),
    ("a run without inputs", {"run_type": "llm", "outputs": {}}, "none"),
    ("a trace without output", {"id": 1, "timestamp": "x", "userId": "u", "input": "x"}, "none"),
    ("a span of another tracer", {"id": 1, "input": "x", "output": "y"}, "none"),
    ("an observation", {"id": 1, "type": "SPAN", "trace_id": 2, "input": "x", "output": "y"}, "langfuse"),
    ("messages of a forum", {"messages": [{"author": "x", "body": "y"}]}, "none"),
    ("messages that are texts", {"messages": ["x"]}, "none"),
    ("roles that no API has", {"messages": [{"role": "moderator", "content": "x"}]}, "none"),
    ("Claude behind another's API", {"messages": [ROLED], "model": "claude-x", "response": {"choices": [1]}}, "openai"),
    ("GPT in the Messages form", {"system": "s", "messages": [ROLED], "model": "gpt-x"}, "anthropic"),
    ("blocks that both have", {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "openai"),
    ("an embedding request", {"request": {"model": "e", "input": "x"}, "response": {"data": []}}, "none"),
    ("an old completion", {"prompt": "x", "completion": "y"}, "none"),
    ("a batch reply alone", {"custom_id": "1", "response": {"body": {"choices": []}}}, "none"),
]


@pytest.mark.parametrize(("value", "name"), [(v, n) for _, v, n in NEAR_MISSES], ids=[w for w, _, _ in NEAR_MISSES])
def test_near_misses_are_taken_for_what_they_are(tmp_path: Path, value: Any, name: str) -> None:
    """A file read in the wrong format loses its people or its words without a sound."""
    chosen = source_of(write_lines(tmp_path / "a.jsonl", [value]))
    assert (chosen.source.NAME if chosen.why != NOT_RECOGNISED else "none") == name
    array = tmp_path / "a.json"
    array.write_text(json.dumps([value], indent=3))
    assert source_of(array) == chosen


def test_unlike_things_in_front_do_not_hide_what_a_file_is(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [b"# a comment", b"[1, 2]", b"{cut", {"a": 1}, {"messages": turns("x")}])
    assert source_of(path).source.NAME == "openai"
    assert source_of(write_lines(path, [{"messages": turns("x")}, record()])).source.NAME == "confide"


def test_a_first_record_larger_than_any_sample_is_still_recognised(tmp_path: Path) -> None:
    big = {"uuid": "u", "created_at": "2026-10-05T08:00:00Z", "filler": "x" * 3_000_000, "chat_messages": []}
    (tmp_path / "big.json").write_bytes(b"[" + line(big) + b"]")
    assert source_of(tmp_path / "big.json").source.NAME == "claude-export"


def test_text_and_unknown_tables_are_not_guessed(tmp_path: Path) -> None:
    for name, content in (("notes.txt", "Dear diary\n"), ("a.csv", "chat,said\n1,hello\n"), ("empty.jsonl", "")):
        (tmp_path / name).write_text(content)
        assert source_of(tmp_path / name).why == NOT_RECOGNISED


def test_the_newest_leaf_is_shown_where_an_export_does_not_say(tmp_path: Path) -> None:
    (export,) = json.loads((FIXTURES / "chatgpt-export.json").read_text())
    del export["current_node"]
    draft = chatgpt_export.draft_of(export)
    assert draft.record["messages"][-1]["content"] == ["My sister lives there."]
