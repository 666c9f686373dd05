"""Retention: conversations older than the setting says are erased, with the machinery of every other erasure.

Lives here: which day that is, and when the setting cannot be meant. Not here: erasing (`erasure.py`), the schedule
(`assets/retention.py`).
"""

from datetime import date, timedelta

from dagster_project.erasing.erasure import WAIT_SECONDS, Report, carry_out_pending, erase
from dagster_project.errors import ConfideError
from dagster_project.settings import Settings
from dagster_project.storage.tombstones import Erased
from dagster_project.workspace import Workspace

LONGEST_DAYS = {"day": 1, "week": 7, "month": 31}
GRACE_DAYS = 7
"""Between the end of a period and the erasing of its first day: time to release it."""


class RetentionError(ConfideError):
    """The setting would erase days before their period can be released."""


def erased_before(settings: Settings, today: date) -> date | None:
    """The day before which everything is to go; None without retention. Raises RetentionError."""
    days = settings.retention.days
    if days is None:
        return None
    least = LONGEST_DAYS[settings.release.period] + GRACE_DAYS
    if days < least:
        raise RetentionError(
            f"setting retention.days: {days} would erase days before their {settings.release.period} can be released; "
            f"give at least {least}"
        )
    return today - timedelta(days=days)


def erase_expired(workspace: Workspace, today: date, wait_seconds: float = WAIT_SECONDS) -> Report:
    """Erase what is older than the setting says, and what is pending. Raises as `erase` does, and RetentionError."""
    before = erased_before(workspace.settings, today)
    if before is None:
        return carry_out_pending(workspace, wait_seconds) or Report()
    return erase(workspace, Erased(before=before), wait_seconds)
