"""The small model behind the test server: from a request to a reply that its schema allows, the same one every time.

Lives here: walking a schema (picks by hash of the conversation and of the property's path, so that a question gets the
same answer whatever it is asked with) and planted truths. Not here: what makes a model leak or obey
(`messages_server_characters.py`), reading the request (`messages_server_asked.py`), the reply around the text and what
spoils it (`messages_server_replies.py`).
"""

import json
import re
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

from tests.support.messages_server_asked import ASSISTANT, HUMAN, Asked
from tests.support.messages_server_characters import leak, obey
from tests.support.messages_server_settings import Settings

WORDS = [
    "work",
    "rest",
    "family",
    "plans",
    "change",
    "trust",
    "worry",
    "habits",
    "friends",
    "distance",
    "money",
    "sleep",
    "study",
    "loss",
    "home",
    "courage",
]
INDEX_NAMES = frozenset({"i", "index", "message", "message_index", "turn", "position", "at"})
NOTHING = frozenset({"none", "none_of_these", "no", "could_not_tell", "unclear", "unknown", "not_clear", "null"})
UNTOLD = frozenset({"could_not_tell", "unclear", "unknown"})
CHANCE = 0.25
MANY = 0.2
SHORT = 3


class Misfit(Exception):
    """A planted value that the schema has no place for."""


class NotThere(Misfit):
    """A planted event at a message that this conversation does not have (or does not show)."""


class Model:
    """Answers by schema. complain: is told of planted truths that do not fit."""

    def __init__(self, settings: Settings, complain: Callable[[str], object]) -> None:
        self._settings, self._complain = settings, complain

    def text(self, asked: Asked) -> str:
        """The text of the reply, with no regard to max_tokens."""
        if asked.schema is None:
            return leak(asked.text) if self._settings.model == "leaky" else "I see."
        if self._settings.model == "obedient" and (ordered := obey(asked)) is not None:
            return ordered
        return json.dumps(Answer(self._settings, asked, self._complain).of(asked.schema), ensure_ascii=False)


class Answer:
    """One reply under way."""

    def __init__(self, settings: Settings, asked: Asked, complain: Callable[[str], object]) -> None:
        self._settings, self._asked, self._complain = settings, asked, complain
        self._text = asked.text
        self._root: dict[str, Any] = {}
        self._planted = [p for p in settings.planted if p.marker in self._text]

    def of(self, schema: dict[str, Any]) -> Any:
        """The whole reply."""
        self._root = schema
        return self._value(schema, "")

    def _draw(self, path: str) -> int:
        """A number that this conversation and this path decide. Places in lists are part of the path."""
        return int.from_bytes(blake2b(self._asked.key[:8] + path.encode(), digest_size=8).digest(), "big")

    def _happens(self, path: str, chance: float | None = None) -> bool:
        name = path.split(".")[1].split("[")[0] if "." in path else path
        often = self._settings.chances.get(name, self._settings.chances.get("*", CHANCE)) if chance is None else chance
        return self._draw(f"{path}?") < often * 2**64

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            node: Any = self._root
            for part in schema["$ref"].removeprefix("#/").split("/"):
                node = node[part]
            schema = node
        return schema

    def _value(self, schema: dict[str, Any], path: str) -> Any:
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._pick(schema["enum"], path)
        if "anyOf" in schema:
            options = [self._resolve(o) for o in schema["anyOf"]]
            some = [o for o in options if o.get("type") != "null"]
            if len(some) < len(options) and not (some and self._happens(path)):
                return None
            return self._value(some[self._draw(f"{path}|") % len(some)], path)
        kind = schema.get("type")
        if isinstance(kind, list):
            return self._value({"anyOf": [{**schema, "type": k} for k in kind]}, path)
        if kind == "object":
            return {name: self._property(name, child, path) for name, child in schema.get("properties", {}).items()}
        if kind == "array":
            return self._list(schema, path)
        if kind == "string":
            return self._words(path)
        if kind == "integer":
            return self._index(path)
        if kind == "number":
            return (self._draw(path) % 101) / 100
        return self._happens(path) if kind == "boolean" else None

    def _property(self, name: str, schema: dict[str, Any], path: str) -> Any:
        where = f"{path}.{name}"
        if not path:
            for rule in self._planted:
                told = rule.messages.get(name)
                if name in rule.answers or (told is not None and rule.marker):
                    try:
                        if name in rule.answers:
                            return self._fit(schema, rule.answers[name], where)
                        return self._by_message(schema, where, rule.marker, told)
                    except Misfit as why:
                        self._complain(f"planted {name!r} does not fit the schema: {why}")
        return self._value(schema, where)

    def _pick(self, choices: list[Any], path: str) -> Any:
        """One of them. Where one means nothing or no, it is that unless chance has it."""
        if self._settings.model == "obedient" and (named := self._named(choices)):
            return named[self._draw(path) % len(named)]
        empty = [c for c in choices if c is None or str(c) in NOTHING]
        nothing = [c for c in empty if c not in UNTOLD] or empty
        some = [c for c in choices if c not in empty] or choices
        if (
            nothing
            and len(some) < len(choices)
            and set(choices) - UNTOLD - {None} != set(some)
            and not self._happens(path)
        ):
            return nothing[self._draw(f"{path}-") % len(nothing)]
        return some[self._draw(path) % len(some)]

    def _named(self, choices: list[Any]) -> list[Any]:
        """Those that the conversation speaks of by id."""
        return [c for c in choices if len(str(c)) > SHORT and re.search(rf"\b{re.escape(str(c))}\b", self._text)]

    def _list(self, schema: dict[str, Any], path: str) -> list[Any]:
        items = self._resolve(schema.get("items", {}))
        if "enum" in items:
            choices = [c for c in items["enum"] if str(c) not in NOTHING]
            if self._settings.model == "obedient" and (named := self._named(choices)):
                return named
            if not (schema.get("minItems") or self._happens(path)):
                return []
            first = self._draw(path) % len(choices)
            wanted = {first, (first + 1) % len(choices)} if self._happens(f"{path}+", MANY) else {first}
            return [choices[i] for i in sorted(wanted)]
        index = _index_name(items)
        if index and _is_rating(items):
            return [self._about(items, f"{path}[{i}]", index, i) for i in self._asked.rated]
        if index:
            among = self._asked.indices(ASSISTANT)
            if not among or not self._happens(path):
                return []
            first = self._draw(path) % len(among)
            wanted = {first, (first + 1) % len(among)} if self._happens(f"{path}+", MANY) else {first}
            return [self._about(items, f"{path}[{among[n]}]", index, among[n]) for n in sorted(wanted)]
        return [self._value(items, f"{path}[0]")] if schema.get("minItems") or self._happens(path) else []

    def _about(self, items: dict[str, Any], path: str, index: str, i: int) -> dict[str, Any]:
        """One item about one message."""
        return {n: i if n == index else self._value(s, f"{path}.{n}") for n, s in items["properties"].items()}

    def _index(self, path: str) -> int:
        every = self._asked.indices(ASSISTANT) or [m.index for m in self._asked.messages] or [0]
        return every[self._draw(path) % len(every)]

    def _words(self, path: str) -> str:
        if self._settings.model != "plain":
            return leak(self._text)
        n = self._draw(path)
        return f"{WORDS[n % len(WORDS)]} and {WORDS[n // 64 % len(WORDS)]}"

    def _by_message(self, schema: dict[str, Any], path: str, marker: str, told: Any) -> Any:
        """A list with the planted value at each message that has the marker; other ratings as drawn, no other events."""
        schema = self._resolve(schema)
        items = self._resolve(schema.get("items", {}))
        index = _index_name(items)
        if schema.get("type") != "array" or not index:
            raise Misfit("a list of items with a message index was expected")
        marked = {m.index for m in self._asked.messages if marker in m.text}
        wanted = self._asked.rated if _is_rating(items) else [i for i in self._asked.indices(ASSISTANT) if i in marked]
        return [
            {**self._fit(items, told, f"{path}[{i}]"), index: i}
            if i in marked
            else self._about(items, f"{path}[{i}]", index, i)
            for i in wanted
        ]

    def _fit(self, schema: dict[str, Any], value: Any, path: str) -> Any:
        """The planted value in the schema's shape; what it leaves open is drawn. Raises Misfit."""
        schema = self._resolve(schema)
        kind = schema.get("type")
        if "anyOf" in schema or isinstance(kind, list):
            options = schema["anyOf"] if "anyOf" in schema else [{**schema, "type": k} for k in kind or ()]
            for option in options:
                try:
                    return self._fit(option, value, path)
                except Misfit:
                    continue
            raise Misfit(f"{value!r} at {path}")
        if "enum" in schema:
            value = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
            if value not in schema["enum"]:
                raise Misfit(f"{value!r} at {path}")
            return value
        items = self._resolve(schema.get("items", {}))
        if (index := _index_name(items)) and _is_rating(items):
            rated = self._asked.rated
            levels = value if isinstance(value, list) else [value] * len(rated)
            fitted = [self._fit(items, v, f"{path}[{i}]") for i, v in zip(rated, levels, strict=False)]
            drawn = [self._about(items, f"{path}[{i}]", index, i) for i in rated[len(fitted) :]]
            return [{**item, index: i} for i, item in zip(rated, fitted + drawn, strict=True)]
        if kind == "array":
            values = value if isinstance(value, list) else [value]
            return list(self._fit_items(items, values, path))
        if kind == "object":
            return self._fit_object(schema, value, path)
        if kind == "integer" and isinstance(value, str) and ":" in value:
            role, _, n = value.partition(":")
            among = self._asked.indices(HUMAN if role in HUMAN else ASSISTANT)
            if not -len(among) <= int(n) < len(among):
                raise NotThere(f"{value!r} at {path}: {len(among)} such messages")
            return among[int(n)]
        fits: dict[Any, tuple[type, ...]] = {
            "integer": (int,),
            "number": (int, float),
            "string": (str,),
            "boolean": (bool,),
            "null": (type(None),),
        }
        if not isinstance(value, fits.get(kind, ())):
            raise Misfit(f"{value!r} at {path}")
        return value

    def _fit_items(self, items: dict[str, Any], values: list[Any], path: str) -> Iterator[Any]:
        for n, value in enumerate(values):
            try:
                yield self._fit(items, value, f"{path}[{n}]")
            except NotThere:
                continue

    def _fit_object(self, schema: dict[str, Any], value: Any, path: str) -> dict[str, Any]:
        properties = schema.get("properties", {})
        if not isinstance(value, dict):
            for name, child in properties.items():
                try:
                    value = {name: self._fit(child, value, f"{path}.{name}")}
                    break
                except Misfit:
                    continue
            else:
                raise Misfit(f"{value!r} at {path}")
        if unknown := set(value) - set(properties):
            raise Misfit(f"no such property at {path}: {', '.join(sorted(unknown))}")
        return {
            name: self._fit(child, value[name], f"{path}.{name}")
            if name in value
            else self._value(child, f"{path}.{name}")
            for name, child in properties.items()
        }


def _index_name(items: dict[str, Any]) -> str | None:
    """The property of a list's item that says which message it is about."""
    whole = [n for n, s in items.get("properties", {}).items() if s.get("type") == "integer"]
    return next((n for n in whole if n in INDEX_NAMES), whole[0] if whole else None)


def _is_rating(items: dict[str, Any]) -> bool:
    """Whether a list has one item for every message to be rated, and not one for each that something happens in."""
    return "value" in items.get("properties", ())
