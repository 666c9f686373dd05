"""A person erased from a home that really ran: gone from every store, and the home goes on as before."""

import hashlib
from pathlib import Path

import pytest

from dagster_project.erasing.erasure import request_of
from dagster_project.home import Home
from dagster_project.storage.landing import Landing
from dagster_project.storage.pseudonyms import Pseudonyms
from dagster_project.storage.tombstones import Tombstones
from dagster_project.workspace import Workspace
from tests.support.erasable import exported, versions
from tests.support.erased_person import hits
from tests.support.homes import confide, done, warehouse_rows
from tests.support.ready_home import DAYS, HERS, N_REFUSED, ONE, PERSON, WORDS, ready_home, world
from tests.support.scan import found

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ready_home(tmp_path_factory).home


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_dagsters_history_holds_no_id_no_pseudonym_and_no_hash_of_anybody(home: Path) -> None:
    """So that erasing has nothing to look for there."""
    landed = list(versions(Landing(Home(home))))
    keys = {k for c, content_hash in landed for k in (c.conversation_id, c.user_id, content_hash)}
    files = [p for p in (home / "dagster").rglob("*") if p.is_file()]
    assert len(files) > 5 and len(keys) > 1000
    data = b"\n".join(p.read_bytes() for p in files)
    assert [key for key in keys if key.encode() in data] == []
    assert found(files, [WORDS, PERSON, ONE, *HERS]) == []


def test_a_person_erased_is_gone_and_stays_gone_while_the_home_goes_on(home: Path, tmp_path: Path) -> None:
    pseudonyms = Pseudonyms(Home(home).key())
    keys = [pseudonyms.user(PERSON), *map(pseudonyms.conversation, [*HERS, ONE])]
    hashes = [content_hash for c, content_hash in versions(Landing(Home(home))) if c.conversation_id in keys]
    wanted = [PERSON, WORDS, "Tarkowin", *keys, *hashes]
    assert len(hashes) == 5 and len({w for w in wanted if hits(Home(home), [w])}) == len(wanted)
    wanted += [ONE, *HERS]
    published = digests(home / "publications")

    told = done(confide(home, "erase", "--user-id", PERSON, "--conversation-id", ONE, "--json")).json
    assert (told["conversations"], told["quarantined"]) == (5, 1)
    assert told["days"] == sorted({DAYS[0], DAYS[3], DAYS[4], DAYS[9]})
    assert told["closed_to_correction"] == ["2026-W41"]
    assert hits(Home(home), wanted) == []
    assert digests(home / "publications") == published, "what was published are aggregates: they stay"
    assert done(confide(home, "status", "--json")).json["days"]["stale"] == []
    assert done(confide(home, "run", "--json")).json["days"] == []

    lake = {n: d for n, d in digests(home / "private" / "lake").items() if "topic" not in n}
    built = {n: rows for n, rows in warehouse_rows(home).items() if n in DAILY}
    assert set(built) == DAILY
    done(confide(home, "run", "--from", DAYS[0], "--to", DAYS[9]))
    assert {n: d for n, d in digests(home / "private" / "lake").items() if "topic" not in n} == lake
    assert {n: rows for n, rows in warehouse_rows(home).items() if n in DAILY} == built
    assert hits(Home(home), wanted) == []

    plain = [row for row in world()[:-N_REFUSED] if all(isinstance(m["content"], str) for m in row["messages"])]
    again = done(confide(home, "ingest", exported(plain, tmp_path / "old.parquet"), "--json")).json
    assert (again["erased"], again["accepted"], again["days"]) == (5, 0, [])
    assert done(confide(home, "release", "2026-W42", "--json")).json["periods"] == ["2026-W42"]
    assert hits(Home(home), wanted) == []
    assert done(confide(home, "doctor", "--json")).json["ok"]

    before = warehouse_rows(home)
    done(confide(home, "rotate-key"))
    assert done(confide(home, "status", "--json")).json["days"]["stale"] == []
    after = warehouse_rows(home)
    assert {n: len(rows) for n, rows in after.items()} == {n: len(rows) for n, rows in before.items()}
    assert done(confide(home, "ingest", tmp_path / "old.parquet", "--json")).json["erased"] == 5

    noted = request_of(Workspace.open(home), ["u2"], [])
    Tombstones(Home(home)).add(noted)
    assert done(confide(home, "run", "--from", DAYS[6], "--to", DAYS[6], "--json")).json["days"] == [DAYS[6]]
    assert not Tombstones(Home(home)).pending(), "a run does not begin before what was asked is carried out"
    assert hits(Home(home), [*noted.users]) == []


DAILY = {
    f"intermediate.{name}" for name in ("int_conversations", "int_conversation_types", "int_pushback", "int_sentiment")
}


def test_what_the_commands_refuse(home: Path) -> None:
    for arguments in ([], ["--user-id", "a", "--expired"]):
        said = confide(home, "erase", *arguments)
        assert said.code == 2 and "--user-id" in said.err
    empty = confide(home, "erase", "--user-id", "")
    assert empty.code == 1 and "empty" in empty.err
    assert confide(home.parent / "none", "rotate-key").code == 1
