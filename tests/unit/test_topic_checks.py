"""Checks of fit and drift: they warn with figures, name the type and the reason, and never a text."""

from typing import Any

import dagster as dg
import pytest

from dagster_project.checks.topics import DRIFT, FIT, topic_check_results

KEY = dg.AssetKey(["lake", "topics"])
GOOD = {
    "n_topics": 4, "n_parents": 1, "other_share_of_fit": 0.03, "silhouette": 0.2, "unnamed": 0, "drift": 0.01,
}  # fmt: skip


def results(**changed: Any) -> dict[str, dg.AssetCheckResult]:
    figures = {"2026-W41": {"coaching": GOOD | changed, "companionship": {"n_topics": 0}}}
    return {str(r.check_name): r for r in topic_check_results(KEY, figures, 0.15)}


def test_good_topics_pass_and_types_without_topics_are_not_judged() -> None:
    found = results()
    assert all(result.passed for result in found.values())
    assert found[FIT].metadata["checked"].value == 1


@pytest.mark.parametrize(
    ("changed", "check"),
    [({"other_share_of_fit": 0.3}, FIT), ({"silhouette": 0.0}, FIT), ({"unnamed": 3}, FIT), ({"drift": 0.16}, DRIFT)],
)
def test_what_is_wrong_is_warned_of_by_the_check_that_it_belongs_to(changed: dict[str, Any], check: str) -> None:
    """An operator who is not told would publish topics that describe nobody for weeks."""
    found = results(**changed)
    assert [name for name, result in found.items() if not result.passed] == [check]
    assert found[check].severity is dg.AssetCheckSeverity.WARN
    assert list(found[check].metadata["found"].value) == ["2026-W41, coaching"]
