"""From the model's text to a reply of the Messages API: usage, cache, stop reasons, and replies that a fault spoils.

Lives here: the `Message` object of live replies and of a batch's results, and which request meets which fault of its
content. Not here: what the model says (`messages_server_model.py`), what happens on the way (`messages_server_wire.py`).
"""

import json
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

from tests.support.messages_server_asked import Asked
from tests.support.messages_server_books import now
from tests.support.messages_server_model import Model
from tests.support.messages_server_settings import HARMLESS, ItemFault, ReplyFault, Settings

CACHE_SECONDS = 300.0
BILLED = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
NO_SUCH_INDEX = 987_654
F = TypeVar("F", ReplyFault, ItemFault)


def met(faults: Sequence[F], asked: Asked, tries: int, seed: int) -> F | None:
    """The fault that this request meets at its next try. tries: how often it was worked on before."""
    if not faults:
        return None
    name = type(faults[0]).__name__
    drawn = blake2b(asked.key + f"{seed}{name}".encode(), digest_size=8).digest()
    left = int.from_bytes(drawn, "big") / 2**64
    for fault in faults:
        chosen = left < fault.share or (fault.marker is not None and fault.marker in asked.text)
        left -= fault.share
        if chosen:
            return fault if fault.tries is None or tries < fault.tries else None
    return None


class Replies:
    """Makes replies. cache: prompt -> when it was last used, kept over changes of settings. complain: of planted truths."""

    def __init__(self, settings: Settings, cache: dict[bytes, float], complain: Callable[[str], object]) -> None:
        self.settings = settings
        self._model = Model(settings, complain)
        self._reply_faults = [f for f in settings.faults if isinstance(f, ReplyFault)]
        self._item_faults = [f for f in settings.faults if isinstance(f, ItemFault)]
        self._cache = cache

    def reply_fault(self, asked: Asked, tries: int) -> ReplyFault | None:
        """How the model answers badly, if it does."""
        return met(self._reply_faults, asked, tries, self.settings.seed)

    def item_fault(self, asked: Asked, tries: int) -> ItemFault | None:
        """How an item of a batch ends without a reply, if it does."""
        return met(self._item_faults, asked, tries, self.settings.seed)

    def leak(self, asked: Asked, words: str) -> str | None:
        """Words for an error that quote the conversation, if the model leaks."""
        return f"{words}: {asked.text[:200]}" if self.settings.model == "leaky" else None

    def message(self, asked: Asked, fault: ReplyFault | None, *, batch: bool) -> dict[str, Any]:
        """The `Message` object."""
        text, stop = self._model.text(asked), "end_turn"
        kind = fault.kind if fault else None
        if kind == "max_tokens":
            text, stop = text[: max(1, len(text) // 2)], "max_tokens"
        elif kind == "refusal":
            text, stop = "", "refusal"
        elif kind:
            text = spoil(kind, text)
        text = text.encode("utf-8", "replace").decode()
        tokens = len(text) // 4 + 1
        if tokens > asked.max_tokens:
            tokens = asked.max_tokens
            if not kind:
                text, stop = text[: tokens * 4], "max_tokens"
        return {
            "id": f"msg_{blake2b(asked.key + text.encode(), digest_size=12).hexdigest()}",
            "type": "message",
            "role": "assistant",
            "model": asked.model,
            "content": self._content(kind, text, asked),
            "stop_reason": stop,
            "stop_sequence": None,
            "stop_details": self._refusal(asked) if stop == "refusal" else None,
            "usage": self._usage(asked, tokens, batch=batch),
        }

    def _content(self, kind: str | None, text: str, asked: Asked) -> list[dict[str, Any]]:
        block = {"type": "text", "text": text, "citations": None}
        if kind in ("refusal", "no_blocks"):
            return []
        if kind == "thinking_first":
            thought = self.leak(asked, "The person says") or "Let me see."
            return [{"type": "thinking", "thinking": thought, "signature": "c2lnbmVk"}, block]
        if kind == "split_blocks":
            half = len(text) // 2
            return [{**block, "text": text[:half]}, {**block, "text": text[half:]}]
        return [block]

    def _refusal(self, asked: Asked) -> dict[str, Any]:
        told = self.leak(asked, "The request is about") or "The request was declined."
        return {"type": "refusal", "category": None, "explanation": told}

    def _usage(self, asked: Asked, output_tokens: int, *, batch: bool) -> dict[str, Any]:
        """What is billed. The marked part of the prompt is written to the cache once and read for five minutes."""
        written = read = 0
        if asked.cached >= self.settings.cache_min_tokens:
            fresh = now() - self._cache.get(asked.cache_key, float("-inf")) < CACHE_SECONDS
            written, read = (0, asked.cached) if fresh else (asked.cached, 0)
            self._cache[asked.cache_key] = now()
        return {
            "input_tokens": asked.input_tokens - written - read,
            "output_tokens": output_tokens,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read,
            "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
            "service_tier": "batch" if batch else "standard",
        }


def billed(usage: dict[str, Any]) -> dict[str, int]:
    """The four counts that are paid for."""
    return {name: usage[name] for name in BILLED}


def is_bad(fault: ReplyFault | None) -> bool:
    """Whether a reply with this fault is worth nothing."""
    return fault is not None and fault.kind not in HARMLESS


def spoil(kind: str, text: str) -> str:
    """A good reply, spoilt. A reply that is not a JSON object is only wrapped or replaced."""
    if kind == "empty":
        return ""
    if kind == "text_around":
        return f"Here is what I found:\n{text}\nLet me know if you need more!"
    if kind == "fenced":
        return f"```json\n{text}\n```"
    if kind == "nested":
        return "[" * 100_000 + "]" * 100_000
    if kind == "two_objects":
        return f"{text}\n{text}"
    if kind == "not_json":
        return "I would say that this conversation is mostly about work."
    try:
        told = json.loads(text)
    except ValueError:
        return text
    if isinstance(told, dict) and told:
        _CHANGES.get(kind, lambda _: None)(told)
    return json.dumps(told, ensure_ascii=False)


def _unknown_enum(told: dict[str, Any]) -> None:
    """Every category becomes one that nobody knows: some check must find it."""
    for name, value in told.items():
        told[name] = _with_strings(value, "quite_certainly_something_else")
    if not any(isinstance(v, str) or v for v in told.values()):
        told[next(iter(told))] = "quite_certainly_something_else"


def _with_strings(value: Any, instead: str) -> Any:
    if isinstance(value, str):
        return instead
    if isinstance(value, list):
        return [_with_strings(v, instead) for v in value] or [instead]
    if isinstance(value, dict):
        return {k: _with_strings(v, instead) for k, v in value.items()}
    return value


def _unknown_index(told: dict[str, Any]) -> None:
    """Every whole number becomes an index that no message has. A reply without one stays as it is."""
    for name, value in told.items():
        told[name] = _with_integers(value)


def _with_integers(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return NO_SUCH_INDEX
    if isinstance(value, list):
        return [_with_integers(v) for v in value]
    if isinstance(value, dict):
        return {k: _with_integers(v) for k, v in value.items()}
    return value


def _wrong_type(told: dict[str, Any]) -> None:
    for name, value in told.items():
        told[name] = 7 if isinstance(value, (str, list, dict)) else {"is": value}


_CHANGES = {
    "unknown_enum": _unknown_enum,
    "unknown_index": _unknown_index,
    "nan": lambda told: told.update({next(iter(told)): float("nan")}),
    "missing_key": lambda told: told.pop(next(reversed(told))),
    "extra_key": lambda told: told.update(note_to_the_reader="see above"),
    "wrong_type": _wrong_type,
}
