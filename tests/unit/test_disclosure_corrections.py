"""Corrections: nobody is seen coming or going between two revisions."""

import pytest

from dagster_project.domain.disclosure.corrections import Change, refused_tables
from dagster_project.policy.loader import Policy

RULES = Policy.resolve().rules


@pytest.mark.parametrize(
    ("added", "removed", "refused"),
    [
        (0, 0, False),
        (1, 0, True),
        (0, 1, True),
        (9, 0, True),
        (10, 0, False),
        (0, 10, False),
        (10, 9, True),
        (12, 30, False),
    ],
)
def test_users_added_and_removed_are_nobody_or_at_least_k(added: int, removed: int, refused: bool) -> None:
    """Prevents a correction from telling, by subtraction, of the few whose late conversations it adds."""
    changes = [Change("prevalence", 0, 0), Change("funnel", added, removed)]
    assert refused_tables(changes, RULES) == (("funnel",) if refused else ())


def test_as_many_added_as_removed_do_not_make_up_for_one_another() -> None:
    """Prevents five who left and five who came from passing for nothing, as the difference of counts would say."""
    assert refused_tables([Change("topics", 5, 5)], RULES) == ("topics",)


def test_every_earlier_revision_is_compared_with() -> None:
    """Prevents two corrections, each large enough beside the one before, from being subtracted across the middle one."""
    against_the_first, against_the_second = Change("pushback", 3, 0), Change("pushback", 10, 13)
    assert refused_tables([against_the_second], RULES) == ()
    assert refused_tables([against_the_first, against_the_second], RULES) == ("pushback",)


def test_tables_are_named_once_and_numbers_never() -> None:
    changes = [Change("topics", 3, 0), Change("funnel", 4, 4), Change("topics", 0, 2)]
    assert refused_tables(changes, RULES) == ("funnel", "topics")
    with pytest.raises(ValueError, match="below 0"):
        refused_tables([Change("funnel", -1, 0)], RULES)
