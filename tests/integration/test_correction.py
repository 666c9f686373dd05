"""`confide release --correct`: late data waits until it is of enough people, and then nothing published is changed."""

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dagster_project.home import Home
from dagster_project.storage.published import current
from tests.support.homes import confide, done
from tests.support.ready_home import DAYS, ready_home
from tests.support.ready_home import RELEASED as WEEK
from tests.support.worlds import conversation, write_lines

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ready_home(tmp_path_factory).home


def stories(root: Path, first: int, users: int) -> Path:
    """Late conversations of new people who all ask for the same sort of story."""
    rng = random.Random(first)
    rows: list[dict[str, Any]] = [
        conversation(rng, 50_000 + first + i, DAYS[2], f"late{first + i}", "story", 1) for i in range(users)
    ]
    return write_lines(root / f"late{first}.jsonl", rows)


def table(home: Path, name: str) -> pl.DataFrame:
    snapshot = current(Home(home))
    assert snapshot is not None
    return snapshot.read_table(name)


def test_a_period_that_is_not_published_or_has_not_changed_is_not_corrected(home: Path) -> None:
    said = confide(home, "release", "--correct", "2026-W40")
    assert said.code == 1 and "2026-W40 is not published" in said.err
    said = confide(home, "release", "--correct", WEEK)
    assert said.code == 1 and "nothing that is counted has changed" in said.err
    assert confide(home, "release", "2026-W40", "--correct", WEEK).code == 2


def test_late_data_of_a_few_people_waits_and_of_enough_is_published_as_a_revision(home: Path, tmp_path: Path) -> None:
    """Prevents three late people from being read off the difference of two revisions."""
    before = table(home, "prevalence")
    assert done(confide(home, "status", "--json")).json["waiting"] == []
    done(confide(home, "ingest", stories(tmp_path, 0, 3)))
    assert done(confide(home, "status", "--json")).json["waiting"] == [WEEK]
    done(confide(home, "run"))
    assert done(confide(home, "status", "--json")).json["waiting"] == [WEEK]
    said = confide(home, "release", "--correct", WEEK)
    assert said.code == 1 and "cannot be corrected yet: in funnel, prevalence" in said.err
    assert "3" not in said.err.replace(WEEK, "")
    assert table(home, "prevalence").equals(before)

    done(confide(home, "ingest", stories(tmp_path, 10, 12)))
    done(confide(home, "run"))
    published = done(confide(home, "release", "--correct", WEEK, "--json")).json
    assert published["periods"] == [WEEK]
    assert done(confide(home, "status", "--json")).json["waiting"] == []
    for name in ("prevalence", "funnel", "pushback", "sentiment"):
        assert set(table(home, name)["revision"]) == {0, 1}
    rows = table(home, "prevalence")
    assert rows.filter(revision=0).equals(before)
    totals = [rows.filter(revision=r, category="all")["n_conversations"].item() for r in (0, 1)]
    assert totals[1] - totals[0] == 15
    assert table(home, "topics").filter(revision=1).is_empty()
    snapshot = current(Home(home))
    assert snapshot is not None
    assert [p["revision"] for p in snapshot.manifest()["periods"]] == [0, 1]
    assert "correction 1:" in (snapshot.path / "report.html").read_text(encoding="utf-8")


def test_a_correction_is_recomputed_beside_what_it_corrects(home: Path) -> None:
    """Prevents a revision from being checked as if nothing had been published before it."""
    found = done(confide(home, "verify", "--json")).json
    assert [(p["revision"], p["state"]) for p in found["periods"]] == [(0, "not_recomputable"), (1, "equal")], found
    assert "labels of its days are not those that were counted" in found["periods"][0]["reason"]
    assert found["periods"][1]["cells"]["topics"] == 0 and found["periods"][1]["notes"] == []
    assert found["frozen"] == {"differ": []}


def test_an_erasure_closes_the_period_to_correction(home: Path) -> None:
    """Prevents the erased person from being read off the difference of two revisions."""
    done(confide(home, "erase", "--user-id", "late11"))
    assert not any(Home(home).private.joinpath("contributions").rglob("*.parquet"))
    assert done(confide(home, "status", "--json")).json["waiting"] == [], "it would be listed for ever"
    said = confide(home, "release", "--correct", WEEK)
    assert said.code == 1 and "closed to correction" in said.err
    assert "late11" not in said.err
