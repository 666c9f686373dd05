"""Taking rows out of days: lake and landing, so that a day that was up to date still is.

The lake goes first and is told what its day will be put together from (`landing_rewriting.renamed`): the files that
this leaves are those that a run over the new landing would write. Not here: which rows go (`survey.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from dagster_project.domain.periods import Period, parse_period
from dagster_project.erasing.survey import Doomed
from dagster_project.labelling import answer_counts
from dagster_project.storage.lake import BY_PERIOD, TABLES, Lake
from dagster_project.storage.landing import INPUTS, Landing, about_day, digest_of
from dagster_project.storage.landing_rewriting import renamed, write_changed

_HEADS = ("conversations", "messages")
BY_DAY = tuple(table for table in TABLES if table not in BY_PERIOD and table not in _HEADS)


@dataclass(frozen=True)
class Plan:
    """What becomes of a day's parts: new name by old one, None where nothing is left."""

    names: dict[str, str | None]
    old_inputs: str

    @property
    def new_inputs(self) -> str:
        """What the day will be put together from."""
        return digest_of(sorted({name for name in self.names.values() if name is not None}))

    @property
    def empty(self) -> bool:
        """Whether nothing of the day is left."""
        return not any(self.names.values())


def plan(landing: Landing, day: date, doomed: Doomed) -> Plan:
    """What will become of a day's parts. Reads keys alone."""
    names = {part.name: renamed(part, doomed.without) for part in landing.parts(day)}
    return Plan(names, digest_of(names))


def clear_lake(lake: Lake, day: date, doomed: Doomed, planned: Plan) -> dict[str, int]:
    """Take a day's doomed rows out of every table of the lake; rows that went by table."""
    frames = {table: lake.read(table, day) for table in (*BY_DAY, *_HEADS) if lake.path(table, day).exists()}
    gone = {table: doomed.gone(frame).height for table, frame in frames.items()}
    left = {table: doomed.left(frame) for table, frame in frames.items()}
    if planned.empty and all(frame.is_empty() for frame in left.values()):
        for table in frames:
            remove(lake.path(table, day))
        return gone
    for table, frame in left.items():
        about = lake.about(table, day) or {}
        if INPUTS in about:
            inputs = about[INPUTS].replace(planned.old_inputs, planned.new_inputs)
            if table == "screening":
                about = {**about, INPUTS: inputs}
            elif table not in _HEADS:
                about = {**about, INPUTS: inputs, "labels": str(sum(answer_counts(frame).values()))}
            elif left.keys() >= set(_HEADS):
                about = about_day(left["conversations"], left["messages"], inputs)
        if gone[table] or about != lake.about(table, day):
            lake.write(table, day, frame, about)
    return gone


def clear_landing(landing: Landing, day: date, doomed: Doomed, planned: Plan) -> None:
    """Replace a day's parts by what is left of them. The new part lies there before the old one goes."""
    folder = landing.folder(day)
    for old, new in planned.names.items():
        if new != old:
            if new is not None:
                write_changed(folder / old, doomed.without, folder / new)
            (folder / old).unlink()
    if planned.empty and folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


def periods_of_lake(lake: Lake) -> set[str]:
    """Keys of the periods that the lake has topics for."""
    files: set[Path] = set()
    for table in BY_PERIOD:
        files.update(lake.path(table, "any").parent.parent.glob("period=*/data.parquet"))
    return {file.parent.name.removeprefix("period=") for file in files}


def touched(keys: Iterable[str], days: Iterable[date]) -> list[Period]:
    """The periods, out of those with these keys, that hold any of the days; in order."""
    wanted = list(days)
    periods = [parse_period(key) for key in keys]
    return sorted(p for p in periods if any(p.start <= day < p.end for day in wanted))


def drop_topics(lake: Lake, periods: Iterable[Period]) -> int:
    """Drop topics, their names and who was assigned to them: they were made from all of a period's conversations."""
    files = [lake.path(table, period.key) for period in periods for table in BY_PERIOD]
    rows: int = sum(pq.read_metadata(file).num_rows for file in files if file.exists())
    for file in files:
        remove(file)
    return rows


def remove(file: Path) -> None:
    """Remove one partition's file, and its folder where nothing else is in it."""
    file.unlink(missing_ok=True)
    if file.parent.exists() and not any(file.parent.iterdir()):
        file.parent.rmdir()
