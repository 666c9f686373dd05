"""An attack written without the declared relations: over kinds of users, instead of over sets of conversations.

A user is a handful of conversations, each of one outcome; the number of users of each kind is a whole number. What
every kind adds to each cell follows from the outcomes alone, so that every relation between cells, users and the bound
holds by itself, exactly. Small tables only: kinds of users grow with the bound. Not here: the audit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from dagster_project.domain.disclosure.rounding import round_count


@dataclass(frozen=True)
class Shown:
    """A published cell: its rounded counts, and the cell that it is part of, whose rest it left large enough."""

    conversations: int
    users: int
    part_of: str | None = None


class Oracle:
    """Everything that the rounded cells leave possible.

    outcomes: for each outcome of a conversation, the cells that count it. shown: published cells by name.
    """

    def __init__(
        self, outcomes: Sequence[frozenset[str]], bound: int, shown: Mapping[str, Shown], k: int, least: int, base: int
    ) -> None:
        # With a bound of one, users are conversations.
        self._counts = (self.conversations,) if bound == 1 else (self.conversations, self.users)
        self._kinds = [
            [outcomes[i] for i in kind]
            for n in range(1, bound + 1)
            for kind in combinations_with_replacement(range(len(outcomes)), n)
        ]
        self._rows: list[np.ndarray] = []
        self._lows: list[float] = []
        self._highs: list[float] = []
        for name, cell in shown.items():
            self._between(self.conversations(name), exact(cell.conversations, base, least))
            self._between(self.users(name), exact(cell.users, base, k))
            if cell.part_of is not None:
                self._between(self._outside(name, cell.part_of), (k, 10**6))

    def conversations(self, name: str) -> np.ndarray:
        """What each kind of user adds to a cell's conversations."""
        return np.array([sum(name in outcome for outcome in kind) for kind in self._kinds], dtype=float)

    def users(self, name: str) -> np.ndarray:
        """What each kind of user adds to a cell's users."""
        return np.array([any(name in outcome for outcome in kind) for kind in self._kinds], dtype=float)

    def _outside(self, name: str, whole: str) -> np.ndarray:
        return np.array([any(whole in o and name not in o for o in kind) for kind in self._kinds], dtype=float)

    def _between(self, row: np.ndarray, ends: tuple[int, int]) -> None:
        self._rows.append(row)
        self._lows.append(ends[0])
        self._highs.append(ends[1])

    def interval(self, sums: np.ndarray) -> tuple[int, int]:
        """The least and the largest value of a sum over all populations that could have been published so."""
        ends = []
        for side in (1, -1):
            found = milp(
                side * sums,
                integrality=np.ones(len(self._kinds)),
                bounds=Bounds(0, 10**6),
                constraints=LinearConstraint(np.array(self._rows), self._lows, self._highs),
            )
            assert found.status == 0, found.message
            ends.append(round(float(sums @ found.x)))
        return ends[0], ends[1]

    def under_protected(self, withheld: Iterable[str], k: int) -> list[str]:
        """The withheld cells whose conversations or users are known to less than k."""
        out = []
        for name in withheld:
            for count in self._counts:
                low, high = self.interval(count(name))
                if high - low < k:
                    out.append(name)
        return out

    def revealed(self, pairs: Iterable[tuple[str, str]], k: int) -> list[tuple[str, str]]:
        """The (part, whole) whose difference is known to lie between nobody and k."""
        out = []
        for part, whole in pairs:
            for count in self._counts:
                low, high = self.interval(count(whole) - count(part))
                if low >= 1 and high < k:
                    out.append((part, whole))
        return out


class WideOracle(Oracle):
    """The same attack where the bound is too high for every kind of user: a weaker one, which still proves what it finds.

    Conversations by outcome, and users by the cells that they are in at all; a user has one to `bound` conversations
    in each cell that they are in. What it leaves out: how many conversations in which cells one user can have together.
    """

    def __init__(
        self, outcomes: Sequence[frozenset[str]], bound: int, shown: Mapping[str, Shown], k: int, least: int, base: int
    ) -> None:
        self._counts = (self.conversations, self.users)
        self._outcomes = outcomes
        reached, newest = set(outcomes), set(outcomes)
        for _ in range(bound - 1):
            newest = {kind | outcome for kind in newest for outcome in outcomes} - reached
            reached |= newest
        self._unions = sorted(reached, key=sorted)
        self._kinds = [*([o] for o in outcomes), *([u] for u in self._unions)]
        self._rows, self._lows, self._highs = [], [], []
        for name, cell in shown.items():
            self._between(self.conversations(name), exact(cell.conversations, base, least))
            self._between(self.users(name), exact(cell.users, base, k))
            if cell.part_of is not None:
                self._between(self.conversations(cell.part_of) - self.conversations(name), (k, 10**6))
        for name in sorted(frozenset().union(*outcomes)):
            self._between(self.conversations(name) - self.users(name), (0, 10**6))
            self._between(bound * self.users(name) - self.conversations(name), (0, 10**6))

    def conversations(self, name: str) -> np.ndarray:
        """What each outcome adds to a cell's conversations."""
        return np.array([name in o for o in self._outcomes] + [False] * len(self._unions), dtype=float)

    def users(self, name: str) -> np.ndarray:
        """What each kind of user adds to a cell's users."""
        return np.array([False] * len(self._outcomes) + [name in u for u in self._unions], dtype=float)


class BandOracle(Oracle):
    """The same attack on bands of use: kinds of users are how many affective conversations they have.

    bands: by name, the fewest and the most. shown: the affective conversations under `affective`, of bands users alone.
    """

    def __init__(
        self,
        bands: Mapping[str, tuple[int, int | None]],
        bound: int,
        shown: Mapping[str, Shown],
        k: int,
        least: int,
        base: int,
    ) -> None:
        self._bands = {**bands, "affective": (1, None)}
        self._kinds = [[frozenset({str(n)})] for n in range(1, bound + 1)]
        self._counts = (self.conversations, self.users)
        self._rows, self._lows, self._highs = [], [], []
        for name, cell in shown.items():
            self._between(self.users(name), exact(cell.users, base, k))
            if name == "affective":
                self._between(self.conversations(name), exact(cell.conversations, base, least))
            else:
                self._between(self.conversations(name), (least, 10**6))
                self._between(self.users("affective") - self.users(name), (k, 10**6))

    def conversations(self, name: str) -> np.ndarray:
        """What a user of each kind adds to a band's conversations."""
        return self.users(name) * np.arange(1, len(self._kinds) + 1)

    def users(self, name: str) -> np.ndarray:
        """Whether a user of each kind is in a band."""
        least, most = self._bands[name]
        return np.array(
            [n >= least and (most is None or n <= most) for n in range(1, len(self._kinds) + 1)], dtype=float
        )


def exact(published: int, base: int, least: int) -> tuple[int, int]:
    """The counts that are published so, by trying them."""
    fits = [
        n for n in range(max(least, published - base), published + base + 1) if round_count(n, base, least) == published
    ]
    return fits[0], fits[-1]
