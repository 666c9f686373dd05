"""What lies beside the tables of a release for those who check it: methods by digest, rows that never change."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dagster_project.domain.periods import parse_period
from dagster_project.home import Home
from dagster_project.methods import definitions_of, digest_of
from dagster_project.policy.loader import Policy
from dagster_project.release import release
from dagster_project.storage.published import Snapshot, current
from dagster_project.storage.release_ledger import Ledger
from dagster_project.verifying import changed_since
from tests.support.candidates import AT, WEEK, candidates, metadata, page

NEXT = parse_period("2026-W42")
ASKED = {"id": "pushback", "version": 1, "question": "Does the assistant push back?"}
REWORDED = {**ASKED, "question": "Does the assistant refuse?"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Two releases, between which a facet was reworded under the same version."""
    home = Home(tmp_path_factory.mktemp("two") / "home")
    home.create()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dagster_project.release.gate", lambda frames, policy: None)
        for period, definition in ((WEEK, ASKED), (NEXT, REWORDED)):
            one = replace(metadata(period)[0], definitions={"pushback": definition}, models_digest="abc")
            release(home, Policy.resolve(), candidates(period), [one], page, clock=lambda: AT)
    yield home


def newest(home: Home) -> Snapshot:
    snapshot = current(home)
    assert snapshot is not None
    return snapshot


def test_each_period_keeps_the_definitions_that_it_was_labelled_by(home: Home) -> None:
    """Prevents a later wording from standing in a release as if older labels had been made by it."""
    methods: dict[str, Any] = json.loads((newest(home).path / "methods.json").read_text())
    texts = [methods["definitions"][period["definitions"]["pushback"]] for period in methods["periods"]]
    assert texts == [ASKED, REWORDED]
    assert all(digest_of(text) == digest for digest, text in definitions_of(newest(home)).items())
    for period, stated in zip(methods["periods"], newest(home).manifest()["periods"], strict=True):
        assert methods["policies"][period["policy"]] == stated["policy"]
        assert {period[name] == stated[name] for name in ("labellers", "prompt_hashes", "sample_design")} == {True}
        assert period["code"]["models"] == "abc"


def test_definitions_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    for text in ("", "[]", '{"definitions": 3}'):
        (tmp_path / "methods.json").write_text(text)
        assert definitions_of(Snapshot(tmp_path)) == {}


def test_a_row_of_an_earlier_release_that_the_newest_has_otherwise_is_found(home: Home) -> None:
    """Prevents a published figure from being replaced in a later release."""
    earlier = Ledger.read(home.release_ledger).released[:-1]
    assert changed_since(home, newest(home), earlier) == []
    file = home.publications / earlier[0].release_id / "tables" / "funnel.parquet"
    file.chmod(0o600)
    pl.read_parquet(file).with_columns(pl.col("n_users") + 5).write_parquet(file)
    assert changed_since(home, newest(home), earlier) == [f"{earlier[0].release_id}: funnel"]
    file.write_text("no parquet")
    assert changed_since(home, newest(home), earlier) == [f"{earlier[0].release_id}: its tables cannot be read"]
