"""One answer out of several coders': the adjudicator's, else what most of them say.

Lives here: the rule. Not here: reading answers (`coding/answers.py`), agreement among coders (`estimation/coders.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from dagster_project.domain.labels import Status

ADJUDICATOR = "adjudicator"
"""The coder whose answer decides, whatever the others say."""


@dataclass(frozen=True, slots=True)
class Coded:
    """What one coder says of one facet: category ids, none where nothing applies; or that it could not be told."""

    status: Status = Status.OK
    values: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Resolved:
    """The answer that counts. how: single, agreed, majority, adjudicator or disputed (then it could not be told)."""

    answer: Coded
    how: str
    n_coders: int


UNTOLD = Coded(Status.COULD_NOT_TELL)


def adjudicate(answers: Mapping[str, Coded], several: bool) -> Resolved:
    """Resolve the answers of one facet of one conversation, by coder.

    several: the facet allows several categories: each is decided by itself. A majority is more than half of those who
    could tell; where most could not, or a category is split in halves, nobody decides by chance: it is disputed, or
    could not be told. Raises ValueError without an answer.
    """
    if not answers:
        raise ValueError("nobody answered")
    n = len(answers)
    if ADJUDICATOR in answers:
        return Resolved(answers[ADJUDICATOR], "adjudicator", n)
    given = list(answers.values())
    if n == 1:
        return Resolved(given[0], "single", n)
    if len(set(given)) == 1:
        return Resolved(given[0], "agreed", n)
    told = [answer.values for answer in given if answer.status is Status.OK]
    if 2 * len(told) <= n:
        return Resolved(UNTOLD, "majority" if 2 * len(told) < n else "disputed", n)
    if several:
        votes = Counter(value for values in told for value in values)
        if any(2 * count == len(told) for count in votes.values()):
            return Resolved(UNTOLD, "disputed", n)
        chosen = frozenset(value for value, count in votes.items() if 2 * count > len(told))
        return Resolved(Coded(Status.OK, chosen), "majority", n)
    most, count = Counter(told).most_common(1)[0]
    if 2 * count > len(told):
        return Resolved(Coded(Status.OK, most), "majority", n)
    return Resolved(UNTOLD, "disputed", n)
