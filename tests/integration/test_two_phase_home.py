"""A home that screens in two phases, end to end: the cut, the sample, what is asked, and what is published of it.

The world's truth is planted: a model that says what each conversation is. One home serves all tests of this file.
"""

import json
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from dagster_project.assets.context import Silent
from dagster_project.estimating import estimate_run
from dagster_project.home import Home
from dagster_project.intake import ingest
from dagster_project.running import RunFailed, release_periods, run_days_and_marts
from dagster_project.setting_up import create_home
from dagster_project.storage.published import current
from dagster_project.verifying import verify_release
from dagster_project.workspace import Workspace
from tests.support.homes import with_parsed_project
from tests.support.messages_server import MessagesServer, messages_server
from tests.support.messages_server_settings import Planted
from tests.support.worlds import OPENERS, days_from, write_lines

pytestmark = pytest.mark.long

DAYS = days_from("2026-10-05", 7)
WEEK = "2026-W41"
N, USERS = 1500, 900
LOUD, QUIET = 190, 22
"""Affective conversations whose words say so, and those that only the model knows: below the cut."""
RATE = 0.1
TRUE_SHARE = (LOUD + QUIET) / N
NONE: dict[str, Any] = {"content_creation": "no", "affective_type": []}
TOKEN = "reference"
SETTINGS = """
[classifier]
kind = "claude"
[claude]
batch_poll_seconds = 0.2
reconcile_seconds = 0.5
control_share = 0
[screening]
mode = "two_phase"
sample_rate = {rate}
"""


def rows() -> list[dict[str, Any]]:
    """Single questions and talks. What a person says is the same often, so that it is embedded once; replies differ."""
    out = []
    for i in range(N):
        is_affective = i % N < LOUD + QUIET
        says = OPENERS["counseling"] if i < LOUD else OPENERS["fact"]
        mark = "inwardly" if is_affective else "plainly"
        reply = f"Let me see ({TOKEN} {i}, {mark})."
        out.append(
            {
                "conversation_id": f"c{i}",
                "user_id": f"u{(i * 7919) % USERS}",
                "started_at": f"{DAYS[i % 7]}T08:{i % 60:02d}:00Z",
                "messages": [{"role": "user", "content": says}, {"role": "assistant", "content": reply}],
            }
        )
    return out


@pytest.fixture(scope="module")
def server() -> Iterator[MessagesServer]:
    planted = (
        Planted(marker="inwardly", answers={"content_creation": "no", "affective_type": ["psychotherapy_counseling"]}),
        Planted(marker="plainly", answers=NONE),
    )
    with messages_server(planted=planted) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment().items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="module")
def ran(server: MessagesServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, dict[str, Any]]:
    """The home after its first run, with what `confide estimate` and `confide run` said."""
    folder = tmp_path_factory.mktemp("two_phase")
    home = Home(folder / "home")
    create_home(home, SETTINGS.format(rate=RATE))
    with_parsed_project(home)
    ingest(home, [write_lines(folder / "world.jsonl", rows())])
    before = estimate_run(Workspace.open(home.root))
    done = run_days_and_marts(Workspace.open(home.root), Silent())
    return home, {"estimate": before, "run": done, "paid": server.books().paid}


@pytest.fixture(scope="module")
def published(ran: tuple[Home, dict[str, Any]]) -> Home:
    from dagster_project.domain.periods import parse_period

    assert release_periods(Workspace.open(ran[0].root), Silent(), [parse_period(WEEK)]) is not None
    return ran[0]


def sample(home: Home) -> pl.DataFrame:
    lake = Workspace.open(home.root).lake
    return pl.concat([lake.read("screening", day) for day in lake.days("screening")])


def test_all_above_the_cut_and_a_part_below_are_asked_about(ran: tuple[Home, dict[str, Any]]) -> None:
    """Prevents paying for everybody, and a sample that is not the one that its weights say."""
    home, said = ran
    screening = sample(home)
    above = screening.filter(pl.col("stratum") == "above")
    assert (screening.height, above.height) == (N, LOUD)
    asked = screening.filter(pl.col("is_asked")).height
    assert LOUD < asked < LOUD + (N - LOUD) * RATE * 1.4
    # Each talk that was found gets a second request.
    assert asked < said["paid"] == said["run"]["requests"] <= asked + LOUD + QUIET
    assert said["paid"] < 0.45 * N


def test_the_estimate_sets_both_ways_side_by_side(ran: tuple[Home, dict[str, Any]]) -> None:
    """Prevents an operator from choosing the saving without being told what it costs in width."""
    told = ran[1]["estimate"]
    census, two_phase = told["screening"]["census"], told["screening"]["two_phase"]
    assert census["requests"] >= N > two_phase["requests"] == told["requests"]
    assert two_phase["requests"] == pytest.approx(ran[1]["paid"], rel=0.5)
    assert (told["screening"]["chosen"], census["interval_width"]) == ("two_phase", 1.0)
    assert 1.0 < two_phase["interval_width"] < 1.3 and two_phase["usd"] < census["usd"]
    json.dumps(told)


def test_what_is_published_is_of_everybody(published: Home) -> None:
    """Prevents the share of those asked about, of whom the cut makes most affective, from passing for that of all."""
    snapshot = current(published)
    assert snapshot is not None
    found = {r["category"]: r for r in snapshot.read_table("prevalence").to_dicts()}
    assert found["all"]["n_conversations"] == N
    for category in ("affective", "psychotherapy_counseling"):
        row = found[category]
        assert abs(row["share"] - TRUE_SHARE) < 0.1
        assert row["share_low"] <= TRUE_SHARE <= row["share_high"]
    unknown = found["unknown"]
    assert unknown["suppressed"], "nobody is unknown for not having been asked"
    assert snapshot.read_table("usage_bands")["suppressed"].all()
    (period,) = snapshot.manifest()["periods"]
    design = period["sample_design"]
    assert (design["mode"], design["sample_rate"], design["cut"]) == ("two_phase", RATE, 0.3)
    below = sample(published).filter(pl.col("stratum") != "above")
    assert design["largest_weight"] == pytest.approx(below.height / below["is_asked"].sum(), abs=1e-3)
    assert "local-" in design["score"]
    for page in ("report.html", "datasheet.md"):
        assert "two_phase" in (snapshot.path / page).read_text() or "two phases" in (snapshot.path / page).read_text()


def test_it_is_verified_from_its_labels(published: Home) -> None:
    """Prevents a sample from being the one design whose figures nobody can recompute."""
    found = verify_release(Workspace.open(published.root), Silent())
    assert [(p.period, p.state, p.reason) for p in found.periods] == [(WEEK, "equal", None)]


def test_nothing_is_asked_twice(published: Home, server: MessagesServer) -> None:
    """Prevents a second run from drawing other people."""
    paid = server.books().paid
    again = run_days_and_marts(Workspace.open(published.root), Silent())
    assert (again["days"], again["requests"], server.books().paid) == ([], 0, paid)


@pytest.mark.audit
def test_a_higher_rate_only_adds(published: Home, server: MessagesServer) -> None:
    """Prevents a change of mind from paying for all anew."""
    home, paid, before = published, server.books().paid, sample(published)
    asked = set(before.filter(pl.col("is_asked"))["conversation_key"])

    home.settings_file.write_text(SETTINGS.format(rate=0.2))
    more = run_days_and_marts(Workspace.open(home.root), Silent())
    after = set(sample(home).filter(pl.col("is_asked"))["conversation_key"])
    assert asked < after and len(more["days"]) == 7
    assert server.books().paid - paid == more["requests"] <= (len(after) - len(asked)) * 2
    # What was screened in another way is not published beside it without a word.
    from dagster_project.domain.periods import parse_period

    with pytest.raises(RunFailed, match="screened in another way"):
        release_periods(Workspace.open(home.root), Silent(), [parse_period("2026-10-05..2026-10-10")])
    with pytest.raises(RunFailed, match="late conversations change every weight"):
        release_periods(Workspace.open(home.root), Silent(), [parse_period(WEEK)], correct=True)
