"""An ingest killed at any of its steps loses nothing, and running it again ends as if nothing had happened."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dagster_project.home import Home
from dagster_project.intake import ingest
from dagster_project.storage.landing import Landing
from tests.support.conversations import NOW, landed, new_home, record, turns, write_lines

KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from dagster_project.home import Home
from dagster_project.intake import ingest

left = int(sys.argv[4])

def step(name):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

now = datetime.fromisoformat(sys.argv[3])
ingest(Home(Path(sys.argv[1])), [Path(sys.argv[2])], now=now, step=step, buffer_bytes=3000)
"""

FORTY = [(f"c{i}", f"2026-10-0{1 + i % 4}T10:00:00Z", turns(f"talk {i}", "yes")) for i in range(40)]
LINES = [
    *(record(name, started_at=at, messages=messages) for name, at, messages in FORTY),
    record("c1", started_at="2026-10-02T10:00:00Z", messages=turns("talk 1", "yes", "more")),
    record("c2", started_at="2026-10-03T10:00:00Z", messages=turns("another talk")),
    b"{broken",
]
N_STEPS = 6
"""Four days landed, the quarantine kept, the index committed."""


def ingest_and_be_killed(root: Path, path: Path, after: int) -> int:
    command = [sys.executable, "-c", KILLED, str(root), str(path), NOW.isoformat(), str(after)]
    return subprocess.run(command, check=False, capture_output=True).returncode


def refused(home: Home) -> set[str]:
    """Names of the quarantine's files, which tell their contents."""
    return {path.name for path in home.quarantine.rglob("*.jsonl")}


@pytest.mark.parametrize("after", range(N_STEPS))
def test_killed_after_any_step_and_run_again_ends_in_the_same_days(tmp_path: Path, after: int) -> None:
    path = write_lines(tmp_path / "chats.jsonl.gz", LINES)
    unfaulted = new_home(tmp_path / "unfaulted")
    whole = ingest(unfaulted, [path], now=NOW)
    assert (whole.accepted, whole.replaced, whole.quarantined) == (40, 1, {"conflict": 1, "invalid_json": 1})
    home = new_home(tmp_path / "home")
    assert ingest_and_be_killed(home.root, path, after) == -signal.SIGKILL
    again = ingest(home, [path], now=NOW)
    assert landed(home) == landed(unfaulted)
    assert again.total == whole.total
    assert refused(home) == refused(unfaulted)
    leftovers = [p for p in home.root.rglob("*") if p.name.endswith(".tmp") or p.suffix == ".arrow"]
    assert leftovers == []
    assert ingest(home, [path], now=NOW).accepted == 0


def test_killed_before_the_index_and_followed_by_another_file_still_finds_the_conflict(tmp_path: Path) -> None:
    """The parts are the truth: what landed without the index must not be overruled by the next file."""
    path = write_lines(tmp_path / "a.jsonl", [record("c1", messages=turns("a", "b"))])
    home = new_home(tmp_path / "home")
    assert ingest_and_be_killed(home.root, path, 1) == -signal.SIGKILL
    other = write_lines(tmp_path / "b.jsonl", [record("c1", messages=turns("x", "y", "z"))])
    assert ingest(home, [other], now=NOW).quarantined == {"conflict": 1}
    (part,) = Landing(home).part_names()
    assert part.startswith("day=2026-10-05/")


def test_a_run_that_is_not_killed_passes_every_step(tmp_path: Path) -> None:
    """Guards the test above: with fewer steps than it thinks, it would kill nothing."""
    path = write_lines(tmp_path / "chats.jsonl", LINES)
    assert ingest_and_be_killed(new_home(tmp_path / "a").root, path, N_STEPS) == 0
    assert ingest_and_be_killed(new_home(tmp_path / "b").root, path, N_STEPS - 1) == -signal.SIGKILL


MEASURED = """
import re, sys
from datetime import datetime
from pathlib import Path
from dagster_project.home import Home
from dagster_project.intake import ingest

home, small, large = Home(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
now = datetime.fromisoformat(sys.argv[4])

def peak_kilobytes():  # of this program alone: getrusage also remembers the process that it was started from
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

ingest(home, [small], now=now, buffer_bytes=int(sys.argv[5]))
before = peak_kilobytes()
report = ingest(home, [large], now=now, buffer_bytes=int(sys.argv[5]))
print(report.accepted, peak_kilobytes() - before)
"""


def grown_megabytes(tmp_path: Path, buffer_bytes: int) -> float:
    """Memory that an ingest of 120 MB of text takes beyond what one of a single line took."""
    text = os.urandom(48).hex() * 312
    lines = (
        record(f"c{i}", started_at=f"2026-10-{1 + i % 28:02d}T10:00:00Z", messages=turns(f"{i} {text}", "yes"))
        for i in range(4_000)
    )
    large = write_lines(tmp_path / "large.jsonl", lines)
    small = write_lines(tmp_path / "small.jsonl", [record("small")])
    home = new_home(tmp_path / f"home-{buffer_bytes}")
    command = [sys.executable, "-c", MEASURED, home.root, small, large, NOW.isoformat(), str(buffer_bytes)]
    accepted, kilobytes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert int(accepted) == 4_000
    return int(kilobytes) / 1_000


def test_memory_grows_with_the_buffer_and_not_with_the_file(tmp_path: Path) -> None:
    """A file of 5 GB must not need 5 GB; the second figure shows that the first could be too large."""
    assert grown_megabytes(tmp_path, 8_000_000) < 80
    assert grown_megabytes(tmp_path, 1_000_000_000) > 100
