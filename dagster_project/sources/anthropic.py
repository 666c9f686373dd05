"""Anthropic's Messages form: logs of requests with their replies, and message batches.

Facts: Anthropic API reference, *Messages* (`system` beside the messages, content blocks, `metadata.user_id`; the
reply is `{"type": "message", "id": "msg_…", "role", "content", "stop_reason"}` and has no time) and *Message Batches*
(`custom_id`, `params`; `result.message`); types of the Python SDK 2.12. Where wrappers are read: `api_logs.py`.
Joining: `threads.py`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Unpack

from dagster_project.sources.api_logs import Entry, asked_of, entry_of
from dagster_project.sources.building import as_list
from dagster_project.sources.confide import Options
from dagster_project.sources.outcome import Parsed, Rejected
from dagster_project.sources.threads import Turn, read_threads

NAME = "anthropic"
DESCRIPTION = "Anthropic Messages: logs of requests with their replies"
_BLOCKS = ("tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use", "document", "image")
_OWN_KEYS = ("anthropic_version", "stop_sequences", "thinking")


def recognises(record: dict[str, Any]) -> str:
    """As `Source.recognises`. Chat completions of Claude through another's API are no Messages."""
    entry = entry_of(record)
    if entry is None or "choices" in entry.reply:
        return ""
    if entry.reply.get("type") == "message" or "stop_reason" in entry.reply:
        return "messages with a reply of type message"
    if isinstance(entry.request.get("system"), (str, list)):
        return "messages with the system prompt beside them"
    if any(name in entry.request for name in _OWN_KEYS) or _is_claude(entry.request.get("model")):
        return "messages with keys of the Messages API"
    blocks = [b for m in as_list(entry.request["messages"]) if isinstance(m, dict) for b in as_list(m.get("content"))]
    if any(isinstance(block, dict) and block.get("type") in _BLOCKS for block in blocks):
        return "messages with blocks of the Messages API"
    return ""


def read(path: Path, **options: Unpack[Options]) -> Iterator[Parsed | Rejected]:
    """As `Source.read`."""
    return read_threads(path, turn_of, None, **options)


def turn_of(record: dict[str, Any]) -> Turn:
    """One entry of a log. Raises Refusal."""
    entry, messages = asked_of(record)
    return Turn(
        messages=[*_system(entry), *messages, *_reply(entry)],
        thread=entry.thread(),
        own_id=entry.own_id(),
        user_id=entry.user(),
        at=entry.time(),
    )


def _system(entry: Entry) -> list[Any]:
    system = entry.request.get("system")
    return [{"role": "system", "content": system}] if system not in (None, "", []) else []


def _reply(entry: Entry) -> list[Any]:
    return [{"role": "assistant", "content": entry.reply["content"]}] if "content" in entry.reply else []


def _is_claude(model: Any) -> bool:
    return isinstance(model, str) and model.startswith("claude")
