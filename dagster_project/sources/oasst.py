"""OpenAssistant's conversation trees: the export of trees, and the flat one of a message a row.

Facts: LAION-AI/Open-Assistant, `oasst-data/oasst_data/schemas.py` (`message_tree_id`, `prompt`, `replies`, `rank`,
roles `prompter` and `assistant`); dataset card `OpenAssistant/oasst1` (`created_date`, flat files that keep a tree's
messages together). Of several replies the best ranked is followed, the others are counted. Several volunteers wrote a
tree: it is taken for its first prompter's.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Unpack

from dagster_project.sources.building import Draft, as_dict, as_list, finished
from dagster_project.sources.confide import Options
from dagster_project.sources.outcome import Left, Parsed, Reason, Refusal, Rejected
from dagster_project.sources.records import original_of, read_raw, record_of

NAME = "oasst"
DESCRIPTION = "OpenAssistant trees: JSON lines or Parquet, nested or a message a row"
_ROLES = {"prompter": "user", "assistant": "assistant"}
_COLUMNS = ("message_id", "parent_id", "user_id", "created_date", "text", "role", "rank", "message_tree_id", "prompt")
_MAX_MESSAGES = 10_000
"""Of one tree; they are held in memory together."""


def recognises(record: dict[str, Any]) -> str:
    """As `Source.recognises`."""
    if "message_tree_id" not in record:
        return ""
    if "replies" in as_dict(record.get("prompt")):
        return "message_tree_id and a prompt with replies"
    return "message_tree_id, parent_id and text" if {"message_id", "parent_id", "text"} <= record.keys() else ""


def read(path: Path, **options: Unpack[Options]) -> Iterator[Parsed | Rejected]:
    """As `Source.read`."""
    for tree, items in groupby(_records(path, options), key=lambda item: item[0]):
        if tree is None:
            yield from (_outcome(record, number, original, options) for _, number, original, record in items)
        else:
            yield from _flat(items, options)


_Item = tuple[Any, int, bytes, dict[str, Any] | Rejected]


def _records(path: Path, options: Options) -> Iterator[_Item]:
    """The tree that a flat record belongs to (None for a whole tree), its number, itself undecoded and decoded."""
    for raw in read_raw(path, _COLUMNS, options.get("bytes_read")):
        if isinstance(raw, Rejected):
            yield None, raw.line_number, raw.original, raw
            continue
        original = original_of(raw)
        try:
            record = record_of(raw)
        except Refusal as refusal:
            yield None, raw.number, original, Rejected(refusal.reason, raw.number, original, len(original))
            continue
        flat = record.get("prompt") is None and isinstance(record.get("message_tree_id"), str)
        yield (record["message_tree_id"] if flat else None), raw.number, original, record


def _outcome(record: dict[str, Any] | Rejected, number: int, original: bytes, options: Options) -> Parsed | Rejected:
    if isinstance(record, Rejected):
        return record
    try:
        draft = draft_of(record)
    except Refusal as refusal:
        return Rejected(refusal.reason, number, original, len(original))
    return finished(draft, number, original, **options)


def _flat(items: Iterator[_Item], options: Options) -> Iterator[Parsed | Rejected]:
    """The messages of one tree, put together."""
    nodes: dict[Any, dict[str, Any]] = {}
    prompt: dict[str, Any] | None = None
    tree, first, original = None, 0, b""
    for tree_of, number, text, record in items:
        if isinstance(record, Rejected) or len(nodes) >= _MAX_MESSAGES or not isinstance(record.get("message_id"), str):
            yield Rejected(Reason.INVALID_MESSAGE, number, text, len(text))
            continue
        node = nodes[record["message_id"]] = {**record, "replies": []}
        if not nodes or prompt is None:
            tree, first, original = tree_of, number, text
        parent = record.get("parent_id")
        if parent is None:
            prompt = node
        elif isinstance(parent, str) and parent in nodes:
            nodes[parent]["replies"].append(node)
        else:
            del nodes[record["message_id"]]
            yield Rejected(Reason.INVALID_TREE, number, text, len(text))
    if prompt is not None:
        yield _outcome({"message_tree_id": tree, "prompt": prompt}, first, original, options)
    elif nodes:
        yield Rejected(Reason.INVALID_TREE, first, original, len(original))


def draft_of(record: dict[str, Any]) -> Draft:
    """One tree in canonical keys. Raises Refusal."""
    node = record.get("prompt")
    if not isinstance(node, dict):
        raise Refusal(Reason.NO_MESSAGES)
    prompt, messages, others = node, [], 0
    while node is not None:
        role = node.get("role")
        messages.append(
            {
                "role": _ROLES.get(role) if isinstance(role, str) else None,
                "content": node.get("text"),
                "created_at": node.get("created_date"),
            }
        )
        replies = sorted((as_dict(reply) for reply in as_list(node.get("replies"))), key=_rank)
        others += sum(_size(reply) for reply in replies[1:])
        node = replies[0] if replies else None
    made = {
        "conversation_id": record.get("message_tree_id"),
        "user_id": prompt.get("user_id"),
        "started_at": prompt.get("created_date"),
        "messages": messages,
    }
    return Draft(made, {Left.OTHER_BRANCHES: others} if others else {})


def _rank(reply: dict[str, Any]) -> float:
    rank = reply.get("rank")
    return rank if isinstance(rank, (int, float)) and rank == rank else float("inf")


def _size(node: dict[str, Any]) -> int:
    """How many messages a branch has. Bounded by the record: a parsed one is a tree."""
    waiting, n = [node], 0
    while waiting:
        n += 1
        waiting.extend(as_dict(reply) for reply in as_list(waiting.pop().get("replies")))
    return n
