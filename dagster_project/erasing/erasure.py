"""Erasing, from a request to the last byte: the order of the steps, and what commands and runs call.

A tombstone comes first, so that what is to go stays out from that moment, whatever happens next; it is pending until
everything is carried out, and every step may be done again. Texts are read for their hashes before they go; landing,
from which everything else can be found, goes last. Not here: what each store does (`storage/`), finding (`survey.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from dagster_project.coding.tasks import remove_items
from dagster_project.days import Marks, labels_digest, published_periods
from dagster_project.erasing.days import clear_lake, clear_landing, drop_topics, periods_of_lake, plan, touched
from dagster_project.erasing.leftovers import sweep
from dagster_project.erasing.survey import items_of, named, survey
from dagster_project.erasing.traces import Forgotten, forget, ledger_of
from dagster_project.errors import scrubbed
from dagster_project.intake import catch_up, names_erased
from dagster_project.storage.closed_days import ClosedDays
from dagster_project.storage.contributions import Contributions
from dagster_project.storage.in_use import HomeBusyError, alone
from dagster_project.storage.ingest_index import IngestIndex, compact
from dagster_project.storage.quarantine import drop_records
from dagster_project.storage.tombstones import Erased, Tombstones
from dagster_project.storage.topic_models import TopicModels
from dagster_project.storage.warehouse_rewriting import erase_rows
from dagster_project.workspace import Workspace

WAIT_SECONDS = 60.0
"""How long the command waits for runs and ingests to end."""

Step = Callable[[str], None]
"""Called when a step is done (fault tests kill there)."""


class ErasureWaits(HomeBusyError):
    """The request is noted, and carried out as soon as nobody else is at work in the home."""


@dataclass
class Report:
    """What was removed, by count. closed: published periods that can no longer be corrected."""

    conversations: int = 0
    days: list[date] = field(default_factory=list)
    lake_rows: dict[str, int] = field(default_factory=dict)
    answers: int = 0
    vectors: int = 0
    requests: int = 0
    warehouse_rows: int = 0
    topics: list[str] = field(default_factory=list)
    quarantined: int = 0
    coding_items: int = 0
    leftovers: int = 0
    closed: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The form of `confide erase --json`."""
        return {
            "conversations": self.conversations,
            "days": [day.isoformat() for day in self.days],
            "lake_rows": self.lake_rows,
            "answers": self.answers,
            "vectors": self.vectors,
            "ledger_rows": self.requests,
            "warehouse_rows": self.warehouse_rows,
            "topics_dropped": self.topics,
            "quarantined": self.quarantined,
            "coding_items": self.coding_items,
            "leftover_files": self.leftovers,
            "closed_to_correction": self.closed,
        }


def erase(workspace: Workspace, erased: Erased, wait_seconds: float = WAIT_SECONDS) -> Report:
    """Note what is to be erased and carry it out, together with whatever was noted before and cut short.

    Raises ErasureWaits when others are at work for longer than `wait_seconds`: then it is noted, new records of it stay
    out, and the next run or erasure carries it out. Raises ConfideError when a store cannot be reached or written: the
    same, and the message says which.
    """
    Tombstones(workspace.home).add(erased)
    try:
        return carry_out_pending(workspace, wait_seconds) or Report()
    except HomeBusyError:
        raise ErasureWaits(
            "a run or an ingest goes on in this home: the erasure is noted, what it names stays out, and it is carried "
            "out before the next run, or when you give this command again"
        ) from None


def request_of(workspace: Workspace, user_ids: list[str], conversation_ids: list[str]) -> Erased:
    """What is asked for, under pseudonyms: from here on nothing knows the ids."""
    pseudonyms = workspace.pseudonyms
    return Erased(frozenset(map(pseudonyms.user, user_ids)), frozenset(map(pseudonyms.conversation, conversation_ids)))


def carry_out_pending(workspace: Workspace, wait_seconds: float, step: Step = lambda _: None) -> Report | None:
    """Carry out what is pending, alone in the home; None when there is nothing. Raises HomeBusyError, ConfideError."""
    if not Tombstones(workspace.home).pending():
        return None
    with alone(workspace.home, wait_seconds):
        # Another process may have been quicker.
        if not Tombstones(workspace.home).pending():
            return None
        return carry_out(workspace, step)


def carry_out(workspace: Workspace, step: Step = lambda _: None) -> Report:
    """Carry out what is pending. Call it while alone in the home. Killed anywhere, doing it again ends the same."""
    home, landing, lake = workspace.home, workspace.landing, workspace.lake
    tombstones, marks, report = Tombstones(home), Marks(home), Report()
    with scrubbed("erasing"):
        with IngestIndex(home.ingest_index) as index:
            catch_up(index, landing)
            pending = tombstones.pending()
            doomed = survey(landing, lake, pending)
            # A user's conversations stay out by themselves too: another format may not name the user.
            by_name = Erased(conversations=named(doomed))
            tombstones.add(by_name)
            pending |= by_name
            ClosedDays(home).close(doomed)
            step("noted")
            forgotten = Forgotten()
            index.mark(pending)
            with ledger_of(workspace) as ledger:
                for day, one in doomed.items():
                    forget(workspace, index, ledger, day, one, forgotten)
                    step(f"forgot {day}")
            sound = [day for day in doomed if marks.read(day) == labels_digest(workspace, day)]
            marks.begin(doomed)
            removed = erase_rows(home, pending, doomed)
            step("warehouse")
            periods = touched(periods_of_lake(lake), doomed)
            marks.begin({*removed.periods, *(period.key for period in periods)} - {day.isoformat() for day in doomed})
            drop_topics(lake, periods)
            # Before the lake: while its days are there, a version that is not marked yet is found again after a kill.
            TopicModels(home).touch(doomed)
            contributions = Contributions(home)
            contributions.forget(touched(contributions.periods(), doomed))
            step("topics")
            plans = {day: plan(landing, day, one) for day, one in doomed.items()}
            report.coding_items = remove_items(home, items_of(lake, doomed))
            step("coding")
            for day, planned in plans.items():
                _add(report.lake_rows, clear_lake(lake, day, doomed[day], planned))
                step(f"lake {day}")
            for day, planned in plans.items():
                clear_landing(landing, day, doomed[day], planned)
                step(f"landing {day}")
            report.conversations = index.erase()
            index.uncover(f"day={day}/{old}" for day, p in plans.items() for old in p.names)
            index.cover(f"day={day}/{new}" for day, p in plans.items() for new in p.names.values() if new is not None)
            index.commit()
            step("index")
        compact(home.ingest_index)
        report.quarantined = _clear_quarantine(workspace, pending)
        report.leftovers = sweep(home)
        step("quarantine")
        for day in sound:
            if not plans[day].empty and (digest := labels_digest(workspace, day)) is not None:
                marks.write(day, digest)
        tombstones.settle(pending)
        step("settled")
    report.days = sorted(doomed)
    report.answers, report.vectors, report.requests = forgotten.answers, forgotten.vectors, forgotten.requests
    report.warehouse_rows = removed.rows
    report.topics = [period.key for period in periods]
    report.closed = [p.key for p in published_periods(home) if any(p.start <= day < p.end for day in doomed)]
    return report


def _clear_quarantine(workspace: Workspace, pending: Erased) -> int:
    """Refused records that name what is erased; by age, those that were set aside before that day."""
    pseudonyms = workspace.pseudonyms
    before = None if pending.before is None else datetime.combine(pending.before, time(), UTC)
    return drop_records(
        workspace.home, lambda file, original: names_erased(pending, pseudonyms, file, original), before
    )


def _add(total: dict[str, int], more: dict[str, int]) -> None:
    for name, n in more.items():
        total[name] = total.get(name, 0) + n
