"""Conversations kept as trees: edits and new attempts make branches, one path was shown last.

Lives here: following a path back through parents, in exports that name each message's parent. Not here: what a message
looks like (`chatgpt_export.py`, `claude_export.py`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from dagster_project.sources.outcome import Reason, Refusal


def path_to(last: Any, messages: Mapping[str, Any], parent_of: Callable[[Any], Any]) -> list[str]:
    """The ids from the beginning to `last`. A parent that is not there is the beginning.

    Raises Refusal when `last` is not there, or an ancestor of itself.
    """
    path: list[str] = []
    seen: set[str] = set()
    here = last
    while isinstance(here, str) and here in messages:
        if here in seen:
            raise Refusal(Reason.INVALID_TREE)
        seen.add(here)
        path.append(here)
        here = parent_of(messages[here])
    if not path:
        raise Refusal(Reason.INVALID_TREE)
    return path[::-1]
