"""Checks that several contracts share, each under a name that says what is wrong and holds no value.

Not here: which table needs which.
"""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

KEY = r"^[0-9a-f]{32}$"


def matches(pattern: str, name: str) -> Any:
    """Texts that a regular expression finds."""
    return where(lambda column: column.str.contains(pattern), name)


def one_of(allowed: Sequence[str], name: str = "known_value") -> Any:
    """Texts of a closed vocabulary."""
    return where(lambda column: column.is_in(list(allowed)), name)


def where(condition: Callable[[pl.Expr], pl.Expr], name: str) -> Any:
    """Values of one column for which a condition holds; nulls are left to the column's own rule."""
    import pandera.polars as pa

    return pa.Check(lambda data: data.lazyframe.select(condition(pl.col(data.key)).fill_null(True)), name=name)


def rows_where(condition: pl.Expr, name: str) -> Any:
    """Rows for which a condition over several columns holds; unknown counts as failing."""
    import pandera.polars as pa

    return pa.Check(lambda data: data.lazyframe.select(condition.fill_null(False)), name=name)


def unique(*columns: str, name: str, among: pl.Expr | None = None) -> Any:
    """Rows that share their values of these columns with no other (of those that `among` picks)."""
    alone = pl.struct(columns).is_unique() if among is None else pl.len().over([*columns, among]) == 1
    return rows_where(alone if among is None else ~among | alone, name)
