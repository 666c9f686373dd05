"""What Great Expectations lacks: the same of several columns at once, nothing exact beside rounded, nothing told in
a withheld row.

Of several columns at once, for two reasons: a suite stays short enough to be read, and what checking costs is an affair
of how many expectations there are, not of how many rows. Importing this module imports Great Expectations; only
`runner.py` does, inside a function.
"""

# mypy: ignore-errors
# Great Expectations re-exports these names without saying so, and its decorators are untyped.
from typing import Any, Union

from great_expectations.core.suite_parameters import SuiteParameterDict
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation, MulticolumnMapExpectation
from great_expectations.expectations.metrics import ColumnMapMetricProvider, column_condition_partial
from great_expectations.expectations.metrics.map_metric_provider import (
    MulticolumnMapMetricProvider,
    multicolumn_condition_partial,
)

TOLERANCE = 1e-6
Number = Union[int, float, SuiteParameterDict]  # noqa: UP007  (pydantic 1 inside Great Expectations)


class MulticolumnValuesNotNull(MulticolumnMapMetricProvider):
    """Whether each column has a value."""

    condition_metric_name = "multicolumn_values.not_null"

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: Any, **_: Any) -> Any:
        return column_list.notna().all(axis=1)


class ExpectMulticolumnValuesToNotBeNull(MulticolumnMapExpectation):
    """Expect a value in every column of every row."""

    map_metric = "multicolumn_values.not_null"
    ignore_row_if: Any = "never"


class MulticolumnValuesBetween(MulticolumnMapMetricProvider):
    """Whether each column's value lies between the two ends, or beyond neither if they are strict; nulls pass."""

    condition_metric_name = "multicolumn_values.between"
    condition_value_keys = ("min_value", "max_value", "strict")

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: Any, min_value: Any, max_value: Any, strict: bool, **_: Any) -> Any:
        passes = column_list.isna()
        inside = ~passes
        if min_value is not None:
            inside &= column_list.gt(min_value) if strict else column_list.ge(min_value)
        if max_value is not None:
            inside &= column_list.lt(max_value) if strict else column_list.le(max_value)
        return (passes | inside).all(axis=1)


class ExpectMulticolumnValuesToBeBetween(MulticolumnMapExpectation):
    """Expect the values of all columns to lie between two ends, these included unless `strict`; nulls pass."""

    min_value: Union[Number, None] = None  # noqa: UP007
    max_value: Union[Number, None] = None  # noqa: UP007
    strict: bool = False

    map_metric = "multicolumn_values.between"
    success_keys = ("min_value", "max_value", "strict", "mostly")
    ignore_row_if: Any = "never"


def _multiples(values: Any, base: float) -> Any:
    steps = values.astype("float64") / base
    return steps.isna() | ((steps - steps.round()).abs() < TOLERANCE)


class ColumnValuesMultipleOf(ColumnMapMetricProvider):
    """Whether each value is a multiple of `base`, to within floating point."""

    condition_metric_name = "column_values.multiple_of"
    condition_value_keys = ("base",)

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: Any, base: float, **_: Any) -> Any:
        return _multiples(column, base)


class ExpectColumnValuesToBeMultipleOf(ColumnMapExpectation):
    """Expect the values of a column to be multiples of a base; nulls pass."""

    base: Number

    map_metric = "column_values.multiple_of"
    success_keys = ("base", "mostly")


class MulticolumnValuesMultipleOf(MulticolumnMapMetricProvider):
    """The same of several columns; nulls pass."""

    condition_metric_name = "multicolumn_values.multiple_of"
    condition_value_keys = ("base",)

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: Any, base: float, **_: Any) -> Any:
        return _multiples(column_list, base).all(axis=1)


class ExpectMulticolumnValuesToBeMultipleOf(MulticolumnMapExpectation):
    """Expect the values of all columns to be multiples of a base; nulls pass."""

    base: Number

    map_metric = "multicolumn_values.multiple_of"
    success_keys = ("base", "mostly")
    ignore_row_if: Any = "never"


class MulticolumnValuesNotDecreasing(MulticolumnMapMetricProvider):
    """Whether no column's value is above the next one's; where one of the two is null, they pass."""

    condition_metric_name = "multicolumn_values.not_decreasing"

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: Any, **_: Any) -> Any:
        values = column_list.astype("float64")
        return ~(values.diff(axis=1) < 0).any(axis=1)


class ExpectMulticolumnValuesToNotDecrease(MulticolumnMapExpectation):
    """Expect each column to be no higher than the one after it (low, figure, high); nulls pass."""

    map_metric = "multicolumn_values.not_decreasing"
    ignore_row_if: Any = "never"


class MulticolumnValuesNullExactlyWhereFirst(MulticolumnMapMetricProvider):
    """Whether the other columns are all null where the first, a flag, is true, and none of them where it is false."""

    condition_metric_name = "multicolumn_values.null_exactly_where_first"

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: Any, **_: Any) -> Any:
        flag = column_list.iloc[:, 0].astype(bool)
        nulls = column_list.iloc[:, 1:].isna()
        return (flag & nulls.all(axis=1)) | (~flag & ~nulls.any(axis=1))


class ExpectMulticolumnValuesToBeNullExactlyWhereFirst(MulticolumnMapExpectation):
    """Expect every column after the first to be null where the first is true, and to have a value where it is not."""

    map_metric = "multicolumn_values.null_exactly_where_first"
    ignore_row_if: Any = "never"


class MulticolumnValuesNullTogetherWhereFirst(MulticolumnMapMetricProvider):
    """Whether the other columns are all null where the first, a flag, is true, and all or none where it is false."""

    condition_metric_name = "multicolumn_values.null_together_where_first"

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: Any, **_: Any) -> Any:
        flag = column_list.iloc[:, 0].astype(bool)
        nulls = column_list.iloc[:, 1:].isna()
        return nulls.all(axis=1) | (~flag & ~nulls.any(axis=1))


class ExpectMulticolumnValuesToBeNullTogetherWhereFirst(MulticolumnMapExpectation):
    """Expect the columns after the first to be null where it is true, and elsewhere to have a value all, or none."""

    map_metric = "multicolumn_values.null_together_where_first"
    ignore_row_if: Any = "never"
