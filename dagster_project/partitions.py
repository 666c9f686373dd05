"""The two partitionings, and the arithmetic between days, periods and Dagster's ranges.

Lives here: daily partitions, release partitions, ranges of them; pure functions. Not here: what a
period is (`domain/periods.py`), dbt's arguments for a range (`storage/warehouse.py`).
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import dagster as dg

PERIODS_NAME = "periods"
PERIODS = dg.DynamicPartitionsDefinition(name=PERIODS_NAME)
"""Release periods by key. Dynamic, because a study window is chosen, not found in a calendar."""

DAYS_AHEAD = 2
"""Today's and tomorrow's days exist: a record may be dated up to a day ahead."""

MAX_GAP = timedelta(days=14)
"""Days further apart than this are run apart: an empty day costs little, years of them do not."""


def daily_partitions(first_day: date) -> dg.DailyPartitionsDefinition:
    """UTC days from the first one that has conversations."""
    return dg.DailyPartitionsDefinition(start_date=first_day.isoformat(), timezone="UTC", end_offset=DAYS_AHEAD)


def day_ranges(days: Iterable[date]) -> list[tuple[date, date]]:
    """Days -> few ranges (first, last), both included, that leave out gaps over `MAX_GAP`."""
    ranges: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if ranges and day - ranges[-1][1] <= MAX_GAP:
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges


def key_ranges(known: Sequence[str], wanted: Iterable[str]) -> list[tuple[str, str]]:
    """Wanted keys -> ranges that are contiguous in the order of the known ones.

    Raises ValueError when a wanted key is not known.
    """
    order = {key: i for i, key in enumerate(known)}
    try:
        positions = sorted(order[key] for key in set(wanted))
    except KeyError as error:
        raise ValueError(f"unknown partition {error.args[0]}") from None
    ranges: list[tuple[int, int]] = []
    for position in positions:
        if ranges and position == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], position)
        else:
            ranges.append((position, position))
    return [(known[a], known[b]) for a, b in ranges]
