"""What a request asks, as the test server reads it: the conversation, the schema, whether the API would take it.

Lives here: reading one body of `messages` or of a batch's item. It knows the API's rules and no prompt of ours: the
conversation is the JSON document with `messages` in the last user message, and failing that the whole text. Not here:
answering (`messages_server_model.py`).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

HUMAN = frozenset({"user", "human", "person"})
ASSISTANT = frozenset({"assistant", "ai", "model"})
DECODE = json.JSONDecoder()
PLACES = 40
LISTED = re.compile(r"\[\s*(?:\d+(?:\s*,\s*\d+)*)?\s*\]")
FORBIDDEN = {"temperature", "top_p", "top_k"}
UNSUPPORTED = {
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "oneOf",
    "not",
    "if",
}
MAX_OPTIONAL, MAX_UNIONS = 24, 16


class BadRequest(Exception):
    """The API would answer 400, with this reason."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation, as shown: its own index there."""

    index: int
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    key: 8 bytes of the conversation as shown, 8 of the ask, 4 of the messages to be rated. rated: their indices.
    cached: tokens of the prompt that are marked for caching.
    """

    key: bytes
    model: str
    max_tokens: int
    schema: dict[str, Any] | None
    messages: tuple[Message, ...]
    rated: tuple[int, ...]
    input_tokens: int
    cached: int
    cache_key: bytes

    @property
    def text(self) -> str:
        """All that was said."""
        return "\n".join(m.text for m in self.messages)

    def indices(self, roles: frozenset[str]) -> list[int]:
        """Of the messages of these roles, in order."""
        return [m.index for m in self.messages if m.role in roles]

    @property
    def properties(self) -> tuple[str, ...]:
        """The top properties asked for."""
        return tuple((self.schema or {}).get("properties", ()))


def read(body: Any) -> Asked:
    """Raises BadRequest where the API would."""
    if not isinstance(body, dict):
        raise BadRequest("the body is not an object")
    for name, kind in (("model", str), ("max_tokens", int), ("messages", list)):
        if not isinstance(body.get(name), kind):
            raise BadRequest(f"{name}: field required")
    if body["max_tokens"] < 1:
        raise BadRequest("max_tokens: must be at least 1")
    if found := FORBIDDEN & set(body):
        raise BadRequest(f"{min(found)}: not supported by this model")
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise BadRequest("tool_choice: forced tool use is not supported by this model")
    if body.get("stream"):
        raise BadRequest("stream: this test server does not stream")
    last = _last_user_text(body["messages"])
    system, cached = _system(body.get("system"))
    schema = _schema(body.get("output_config"))
    messages, rated = conversation(last)
    said = blake2b(digest_size=8)
    for m in messages:
        said.update(f"{m.index}\x1f{m.role}\x1f{m.text}\x1e".encode("utf-8", "surrogatepass"))
    ask = blake2b(system.encode(), digest_size=8)
    ask.update(body["model"].encode())
    rendered = b"" if schema is None else orjson.dumps(schema)
    ask.update(rendered)
    return Asked(
        key=said.digest() + ask.digest() + blake2b(str(rated).encode(), digest_size=4).digest(),
        model=body["model"],
        max_tokens=body["max_tokens"],
        schema=schema,
        messages=messages,
        rated=rated,
        input_tokens=(len(system) + len(rendered) + sum(len(str(m.get("content"))) for m in body["messages"])) // 4 + 8,
        cached=cached // 4,
        cache_key=blake2b(system[:cached].encode() + body["model"].encode(), digest_size=8).digest(),
    )


def _last_user_text(messages: list[Any]) -> str:
    for m in messages:
        if not isinstance(m, dict) or m.get("role") not in ("user", "assistant"):
            raise BadRequest("messages: unexpected role")
        if not _text(m.get("content")).strip():
            raise BadRequest("messages: text content blocks must be non-empty")
    if not messages:
        raise BadRequest("messages: at least one message is required")
    if messages[-1]["role"] == "assistant":
        raise BadRequest("This model does not support assistant message prefill.")
    text = _text(messages[-1]["content"])
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest("The request body is not valid JSON: no low surrogate in string") from None
    return text


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(str(b.get("text", "")) for b in content if isinstance(b, dict) and b.get("type") == "text")


def _system(system: Any) -> tuple[str, int]:
    """The part of the system prompt that repeats, and how many of its characters are marked for caching."""
    if system is None or isinstance(system, str):
        return system or "", 0
    text, cached = "", 0
    for block in system:
        if not isinstance(block, dict) or block.get("type") != "text" or not block.get("text"):
            raise BadRequest("system: text content blocks must be non-empty")
        text += block["text"]
        if block.get("cache_control"):
            cached = len(text)
    return (text[:cached] if cached else text), cached


def _schema(config: Any) -> dict[str, Any] | None:
    wanted = (config or {}).get("format")
    if wanted is None:
        return None
    if wanted.get("type") != "json_schema" or not isinstance(wanted.get("schema"), dict):
        raise BadRequest("output_config.format: expected a json_schema")
    if problem := _problem(orjson.dumps(wanted["schema"])):
        raise BadRequest(f"output_config.format.schema: {problem}")
    return dict(wanted["schema"])


@lru_cache(maxsize=1024)
def _problem(schema: bytes) -> str | None:
    """What structured outputs do not support in this schema (docs: build-with-claude/structured-outputs), or None."""
    optional = unions = 0
    for node in _nodes(orjson.loads(schema)):
        if found := UNSUPPORTED & set(node):
            return f"'{min(found)}' is not supported"
        if node.get("minItems", 0) not in (0, 1):
            return "'minItems' other than 0 or 1 is not supported"
        if node.get("type") == "object":
            if node.get("additionalProperties") is not False:
                return "for 'object' type, 'additionalProperties' must be explicitly set to false"
            optional += len(set(node.get("properties", ())) - set(node.get("required", ())))
        if any(isinstance(v, (dict, list)) for v in node.get("enum", ())):
            return "complex types in enums are not supported"
        unions += "anyOf" in node or isinstance(node.get("type"), list)
    if optional > MAX_OPTIONAL:
        return f"{optional} optional parameters, at most {MAX_OPTIONAL} are supported"
    if unions > MAX_UNIONS:
        return f"{unions} parameters with union types, at most {MAX_UNIONS} are supported"
    return None


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every sub-schema."""
    if not isinstance(schema, dict):
        return
    yield schema
    for name in ("properties", "$defs", "definitions"):
        for child in schema.get(name, {}).values():
            yield from _nodes(child)
    yield from _nodes(schema.get("items"))
    for name in ("anyOf", "allOf"):
        for child in schema.get(name, ()):
            yield from _nodes(child)


def conversation(text: str) -> tuple[tuple[Message, ...], tuple[int, ...]]:
    """The messages of the document in a text, and the indices of those to be rated.

    These are a list of numbers after the document; without one, all human messages. A text without a document is a
    conversation of one message.
    """
    messages: tuple[Message, ...] = (Message(0, "user", text),)
    listed = None
    for place in _places(text):
        try:
            found, end = DECODE.raw_decode(text, place)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and isinstance(found.get("messages"), list):
            messages, listed = tuple(_messages(found["messages"])), LISTED.search(text, end)
            break
    if listed:
        return messages, tuple(json.loads(listed.group()))
    return messages, tuple(m.index for m in messages if m.role in HUMAN)


def _places(text: str) -> Iterator[int]:
    """Where the document may begin: first where it looks like ours, then at any of the first braces."""
    for found in re.finditer(r'\{\s*"messages"\s*:', text):
        yield found.start()
        break
    for n, found in enumerate(re.finditer(r"\{", text)):
        if n == PLACES:
            break
        yield found.start()


def _messages(told: list[Any]) -> Iterator[Message]:
    for n, m in enumerate(told):
        if not isinstance(m, dict) or "role" not in m:
            continue
        index = m.get("i", m.get("index", n))
        text = m.get("text", m.get("content", ""))
        text = "\n".join(str(t) for t in (text, m.get("then")) if t is not None)
        yield Message(index if isinstance(index, int) else n, str(m["role"]), text)
