"""Ranges computed wrongly would run, or skip, days and periods that nobody named."""

import itertools
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.partitions import MAX_GAP, day_ranges, key_ranges


@given(st.sets(st.dates(date(2020, 1, 1), date(2021, 1, 1))))
def test_every_day_is_in_exactly_one_range_and_gaps_between_ranges_are_wide(days: set[date]) -> None:
    ranges = day_ranges(days)
    assert all(sum(a <= d <= b for a, b in ranges) == 1 for d in days)
    assert all(a in days and b in days for a, b in ranges)
    assert all(after[0] - before[1] > MAX_GAP for before, after in itertools.pairwise(ranges))


@given(st.lists(st.text("abc", min_size=1, max_size=3), unique=True, min_size=1), st.data())
def test_key_ranges_cover_the_wanted_keys_and_no_other(known: list[str], data: st.DataObject) -> None:
    wanted = data.draw(st.sets(st.sampled_from(known)))
    covered = []
    for first, last in key_ranges(known, wanted):
        covered += known[known.index(first) : known.index(last) + 1]
    assert sorted(covered) == sorted(wanted)


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match="2026-W41"):
        key_ranges(["2026-W40"], ["2026-W41"])
