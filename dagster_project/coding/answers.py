"""Coders' answers out of a file: the table that was exported, filled in, or what Label Studio exports.

Lives here: both forms, and counting what cannot be used. Not here: what an answer may be (`questions.py`), keeping them
(`importing.py`). No error and no count quotes what was written.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dagster_project.codebook.schema import Facet
from dagster_project.coding.questions import CodingError, NotAnAnswer, read_answer, split_options
from dagster_project.domain.adjudication import Coded

CODER = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")
LARGEST_CELL = 16 * 1024 * 1024


@dataclass
class Read:
    """Answers by (item, coder, facet), later ones in place of earlier ones; problems by reason, counted."""

    answers: dict[tuple[str, str, str], Coded] = field(default_factory=dict)
    problems: Counter[str] = field(default_factory=Counter)


def read_answers(file: Path, facets: Sequence[Facet], coder: str | None = None) -> Read:
    """Read a file of answers. coder: who answered, where a row does not say.

    Raises CodingError where the file is not readable, or has no column of a facet or no item ids.
    """
    if coder is not None and not CODER.match(coder):
        raise CodingError("a coder is named by letters, digits, dots, dashes and underscores, 32 at most")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CodingError(f"{file} cannot be read ({type(error).__name__})") from None
    read = Read()
    rows = _of_studio(text, file, read) if text.lstrip()[:1] == "[" else _of_table(text, file, facets, read)
    for item, who, chosen in rows:
        who = who or coder or "coder"
        if not CODER.match(who):
            read.problems["coder_name"] += 1
            continue
        _take(read, item, who, chosen, facets)
    return read


def _take(read: Read, item: str, coder: str, chosen: Mapping[str, Sequence[str]], facets: Sequence[Facet]) -> None:
    answered = False
    for facet in facets:
        try:
            answer = read_answer(facet, chosen.get(facet.id, ()))
        except NotAnAnswer as reason:
            read.problems[str(reason)] += 1
            answered = True
            continue
        if answer is not None:
            read.answers[item, coder, facet.id] = answer
            answered = True
    if not answered:
        read.problems["not_answered"] += 1


Row = tuple[str, str, Mapping[str, Sequence[str]]]
"""Item, coder or nothing, and the chosen options by facet."""


def _of_table(text: str, file: Path, facets: Sequence[Facet], read: Read) -> Iterator[Row]:
    csv.field_size_limit(LARGEST_CELL)
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        columns = set(rows.fieldnames or ())
    except csv.Error:
        raise CodingError(f"{file} is not a table of comma-separated values") from None
    if "item_id" not in columns or not columns & {f.id for f in facets}:
        raise CodingError(f"{file}: needs the column item_id and one a facet: {', '.join(f.id for f in facets)}")
    try:
        for row in rows:
            if not row.get("item_id"):
                read.problems["unknown_item"] += 1
                continue
            chosen = {f.id: split_options(row.get(f.id) or "") for f in facets}
            yield row["item_id"].strip(), (row.get("coder") or "").strip(), chosen
    except csv.Error:
        read.problems["unreadable_row"] += 1


def _of_studio(text: str, file: Path, read: Read) -> Iterator[Row]:
    try:
        tasks = json.loads(text)
    except ValueError:
        raise CodingError(f"{file} is not readable as JSON") from None
    for task in tasks:
        try:
            item = str(task["data"]["item_id"])
            annotations = [one for one in task["annotations"] if not one.get("was_cancelled")]
            for one in annotations:
                chosen = {
                    result["from_name"]: [str(choice) for choice in result["value"]["choices"]]
                    for result in one["result"]
                    if result["type"] == "choices"
                }
                yield item, _annotator(one.get("completed_by")), chosen
        except (KeyError, TypeError, AttributeError):
            read.problems["unreadable_row"] += 1


def _annotator(by: Any) -> str:
    """A number, never a name or an address: Label Studio knows its annotators by both."""
    number = by.get("id") if isinstance(by, dict) else by
    return f"annotator-{number}" if isinstance(number, int) else ""
