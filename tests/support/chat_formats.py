"""Writers of every format that Confide reads: canonical conversations in, a file as that format has it out.

`holds` says what of a conversation a format can hold: what it comes back as. Not here: what is expected of the readers.
"""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project.settings import TableSettings
from tests.support.conversations import write_lines

Conversation = dict[str, Any]
MESSAGES_TABLE = TableSettings(
    conversation_id="chat", user_id="customer", started_at="sent", surface="channel", messages="talk"
)
ROWS_TABLE = TableSettings(
    conversation_id="chat", user_id="customer", started_at="sent", surface="channel", role="speaker", content="said"
)


@dataclass(frozen=True, eq=False)
class Form:
    """A format as the tests write it."""

    name: str
    write: Callable[[Path, Sequence[Conversation]], Path]
    holds: Callable[[Conversation], Conversation]
    suffix: str = ".jsonl"
    table: TableSettings | None = None

    def __str__(self) -> str:
        return f"{self.name}{self.suffix}{'-rows' if self.table is ROWS_TABLE else ''}"


def _start(conversation: Conversation) -> datetime:
    start = datetime.fromisoformat(conversation["started_at"])
    return start if start.tzinfo else start.replace(tzinfo=UTC)


def _only(roles: Iterable[str]) -> Callable[[Conversation], Conversation]:
    kept = tuple(roles)
    return lambda c: {**c, "surface": None, "messages": [m for m in c["messages"] if m["role"] in kept]}


def _without_surface(conversation: Conversation) -> Conversation:
    return {**conversation, "surface": None}


def _split(conversation: Conversation) -> tuple[list[Any], Any]:
    """What was asked, and the reply to it."""
    messages = conversation["messages"]
    return (messages[:-1], messages[-1]) if messages[-1]["role"] == "assistant" else (messages, None)


def openai_entry(conversation: Conversation, thread: bool = True) -> dict[str, Any]:
    """A chat completion with its request, as gateways log it."""
    asked, reply = _split(conversation)
    metadata = {"conversation_id": conversation["conversation_id"]} if thread else {}
    entry: dict[str, Any] = {
        "timestamp": conversation["started_at"],
        "request": {"model": "gpt-x", "messages": asked, "user": conversation["user_id"], "metadata": metadata},
    }
    if reply is not None:
        choice = {"index": 0, "message": {**reply, "refusal": None}, "finish_reason": "stop"}
        entry["response"] = {
            "id": f"chatcmpl-{conversation['conversation_id']}-{len(asked)}",
            "object": "chat.completion",
            "choices": [choice],
        }
    return entry


def grown(conversation: Conversation, minutes: int = 5, **options: Any) -> list[dict[str, Any]]:
    """The log of a conversation: a chat completion for each of the assistant's replies, each with the whole history."""
    messages = conversation["messages"]
    entries: list[dict[str, Any]] = []
    for n, message in enumerate(messages, 1):
        if message["role"] == "assistant" and n > 1:
            at = (_start(conversation) + timedelta(minutes=minutes * len(entries))).isoformat()
            entries.append(openai_entry({**conversation, "messages": messages[:n], "started_at": at}, **options))
    return entries


def _openai(path: Path, conversations: Sequence[Conversation]) -> Path:
    return write_lines(path, [openai_entry(c) for c in conversations])


def anthropic_entry(conversation: Conversation) -> dict[str, Any]:
    """A Messages request with its reply."""
    asked, reply = _split(conversation)
    system = [m["content"] for m in asked if m["role"] == "system"]
    said = [_anthropic_message(m) for m in asked if m["role"] != "system"]
    request: dict[str, Any] = {"model": "claude-x", "max_tokens": 1024, "messages": said}
    if system:
        request["system"] = [{"type": "text", "text": system[0]}]
    if conversation["user_id"] is not None:
        request["metadata"] = {"user_id": conversation["user_id"]}
    entry = {
        "conversation_id": conversation["conversation_id"],
        "created_at": conversation["started_at"],
        "request": request,
    }
    if reply is not None:
        blocks = [{"type": "text", "text": reply["content"]}]
        entry["response"] = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": blocks,
            "stop_reason": "end_turn",
        }
    return entry


def _anthropic_message(message: dict[str, Any]) -> dict[str, Any]:
    if message["role"] != "tool":
        return message
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": message["content"]}]}


def _anthropic_holds(conversation: Conversation) -> Conversation:
    """One system prompt, not empty and at the beginning; of what a tool gave a mark."""
    messages = _anthropic_order(conversation["messages"])
    system = [m for m in messages if m["role"] == "system"][:1]
    spoken = [
        {**m, "content": "[tool_result]"} if m["role"] == "tool" else m for m in messages if m["role"] != "system"
    ]
    return {**conversation, "surface": None, "messages": [*system, *spoken]}


def _anthropic(path: Path, conversations: Sequence[Conversation]) -> Path:
    first = [{**c, "messages": _anthropic_order(c["messages"])} for c in conversations]
    return write_lines(path, [anthropic_entry(c) for c in first])


def _anthropic_order(messages: list[Any]) -> list[Any]:
    """A system prompt that is empty, or the last message, has no place in a request."""
    return [m for i, m in enumerate(messages) if m["role"] != "system" or (m["content"] and i + 1 < len(messages))]


def _sharegpt(path: Path, conversations: Sequence[Conversation]) -> Path:
    names = {"user": "human", "assistant": "gpt", "system": "system", "tool": "observation"}
    records = [
        {
            "id": c["conversation_id"],
            "user_id": c["user_id"],
            "started_at": c["started_at"],
            "surface": c["surface"],
            "conversations": [{"from": names[m["role"]], "value": m["content"]} for m in c["messages"]],
        }
        for c in conversations
    ]
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def _wildchat_records(conversations: Sequence[Conversation]) -> list[dict[str, Any]]:
    records = []
    for c in conversations:
        turns = [
            {
                "content": m["content"],
                "role": m["role"],
                "language": "English",
                "redacted": False,
                "toxic": False,
                "hashed_ip": c["user_id"] if m["role"] == "user" else None,
                "turn_identifier": 7,
            }
            for m in c["messages"]
            if m["role"] in ("user", "assistant")
        ]
        records.append(
            {
                "conversation_hash": c["conversation_id"].removesuffix("-7"),
                "model": "gpt-4",
                "timestamp": _start(c),
                "conversation": turns,
                "turn": len(turns),
                "language": "English",
                "toxic": False,
                "redacted": False,
                "hashed_ip": c["user_id"],
            }
        )
    return records


def _wildchat_holds(conversation: Conversation) -> Conversation:
    held = _only(("user", "assistant"))(conversation)
    return {**held, "conversation_id": f"{held['conversation_id']}-7"}


def _wildchat(path: Path, conversations: Sequence[Conversation]) -> Path:
    return write_lines(path, [{**r, "timestamp": r["timestamp"].isoformat()} for r in _wildchat_records(conversations)])


def _wildchat_parquet(path: Path, conversations: Sequence[Conversation]) -> Path:
    pl.DataFrame(_wildchat_records(conversations), infer_schema_length=None).write_parquet(path)
    return path


def _lmsys_records(conversations: Sequence[Conversation]) -> list[dict[str, Any]]:
    return [
        {
            "conversation_id": c["conversation_id"],
            "model": "vicuna-13b",
            "conversation": [{"content": m["content"], "role": m["role"]} for m in c["messages"]],
            "turn": len(c["messages"]),
            "language": "English",
            "redacted": False,
            "started_at": c["started_at"],
            "user_id": c["user_id"],
        }
        for c in conversations
    ]


def _lmsys(path: Path, conversations: Sequence[Conversation]) -> Path:
    return write_lines(path, _lmsys_records(conversations))


def _lmsys_parquet(path: Path, conversations: Sequence[Conversation]) -> Path:
    pl.DataFrame(_lmsys_records(conversations), infer_schema_length=None).write_parquet(path)
    return path


def chatgpt_conversation(conversation: Conversation) -> dict[str, Any]:
    """A tree with the conversation as the path last shown, and a discarded attempt beside each reply."""
    start = _start(conversation).timestamp()
    mapping: dict[str, Any] = {"root": {"id": "root", "message": None, "parent": None, "children": []}}
    parent = "root"
    for i, message in enumerate(conversation["messages"]):
        for id in [f"n{i}", *([f"other{i}"] if message["role"] == "assistant" else [])]:
            content = {"content_type": "text", "parts": [message["content"] if id[0] == "n" else "another attempt"]}
            author = {"role": message["role"], "name": None, "metadata": {}}
            made = {"id": id, "author": author, "create_time": start + i, "content": content, "metadata": {}}
            mapping[id] = {"id": id, "message": made, "parent": parent, "children": []}
            mapping[parent]["children"].append(id)
        parent = f"n{i}"
    return {
        "title": "a title",
        "create_time": start,
        "update_time": start + 60,
        "mapping": mapping,
        "current_node": parent,
        "conversation_id": conversation["conversation_id"],
        "id": conversation["conversation_id"],
    }


def _chatgpt(path: Path, conversations: Sequence[Conversation]) -> Path:
    path.write_text(json.dumps([chatgpt_conversation(c) for c in conversations]), encoding="utf-8")
    return path


def _chatgpt_holds(conversation: Conversation) -> Conversation:
    """Whose it is stands in another file; system messages without a word hold the tree together."""
    messages = [m for m in conversation["messages"] if m["role"] != "system" or m["content"]]
    return {**conversation, "surface": None, "user_id": None, "messages": messages}


def _claude_export(path: Path, conversations: Sequence[Conversation]) -> Path:
    records = []
    for c in conversations:
        messages = [
            {
                "uuid": f"m{i}",
                "sender": "human" if m["role"] == "user" else "assistant",
                "text": m["content"],
                "content": [{"type": "text", "text": m["content"]}],
                "created_at": c["started_at"],
                "attachments": [],
                "files": [],
            }
            for i, m in enumerate(c["messages"])
            if m["role"] in ("user", "assistant")
        ]
        records.append(
            {
                "uuid": c["conversation_id"],
                "name": "a title",
                "created_at": c["started_at"],
                "updated_at": c["started_at"],
                "account": {"uuid": c["user_id"]},
                "chat_messages": messages,
            }
        )
    path.write_text(json.dumps(records, indent=1), encoding="utf-8")
    return path


def _oasst_nodes(conversation: Conversation) -> list[dict[str, Any]]:
    names = {"user": "prompter", "assistant": "assistant"}
    return [
        {
            "message_id": f"{conversation['conversation_id']}-{i}",
            "user_id": conversation["user_id"],
            "created_date": conversation["started_at"],
            "text": m["content"],
            "role": names[m["role"]],
            "lang": "en",
            "rank": 0,
            "deleted": False,
        }
        for i, m in enumerate(m for m in conversation["messages"] if m["role"] in names)
    ]


def _oasst(path: Path, conversations: Sequence[Conversation]) -> Path:
    trees = []
    for c in conversations:
        node: dict[str, Any] | None = None
        for made in reversed(_oasst_nodes(c)):
            other = {**made, "message_id": "worse", "text": "a worse one", "rank": 1, "replies": []}
            node = {**made, "replies": [other, node] if node else []}
        trees.append({"message_tree_id": c["conversation_id"], "tree_state": "ready_for_export", "prompt": node})
    return write_lines(path, trees)


def _oasst_flat(path: Path, conversations: Sequence[Conversation]) -> Path:
    rows: list[dict[str, Any]] = []
    for c in conversations:
        parent = None
        for made in _oasst_nodes(c):
            rows.append({**made, "parent_id": parent, "message_tree_id": c["conversation_id"]})
            parent = made["message_id"]
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    return path


def _langfuse(path: Path, conversations: Sequence[Conversation]) -> Path:
    traces = []
    for c in conversations:
        asked, reply = _split(c)
        traces.append(
            {
                "id": f"trace-{c['conversation_id']}",
                "timestamp": c["started_at"],
                "name": "chat",
                "userId": c["user_id"],
                "sessionId": c["conversation_id"],
                "input": {"messages": asked},
                "output": reply,
                "tags": [],
            }
        )
    return write_lines(path, traces)


def _langsmith(path: Path, conversations: Sequence[Conversation]) -> Path:
    runs = []
    for c in conversations:
        asked, reply = _split(c)
        run = f"run-{c['conversation_id']}"
        runs.append(
            {
                "id": run,
                "trace_id": run,
                "parent_run_id": None,
                "run_type": "chain",
                "start_time": _start(c),
                "inputs": json.dumps({"messages": asked}),
                "outputs": json.dumps({"messages": [reply]}) if reply else None,
                "extra": json.dumps({"metadata": {"thread_id": c["conversation_id"], "user_id": c["user_id"]}}),
            }
        )
    pl.DataFrame(runs, infer_schema_length=None).write_parquet(path)
    return path


def _table_parquet(path: Path, conversations: Sequence[Conversation]) -> Path:
    rows = [
        {
            "chat": c["conversation_id"],
            "customer": c["user_id"],
            "sent": _start(c),
            "channel": c["surface"],
            "talk": c["messages"],
        }
        for c in conversations
    ]
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    return path


def _table_csv(path: Path, conversations: Sequence[Conversation]) -> Path:
    """A message a row, the rows of all conversations mixed."""
    rows = [
        [
            c["conversation_id"],
            c["user_id"],
            (_start(c) + timedelta(seconds=i)).isoformat(),
            c["surface"],
            m["role"],
            m["content"],
        ]
        for c in conversations
        for i, m in enumerate(c["messages"])
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["chat", "customer", "sent", "channel", "speaker", "said"])
        writer.writerows(rows[::2] + rows[1::2])
    return path


_SPOKEN = ("user", "assistant")
FORMS = (
    Form("openai", _openai, _without_surface),
    Form("anthropic", _anthropic, _anthropic_holds),
    Form("sharegpt", _sharegpt, lambda c: c, ".json"),
    Form("wildchat", _wildchat, _wildchat_holds),
    Form("wildchat", _wildchat_parquet, _wildchat_holds, ".parquet"),
    Form("lmsys", _lmsys, _without_surface),
    Form("lmsys", _lmsys_parquet, _without_surface, ".parquet"),
    Form("chatgpt-export", _chatgpt, _chatgpt_holds, ".json"),
    Form("claude-export", _claude_export, _only(_SPOKEN), ".json"),
    Form("oasst", _oasst, _only(_SPOKEN)),
    Form("oasst", _oasst_flat, _only(_SPOKEN), ".parquet"),
    Form("langfuse", _langfuse, _without_surface),
    Form("langsmith", _langsmith, _without_surface, ".parquet"),
    Form("table", _table_parquet, lambda c: c, ".parquet", MESSAGES_TABLE),
    Form("table", _table_csv, lambda c: c, ".csv", ROWS_TABLE),
)
