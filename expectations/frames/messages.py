"""The contract of `messages`: one row per message, numbered from 0 within its conversation."""

from typing import Any

import polars as pl

from expectations.frames.checks import KEY, matches, one_of, rows_where, unique, where
from expectations.frames.contract import Context

ROLES = ("user", "assistant", "system", "tool")


def contract(context: Context) -> Any:
    """The Pandera schema of one day's messages."""
    import pandera.polars as pa

    last = pl.col("message_index").max().over("conversation_key")
    checks = [
        unique("conversation_key", "message_index", name="unique_message"),
        rows_where(last == pl.len().over("conversation_key") - 1, "numbered_without_gap"),
        rows_where((pl.col("role") == "user").any().over("conversation_key"), "has_human_message"),
    ]
    if context.conversations is not None:
        announced = context.conversations.select("conversation_key", "n_messages")
        checks.append(_as_many_as(dict(announced.iter_rows())))
    return pa.DataFrameSchema(
        {
            "conversation_key": pa.Column(pl.String, [matches(KEY, "is_pseudonym")]),
            "message_index": pa.Column(pl.Int32, [where(lambda i: i >= 0, "not_negative")]),
            "role": pa.Column(pl.String, [one_of(ROLES)]),
            "content": pa.Column(pl.String, [where(lambda text: ~text.str.contains("\0", literal=True), "no_nul")]),
            "created_at": pa.Column(pl.Datetime("us", "UTC"), nullable=True),
        },
        checks=checks,
    )


def _as_many_as(announced: dict[str, int]) -> Any:
    """Conversations have as many messages as `conversations` says; a message of none fails."""
    wanted = pl.col("conversation_key").replace_strict(announced, default=None, return_dtype=pl.Int64)
    return rows_where(pl.len().over("conversation_key") == wanted, "as_many_as_announced")
