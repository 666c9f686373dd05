"""Topics of a period from lake to rows: found, reproducible, shaped by people and not by loud ones."""

from datetime import timedelta
from pathlib import Path
from random import Random

import polars as pl
import pytest

from dagster_project.domain.topics.model import OTHER
from dagster_project.storage.lake import TABLES
from dagster_project.topics.period_topics import PeriodTopics, build_period_topics
from tests.support.topic_lake import KEY, PERIOD, THEMES, Said, crowd, sentence, work_of


def build(folder: Path, said: list[Said], shuffle: int | None = None, key: bytes = KEY) -> PeriodTopics:
    return build_period_topics(work_of(folder, said, shuffle, key), PERIOD)


def found(built: PeriodTopics) -> pl.DataFrame:
    """The topics without what fits nowhere."""
    return built.topics.filter(pl.col("topic_name") != OTHER)


def everybody(n_users: int = 100) -> list[Said]:
    return [one for theme in THEMES for one in crowd(theme, n_users)]


def test_planted_themes_are_found_named_and_reproducible(tmp_path: Path) -> None:
    said = everybody()
    built = build(tmp_path / "a", said)
    theme = {one.key: one.user.split("-")[0] for one in said}
    pairs = built.assignments.with_columns(pl.col("conversation_key").replace_strict(theme).alias("theme"))
    assert len(built.assignments) == len(said)
    assert pairs.select("topic_id", "theme").unique().height == len(THEMES)
    assert built.topics.schema == pl.Schema(TABLES["topics"])
    assert built.assignments.schema == pl.Schema(TABLES["topic_assignments"])
    for topic_id, name in found(built).select("topic_id", "topic_name").iter_rows():
        own = set(THEMES[pairs.filter(pl.col("topic_id") == topic_id)["theme"][0]])
        assert {word for term in name.lower().split(", ") for word in term.split(" ")} <= own
    assert found(built)["topic_name"].n_unique() == len(THEMES) == found(built).height
    assert built.topics["level"].to_list() == [0] * (len(THEMES) + 1)
    assert built.topics["parent_topic_id"].null_count() == len(THEMES) + 1

    again = build(tmp_path / "b", list(reversed(said)), shuffle=5)
    assert again.topics.equals(built.topics)
    assert again.assignments.equals(built.assignments)
    assert again.figures == built.figures

    other = build(tmp_path / "c", said, key=bytes(reversed(range(32))))
    assert not set(other.topics["topic_id"]) & set(built.topics["topic_id"])


def test_one_heavy_user_with_a_thousand_conversations_shapes_nothing(tmp_path: Path) -> None:
    random = Random(4)
    quiet = [one for theme in ("career", "sleep", "marriage") for one in crowd(theme, 100)]
    loud = [Said("heavy", [sentence("study", random)], day=PERIOD.start + timedelta(days=i % 14)) for i in range(1000)]
    built = build(tmp_path, quiet + loud)
    assert len(found(built)) == 3
    names = " ".join(built.topics["topic_name"]).lower()
    assert not [word for word in THEMES["study"] if word in names]
    assert built.figures["coaching"]["n_conversations"] == 605


def test_one_text_pasted_by_many_accounts_makes_no_topic(tmp_path: Path) -> None:
    quiet = [one for theme in ("career", "sleep", "marriage") for one in crowd(theme, 100)]
    pasted = sentence("study", Random(9)) + " " + " ".join(THEMES["study"])
    poison = [Said(f"sock-{i}-{j}", [pasted], day=PERIOD.start) for i in range(60) for j in range(2)]
    built = build(tmp_path, quiet + poison)
    names = " ".join(built.topics["topic_name"]).lower()
    assert len(found(built)) == 3
    assert not [word for word in THEMES["study"] if word in names]


@pytest.mark.parametrize("n_users", [0, 1, 24, 49])
def test_a_small_type_has_no_topics_at_all(tmp_path: Path, n_users: int) -> None:
    built = build(tmp_path, everybody(n_users) if n_users else [])
    assert built.topics.is_empty()
    assert built.assignments.is_empty()
    assert built.figures["coaching"]["n_topics"] == 0


def test_a_theme_below_the_minimum_is_other_and_loses_nobody(tmp_path: Path) -> None:
    """Sorted into its nearest sibling it would swell a topic that it has nothing to do with."""
    said = crowd("career", 150) + crowd("sleep", 150) + crowd("study", 10)
    built = build(tmp_path, said)
    assert len(found(built)) == 2
    assert len(built.assignments) == len(said)
    other = built.topics.filter(pl.col("topic_name") == OTHER)
    assert other.select("parent_topic_id", "level").rows() == [(None, 0)]
    in_other = built.assignments.filter(pl.col("topic_id") == other["topic_id"][0])["conversation_key"]
    assert set(in_other) >= {one.key for one in said if one.user.startswith("study")}
    assert len(in_other) < 0.1 * len(said)


def test_fiction_roleplay_and_the_unlabelled_get_no_row(tmp_path: Path) -> None:
    said = crowd("career", 100) + crowd("sleep", 100)
    left_out = [
        Said("x1", ["my career story"], content_creation=True),
        Said("x2", ["my career"] * 4, types=("coaching", "romantic_roleplay")),
        Said("x3", ["my career"], types=(), status="could_not_tell"),
        Said("x4", ["  "]),
    ]
    both = Said("x5", ["resume interview salary"], types=("coaching", "romantic_roleplay"))
    built = build(tmp_path, [*said, *left_out, both])
    assigned = set(built.assignments["conversation_key"])
    assert not assigned & {one.key for one in left_out}
    assert both.key in assigned


def test_a_conversation_of_two_types_has_a_row_in_each_and_ids_do_not_link_them(tmp_path: Path) -> None:
    said = crowd("career", 100) + crowd("sleep", 100)
    for one in said:
        one.types = ("interpersonal_advice", "coaching")
    built = build(tmp_path, said)
    assert len(built.assignments) == 2 * len(said)
    assert built.topics["topic_id"].n_unique() == 6
    assert built.topics["affective_type"].unique().sort().to_list() == ["coaching", "interpersonal_advice"]


def test_the_assistants_words_never_name_a_topic(tmp_path: Path) -> None:
    """Every reply of the support lake says zebra: it would be the term that most conversations share."""
    built = build(tmp_path, everybody())
    assert "zebra" not in " ".join(built.topics["topic_name"]).lower()
