"""Topics that last: ids go on from week to week, a version is of its time, and what is erased is fitted anew."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

import polars as pl
import pytest

from dagster_project.domain.periods import parse_period
from dagster_project.topics.fitting import TopicLimits
from dagster_project.topics.period_topics import PeriodTopics, TopicWork, build_period_topics
from dagster_project.topics.versions import Schedule
from tests.support.topic_lake import Said, sentence, work_of

MONDAY = date(2026, 9, 7)
WEEKLY = Schedule(span_days=7, refit_days=7)


def week(n: int) -> str:
    year, number, _ = (MONDAY + timedelta(7 * n)).isocalendar()
    return f"{year}-W{number:02d}"


def of_week(n: int, themes: str, each: int = 110) -> list[Said]:
    random = Random(f"{n}{themes}")
    return [
        Said(f"{theme}-{n}-{u}", [sentence(theme, random)], day=MONDAY + timedelta(7 * n + u % 7))
        for theme in themes.split()
        for u in range(each)
        for _ in range(2)
    ]


def ids(built: PeriodTopics) -> dict[str, str]:
    """The topic of each theme, by the words of its name."""
    from tests.support.topic_lake import THEMES

    found = {}
    for topic_id, name in built.topics.select("topic_id", "topic_name").iter_rows():
        for theme, words in THEMES.items():
            if set(name.lower().replace(",", "").split()) & set(words):
                found[theme] = topic_id
    return found


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> tuple[TopicWork, list[PeriodTopics]]:
    """Four weeks, refitted weekly: study is born in the third, marriage dies in the fourth."""
    said = [*of_week(0, "career sleep marriage"), *of_week(1, "career sleep marriage")]
    said += [*of_week(2, "career sleep marriage study"), *of_week(3, "career sleep study")]
    work = work_of(tmp_path_factory.mktemp("weeks"), said, schedule=WEEKLY)
    return work, [build_period_topics(work, parse_period(week(n))) for n in range(4)]


def test_ids_go_on_and_births_and_deaths_are_found_in_their_week(weeks: tuple[TopicWork, list[PeriodTopics]]) -> None:
    """Without it an analyst's series would end with every fit."""
    _, built = weeks
    first, second, third, fourth = map(ids, built)
    assert first == second and set(first) == {"career", "sleep", "marriage"}
    assert first.items() <= third.items() and set(third) - set(first) == {"study"}
    assert fourth == {theme: third[theme] for theme in ("career", "sleep", "study")}
    told = [{k: b.figures["coaching"][k] for k in ("born", "died", "split", "merged")} for b in built]
    assert told[1] == {"born": 0, "died": 0, "split": 0, "merged": 0}
    assert told[2] == {"born": 1, "died": 0, "split": 0, "merged": 0}
    assert told[3] == {"born": 0, "died": 1, "split": 0, "merged": 0}


def test_an_old_week_is_sorted_again_by_its_own_version_and_nothing_changes(
    weeks: tuple[TopicWork, list[PeriodTopics]],
) -> None:
    work, built = weeks
    again = build_period_topics(work, parse_period(week(1)))
    assert again.topics.equals(built[1].topics) and again.assignments.equals(built[1].assignments)
    assert again.figures["coaching"]["fitted_now"] == 0


def test_a_new_fit_that_was_asked_for_keeps_the_ids(weeks: tuple[TopicWork, list[PeriodTopics]]) -> None:
    work, built = weeks
    again = build_period_topics(work, parse_period(week(3)), refit=True)
    assert again.figures["coaching"]["fitted_now"] == 1
    assert ids(again) == ids(built[3])


def test_after_an_erasure_what_it_touched_is_fitted_anew_under_the_same_ids(tmp_path: Path) -> None:
    """The version of before was shaped by a person who must be forgotten; the series must not end for it."""
    said = of_week(0, "career sleep")
    work = work_of(tmp_path, said, schedule=WEEKLY)
    before = build_period_topics(work, parse_period(week(0)))
    version = MONDAY + timedelta(7)
    old, _ = work.models.read("week", "coaching", version)
    gone = {one.key for one in said[:6]}
    for day in {one.day for one in said[:6]}:
        for table in ("conversations", "messages", "screen_labels"):
            work.lake.write(
                table, day, work.lake.read(table, day).filter(~pl.col("conversation_key").is_in(list(gone)))
            )
    work.models.touch({one.day for one in said[:6]})
    after = build_period_topics(work, parse_period(week(0)))
    new, to_renew = work.models.read("week", "coaching", version)
    assert not to_renew and new.centres.tobytes() != old.centres.tobytes()
    assert ids(after) == ids(before) and not gone & set(after.assignments["conversation_key"])
    # Not even where the fit began: a home that never knew them finds the very same centres.
    never = work_of(tmp_path / "never", [one for one in said if one.key not in gone], schedule=WEEKLY)
    build_period_topics(never, parse_period(week(0)))
    assert never.models.read("week", "coaching", version)[0].centres.tobytes() == new.centres.tobytes()


def test_nine_tenths_of_the_conversations_leave_topics_as_they_were(tmp_path: Path) -> None:
    """One theme cut in four pieces can be cut elsewhere by any draw: series would end though nobody said anything new."""
    said = of_week(0, "career", each=450)
    work = work_of(tmp_path / "all", said, schedule=WEEKLY)
    before = build_period_topics(work, parse_period(week(0)))
    part = work_of(tmp_path / "part", Random(9).sample(said, round(0.9 * len(said))), schedule=WEEKLY)
    after = build_period_topics(replace(part, models=work.models), parse_period(week(0)), refit=True)
    assert after.figures["coaching"]["fitted_now"] == 1
    assert set(before.topics["topic_id"]) == set(after.topics["topic_id"]) and before.topics.height > 3


def test_under_a_stricter_policy_no_version_of_a_weaker_one_is_used(tmp_path: Path) -> None:
    """A name that 26 people shared must not go out where 60 are asked for."""
    work = work_of(tmp_path, of_week(0, "career sleep", each=120), schedule=WEEKLY)
    weak = build_period_topics(work, parse_period(week(0)))
    strict = replace(work, limits=TopicLimits(60, 100, 5))
    again = build_period_topics(strict, parse_period(week(0)))
    assert again.figures["coaching"]["n_topics"] in (0, 2)
    for version in work.models.versions("week", "coaching"):
        assert work.models.read("week", "coaching", version)[0].fit.limits.startswith("60/100/")
    assert weak.figures["coaching"]["n_topics"] == 2


def test_a_period_that_drifts_away_gets_a_version_of_its_own(tmp_path: Path) -> None:
    """Else what is new this week would be told as old, or as nothing, until the next fit is due."""
    said = [one for n in (0, 1, 2) for one in of_week(n, "career sleep")] + of_week(2, "study")
    work = work_of(tmp_path, said, schedule=Schedule(span_days=14, refit_days=28))
    first = build_period_topics(work, parse_period(week(1)))
    quiet = build_period_topics(replace(work, schedule=replace(work.schedule, drift=1.0)), parse_period(week(2)))
    assert quiet.figures["coaching"]["fitted_now"] == 0 and quiet.figures["coaching"]["drift"] > 0.2
    second = build_period_topics(work, parse_period(week(2)))
    assert second.figures["coaching"]["fitted_now"] == 1
    assert set(ids(first)) == {"career", "sleep"} and ids(first).items() <= ids(second).items()
    assert "study" in ids(second)
