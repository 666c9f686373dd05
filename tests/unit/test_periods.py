"""A period read wrongly would publish the wrong days."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.domain.periods import DAY, Period, PeriodKind, parse_period, period_of, periods_covering

DAYS = st.dates(date(2000, 1, 3), date(2090, 1, 1))
CALENDAR = st.sampled_from([PeriodKind.DAY, PeriodKind.WEEK, PeriodKind.MONTH])


@given(DAYS, CALENDAR)
def test_a_period_found_by_a_day_holds_it_and_survives_being_written_down(day: date, kind: PeriodKind) -> None:
    period = period_of(day, kind)
    assert period.start <= day < period.end
    assert parse_period(period.key) == period


@given(DAYS, CALENDAR)
def test_periods_of_one_kind_tile_the_calendar_without_gap_or_overlap(day: date, kind: PeriodKind) -> None:
    period = period_of(day, kind)
    assert period_of(period.end, kind).start == period.end
    assert period_of(period.end - DAY, kind) == period


@given(DAYS, st.integers(0, 400))
def test_a_window_includes_both_of_its_days(first: date, length: int) -> None:
    last = first + timedelta(days=length)
    window = parse_period(f"{first}..{last}")
    assert window == Period(first, last + DAY, PeriodKind.WINDOW)
    assert window.days[0] == first and window.days[-1] == last


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-W41", date(2026, 10, 5), date(2026, 10, 12)),
        ("2026-W53", date(2026, 12, 28), date(2027, 1, 4)),
        ("2026-10", date(2026, 10, 1), date(2026, 11, 1)),
        ("2026-12", date(2026, 12, 1), date(2027, 1, 1)),
        ("2024-02-29", date(2024, 2, 29), date(2024, 3, 1)),
    ],
)
def test_known_periods(text: str, start: date, end: date) -> None:
    period = parse_period(text)
    assert (period.start, period.end) == (start, end)


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-W54", "2026-13", "2026-02-30", "2026-11-15..2026-09-21", "2026-W1", " 2026-10", "week"]
)
def test_anything_else_is_refused_with_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a period: .*an ISO week \(2026-W41\)"):
        parse_period(text)


def test_overlap_is_half_open() -> None:
    first, second = parse_period("2026-W41"), parse_period("2026-W42")
    assert not first.overlaps(second)
    assert first.overlaps(parse_period("2026-10-11"))
    assert not first.overlaps(parse_period("2026-10-12"))


def test_periods_covering_are_distinct_and_in_order() -> None:
    days = [date(2026, 10, 13), date(2026, 10, 5), date(2026, 10, 6)]
    assert [p.key for p in periods_covering(days, PeriodKind.WEEK)] == ["2026-W41", "2026-W42"]
