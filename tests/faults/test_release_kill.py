"""A release killed between any two of its steps: readers see the old one or the new one, and the next run mends it.

Invariants I1 (equal to an unfaulted run) and I3 (never a mixture) of a first release, a second one and a correction.
Each kill is a SIGKILL of a process of its own, after a step or before a line of the writing code drawn at random. Not
here: kills of other steps.
"""

import os
import random
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from dagster_project.domain.tables import TABLES
from dagster_project.home import Home
from dagster_project.storage.contributions import Contributions
from dagster_project.storage.published import current, verify
from dagster_project.storage.release_ledger import Ledger, ReleaseRefused
from tests.support.candidates import WEEK
from tests.support.killed_release import NEXT, SCENARIOS, THIRD, contributions_of, publish
from tests.support.remembered import writing_alone

STEPS = [f"wrote tables/{name}.{ending}" for name in TABLES for ending in ("parquet", "csv")]
STEPS += [
    "wrote confide.duckdb",
    "wrote figures/funnel.csv",
    "wrote figures/funnel.png",
    "wrote report.html",
    "wrote datasheet.md",
    "wrote methods.json",
    "wrote tables.html",
    "wrote manifest.json",
]
STEPS += ["entered", "renamed", "pointed", "confirmed"]
LONG = bool(os.environ.get("CONFIDE_AUDIT"))
SEED = int(os.environ.get("CONFIDE_SEED", "3"))
ROOT = Path(__file__).parents[2]
SAMPLED = {"first": ["renamed"], "second": STEPS[-5:], "correction": ["renamed"]}
AT_RANDOM = 15 if LONG else 1

NAMED = [(scenario, step) for scenario in SCENARIOS for step in (STEPS if LONG else SAMPLED[scenario])]
DRAWN = [(scenario, f"line {i}") for scenario in SCENARIOS for i in range(AT_RANDOM)]

Tables = dict[str, pl.DataFrame]


@pytest.fixture(scope="module", autouse=True)
def _writing_alone() -> Iterator[None]:
    with writing_alone():
        yield


@dataclass(frozen=True)
class Unfaulted:
    """A scenario without a fault: the home before it, and what is published before, after, and after one more."""

    before: Home
    old: Tables
    new: Tables
    third: Tables


@pytest.fixture(scope="module")
def unfaulted(tmp_path_factory: pytest.TempPathFactory, _writing_alone: None) -> dict[str, Unfaulted]:
    made = {}
    for scenario, (period, revision) in SCENARIOS.items():
        before = Home(tmp_path_factory.mktemp(scenario) / "before")
        before.create()
        if scenario != "first":
            publish(before, WEEK)
        after = copied(before, before.root.with_name("after"))
        publish(after, period, revision)
        new = tables(after)
        publish(after, THIRD)
        made[scenario] = Unfaulted(before, tables(before), new, tables(after))
    return made


def copied(home: Home, to: Path) -> Home:
    shutil.copytree(home.root, to, symlinks=True)
    return Home(to)


def tables(home: Home) -> Tables:
    newest = current(home)
    return {name: newest.read_table(name) for name in TABLES} if newest else {}


def same(one: Tables, other: Tables) -> bool:
    return one.keys() == other.keys() and all(one[name].equals(other[name]) for name in one)


def run(home: Home, scenario: str, point: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.support.killed_release", str(home.root), scenario, point]
    # One order of sets: else a line that was drawn may be one more than a process executes.
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    return subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True)


def killed(home: Home, scenario: str, point: str) -> None:
    done = run(home, scenario, point)
    assert done.returncode == -signal.SIGKILL, done.stderr[-1000:]


@cache
def lines_of(before: Home, scenario: str, scratch: Path) -> int:
    """How many lines the writing code executes in a scenario."""
    done = run(copied(before, scratch), scenario, "0")
    assert done.returncode == 0, done.stderr[-1000:]
    return int(done.stdout)


def revisions_shown(home: Home) -> set[tuple[str, int]]:
    newest = current(home)
    return {(p["key"], p["revision"]) for p in newest.manifest()["periods"]} if newest else set()


def assert_private(home: Home) -> None:
    """Nothing under the home is open to others, though the killed process had a umask of 000."""
    open_ones = [
        f"{stat.S_IMODE(p.stat().st_mode):o} {p.relative_to(home.root)}"
        for p in home.root.rglob("*")
        if not p.is_symlink() and stat.S_IMODE(p.stat().st_mode) not in (0o700, 0o600, 0o400)
    ]
    assert open_ones == []


def assert_kept_is_what_is_shown(home: Home) -> None:
    """Whatever is visible can be corrected: what it was counted from is kept, and is its own."""
    for period in (WEEK, NEXT, THIRD):
        for revision in (0, 1):
            if (period.key, revision) in revisions_shown(home):
                kept = Contributions(home).read(period, revision)
                assert kept.equals(contributions_of(period, revision)), (period.key, revision)


def assert_mends(home: Home, scenario: str, expected: Unfaulted, finished: bool) -> None:
    """The same release again, then another: all as if nothing had been killed."""
    period, revision = SCENARIOS[scenario]
    if finished:
        with pytest.raises(ReleaseRefused, match="was not compared with every earlier" if revision else "frozen"):
            publish(home, period, revision)
    else:
        assert publish(home, period, revision).periods == (period.key,)
    assert same(tables(home), expected.new)
    assert_kept_is_what_is_shown(home)
    assert not [p for p in home.publications.iterdir() if p.name.startswith(".")]
    publish(home, THIRD)
    assert same(tables(home), expected.third)
    assert_private(home)
    assert len(Ledger.read(home.release_ledger).released) == (2 if scenario == "first" else 3)


def test_these_are_all_the_steps(unfaulted: dict[str, Unfaulted], tmp_path: Path) -> None:
    """Prevents a step from being added that no kill is tried at."""
    for scenario, expected in unfaulted.items():
        seen: list[str] = []
        publish(copied(expected.before, tmp_path / scenario), *SCENARIOS[scenario], step=seen.append)
        assert seen == STEPS


@pytest.mark.parametrize(
    ("scenario", "point"),
    [pytest.param(*kill, marks=() if kill[1] == "renamed" else pytest.mark.long) for kill in NAMED + DRAWN],
)
def test_killed_anywhere_readers_see_old_or_new_and_the_next_run_mends_it(
    unfaulted: dict[str, Unfaulted], tmp_path: Path, scenario: str, point: str
) -> None:
    """Prevents half a release from being read, and a killed one from blocking, doubling or opening the next."""
    expected = unfaulted[scenario]
    home = copied(expected.before, tmp_path / "home")
    if drawn := point.startswith("line "):
        n = lines_of(expected.before, scenario, tmp_path / "counted")
        point = str(random.Random(f"{SEED} {scenario} {point}").randint(1, n))
    before = current(home)
    killed(home, scenario, point)
    after, shown = current(home), tables(home)
    is_new = same(shown, expected.new)
    assert is_new or same(shown, expected.old), "a mixture"
    if after:
        verify(after)
    ledger = Ledger.read(home.release_ledger)
    visible = {p.name for p in home.publications.iterdir() if not p.name.startswith(".")} - {"current"}
    assert visible <= {entry.release_id for entry in ledger.entries if entry.kind == "intent"}
    assert_private(home)
    assert_kept_is_what_is_shown(home)
    if not drawn:
        assert is_new is (point in ("pointed", "confirmed"))
        assert len(visible) == (before is not None) + (point in STEPS[-3:])
    assert_mends(home, scenario, expected, finished=is_new and ledger.open_intent is None)


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS if LONG else ["correction"])
def test_a_run_after_a_kill_may_ask_for_another_period(
    unfaulted: dict[str, Unfaulted], tmp_path: Path, scenario: str
) -> None:
    """Prevents the release that a killed run made visible from being lost when the next run asks for something else."""
    home = copied(unfaulted[scenario].before, tmp_path / "home")
    killed(home, scenario, "renamed")
    publish(home, THIRD)
    assert same(tables(home), unfaulted[scenario].third)
    assert_kept_is_what_is_shown(home)


@pytest.mark.long
def test_killed_again_while_mending(unfaulted: dict[str, Unfaulted], tmp_path: Path) -> None:
    """Prevents a second kill, in the mending itself, from leaving what the first one alone would not."""
    home = copied(unfaulted["second"].before, tmp_path / "home")
    killed(home, "second", "renamed")
    killed(home, "second", "pointed")
    assert same(tables(home), unfaulted["second"].new)
    assert publish(home, NEXT).periods == (NEXT.key,)
    assert len(Ledger.read(home.release_ledger).released) == 2


def test_as_many_kills_as_promised() -> None:
    """Prevents the long form from shrinking unseen."""
    assert len(NAMED) + len(DRAWN) >= (50 if LONG else 10)
