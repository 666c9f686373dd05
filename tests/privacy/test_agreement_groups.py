"""Groups of agreement: what is withheld of them cannot be had by subtracting what is shown.

The attack is arithmetic on published rows and knows nothing of the audit's programs. Not here: the relations that the
audit works with (`tests/unit/test_disclosure_relations.py`), all other tables (`test_disclosure_audit.py`).
"""

from typing import Any

import pytest

from dagster_project.domain.disclosure.suppression import suppress
from dagster_project.domain.study import TALK_TYPES
from dagster_project.domain.tables import LENGTHS
from dagster_project.policy.loader import Policy
from tests.support.candidates import WEEK
from tests.support.populations import Habits, candidate_rows, random_talks

RULES = Policy.resolve().rules
K, LEAST, HALF = RULES.min_users, RULES.min_conversations, RULES.rounding_base // 2
Span = tuple[int, int]


def behind(row: dict[str, Any] | None, most: int) -> Span:
    """The exact counts of labelled conversations that a row can stand for; anything up to `most` where it is withheld."""
    if row is None or row["suppressed"]:
        return 0, most
    return max(LEAST, row["n_labelled"] - HALF), row["n_labelled"] + HALF


def narrowed(whole: Span, parts: list[Span], overlap: bool) -> list[Span]:
    """What the whole and all other parts leave of each."""
    out = []
    for i, (low, high) in enumerate(parts):
        others = [part for j, part in enumerate(parts) if j != i]
        most = whole[1] if overlap else whole[1] - sum(part[0] for part in others)
        out.append((max(low, whole[0] - sum(part[1] for part in others)), min(high, most)))
    return out


@pytest.mark.parametrize(
    ("brief", "types", "shown"),
    [(0.5, (0.15, 0.15, 0.15, 0.1, 0.0, 0.0), 2), (0.97, (0.2, 0.2, 0.02, 0.0, 0.0, 0.0), 0)],
)
def test_no_withheld_group_is_told_by_the_others(brief: float, types: tuple[float, ...], shown: int) -> None:
    """The bad day: eight of 300 labelled conversations are long, and the total less the short ones says so."""
    habits = Habits(
        500, 1.5, types=types, pushback=0.3, toned=0.0, topics=0, coded=0.45, brief=brief, long=0.0, heavy=0.0
    )
    rows = suppress(candidate_rows(random_talks(7, habits, WEEK.start, 7), [WEEK]), RULES)
    whole = {row["facet"]: row for row in rows["agreement"]}
    groups = {(row["facet"], row["dimension"], row["group_name"]): row for row in rows["agreement_by"]}
    assert not whole["content_creation"]["suppressed"]
    for facet in whole:
        total = behind(whole[facet], 10_000)
        for dimension, names in (("length", tuple(LENGTHS)), ("affective_type", TALK_TYPES)):
            own = [groups.get((facet, dimension, name)) for name in names]
            if None in own:
                continue
            left = narrowed(total, [behind(row, total[1]) for row in own], dimension == "affective_type")
            for row, (low, high) in zip(own, left, strict=True):
                assert row is not None and (not row["suppressed"] or high - low >= K), (facet, dimension)
    lengths = [groups["content_creation", "length", band] for band in LENGTHS]
    assert sum(not row["suppressed"] for row in lengths) == shown
    assert any(row["suppressed"] for row in groups.values())
