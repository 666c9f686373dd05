"""An attack on screening tables of a sample that knows every weight: how many of a cell were sampled below the cut?

Variables are the labelled conversations of each outcome, above the cut and below it, as whole numbers, and the users of
each cell. The attacker knows the exact weight, and where all is withheld that is withheld. Not here: the audit.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from dagster_project.domain.disclosure.rules import Thresholds
from tests.support.attack_oracle import Shown, exact

MOST = 10**6


class SampledOracle:
    """outcomes: for each outcome of a conversation, the cells that count it. weight: of those below the cut."""

    def __init__(
        self,
        outcomes: Sequence[frozenset[str]],
        bound: int,
        shown: Mapping[str, Shown],
        least: Thresholds,
        weight: float,
    ) -> None:
        self._outcomes, self._names = outcomes, sorted(frozenset().union(*outcomes) - {"all"})
        self._width = 2 * len(outcomes) + len(self._names)
        self._rows: list[np.ndarray] = []
        self._lows: list[float] = []
        self._highs: list[float] = []
        base_of_users = least.base_of_users
        for name in self._names:
            n, users = self.above(name) + self.below(name), self.users(name)
            self._between(n - users, 0, MOST)
            self._between(bound * users - n, 0, MOST)
            for other in self._names:
                if name != other and all(other in o for o in outcomes if name in o):
                    self._between(self.users(other) - users, 0, MOST)
        for name, cell in shown.items():
            stands_for = self.above(name) + weight * self.below(name)
            if name == "all":
                # Everybody is counted, whoever was asked about.
                self._between(stands_for, *exact(cell.conversations, base_of_users, least.labelled or 0))
            else:
                low, high = exact(cell.conversations, least.base, least.conversations)
                self._between(stands_for, low - 0.5, high + 0.5)
                self._between(self.above(name) + self.below(name), least.labelled or 0, MOST)
                self._between(self.users(name), *exact(cell.users, base_of_users, least.users))

    def above(self, name: str) -> np.ndarray:
        """The labelled conversations of a cell that lie above the cut."""
        return self._of([name in o for o in self._outcomes], 0)

    def below(self, name: str) -> np.ndarray:
        """Those that were sampled below it."""
        return self._of([name in o for o in self._outcomes], len(self._outcomes))

    def users(self, name: str) -> np.ndarray:
        """The cell's users."""
        return self._of([own == name for own in self._names], 2 * len(self._outcomes))

    def _of(self, flags: Sequence[bool], start: int) -> np.ndarray:
        row = np.zeros(self._width)
        row[start : start + len(flags)] = flags
        return row

    def _between(self, row: np.ndarray, low: float, high: float) -> None:
        self._rows.append(row)
        self._lows.append(low)
        self._highs.append(high)

    def is_revealed(self, sums: np.ndarray, k: int) -> bool:
        """Whether a sum is known to be at least 1 and less than k, over all populations that could be published so."""
        # Counts that need not be whole reach farther: what they clear is cleared, and quickly.
        for whole in (False, True):
            low = self._end(sums, whole)
            if low < 1 or -self._end(-sums, whole) >= k:
                return False
        return True

    def _end(self, sums: np.ndarray, whole: bool) -> float:
        found = milp(
            sums,
            integrality=np.full(self._width, int(whole)),
            bounds=Bounds(0, MOST),
            constraints=LinearConstraint(np.array(self._rows), self._lows, self._highs),
            options={"mip_rel_gap": 0.0, "time_limit": 20},
        )
        assert found.x is not None, found.message
        # A bound, where the search was cut short: then the attacker seems weaker than he is, by little.
        least = found.fun if found.mip_dual_bound is None else found.mip_dual_bound
        return math.ceil(least - 1e-6) if whole else least + 1e-6

    def revealed(self, cells: Iterable[str], pairs: Iterable[tuple[str, str]], k: int) -> list[str]:
        """Cells, and differences of a part and a whole, of which the number sampled below is known to be 1 to k - 1."""
        forms = [(name, self.below(name)) for name in cells if name != "all"]
        forms += [
            (f"{whole} - {part}", self.below(whole) - self.below(part)) for part, whole in pairs if whole != "all"
        ]
        return [name for name, form in forms if self.is_revealed(form, k)]
