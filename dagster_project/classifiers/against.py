"""How far labels agree with what people said of the same conversations: the core of `confide classify --against`.

Lives here: reading what people said, the yes/no questions that both answered, counts by source, the measures. Not here:
labelling (`outside.py`), the measures' formulas (`domain/estimation/agreement.py`), agreement inside a home, weighted
to its conversations (`coding/`, the mart `agreement`). No text is read from either file but ids, sources and labels.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.domain.estimation.agreement import Agreement, agreement_of
from dagster_project.domain.study import AFFECTIVE_TYPES
from dagster_project.errors import ConfideError
from dagster_project.sources.outcome import Rejected
from dagster_project.sources.streams import read_lines

ALL = "all"
NOT_NAMED = "not named"
SIDES = {"negative": -1, "positive": 1}
Outcome = tuple[float, float, float, float]
"""Both say yes, the labels alone, people alone, neither."""


class NothingToCompare(ConfideError):
    """What people said names no conversation of the file, or no facet that was labelled."""


@dataclass(frozen=True)
class Compared:
    """One question about the conversations (for tone: messages) of one source. could_not_tell: left out of n."""

    question: str
    source: str
    n: int
    could_not_tell: int
    agreement: Agreement


class Against:
    """What people said, held against labels as they come."""

    def __init__(self, said: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
        self._said = said
        self._outcomes: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
        self._untold: dict[tuple[str, str], int] = defaultdict(int)

    def add(self, result: Mapping[str, Any]) -> None:
        """One line of `confide classify`; one that people said nothing of is passed over."""
        if result.get("conversation_id") not in self._said:
            return
        source, true = self._said[result["conversation_id"]]
        for question, labelled, told in _answers(result["labels"], true):
            for group in (source, ALL):
                if labelled is None:
                    self._untold[question, group] += 1
                else:
                    outcome = (labelled and told, labelled and not told, told and not labelled, not (labelled or told))
                    self._outcomes[question, group].append((*map(float, outcome),))  # type: ignore[arg-type]

    def rows(self) -> Iterator[Compared]:
        """By question, all sources together first. Each conversation counts as a person of its own.

        Raises NothingToCompare.
        """
        if not self._outcomes:
            raise NothingToCompare(
                "the labels to compare with name no conversation of this file and facet labelled in it"
            )
        order = ["content_creation", "affective_type", *(f"affective_type.{t}" for t in AFFECTIVE_TYPES), "pushback"]
        order += [f"sentiment.{side}" for side in SIDES]
        for question in order:
            sources = sorted({source for name, source in self._outcomes if name == question} - {ALL})
            for source in [ALL, *sources] if len(sources) > 1 else sources:
                found = self._outcomes[question, source]
                yes = [[outcome[i] for outcome in found] for i in range(4)]
                measures = agreement_of(yes[0], yes[1], yes[2], yes[3])
                yield Compared(question, source, len(found), self._untold[question, source], measures)


def read_said(path: Path) -> Against:
    """JSON lines `{conversation_id, labels, source?}`, labels as `confide classify` writes them; plain, gzip or zstd.

    A type may stand alone, without a list. Raises ConfideError with the number of the first line that is none of this.
    """
    said: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for line in read_lines(path):
        if isinstance(line, Rejected):
            raise NothingToCompare(f"{path.name}, line {line.line_number}: {line.reason.value}")
        try:
            row = json.loads(line.content)
            labels, source = row["labels"], row.get("source") or NOT_NAMED
            if not isinstance(labels, dict) or not isinstance(source, str):
                raise ValueError
            list(_answers(labels, labels))
            said[str(row["conversation_id"])] = source, labels
        except (ValueError, KeyError, TypeError, AttributeError):
            raise NothingToCompare(
                f"{path.name}, line {line.number}: not {{conversation_id, labels}} with labels in this command's form"
            ) from None
    return Against(said)


def _answers(labels: Mapping[str, Any], true: Mapping[str, Any]) -> Iterator[tuple[str, bool | None, bool]]:
    """Question, what the labels say (None: could not tell), what people say; of facets that both have."""
    for name in ("content_creation", "pushback"):
        if name in labels and isinstance(true.get(name), bool):
            yield name, labels[name], true[name]
    if "affective_type" in labels and true.get("affective_type") is not None:
        types, found = _types(labels["affective_type"]), _types(true["affective_type"]) or frozenset()
        yield "affective_type", None if types is None else bool(types), bool(found)
        for one in AFFECTIVE_TYPES:
            yield f"affective_type.{one}", None if types is None else one in types, one in found
    if isinstance(labels.get("sentiment"), Sequence) and isinstance(true.get("sentiment"), Sequence):
        for tone, heard in zip(labels["sentiment"], true["sentiment"], strict=False):
            if heard is not None:
                for side, sign in SIDES.items():
                    yield f"sentiment.{side}", None if tone is None else tone * sign > 0, heard * sign > 0


def _types(value: Any) -> frozenset[str] | None:
    if value is None:
        return None
    types = frozenset([value] if isinstance(value, str) else value)
    if types - {"none"} - set(AFFECTIVE_TYPES):
        raise ValueError
    return types - {"none"}
