"""Suites, table declarations and policy say the same; a table without a suite cannot be published."""

import json
from pathlib import Path

import pytest

from dagster_project.domain.columns import Role, Table
from dagster_project.domain.tables import TABLES
from dagster_project.policy.loader import Policy
from expectations.runner import SUITES, SuiteError, read_suite

EACH_TABLE = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


def expected(table: Table, kind: str, column: str) -> list[dict[str, object]]:
    """What a suite says of a column, of it alone or of several at once."""
    return [
        e["kwargs"]
        for e in read_suite(table.name)
        if e["type"].endswith(f"_values_{kind}")
        and column in [e["kwargs"].get("column"), *e["kwargs"].get("column_list", [])]
    ]


def test_there_is_one_suite_for_each_published_table() -> None:
    assert {path.stem for path in SUITES.glob("*.json")} == set(TABLES)


@EACH_TABLE
def test_suite_knows_the_columns_and_categories_of_its_table(table: Table) -> None:
    """Prevents a column that nobody declared, or a category made of somebody's text, from being published."""
    (columns,) = [
        e["kwargs"]["column_list"] for e in read_suite(table.name) if e["type"].endswith("match_ordered_list")
    ]
    assert columns == [c.name for c in table.published_columns]
    for key, values in table.fixed.items():
        (accepted,) = expected(table, "to_be_in_set", key)
        assert accepted["value_set"] == list(values)


@EACH_TABLE
def test_every_count_is_held_to_its_threshold_and_base(table: Table) -> None:
    """Prevents a measure that is added to a table from going out unchecked."""
    for column in table.measures:
        if column.role in (Role.CONVERSATIONS, Role.USERS):
            least = "min_users" if column.role is Role.USERS else "min_conversations"
            (between,) = expected(table, "to_be_between", column.name)
            (multiple,) = expected(table, "to_be_multiple_of", column.name)
            assert between["min_value"] == {"$PARAMETER": least}
            assert multiple["base"] == {"$PARAMETER": "rounding_base"}
        else:
            (between,) = expected(table, "to_be_between", column.name)
            assert (between["min_value"], between["max_value"]) == column.bounds
            assert expected(table, "to_be_multiple_of", column.name)


@EACH_TABLE
def test_withheld_rows_are_held_to_be_empty(table: Table) -> None:
    (columns,) = [
        e["kwargs"]["column_list"] for e in read_suite(table.name) if e["type"].endswith("exactly_where_first")
    ]
    assert columns == ["suppressed", *(c.name for c in table.measures if c not in table.optional)]
    together = [
        name for e in read_suite(table.name) if "null_together" in e["type"] for name in e["kwargs"]["column_list"][1:]
    ]
    assert together == [c.name for c in table.optional]


@EACH_TABLE
def test_policy_gives_every_parameter_that_a_suite_needs(table: Table) -> None:
    text = (SUITES / f"{table.name}.json").read_text()
    needed = {part.split('"')[0] for part in text.split('"$PARAMETER": "')[1:]}
    assert needed <= set(Policy.resolve().suite_parameters(table))


@pytest.mark.parametrize("content", [None, "[", "{}", '{"expectations": []}'])
def test_a_missing_damaged_or_empty_suite_is_an_error(tmp_path: Path, content: str | None) -> None:
    """Prevents a deleted or emptied suite from letting every row through."""
    if content is not None:
        (tmp_path / "funnel.json").write_text(content)
    with pytest.raises(SuiteError):
        read_suite("funnel", tmp_path)
    with pytest.raises(SuiteError, match="no suite"):
        read_suite("conversations")


def test_suites_are_readable_json_without_thresholds() -> None:
    """Prevents a threshold from being written in two places."""
    for path in SUITES.glob("*.json"):
        for one in json.loads(path.read_text())["expectations"]:
            said = one["kwargs"]
            columns = [said.get("column", ""), *said.get("column_list", [])]
            if one["type"].endswith("to_be_between") and any(c.startswith(("n_", "of_")) for c in columns):
                assert isinstance(said["min_value"], dict)
