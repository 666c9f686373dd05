"""ShareGPT's form: `conversations` of `from` and `value`, as an array or as JSON lines.

Facts: dataset `anon8231489123/ShareGPT_Vicuna_unfiltered` and FastChat's data tools (`id`, `conversations`, `human`,
`gpt`, `chatgpt`, `bard`, `bing`, `system`); LLaMA-Factory, `data/README.md` (`system` and `tools` beside them,
`function_call`, `observation`). It has neither users nor times; `user_id` and `started_at` are read where somebody
has added them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Unpack

from dagster_project.sources.building import Draft, as_list, own_keys, read_each
from dagster_project.sources.confide import Options
from dagster_project.sources.outcome import Parsed, Rejected

NAME = "sharegpt"
DESCRIPTION = "ShareGPT: conversations of from and value, an array or JSON lines"
COLUMNS = ("id", "conversations", "conversation", "system", "user_id", "started_at", "surface")
_LISTS = ("conversations", "conversation")
_CALLS = ("function_call", "tool_call")
_ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "bing", "bard", "assistant", "model", *_CALLS), "assistant"),
    **dict.fromkeys(("observation", "tool", "tool_response", "function_response"), "tool"),
    "system": "system",
}


def recognises(record: dict[str, Any]) -> str:
    """As `Source.recognises`."""
    for name in _LISTS:
        messages = as_list(record.get(name))
        if messages and all(isinstance(m, dict) and "from" in m and "value" in m for m in messages):
            return f"{name} of from and value"
    return ""


def read(path: Path, **options: Unpack[Options]) -> Iterator[Parsed | Rejected]:
    """As `Source.read`."""
    return read_each(path, draft_of, COLUMNS, **options)


def draft_of(record: dict[str, Any]) -> Draft:
    """One record in canonical keys."""
    messages = next((record[name] for name in _LISTS if record.get(name) is not None), None)
    if isinstance(messages, list):
        messages = [_message(m) for m in messages]
        if isinstance(record.get("system"), str) and record["system"]:
            messages.insert(0, {"role": "system", "content": record["system"]})
    return Draft({**own_keys(record), "conversation_id": record.get("id"), "messages": messages})


def _message(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    name = message.get("from")
    role = _ROLES.get(name.lower()) if isinstance(name, str) else None
    return {"role": role, "content": f"[{name}]" if name in _CALLS else message.get("value")}
