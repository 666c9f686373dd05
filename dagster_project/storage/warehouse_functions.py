"""The estimators as SQL functions, the same for dbt and for every other connection.

Lives here: their SQL signatures and the way between Arrow and `domain/estimation`. Not here: the methods
(`domain/estimation`), opening connections (`warehouse.py`).

    wilson_interval(share, residual_square, n_conversations, n_users, of_kish) -> STRUCT(low, high)
    two_phase_interval(above the cut, below, the part below)          -> STRUCT(low, high)
    bootstrap_mean(sums of each user, weights of each user)           -> STRUCT(low, high)
    share_of_true(weights of each user's true ones, weights of each user, n_conversations) -> STRUCT(value, low, high)
    corrected_share(raw, true of yes, true of no)                      -> STRUCT(value, low, high), of three such
    prediction_powered_mean(truth, predicted, labelled, all predicted, all) -> STRUCT(value, low, high), of sums by user
    agreement_of(both, predicted alone, true alone, neither)           -> STRUCT, of lists of weights by user

All give NULL where an argument is NULL or there is nobody to estimate from.
"""

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from dagster_project.domain.estimation.agreement import Agreement, agreement_of
from dagster_project.domain.estimation.bootstrap import bootstrap_mean_interval
from dagster_project.domain.estimation.correction import Estimate, corrected_share, share_of_true
from dagster_project.domain.estimation.prediction_powered import UserSums, prediction_powered_mean
from dagster_project.domain.estimation.two_phase import Part, two_phase_interval
from dagster_project.domain.estimation.wilson import Interval, clustered_wilson_interval

INTERVAL = pa.struct([("low", pa.float64()), ("high", pa.float64())])
DECIMALS = 9
"""Ends are rounded to this, so that the order in which DuckDB's threads add cannot show."""


def _row_by_row(estimate: Callable[..., Interval | None], columns: Iterable[Any]) -> pa.Array:
    def one(values: tuple[Any, ...]) -> dict[str, float] | None:
        interval = None if any(v is None for v in values) else estimate(*values)
        return interval and {"low": round(interval.low, DECIMALS) + 0.0, "high": round(interval.high, DECIMALS) + 0.0}

    return pa.array([one(values) for values in zip(*columns, strict=True)], INTERVAL)


def _wilson(share: Any, residual: Any, n_conversations: Any, n_users: Any, most: Any) -> pa.Array:
    def estimate(share: float, residual: float, n_conversations: int, n_users: int, most: float) -> Interval | None:
        if n_users < 1:
            return None
        return clustered_wilson_interval(share, residual, n_conversations, n_users, most)

    return _row_by_row(estimate, (c.to_pylist() for c in (share, residual, n_conversations, n_users, most)))


def _two_phase(above: Any, below: Any, below_part: Any) -> pa.Array:
    def estimate(above: dict[str, Any], below: dict[str, Any], below_part: float) -> Interval | None:
        parts = [None if None in part.values() else Part(**part) for part in (above, below)]
        return two_phase_interval(parts[0], parts[1], below_part) if parts[0] else None

    return _row_by_row(estimate, (c.to_pylist() for c in (above, below, below_part)))


def _bootstrap(sums: Any, weights: Any) -> pa.Array:
    def estimate(sums: Any, weights: Any) -> Interval | None:
        return bootstrap_mean_interval(sums, weights) if len(sums) else None

    # Lists stay Arrow until numpy takes them: a cell may hold hundreds of thousands of users.
    return _row_by_row(estimate, ([v.values.to_numpy() if v.is_valid else None for v in c] for c in (sums, weights)))


def _numbers(values: Iterable[float | None]) -> list[float | None]:
    return [None if value is None else round(value, DECIMALS) + 0.0 for value in values]


def _structs(names: tuple[str, ...], estimate: Callable[..., Any], columns: Iterable[Any]) -> pa.Array:
    def one(values: tuple[Any, ...]) -> dict[str, float | None] | None:
        found = None if any(v is None for v in values) else estimate(*values)
        return None if found is None else dict(zip(names, _numbers(found), strict=True))

    return pa.array(
        [one(values) for values in zip(*columns, strict=True)], pa.struct([(name, pa.float64()) for name in names])
    )


def _share_of_true(hits: Any, weights: Any, n: Any) -> pa.Array:
    def estimate(hits: list[float], weights: list[float], n: int) -> Estimate | None:
        return share_of_true(hits, weights, n) if weights else None

    return _structs(Estimate._fields, estimate, (c.to_pylist() for c in (hits, weights, n)))


def _corrected_share(raw: Any, true_of_yes: Any, true_of_no: Any) -> pa.Array:
    def estimate(*parts: dict[str, float | None]) -> Estimate | None:
        if any(value is None for part in parts for value in part.values()):
            return None
        return corrected_share(*(Estimate(**part) for part in parts))  # type: ignore[arg-type]

    return _structs(Estimate._fields, estimate, (c.to_pylist() for c in (raw, true_of_yes, true_of_no)))


def _prediction_powered(truth: Any, predicted: Any, labelled: Any, all_predicted: Any, everything: Any) -> pa.Array:
    def estimate(*sums: list[float]) -> Estimate | None:
        users = [UserSums(*values) for values in zip(*sums, strict=True)]
        if sum(user.labelled > 0 for user in users) < 2:
            return None
        return prediction_powered_mean(users).estimate

    columns = truth, predicted, labelled, all_predicted, everything
    return _structs(Estimate._fields, estimate, (c.to_pylist() for c in columns))


def _agreement(both: Any, predicted: Any, true: Any, neither: Any) -> pa.Array:
    def estimate(both: list[float], predicted: list[float], true: list[float], none: list[float]) -> Agreement | None:
        return agreement_of(both, predicted, true, none) if both else None

    return _structs(Agreement._fields, estimate, (c.to_pylist() for c in (both, predicted, true, neither)))


def _struct_type(names: tuple[str, ...]) -> str:
    return f"STRUCT({', '.join(f'{name} DOUBLE' for name in names)})"


def register_estimators(connection: Any) -> None:
    """Register the functions on a DuckDB connection; its cursors share them."""
    connection.create_function(
        "wilson_interval",
        _wilson,
        ["DOUBLE", "DOUBLE", "BIGINT", "BIGINT", "DOUBLE"],
        "STRUCT(low DOUBLE, high DOUBLE)",
        type="arrow",
        null_handling="special",
    )
    part = "STRUCT(share DOUBLE, residual DOUBLE, n BIGINT, users BIGINT)"
    connection.create_function(
        "two_phase_interval",
        _two_phase,
        [part, part, "DOUBLE"],
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
    estimate = _struct_type(Estimate._fields)
    for name, function, parameters, result in (
        ("share_of_true", _share_of_true, ["DOUBLE[]", "DOUBLE[]", "BIGINT"], estimate),
        ("corrected_share", _corrected_share, [estimate] * 3, estimate),
        ("prediction_powered_mean", _prediction_powered, ["DOUBLE[]"] * len(UserSums._fields), estimate),
        ("agreement_of", _agreement, ["DOUBLE[]"] * 4, _struct_type(Agreement._fields)),
    ):
        connection.create_function(name, function, parameters, result, type="arrow", null_handling="special")
