"""The study's rules at their edges: one message too few must not count."""

import pytest

from dagster_project.domain.study import counted_types, position_third, sentiment_change


@pytest.mark.parametrize(("n", "counts"), [(0, False), (3, False), (4, True), (5, True)])
def test_roleplay_counts_from_four_human_messages(n: int, counts: bool) -> None:
    found = counted_types(["companionship", "romantic_roleplay", "sexual_roleplay"], n)
    assert ("romantic_roleplay" in found, "sexual_roleplay" in found) == (counts, counts)
    assert "companionship" in found


def test_sentiment_needs_six_human_messages() -> None:
    assert sentiment_change([0.0] * 5) is None
    assert sentiment_change([-1.0, -0.5, 0.0, 0.5, 0.5, 0.5]) == (-0.5, 0.5)


def test_messages_between_the_first_three_and_the_last_three_do_not_matter() -> None:
    assert sentiment_change([0.5, 0.5, 0.5, None, -1.0, 0.0, 0.0, 0.0]) == (0.5, 0.0)


def test_one_unknown_of_the_six_leaves_the_conversation_out() -> None:
    assert sentiment_change([0.5, None, 0.5, 0.0, 0.0, 0.0]) is None
    assert sentiment_change([0.5, 0.5, 0.5, 0.0, 0.0, None]) is None


@pytest.mark.parametrize(
    ("turn", "n", "third"),
    [
        (0, 1, "early"),
        (0, 2, "early"),
        (1, 2, "middle"),
        (1, 3, "middle"),
        (2, 3, "late"),
        (3, 10, "early"),
        (4, 10, "middle"),
        (9, 10, "late"),
    ],
)
def test_thirds_of_the_assistants_turns(turn: int, n: int, third: str) -> None:
    assert position_third(turn, n) == third


def test_a_turn_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="turn 3"):
        position_third(3, 3)
