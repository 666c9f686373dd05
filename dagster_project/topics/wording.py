"""The terms that people used, by conversation, and who shares them: numbers instead of words, as many have to fit.

Not here: what may be a term (`domain/topics/terms.py`), which of them name a topic (`domain/topics/naming.py`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dagster_project.domain.topics.naming import Needed, Support
from dagster_project.domain.topics.terms import Vocabulary, terms

Counts = NDArray[np.int64]


class Wording:
    """Terms by conversation (a position), each once. texts: position and what the person wrote."""

    def __init__(self, texts: Iterable[tuple[int, str]], vocabulary: Vocabulary) -> None:
        numbers: dict[str, int] = {}
        self._of: dict[int, NDArray[np.int32]] = {}
        for position, text in texts:
            found = [numbers.setdefault(term, len(numbers)) for term in terms(text, vocabulary)]
            self._of[position] = np.array(found, dtype=np.int32)
        self._terms = list(numbers)
        self._is_loose = np.array([vocabulary.is_loose(term) for term in self._terms], dtype=bool)
        self._tells_of_health = np.array([vocabulary.tells_of_health(term) for term in self._terms], dtype=bool)

    def support(self, speakers: Mapping[str, Sequence[int]], elsewhere: Sequence[int] = ()) -> Support:
        """How many people of each topic used each term. speakers: by topic, a conversation of each of its people.

        elsewhere: a conversation of each person in talk of other types.
        """
        support = Support()
        support.conditions = {self._terms[i] for i in np.flatnonzero(self._tells_of_health).tolist()}
        support.loose = {self._terms[i] for i in np.flatnonzero(self._is_loose).tolist()}
        support.people_elsewhere = len(elsewhere)
        support.elsewhere = self._by_term(self._counts(elsewhere))
        for topic_id, positions in speakers.items():
            support.people[topic_id] = len(positions)
            support.terms[topic_id] = self._by_term(self._counts(positions))
        return support

    def nameless(self, speakers: Sequence[Sequence[int]], needed: Needed) -> list[int]:
        """The topics, out of these siblings, without a term that enough share and that is commoner than elsewhere."""
        threshold = np.where(self._tells_of_health, needed.condition, needed.plain)
        counts = [self._counts(positions) for positions in speakers]
        people = np.array([len(positions) for positions in speakers])
        everywhere, everybody = np.sum(counts, axis=0), int(people.sum())
        found = []
        for i, here in enumerate(counts):
            beside = (everywhere - here) / max(everybody - int(people[i]), 1)
            if not np.any((here >= threshold) & (here / max(int(people[i]), 1) > beside)):
                found.append(i)
        return found

    def _by_term(self, counts: Counts) -> Counter[str]:
        return Counter({self._terms[i]: int(counts[i]) for i in np.flatnonzero(counts).tolist()})

    def _counts(self, positions: Sequence[int]) -> Counts:
        none = np.zeros(0, dtype=np.int32)
        used = [self._of.get(position, none) for position in positions]
        return np.bincount(np.concatenate([none, *used]), minlength=len(self._terms))
