"""A name that leaks once is out for ever: canaries in every field of the input, errors provoked in every step."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from dagster_project.home import Home
from tests.support.groups import run_group
from tests.support.homes import confide
from tests.support.ready_home import CANARIES, DAYS, RELEASED, Ready, canary, ready_home
from tests.support.scan import found, outside_private


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Ready:
    return ready_home(tmp_path_factory)


@pytest.fixture(scope="module")
def home(ready: Ready) -> Path:
    return ready.home


def test_no_canary_is_anywhere_outside_the_private_places(ready: Ready) -> None:
    files = outside_private(ready.home)
    assert len(files) > 20, "the scan looked at too little to mean anything"
    assert found([*files, ready.told], CANARIES) == []


def test_the_scan_itself_finds_canaries_where_they_are_allowed(home: Path) -> None:
    """A scan that finds nothing anywhere would pass for ever."""
    lake = list((home / "private" / "lake" / "messages").rglob("*.parquet"))
    assert found(lake, CANARIES) != []
    assert found((home / "quarantine").rglob("*.*"), CANARIES) != []


def damaged(home: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(home, copy, symlinks=True)
    return copy


def poison(file: Path, column: str) -> None:
    """Put canaries where the next step expects something else, so that its error would quote them."""
    frame = pl.read_parquet(file, hive_partitioning=False)
    poison = pl.lit(canary("content")) if column != "content" else pl.struct(text=pl.lit(canary("content")))
    frame.with_columns(poison.alias(column)).write_parquet(file)


@pytest.mark.parametrize(
    ("broken", "column", "group"),
    [
        ("private/lake/messages/day=2026-10-07/data.parquet", "content", "classification"),
        ("private/lake/conversations/day=2026-10-07/data.parquet", "n_human_messages", "warehouse"),
        ("private/lake/screen_labels/day=2026-10-07/data.parquet", "status", "warehouse"),
    ],
)
def test_an_error_in_any_step_tells_no_canary(home: Path, tmp_path: Path, broken: str, column: str, group: str) -> None:
    """Each group by itself, as the UI may run it: a whole run would first mend what the step is to stumble over."""
    copy = damaged(home, tmp_path)
    for file in copy.glob(broken):
        poison(file, column)
    shutil.rmtree(Home(copy).cache)  # else no conversation is read again
    told = tmp_path / "said.txt"
    told.write_text(run_group(Home(copy), "daily", group, DAYS[2]))
    assert told.read_text(), "the step did not stumble"
    assert found([*outside_private(copy), told], CANARIES) == []


def test_a_command_that_fails_tells_no_canary(home: Path, tmp_path: Path) -> None:
    copy = damaged(home, tmp_path)
    for file in copy.glob("landing/day=2026-10-07/*.parquet"):
        poison(file, "started_at")
    said = confide(copy, "run", "--from", DAYS[2], "--to", DAYS[2])
    told = tmp_path / "said.txt"
    told.write_text(said.out + said.err)
    assert said.code == 1, "the command did not stumble"
    assert "Traceback" not in said.err
    assert found([*outside_private(copy), told], CANARIES) == []


def test_a_refused_release_tells_no_canary(home: Path, tmp_path: Path) -> None:
    copy = damaged(home, tmp_path)
    (copy / "private" / "release_ledger.jsonl").write_text(canary("content"))
    said = confide(copy, "release", RELEASED)
    told = tmp_path / "said.txt"
    told.write_text(said.out + said.err)
    assert said.code == 1
    assert found([*outside_private(copy), told], CANARIES) == []
