"""Claude's data export, `conversations.json`: an array of conversations with their messages.

Facts (Anthropic publishes no schema): Sinity/polylogue, `docs/providers/claude-ai.md`, and published types of the
export (`uuid`, `account.uuid`, `created_at`, `chat_messages` of `uuid`, `sender`, `text`, `content`, `attachments`,
`files`, `parent_message_uuid`; `current_leaf_message_uuid` in copies fetched from the application). The path last
shown is kept, what stands in other branches is counted.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Unpack

from dagster_project.sources.building import Draft, as_dict, as_list, read_each, with_marks
from dagster_project.sources.confide import Options
from dagster_project.sources.outcome import Left, Parsed, Rejected
from dagster_project.sources.trees import path_to

NAME = "claude-export"
DESCRIPTION = "Claude's data export: conversations.json"
_ROLES = {"human": "user", "assistant": "assistant"}


def recognises(record: dict[str, Any]) -> str:
    """As `Source.recognises`."""
    return "uuid and chat_messages" if "uuid" in record and isinstance(record.get("chat_messages"), list) else ""


def read(path: Path, **options: Unpack[Options]) -> Iterator[Parsed | Rejected]:
    """As `Source.read`."""
    return read_each(path, draft_of, None, **options)


def draft_of(record: dict[str, Any]) -> Draft:
    """One conversation in canonical keys. Raises Refusal."""
    messages = record.get("chat_messages")
    shown = _shown(record, messages) if isinstance(messages, list) else messages
    others = len(as_list(messages)) - len(as_list(shown))
    made = {
        "conversation_id": record.get("uuid"),
        "user_id": as_dict(record.get("account")).get("uuid"),
        "started_at": record.get("created_at"),
        "messages": [_message(m) for m in shown] if isinstance(shown, list) else shown,
    }
    return Draft(made, {Left.OTHER_BRANCHES: others} if others else {})


def _shown(record: dict[str, Any], messages: list[Any]) -> list[Any]:
    """The messages of the path last shown: all of them where the export names no parents."""
    by_id = {m["uuid"]: m for m in messages if isinstance(m, dict) and isinstance(m.get("uuid"), str)}
    linked = any(m.get("parent_message_uuid") in by_id for m in by_id.values() if _parent(m) is not None)
    if not linked or len(by_id) != len(messages):
        return messages
    last = record.get("current_leaf_message_uuid")
    known = isinstance(last, str) and last in by_id
    return [by_id[id] for id in path_to(last if known else messages[-1]["uuid"], by_id, _parent)]


def _parent(message: dict[str, Any]) -> str | None:
    parent = message.get("parent_message_uuid")
    return parent if isinstance(parent, str) else None


def _message(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    sender, content = message.get("sender"), message.get("content")
    if not (isinstance(content, list) and content):
        content = message.get("text")
    marks = [f"[{kind[:-1]}]" for kind in ("attachments", "files") for _ in as_list(message.get(kind))]
    return {
        "role": _ROLES.get(sender) if isinstance(sender, str) else None,
        "content": with_marks(content, marks),
        "created_at": message.get("created_at"),
    }
