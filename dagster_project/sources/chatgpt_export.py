"""ChatGPT's data export, `conversations.json`: an array of conversations, each a tree of messages.

Facts (OpenAI publishes no schema): mitkury/chatgpt-export-parser, *ChatGPT Data Export Format and Parsing*
(`mapping`, `current_node`, `parent`, `children`, times in seconds, `user.json`), and published parsers for the
content types (`text`, `multimodal_text`, `code`, `execution_output`, `thoughts`, `user_editable_context`,
`audio_transcription`). The path last shown is kept, what stands in other branches is counted. The export is one
person's: `user.json` beside it says whose.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Unpack

from dagster_project.sources.building import Draft, as_dict, as_list, first_of, read_each, with_marks
from dagster_project.sources.confide import Options
from dagster_project.sources.outcome import Left, Parsed, Reason, Refusal, Rejected
from dagster_project.sources.records import decode
from dagster_project.sources.trees import path_to

NAME = "chatgpt-export"
DESCRIPTION = "ChatGPT's data export: conversations.json"
_SPOKEN = ("user", "assistant")
_TEXT_TYPES = ("text", "multimodal_text")
_USER_FILE_BYTES = 1024 * 1024


def recognises(record: dict[str, Any]) -> str:
    """As `Source.recognises`."""
    nodes = as_dict(record.get("mapping")).values()
    if nodes and all(isinstance(node, dict) and "message" in node and "children" in node for node in nodes):
        return "a mapping of messages and their children"
    return ""


def read(path: Path, **options: Unpack[Options]) -> Iterator[Parsed | Rejected]:
    """As `Source.read`."""
    user = _user_beside(path)
    return read_each(path, lambda record: draft_of(record, user), None, **options)


def draft_of(record: dict[str, Any], user: Any = None) -> Draft:
    """One conversation in canonical keys. Raises Refusal."""
    nodes = record.get("mapping")
    if not isinstance(nodes, dict) or not nodes:
        raise Refusal(Reason.NO_MESSAGES)
    path = path_to(_last(record, nodes), nodes, lambda node: as_dict(node).get("parent"))
    messages = [made for id in path if (made := _message(as_dict(nodes[id]).get("message"))) is not None]
    shown = set(path)
    others = sum(id not in shown and _role(as_dict(node).get("message")) in _SPOKEN for id, node in nodes.items())
    first = next((m["created_at"] for m in messages if m["created_at"]), None)
    made = {
        "conversation_id": first_of(record, ("conversation_id", "id")),
        "user_id": user,
        "started_at": first if record.get("create_time") is None else record["create_time"],
        "messages": messages,
    }
    return Draft(made, {Left.OTHER_BRANCHES: others} if others else {})


def _last(record: dict[str, Any], nodes: dict[str, Any]) -> Any:
    """The message last shown; in an export that does not say, the newest that nothing follows."""
    if record.get("current_node") is not None:
        return record["current_node"]
    leaves = [id for id, node in nodes.items() if not as_list(as_dict(node).get("children"))]
    return max(leaves, key=lambda id: _seconds(as_dict(nodes[id]).get("message")), default=None)


def _seconds(message: Any) -> float:
    time = as_dict(message).get("create_time")
    return time if isinstance(time, (int, float)) and time == time else 0.0


def _role(message: Any) -> Any:
    return as_dict(as_dict(message).get("author")).get("role")


def _message(message: Any) -> dict[str, Any] | None:
    """A message in canonical keys; None for the empty ones that hold the tree together."""
    if message is None:
        return None
    if not isinstance(message, dict):
        raise Refusal(Reason.INVALID_MESSAGE)
    content, metadata, role = as_dict(message.get("content")), as_dict(message.get("metadata")), _role(message)
    kind = content.get("content_type", "text")
    mark = f"[{kind}]" if isinstance(kind, str) else "[block]"
    said: Any = mark
    if kind in _TEXT_TYPES:
        said = [_part(part) for part in as_list(content.get("parts"))]
    elif role == "tool" and isinstance(content.get("text"), str):
        said = content["text"]
    if role == "user" and (metadata.get("is_visually_hidden_from_conversation") or kind == "user_editable_context"):
        # Standing instructions that are sent along: nobody typed them here.
        role, said = "system", mark
    if role == "system" and not any(part for part in said):
        return None
    said = with_marks(said, ["[attachment]"] * len(as_list(metadata.get("attachments"))))
    return {"role": role, "content": said, "created_at": message.get("create_time")}


def _part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    if part.get("content_type") == "audio_transcription" and isinstance(part.get("text"), str):
        return part["text"]
    return {"type": part.get("content_type")}


def _user_beside(path: Path) -> Any:
    """The id in the `user.json` that the export has beside its conversations; None without."""
    try:
        with (path.parent / "user.json").open("rb") as file:
            return as_dict(decode(file.read(_USER_FILE_BYTES))).get("id")
    except (OSError, Refusal):
        return None
