"""Ways in which a setting, the environment or a hand on keys, folders and the policy could weaken what protects people.

Each is tried through the command line and refused before anything is done, in one line that says what and where. Not
here: hands on the ledger, the publications and the gate (`test_weakening_by_hand.py`), what the environment tells
libraries (`test_weakening_environment.py`).
"""

import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
import yaml

from dagster_project.home import Home
from dagster_project.storage.landing import Landing
from tests.support import weakening
from tests.support.homes import confide
from tests.support.ready_home import COUNTED, ready_home
from tests.support.weakening import cause_of, copy_of, said_with, shown

ROOT = Path(__file__).parents[2]
Way = TypeVar("Way")


def some(ways: Sequence[Way]) -> Sequence[Way]:
    """Every third of these ways, as each runs the program; all of them in `make audit`."""
    return ways if os.environ.get("CONFIDE_AUDIT") else ways[::3]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(ready_home(tmp_path_factory).home)


@pytest.fixture
def home(sound: Home, tmp_path: Path) -> Home:
    return copy_of(sound, tmp_path / "home")


def refusal(home: Home, env: dict[str, str] | None = None) -> str:
    """The line with which the week that is counted is refused; nothing is published."""
    return weakening.refusal(home, "release", COUNTED, env=env)


IN_THE_FILE = [
    ("min_users = 1", "min_users = 1 is weaker than the hard floor of 5"),
    ("min_conversations = 14", "min_conversations = 14 is weaker than the hard floor of 15"),
    ("min_topic_users = 4", "min_topic_users = 4 is weaker"),
    ("min_topic_conversations = 1", "min_topic_conversations = 1 is weaker"),
    ("rounding_base = 1", "rounding_base = 1 is weaker"),
    ("max_conversations_per_user = 51", "max_conversations_per_user = 51 is not between 1 and 50"),
    ('profile = "lenient"', "policy.profile"),
    ("max_top_user_share = 0.99", "policy.max_top_user_share"),
    ("enabled = false", "policy.enabled"),
]


@pytest.mark.parametrize(("line", "named"), some(IN_THE_FILE), ids=[line for line, _ in some(IN_THE_FILE)])
def test_settings_that_weaken_the_policy_are_refused(home: Home, line: str, named: str) -> None:
    home.settings_file.write_text(f"[policy]\n{line}\n")
    assert named in refusal(home)


IN_THE_ENVIRONMENT = [
    ("CONFIDE_POLICY__MIN_USERS", "1", "min_users = 1 is weaker"),
    ("CONFIDE_POLICY", '{"min_users": 1}', "min_users = 1 is weaker"),
    ("confide_policy__rounding_base", "1", "rounding_base = 1 is weaker"),
    ("CONFIDE_POLICY__SMALL_ORGANISATION_USERS", "1", "policy.small_organisation_users"),
    ("CONFIDE_POLICY_MIN_USERS", "50", "CONFIDE_POLICY_MIN_USERS is not a setting"),
    ("CONFIDE_POLCY__MIN_USERS", "50", "CONFIDE_POLCY__MIN_USERS is not a setting"),
]


@pytest.mark.parametrize(
    ("name", "value", "named"), some(IN_THE_ENVIRONMENT), ids=[n for n, _, _ in some(IN_THE_ENVIRONMENT)]
)
def test_an_environment_that_weakens_the_policy_or_misspells_a_safeguard_is_refused(
    home: Home, name: str, value: str, named: str
) -> None:
    """Prevents k = 1 by a variable, and a stricter k that is never read because its name is wrong."""
    assert named in refusal(home, env={name: value})


IN_THE_POLICY_FILE = [
    ("hard_floor.min_users.value", 1, "hard_floor.min_users = 1 is weaker than 5"),
    ("hard_floor.rounding_base.value", 1, "hard_floor.rounding_base = 1 is weaker"),
    ("ceiling.max_conversations_per_user.value", 1000, "ceiling.max_conversations_per_user = 1000 is weaker"),
    ("profiles.default.min_users.value", 2, "min_users = 2 is weaker than the hard floor"),
    ("fixed.max_top_user_share.value", "0.99", "fixed.max_top_user_share = 0.99 is weaker"),
    ("fixed.small_organisation_users.value", 1, "fixed.small_organisation_users = 1 is weaker"),
    ("fixed.grid_steps.value", ["0.0001", "1"], "fixed.grid_steps: 0.0001 is finer"),
    ("fixed.max_top_two_share", None, "fixed.max_top_two_share"),
    (None, None, "cannot be read"),
]


def program(to: Path) -> dict[str, str]:
    """A copy of the program, for hands on its files; the environment in which `confide` runs it."""
    for package in ("dagster_project", "expectations"):
        shutil.copytree(ROOT / package, to / package, ignore=shutil.ignore_patterns("__pycache__"))
    (to / "dbt").symlink_to(ROOT / "dbt")
    return {"PYTHONPATH": str(to), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.mark.parametrize(
    ("place", "value", "named"), some(IN_THE_POLICY_FILE), ids=[str(p) for p, _, _ in some(IN_THE_POLICY_FILE)]
)
def test_a_policy_file_edited_by_hand_is_never_weaker_than_the_program_itself(
    home: Home, tmp_path: Path, place: str | None, value: object, named: str
) -> None:
    """Prevents a lowered floor, which every lowered setting would then pass, from being taken for the policy."""
    env = program(tmp_path / "program")
    file = tmp_path / "program" / "dagster_project" / "policy" / "policy.yaml"
    if place is None:
        file.unlink()
    else:
        written = yaml.safe_load(file.read_text())
        *path, last = place.split(".")
        section = written
        for part in path:
            section = section[part]
        section[last] = value
        file.write_text(yaml.safe_dump(written))
    cause = refusal(home, env=env)
    assert named in cause and "policy" in cause


def _removed(file: Path) -> None:
    file.unlink()


HANDS_ON_THE_KEY: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda file: file.write_bytes(b""), "is not 32 random bytes"),
    "short": (lambda file: file.write_bytes(secrets.token_bytes(31)), "is not 32 random bytes"),
    "guessable": (lambda file: file.write_bytes(b"confide!" * 4), "is not 32 random bytes"),
    "readable by others": (lambda file: file.chmod(0o644), "readable by others: chmod 600"),
    "missing": (_removed, "cannot be read: restore it from backup"),
}


@pytest.mark.parametrize("what", HANDS_ON_THE_KEY)
def test_an_unsafe_key_is_refused(home: Home, what: str) -> None:
    """Prevents pseudonyms that can be guessed, or linked by who reads the key."""
    weaken, named = HANDS_ON_THE_KEY[what]
    weaken(home.key_file)
    cause = refusal(home)
    assert named in cause and str(home.key_file) in cause


def test_a_lost_key_is_not_replaced_by_a_new_one_while_there_are_conversations(home: Home) -> None:
    """Prevents each person from counting as two, before and after the new key, in every threshold on users."""
    home.key_file.unlink()
    said = confide(home.root, "init")
    assert "restore it from backup" in cause_of(said)
    assert not home.key_file.exists()
    assert Landing(home).days() != []


HOLDERS, MODES = ("root", "private", "publications", "landing"), (0o750, 0o770, 0o777, 0o701)
FOLDERS = [(HOLDERS[(i + j) % 4], MODES[j]) for i in range(4) for j in range(4)]


@pytest.mark.parametrize(("folder", "mode"), some(some(FOLDERS)))
def test_a_folder_that_others_may_enter_or_write_is_refused(home: Home, folder: str, mode: int) -> None:
    path: Path = getattr(home, folder)
    path.chmod(mode)
    if (folder, mode) in {("root", 0o777), ("private", 0o750), ("publications", 0o770), ("landing", 0o701)}:
        cause = refusal(home)
        assert f"{path} is open to others: chmod 700 it" in cause
    else:
        with pytest.raises(Exception, match="is open to others"):
            home.require_private()


@pytest.mark.parametrize("folder", ["private", "publications", "warehouse"])
def test_a_folder_that_leads_elsewhere_is_refused(home: Home, tmp_path: Path, folder: str) -> None:
    """Prevents conversations or releases from being written where others read, by a link put in a folder's place."""
    elsewhere = tmp_path / "elsewhere"
    (home.root / folder).rename(elsewhere)
    (home.root / folder).symlink_to(elsewhere)
    before = {p: p.stat().st_mtime_ns for p in elsewhere.rglob("*")}
    assert f"{home.root / folder} is a symbolic link" in refusal(home)
    assert {p: p.stat().st_mtime_ns for p in elsewhere.rglob("*")} == before


def test_a_link_to_the_home_is_no_way_round_its_modes(home: Home, tmp_path: Path) -> None:
    """The home may stand on another disk, behind a link; what the link leads to has to be as private as a home is."""
    link = tmp_path / "link"
    link.symlink_to(home.root)
    assert confide(link, "status").code == 0
    home.root.chmod(0o755)
    assert "is open to others" in refusal(Home(link))


def test_init_does_not_take_an_open_folder_for_a_home(tmp_path: Path) -> None:
    """Prevents a home that everybody reads because its folder was there before it."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o755)
    assert "chmod 700" in cause_of(said_with(tmp_path / "shared", "init"))
    assert list((tmp_path / "shared").iterdir()) == []


def _telemetry_on(file: Path) -> None:
    file.write_text(file.read_text().replace("enabled: false", "enabled: true", 1))


def _output_kept(file: Path) -> None:
    lines = [line for line in file.read_text().splitlines() if "ompute_log" not in line and "NoOp" not in line]
    file.write_text("\n".join(lines) + "\n")


HANDS_ON_DAGSTER: dict[str, tuple[Callable[[Path], None], str]] = {
    "telemetry": (_telemetry_on, "telemetry is on"),
    "output of steps": (_output_kept, "what steps print is kept"),
    "removed": (_removed, "telemetry is on"),
}


@pytest.mark.long
@pytest.mark.parametrize("what", HANDS_ON_DAGSTER)
@pytest.mark.filterwarnings("ignore")
def test_a_dagster_that_tells_others_or_keeps_output_is_refused(home: Home, what: str) -> None:
    weaken, named = HANDS_ON_DAGSTER[what]
    weaken(home.dagster / "dagster.yaml")
    cause = refusal(home)
    assert named in cause and "dagster.yaml" in cause
    assert "dagster.yaml" in cause_of(said_with(home.root, "ui", "--port", "1"))


@pytest.mark.long
@pytest.mark.parametrize("what", ["k", "key", "ledger"])
def test_protections_hold_when_assertions_are_stripped(home: Home, what: str) -> None:
    """Prevents `python -O` from taking a safeguard out with the assert statements."""
    env = {"PYTHONOPTIMIZE": "1"}
    match what:
        case "k":
            assert "weaker than the hard floor" in refusal(home, env={**env, "CONFIDE_POLICY__MIN_USERS": "1"})
        case "key":
            home.key_file.write_bytes(b"")
            assert "32 random bytes" in refusal(home, env=env)
        case "ledger":
            home.release_ledger.write_bytes(home.release_ledger.read_bytes()[:-1])
            assert "altered" in refusal(home, env=env)


def test_the_home_that_all_these_weaken_releases_when_nothing_is_weakened(home: Home) -> None:
    """A home that refused everything would pass every test above."""
    before = shown(home)
    said = confide(home.root, "release", COUNTED)
    assert said.code == 0, said.err
    assert len(shown(home)) > len(before)
    assert str((home.publications / "current").readlink()) != before["current"]
