"""Names of topics from terms that enough distinct people share, ranked against sibling topics and other kinds of talk.

Lives here: support, ranking in the way of class-based TF-IDF (Grootendorst 2022, but on people instead of
occurrences), the choice of terms. Not here: what may be a term (`terms.py`), what may be a name (`name_filter.py`).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dagster_project.domain.topics.name_filter import MAX_WORDS, filtered, plain_list

TERMS_IN_NAME = 3
MOST_TERMS_IN_NAME = 5
PAIR_BONUS = 1.5
"""A pair says more than its words: it is preferred when nearly as many share it."""
LOOSE = 0.25
"""What a verb, participle or adjective by itself counts beside a noun: it names a topic where nothing else tells it."""

Namer = Callable[[Sequence[str]], str]
"""Makes a phrase of shared terms, most telling first. It is given nothing else, and what it returns is filtered; empty
for no phrase."""
SAMPLES = 3
"""Samples of a topic's people: a phrase is made of terms that each of them bears out."""

RARE = 0.01
"""Shares below this are alike: that a term is ten times rarer elsewhere than one in a hundred says nothing more."""


RULES = 5
"""Which rules names were made by: another number where they change, and nothing named by earlier ones is published."""
CONDITION_FACTOR = 2
"""A word of disease, medication or method needs more than so many times the smallest topic's users, and a jitter of its
own: it says of each who is known to be of the topic what they may be ill with."""


def condition_minimum(minimum: int) -> int:
    """The smallest number of people, before the jitter, for a word that tells of health.

    One more than the multiple: that many accounts of one attacker and the one person they aim at are then too few,
    whatever the jitter. Under the default policy these are the fifty accounts of CLIOPATRA.
    """
    return CONDITION_FACTOR * minimum + 1


@dataclass(frozen=True, slots=True)
class Needed:
    """People of a topic that must share a term. condition: where the term tells of health."""

    plain: int
    condition: int


class Support:
    """How many distinct people of each topic wrote each term. Give it one conversation a person and topic."""

    def __init__(self) -> None:
        self.people: Counter[str] = Counter()
        self.terms: dict[str, Counter[str]] = {}
        self.conditions: set[str] = set()
        """Those of the terms that tell of health."""
        self.loose: set[str] = set()
        """Those of the terms that are no noun."""
        self.people_elsewhere = 0
        self.elsewhere: Counter[str] = Counter()
        """Of people in talk of other types, how many wrote each term."""

    def needed(self, term: str, needed: Needed) -> int:
        """People that must share a term."""
        return needed.condition if term in self.conditions else needed.plain

    def share_elsewhere(self, term: str, needed: Needed) -> float:
        """The share of people elsewhere who wrote a term: none where they are fewer than would have to share it here.

        So nobody's words shape the names of a type of talk that they had no part in, except together with many.
        """
        there = self.elsewhere[term]
        return there / self.people_elsewhere if there >= needed.plain else 0.0

    def without_inherited(self, children: Mapping[str, Mapping[str, Needed]], below: Support) -> None:
        """Take from parents what tells of health and no child of theirs may say by itself.

        Pooled, the few of each child would make up the many. children: by parent, what each child needs. below: support
        among the children.
        """
        for parent, own in children.items():
            counts = self.terms.get(parent, Counter())
            for term in self.conditions & counts.keys():
                if not any(below.terms.get(c, Counter())[term] >= needs.condition for c, needs in own.items()):
                    del counts[term]

    def add(self, topic_id: str, terms: Iterable[str]) -> None:
        """One more person of a topic, with the distinct terms of their conversation."""
        self.people[topic_id] += 1
        self.terms.setdefault(topic_id, Counter()).update(set(terms))


def telling(topic_id: str, support: Support, needed: Needed) -> dict[str, float]:
    """Terms of a topic that as many of its people share as is needed, most telling first, and how telling each is.

    Only terms more common here than among the siblings: what everybody says names nothing; nor does what people say as
    often in other types of talk, unless there is nothing else. Most telling is what many say here (the share of people,
    less the larger one of siblings and elsewhere) and few there (the logarithm of their ratio), nouns before others.
    """
    people = support.people
    others = sum(people.values()) - people[topic_id]
    apart: dict[str, float] = {}
    common: dict[str, float] = {}
    for term, here in support.terms.get(topic_id, Counter()).items():
        if here < support.needed(term, needed):
            continue
        share = here / people[topic_id]
        among_siblings = sum(counts[term] for counts in support.terms.values()) - here
        beside = among_siblings / others if others else 0.0
        if share <= beside:
            continue
        elsewhere = support.share_elsewhere(term, needed)
        of, against = (apart, max(beside, elsewhere)) if share > elsewhere else (common, beside)
        weight = PAIR_BONUS if " " in term else LOOSE if term in support.loose else 1.0
        of[term] = weight * (share - against) * math.log((share + RARE) / (against + RARE))
    scores = apart or common
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))


def of_children(own: Iterable[str], children: Sequence[Mapping[str, float]]) -> list[str]:
    """A parent's terms: the most telling one of each child, then the second of each, then what is only its own.

    own: what the parent may say, most telling first; a child's other terms are passed over. children: by term how
    telling it is of the child, as in `telling`. That decides among children too, and not which of them is larger.
    """
    may_say = list(own)
    kept = [[term for term in terms if term in may_say] for terms in children]
    best: dict[str, float] = {}
    for terms in children:
        best |= {term: max(score, best.get(term, score)) for term, score in terms.items()}
    rounds = [
        sorted({terms[n] for terms in kept if n < len(terms)}, key=lambda term: (-best[term], term))
        for n in range(TERMS_IN_NAME)
    ]
    return list(dict.fromkeys([*(term for terms in rounds for term in terms), *may_say]))


def _stem(word: str) -> str:
    """Singular and plural as one, roughly: only to avoid saying a word twice."""
    for ending, kept in (("ies", "y"), ("sses", "ss"), ("s", ""), ("ing", ""), ("ed", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)] + kept
    return word


def distinct_terms(candidates: Sequence[str]) -> list[str]:
    """Candidates without those that repeat a word of an earlier one, as many as a name has room for."""
    chosen: list[str] = []
    said: set[str] = set()
    n_words = 0
    for term in candidates:
        words = re.split("[ -]", term)
        stems = {_stem(word) for word in words}
        if not stems & said and n_words + len(words) <= MAX_WORDS:
            chosen.append(term)
            said |= stems
            n_words += len(words)
    return chosen[:MOST_TERMS_IN_NAME]


def borne_out(topic_id: str, terms: Sequence[str], samples: Sequence[Support], needed: Needed) -> list[str]:
    """The terms that each sample of a topic's people shares by itself, with its part of the people that are needed.

    samples: no person in two of them. So a word that is only just shared, or by people of one corner of the topic, is
    on the plain list and in no phrase.
    """
    return [
        term
        for term in terms
        if all(
            sample.terms.get(topic_id, Counter())[term] * len(samples) >= sample.needed(term, needed)
            for sample in samples
        )
    ]


def names(
    support: Support,
    thresholds: Mapping[str, Needed],
    namer: Namer | None = None,
    samples: Sequence[Support] = (),
    children: Mapping[str, Sequence[Mapping[str, float]]] | None = None,
) -> dict[str, str]:
    """A name for each topic of `thresholds` (topic id -> people that must share a term).

    children: by parent, the terms of each child, as `telling` has them: a parent is named from those.
    namer: asked where two terms or more are borne out by each of the samples; else, and without one, the name is the
    plain list of the shared terms. Siblings of the same name are told apart by further terms while there are any.
    Without a shared term a topic gets a neutral name.
    """

    def name(topic_id: str, terms: list[str]) -> str:
        of = borne_out(topic_id, terms, samples, thresholds[topic_id]) if namer else []
        return filtered(namer(of), of, terms) if namer and len(of) > 1 else plain_list(terms)

    available = {
        t: distinct_terms(of_children(telling(t, support, thresholds[t]), (children or {}).get(t, ())))
        for t in sorted(thresholds)
    }
    length = dict.fromkeys(available, TERMS_IN_NAME)
    named: dict[str, str] = {}
    for _ in range(MOST_TERMS_IN_NAME - TERMS_IN_NAME + 1):
        for topic_id, terms in available.items():
            chosen = terms[: length[topic_id]]
            named[topic_id] = name(topic_id, chosen)
        shared = Counter(named.values())
        for topic_id in available:
            if shared[named[topic_id]] > 1:
                length[topic_id] += 1
    return named
