"""The contract of `descriptions`: one line a conversation and text facet, in the private zone alone."""

from typing import Any

import polars as pl

from expectations.frames.checks import KEY, matches, unique, where
from expectations.frames.contract import Context

MAX_CHARACTERS = 500


def contract(context: Context) -> Any:
    """The Pandera schema of one day's descriptions."""
    import pandera.polars as pa

    bounded = where(lambda text: text.str.len_chars() <= MAX_CHARACTERS, "bounded")
    one_line = where(lambda text: ~text.str.contains(r"[\p{Cc}\p{Cf}]"), "one_line")
    not_empty = where(lambda text: text != "", "not_empty")
    return pa.DataFrameSchema(
        {
            "conversation_key": pa.Column(pl.String, [matches(KEY, "is_pseudonym")]),
            "facet": pa.Column(pl.String, [not_empty]),
            "facet_version": pa.Column(pl.Int32, [where(lambda n: n >= 1, "at_least_one")]),
            "text": pa.Column(pl.String, [not_empty, bounded, one_line]),
            "labeller": pa.Column(pl.String, [not_empty]),
            "prompt_hash": pa.Column(pl.String, [not_empty]),
            "labelled_at": pa.Column(pl.Datetime("us", "UTC")),
        },
        checks=[unique("conversation_key", "facet", name="unique_description")],
    )
