"""Days whose published figures can no longer be compared with what is kept: their periods are closed to correction.

Lives here: the mark, written before the first row of such a day goes, and the two questions that a release asks.
Not here: what a release does with the answer (`days.py`, `release.py`), erasing (`erasing/`).
"""

from collections.abc import Iterable
from datetime import date

import orjson

from dagster_project.domain.periods import Period
from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.storage.files import replacing
from dagster_project.storage.tombstones import Tombstones


class ClosedDaysDamaged(ConfideError):
    """The file cannot be read: nothing is corrected until it is restored."""


class ClosedDays:
    """The closed days of one home (`private/closed_days.json`); a day that is closed stays closed."""

    def __init__(self, home: Home) -> None:
        self._file = home.private / "closed_days.json"

    def read(self) -> frozenset[date]:
        """The days. Raises ClosedDaysDamaged."""
        try:
            return frozenset(date.fromisoformat(day) for day in orjson.loads(self._file.read_bytes()))
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError, TypeError):
            raise ClosedDaysDamaged(f"{self._file} cannot be read: restore it from backup") from None

    def close(self, days: Iterable[date]) -> None:
        """Close some days. Call it while alone in the home (`in_use.alone`)."""
        known = self.read()
        if wanted := frozenset(days) - known:
            with replacing(self._file) as temporary:
                temporary.write_bytes(orjson.dumps(sorted(known | wanted)))


def why_closed(home: Home, period: Period) -> str | None:
    """Why a published period cannot be corrected, in words; None when erasing does not stand in its way."""
    if any(period.start <= day < period.end for day in ClosedDays(home).read()):
        return (
            f"{period.key} is closed to correction: conversations of its days were erased, or the key was rotated, "
            "so what was published can no longer be compared"
        )
    return None


def why_cut(home: Home, period: Period) -> str | None:
    """Why a period cannot be published for the first time any more: some of its days were erased by age."""
    before = Tombstones(home).read().before
    if before is not None and period.start < before:
        return f"{period.key} is no longer whole: conversations before {before} were erased by age"
    return None
