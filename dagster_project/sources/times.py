"""Points in time as chat logs write them: ISO 8601, or numbers since 1970. All turned into UTC.

The host's time zone is never consulted. Not here: what is done with a time that cannot be read.
"""

import math
import re
from datetime import UTC, datetime, timedelta, timezone

from dagster_project.sources.outcome import Reason, Refusal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
FUTURE_ALLOWED = timedelta(days=1)
"""Clocks of other machines run ahead, and a log written in UTC+14 is stamped up to a day early."""

_ISO = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d|\d{8})"
    r"(?:[Tt ](?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,18}))?)?)?)?"
    r" ?(?P<zone>[Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?)?"
)
_FIRST_SECOND, _LAST_SECOND = 946_684_800, 4_102_444_800  # 2000-01-01 and 2100-01-01
_UNITS_PER_SECOND = (1, 1_000, 1_000_000, 1_000_000_000)


def parse_time(value: object) -> tuple[datetime, bool]:
    """A time in UTC, and whether its zone had to be assumed (to be UTC).

    Texts are ISO 8601; numbers (or texts of ten and more digits) count from 1970 in seconds, milli-, micro- or
    nanoseconds, whichever lies in 2000–2100: the four ranges do not overlap. Leap seconds become the last
    microsecond of their minute, so that they stay in their day. Raises Refusal.
    """
    if isinstance(value, datetime):
        return (value.replace(tzinfo=UTC), True) if value.tzinfo is None else (_to_utc(value), False)
    if isinstance(value, bool):
        raise Refusal(Reason.UNREADABLE_TIME)
    if isinstance(value, (int, float)):
        return _from_number(value), False
    if not isinstance(value, str):
        raise Refusal(Reason.UNREADABLE_TIME)
    text = value.strip()
    if 9 < len(text) < 21 and text.isascii() and text.isdigit():
        return _from_number(int(text)), False
    return _from_iso(text)


def plausible(moment: datetime, now: datetime) -> bool:
    """Whether a conversation can have started then: from 2000 to a day after `now`."""
    return EARLIEST <= moment <= now + FUTURE_ALLOWED


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise Refusal(Reason.IMPLAUSIBLE_DATE) from None


def _from_number(number: int | float) -> datetime:
    if isinstance(number, float) and not math.isfinite(number):
        raise Refusal(Reason.UNREADABLE_TIME)
    for units in _UNITS_PER_SECOND:
        if _FIRST_SECOND * units <= number < _LAST_SECOND * units:
            if isinstance(number, int):
                return EPOCH + timedelta(microseconds=number * 1_000_000 // units)
            return EPOCH + timedelta(seconds=number / units)
    raise Refusal(Reason.IMPLAUSIBLE_DATE)


def _from_iso(text: str) -> tuple[datetime, bool]:
    match = _ISO.fullmatch(text) if text.isascii() else None
    if match is None:
        raise Refusal(Reason.UNREADABLE_TIME)
    date, zone = match["date"].replace("-", ""), match["zone"]
    second, microsecond = int(match["second"] or 0), int(f"{match['fraction'] or '0':0<6}"[:6])
    if second == 60:
        second, microsecond = 59, 999_999
    hour, minute = int(match["hour"] or 0), int(match["minute"] or 0)
    try:
        moment = datetime(int(date[:4]), int(date[4:6]), int(date[6:]), hour, minute, second, microsecond, _zone(zone))
    except ValueError:
        raise Refusal(Reason.UNREADABLE_TIME) from None
    return _to_utc(moment), zone is None


def _zone(zone: str | None) -> timezone:
    if zone is None or zone[0] not in "+-":
        return UTC
    digits = zone[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if zone[0] == "-" else offset)
