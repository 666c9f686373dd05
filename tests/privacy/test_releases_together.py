"""Releases one after the other, of days, a week and a window: nothing follows from all of them together.

The rows come from made-up people, so that they agree; the audit runs on what stands in `publications/`. Not here: the
suppressor by itself (`test_disclosure_audit.py`), homes with conversations (`tests/integration/test_whole_path.py`).
"""

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from dagster_project.domain.disclosure.audit import audit
from dagster_project.domain.periods import parse_period
from dagster_project.home import Home
from dagster_project.policy.loader import Policy
from dagster_project.release import published_editions, release
from dagster_project.storage.published import current
from dagster_project.storage.release_ledger import ReleaseRefused
from tests.support.candidates import AT, WEEK, frames, metadata, page
from tests.support.populations import Habits, Talk, candidate_rows, random_talks

POLICY = Policy.resolve()
LAST = WEEK.end - timedelta(1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def publish(home: Home, talks: list[Talk], key: str) -> None:
    period = parse_period(key)
    release(home, POLICY, frames(candidate_rows(talks, [period])), metadata(period), page, clock=lambda: AT)


def five_who_write_stories_on_the_last_day() -> list[Talk]:
    talks = random_talks(3, Habits(400, talks_per_user=1.5, heavy=0.0), WEEK.start, 7)
    return [
        *(talk for talk in talks if talk.day < LAST or not talk.creation),
        *(Talk(9000 + i, LAST, True) for i in range(5)),
    ]


def test_a_release_knows_what_earlier_ones_told(home: Home) -> None:
    """Prevents a window that is one day longer than a published one from telling of that day."""
    talks = five_who_write_stories_on_the_last_day()
    publish(home, talks, f"{WEEK.start}..{LAST - timedelta(1)}")
    before = current(home)
    assert before is not None
    publish(home, talks, WEEK.key)
    snapshot = current(home)
    assert snapshot is not None
    editions = published_editions(snapshot)
    assert [edition.period.key for edition in editions] == [f"{WEEK.start}..{LAST - timedelta(1)}", WEEK.key]
    assert audit(editions) == []
    for name in ("prevalence", "funnel", "pushback", "sentiment", "topics"):
        frozen = before.read_table(name)
        assert snapshot.read_table(name).filter(pl.col("period_kind") == "window").equals(frozen)
    # Alone the week shows more: what is missing is missing because of the window.
    alone = Home(home.root.with_name("alone"))
    alone.create()
    publish(alone, talks, WEEK.key)
    withheld = [int(s.read_table("prevalence")["suppressed"].sum()) for s in (snapshot, current(alone)) if s]
    assert withheld[0] - int(before.read_table("prevalence")["suppressed"].sum()) > withheld[1]


def test_a_published_period_whose_policy_is_not_known_stops_the_next_release(home: Home) -> None:
    """Prevents numbers from being published beside others of which nobody can say what they tell."""
    talks = random_talks(3, Habits(400), WEEK.start, 14)
    publish(home, talks, WEEK.key)
    snapshot = current(home)
    assert snapshot is not None
    manifest = snapshot.manifest()
    del manifest["periods"][0]["policy"]["grid_steps"]

    class Altered:
        def manifest(self) -> dict[str, object]:
            return dict(json.loads(json.dumps(manifest)))

        def read_table(self, name: str) -> pl.DataFrame:
            return snapshot.read_table(name)

    with pytest.raises(ReleaseRefused, match=f"{WEEK.key} was published without stating its policy"):
        published_editions(Altered())  # type: ignore[arg-type]
