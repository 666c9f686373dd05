"""Erased means gone: from every store, in bytes and in values, for good, and without harm to anybody else."""

import os
import random
import signal
import stat
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from dagster_project.classifiers.cache import AnswerCache
from dagster_project.codebook.loader import load_codebook
from dagster_project.days import Marks, labels_digest
from dagster_project.domain.periods import parse_period
from dagster_project.domain.topics.model import Fit
from dagster_project.erasing.erasure import ErasureWaits, carry_out_pending, erase, request_of
from dagster_project.errors import ConfideError
from dagster_project.home import Home
from dagster_project.storage.closed_days import ClosedDays, why_closed
from dagster_project.storage.in_use import in_use
from dagster_project.storage.landing import Landing
from dagster_project.storage.pseudonyms import Pseudonyms
from dagster_project.storage.tombstones import Erased, Tombstones, TombstonesDamaged
from dagster_project.storage.topic_models import TopicModels
from dagster_project.workspace import Workspace
from tests.support.conversations import NOW, record, turns, write_lines
from tests.support.erasable import (
    LABELLER,
    PROMPT,
    contents,
    copy_of,
    empty_home,
    every_file,
    exported,
    fill,
    filled_home,
    rows_of,
    take,
    uncompressed,
)
from tests.support.erased_person import (
    CONVERSATION,
    DAYS,
    OTHER_SAID,
    PERSON,
    SAID,
    everything,
    hers,
    hits,
    named_conversation,
    others,
    refused,
    traces,
    vectors,
)
from tests.support.topic_lake import topic_model

BOTH = ([PERSON], [CONVERSATION])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Everything, the whole way. Tests work on copies."""
    return filled_home(tmp_path_factory.mktemp("filled") / "home", everything())


@pytest.fixture
def home(filled: Home, tmp_path: Path) -> Home:
    return copy_of(filled, tmp_path / "home")


def erase_both(home: Home) -> dict[str, object]:
    workspace = Workspace.open(home.root)
    return erase(workspace, request_of(workspace, *BOTH)).as_json()


@pytest.mark.parametrize("stored", ["compressed", "uncompressed"])
def test_nothing_is_found_in_any_byte_or_value_after_erasing(home: Home, stored: str) -> None:
    if stored == "uncompressed":
        uncompressed(home)
    wanted, her_vectors = traces(home), vectors(home)
    assert len(wanted) > 20 and len(her_vectors) > 5
    assert {one for one in wanted if any(one in hit for hit in hits(home, [one]))} == set(wanted), "nothing to find"
    removed = erase_both(home)
    assert hits(home, wanted) == []
    everywhere = b"".join(path.read_bytes() for path in every_file(home.root))
    assert [v for v in her_vectors if v in everywhere or v[100:160] in everywhere] == []
    assert removed["conversations"] == 5
    assert removed["days"] == list(DAYS[:3])
    assert removed["quarantined"] == 5
    assert removed["coding_items"] == 5
    assert removed["closed_to_correction"] == []
    assert all(removed[name] for name in ("answers", "vectors", "ledger_rows", "warehouse_rows", "topics_dropped"))


def test_a_home_that_erased_a_person_equals_one_that_never_knew_them(tmp_path: Path) -> None:
    """Down to the bytes of the lake, so that no day is stale and no count tells of them."""
    erased = filled_home(tmp_path / "erased", [*others(), *hers(), named_conversation()])
    never = filled_home(tmp_path / "never", others())
    erase_both(erased)
    here, there = contents(erased), contents(never)
    period_wide = {name for name in there if "topic" in name or "mart_" in name or name.endswith("int_counted")}
    period_wide |= {f"private/marks/period={week}" for week in ("2026-W41", "2026-W42")}
    vectors_of_shared = "vectors"
    for name in sorted(here.keys() | there.keys() - period_wide - {vectors_of_shared}):
        if name not in period_wide and name != vectors_of_shared:
            assert here.get(name) == there.get(name), name
    assert set(here[vectors_of_shared]) < set(there[vectors_of_shared])


def test_topics_and_counts_of_the_periods_touched_are_dropped_and_the_others_stay(home: Home) -> None:
    before = contents(home)
    erase_both(home)
    after = contents(home)
    for name in ("private/lake/topics/period=", "private/lake/topic_assignments/period=", "private/marks/period="):
        assert [key for key in after if key.startswith(f"{name}2026-W41")] == []
        of_the_other_week = [key for key in before if key.startswith(f"{name}2026-W42")]
        assert of_the_other_week and all(after[key] == before[key] for key in of_the_other_week)
    assert {row[0] for row in after["warehouse marts.mart_prevalence"]} == {"2026-W42"}
    assert {row[0] for row in after["warehouse intermediate.int_counted"]} == {"2026-W42"}


def test_versions_of_topics_that_the_days_shaped_are_marked_and_the_others_stay(home: Home) -> None:
    """A centre is a mean over many people, but one of them must be forgotten: it is fitted anew before it is used."""
    models = TopicModels(home)
    for end, period in ((date(2026, 10, 12), "2026-W41"), (date(2026, 9, 7), "2026-W36")):
        start = end - timedelta(days=7)
        models.write("week", "coaching", topic_model(Fit(period, start, end, "25/50", 7, 60, 60, 0.3, 0.0, 0.4)))
    erase_both(home)
    assert models.read("week", "coaching", date(2026, 10, 12))[1]
    assert not models.read("week", "coaching", date(2026, 9, 7))[1]


def test_another_persons_equal_content_keeps_its_paid_answers(home: Home) -> None:
    workspace = Workspace.open(home.root)
    facet, cache = load_codebook()["affective_type"], AnswerCache(home.cache / "answers.sqlite")
    (of_v,) = (
        Landing(home)
        .read_day(date(2026, 10, 5))[0]
        .filter(pl.col("conversation_key") == workspace.pseudonyms.conversation("v3"))["content_hash"]
    )
    n_answers = len(rows_of(home.cache / "answers.sqlite", "answers"))
    n_of_ledger = len(rows_of(home.request_ledger, "answers"))
    removed = erase_both(home)
    assert of_v in cache.read([of_v], facet, LABELLER, PROMPT)
    # Of hers: e1 and e4 are one content, e2 has two versions, e3 is shared; and the named conversation.
    assert removed["answers"] == 4
    assert len(rows_of(home.cache / "answers.sqlite", "answers")) == n_answers - 4
    assert len(rows_of(home.request_ledger, "answers")) == n_of_ledger - 4
    erase(workspace, request_of(workspace, ["v"], []))
    assert cache.read([of_v], facet, LABELLER, PROMPT) == {}, "now nobody has it any more"
    assert len(rows_of(home.request_ledger, "answers")) == n_of_ledger - 5


def test_a_conversation_is_erased_alone(home: Home) -> None:
    workspace = Workspace.open(home.root)
    removed = erase(workspace, request_of(workspace, [], [CONVERSATION]))
    assert removed.conversations == 1 and removed.quarantined == 1
    assert hits(home, [CONVERSATION, OTHER_SAID]) == []
    assert hits(home, [SAID, workspace.pseudonyms.user("w1"), workspace.pseudonyms.conversation("w2")]) != []
    assert take(home, [named_conversation(), others()[1]]).as_json()["erased"] == 1


@pytest.mark.parametrize("form", ["logs.jsonl.gz", "logs.jsonl.zst", "logs.parquet"])
def test_an_old_export_stays_out_in_whatever_form_it_comes_again(home: Home, tmp_path: Path, form: str) -> None:
    from dagster_project.intake import ingest

    wanted = traces(home)
    erase_both(home)
    landed = contents(home)
    rows = [*others(), *hers(), named_conversation()]
    path = tmp_path / form
    if form.endswith("parquet"):
        exported(rows, path)
    else:
        write_lines(path, [*rows, *refused()])
    told = ingest(home, [path], now=NOW).as_json()
    assert told["erased"] == 6 + 5 * (not form.endswith("parquet"))
    assert (told["accepted"], told["duplicates"]) == (0, len(others()))
    assert hits(home, wanted) == []
    assert {n: v for n, v in contents(home).items() if "quarantine" not in n} == {
        n: v for n, v in landed.items() if "quarantine" not in n
    }


def test_her_conversations_stay_out_even_when_the_export_does_not_name_her(home: Home) -> None:
    erase_both(home)
    nameless = [row | {"user_id": None} for row in hers()]
    assert take(home, nameless).as_json()["erased"] == len(nameless)
    new = record("e-new", user_id=PERSON, started_at="2026-10-20T08:00:00Z", messages=turns("me again"))
    assert take(home, [new]).as_json()["erased"] == 1, "a user who was erased stays out"


def test_an_id_that_never_came_is_kept_out_all_the_same(tmp_path: Path) -> None:
    home = filled_home(tmp_path / "home", others()[:4], ledger=False)
    before = contents(home)
    workspace = Workspace.open(home.root)
    assert erase(workspace, request_of(workspace, [PERSON], [])).conversations == 0
    assert contents(home) == before
    assert take(home, hers()).as_json()["erased"] == len(hers())


def test_tombstones_hold_keyed_pseudonyms_alone_and_nobody_else_may_read_them(tmp_path: Path) -> None:
    homes = [empty_home(tmp_path / name, bytes(range(first, first + 32))) for name, first in (("a", 0), ("b", 32))]
    read = []
    for home in homes:
        take(home, hers())
        erase_both(home)
        file = home.private / "tombstones.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert not any(word in file.read_text() for word in (PERSON, CONVERSATION, "e1", SAID))
        assert Tombstones(home).read().users == {Pseudonyms(home.key()).user(PERSON)}
        assert not Tombstones(home).pending()
        read.append(Tombstones(home).read())
    assert read[0].users.isdisjoint(read[1].users) and read[0].conversations.isdisjoint(read[1].conversations)
    (homes[0].private / "tombstones.json").write_text("{")
    with pytest.raises(TombstonesDamaged):
        take(homes[0], hers())


def test_days_that_were_up_to_date_still_are_and_stale_ones_still_are_not(home: Home) -> None:
    late = record("late", user_id="u1", started_at=f"{DAYS[1]}T23:00:00Z", messages=turns("late", "yes"))
    take(home, [late], "late.jsonl")
    erase_both(home)
    workspace, landing, marks = Workspace.open(home.root), Landing(home), Marks(home)
    assert landing.stale_days(workspace.lake) == [date(2026, 10, 6)]
    built = [day for day in landing.days() if marks.read(day) == labels_digest(workspace, day) is not None]
    assert date(2026, 10, 5) in built and date(2026, 10, 7) in built
    labels = workspace.lake.about("detail_labels", date(2026, 10, 5))
    assert labels is not None and labels["inputs"].startswith(landing.inputs(date(2026, 10, 5)))


def test_a_day_that_was_hers_alone_is_gone_altogether(tmp_path: Path) -> None:
    home = filled_home(tmp_path / "home", [*hers()[:1], record("o", user_id="x", started_at="2026-10-13T08:00:00Z")])
    workspace = Workspace.open(home.root)
    erase(workspace, request_of(workspace, [PERSON], []))
    assert Landing(home).days() == workspace.lake.days("messages") == [date(2026, 10, 13)]
    assert [p for p in home.root.rglob("*2026-10-05*") if "closed" not in p.name] == []


def test_nothing_that_is_left_may_be_read_by_others(home: Home) -> None:
    umask = os.umask(0)
    try:
        erase_both(home)
    finally:
        os.umask(umask)
    written = [home.warehouse, home.private / "closed_days.json", *home.landing.rglob("*"), *home.lake.rglob("*")]
    assert [p for p in written if stat.S_IMODE(p.stat().st_mode) & 0o077] == []


def test_what_killed_processes_left_lying_about_goes_too(home: Home) -> None:
    left = [
        home.tmp / "ingest-ab12" / "000000.arrow",
        home.landing / f"day={DAYS[0]}" / ".00000001.pending.tmp",
        home.lake / "messages" / f"day={DAYS[0]}" / ".data.parquet.ab12cd34.tmp",
        home.quarantine / "invalid_json" / ".ab12.tmp",
        home.private / "dbt" / "logs" / "dbt.log",
        home.warehouse.parent / ".confide.duckdb.tmp",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SAID)
    erase_both(home)
    assert [path for path in left if path.exists()] == []
    assert hits(home, [SAID]) == []


def test_while_a_run_goes_on_the_request_is_noted_and_carried_out_afterwards(home: Home) -> None:
    workspace = Workspace.open(home.root)
    wanted = traces(home)
    with in_use(home):
        with pytest.raises(ErasureWaits, match="noted"):
            erase(workspace, request_of(workspace, *BOTH), wait_seconds=0.2)
        assert take(home, hers()).as_json()["erased"] == len(hers()), "from the request on, nothing of it comes in"
    assert hits(home, wanted) != []
    report = carry_out_pending(workspace, 1.0)
    assert report is not None and report.conversations == 5
    assert hits(home, wanted) == []
    assert carry_out_pending(workspace, 1.0) is None


def test_periods_that_held_any_of_it_are_closed_to_correction(home: Home) -> None:
    assert why_closed(home, parse_period("2026-W41")) is None
    erase_both(home)
    assert ClosedDays(home).read() == {date.fromisoformat(day) for day in DAYS[:3]}
    closed = {key: why_closed(home, parse_period(key)) for key in ("2026-W41", "2026-10", "2026-W42", "2026-10-08")}
    assert [key for key, why in closed.items() if why] == ["2026-W41", "2026-10"]
    assert "closed to correction" in str(closed["2026-W41"])


KILLED = """
import os, signal, sys
from pathlib import Path
from dagster_project.erasing.erasure import carry_out_pending, request_of
from dagster_project.storage.tombstones import Tombstones
from dagster_project.workspace import Workspace

left = int(sys.argv[2])

def step(name):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

workspace = Workspace.open(Path(sys.argv[1]))
Tombstones(workspace.home).add(request_of(workspace, [sys.argv[3]], [sys.argv[4]]))
print("noted", flush=True)
carry_out_pending(workspace, 5.0, step)
"""
N_STEPS = 16
"""Noted; three days forgotten; warehouse; topics; coding; three days of the lake, three of landing; index, quarantine, settled."""
TRIED = range(N_STEPS) if os.environ.get("CONFIDE_AUDIT") else (0, 3, 6, 8, 12)


KILLS = 40 if os.environ.get("CONFIDE_AUDIT") else 3


def erase_and_be_killed(home: Home, after: int) -> int:
    command = [sys.executable, "-c", KILLED, str(home.root), str(after), PERSON, CONVERSATION]
    return subprocess.run(command, check=False, capture_output=True).returncode


def test_killed_after_any_step_and_taken_up_again_it_ends_as_if_nothing_had_happened(
    filled: Home, tmp_path: Path
) -> None:
    unfaulted = copy_of(filled, tmp_path / "unfaulted")
    wanted = traces(unfaulted)
    steps: list[str] = []
    workspace = Workspace.open(unfaulted.root)
    Tombstones(unfaulted).add(request_of(workspace, *BOTH))
    carry_out_pending(workspace, 1.0, steps.append)
    assert len(steps) == N_STEPS
    expected = contents(unfaulted)
    for after in TRIED:
        home = copy_of(filled, tmp_path / f"killed-{after}")
        assert erase_and_be_killed(home, after) == -signal.SIGKILL, after
        assert take(home, hers()).as_json()["erased"] == len(hers()), "killed or not, nothing of it comes in again"
        is_taken_up = carry_out_pending(Workspace.open(home.root), 1.0) is not None
        assert is_taken_up == (steps[after] != "settled"), after
        assert hits(home, wanted) == [], after
        found = contents(home)
        # A day whose mark was cleared when the kill came is built again by the next run.
        marks = {name for name in expected if name.startswith("private/marks/")}
        assert {n: v for n, v in found.items() if n not in marks} == {
            n: v for n, v in expected.items() if n not in marks
        }
        assert all(found[name] == expected[name] for name in marks & found.keys())
        assert not Tombstones(home).pending()


def test_killed_in_the_middle_of_a_step_it_is_taken_up_as_well(filled: Home, tmp_path: Path) -> None:
    wanted = traces(filled)
    rng = random.Random(int(os.environ.get("CONFIDE_SEED", "1")))
    n_killed = 0
    for i in range(KILLS):
        home = copy_of(filled, tmp_path / f"killed-{i}")
        command = [sys.executable, "-c", KILLED, str(home.root), "1000", PERSON, CONVERSATION]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None and process.stdout.readline() == b"noted\n"
            time.sleep(rng.uniform(0.0, 0.6))
            process.kill()
        n_killed += process.returncode == -signal.SIGKILL
        carry_out_pending(Workspace.open(home.root), 1.0)
        assert hits(home, wanted) == []
        assert Landing(home).stale_days(Workspace.open(home.root).lake) == []
        assert take(home, [*others(), *hers(), named_conversation()]).as_json()["erased"] == 6
    assert n_killed > KILLS // 3, "too few were still at work to be killed"


def test_a_ledger_that_cannot_be_reached_leaves_the_erasure_pending(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an erasure that says it is whole would be worse than none."""
    workspace = Workspace.open(home.root)
    wanted = request_of(workspace, *BOTH)
    monkeypatch.setenv("CONFIDE_LEDGER__URL", "postgresql://nobody@127.0.0.1:1/none")
    before = contents(home)
    with pytest.raises(ConfideError):
        erase(Workspace.open(home.root), wanted)
    assert Tombstones(home).pending().users == wanted.users and contents(home) == before
    monkeypatch.delenv("CONFIDE_LEDGER__URL")
    assert carry_out_pending(workspace, 1.0) is not None
    assert hits(home, [SAID]) == []


def test_a_second_request_while_the_first_is_carried_out_is_not_lost(home: Home) -> None:
    workspace = Workspace.open(home.root)
    Tombstones(home).add(request_of(workspace, [PERSON], []))

    def meanwhile(step: str) -> None:
        if step == "noted":
            Tombstones(home).add(request_of(workspace, [], [CONVERSATION]))

    carry_out_pending(workspace, 1.0, meanwhile)
    assert Tombstones(home).pending() == request_of(workspace, [], [CONVERSATION])
    carry_out_pending(workspace, 1.0)
    assert hits(home, [OTHER_SAID]) == []


def test_erasing_after_everything_was_filled_again_finds_nothing(home: Home) -> None:
    """A re-run over the landing that is left must not bring anything back."""
    wanted = traces(home)
    erase_both(home)
    home.warehouse.unlink()
    fill(home)
    assert hits(home, wanted) == []
    workspace = Workspace.open(home.root)
    Tombstones(home).add(Erased(before=date(2026, 10, 1)))
    carry_out_pending(workspace, 1.0)
    assert take(home, [record("old", started_at="2026-09-30T23:59:59Z")]).as_json()["erased"] == 1
    assert take(home, [record("new", started_at="2026-10-01T00:00:00Z")]).as_json()["accepted"] == 1
    assert datetime(2026, 9, 30, tzinfo=UTC).date() not in Landing(home).days()
