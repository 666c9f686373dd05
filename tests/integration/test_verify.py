"""`confide verify` on a home that went the whole path: what is as it was, what was tampered with, what is gone."""

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dagster_project.home import Home
from dagster_project.storage.lake import Lake
from dagster_project.storage.published import current
from tests.support.homes import confide, done
from tests.support.ready_home import CANARIES, DAYS, PERSON, RELEASED, Ready, ready_home
from tests.support.worlds import conversation, write_lines


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Ready:
    return ready_home(tmp_path_factory)


def files(home: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in home.rglob("*") if p.name != "in_use.lock"}


def verified(home: Path, code: int) -> dict[str, Any]:
    said = confide(home, "verify", "--json")
    assert said.code == code, said.err
    assert not [canary for canary in CANARIES if canary in said.out + said.err]
    found: dict[str, Any] = said.json
    return found


def test_every_number_of_a_release_is_recomputed_and_nothing_is_written(ready: Ready, tmp_path: Path) -> None:
    """Late data waits: it is said, and no number differs."""
    late = conversation(random.Random(5), 90_000, DAYS[2], "late", "story", 1)
    done(confide(ready.home, "ingest", write_lines(tmp_path / "late.jsonl", [late])))
    before = {path: told for path, told in files(ready.home).items() if "/private/tmp" not in path}
    found = verified(ready.home, 0)
    assert {path: told for path, told in files(ready.home).items() if "/private/tmp" not in path} == before
    assert not any(Home(ready.home).tmp.glob("verify-*"))
    (period,) = found["periods"]
    assert (period["period"], period["revision"], period["state"]) == (RELEASED, 0, "equal"), period
    assert period["notes"] == ["data has landed since that is not labelled yet"]
    snapshot = current(Home(ready.home))
    assert snapshot is not None
    manifest = snapshot.manifest()
    published = {name: cells["published"] for name, cells in manifest["cells"].items()}
    assert {name: n for name, n in period["cells"].items() if name != "topics"} == published
    assert period["cells"]["topics"] == snapshot.read_table("topics").height
    assert published["prevalence"] > 5 and published["sentiment"] > 0
    assert found["ok"] and found["files"] == {"checked": len(manifest["files"]), "differ": []}
    assert found["notes"] == [] and found["frozen"] == {"differ": []}


@pytest.mark.long
def test_labels_that_were_tampered_with_give_other_numbers(ready: Ready) -> None:
    """Prevents labels from being exchanged under a release, with every mark and digest left as it was."""
    lake, day = Lake(Home(ready.home)), DAYS[3]
    file = lake.path("screen_labels", day)
    kept = file.read_bytes()
    labels = lake.read("screen_labels", day)
    creation = pl.col("facet") == "content_creation"
    changed = labels.with_columns(value=pl.when(creation).then(None).otherwise("value"))
    assert not changed.equals(labels)
    lake.write("screen_labels", day, changed, lake.about("screen_labels", day))
    said = confide(ready.home, "verify")
    file.write_bytes(kept)
    assert said.code == 1 and f"{RELEASED}, revision 0: differs" in said.out, said.out + said.err
    assert "  prevalence content_creation: " in said.out
    assert "Something differs that should not" in said.out


def test_what_was_erased_cannot_be_recomputed_and_that_is_no_fault(ready: Ready) -> None:
    done(confide(ready.home, "erase", "--user-id", PERSON))
    found = verified(ready.home, 0)
    (period,) = found["periods"]
    assert (found["ok"], period["state"]) == (True, "not_recomputable")
    assert "were erased" in period["reason"] and period["cells"] == {}


def test_a_number_edited_in_a_file_is_named_by_its_file(ready: Ready) -> None:
    """Prevents an edited table from being handed on as Confide's."""
    snapshot = current(Home(ready.home))
    assert snapshot is not None
    file = snapshot.path / "tables" / "prevalence.csv"
    file.chmod(0o600)
    file.write_text(file.read_text().replace("0.", "1.", 1))
    (snapshot.path / "tables" / "funnel.csv").unlink()
    found = verified(ready.home, 1)
    assert found["files"]["differ"] == ["tables/funnel.csv is missing", "tables/prevalence.csv was altered"]
    manifest = snapshot.path / "manifest.json"
    manifest.chmod(0o600)
    manifest.write_text(manifest.read_text().replace("local-", "other-", 1))
    (told,) = verified(ready.home, 1)["files"]["differ"]
    assert "manifest.json is not the one in the ledger" in told
    said = confide(ready.home, "verify", "r0099-20260101T000000Z")
    assert said.code == 1 and "no such release" in said.err
