"""Made-up populations that are screened in two phases, and the candidate rows that the warehouse would count of them.

Whoever is affective lies above the cut mostly, others seldom; below it a part is asked about. The bound comes before
the sample, and those asked about below the cut stand for all that count there. Not here: populations
(`populations.py`).
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dagster_project.domain.periods import Period
from tests.support.populations import Talk, candidate_rows, counted

Row = dict[str, Any]
TOTALS = {"prevalence": "category", "funnel": "step"}


@dataclass(frozen=True)
class Sample:
    """Who is above the cut, and who is asked about; by user and name of a talk."""

    above: frozenset[tuple[int, str]]
    asked: frozenset[tuple[int, str]]

    def is_above(self, talk: Talk) -> bool:
        return (talk.user, talk.name) in self.above

    def is_asked(self, talk: Talk) -> bool:
        return (talk.user, talk.name) in self.asked


def drawn(talks: Iterable[Talk], seed: int, rate: float, missed: float, mistaken: float = 0.05) -> Sample:
    """A sample of a population. missed: of the affective ones, the part that lies below the cut."""
    draw = random.Random(f"{seed} sample")
    above, asked = set(), set()
    for talk in talks:
        key = talk.user, talk.name
        is_above = draw.random() < (1 - missed if talk.affective else mistaken)
        above |= {key} if is_above else set()
        asked |= {key} if is_above or draw.random() < rate else set()
    return Sample(frozenset(above), frozenset(asked))


def weight_of(talks: Sequence[Talk], period: Period, bound: int, sample: Sample) -> float:
    """For how many of a period's counted conversations below the cut each of those asked about stands."""
    below = [talk for talk in counted(talks, period, bound) if not sample.is_above(talk)]
    return len(below) / max(1, sum(map(sample.is_asked, below)))


def sampled_rows(talks: Sequence[Talk], period: Period, bound: int, sample: Sample) -> dict[str, list[Row]]:
    """What the publish layer holds of one period of such a population."""

    def chosen(which: Callable[[Talk], bool]) -> dict[str, list[Row]]:
        def choose(talks: Iterable[Talk], period: Period, bound: int) -> list[Talk]:
            return [talk for talk in counted(talks, period, bound) if which(talk)]

        return candidate_rows(talks, [period], bound, choose)

    everybody, asked = chosen(lambda talk: True), chosen(sample.is_asked)
    below = chosen(lambda talk: sample.is_asked(talk) and not sample.is_above(talk))
    more = weight_of(talks, period, bound, sample) - 1
    n = everybody["prevalence"][0]["n_conversations"]
    for name, rows in asked.items():
        keys = [key for key in ("category", "step", "affective_type", "topic_id", "kind", "position", "facet", "value",
                                "start_type", "end_type", "band") if rows and key in rows[0]]  # fmt: skip
        lower = {tuple(row[key] for key in keys): row for row in below[name]}
        for row in rows:
            own = lower.get(tuple(row[key] for key in keys), {})
            row["cell_weight"] = row["n_conversations"] + more * own.get("n_conversations", 0)
            row["of_weight"] = row["of_conversations"] + more * own.get("of_conversations", 0) if own else None
            if own.get("of_conversations") is None and "of_conversations" in row:
                row["of_weight"] = row["of_conversations"] + more * _denominator(below[name], row, keys)
            if name in TOTALS:
                row["of_weight"] = float(n)
            if name == "prevalence":
                above = (row["n_conversations"] - own.get("n_conversations", 0)) / n
                row["above_residual"] = above * (1 - above) / n
            row["largest_weight"] = more + 1
    for name, key in TOTALS.items():
        whole = next(row for row in everybody[name] if row[key] == "all")
        whole |= {"cell_weight": float(n), "of_weight": float(n), "largest_weight": more + 1}
        asked[name] = [whole if row[key] == "all" else row for row in asked[name]]
    return asked


def _denominator(rows: Sequence[Row], row: Row, keys: Sequence[str]) -> int:
    """The denominator below the cut of a topic that nobody below it is of: that of its type."""
    kind = [key for key in keys if key != "topic_id"]
    alike = [other for other in rows if all(other[key] == row[key] for key in kind)]
    return int(alike[0]["of_conversations"]) if alike else 0
