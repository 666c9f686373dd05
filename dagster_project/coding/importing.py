"""Answers into the lake: who said what, and what counts; the same file twice changes nothing.

Lives here: matching items with conversations, merging with earlier answers, adjudication, and agreement among coders.
Not here: reading files (`answers.py`), the rule (`domain/adjudication.py`), what is estimated (`dbt/`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project.codebook.schema import AnswerType, Facet
from dagster_project.coding.answers import read_answers
from dagster_project.coding.questions import CodingError, all_questions, is_several
from dagster_project.domain.adjudication import ADJUDICATOR, Coded, adjudicate
from dagster_project.domain.estimation.coders import krippendorff_alpha
from dagster_project.domain.labels import Status
from dagster_project.storage.lake import TABLES, Lake
from dagster_project.workspace import Workspace
from expectations.frames.contract import require

Answered = dict[tuple[str, str, str], Coded]
"""By conversation, coder and facet."""


@dataclass
class ImportReport:
    """What an import did. alpha: among coders, as `alpha_of` gives it."""

    accepted: int = 0
    conversations: int = 0
    coders: int = 0
    days: list[date] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    resolved: Counter[str] = field(default_factory=Counter)
    alpha: dict[str, dict[str, float] | None] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The form of `confide labels import --json`."""
        return {
            "accepted": self.accepted,
            "conversations": self.conversations,
            "coders": self.coders,
            "days": [day.isoformat() for day in self.days],
            "problems": dict(sorted(self.problems.items())),
            "resolved": dict(sorted(self.resolved.items())),
            "alpha": self.alpha,
        }


def import_answers(workspace: Workspace, file: Path, coder: str | None = None) -> ImportReport:
    """Take in a file of answers. Raises CodingError where the file is unreadable, or nothing in it can be used."""
    facets = all_questions(workspace.codebook)
    read = read_answers(file, facets, coder)
    lake, report = workspace.lake, ImportReport(problems=read.problems)
    place = _places(lake)
    fresh: dict[date, Answered] = {}
    strangers = set()
    for (item, who, facet), answer in read.answers.items():
        if item not in place:
            strangers.add((item, who))
            continue
        day, key = place[item]
        fresh.setdefault(day, {})[key, who, facet] = answer
    if strangers:
        report.problems["unknown_item"] += len(strangers)
    if not fresh:
        raise CodingError(f"{file}: no answer to a conversation of a sample: {_told(report.problems)}")
    by_id = {f.id: f for f in facets}
    for day, answers in sorted(fresh.items()):
        kept = _answers_of(lake, day) | answers
        _write_day(lake, day, kept, by_id, report.resolved)
    report.days = sorted(fresh)
    report.accepted = sum(len(answers) for answers in fresh.values())
    report.conversations = len({key for answers in fresh.values() for key, _, _ in answers})
    report.coders = len({who for answers in fresh.values() for _, who, _ in answers})
    report.alpha = alpha_of(lake, by_id)
    return report


def _told(problems: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in sorted(problems.items())) or "it is empty"


def _places(lake: Lake) -> dict[str, tuple[date, str]]:
    """By item, the day and the conversation."""
    return {
        item: (day, key)
        for day in lake.days("human_samples")
        for item, key in lake.read("human_samples", day).select("item_id", "conversation_key").iter_rows()
    }


def _answers_of(lake: Lake, day: date) -> Answered:
    found: dict[tuple[str, str, str], set[str]] = {}
    told: dict[tuple[str, str, str], Status] = {}
    rows = lake.read("coder_answers", day).select("conversation_key", "coder", "facet", "status", "value")
    for key, coder, facet, status, value in rows.iter_rows():
        found.setdefault((key, coder, facet), set()).update([value] if value is not None else [])
        told[key, coder, facet] = Status(status)
    return {name: Coded(told[name], frozenset(values)) for name, values in found.items()}


def _write_day(
    lake: Lake, day: date, answers: Answered, facets: Mapping[str, Facet], resolved_so_far: Counter[str]
) -> None:
    """Both tables of a day, from all answers that are known of it."""
    said: list[dict[str, Any]] = []
    counts: list[dict[str, Any]] = []
    by_question: dict[tuple[str, str], dict[str, Coded]] = {}
    for (key, coder, facet), answer in answers.items():
        by_question.setdefault((key, facet), {})[coder] = answer
        said += _rows({"conversation_key": key, "coder": coder}, facets, facet, answer)
    for (key, facet), given in by_question.items():
        if facet in facets:
            resolved = adjudicate(given, is_several(facets[facet]))
            resolved_so_far[resolved.how] += 1
            about = {"conversation_key": key, "n_coders": resolved.n_coders, "resolved_by": resolved.how}
            counts += _rows(about, facets, facet, resolved.answer)
    frames = {
        "coder_answers": _frame("coder_answers", said, ("conversation_key", "coder", "facet", "value_index")),
        "human_labels": _frame("human_labels", counts, ("conversation_key", "facet", "value_index")),
    }
    vocabulary = {f.id: f.category_ids for f in facets.values()}
    for table, frame in frames.items():
        require(table, frame, facets=vocabulary)
    for table, frame in frames.items():
        lake.write(table, day, frame)


def _rows(about: Mapping[str, Any], facets: Mapping[str, Facet], facet: str, answer: Coded) -> Iterable[dict[str, Any]]:
    version = facets[facet].version if facet in facets else 1
    base = {**about, "facet": facet, "facet_version": version, "status": answer.status.value}
    if not answer.values:
        return [{**base, "value_index": 0, "value": None}]
    return [{**base, "value_index": i, "value": value} for i, value in enumerate(sorted(answer.values))]


def _frame(table: str, rows: list[dict[str, Any]], order: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=TABLES[table], orient="row").sort(order)


def alpha_of(lake: Lake, facets: Mapping[str, Facet]) -> dict[str, dict[str, float] | None]:
    """Agreement among coders over all samples, the adjudicator left out: who decides is no second opinion.

    By facet, or by facet.category where several may be given: value, ends of its 95 % interval over users, and how many
    conversations had two answers that could be compared. None where it is not defined.
    """
    said: dict[str, dict[str, list[str | float]]] = {}
    weights: dict[str, float] = {}
    users: dict[str, str] = {}
    numbers = {f.id: {c.id: c.number for c in f.categories} for f in facets.values() if f.answer is AnswerType.SCALE}
    for day in lake.days("coder_answers"):
        samples = lake.read("human_samples", day).select("conversation_key", "inclusion_probability")
        weights |= {key: 1 / p for key, p in samples.iter_rows()}
        users |= dict(lake.read("conversations", day).select("conversation_key", "user_key").iter_rows())
        for (key, coder, facet), answer in _answers_of(lake, day).items():
            if coder == ADJUDICATOR or facet not in facets or answer.status is not Status.OK:
                continue
            if is_several(facets[facet]):
                for category in facets[facet].category_ids:
                    told = "yes" if category in answer.values else "no"
                    said.setdefault(f"{facet}.{category}", {}).setdefault(key, []).append(told)
            else:
                one = next(iter(answer.values), "none")
                number = numbers.get(facet, {}).get(one)
                said.setdefault(facet, {}).setdefault(key, []).append(one if number is None else number)
    found: dict[str, dict[str, float] | None] = {}
    for name, by_conversation in sorted(said.items()):
        keys = sorted(k for k, answers in by_conversation.items() if len(answers) > 1 and k in weights and k in users)
        alpha = krippendorff_alpha(
            [by_conversation[k] for k in keys],
            [weights[k] for k in keys],
            [users[k] for k in keys],
            "interval" if name in numbers else "nominal",
        )
        found[name] = alpha and {
            "value": round(alpha.value, 3),
            "low": round(alpha.low, 3),
            "high": round(alpha.high, 3),
            "conversations": len(keys),
        }
    return found
