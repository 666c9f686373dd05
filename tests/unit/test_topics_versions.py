"""Versions: identity over time, the tree, what fits nowhere, which version a period has, and how they are kept."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from dagster_project.domain.periods import parse_period
from dagster_project.domain.topics.groups import unit
from dagster_project.domain.topics.identity import Change, Event, events, match, overlap
from dagster_project.domain.topics.model import Fit, drift, reaches, sort
from dagster_project.domain.topics.tree import parents
from dagster_project.home import Home
from dagster_project.storage.topic_models import TopicModelDamaged, TopicModels
from dagster_project.topics.versions import Schedule, chain_of, is_due, neighbour, span_of, valid
from tests.support.topic_lake import topic_model

FIT = Fit("2026-W41", date(2026, 8, 17), date(2026, 10, 12), "25/50", 30, 200, 200, 0.3, 0.02, 0.4)


def around(centres: np.ndarray, sizes: list[int], seed: int = 0, noise: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return unit(
        (centres[labels] + noise * draw.normal(size=(len(labels), centres.shape[1]))).astype(np.float32)
    ), labels


def test_a_topic_keeps_its_id_whatever_order_a_fit_finds_it_in() -> None:
    centres = np.eye(4, 16, dtype=np.float32)
    _, labels = around(centres, [30, 30, 30, 30])
    order = np.array([2, 0, 3, 1])
    table = overlap(labels, np.argsort(order)[labels], 4, 4)
    assert match(centres, centres[order], table) == {0: 2, 1: 0, 2: 3, 3: 1}


def test_alike_centres_without_shared_members_are_not_one_topic() -> None:
    """Else a topic that died would hand its id, and its series, to a neighbour."""
    centres = np.eye(2, 16, dtype=np.float32)
    table = overlap(np.array([0] * 40 + [-1] * 40), np.array([0] * 40 + [1] * 40), 2, 2)
    assert match(centres, centres, table) == {0: 0}


def test_births_deaths_splits_and_merges_are_told_apart() -> None:
    old = np.array([0] * 40 + [0] * 30 + [1] * 20 + [2] * 40 + [-1] * 25)
    new = np.array([0] * 40 + [1] * 30 + [2] * 20 + [2] * 40 + [3] * 25)
    found = events(("a", "b", "c", "dead"), ("a", "a2", "c", "fresh"), overlap(old, new, 4, 4))
    assert set(found) == {
        Event(Change.SPLIT, "a2", "a"), Event(Change.BORN, "fresh"), Event(Change.MERGED, "b", "c"), Event(Change.DIED, "dead"),
    }  # fmt: skip


def test_topics_that_lie_together_have_a_parent_and_a_lone_one_has_none() -> None:
    ways = np.eye(3, 12, dtype=np.float32)
    near = np.random.default_rng(1).normal(size=(7, 12)).astype(np.float32) * 0.1
    centres = unit(ways[[0, 0, 0, 1, 1, 1, 2]] + near)
    found = parents(centres)
    assert found.tolist() == [0, 0, 0, 1, 1, 1, -1]


@pytest.mark.parametrize("k", [0, 1, 3, 6])
def test_topics_that_are_all_equally_far_apart_have_no_parents(k: int) -> None:
    assert parents(np.eye(k, 16, dtype=np.float32)).tolist() == [-1] * k


def test_what_is_far_from_every_topic_fits_nowhere_and_drifts() -> None:
    centres = np.eye(2, 16, dtype=np.float32)
    vectors, labels = around(centres, [100, 100])
    reach = reaches(labels, 1 - (vectors * centres[labels]).sum(axis=1).astype(np.float64), 2)
    assert (sort(vectors, centres, reach)[0] == labels).mean() > 0.95
    strange, _ = around(np.eye(3, 16, dtype=np.float32)[[2]], [30], seed=4)
    assert (sort(strange, centres, reach)[0] == -1).all()
    model = replace(topic_model(FIT), centres=centres, reach=reach)
    assert drift(model, vectors).drift < 0.05 < 0.1 < drift(model, np.concatenate([vectors, strange])).drift
    assert drift(model, vectors[:0]).drift == 0


def test_a_version_never_knows_what_came_after_its_period() -> None:
    """A backfill of an old week by a newer version would sort it by what nobody had said yet."""
    versions = [date(2026, 9, 28), date(2026, 10, 26)]
    assert valid(versions, parse_period("2026-W41")) == date(2026, 9, 28)
    assert valid(versions, parse_period("2026-W43")) == date(2026, 10, 26)
    assert valid(versions, parse_period("2026-W30")) is None
    assert span_of(parse_period("2026-W41"), Schedule()) == (date(2026, 8, 17), date(2026, 10, 12))
    assert span_of(parse_period("2026-09-21..2026-11-15"), Schedule(7)) == (date(2026, 9, 21), date(2026, 11, 16))
    assert neighbour(versions, date(2026, 10, 12)) == date(2026, 9, 28)
    assert neighbour(versions, date(2026, 9, 1)) == date(2026, 9, 28)
    assert neighbour([], date(2026, 9, 1)) is None


def test_a_version_is_due_when_old_or_when_there_is_twice_as_much_to_fit_on() -> None:
    schedule = Schedule()
    assert not is_due(FIT, parse_period("2026-W44"), 40, schedule)
    assert is_due(FIT, parse_period("2026-W45"), 40, schedule)
    assert is_due(FIT, parse_period("2026-W42"), 60, schedule)


def test_kinds_of_period_and_windows_share_no_ids() -> None:
    keys = ["2026-W41", "2026-10", "2026-10-05", "2026-09-21..2026-11-15", "2026-09-21..2026-11-14"]
    assert len({chain_of(parse_period(key)) for key in keys}) == 5
    assert chain_of(parse_period("2026-W41")) == chain_of(parse_period("2026-W42"))


def test_a_version_comes_back_as_it_was_and_equal_ones_are_equal_bytes(tmp_path: Path) -> None:
    models, model = TopicModels(Home(tmp_path)), topic_model(FIT)
    models.write("week", "coaching", model)
    (file,) = tmp_path.rglob("*.npz")
    first = file.read_bytes()
    read, to_renew = models.read("week", "coaching", FIT.end)
    assert not to_renew and read.rows == model.rows and read.fit == FIT and read.events == model.events
    assert all(
        np.array_equal(getattr(read, a), getattr(model, a)) for a in ("centres", "reach", "weights", "parent_of")
    )
    models.write("week", "coaching", read)
    assert file.read_bytes() == first
    assert file.stat().st_mode & 0o077 == 0


def test_no_changed_byte_makes_another_model(tmp_path: Path) -> None:
    """A version that rots on the disk would sort people's words under wrong names without anybody noticing."""
    models, model = TopicModels(Home(tmp_path)), topic_model(FIT)
    models.write("week", "coaching", model)
    (file,) = tmp_path.rglob("*.npz")
    data, noticed = file.read_bytes(), 0
    for place in range(0, len(data), 29):
        file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        try:
            read, _ = models.read("week", "coaching", FIT.end)
        except TopicModelDamaged as damaged:
            assert "remove the file" in str(damaged)
            noticed += 1
        else:
            assert read.rows == model.rows and read.centres.tobytes() == model.centres.tobytes()
    assert noticed > 10


def test_an_erasure_marks_what_was_fitted_on_its_days_and_drops_what_is_of_one_window(tmp_path: Path) -> None:
    models, model = TopicModels(Home(tmp_path)), topic_model(FIT)
    for chain in ("week", "day", "2026-09-21..2026-11-15"):
        models.write(chain, "coaching", model)
    models.touch([date(2026, 10, 12)])
    assert not models.read("week", "coaching", FIT.end)[1]
    models.touch([date(2026, 10, 11)])
    assert models.read("week", "coaching", FIT.end)[1] and models.read("day", "coaching", FIT.end)[1]
    assert models.versions("2026-09-21..2026-11-15", "coaching") == []
