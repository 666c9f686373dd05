"""A shift is told, and chance is not."""

import random
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.checks.shift import labels_of, shift_result
from dagster_project.domain.shift import labels_have_shifted, stability_index, volume_has_shifted
from dagster_project.home import Home
from dagster_project.storage.lake import Lake
from tests.support.lake_builder import Talk, write_talks

DAY = date(2026, 10, 30)
KEY = dg.AssetKey("screen_labels")


def test_the_index_is_the_sum_over_categories() -> None:
    before, now = {"a": 700, "b": 300}, {"a": 500, "b": 500}
    assert stability_index(before, now) == pytest.approx(0.1694, abs=1e-3)
    assert stability_index(before, before) == stability_index({}, {}) == 0


def test_chance_is_no_shift_and_a_broken_export_is_one() -> None:
    """Prevents an alarm every week in a small home, and silence when half of a day's labels are another kind."""
    draw = random.Random(3)
    kinds, shares = ["none", "coaching", "content_creation", "unknown"], (80, 8, 10, 2)
    before = Counter(draw.choices(kinds, shares, k=700))
    alarms = [labels_have_shifted(before, Counter(draw.choices(kinds, shares, k=25))) for _ in range(400)]
    assert sum(alarms) <= 4
    assert labels_have_shifted(before, Counter(draw.choices(kinds, (30, 8, 60, 2), k=60)))
    assert not labels_have_shifted({}, before)


@pytest.mark.parametrize(
    ("now", "shifted"), [(100, False), (199, False), (210, True), (51, False), (45, True), (0, True)]
)
def test_volume_stands_out_when_it_doubles_or_halves(now: int, shifted: bool) -> None:
    assert volume_has_shifted([90, 100, 100, 110, 5000], now) is shifted
    assert not volume_has_shifted([2, 3, 2], 7), "a few conversations more are nothing"
    assert not volume_has_shifted([], now)


@pytest.mark.parametrize("kind", ["alike", "labels", "volume", "too few days"])
def test_the_check_reports_the_newest_day(tmp_path: Path, kind: str) -> None:
    """Prevents an export that lost half of its records, or a labeller gone astray, from passing without a word."""
    home = Home(tmp_path / "home")
    home.create()
    draw = random.Random(5)
    days = [DAY - timedelta(i) for i in range(6 if kind == "too few days" else 12)]
    talks = [
        Talk(f"{d}-{i}", f"u{i}", d, types=draw.choices(((), ("coaching",)), (8, 2))[0])
        for d in days
        for i in range(80)
    ]
    if kind == "labels":
        talks = [replace(t, content_creation=True) if t.day == DAY and t.key[-1] in "02468" else t for t in talks]
    if kind == "volume":
        talks = [t for t in talks if t.day != DAY or int(t.key.rsplit("-", 1)[1]) < 20]
    write_talks(home, talks)
    result = shift_result(Lake(home), KEY, DAY)
    assert sum(labels_of(Lake(home), DAY).values()) == sum(t.day == DAY for t in talks)
    assert result.passed is (kind in ("alike", "too few days"))
    assert result.severity is dg.AssetCheckSeverity.WARN
    if kind in ("labels", "volume"):
        assert result.metadata[f"{kind}_{'have' if kind == 'labels' else 'has'}_shifted"].value is True
