"""Requests to the Messages API as the tests of its stand-in make them, and what comes back as they read it.

Not here: what Confide itself asks (`classifiers/claude/prompt.py`).
"""

import json
from typing import Any

TYPES = ["interpersonal_advice", "coaching", "companionship"]
LEVELS = ["negative", "neutral", "positive", "could_not_tell"]


def whole(**properties: Any) -> dict[str, Any]:
    """An object's schema as structured outputs want it."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def many(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


AT = {"type": "integer"}
SCREEN = whole(creation={"enum": ["yes", "no", "could_not_tell"]}, types=many({"enum": [*TYPES, "could_not_tell"]}))
DETAIL = whole(
    pushback=many(whole(i=AT, kind={"enum": ["safety", "refusal", "other"]}, strength={"enum": ["mild", "firm"]})),
    mood=many(whole(i=AT, value={"enum": LEVELS})),
    start={"enum": [*TYPES, "none_of_these"]},
    about={"type": "string"},
)


def ask(*texts: str, schema: Any = SCREEN, rate: list[int] | None = None, mark: str = "7f3a", **more: Any) -> Any:
    """A request about a conversation in which the person and the assistant take turns."""
    messages = [{"i": i, "role": ("human", "assistant")[i % 2], "text": text} for i, text in enumerate(texts)]
    said = f"Conversation:\n{mark}\n{json.dumps({'messages': messages})}\n{mark}"
    if rate is not None:
        said += f"\nRate these: {json.dumps(rate)}"
    return {
        "model": "claude-haiku-5-5",
        "max_tokens": 900,
        "system": [{"type": "text", "text": "Code the conversation. " * 300, "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": said}],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
        **more,
    }


def items(n: int, prefix: str = "r") -> list[Any]:
    return [{"custom_id": f"{prefix}{i}", "params": ask(f"{prefix}: conversation {i}")} for i in range(n)]


def text_of(message: Any) -> str:
    return "".join(b.text for b in message.content if b.type == "text")


def told(message: Any) -> Any:
    return json.loads(text_of(message))
