"""Which conversations are analysed: the study's rules, so that topics and the warehouse speak of the same ones."""

import pytest

from dagster_project.domain.selection import analysed_types, counted_conversations


def rows(*types: str | None, creation: str | None = None, status: str = "ok", creation_status: str = "ok"):
    return [
        ("content_creation", creation_status, creation),
        *(("affective_type", status, t) for t in types),
        ("pushback", "ok", "refusal"),
    ]


@pytest.mark.parametrize(
    ("given", "n_human", "expected"),
    [
        (rows("coaching"), 1, ("coaching",)),
        (rows("companionship", "interpersonal_advice"), 1, ("interpersonal_advice", "companionship")),
        (rows(None), 9, ()),
        (rows("coaching", creation="content_creation"), 9, ()),
        (rows("coaching", "romantic_roleplay"), 3, ("coaching",)),
        (rows("coaching", "romantic_roleplay"), 4, ()),
        (rows("sexual_roleplay"), 3, ()),
        (rows(None, status="could_not_tell"), 9, ()),
        (rows("coaching", creation_status="refused"), 9, ()),
        ([("affective_type", "ok", "coaching")], 9, ()),
        ([("content_creation", "ok", None)], 9, ()),
        ([], 9, ()),
    ],
)
def test_fiction_roleplay_and_the_unknown_never_reach_topics(given, n_human, expected) -> None:
    assert analysed_types(given, n_human) == expected


def test_a_heavy_user_counts_a_few_times_and_the_choice_ignores_row_order() -> None:
    users = {f"c{i}": "heavy" for i in range(1000)} | {"d": "light"}
    counted = counted_conversations("2026-W41", users, 5)
    assert len(counted) == 6
    assert "d" in counted
    assert counted == counted_conversations("2026-W41", dict(reversed(users.items())), 5)
    assert counted != counted_conversations("2026-W42", users, 5)
