"""The comparison behind `confide verify`: one number that differs is found, and no withheld cell is told of."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.domain.recomputation import DIFFERS, NOT_RECOMPUTABLE, PeriodCheck, Verification, compare
from dagster_project.domain.tables import FUNNEL, PREVALENCE, TABLES, TOPICS
from dagster_project.policy.loader import Policy
from dagster_project.release import suppressed_rows
from tests.support.candidates import WEEK, candidates, metadata

ROWS = suppressed_rows(candidates(WEEK), metadata(WEEK), Policy.resolve())
NUMBERS = [
    (name, i, column.name)
    for name, rows in ROWS.items()
    for i, row in enumerate(rows)
    for column in TABLES[name].measures
    if row[column.name] is not None
]


def copied(name: str) -> list[dict[str, Any]]:
    return [dict(row) for row in ROWS[name]]


def withheld(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, **{c.name: None for c in PREVALENCE.measures}, "suppressed": True}


@pytest.mark.parametrize("name", [name for name, rows in ROWS.items() if rows])
def test_equal_rows_in_another_order_are_equal(name: str) -> None:
    found = compare(TABLES[name], ROWS[name], copied(name)[::-1])
    assert found.equal and found.cells == sum(not row["suppressed"] for row in ROWS[name])


@given(st.sampled_from(NUMBERS))
def test_one_number_that_differs_is_found_and_named_without_its_value(where: tuple[str, int, str]) -> None:
    """Prevents a changed figure, of any table and column, from passing for recomputed."""
    name, i, column = where
    rows = copied(name)
    rows[i][column] += 1
    found = compare(TABLES[name], rows, ROWS[name])
    keys = "/".join(str(rows[i][key]) for key in TABLES[name].keys)
    assert not found.equal and found.differ == (f"{keys}: {column}",)


def test_a_cell_that_is_published_and_would_be_withheld_now_differs() -> None:
    rows = copied("prevalence")
    rows[2] = withheld(rows[2])
    for whole in (True, False):
        found = compare(PREVALENCE, ROWS["prevalence"], rows, whole)
        assert found.differ == (f"{rows[2]['category']}: withheld now",)


def test_a_cell_that_was_withheld_is_told_of_by_count_alone() -> None:
    """Prevents the command from publishing what the release withheld."""
    rows = copied("prevalence")
    rows[2] = withheld(rows[2])
    found = compare(PREVALENCE, rows, ROWS["prevalence"])
    assert (found.differ, found.withheld_otherwise, found.cells) == ((), 1, len(rows) - 1)
    check = PeriodCheck(WEEK.key, 0, DIFFERS, tables={"prevalence": found})
    assert str(ROWS["prevalence"][2]["category"]) not in str(check.as_json())


def test_where_only_single_cells_were_judged_nothing_is_said_of_withheld_ones() -> None:
    rows = copied("prevalence")
    rows[2] = withheld(rows[2])
    assert compare(PREVALENCE, rows, ROWS["prevalence"], whole=False).equal
    assert compare(TOPICS, copied("topics")[1:], ROWS["topics"], whole=False).equal


def test_rows_that_only_one_has_differ_and_unpublished_topics_are_not_counted() -> None:
    assert compare(FUNNEL, ROWS["funnel"], copied("funnel")[1:]).rows_otherwise == 1
    assert compare(TOPICS, ROWS["topics"], copied("topics")[3:]).rows_otherwise == 3
    assert compare(TOPICS, copied("topics")[3:], ROWS["topics"]).rows_otherwise == 1


def test_what_cannot_be_recomputed_is_no_difference_and_a_changed_file_is() -> None:
    gone = PeriodCheck(WEEK.key, 0, NOT_RECOMPUTABLE, "erased")
    assert Verification("r1", "1", periods=[gone]).ok
    assert not Verification("r1", "1", periods=[gone], files=["tables/funnel.csv was altered"]).ok
    assert not Verification("r1", "1", frozen=["r0: funnel"]).ok
    assert not Verification("r1", "1", periods=[PeriodCheck(WEEK.key, 0, DIFFERS)]).ok
