"""The sample that coders are given: strata from the labels, a keyed choice, known probabilities, no day twice.

Lives here: what a stratum is, drawing, and what of it is kept in the lake. Not here: the choice itself
(`domain/sampling.py`), what coders see (`tasks.py`).

A day belongs to one sample at most, so that each conversation has one inclusion probability and it is known.
"""

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from dagster_project.coding.questions import CodingError
from dagster_project.days import day_states
from dagster_project.domain.labels import Status
from dagster_project.domain.sampling import Drawn, draw
from dagster_project.domain.selection import analysed_types
from dagster_project.domain.study import AFFECTIVE_TYPES
from dagster_project.labelling import asked_of_day
from dagster_project.storage.lake import TABLES, Lake
from dagster_project.workspace import Workspace

SURE = 0.8
"""Labels whose score is below this are a stratum of their own: there the labeller errs most."""
RAREST_FIRST = tuple(reversed(AFFECTIVE_TYPES))
LabelRow = tuple[str, str, str | None, float | None]
"""Facet, status, value, score."""


@dataclass(frozen=True)
class Sample:
    """A drawn sample. items: by conversation, the random id under which coders see it."""

    sample_id: str
    drawn: Sequence[Drawn]
    sizes: Mapping[str, int]
    items: Mapping[str, str]
    days: Mapping[str, date]


def stratum_of(rows: Sequence[LabelRow], n_human_messages: int) -> str:
    """The stratum of one conversation: what was found, its rarest type, how sure, and whether there is pushback."""
    status = {facet: of for facet, of, _, _ in rows}
    scores = {(facet, value): score for facet, of, value, score in rows if of == Status.OK and value is not None}
    if ("content_creation", "content_creation") in scores:
        return _banded("content_creation", scores["content_creation", "content_creation"])
    if status.get("content_creation") != Status.OK or status.get("affective_type") != Status.OK:
        return "unknown"
    found = [t for t in RAREST_FIRST if ("affective_type", t) in scores]
    if not found:
        return "none"
    name = _banded(found[0], scores["affective_type", found[0]])
    screen = [(facet, of, value) for facet, of, value, _ in rows if facet != "pushback"]
    if not analysed_types(screen, n_human_messages) or status.get("pushback") != Status.OK:
        return name
    return f"{name}/{'pushback' if any(f == 'pushback' for f, _ in scores) else 'no_pushback'}"


def _banded(name: str, score: float | None) -> str:
    return name if score is None else f"{name}/{'sure' if score >= SURE else 'unsure'}"


def strata_of_day(lake: Lake, day: date) -> dict[str, str]:
    """By conversation of a day that the screen asked about, its stratum.

    In two-phase screening the others have no prediction to be held against; those asked about stand for them, as the
    weight of screening and the inclusion probability are multiplied.
    """
    n_human = dict(lake.read("conversations", day).select("conversation_key", "n_human_messages").iter_rows())
    rows: dict[str, list[LabelRow]] = {}
    for table in ("screen_labels", "detail_labels"):
        labels = lake.read(table, day).filter(pl.col("facet").is_in(["content_creation", "affective_type", "pushback"]))
        for key, *label in labels.select("conversation_key", "facet", "status", "value", "score").iter_rows():
            rows.setdefault(key, []).append((label[0], label[1], label[2], label[3]))
    return {
        key: stratum_of(rows.get(key, []), n_human[key]) for key in sorted(n_human.keys() & asked_of_day(lake, day))
    }


def days_to_sample(workspace: Workspace, first: date | None, last: date | None) -> list[date]:
    """The labelled days in [first, last] that are in no sample yet. Raises CodingError where one is, or there is none.

    Without first and last, days that are in a sample already are passed over.
    """
    within = [
        s.day
        for s in day_states(workspace)
        if s.labelled and (first is None or s.day >= first) and (last is None or s.day <= last)
    ]
    taken = set(workspace.lake.days("human_samples")) & set(within)
    if taken and (first is not None or last is not None):
        raise CodingError(
            f"{len(taken)} of these days, the first {min(taken)}, are in a sample already: a conversation has one "
            "inclusion probability; import its answers, or name other days"
        )
    days = [day for day in within if day not in taken]
    if not days:
        raise CodingError(
            f"all {len(taken)} labelled days are in a sample already: import its answers, or label new days first"
            if taken
            else "no day is labelled yet: run `confide run` first"
        )
    return days


def draw_sample(workspace: Workspace, days: Sequence[date], size: int) -> Sample:
    """Draw about `size` conversations of these days. Raises CodingError where there is none."""
    strata: dict[str, list[str]] = {}
    day_of: dict[str, date] = {}
    for day in days:
        for key, stratum in strata_of_day(workspace.lake, day).items():
            strata.setdefault(stratum, []).append(key)
            day_of[key] = day
    if not strata:
        raise CodingError("these days have no conversations")
    sample_id = f"{min(days)}..{max(days)}"
    drawn = draw(strata, size, workspace.home.key(), sample_id)
    # Random and short: an item says nothing of the conversation, its day or its stratum, and outlives a key rotation.
    ids: dict[str, None] = {}
    while len(ids) < len(drawn):
        ids[secrets.token_hex(6)] = None
    items = {one.conversation_key: item for one, item in zip(drawn, ids, strict=True)}
    sizes = {name: len(members) for name, members in sorted(strata.items())}
    return Sample(sample_id, drawn, sizes, items, {key: day_of[key] for key in items})


def keep_sample(lake: Lake, sample: Sample, days: Sequence[date]) -> None:
    """Write who was drawn, a file a day, also for days of which nobody was: they are covered all the same."""
    by_day: dict[date, list[dict[str, Any]]] = {day: [] for day in days}
    for one in sample.drawn:
        by_day[sample.days[one.conversation_key]].append(
            {
                "conversation_key": one.conversation_key,
                "sample_id": sample.sample_id,
                "item_id": sample.items[one.conversation_key],
                "stratum": one.stratum,
                "inclusion_probability": one.inclusion_probability,
            }
        )
    for day, rows in by_day.items():
        frame = pl.DataFrame(rows, schema=TABLES["human_samples"], orient="row").sort("conversation_key")
        lake.write("human_samples", day, frame, {"sample_id": sample.sample_id})


def design_of(sample: Sample) -> list[dict[str, Any]]:
    """The design by stratum, for the manifest: how many there are, how many were drawn, and with which probability."""
    taken = Counter(one.stratum for one in sample.drawn)
    return [
        {"stratum": name, "conversations": size, "drawn": taken[name], "inclusion_probability": taken[name] / size}
        for name, size in sample.sizes.items()
    ]
