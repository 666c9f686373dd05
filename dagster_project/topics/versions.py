"""Which version of the topics a period has: chains of versions, and when a new one is due. Pure.

A chain is the versions that share ids. Weeks have one chain, days one and months one, so that a topic lasts from week
to week; periods of one kind share no day. A study window is a chain of its own. Two chains know nothing of one another:
a topic of a week and a topic of a month are different sets of conversations under different ids (decision 0027), and
no sum of one kind tells of the other. Not here: fitting (`fitting.py`), storing (`storage/topic_models.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from dagster_project.domain.periods import Period, PeriodKind
from dagster_project.domain.topics.model import Fit

GROWN = 2
"""A version is due again when there are so many times the days to fit on: the first ones know too little."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When topics are found anew. span_days: fitted on so many days up to a period's end (the period, where it is
    longer). refit_days: a version serves so long. drift: and until so much more of a period fits nowhere (share)."""

    span_days: int = 56
    refit_days: int = 28
    drift: float = 0.15


def chain_of(period: Period) -> str:
    """The name of a period's chain."""
    return period.key if period.kind is PeriodKind.WINDOW else period.kind.value


def span_of(period: Period, schedule: Schedule) -> tuple[date, date]:
    """The days that a version for this period is fitted on, half-open: nothing after it, so that a backfill repeats."""
    if period.kind is PeriodKind.WINDOW:
        return period.start, period.end
    return min(period.start, period.end - timedelta(days=schedule.span_days)), period.end


def valid(versions: Sequence[date], period: Period) -> date | None:
    """The newest version that knows nothing of what came after a period; None where there is none."""
    return max((version for version in versions if version <= period.end), default=None)


def neighbour(versions: Sequence[date], end: date) -> date | None:
    """The version whose ids a new one of this end takes up: the one before, else the one after."""
    before = [version for version in versions if version <= end]
    return max(before) if before else min(versions, default=None)


def is_due(fit: Fit, period: Period, n_days: int, schedule: Schedule) -> bool:
    """Whether a period needs a newer version than this. n_days: days with conversations in the period's span."""
    return (period.end - fit.end).days >= schedule.refit_days or n_days >= GROWN * fit.n_days
