"""A membership attack on releases: was one person, whose conversations the attacker knows, among those counted?

Lives here: pairs of releases with and without a target among other people, and the attacker's best linear guess. The
attacker knows the code, the policy, how people are in general (simulated releases), and every label of the target's
conversations; not who else is there, nor which of the target's conversations count. Not here: the limits.

Sources: Homer et al. (2008), PLoS Genetics 4:e1000167 (presence from aggregate statistics); Fisher (1936), the linear
discriminant; Hanley & McNeil (1982), Radiology 143:29-36 (standard error of the area under the curve).
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dagster_project.domain.disclosure.primary import primary
from dagster_project.domain.disclosure.rules import Rules
from dagster_project.domain.disclosure.suppression import publishable, suppress
from dagster_project.domain.periods import Period
from dagster_project.domain.study import AFFECTIVE_TYPES
from dagster_project.domain.tables import TABLES
from tests.support.populations import Habits, Talk, _talk, candidate_rows, cells_of, random_talks

Array = NDArray[np.float64]
TARGET = 10**6
RIDGE = 0.1
"""Of the variances, added to the diagonal: cells are many, simulated releases few."""


@dataclass(frozen=True)
class Attack:
    """What came of it: the area under the curve (0.5: no better than chance) and its standard error."""

    auc: float
    error: float

    @property
    def upper(self) -> float:
        """Upper end of the 95 % interval."""
        return self.auc + 1.96 * self.error


@dataclass(frozen=True)
class World:
    """Who is there and what is published of them. whole: with complementary suppression, which shows less."""

    habits: Habits
    period: Period
    rules: Rules
    bound: int = 5
    whole: bool = False

    def release(self, talks: Sequence[Talk]) -> dict[tuple[str, ...], float]:
        """The published counts by table, keys and column."""
        exact = candidate_rows(talks, [self.period], self.bound)
        if self.whole:
            rows = suppress(exact, self.rules, max_conversations_per_user=self.bound)
        else:
            rows = publishable(exact, primary(exact, self.rules), self.rules)
        return {
            (name, *(str(row[key]) for key in TABLES[name].keys), column): float(row[column])  # type: ignore[arg-type]
            for name, own in rows.items()
            for row in own
            if not row["suppressed"]
            for column in ("n_conversations", "n_users")
            if column in row
        }

    def others(self, seed: int) -> list[Talk]:
        """Everybody but the target."""
        return random_talks(seed, self.habits, self.period.start, (self.period.end - self.period.start).days)

    def target(self, seed: int, n: int) -> list[Talk]:
        """A person with so many conversations, leaning to a type as others do."""
        draw = random.Random(seed)
        leaning = draw.choices(AFFECTIVE_TYPES, self.habits.types)[0]
        days = self.period.days
        return [_talk(draw, self.habits, TARGET, draw.choice(days), leaning, str(i)) for i in range(n)]

    def trace(self, target: Sequence[Talk]) -> dict[tuple[str, ...], float]:
        """What the target adds to each count, as far as the attacker can tell: any of the conversations may count."""
        part = min(1.0, self.bound / len(target))
        out: dict[tuple[str, ...], float] = {}
        for talk in target:
            for name, keys in cells_of(talk):
                n, u = (name, *keys, "n_conversations"), (name, *keys, "n_users")
                out[n] = out.get(n, 0.0) + part
                out[u] = min(1.0, out.get(u, 0.0) + part)
        return out


def attack(world: World, sizes: Sequence[int], pairs: int, learnt_from: int, seed: int) -> dict[int, Attack]:
    """The attack on targets of each size (their numbers of conversations), over so many pairs of releases."""
    simulated = [world.release(world.others(seed * 10**6 + i)) for i in range(learnt_from)]
    names = sorted({name for one in simulated for name in one})
    seen = np.array([[one.get(name, np.nan) for name in names] for one in simulated])
    mean = np.nanmean(seen, axis=0)
    centred = np.nan_to_num(seen - mean)
    spread = centred.T @ centred / learnt_from
    # Half a rounding step at least: a count that never moved in so few releases may move yet.
    spread += np.diag(RIDGE * np.diag(spread) + world.rules.rounding_base**2 / 12)
    inverse = np.linalg.inv(spread)
    scores: dict[int, tuple[list[float], list[float]]] = {n: ([], []) for n in sizes}
    for i in range(pairs):
        others = world.others(seed * 10**6 + learnt_from + i)
        without = _at(world.release(others), names, mean)
        for n in sizes:
            target = world.target(seed * 10**6 + i * 100 + n, n)
            trace = world.trace(target)
            direction = inverse @ np.array([trace.get(name, 0.0) for name in names])
            scores[n][0].append(float(direction @ without))
            scores[n][1].append(float(direction @ _at(world.release([*others, *target]), names, mean)))
    return {n: _judged(np.array(out), np.array(with_target)) for n, (out, with_target) in scores.items()}


def _at(release: dict[tuple[str, ...], float], names: Sequence[tuple[str, ...]], mean: Array) -> Array:
    found = np.array([release.get(name, np.nan) for name in names])
    return np.nan_to_num(found - mean)


def _judged(without: Array, with_target: Array) -> Attack:
    """How often a release with the target scores above one without, ties half."""
    ordered = np.sort(without)
    below = np.searchsorted(ordered, with_target, "left") + np.searchsorted(ordered, with_target, "right")
    auc = float(below.mean() / (2 * without.size))
    q1, q2, n = auc / (2 - auc), 2 * auc**2 / (1 + auc), without.size
    variance = (auc * (1 - auc) + (n - 1) * (q1 - auc**2) + (n - 1) * (q2 - auc**2)) / n**2
    return Attack(auc, math.sqrt(variance))
