"""Inputs and outputs of traces as messages, whatever was logged: chat messages, LangChain's, plain texts.

Shared by `langfuse.py` and `langsmith.py`. Facts: LangChain's serialised messages (`lc`, `id`, `kwargs`; or `type`
and `content`), OpenAI's replies with `choices`. Not here: the records around them.
"""

from typing import Any

from dagster_project.sources.building import as_dict, as_list, first_of
from dagster_project.sources.openai import message_of
from dagster_project.sources.outcome import Refusal
from dagster_project.sources.records import decode

_TEXT_KEYS = ("input", "question", "query", "prompt", "text", "content", "message")
_REPLY_KEYS = ("output", "answer", "response", "completion", "result", "text", "content", "message")
_TYPES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "tool"}
_CLASSES = {
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "tool",
}


def unpacked(value: Any) -> Any:
    """A value, or what it holds as JSON text: tables and exports keep objects so."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "[", '"'):
        try:
            return decode(value.encode("utf-8", "surrogatepass"))
        except Refusal:
            return value
    return value


def messages_in(value: Any, role: str) -> list[Any]:
    """The messages of an input (role `user`) or an output (`assistant`); none where nothing like one is found.

    Only the field itself is looked into when it is a text: what a person typed is never taken for messages.
    """
    return _messages(unpacked(value), role) or _messages(value, role)


def _messages(value: Any, role: str) -> list[Any]:
    if isinstance(value, str):
        return [{"role": role, "content": value}] if value else []
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], list):  # one prompt of a batch of one
            value = value[0]
        return [_message(m, role) for m in value if isinstance(m, (dict, str))]
    value = as_dict(value)
    for name in ("messages", "chat_history"):
        if as_list(value.get(name)):
            return _messages(value[name], role)
    if choices := as_list(value.get("choices")):
        return [message_of(m) for m in [as_dict(choices[0]).get("message")] if isinstance(m, dict)]
    if generations := as_list(value.get("generations")):
        inner = generations[0][0] if isinstance(generations[0], list) and generations[0] else generations[0]
        return _messages(first_of(as_dict(inner), ("message", "text")), role)
    if "role" in value or "lc" in value or ("content" in value and value.get("type") in tuple(_TYPES)):
        return [_message(value, role)]
    found = first_of(value, _TEXT_KEYS if role == "user" else _REPLY_KEYS)
    return _messages(found, role) if isinstance(found, (str, dict, list)) else []


def _message(message: Any, role: str) -> Any:
    if isinstance(message, str):
        return {"role": role, "content": message}
    kwargs = message.get("kwargs")
    if isinstance(kwargs, dict):
        name = next(iter(as_list(message.get("id"))[-1:]), None)
        return message_of({**kwargs, "role": _CLASSES.get(name, role) if isinstance(name, str) else role})
    if "role" not in message and isinstance(message.get("type"), str):
        return message_of({**as_dict(message.get("data")), **message, "role": _TYPES.get(message["type"])})
    named = message.get("role")
    return message_of({**message, "role": _TYPES.get(named, named) if isinstance(named, str) else role})


def reply_after(history: list[Any], reply: list[Any]) -> list[Any]:
    """An output after its input; an output that repeats the whole conversation replaces it."""
    if len(reply) >= len(history) > 0 and reply[: len(history)] == history:
        return reply
    return [*history, *reply]
