"""The estimators as SQL functions, the same for dbt and for every other connection.

Lives here: their SQL signatures and the way between Arrow and `domain/estimation`. Not here: the methods
(`domain/estimation`), opening connections (`warehouse.py`).

    wilson_interval(share, residual_square, n_conversations, n_users) -> STRUCT(low, high)
    bootstrap_mean(sums of each user, weights of each user)           -> STRUCT(low, high)

Both give NULL where an argument is NULL or there is nobody to estimate from.
"""

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from dagster_project.domain.estimation.bootstrap import bootstrap_mean_interval
from dagster_project.domain.estimation.wilson import Interval, clustered_wilson_interval

INTERVAL = pa.struct([("low", pa.float64()), ("high", pa.float64())])
DECIMALS = 9
"""Ends are rounded to this, so that the order in which DuckDB's threads add cannot show."""


def _row_by_row(estimate: Callable[..., Interval | None], columns: Iterable[Any]) -> pa.Array:
    def one(values: tuple[Any, ...]) -> dict[str, float] | None:
        interval = None if any(v is None for v in values) else estimate(*values)
        return interval and {"low": round(interval.low, DECIMALS) + 0.0, "high": round(interval.high, DECIMALS) + 0.0}

    return pa.array([one(values) for values in zip(*columns, strict=True)], INTERVAL)


def _wilson(share: Any, residual: Any, n_conversations: Any, n_users: Any) -> pa.Array:
    def estimate(share: float, residual: float, n_conversations: int, n_users: int) -> Interval | None:
        if n_users < 1:
            return None
        return clustered_wilson_interval(share, residual, n_conversations, n_users)

    return _row_by_row(estimate, (c.to_pylist() for c in (share, residual, n_conversations, n_users)))


def _bootstrap(sums: Any, weights: Any) -> pa.Array:
    def estimate(sums: Any, weights: Any) -> Interval | None:
        return bootstrap_mean_interval(sums, weights) if len(sums) else None

    # Lists stay Arrow until numpy takes them: a cell may hold hundreds of thousands of users.
    return _row_by_row(estimate, ([v.values.to_numpy() if v.is_valid else None for v in c] for c in (sums, weights)))


def register_estimators(connection: Any) -> None:
    """Register the functions on a DuckDB connection; its cursors share them."""
    connection.create_function(
        "wilson_interval",
        _wilson,
        ["DOUBLE", "DOUBLE", "BIGINT", "BIGINT"],
        "STRUCT(low DOUBLE, high DOUBLE)",
        type="arrow",
        null_handling="special",
    )
    connection.create_function(
        "bootstrap_mean",
        _bootstrap,
        ["DOUBLE[]", "DOUBLE[]"],
        "STRUCT(low DOUBLE, high DOUBLE)",
        type="arrow",
        null_handling="special",
    )
