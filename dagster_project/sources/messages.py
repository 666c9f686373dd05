"""Messages in canonical form: roles, contents as text, characters that can be stored.

Shared by every format. Not here: times (`times.py`), the record around the messages (`confide.py`).
"""

import re
from typing import Any

from dagster_project.domain.conversations import Message, Role
from dagster_project.sources.outcome import Reason, Refusal
from dagster_project.sources.times import parse_time

REPLACEMENT = "\ufffd"
_ROLES = {role.value: role for role in Role}
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_TEXT_BLOCKS = frozenset({None, "text", "input_text", "output_text"})
_BLOCK_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def clean(text: str) -> str:
    """Text with NUL and lone surrogates replaced by U+FFFD; everything else, bidi marks too, as it is."""
    if "\x00" in text:
        text = text.replace("\x00", REPLACEMENT)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return _LONE_SURROGATE.sub(REPLACEMENT, text)
    return text


def parse_message(record: Any) -> Message:
    """One message. Raises Refusal on an unknown role or a content that is neither text nor blocks.

    A time that cannot be read is None: nothing counted rests on it. A user message of tool results alone
    is the tool's, as some APIs write it: it was not typed by a person.
    """
    if not isinstance(record, dict):
        raise Refusal(Reason.INVALID_MESSAGE)
    name = record.get("role")
    role = _ROLES.get(name) if isinstance(name, str) else None
    if role is None:
        raise Refusal(Reason.UNKNOWN_ROLE)
    content = record.get("content")
    if isinstance(content, str):
        text = clean(content)
    elif content is None and role is not Role.USER:
        text = ""
    elif isinstance(content, list):
        text = "\n".join(_block_text(block) for block in content)
        if role is Role.USER and content and all(_is_tool_result(block) for block in content):
            role = Role.TOOL
    else:
        raise Refusal(Reason.INVALID_MESSAGE)
    created_at = record.get("created_at")
    if created_at is None:
        return Message(role, text)
    try:
        return Message(role, text, parse_time(created_at)[0])
    except Refusal:
        return Message(role, text)


def parse_messages(records: Any) -> tuple[Message, ...]:
    """All messages of a conversation, at least one by a person. Raises Refusal."""
    if records is None or records == []:
        raise Refusal(Reason.NO_MESSAGES)
    if not isinstance(records, list):
        raise Refusal(Reason.INVALID_MESSAGE)
    messages = tuple(parse_message(record) for record in records)
    if not any(message.role is Role.USER for message in messages):
        raise Refusal(Reason.NO_HUMAN_MESSAGE)
    return messages


def _is_tool_result(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "tool_result"


def _block_text(block: Any) -> str:
    if isinstance(block, str):
        return clean(block)
    if not isinstance(block, dict):
        raise Refusal(Reason.INVALID_MESSAGE)
    kind, text = block.get("type"), block.get("text")
    if isinstance(text, str) and (kind is None or (isinstance(kind, str) and kind in _TEXT_BLOCKS)):
        return clean(text)
    return f"[{kind}]" if isinstance(kind, str) and _BLOCK_NAME.fullmatch(kind) else "[block]"
