"""A home that asks Claude: a range is asked at once, once, within its budget, and what comes back stays where it may."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_project.assets.context import Silent
from dagster_project.build import build_definitions
from dagster_project.estimating import estimate_run
from dagster_project.home import Home
from dagster_project.intake import ingest
from dagster_project.running import Outcome, first_cause, instance_of
from dagster_project.sensors import range_tags
from dagster_project.setting_up import create_home
from dagster_project.state import status_of
from dagster_project.workspace import Workspace
from tests.support.homes import with_parsed_project
from tests.support.messages_server import MessagesServer, messages_server
from tests.support.worlds import days_from, small_world, write_lines

DAYS = days_from("2026-10-05", 3)
A_DAY = 50
N = len(DAYS) * A_DAY

OWN_FACET = """
id: mentions_pet
version: 1
title: Mentions a pet
question: Does the person mention a pet of theirs?
unit: conversation
applies_to: [all]
answer: yes_no
stage: screen
sensitive: false
publish: facets
source: Test.
categories:
  - {id: mentions_pet, label: Mentions a pet, definition: A pet of the person is mentioned.}
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    with messages_server() as running:
        settings = {
            **running.environment(),
            "CONFIDE_CLASSIFIER__KIND": "claude",
            "CONFIDE_CLAUDE__BATCH_POLL_SECONDS": "0.2",
            "CONFIDE_CLAUDE__RECONCILE_SECONDS": "0.5",
            "CONFIDE_CLAUDE__CONTROL_SHARE": "0.01",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield running


def new_home(folder: Path) -> Home:
    home = Home(folder / "home")
    folder.mkdir(exist_ok=True)
    create_home(home)
    with_parsed_project(home)
    ingest(home, [write_lines(folder / "world.jsonl", small_world(DAYS, a_day=A_DAY, users=60))])
    return home


def label(home: Home) -> Outcome:
    """What `confide run` does, up to the labels. Raises AssertionError with the cause where it fails."""
    definitions = build_definitions(home.root, {"progress": Silent()})
    chosen = dg.AssetSelection.groups("ingestion", "classification").resolve(definitions.resolve_asset_graph())
    with instance_of(home) as instance:
        result = definitions.resolve_job_def("daily").execute_in_process(
            instance=instance, tags=range_tags(DAYS[0], DAYS[-1]), raise_on_error=False, asset_selection=sorted(chosen)
        )
    assert result.success, first_cause(result)
    outcome = Outcome([result.run_id])
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.partition in (None, DAYS[0]):
            assert event.asset_key is not None
            found = event.step_materialization_data.materialization.metadata
            outcome.metadata[event.asset_key.path[-1]] = [{name: value.value for name, value in found.items()}]
    return outcome


def labels(home: Home, table: str) -> Any:
    import polars as pl

    lake = Workspace.open(home.root).lake
    return pl.concat([lake.read(table, day) for day in lake.days(table)])


def test_a_range_is_asked_in_one_batch_a_stage_and_never_again(
    server: MessagesServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch a day would wait, and poll, once a day; a re-run or a second home that asks again would pay twice."""
    # Controls are drawn by a home's own pseudonyms: two homes have other ones.
    monkeypatch.setenv("CONFIDE_CLAUDE__CONTROL_SHARE", "0")
    home = new_home(tmp_path / "one")
    before = estimate_run(Workspace.open(home.root))
    assert before["requests"] >= N and before["tokens"] == "counted on a sample" and before["usd"] > 0
    first = label(home)
    books = server.books()
    screened, detailed = (first.metadata[table][0] for table in ("screen_labels", "detail_labels"))
    assert (books.batches, screened["requests"]) == (2, N)
    assert books.paid == screened["requests"] + detailed["requests"] and books.paid_again_unexplained == 0
    assert screened["usd"] > 0 and len(screened["cost"].records) == len(DAYS)
    assert [b.provider_id for b in Workspace.open(home.root).ledger.open_batches()] == []

    again = label(home)
    assert (again.total("requests", "screen_labels", "detail_labels"), again.dollars()) == (0, 0.0)
    assert server.books().paid == books.paid

    second = new_home(tmp_path / "two")
    (second.root / "confide.toml").write_text(f'[ledger]\nurl = "sqlite:///{home.request_ledger}"\n')
    assert label(second).total("requests", "screen_labels", "detail_labels") == 0
    assert server.books().paid == books.paid
    mine, theirs = (labels(h, "screen_labels") for h in (home, second))
    keys = ["facet", "status", "value", "prompt_hash", "labelled_at"]
    assert mine.select(keys).sort(keys).equals(theirs.select(keys).sort(keys))

    book = home.root / "codebook"
    book.mkdir()
    (book / "mentions_pet.yaml").write_text(OWN_FACET)
    (home.root / "confide.toml").write_text('[codebook]\nfolders = ["codebook"]\n')
    server.forget()
    added = label(home)
    assert added.metadata["screen_labels"][0]["requests"] == N
    assert set(server.books().properties) == {"mentions_pet"}
    assert "mentions_pet" in labels(home, "screen_labels")["facet"].unique().to_list()


def test_words_stay_in_the_private_zone_and_controls_are_a_small_weighted_sample(
    server: MessagesServer, tmp_path: Path
) -> None:
    server.set(model="leaky")
    home = new_home(tmp_path / "leaky")
    label(home)
    told = labels(home, "descriptions")
    assert told.height > 0 and told["text"].str.len_chars().max() <= 200
    rows = labels(home, "detail_labels")
    assert "topic_description" not in rows["facet"].unique().to_list()
    words = {text.encode() for text in told["text"].to_list() if len(text) > 12}
    outside = [p for p in home.root.rglob("*") if p.is_file() and not p.is_relative_to(home.private)]
    found = [str(p.relative_to(home.root)) for p in outside if any(w in p.read_bytes() for w in words)]
    assert [name for name in found if not name.startswith(("landing/", "quarantine/"))] == []
    # Controls that counted as analysed, or that nobody could weight back, would spoil every later estimate.
    weights = labels(home, "detail_labels").select("conversation_key", "weight").unique()
    assert set(weights["weight"].unique().to_list()) <= {1.0, 100.0}
    assert weights.filter(weights["weight"] > 1).height <= 0.05 * N


def test_the_budget_stops_a_run_and_a_higher_one_goes_on(
    server: MessagesServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = new_home(tmp_path / "budget")
    usd = estimate_run(Workspace.open(home.root))["usd"]
    monkeypatch.setenv("CONFIDE_CLAUDE__BUDGET_USD", str(usd / 10))
    with pytest.raises(AssertionError, match=r"budget_usd"):
        label(home)
    status = status_of(Workspace.open(home.root))
    assert status["usd"] <= usd / 10
    paid = server.books().paid
    monkeypatch.setenv("CONFIDE_CLAUDE__BUDGET_USD", str(usd * 100))
    rest = label(home)
    books = server.books()
    assert books.paid - paid == rest.total("requests", "screen_labels", "detail_labels") > 0
    assert books.paid_again_unexplained == 0
    spent = status_of(Workspace.open(home.root))["usd"]
    assert spent == pytest.approx(status["usd"] + rest.dollars(), abs=1e-5)
