"""The folder that is watched: each file in once, whatever comes between; a half-written one not yet; a bad one not for ever."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.errors import ConfideError
from dagster_project.home import HomeError
from dagster_project.inbox import ATTEMPTS, GIVEN_UP, Look, Taken, look, take
from dagster_project.intake import ingest
from dagster_project.sources import registry
from dagster_project.state import examine, status_of
from dagster_project.storage.landing import Landing
from dagster_project.workspace import Workspace
from tests.support.conversations import NOW, landed, new_home, record
from tests.support.inboxes import inbox_home, put

TICK = timedelta(seconds=40)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return inbox_home(tmp_path / "home")


class Killed(BaseException):
    """In the place of a kill: nothing in the program catches it."""


def killing(after: int) -> Callable[[str], None]:
    """A step that kills once so many have been done."""
    left = after

    def step(name: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    return step


def seen(workspace: Workspace, now: datetime) -> Look:
    found = look(workspace, now)
    assert found is not None
    return found


def settled(workspace: Workspace) -> Taken:
    """Look, wait, and take what is ready."""
    seen(workspace, NOW)
    return take(workspace, NOW + TICK)


def rows(workspace: Workspace) -> int:
    """Rows in all landing parts: a conversation that landed twice counts twice."""
    import pyarrow.parquet as pq

    landing = workspace.landing
    return sum(pq.ParquetFile(landing.root / name).metadata.num_rows for name in landing.part_names())


def test_a_file_is_taken_once_it_looks_the_same_twice_and_then_never_again(workspace: Workspace) -> None:
    """Half of a file would land, and its last line be refused."""
    path = put(workspace, "export/logs.jsonl", record("c1"))
    assert (seen(workspace, NOW).waiting, seen(workspace, NOW + TICK / 2).ready) == (1, ())
    with path.open("ab") as file:
        file.write(b'{"conversation_id": "c2"')
    assert seen(workspace, NOW + TICK).ready == () == seen(workspace, NOW + 1.5 * TICK).ready
    assert take(workspace, NOW + 1.5 * TICK).files == 0
    put(workspace, "export/logs.jsonl", record("c1"), record("c2"))
    seen(workspace, NOW + 2 * TICK)
    taken = take(workspace, NOW + 3 * TICK)
    assert (taken.files, taken.records["accepted"], taken.quarantined) == (1, 2, {})
    assert take(workspace, NOW + 9 * TICK).files == 0
    assert path.exists()
    assert (seen(workspace, NOW + 9 * TICK).taken, seen(workspace, NOW + 9 * TICK).ready) == (1, ())


def test_only_whole_plain_files_of_a_readable_kind_are_taken(workspace: Workspace, tmp_path: Path) -> None:
    """A link could lead anywhere, a pipe would wait for ever, and `.part` is how others say "not yet"."""
    put(workspace, "logs.jsonl", record("c1"))
    put(workspace, "more.jsonl.part", record("c2"))
    put(workspace, ".hidden.jsonl", record("c3"))
    inbox = workspace.home.root / "inbox"
    (tmp_path / "elsewhere.jsonl").write_bytes(b"{}")
    (inbox / "link.jsonl").symlink_to(tmp_path / "elsewhere.jsonl")
    os.mkfifo(inbox / "pipe.jsonl")
    assert settled(workspace).files == 1
    assert seen(workspace, NOW + TICK).passed_over == 3
    (inbox / "more.jsonl.part").rename(inbox / "more.jsonl")
    seen(workspace, NOW + TICK)
    assert take(workspace, NOW + 2 * TICK).records["accepted"] == 1


CONTENTS = [[f"c{i}", f"c{i + 1}"] for i in range(4)]
"""Neighbouring files share a conversation: nothing may land twice because two files say it."""
DAY_OF = {f"c{i}": f"2026-10-0{1 + i % 3}" for i in range(9)}
ACTIONS = st.one_of(
    st.tuples(st.just("arrive"), st.integers(0, 3)),
    st.tuples(st.just("grow"), st.integers(0, 3)),
    st.tuples(st.just("tick"), st.just(0)),
    st.tuples(st.just("kill"), st.integers(0, 7)),
)


def lines(names: list[str]) -> list[dict[str, object]]:
    return [record(name, started_at=f"{DAY_OF[name]}T10:00:00Z") for name in names]


@settings(max_examples=12)
@given(st.lists(ACTIONS, min_size=3, max_size=14))
def test_in_any_order_of_arrivals_ticks_and_kills_everything_lands_once_and_its_days_are_asked_for(
    actions: list[tuple[str, int]],
) -> None:
    """A conversation lost or doubled between two looks would be in every figure, and nobody would see it."""
    root = Path(tempfile.mkdtemp())
    try:
        workspace, now, files, kills = inbox_home(root / "home"), NOW, {}, 0
        for what, n in [*actions, ("tick", 0), ("tick", 0), ("tick", 0)]:
            if what in ("arrive", "grow"):
                names = files.get(n, CONTENTS[n] if what == "arrive" else [])
                files[n] = [*names, f"c{5 + n}"] if what == "grow" and f"c{5 + n}" not in names else names
                put(workspace, f"{n}.jsonl", *lines(files[n]))
                continue
            now += TICK
            seen(workspace, now)
            if what == "kill" and kills < ATTEMPTS - 1:
                try:
                    take(workspace, now, killing(n))
                except Killed:
                    kills += 1
            else:
                take(workspace, now)
        at_once = new_home(root / "at-once")
        expected = {name for names in files.values() for name in names}
        if files:
            ingest(at_once, sorted((root / "home" / "inbox").iterdir()), now=NOW)
        assert landed(workspace.home) == landed(at_once)
        assert rows(workspace) == len(expected)
        last = seen(workspace, now)
        assert (last.ready, last.waiting, last.given_up) == ((), 0, {})
        assert list(last.days) == Landing(workspace.home).days()
        assert take(workspace, now + TICK).files == 0
    finally:
        shutil.rmtree(root)


KILLED_FOR_GOOD = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from dagster_project.inbox import take
from dagster_project.workspace import Workspace

def step(name):
    if name.startswith(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

take(Workspace.open(Path(sys.argv[1])), datetime.fromisoformat(sys.argv[2]), step)
"""


@pytest.mark.parametrize("step", ["landed day=2026-10-05", "ingested"])
def test_killed_between_landing_and_remembering_nothing_is_doubled_and_the_day_is_still_asked_for(
    workspace: Workspace, step: str
) -> None:
    """The days of a killed intake would else wait until something else touches them."""
    path = put(workspace, "logs.jsonl", record("c1"))
    seen(workspace, NOW)
    command = [sys.executable, "-c", KILLED_FOR_GOOD, workspace.home.root, (NOW + TICK).isoformat(), step]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    path.rename(path.with_suffix(".elsewhere"))
    assert [day.isoformat() for day in seen(workspace, NOW + TICK).days] == ["2026-10-05"]
    path.with_suffix(".elsewhere").rename(path)
    seen(workspace, NOW + TICK)
    assert take(workspace, NOW + 2 * TICK).records == {"accepted": 0, "duplicates": 1, "replaced": 0, "erased": 0}
    assert rows(workspace) == 1


def test_a_file_that_kills_the_process_is_given_up_and_tried_again_when_it_is_mended(workspace: Workspace) -> None:
    """One such file would else stop every other for ever."""
    put(workspace, "bad.jsonl", record("c1"))
    seen(workspace, NOW)
    for _ in range(ATTEMPTS):
        with pytest.raises(Killed):
            take(workspace, NOW + TICK, killing(0))
    put(workspace, "good.jsonl", record("c2"))
    seen(workspace, NOW + TICK)
    taken = take(workspace, NOW + 2 * TICK)
    assert (taken.files, dict(taken.given_up)) == (1, {GIVEN_UP: 1})
    assert seen(workspace, NOW + 2 * TICK).given_up == {GIVEN_UP: 1}
    (finding,) = [f for f in examine(workspace.home) if f.what == "inbox"]
    assert not finding.ok and GIVEN_UP in finding.advice
    put(workspace, "bad.jsonl", record("c1"), record("c3"))
    seen(workspace, NOW + 2 * TICK)
    assert take(workspace, NOW + 3 * TICK).records["accepted"] == 2


def test_a_file_that_no_reader_survives_is_given_up_by_itself_without_a_word_of_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours in one format must not hold up the files of all others."""
    for i in range(3):
        put(workspace, f"{i}.jsonl", record(f"c{i}"))
    of_the_rest = registry.source_of

    def source_of(path: Path, *rest: object) -> registry.Chosen:
        if path.name == "1.jsonl":
            raise ValueError("a word of the file")
        return of_the_rest(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(registry, "source_of", source_of)
    taken = settled(workspace)
    assert (taken.files, taken.records["accepted"], sum(taken.given_up.values())) == (2, 2, 1)
    (reason,) = taken.given_up
    assert "ValueError" in reason and "word" not in reason and "1.jsonl" not in reason
    assert take(workspace, NOW + 9 * TICK).given_up == {}


def test_a_file_that_is_taken_away_meanwhile_holds_up_no_other_and_is_not_named(workspace: Workspace) -> None:
    """A run that fails over it would have the file's name, which may be a person's, in Dagster's history."""
    gone = put(workspace, "gone.jsonl", record("c1"))
    put(workspace, "stays.jsonl", record("c2"))
    seen(workspace, NOW)
    steps: list[str] = []

    def step(name: str) -> None:
        steps.append(name)
        gone.unlink(missing_ok=True)

    assert take(workspace, NOW + TICK, step).records["accepted"] == 1
    assert steps[:2] == ["begun", "missing"]


def test_what_is_no_fault_of_a_file_counts_against_none(workspace: Workspace) -> None:
    """A full disk for an hour would else give up everything that came in it."""
    put(workspace, "logs.jsonl", record("c1"))
    seen(workspace, NOW)
    workspace.home.ingest_index.write_bytes(b"this is no database" * 100)
    for _ in range(ATTEMPTS + 1):
        with pytest.raises(ConfideError, match="damaged"):
            take(workspace, NOW + TICK)
    workspace.home.ingest_index.unlink()
    assert take(workspace, NOW + TICK).records["accepted"] == 1


def test_refused_records_are_counted_by_reason_and_their_file_is_done_with(workspace: Workspace) -> None:
    put(workspace, "logs.jsonl", record("c1"), b"{broken", record("c2", started_at=None))
    taken = settled(workspace)
    assert taken.quarantined == {"invalid_json": 1, "missing_time": 1}
    assert seen(workspace, NOW + TICK).ready == ()
    refused = next(f for f in examine(workspace.home) if f.what == "refused records")
    assert refused.ok and "--started-at" in refused.hint and "--format" in refused.hint


def test_status_and_doctor_tell_of_the_inbox_by_count(workspace: Workspace) -> None:
    put(workspace, "anna-example.jsonl", record("c1"))
    assert status_of(workspace)["inbox"] == {"ready": 0, "waiting": 1, "taken": 0, "given_up": {}, "passed_over": 0}
    (finding,) = [f for f in examine(workspace.home) if f.what == "inbox"]
    assert finding.ok and "1 waiting" in finding.hint and "anna" not in finding.hint


@pytest.mark.parametrize(
    ("folder", "cause"),
    [
        ("landing", "keeps other things"),
        ("private/inbox", "keeps other things"),
        ("publications/inbox", "keeps other things"),
        (".", "the home lies in it"),
        ("..", "the home lies in it"),
        ("../nowhere", "not there"),
        ("../open", "chmod 700"),
        ("link", "keeps other things"),
    ],
)
def test_a_folder_where_files_would_be_lost_or_seen_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, cause: str
) -> None:
    """In publications they would be published; in landing taken for what has landed; in an open one read by others."""
    workspace = inbox_home(tmp_path / "home")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    (tmp_path / "home" / "link").symlink_to(tmp_path / "home" / "private")
    monkeypatch.setenv("CONFIDE_INBOX__FOLDER", folder)
    with pytest.raises(HomeError, match=cause):
        look(Workspace.open(workspace.home.root), NOW)


def test_after_a_key_rotation_what_was_taken_is_still_known(workspace: Workspace) -> None:
    """Every file that lies there would else be read again."""
    from dagster_project.key_rotation import rotate_key

    put(workspace, "logs.jsonl", record("c1"))
    settled(workspace)
    before = workspace.home.inbox_memory.read_bytes()
    rotate_key(workspace.home)
    again = Workspace.open(workspace.home.root)
    assert (seen(again, NOW + TICK).taken, seen(again, NOW + TICK).waiting) == (1, 0)
    assert workspace.home.inbox_memory.read_bytes() != before


def test_two_at_once_take_each_file_once(workspace: Workspace) -> None:
    """Two daemons, or a run beside one that was asked for by hand."""
    put(workspace, "logs.jsonl", record("c1"))
    seen(workspace, NOW)
    looks: list[Look | None] = []
    taken = take(workspace, NOW + TICK, lambda name: looks.append(look(workspace, NOW + TICK)))
    assert looks and set(looks) == {None}
    assert (taken.files, take(workspace, NOW + TICK).files) == (1, 0)
