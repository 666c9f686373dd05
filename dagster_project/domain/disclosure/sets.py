"""Sets of conversations and the relations that they can stand in: the vocabulary of the declarations.

Not here: which sets there are (`relations.py`, `relations_of_detail.py`), what a relation means for counts
(`program.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dagster_project.domain.study import TALK_TYPES

Set = tuple[str, ...]
"""The name of a set of counted conversations of one period."""

ALL: Set = ("screened", "all")
ASKED: Set = ("screened", "asked")
"""Those that the screen asked about, where that is a sample of all."""
CODED: Set = ("coded", "screen")
"""People labelled what it is: the same conversations for content creation and for every type."""
CODED_PUSHBACK: Set = ("coded", "pushback")
ANY = "any"
TYPES = (ANY, *TALK_TYPES)


@dataclass(frozen=True, slots=True)
class Within:
    """Every conversation of `part` is one of `whole`."""

    part: Set
    whole: Set


@dataclass(frozen=True, slots=True)
class Covered:
    """Every conversation of `whole` is in at least one of the parts, which may reach beyond it."""

    whole: Set
    parts: tuple[Set, ...]


@dataclass(frozen=True, slots=True)
class Apart:
    """The parts lie in `whole` and share no conversation. With `complete`, they make it up."""

    whole: Set
    parts: tuple[Set, ...]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class UsersApart:
    """The parts make up `whole` and share no user."""

    whole: Set
    parts: tuple[Set, ...]


@dataclass(frozen=True, slots=True)
class EachUser:
    """Each user of the set has from `least` to `most` conversations in it; None: as many as are counted."""

    of: Set
    least: int
    most: int | None


Relation = Within | Covered | Apart | UsersApart | EachUser


def group_of(coded: Set, dimension: str, group: str) -> Set:
    """A group of those that people labelled."""
    return ("coded_by", coded[1], dimension, group)


def typed(name: str, *rest: str, types: Sequence[str] = TALK_TYPES) -> Iterator[Relation]:
    """Each analysed conversation has at least one talk type, so a set of `any` is the union of those of the types."""
    parts = tuple((name, kind, *rest) for kind in types)
    yield Covered((name, ANY, *rest), parts)
    yield from (Within(part, (name, ANY, *rest)) for part in parts)
