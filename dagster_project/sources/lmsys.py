"""LMSYS-Chat-1M as published: Parquet, or the same records as JSON lines.

Facts: dataset card `lmsys/lmsys-chat-1m` (`conversation_id`, `model`, `conversation` of `content` and `role`, `turn`,
`language`, `openai_moderation`, `redacted`). It has neither users nor times; `user_id` and `started_at` are read where
somebody has added them. What was redacted stands in the texts as the publisher left it (NAME_1, …).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Unpack

from dagster_project.sources.building import Draft, as_list, own_keys, read_each
from dagster_project.sources.confide import Options
from dagster_project.sources.outcome import Parsed, Rejected

NAME = "lmsys"
DESCRIPTION = "LMSYS-Chat-1M: Parquet or JSON lines as published"
COLUMNS = ("conversation_id", "conversation", "user_id", "started_at", "surface")


def recognises(record: dict[str, Any]) -> str:
    """As `Source.recognises`."""
    messages = as_list(record.get("conversation"))
    roles = bool(messages) and all(isinstance(m, dict) and "role" in m and "content" in m for m in messages)
    return "conversation_id and conversation, with roles" if roles and "conversation_id" in record else ""


def read(path: Path, **options: Unpack[Options]) -> Iterator[Parsed | Rejected]:
    """As `Source.read`."""
    return read_each(path, draft_of, COLUMNS, **options)


def draft_of(record: dict[str, Any]) -> Draft:
    """One record in canonical keys."""
    return Draft(
        {
            **own_keys(record),
            "conversation_id": record.get("conversation_id"),
            "messages": record.get("conversation"),
        }
    )
