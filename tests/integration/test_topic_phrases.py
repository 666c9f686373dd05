"""Names as phrases by Claude: of shared terms alone, asked once, within the budget, and never in the way of a release."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.domain.topics.naming import Needed, Support, names
from dagster_project.estimating import ANALYSED_SHARE, estimate_run
from dagster_project.home import Home
from dagster_project.intake import ingest
from dagster_project.setting_up import create_home
from dagster_project.topics.phrasing import namer_of
from dagster_project.workspace import Workspace
from tests.support.messages_server import MessagesServer, messages_server
from tests.support.messages_server_settings import Planted
from tests.support.worlds import days_from, small_world, write_lines

NEEDED = Needed(5, 10)


@pytest.fixture(scope="module")
def running() -> Iterator[MessagesServer]:
    with messages_server() as server:
        yield server


@pytest.fixture
def server(running: MessagesServer, monkeypatch: pytest.MonkeyPatch) -> MessagesServer:
    running.reset()
    for name, value in {**running.environment(), "CONFIDE_CLASSIFIER__KIND": "claude"}.items():
        monkeypatch.setenv(name, value)
    return running


def workspace(folder: Path) -> Workspace:
    home = Home(folder / "home")
    if not home.exists:
        create_home(home)
    return Workspace.open(home.root)


def support() -> Support:
    made = Support()
    for person in range(20):
        made.add("a", {"job search", "salary"} | ({"zebra"} if person < 4 else set()))
        made.add("b", {"sleep", "night"})
    return made


def named(opened: Workspace) -> dict[str, str]:
    return names(support(), {"a": NEEDED, "b": NEEDED}, namer_of(opened))


def test_a_phrase_is_made_of_shared_terms_asked_once_and_booked(server: MessagesServer, tmp_path: Path) -> None:
    """A name paid for at every run, or beside the ledger, is money that nobody decided to spend."""
    server.reset(planted=(Planted(marker="job search", answers={"topic_phrase": "Salary and job search"}),))
    opened = workspace(tmp_path)
    first = named(opened)
    assert first["a"] == "Salary and job search"
    assert first["b"] == "Night, sleep", "what the model said of its own is dropped for the plain list"
    assert server.books().called("messages") == 2
    costs = opened.ledger.costs()
    assert sum(c.requests for c in costs) == 2 and sum(c.usd for c in costs) > 0
    assert named(workspace(tmp_path)) == first
    assert server.books().called("messages") == 2


@pytest.mark.parametrize("model", ["leaky", "obedient"])
def test_a_hostile_model_knows_the_shared_terms_alone_and_adds_nothing(
    server: MessagesServer, tmp_path: Path, model: str
) -> None:
    server.reset(model=model)
    found = named(workspace(tmp_path))
    words = {w for name in found.values() for w in name.lower().replace(",", "").split()}
    assert words <= {"job", "search", "salary", "night", "sleep", "and"}


def test_a_spent_budget_leaves_the_plain_list_and_the_release_goes_on(
    server: MessagesServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFIDE_CLAUDE__BUDGET_USD", "0")
    assert named(workspace(tmp_path)) == {"a": "Job search, salary", "b": "Night, sleep"}
    assert server.books().called("messages") == 0


def test_what_topics_ask_of_others_is_estimated_before_anything_is_sent(
    server: MessagesServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Money that no estimate told of: of the same budget as labelling, or of a server that has no budget here at all."""
    for name, value in {"POLICY__MIN_TOPIC_CONVERSATIONS": "30", "TOPICS__EMBEDDER": "http"}.items():
        monkeypatch.setenv(f"CONFIDE_{name}", value)
    monkeypatch.setenv("CONFIDE_TOPICS__EMBEDDER_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("CONFIDE_TOPICS__EMBEDDER_MODEL", "some-model")
    days = days_from("2026-10-05", 2)
    opened = workspace(tmp_path)
    world = small_world(days, a_day=1000, users=60)
    ingest(opened.home, [write_lines(tmp_path / "world.jsonl", world)])
    told = estimate_run(opened)
    phrases, vectors = told["topic_phrases"], told["topic_vectors"]
    assert ANALYSED_SHARE * len(world) // 30 == 2
    assert phrases["requests_at_most"] == 9, "two topics and one above them, and as often as siblings may be told apart"
    assert 0 < phrases["usd_at_most"] < told["usd"] and "claude.budget_usd" in phrases["budget"]
    assert phrases["model"] in told["by_model"] and told["by_model"].keys() == {phrases["model"]}
    assert vectors["texts"] == pytest.approx(ANALYSED_SHARE * len(world), abs=40), (
        "a line for each, as a model describes"
    )
    assert (vectors["server"], vectors["usd"]) == ("127.0.0.1:9", None) and vectors["tokens"] > vectors["texts"]
    assert server.books().called("messages") == 0

    monkeypatch.setenv("CONFIDE_CLASSIFIER__KIND", "local")
    local = estimate_run(workspace(tmp_path))
    assert "topic_phrases" not in local and local["topic_vectors"]["texts"] >= vectors["texts"]
    monkeypatch.setenv("CONFIDE_TOPICS__EMBEDDER", "minilm")
    assert "topic_vectors" not in estimate_run(workspace(tmp_path))


def test_a_home_that_wants_no_phrases_sends_nothing(
    server: MessagesServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFIDE_TOPICS__PHRASES", "false")
    assert named(workspace(tmp_path))["a"] == "Job search, salary"
    monkeypatch.setenv("CONFIDE_TOPICS__PHRASES", "true")
    monkeypatch.setenv("CONFIDE_CLASSIFIER__KIND", "local")
    assert named(workspace(tmp_path))["a"] == "Job search, salary"
    assert server.books().called("messages") == 0
