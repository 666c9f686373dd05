"""After a rotation the old key and the old pseudonyms are worth nothing, and no count has changed."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from dagster_project.classifiers.cache import AnswerCache
from dagster_project.codebook.loader import load_codebook
from dagster_project.days import Marks, labels_digest
from dagster_project.erasing.erasure import erase, request_of
from dagster_project.home import Home, HomeError
from dagster_project.key_rotation import rotate_key
from dagster_project.storage.in_use import HomeBusyError, in_use
from dagster_project.storage.landing import Landing, assemble_day
from dagster_project.storage.pseudonyms import NO_USER, Pseudonyms, Rekeying
from dagster_project.storage.tombstones import Tombstones
from dagster_project.workspace import Workspace
from tests.support.conversations import KEY, record, turns
from tests.support.erasable import (
    LABELLER,
    PROMPT,
    contents,
    copy_of,
    every_file,
    fill,
    filled_home,
    rows_of,
    take,
    vector_cache,
    versions,
)
from tests.support.erased_person import CONVERSATION, PERSON, everything, hers, hits, named_conversation, others, traces


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Everything, with somebody without an id, and somebody erased before."""
    nobody = record("n1", user_id=None, started_at="2026-10-05T20:00:00Z", messages=turns("no name", "hello"))
    home = filled_home(tmp_path_factory.mktemp("filled") / "home", [*everything(), nobody])
    workspace = Workspace.open(home.root)
    erase(workspace, request_of(workspace, [], [CONVERSATION]))
    home.warehouse.unlink()
    fill(home)
    return home


@pytest.fixture
def home(filled: Home, tmp_path: Path) -> Home:
    return copy_of(filled, tmp_path / "home")


def pseudonyms_in(home: Home) -> list[str]:
    """Every pseudonym and keyed hash that is kept."""
    found = set()
    for conversation, content_hash in versions(Landing(home)):
        found |= {conversation.conversation_id, conversation.user_id, content_hash}
    found |= {row[0] for name in ("answers", "vectors") for row in rows_of(home.cache / f"{name}.sqlite", name)}
    erased = Tombstones(home).read()
    return sorted((found | erased.users | erased.conversations) - {NO_USER})


def users_by_day(home: Home) -> dict[str, tuple[int, int]]:
    lake = Workspace.open(home.root).lake
    frames = {str(day): lake.read("conversations", day) for day in lake.days("conversations")}
    return {day: (frame.height, frame["user_key"].n_unique()) for day, frame in frames.items()}


def test_no_old_pseudonym_is_left_in_any_byte_and_no_count_has_changed(home: Home) -> None:
    old, counts, before = pseudonyms_in(home), users_by_day(home), contents(home)
    assert len(old) > 80
    told = rotate_key(home)
    assert hits(home, old, but="") == []
    assert users_by_day(home) == counts
    after = contents(home)
    for table in ("int_conversations", "int_counted"):
        columns = [list(zip(*state[f"warehouse intermediate.{table}"], strict=True)) for state in (before, after)]
        assert [len(set(c)) for c in columns[0]] == [len(set(c)) for c in columns[1]]
    assert after["warehouse marts.mart_prevalence"] == before["warehouse marts.mart_prevalence"]
    assert len(after["answers"]) == len(before["answers"]) and len(after["vectors"]) == len(before["vectors"])
    assert told["keys"] == 2 and told["conversations"] == sum(n for n, _ in counts.values())
    no_user = [row for row in after["warehouse intermediate.int_conversations"] if row[2] == NO_USER]
    assert len(no_user) == 1, "all without an id are one person, whatever the key"


def test_days_that_were_up_to_date_are_what_a_run_over_the_new_landing_would_make(home: Home) -> None:
    rotate_key(home)
    workspace, landing, marks = Workspace.open(home.root), Landing(home), Marks(home)
    assert landing.stale_days(workspace.lake) == []
    for day in landing.days():
        assembled = assemble_day(landing, day)
        assert workspace.lake.read("conversations", day).equals(assembled.conversations)
        assert workspace.lake.read("messages", day).equals(assembled.messages)
        assert workspace.lake.about("conversations", day) == assembled.about
        assert marks.read(day) == labels_digest(workspace, day) is not None
        for table in ("screen_labels", "detail_labels"):
            keys = workspace.lake.read(table, day)["conversation_key"]
            assert keys.is_sorted() and set(keys) == set(assembled.conversations["conversation_key"])
    assert marks.read("2026-W41") is None, "which conversations count is drawn anew"


def test_what_was_answered_and_embedded_is_found_under_the_new_key(home: Home) -> None:
    rotate_key(home)
    facet, cache, vectors = (
        load_codebook()["affective_type"],
        AnswerCache(home.cache / "answers.sqlite"),
        vector_cache(home),
    )
    now = Pseudonyms(home.key())
    for conversation, content_hash in versions(Landing(home)):
        assert content_hash == now.content(p for m in conversation.messages for p in (m.role.value, m.content))
        assert content_hash in cache.read([content_hash], facet, LABELLER, PROMPT)
        vectors.embed([conversation.messages[0].content])
    assert vectors.misses == 0


def test_the_same_export_and_the_same_people_are_known_again(home: Home) -> None:
    rotate_key(home)
    known = take(home, [*others(), *hers(), named_conversation()]).as_json()
    assert (known["accepted"], known["duplicates"], known["erased"]) == (0, len(others()) + len(hers()), 1)
    again = record("new", user_id=PERSON, started_at="2026-10-06T22:00:00Z", messages=turns("one more"))
    take(home, [again], "again.jsonl")
    keys = {
        c.user_id for c, _ in versions(Landing(home)) if c.conversation_id == Pseudonyms(home.key()).conversation("new")
    }
    assert (
        keys
        == {Pseudonyms(home.key()).user(PERSON)}
        <= {
            c.user_id
            for c, _ in versions(Landing(home))
            if c.conversation_id == Pseudonyms(home.key()).conversation("e1")
        }
    )


def test_tombstones_hold_after_several_rotations_and_erasing_goes_on(home: Home) -> None:
    rotate_key(home)
    rotate_key(home)
    assert len(home.key()) == 3 * len(KEY)
    assert take(home, [named_conversation()]).as_json()["erased"] == 1
    wanted = [one for one in traces(home) if one != CONVERSATION]
    workspace = Workspace.open(home.root)
    assert erase(workspace, request_of(workspace, [PERSON], [])).conversations == 4
    assert hits(home, wanted) == []
    rotate_key(home)
    assert take(home, hers()).as_json()["erased"] == len(hers())


def test_the_old_key_and_the_old_pseudonyms_tell_nothing_about_the_new_ones(home: Home) -> None:
    """Whoever copied the key file, or a list of pseudonyms, before the rotation."""
    before = copy_of(home, home.root.with_name("before"))
    rotate_key(home)
    now = set(pseudonyms_in(home))
    held = Pseudonyms(before.key())
    ids = [PERSON, CONVERSATION, *(f"u{i}" for i in range(9)), *(f"o{i}" for i in range(24))]
    assert {held.user(PERSON), held.conversation(CONVERSATION)} <= set(pseudonyms_in(before)), (
        "the key opens the old home"
    )
    guesses = {f(i) for f in (held.user, held.conversation) for i in ids}
    step = Rekeying(before.key())
    guesses |= {f(p) for f in (step.user, step.conversation, step.content) for p in pseudonyms_in(before)}
    assert now.isdisjoint(guesses | {*pseudonyms_in(before)})


def test_two_homes_with_the_same_logs_share_no_pseudonym_before_or_after(home: Home, tmp_path: Path) -> None:
    other = filled_home(tmp_path / "other", others(), key=bytes(range(100, 132)), ledger=False)
    assert set(pseudonyms_in(home)).isdisjoint(pseudonyms_in(other))
    rotate_key(home)
    rotate_key(other)
    assert set(pseudonyms_in(home)).isdisjoint(pseudonyms_in(other))


def test_the_key_file_is_refused_when_any_of_its_keys_is_weak_or_cut(home: Home) -> None:
    rotate_key(home)
    whole = home.key_file.read_bytes()
    assert stat.S_IMODE(home.key_file.stat().st_mode) == 0o600
    for broken in (whole[:-1], whole[:32] + bytes(32), bytes(32) + whole[32:], b""):
        home.key_file.write_bytes(broken)
        with pytest.raises(HomeError, match="random bytes"):
            home.key()
    home.key_file.write_bytes(whole)
    home.key_file.chmod(0o640)
    with pytest.raises(HomeError, match="readable by others"):
        rotate_key(home)


def test_nobody_else_is_at_work_meanwhile(home: Home) -> None:
    with in_use(home), pytest.raises(HomeBusyError):
        rotate_key(home, wait_seconds=0.2)
    assert len(home.key()) == len(KEY)


def test_a_disk_that_fills_up_leaves_the_home_as_it_was(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_project import key_rotation

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = contents(home)
    monkeypatch.setattr(key_rotation, "stage_tombstones", full)
    with pytest.raises(key_rotation.RotationFailed, match="No space left"):
        rotate_key(home)
    assert contents(home) == before and home.key() == KEY
    assert [p for p in every_file(home.root) if p.name.endswith(".rotated")] == []


KILLED = """
import os, signal, sys
from pathlib import Path
from dagster_project.home import Home
from dagster_project.key_rotation import rotate_key

left = int(sys.argv[2])

def step(name):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

rotate_key(Home(Path(sys.argv[1])), step=step)
"""
TRIED = (1, 8, 40) if not os.environ.get("CONFIDE_AUDIT") else range(48)


def test_killed_anywhere_it_is_the_old_home_or_one_that_says_how_to_finish(home: Home, tmp_path: Path) -> None:
    """Each kill is rotated, ingested and searched to its end: three of them here, after every step in `make audit`."""
    counts, old = users_by_day(home), pseudonyms_in(home)
    outcomes = set()
    for after in TRIED:
        killed = copy_of(home, tmp_path / f"killed-{after}")
        command = [sys.executable, "-c", KILLED, str(killed.root), str(after)]
        assert subprocess.run(command, check=False, capture_output=True).returncode == -signal.SIGKILL, after
        if killed.rotation_mark.exists():
            outcomes.add("closed")
            assert json.loads(killed.rotation_mark.read_text())
            with pytest.raises(HomeError, match="rotate-key"):
                Workspace.open(killed.root)
            with pytest.raises(HomeError, match="rotate-key"):
                take(killed, hers())
        else:
            outcomes.add("as it was")
            assert killed.key() == KEY and users_by_day(killed) == counts
        rotate_key(killed)
        assert hits(killed, old, but="") == [], after
        assert users_by_day(killed) == counts
        assert Landing(killed).stale_days(Workspace.open(killed.root).lake) == []
        assert take(killed, [*others(), named_conversation()]).as_json()["erased"] == 1
        assert [p for p in every_file(killed.root) if p.name.endswith(".rotated")] == []
    assert outcomes == {"closed", "as it was"}


def test_rows_stay_in_an_order_that_tells_nothing(home: Home) -> None:
    """Sorted by the old pseudonyms they would be linked by their place."""
    rotate_key(home)
    for day in Landing(home).days():
        for table in ("screen_labels", "descriptions"):
            keys = Workspace.open(home.root).lake.read(table, day)["conversation_key"]
            assert keys.equals(keys.sort())
    assigned = Workspace.open(home.root).lake.read("topic_assignments", "2026-W41")
    assert assigned.equals(assigned.sort("affective_type", "conversation_key"))
    assert isinstance(assigned, pl.DataFrame)
