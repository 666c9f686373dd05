"""OpenAI's chat form: messages as JSON lines, logs of chat completions with their replies, fine-tuning files.

Facts: OpenAI API reference, *Create chat completion* (request, `choices`, `created`, `user`, `safety_identifier`,
roles, content parts, `tool_calls`, `refusal`), *Batch* (`custom_id`, `body`, `response.body`), guide *Supervised
fine-tuning* (one `{"messages": […]}` a line) and *Direct preference optimization* (`input`, `preferred_output`,
`non_preferred_output`). Where wrappers are read: `api_logs.py`. Joining: `threads.py`. Not here: the Responses API.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Unpack

from dagster_project.sources.api_logs import asked_of, entry_of
from dagster_project.sources.building import as_dict, as_list, with_marks
from dagster_project.sources.confide import Options
from dagster_project.sources.outcome import Parsed, Rejected
from dagster_project.sources.threads import Turn, read_threads

NAME = "openai"
DESCRIPTION = "OpenAI chat messages: JSON lines, chat-completion logs, fine-tuning files"
_ROLES = {"developer": "system", "function": "tool"}
_KNOWN_ROLES = ("user", "assistant", "system", "tool", *_ROLES)


def recognises(record: dict[str, Any]) -> str:
    """As `Source.recognises`."""
    entry = entry_of(record)
    if entry is None:
        return ""
    if "choices" in entry.reply:
        return "messages with a reply that has choices"
    messages = as_list(entry.request["messages"])
    if messages and all(isinstance(m, dict) and m.get("role") in _KNOWN_ROLES for m in messages):
        return "messages with roles"
    return ""


def read(path: Path, **options: Unpack[Options]) -> Iterator[Parsed | Rejected]:
    """As `Source.read`."""
    return read_threads(path, turn_of, None, **options)


def turn_of(record: dict[str, Any]) -> Turn:
    """One entry of a log. Raises Refusal."""
    entry, messages = asked_of(record)
    replies = _replies(record, entry.reply)
    return Turn(
        messages=[message_of(m) for m in [*messages, *replies[:1]]],
        thread=entry.thread(),
        own_id=entry.own_id(),
        user_id=entry.user(),
        at=entry.time(),
        left_out=max(len(replies) - 1, 0),
    )


def _replies(record: dict[str, Any], reply: dict[str, Any]) -> list[Any]:
    """The messages that were offered as the reply, the one taken first."""
    if "choices" in reply:
        return [m for choice in as_list(reply["choices"]) if (m := as_dict(choice).get("message"))]
    if preferred := as_list(record.get("preferred_output")):
        return [*preferred[:1], *as_list(record.get("non_preferred_output"))]
    return [{"role": "assistant", **reply}] if "content" in reply else []


def message_of(message: Any) -> Any:
    """A chat message in canonical keys: what came beside its text becomes marks."""
    if not isinstance(message, dict):
        return message
    role, content = message.get("role"), message.get("content")
    if isinstance(content, list):
        content = [_part(part) for part in content]
    elif content in (None, "") and isinstance(message.get("refusal"), str):
        content = message["refusal"]
    marks = ["[tool_call]"] * len(as_list(message.get("tool_calls")))
    marks += [f"[{name}]" for name in ("function_call", "audio") if message.get(name)]
    return {
        "role": _ROLES.get(role, role) if isinstance(role, str) else role,
        "content": with_marks(content, marks),
        "created_at": message.get("created_at"),
    }


def _part(part: Any) -> Any:
    if isinstance(part, dict) and part.get("type") == "refusal" and isinstance(part.get("refusal"), str):
        return part["refusal"]
    return part
