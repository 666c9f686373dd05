"""The invented people of the demo world: how often they write, of what, at what hour, and how they type.

Not here: what they write.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from dagster_project.demo import study_design as design
from dagster_project.demo.grammar import Typing

_ACTIVITY_SPREAD = 1.05
_TASTE_SHAPE = 1.3
"""Gamma shape of how much a person is given to each kind of talk: lower is more uneven between people."""


@dataclass(frozen=True, slots=True)
class Person:
    """One invented user. activity: weight of being the author. tastes: factor a kind. hour: UTC, of most writing."""

    user_id: str
    activity: float
    tastes: Mapping[str, float]
    hour: float
    typing: Typing


def invent_people(n: int, seed: int) -> list[Person]:
    """So many people. Activity is log-normal: most write a few times, a few write dozens of times."""
    return [_invent(f"demo-user-{i:04d}", Random(f"{seed}/person/{i}")) for i in range(n)]


def _invent(user_id: str, rng: Random) -> Person:
    typo_rate = rng.choices((0.0, 0.008, 0.03), (0.62, 0.28, 0.10))[0]
    return Person(
        user_id=user_id,
        activity=rng.lognormvariate(0, _ACTIVITY_SPREAD),
        tastes={kind: rng.gammavariate(_TASTE_SHAPE, 1 / _TASTE_SHAPE) for kind in design.SHARES},
        hour=rng.choice((7.5, 12.5, 16.0, 19.0, 20.5, 21.5, 22.5)),
        typing=Typing(
            lower_case=rng.random() < 0.22,
            drops_full_stop=rng.random() < 0.35,
            typo_rate=typo_rate,
            shortens=rng.random() < 0.10,
            emoji_rate=rng.choice((0.0, 0.0, 0.0, 0.15, 0.4)),
            greets=rng.random() < 0.25,
        ),
    )
