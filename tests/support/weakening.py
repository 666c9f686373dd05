"""A sound home to be weakened, and what a refusal has to look like.

Lives here: the home (a day published, the day after it counted and not yet published), copies of it, and the one
question asked of every attempt. Not here: the attempts (`tests/privacy/test_weakening*.py`).
"""

import atexit
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from dagster_project.assets.context import Silent
from dagster_project.domain.periods import parse_period
from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.running import release_periods
from dagster_project.workspace import Workspace
from tests.support.homes import CONFIDE, Said, confide, done
from tests.support.worlds import days_from, small_world, write_lines

DAYS = days_from("2026-10-05", 2)
PUBLISHED, READY = DAYS
CANARY = "Zorvane Quixley"
"""A name that is in every conversation of the world."""

TALKATIVE = {
    "ANTHROPIC_LOG": "debug",
    "CONFIDE_CLASSIFIER__KIND": "local",
    "DAGSTER_LOG_LEVEL": "DEBUG",
    "DAGSTER_REDACT_USER_CODE_ERRORS": "0",
    "DBT_DEBUG": "1",
    "DBT_ENGINE_DEBUG": "1",
    "DBT_ENGINE_LOG_LEVEL": "debug",
    "DBT_ENGINE_LOG_LEVEL_FILE": "debug",
    "DBT_ENGINE_LOG_CACHE_EVENTS": "1",
    "DBT_ENGINE_MACRO_DEBUGGING": "write",
    "GX_ANALYTICS_ENABLED": "true",
    "ORT_DISABLE_TELEMETRY": "0",
    "LOG_LEVEL": "DEBUG",
    "POLARS_VERBOSE": "1",
    "PYTHONASYNCIODEBUG": "1",
    "RUST_BACKTRACE": "full",
    "RUST_LOG": "trace",
}
"""Every switch we know of that has some library of ours say more."""


IN_CI = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "GITLAB_CI", "JENKINS_URL", "BUILDKITE", "CIRCLECI", "TRAVIS")


def said_with(
    home: Path, *arguments: str | Path, env: dict[str, str] | None = None, umask: int = -1, command: str = CONFIDE
) -> Said:
    """A command under a umask and in an environment that a careless caller may have."""
    words = [command, "--home", str(home), *(str(a) for a in arguments)]
    # Some libraries report to their makers everywhere but in CI: a test there would see nothing.
    inherited = {name: value for name, value in os.environ.items() if name not in IN_CI}
    environment = {**inherited, "COLUMNS": "200", "TZ": "UTC", **(env or {})}
    ended = subprocess.run(
        words, capture_output=True, text=True, check=False, env=environment, umask=umask, timeout=600
    )
    return Said(ended.returncode, ended.stdout, ended.stderr)


@functools.cache
def careless_home() -> Home:
    """The home, made by a caller whose umask keeps nothing back and who wants to hear everything.

    Beside it: `said.txt`, all that was printed, and `elsewhere/`, meanwhile the caller's home and folder for temporary
    files, where telemetry would leave its ids.
    """
    root = Path(tempfile.mkdtemp(prefix="weakening-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    world = small_world(DAYS, a_day=60, users=90)
    for row in world:
        row["messages"][0]["content"] += f", says {CANARY}"
    logs = write_lines(root / "world.jsonl", world)
    (root / "elsewhere").mkdir()
    away = dict.fromkeys(("TMPDIR", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), str(root / "elsewhere"))
    env = {**TALKATIVE, **away, "CONFIDE_RELEASE__PERIOD": "day"}
    home = root / "home"
    commands: list[list[str | Path]] = [["init"], ["ingest", logs], ["run"], ["release", PUBLISHED], ["status"]]
    said = [done(said_with(home, *command, env=env, umask=0)) for command in commands]
    (root / "said.txt").write_text("\n".join(one.out + one.err for one in said))
    home.joinpath("confide.toml").write_text('[release]\nperiod = "day"\n')
    return Home(home)


def copy_of(home: Home, to: Path) -> Home:
    """The same home at another place."""
    shutil.copytree(home.root, to, symlinks=True)
    return Home(to)


def shown(home: Home) -> dict[str, str]:
    """Everything in publications/: a digest by file, a target by link."""
    return {
        str(p.relative_to(home.publications)): str(p.readlink())
        if p.is_symlink()
        else hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(home.publications.rglob("*"))
        if p.is_symlink() or p.is_file()
    }


def cause_of(said: Said) -> str:
    """The one line of a refusal. Raises AssertionError where it is none."""
    lines = [line for line in said.err.splitlines() if "━" not in line and line.strip()]
    assert said.code == 1, f"exit {said.code}: {said.err[-500:]}"
    assert len(lines) == 1 and lines[0].startswith("confide: "), said.err
    assert "unexpected" not in lines[0], "a foreign error is no clear line"
    return lines[0]


def refusal(home: Home, *arguments: str, env: dict[str, str] | None = None) -> str:
    """The line with which a command (default: releasing the day that is ready) is refused; nothing is published."""
    before = shown(home)
    cause = cause_of(confide(home.root, *(arguments or ("release", READY)), env=env))
    assert shown(home) == before
    return cause


def release_here(home: Home, key: str = READY, correct: bool = False) -> str | None:
    """What `confide release` does, in this process: the jobs of the UI. The cause where it is refused, else None.

    When it is refused, nothing is published.
    """
    before = shown(home)
    try:
        release_periods(Workspace.open(home.root), Silent(), [parse_period(key)], correct)
    except ConfideError as error:
        assert shown(home) == before
        cause = str(error)
        assert cause and "\n" not in cause
        return cause
    return None
