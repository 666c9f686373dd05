"""The contracts of what people are asked and say: who was drawn, each coder's answers, and the answers that count.

Statuses other than ok have no value. "None of them" is one row, ok, without a value, beside no other.
"""

from typing import Any

import polars as pl

from expectations.frames.checks import KEY, matches, one_of, rows_where, unique, where
from expectations.frames.contract import Context

STATUSES = ("ok", "could_not_tell")
RESOLVED = ("single", "agreed", "majority", "adjudicator", "disputed")


def samples_contract(context: Context) -> Any:
    """The Pandera schema of one day's part of a sample."""
    import pandera.polars as pa

    probability = where(lambda p: (p > 0) & (p <= 1), "above_0_to_1")
    return pa.DataFrameSchema(
        {
            "conversation_key": pa.Column(pl.String, [matches(KEY, "is_pseudonym")]),
            "sample_id": pa.Column(pl.String, [where(lambda text: text != "", "not_empty")]),
            "item_id": pa.Column(pl.String, [matches(r"^[0-9a-f]{12}$", "is_item")]),
            "stratum": pa.Column(pl.String, [matches(r"^[a-z_/]+$", "is_stratum")]),
            "inclusion_probability": pa.Column(pl.Float64, [probability]),
        },
        checks=[unique("conversation_key", name="drawn_once"), unique("item_id", name="item_once")],
    )


def answers_contract(context: Context) -> Any:
    """The Pandera schema of one day's answers of all coders."""
    import pandera.polars as pa

    coder = pa.Column(pl.String, [matches(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$", "is_coder")])
    return _schema(context, ["conversation_key", "coder", "facet"], {"coder": coder})


def labels_contract(context: Context) -> Any:
    """The Pandera schema of one day's answers that count."""
    import pandera.polars as pa

    how = {
        "n_coders": pa.Column(pl.Int32, [where(lambda n: n >= 1, "at_least_one")]),
        "resolved_by": pa.Column(pl.String, [one_of(RESOLVED)]),
    }
    return _schema(context, ["conversation_key", "facet"], how)


def _schema(context: Context, keys: list[str], more: dict[str, Any]) -> Any:
    import pandera.polars as pa

    value = pl.col("value")
    checks = [
        unique(*keys, "value_index", name="unique_label"),
        unique(*keys, "value", name="value_once"),
        rows_where((pl.col("status") == "ok") | value.is_null(), "value_only_when_ok"),
        rows_where(value.is_not_null() | (pl.len().over(keys) == 1), "no_value_stands_alone"),
    ]
    if context.facets is not None:
        known = [f"{facet}\n{category}" for facet, categories in context.facets.items() for category in categories]
        spoken = pl.concat_str("facet", "value", separator="\n")
        checks.append(rows_where(value.is_null() | spoken.is_in(known), "category_of_facet"))
    return pa.DataFrameSchema(
        {
            "conversation_key": pa.Column(pl.String, [matches(KEY, "is_pseudonym")]),
            "facet": pa.Column(pl.String, [where(lambda text: text != "", "not_empty")]),
            "facet_version": pa.Column(pl.Int32, [where(lambda n: n >= 1, "at_least_one")]),
            "status": pa.Column(pl.String, [one_of(STATUSES)]),
            "value_index": pa.Column(pl.Int32, [where(lambda n: n >= 0, "not_negative")]),
            "value": pa.Column(pl.String, nullable=True),
            **more,
        },
        checks=checks,
    )
