"""From probabilities to labels, and from labels to figures: what is decided when heads disagree or hardly know."""

import pytest

from dagster_project.classifiers.local.classifier import AFFECTIVE, DOUBT, decide
from dagster_project.domain.study import AFFECTIVE_TYPES
from training.agreement import Judged, class_figures, grouped, length_of, roleplay_figures, screen_figures

THRESHOLDS = dict.fromkeys(("content_creation", *AFFECTIVE_TYPES, AFFECTIVE), 0.4)


def decided(**scores: float) -> list[str] | None:
    return decide({**dict.fromkeys(THRESHOLDS, 0.01), **scores}, THRESHOLDS)


def test_types_that_reach_their_threshold_are_said_together() -> None:
    assert decided(affective=0.9, coaching=0.5, companionship=0.4) == ["coaching", "companionship"]


def test_where_some_type_applies_the_nearest_is_taken() -> None:
    """Prevents talk that is surely personal from being lost because two types share it."""
    assert decided(affective=0.9, coaching=0.3, interpersonal_advice=0.35) == ["interpersonal_advice"]


def test_a_type_without_the_head_that_asks_for_any_is_not_said() -> None:
    assert decided(affective=0.2, coaching=0.6) == []


def test_content_creation_and_types_exclude_one_another() -> None:
    """Prevents a conversation from being counted as affective and left out as content creation at once."""
    assert decided(affective=0.9, coaching=0.5, content_creation=0.6) == ["content_creation"]
    assert decided(affective=0.9, coaching=0.7, content_creation=0.6) == ["coaching"]


@pytest.mark.parametrize("side", [-1, 1])
def test_on_the_threshold_it_could_not_be_told(side: int) -> None:
    """Prevents a toss of a coin from being counted as a label."""
    assert decided(affective=0.4 + side * DOUBT * 0.9, coaching=0.5) is None
    assert decided(affective=0.4 + side * DOUBT * 1.1, coaching=0.5) is not None
    assert decided(affective=0.4, content_creation=0.5) == ["content_creation"]


def judged(said: set[str] | None, true: set[str], n_human: int = 1, source: str = "a") -> Judged:
    return Judged(source, n_human, None if said is None else frozenset(said), frozenset(true))


def test_agreement_against_figures_worked_out_by_hand() -> None:
    rows = [
        judged({"coaching"}, {"coaching"}),
        judged({"companionship"}, {"coaching"}, 4),
        judged(set(), set(), 9, "b"),
        judged({"content_creation"}, {"content_creation"}),
        judged(None, {"coaching"}),
        judged(None, set()),
    ]
    figures = screen_figures(rows)
    assert (figures["affective"]["n_true"], figures["affective"]["recall"], figures["affective"]["precision"]) == (
        3,
        0.667,
        1.0,
    )
    assert figures["could_not_tell"] == 2
    assert (figures["type_found"], figures["types_exact"]) == (0.333, 0.333)
    assert figures["content_creation"]["f1"] == 1.0
    # What could not be told is not taken for "nothing applies".
    assert class_figures(rows)["by_class"]["none"]["recall"] == 0.5
    assert list(grouped(rows, lambda j: j.source)) == ["a", "b"]
    assert [length_of(r) for r in rows[:3]] == ["1", "4–7", "8 and more"]


def test_roleplay_is_judged_where_the_studys_rule_lets_it_count() -> None:
    rows = [judged({"romantic_roleplay"}, {"sexual_roleplay"}, 4), judged(set(), {"romantic_roleplay"}, 3)]
    assert roleplay_figures(rows)["n"] == 1 and roleplay_figures(rows)["f1"] == 1.0
