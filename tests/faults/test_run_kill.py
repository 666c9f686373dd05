"""A run killed at any moment must be taken up again and end in the rows of a run that nobody disturbed (I1)."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import polars as pl
import pytest

from tests.support.homes import CONFIDE, confide, done, warehouse_rows
from tests.support.worlds import days_from, small_world, write_lines

pytestmark = pytest.mark.long

DAYS = days_from("2026-10-05", 2)
SEED = int(os.environ.get("CONFIDE_SEED", "5"))
KILLS = 40 if os.environ.get("CONFIDE_AUDIT") else 1


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("landed")
    done(confide(root / "home", "init"))
    done(confide(root / "home", "ingest", write_lines(root / "l.jsonl", small_world(DAYS, a_day=25))))
    return root / "home"


def labels(home: Path) -> dict[str, pl.DataFrame]:
    """Every lake table by partition, without the time that a label was given: another run, another time."""
    files = sorted((home / "private" / "lake").rglob("data.parquet"))
    frames = {str(f.relative_to(home)): pl.read_parquet(f, hive_partitioning=False) for f in files}
    return {name: f.drop("labelled_at", strict=False) for name, f in frames.items()}


def rows_without_times(home: Path) -> dict[str, list[tuple[object, ...]]]:
    return {t: rows for t, rows in warehouse_rows(home).items() if "stg_" not in t}


def killed(home: Path, after_seconds: float) -> bool:
    """Start a run and kill it with its children; whether it was still running."""
    with subprocess.Popen(
        [CONFIDE, "--home", str(home), "run", "--from", DAYS[0], "--to", DAYS[-1]],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        time.sleep(after_seconds)
        alive = process.poll() is None
        if alive:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return alive


def test_a_run_killed_at_random_points_ends_as_one_that_was_not(landed: Path, tmp_path: Path) -> None:
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    for home in (undisturbed, disturbed):
        shutil.copytree(landed, home, symlinks=True)
    began = time.monotonic()
    done(confide(undisturbed, "run"))
    whole = time.monotonic() - began
    rng = random.Random(SEED)
    # The machine may be quicker than it was for the first run: some end by themselves.
    times_killed = sum(killed(disturbed, rng.uniform(0.05, 0.8) * whole) for _ in range(KILLS))
    assert times_killed >= (KILLS + 1) // 2, "too few runs were still alive to be killed"
    done(confide(disturbed, "run", "--from", DAYS[0], "--to", DAYS[-1]))
    here, there = labels(undisturbed), labels(disturbed)
    assert here.keys() == there.keys()
    assert [name for name in here if not here[name].equals(there[name])] == []
    assert rows_without_times(undisturbed) == rows_without_times(disturbed)
    assert done(confide(disturbed, "status", "--json")).json["days"]["stale"] == []
