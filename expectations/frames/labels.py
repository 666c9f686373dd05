"""The contract of `screen_labels` and `detail_labels`: one row per conversation, facet and value.

Statuses other than ok have no value. "None of them" is one row, ok, without a value, beside no other.
"""

from typing import Any

import polars as pl

from expectations.frames.checks import KEY, matches, one_of, rows_where, unique, where
from expectations.frames.contract import Context

STATUSES = ("ok", "could_not_tell", "refused", "invalid")


def contract(context: Context) -> Any:
    """The Pandera schema of one day's labels of one stage."""
    import pandera.polars as pa

    value = pl.col("value")
    of_conversation = value.is_null() & pl.col("message_index").is_null()
    checks = [
        unique("conversation_key", "facet", "value_index", name="unique_label"),
        unique("conversation_key", "facet", "value", "message_index", name="value_once", among=value.is_not_null()),
        rows_where((pl.col("status") == "ok") | value.is_null(), "value_only_when_ok"),
        rows_where(~of_conversation | (pl.len().over("conversation_key", "facet") == 1), "no_value_stands_alone"),
    ]
    if context.facets is not None:
        known = [f"{facet}\n{category}" for facet, categories in context.facets.items() for category in categories]
        spoken = pl.concat_str("facet", "value", separator="\n")
        checks.append(rows_where(value.is_null() | spoken.is_in(known), "category_of_facet"))
    facet_checks = [one_of(list(context.facets), "known_facet")] if context.facets is not None else []
    share = where(lambda score: (score >= 0) & (score <= 1), "between_0_and_1")
    not_negative = where(lambda n: n >= 0, "not_negative")
    not_empty = where(lambda text: text != "", "not_empty")
    return pa.DataFrameSchema(
        {
            "conversation_key": pa.Column(pl.String, [matches(KEY, "is_pseudonym")]),
            "facet": pa.Column(pl.String, facet_checks),
            "facet_version": pa.Column(pl.Int32, [where(lambda n: n >= 1, "at_least_one")]),
            "status": pa.Column(pl.String, [one_of(STATUSES)]),
            "value_index": pa.Column(pl.Int32, [not_negative]),
            "value": pa.Column(pl.String, nullable=True),
            "number": pa.Column(pl.Float64, [where(lambda x: x.is_finite(), "finite")], nullable=True),
            "score": pa.Column(pl.Float64, [share], nullable=True),
            "message_index": pa.Column(pl.Int32, [not_negative], nullable=True),
            "weight": pa.Column(pl.Float64, [where(lambda w: w.is_finite() & (w > 0), "positive")]),
            "labeller": pa.Column(pl.String, [not_empty]),
            "prompt_hash": pa.Column(pl.String, [not_empty]),
            "labelled_at": pa.Column(pl.Datetime("us", "UTC")),
        },
        checks=checks,
    )
