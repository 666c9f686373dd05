"""Differential privacy, where it is switched on: noisy numbers of users by category, and the budget that they spend.

Lives here: the noise (OpenDP), what it costs, and what is left. Not here: which conversations of a user count (dbt, as
for every table), writing, the thresholds of the other tables, which this neither needs nor replaces.

A user is one person's pseudonym, and in a category or not: in a period a user changes the vector of counts by at most
one in each category, whatever they wrote. Noise is discrete Laplace of that sensitivity; a period costs `epsilon`, and
periods add up, because a user may be in all of them. The budget is of a home, for ever.

Sources: Dwork & Roth (2014), The Algorithmic Foundations of Differential Privacy, sections 3.3 and 3.5 (Laplace
mechanism, composition); Canonne, Kamath & Steinke (2020), The Discrete Gaussian for Differential Privacy (sampling
without floating point, as OpenDP does); Ghosh, Roughgarden & Sundararajan (2009) (the geometric mechanism).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster_project.domain.periods import Period
from dagster_project.domain.tables import NOISY_USERS
from dagster_project.errors import ConfideError
from dagster_project.storage.release_ledger import Entry, ReleaseRefused

CATEGORIES = NOISY_USERS.fixed["category"]
SENSITIVITY = len(CATEGORIES)
"""By how much one user changes all counts together, at most."""
ERROR = 0.05
"""The chance with which a noisy count is farther from the exact one than its stated accuracy."""


@dataclass(frozen=True)
class Budget:
    """What a period's noisy counts cost, and what may be spent on all periods ever published."""

    epsilon: float
    total: float

    def require(self, entries: Sequence[Entry], n_periods: int) -> None:
        """Raises ReleaseRefused where so many periods more would cost too much; what was entered once is spent."""
        spent = sum(float(period.get("epsilon", 0.0)) for entry in entries for period in entry.periods)
        needed = self.epsilon * n_periods
        if spent + needed > self.total * (1 + 1e-9):
            raise ReleaseRefused(
                f"the privacy budget does not allow it: {spent:g} of [differential_privacy] total_epsilon = "
                f"{self.total:g} are spent and {needed:g} more are needed; what is spent does not come back"
            )


def require_opendp() -> None:
    """Raises ConfideError where OpenDP is not installed."""
    try:
        import opendp.prelude  # noqa: F401
    except ImportError:
        raise ConfideError(
            "[differential_privacy] enabled = true needs OpenDP: install confide with its extra `dp`"
        ) from None


def noisy_users(
    prevalence: Sequence[Mapping[str, Any]], periods: Sequence[Period], epsilon: float
) -> list[dict[str, Any]]:
    """One row per period and category: noisy users, epsilon, accuracy.

    prevalence: the exact candidate rows of `prevalence` (period_key, category, n_users). accuracy: the distance from
    the exact count that is passed with a chance of at most 5 %. Noise comes from the system's own randomness: two
    releases of the same counts differ. Raises ConfideError without OpenDP, ValueError unless epsilon is above 0.
    """
    require_opendp()
    import opendp.prelude as dp

    if not epsilon > 0:
        raise ValueError("epsilon has to be above 0")
    dp.enable_features("contrib")
    scale = SENSITIVITY / epsilon
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l1_distance(T=int)
    mechanism = space >> dp.m.then_laplace(scale=scale)
    if mechanism.map(SENSITIVITY) > epsilon * (1 + 1e-9):
        raise ValueError("the noise is too small for the epsilon that is stated")
    accuracy = float(dp.discrete_laplacian_scale_to_accuracy(scale=scale, alpha=ERROR))
    exact = {(row["period_key"], row["category"]): int(row["n_users"]) for row in prevalence}
    out = []
    for period in periods:
        noisy = mechanism([exact[period.key, category] for category in CATEGORIES])
        out += [
            {
                "period_key": period.key,
                "category": category,
                "n_users_noisy": max(0, count),
                "epsilon": epsilon,
                "accuracy": accuracy,
                "suppressed": False,
            }
            for category, count in zip(CATEGORIES, noisy, strict=True)
        ]
    return out
