"""Times decide on days and days on everything: no zone, host or leap second may move a conversation."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.sources.outcome import Reason, Refusal
from dagster_project.sources.times import parse_time, plausible
from tests.support.conversations import NOW

AT = datetime(2026, 10, 5, 8, 30, tzinfo=UTC)

READ: list[tuple[Any, datetime]] = [
    ("2026-10-05T08:30:00Z", AT),
    ("2026-10-05t08:30:00z", AT),
    (" 2026-10-05T08:30Z ", AT),
    ("2026-10-05 08:30:00 UTC", AT),
    ("2026-10-05 08:30:00+00", AT),
    ("2026-10-05T10:30:00+02:00", AT),
    ("2026-10-05T10:30:00+0200", AT),
    ("2026-10-05T03:00:00-05:30", AT),
    ("20261005T083000Z", AT),
    ("2026-10-05T08:30:00.5Z", AT + timedelta(milliseconds=500)),
    ("2026-10-05T08:30:00,123456789Z", AT + timedelta(microseconds=123456)),
    # Another zone's evening is another UTC day.
    ("2026-10-05T23:30:00-02:00", datetime(2026, 10, 6, 1, 30, tzinfo=UTC)),
    # Days of 23 and 25 hours have an hour that is missing or comes twice: with its offset each is one moment.
    ("2026-03-29T02:30:00+01:00", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    ("2026-10-25T02:30:00+02:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ("2026-10-25T02:30:00+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ("2026-10-05T23:59:59.999999Z", datetime(2026, 10, 5, 23, 59, 59, 999_999, tzinfo=UTC)),
    ("2026-10-05T23:59:59.9999999Z", datetime(2026, 10, 5, 23, 59, 59, 999_999, tzinfo=UTC)),
    # A leap second belongs to the day that it ends.
    ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ("2017-01-01T08:59:60+09:00", datetime(2016, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    (1_791_189_000, AT),
    (1_791_189_000.25, AT + timedelta(milliseconds=250)),
    (1_791_189_000_000, AT),
    (1_791_189_000_000_001, AT + timedelta(microseconds=1)),
    (1_791_189_000_000_000_000, AT),
    ("1791189000", AT),
    ("1791189000000", AT),
    (AT.astimezone(timezone(timedelta(hours=9))), AT),
]


@pytest.mark.parametrize(("value", "moment"), READ, ids=[str(case[0]) for case in READ])
def test_one_moment_however_it_is_written(value: Any, moment: datetime) -> None:
    assert parse_time(value) == (moment, False)


@pytest.mark.parametrize("value", ["2026-10-05T08:30:00", "2026-10-05 08:30", AT.replace(tzinfo=None)])
def test_without_a_zone_utc_is_assumed_and_said(value: Any) -> None:
    assert parse_time(value) == (AT, True)


def test_a_date_alone_is_its_first_moment() -> None:
    for value in ("2026-10-05", "20261005"):
        assert parse_time(value) == (datetime(2026, 10, 5, tzinfo=UTC), True)


UNREADABLE: list[Any] = [
    "",
    "soon",
    "2026-13-05T08:30:00Z",
    "2026-02-30",
    "2026-10-05T25:00:00Z",
    "2026-10-05T08:30:61Z",
    "2026-10-05T08:30:00+99:00",
    "05/10/2026 08:30",
    "2026-10-05T08:30:00 Europe/Berlin",
    "20261005x12",
    "２０２６-10-05",
    float("nan"),
    float("inf"),
    True,
    None,
    [],
    {},
]


@pytest.mark.parametrize("value", UNREADABLE, ids=repr)
def test_a_time_that_could_be_two_or_none_is_refused(value: Any) -> None:
    with pytest.raises(Refusal) as refusal:
        parse_time(value)
    assert refusal.value.reason is Reason.UNREADABLE_TIME


@pytest.mark.parametrize("value", [0, -1, 12_345, 99_999_999_999, 10**400, -1e300])
def test_numbers_of_no_plausible_time_are_refused_as_that(value: float) -> None:
    with pytest.raises(Refusal) as refusal:
        parse_time(value)
    assert refusal.value.reason is Reason.IMPLAUSIBLE_DATE


def test_the_bounds_of_plausible_dates_are_exact() -> None:
    first, last, moment = datetime(2000, 1, 1, tzinfo=UTC), NOW + timedelta(days=1), timedelta(microseconds=1)
    assert plausible(first, NOW) and plausible(last, NOW)
    assert not plausible(first - moment, NOW) and not plausible(last + moment, NOW)


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)),
    st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
)
def test_what_python_writes_is_read_back(moment: datetime, zone: timezone) -> None:
    aware = moment.replace(tzinfo=UTC)
    assert parse_time(aware.astimezone(zone).isoformat()) == (aware, False)


def test_the_zone_of_the_host_changes_nothing() -> None:
    """A server moved to another zone would otherwise move conversations to other days."""
    program = (
        "from dagster_project.sources.times import parse_time\n"
        "print([parse_time(v) for v in ('2026-10-25T02:30:00', '2026-03-29T02:30:00Z', 1791189000, 1791189000.5)])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "TZ": zone}, capture_output=True, text=True, check=True
        ).stdout
        for zone in ("UTC", "Pacific/Apia", "America/St_Johns")
    }
    assert len(told) == 1
