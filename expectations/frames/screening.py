"""The contract of `screening`: one row per conversation of a day that is screened in two phases, asked about or not.

Above the cut every conversation is asked about. Days of a census have no rows.
"""

from typing import Any

import polars as pl

from expectations.frames.checks import KEY, matches, one_of, rows_where, unique, where
from expectations.frames.contract import Context

STRATA = ("above", "below")


def contract(context: Context) -> Any:
    """The Pandera schema of one day's screening."""
    import pandera.polars as pa

    certain = (pl.col("inclusion_probability") == 1) & pl.col("is_asked")
    return pa.DataFrameSchema(
        {
            "conversation_key": pa.Column(pl.String, [matches(KEY, "is_pseudonym")]),
            "stratum": pa.Column(pl.String, [one_of(STRATA)]),
            "inclusion_probability": pa.Column(pl.Float64, [where(lambda p: (p > 0) & (p <= 1), "above_0_to_1")]),
            "is_asked": pa.Column(pl.Boolean),
        },
        checks=[
            unique("conversation_key", name="screened_once"),
            rows_where((pl.col("stratum") != "above") | certain, "all_above_are_asked"),
        ],
    )
