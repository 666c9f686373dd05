"""The contracts of `topic_assignments` (one row per conversation and type) and `topics` (one row per topic).

A topic's name is the one text that leaves the private zone: its form is held to the rule of PRIVACY here too.
"""

from typing import Any

import polars as pl

from expectations.frames.checks import KEY, matches, one_of, rows_where, unique, where
from expectations.frames.contract import Context

MAX_WORDS = 10
MAX_DIGITS = 3
TOPIC_ID = r"^[A-Za-z0-9_-]{1,64}$"
NAME = r"^[\p{L}\p{M}\p{Nd} ,.'’&/()-]{1,200}$"
"""Letters, digits, spaces and plain punctuation: no @, no URL, no control and no bidi characters."""


def assignments_contract(context: Context) -> Any:
    """The Pandera schema of the topic assignments of a period."""
    import pandera.polars as pa

    return pa.DataFrameSchema(
        {
            "conversation_key": pa.Column(pl.String, [matches(KEY, "is_pseudonym")]),
            "affective_type": pa.Column(pl.String, _types(context)),
            "topic_id": pa.Column(pl.String, [matches(TOPIC_ID, "is_id")]),
            "distance": pa.Column(pl.Float64, [where(lambda d: d.is_finite() & (d >= 0), "not_negative")]),
        },
        checks=[unique("conversation_key", "affective_type", name="unique_assignment")],
    )


def topics_contract(context: Context) -> Any:
    """The Pandera schema of the topics of a period."""
    import pandera.polars as pa

    few_words = where(lambda name: name.str.split(" ").list.len() <= MAX_WORDS, "few_words")
    few_digits = where(lambda name: name.str.count_matches(r"\p{Nd}") <= MAX_DIGITS, "few_digits")
    parent = pl.col("parent_topic_id")
    return pa.DataFrameSchema(
        {
            "affective_type": pa.Column(pl.String, _types(context)),
            "topic_id": pa.Column(pl.String, [matches(TOPIC_ID, "is_id")]),
            "parent_topic_id": pa.Column(pl.String, [matches(TOPIC_ID, "is_id")], nullable=True),
            "level": pa.Column(pl.Int32, [where(lambda n: n >= 0, "not_negative")]),
            "topic_name": pa.Column(pl.String, [matches(NAME, "allowed_characters"), few_words, few_digits]),
        },
        checks=[
            unique("affective_type", "topic_id", name="unique_topic"),
            rows_where(parent.is_null() | (parent != pl.col("topic_id")), "not_its_own_parent"),
        ],
    )


def _types(context: Context) -> list[Any]:
    return [] if context.affective_types is None else [one_of(list(context.affective_types))]
