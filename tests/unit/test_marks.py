"""Marks say what the warehouse holds: two things under one mark would pass for each other."""

from datetime import date
from pathlib import Path

from dagster_project.days import Marks
from dagster_project.home import Home


def test_a_day_and_the_release_period_of_that_day_are_two_things(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    home.warehouse.touch()
    marks, day = Marks(home), date(2026, 10, 5)
    marks.write(day, "of the day")
    marks.write(str(day), "of the period")
    assert (marks.read(day), marks.read(str(day))) == ("of the day", "of the period")
    marks.begin([str(day)])
    assert (marks.read(day), marks.read(str(day))) == ("of the day", None)


def test_without_a_warehouse_nothing_is_held(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    home.warehouse.touch()
    marks = Marks(home)
    marks.write("2026-W41", "counted")
    home.warehouse.unlink()
    assert marks.read("2026-W41") is None
    marks.begin([])
    home.warehouse.touch()
    assert marks.read("2026-W41") is None
