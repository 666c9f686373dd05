"""Three expectations that Great Expectations lacks: nothing exact beside rounded, nothing told in a withheld row.

Importing this module imports Great Expectations; only `runner.py` does, inside a function.
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


class ColumnValuesMultipleOf(ColumnMapMetricProvider):
    """Whether each value is a multiple of `base`, to within floating point."""

    condition_metric_name = "column_values.multiple_of"
    condition_value_keys = ("base",)

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: Any, base: float, **_: Any) -> Any:
        steps = column.astype("float64") / base
        return (steps - steps.round()).abs() < TOLERANCE


class ExpectColumnValuesToBeMultipleOf(ColumnMapExpectation):
    """Expect the values of a column to be multiples of a base; nulls pass."""

    base: Union[int, float, SuiteParameterDict]  # noqa: UP007  (pydantic 1 inside Great Expectations)

    map_metric = "column_values.multiple_of"
    success_keys = ("base", "mostly")


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
