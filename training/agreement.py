"""Agreement of what was decided with what is labelled: for sets of conversations by source, length and language.

Lives here: the figures that the issue of believing a labeller turns on, from decided and true sets. Not here: how
something was decided (`evaluate.py`), the measures themselves (`measures.py`), the page (`card.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dagster_project.domain.study import AFFECTIVE_TYPES
from training.measures import binary

Figures = dict[str, Any]
CLASSES = ("interpersonal_advice", "coaching", "psychotherapy_counseling", "companionship", "content_creation", "none")
"""The six classes without roleplay; none: neither content creation nor a type."""
LENGTHS = ((1, 1), (2, 3), (4, 7), (8, 10**6))


@dataclass(frozen=True)
class Judged:
    """One conversation: what was said and what is true of it (content creation, types). said is None where it could
    not be told; creation_known: whether anybody said if it is content creation."""

    source: str
    n_human: int
    said: frozenset[str] | None
    true: frozenset[str]
    creation_known: bool = True

    def has(self, name: str, of_said: bool) -> bool:
        """Whether a class applies; what could not be told has none of them."""
        names = (self.said if self.said is not None else {"unknown"}) if of_said else self.true
        return not names if name == "none" else name in names

    def is_affective(self, of_said: bool) -> bool:
        """Whether any type applies."""
        return any(self.has(t, of_said) for t in AFFECTIVE_TYPES)


def _binary(judged: Sequence[Judged], name: str) -> Figures:
    return binary([j.has(name, True) for j in judged], [j.has(name, False) for j in judged])


def screen_figures(judged: Sequence[Judged]) -> Figures:
    """Affective or not, content creation, the type found, exact sets, share that could not be told."""
    typed = [j for j in judged if j.is_affective(False)]
    return {
        "affective": binary([j.is_affective(True) for j in judged], [j.is_affective(False) for j in judged]),
        "content_creation": _binary([j for j in judged if j.creation_known], "content_creation"),
        "type_found": _share([bool(j.true & (j.said or frozenset())) for j in typed]),
        "types_exact": _share([j.true == j.said for j in typed]),
        "could_not_tell": sum(j.said is None for j in judged),
    }


def class_figures(judged: Sequence[Judged]) -> Figures:
    """Each of `CLASSES` that occurs, one against the others, and the mean of their F1."""
    by_class = {c: _binary(judged, c) for c in CLASSES if any(j.has(c, False) for j in judged)}
    return {"by_class": by_class, "macro_f1": round(float(np.mean([f["f1"] for f in by_class.values()])), 3)}


def grouped(judged: Sequence[Judged], key: Callable[[Judged], str]) -> dict[str, list[Judged]]:
    """Groups in the order of their names."""
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        groups.setdefault(key(one), []).append(one)
    return dict(sorted(groups.items()))


def length_of(one: Judged) -> str:
    """How many human messages, in four groups."""
    low, high = next((low, high) for low, high in LENGTHS if low <= one.n_human <= high)
    return f"{low}" if low == high else f"{low} and more" if high == 10**6 else f"{low}–{high}"


def roleplay_figures(judged: Sequence[Judged], least: int = 4) -> Figures:
    """Roleplay of either type or not, among conversations of at least so many human messages."""
    enough = [j for j in judged if j.n_human >= least]
    kinds = ("romantic_roleplay", "sexual_roleplay")
    return binary(
        [any(j.has(k, True) for k in kinds) for j in enough], [any(j.has(k, False) for k in kinds) for j in enough]
    )


def _share(hits: Sequence[bool]) -> float | None:
    return round(float(np.mean(hits)), 3) if hits else None
