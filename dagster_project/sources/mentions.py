"""Whose a refused record is, as far as it can be told: the ids that it names, read without understanding it.

Lives here: finding ids in a record that could not be read as a conversation, in whatever format, also broken JSON. An
id counts where it stands as a whole value under a key that speaks of identity (`user_id`, `uuid`, `author.name`, …).
Not here: what is done with them (`intake.py`, `erasing/`).
"""

import json
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import orjson

from dagster_project.sources.confide import identifier
from dagster_project.sources.outcome import Refusal

_IDENTITY = re.compile(
    r"id$|^id|_id_|user|account|author|owner|sender|person|email|uuid|(^|_)ip($|_)|conversation", re.I
)
_PAIR = re.compile(r'"((?:[^"\\]|\\.){1,80})"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+(?:\.0+)?)(?=[\s,}\]])')
_BOM = b"\xef\xbb\xbf"


def ids_in(original: bytes) -> set[str]:
    """Every id that a record names. Never raises on what it holds."""
    return {found for value in _values(original.removeprefix(_BOM)) if (found := _id(value)) is not None}


def ids_in_path(path: str) -> set[str]:
    """The parts of a file's path, with and without their endings: an export is often named after its person."""
    parts = PurePath(path).parts
    return {part for part in parts if part != "/"} | {part.split(".", 1)[0] for part in parts if part != "/"}


def _values(original: bytes) -> Iterator[Any]:
    try:
        yield from _walk(orjson.loads(original), False)
        return
    except (ValueError, RecursionError):
        pass
    for key, value in _PAIR.findall(original.decode("utf-8", "replace")):
        if _IDENTITY.search(key):
            try:
                yield json.loads(value)
            except ValueError:
                yield value.strip('"')


def _walk(value: Any, identifies: bool) -> Iterator[Any]:
    """Scalars below a key that speaks of identity. Bounded by the record: a parsed one is a tree."""
    stack = [(value, identifies)]
    while stack:
        node, named = stack.pop()
        if isinstance(node, dict):
            stack.extend((child, named or bool(_IDENTITY.search(key))) for key, child in node.items())
        elif isinstance(node, list):
            stack.extend((child, named) for child in node)
        elif named:
            yield node


def _id(value: Any) -> str | None:
    try:
        return identifier(value)
    except Refusal:
        return None
