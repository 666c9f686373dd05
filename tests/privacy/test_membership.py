"""Nobody's presence shows: an attacker who knows a person's conversations cannot tell whether they were counted.

A few pairs of releases in CI, so that a broken bound shows; 1,500 pairs a stratum with CONFIDE_AUDIT=long, which prints
the areas under the curve. Not here: the attack (`tests/support/membership.py`).
"""

import os
from collections.abc import Callable

import pytest

from dagster_project.policy.loader import Policy
from tests.support.candidates import WEEK
from tests.support.membership import Attack, World, attack
from tests.support.populations import Habits

pytestmark = pytest.mark.long

LONG = os.environ.get("CONFIDE_AUDIT") == "long"
POLICY = Policy.resolve()
MEDIUM = World(Habits(1500 if LONG else 600), WEEK, POLICY.rules, POLICY.max_conversations_per_user)
LIMITS = {1: (0.55, 0.57), 5: (0.57, 0.60), 50: (0.57, 0.60)}
"""Conversations of the target: the largest area under the curve, and the largest upper end of its interval."""


def test_a_person_is_not_recognised_in_a_release(record_property: Callable[[str, str], None]) -> None:
    """Prevents someone's having confided in the assistant from being read off the counts."""
    found = attack(MEDIUM, list(LIMITS), pairs=1500 if LONG else 20, learnt_from=600 if LONG else 25, seed=3)
    for n, one in found.items() if LONG else ():
        record_property(
            "measured", f"membership, {n} conversations: AUC {one.auc:.3f}, upper 95 % bound {one.upper:.3f}"
        )
    for n, one in found.items():
        largest, upper = LIMITS[n]
        if LONG:
            assert one.auc <= largest and one.upper <= upper
        else:
            assert one.auc - 2.6 * one.error <= largest


def test_the_attack_sees_a_person_whose_conversations_all_count() -> None:
    """Prevents the attack from passing for a proof when it could not see anybody."""
    unbounded = World(Habits(600, heavy=0.0), WEEK, POLICY.rules, bound=50)
    found: Attack = attack(unbounded, [50], pairs=40, learnt_from=60, seed=4)[50]
    assert found.auc - 2.6 * found.error > 0.57
