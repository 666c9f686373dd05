"""What protection costs: time of a release, cells withheld. Run: python benchmarks/disclosure.py [--weeks 31] [--fast]

Random populations of three sizes, released week by week in one go (31 weeks hold about 5,000 cells), and one of them by
day, week and window together. Safe cells: at least 3k users in the cell and outside it, no dominance.
"""

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dagster_project.domain.disclosure.editions import Edition, editions_of
from dagster_project.domain.disclosure.primary import Reason, primary
from dagster_project.domain.disclosure.suppression import suppress
from dagster_project.domain.periods import Period, PeriodKind, parse_period, period_of
from dagster_project.domain.tables import TABLES
from dagster_project.policy.loader import Policy
from tests.support.populations import Habits, candidate_rows, random_talks

RULES = Policy.resolve().rules
MONDAY = date(2026, 1, 5)
SIZES = {"small": 400, "medium": 1500, "large": 6000}
Rows = dict[str, list[dict[str, Any]]]


def is_safe(table: str, row: dict[str, Any], reason: Reason | None) -> bool:
    """Whether a cell is so large, and so is what lies outside it, that it has to be published."""
    enough = 3 * RULES.of(TABLES[table]).users
    outside = row["rest_users"] if TABLES[table].is_rate and not TABLES[table].is_total(row) else enough
    return reason is None and row["n_users"] >= enough and outside >= 3 * RULES.min_users


def shares(exact: Rows, rows: Rows) -> tuple[int, int, int, int, int]:
    """Cells, those that primary suppression leaves, those withheld of them, safe ones, safe ones withheld."""
    decided = primary(exact, RULES)
    cells = publishable = lost = safe = lost_safe = 0
    for name, table in TABLES.items():
        shown = {(row["period_key"], *(row[key] for key in table.keys)) for row in rows[name] if not row["suppressed"]}
        for row, reason in zip(exact[name], decided[name], strict=True):
            gone = (row["period_key"], *(row[key] for key in table.keys)) not in shown
            cells += 1
            publishable += reason is None
            lost += reason is None and gone
            safe += is_safe(name, row, reason)
            lost_safe += is_safe(name, row, reason) and gone
    return cells, publishable, lost, safe, lost_safe


def line(what: str, exact: Rows, rows: Rows, seconds: float) -> None:
    cells, publishable, lost, safe, lost_safe = shares(exact, rows)
    print(
        f"{what:24} {cells:6} cells, {100 * (1 - publishable / cells):5.1f} % withheld at once, "
        f"{100 * lost / max(publishable, 1):5.1f} % of the rest by complement, "
        f"{100 * (1 - lost_safe / max(safe, 1)):5.1f} % of {safe} safe cells published, {seconds:6.1f} s of CPU"
    )


def release(exact: Rows, published: Sequence[Edition] = ()) -> tuple[Rows, float]:
    """The published rows and the CPU seconds that they took."""
    started = time.process_time()
    rows = suppress(exact, RULES, published)
    return rows, time.process_time() - started


def by_week(what: str, users: int, weeks: int) -> None:
    talks = random_talks(1, Habits(users * weeks, untold=0.0), MONDAY, 7 * weeks)
    # A population of as many users every week: each writes in one week or a few.
    periods = [period_of(MONDAY + timedelta(7 * i), PeriodKind.WEEK) for i in range(weeks)]
    exact = candidate_rows([replace(t, day=_week_of(t.user, t.day, weeks)) for t in talks], periods)
    rows, seconds = release(exact)
    line(f"{what}, {weeks} weeks", exact, rows, seconds)


def _week_of(user: int, day: date, weeks: int) -> date:
    return MONDAY + timedelta(7 * (user % weeks) + day.weekday())


def rolled_up(users: int, days: int) -> None:
    """Days, then their weeks, then the whole window, each a release of its own beside all earlier ones."""
    talks = random_talks(2, Habits(users, talks_per_user=days / 2, untold=0.0), MONDAY, days)
    every = [MONDAY + timedelta(i) for i in range(days)]
    waves: list[tuple[str, list[Period]]] = [
        ("days", [period_of(day, PeriodKind.DAY) for day in every]),
        ("weeks over them", sorted({period_of(day, PeriodKind.WEEK) for day in every if _whole(day, days)})),
        ("window over all", [parse_period(f"{every[0]}..{every[-1]}")]),
    ]
    published: list[Edition] = []
    for what, periods in waves:
        exact = candidate_rows(talks, periods)
        rows, seconds = release(exact, published)
        line(f"{days} days: {what}", exact, rows, seconds)
        published += [replace(edition, frozen=True) for edition in editions_of(rows, RULES, 5)]


def _whole(day: date, days: int) -> bool:
    return period_of(day, PeriodKind.WEEK).end <= MONDAY + timedelta(days)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=31)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--fast", action="store_true")
    args = parser.parse_args()
    weeks, days = (2, 14) if args.fast else (args.weeks, args.days)
    for what, users in SIZES.items():
        by_week(what, users, weeks)
    rolled_up(1500, days)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
