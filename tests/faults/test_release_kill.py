"""A release killed between any two of its steps: readers see the old one or the new one, and the next run mends it.

Invariants I1 (equal to an unfaulted run) and I3 (never a mixture) of a release. Not here: kills of other steps.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from dagster_project.domain.periods import parse_period
from dagster_project.domain.tables import TABLES
from dagster_project.home import Home
from dagster_project.policy.loader import Policy
from dagster_project.release import ReleaseResult, release
from dagster_project.storage.published import current, verify
from dagster_project.storage.release_ledger import Ledger, ReleaseRefused
from tests.support.candidates import AT, WEEK, candidates, metadata, page

NEXT, THIRD = parse_period("2026-W42"), parse_period("2026-W43")
STEPS = [f"wrote tables/{name}.{ending}" for name in TABLES for ending in ("parquet", "csv")]
STEPS += ["wrote confide.duckdb", "wrote report.html", "wrote datasheet.md", "wrote manifest.json"]
STEPS += ["entered", "renamed", "pointed", "confirmed"]
SAMPLED = [STEPS[0], *STEPS[-6:]]
ROOT = Path(__file__).parents[2]

KILLED = """
import os, signal, sys
from pathlib import Path
import dagster_project.release as release_module
from dagster_project.home import Home
from dagster_project.policy.loader import Policy
from tests.support.candidates import AT, candidates, metadata, page
from dagster_project.domain.periods import parse_period

release_module.gate = lambda frames, policy: None
home, period, wanted = Home(Path(sys.argv[1])), parse_period(sys.argv[2]), sys.argv[3]

def step(name):
    if name == wanted:
        os.kill(os.getpid(), signal.SIGKILL)

release_module.release(home, Policy.resolve(), candidates(period), metadata(period), page, clock=lambda: AT, step=step)
"""


def publish(home: Home, period: object = NEXT) -> ReleaseResult:
    return release(home, Policy.resolve(), candidates(period), metadata(period), page, clock=lambda: AT)  # type: ignore[arg-type]


def killed(home: Home, step: str) -> None:
    command = [sys.executable, "-c", KILLED, str(home.root), NEXT.key, step]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL


def weeks_shown(home: Home) -> int:
    return int(current(home).read_table("funnel")["period_start"].n_unique())  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def _quick_gate() -> "object":
    """The gate has tests of its own; these are about the writing, and run the release many times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dagster_project.release.gate", lambda frames, policy: None)
        yield


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, _quick_gate: object) -> tuple[Home, Home]:
    """A home with one release, and the same home with two, both unfaulted."""
    home = Home(tmp_path_factory.mktemp("homes") / "one")
    home.create()
    publish(home, WEEK)
    two = Home(home.root.with_name("two"))
    shutil.copytree(home.root, two.root, symlinks=True)
    publish(two)
    return home, two


@pytest.fixture
def home(published: tuple[Home, Home], tmp_path: Path) -> Home:
    shutil.copytree(published[0].root, tmp_path / "home", symlinks=True)
    return Home(tmp_path / "home")


def tables(home: Home) -> dict[str, pl.DataFrame]:
    return {name: current(home).read_table(name) for name in TABLES}  # type: ignore[union-attr]


def test_these_are_all_the_steps(home: Home) -> None:
    """Prevents a step from being added that no kill is tried at."""
    seen: list[str] = []
    release(home, Policy.resolve(), candidates(NEXT), metadata(NEXT), page, clock=lambda: AT, step=seen.append)
    assert seen == STEPS


@pytest.mark.parametrize("step", STEPS if os.environ.get("CONFIDE_AUDIT") else SAMPLED)
def test_killed_after_any_step_readers_see_old_or_new_and_the_next_run_mends_it(
    published: tuple[Home, Home], home: Home, step: str
) -> None:
    """Prevents half a release from being read, and a killed one from blocking or doubling the next."""
    before = current(home)
    killed(home, step)
    after = current(home)
    assert after is not None
    assert before is not None
    verify(after)
    visible = {p.name for p in home.publications.iterdir() if not p.name.startswith(".")} - {"current"}
    if step in ("pointed", "confirmed"):
        assert after.release_id != before.release_id
        assert weeks_shown(home) == 2
    else:
        assert after.release_id == before.release_id
        assert visible == ({before.release_id} if step != "renamed" else visible)
    if step == "confirmed":
        with pytest.raises(ReleaseRefused, match="frozen"):
            publish(home)
    else:
        assert publish(home).periods == (NEXT.key,)
    for name, frame in tables(published[1]).items():
        assert tables(home)[name].equals(frame)
    assert not [p for p in home.publications.iterdir() if p.name.startswith(".")]
    assert len(Ledger.read(home.release_ledger).released) == 2
    publish(home, THIRD)
    assert weeks_shown(home) == 3


def test_a_run_after_a_kill_may_ask_for_another_period(home: Home) -> None:
    """Prevents the release that a killed run made visible from being lost when the next run asks for something else."""
    killed(home, "renamed")
    publish(home, THIRD)
    assert weeks_shown(home) == 3


def test_killed_again_while_mending(home: Home) -> None:
    """Prevents a second kill, in the mending itself, from leaving what the first one alone would not."""
    killed(home, "renamed")
    killed(home, "pointed")
    assert weeks_shown(home) == 2
    assert publish(home).periods == (NEXT.key,)
    assert len(Ledger.read(home.release_ledger).released) == 2
