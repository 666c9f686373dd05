"""The contract of `conversations`: one row per conversation of a day, pseudonyms and counts only."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import polars as pl

from expectations.frames.checks import KEY, matches, rows_where, unique, where
from expectations.frames.contract import Context

USER_KEY = r"^([0-9a-f]{32}|no-user)$"
"""A pseudonym, or the one mark for everything without a user id. A raw id matches neither."""


def contract(context: Context) -> Any:
    """The Pandera schema of one day's conversations."""
    import pandera.polars as pa

    started = []
    if context.day is not None:
        start = datetime.combine(context.day, time(), UTC)
        end = start + timedelta(days=1)
        started = [where(lambda at: (at >= start) & (at < end), "within_day")]
    at_least_one = where(lambda n: n >= 1, "at_least_one")
    not_negative = where(lambda n: n >= 0, "not_negative")
    return pa.DataFrameSchema(
        {
            "conversation_key": pa.Column(pl.String, [matches(KEY, "is_pseudonym")]),
            "user_key": pa.Column(pl.String, [matches(USER_KEY, "is_pseudonym")]),
            "started_at": pa.Column(pl.Datetime("us", "UTC"), started),
            "assumed_utc": pa.Column(pl.Boolean),
            "surface": pa.Column(pl.String, nullable=True),
            "n_messages": pa.Column(pl.Int32, [at_least_one]),
            "n_human_messages": pa.Column(pl.Int32, [at_least_one]),
            "n_assistant_messages": pa.Column(pl.Int32, [not_negative]),
            "content_hash": pa.Column(pl.String, [matches(KEY, "is_pseudonym")]),
        },
        checks=[
            unique("conversation_key", name="unique_conversation"),
            rows_where(
                pl.col("n_human_messages") + pl.col("n_assistant_messages") <= pl.col("n_messages"), "counts_add_up"
            ),
        ],
    )
