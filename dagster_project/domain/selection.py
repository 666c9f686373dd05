"""Which conversations a table is about: the study's selection, from label rows alone.

Lives here: the analysed types of one conversation, the samples of two-phase screening and of controls, and the
contribution bound of a period. The warehouse applies the bound and the types in SQL (`dbt/`). Not here: reading label
rows, what is measured of those selected.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from dagster_project.domain.labels import Status
from dagster_project.domain.study import ROLEPLAY_TYPES, TALK_TYPES, counted_types


def analysed_types(rows: Iterable[tuple[str, str, str | None]], n_human_messages: int) -> tuple[str, ...]:
    """The talk types under which a conversation is analysed; none where it is not.

    rows: (facet, status, value) of its screen labels. Analysed = known not to be content creation, types known, at
    least one of them counted, and none of the counted ones a roleplay. Unlabelled is unknown.
    """
    known = dict.fromkeys(("content_creation", "affective_type"), False)
    types: set[str] = set()
    for facet, status, value in rows:
        if facet not in known:
            continue
        if status != Status.OK:
            return ()
        known[facet] = True
        if facet == "content_creation" and value is not None:
            return ()
        if facet == "affective_type" and value is not None:
            types.add(value)
    if not all(known.values()):
        return ()
    counted = counted_types(types, n_human_messages)
    if any(t in ROLEPLAY_TYPES for t in counted):
        return ()
    return tuple(t for t in TALK_TYPES if t in counted)


def counted_conversations(period_key: str, users: Mapping[str, str], per_user: int) -> set[str]:
    """Conversations that count in a period: at most `per_user` of each user, before any label is looked at.

    users: user pseudonym by conversation pseudonym. The order is md5(period key + conversation pseudonym): the
    pseudonym is keyed, so nobody can aim at it.
    """

    def order(conversation: str) -> str:
        return hashlib.md5(f"{period_key}{conversation}".encode(), usedforsecurity=False).hexdigest()

    taken: dict[str, int] = {}
    counted: set[str] = set()
    for conversation in sorted(users, key=order):
        user = users[conversation]
        if taken.get(user, 0) < per_user:
            taken[user] = taken.get(user, 0) + 1
            counted.add(conversation)
    return counted


def keyed_sample(conversations: Iterable[str], share: float, purpose: str) -> set[str]:
    """Conversations, out of those given by pseudonym, that are sampled for a purpose.

    Each is taken with probability `share` by a hash of its (keyed) pseudonym, whatever else is given: a day labelled
    twice takes the same ones, and a higher share takes the same ones and more. Purposes choose independently.
    """
    bound = share * 2**64

    def place(conversation: str) -> int:
        return int(hashlib.md5(f"{purpose}{conversation}".encode(), usedforsecurity=False).hexdigest()[:16], 16)

    return {c for c in conversations if place(c) < bound}


def control_sample(conversations: Iterable[str], share: float) -> set[str]:
    """Conversations that are looked at in detail as controls, each with weight 1 / share."""
    return keyed_sample(conversations, share, "control")


class Stratum(StrEnum):
    """Where the cheap score of two-phase screening puts a conversation. Above the cut, every one is asked about."""

    ABOVE = "above"
    BELOW = "below"


class Screened(NamedTuple):
    """One conversation of a day that is screened in two phases."""

    stratum: Stratum
    inclusion_probability: float
    is_asked: bool


def two_phase_sample(scores: Mapping[str, float | None], cut: float, sample_rate: float) -> dict[str, Screened]:
    """Which conversations the screen asks about, by pseudonym: all above the cut, a keyed sample of those below.

    scores: the cheap score of each; without one (no words, another language) a conversation is below the cut, where it
    stands for others like all that are sampled. Not looked at: any label, or the bound on a user's conversations.
    """
    below = [c for c, score in scores.items() if score is None or score < cut]
    taken = keyed_sample(below, sample_rate, "screening")
    above = {c: Screened(Stratum.ABOVE, 1.0, True) for c in scores.keys() - set(below)}
    return above | {c: Screened(Stratum.BELOW, sample_rate, c in taken) for c in below}
