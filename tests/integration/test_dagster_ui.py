"""What an operator does in the UI, done through its own GraphQL: backfill, twice at once, schedule, refusal."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.homes import confide, done, lake_rows, warehouse_rows
from tests.support.worlds import days_from, small_world, write_lines

DAYS = days_from("2026-10-05", 7)
LAUNCH = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
STATUS = (
    "query Status($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
)
GROUPS = """
{ assetNodes { assetKey { path } groupName partitionDefinition { type } } }
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Ui:
    """The webserver and daemon of a home, spoken to as the browser does."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self._url = home, f"http://127.0.0.1:{port}/graphql"

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = json.load(answer)
        assert "errors" not in told, told["errors"]
        return told["data"]

    def daily_assets(self) -> list[dict[str, Any]]:
        nodes = self.ask(GROUPS)["assetNodes"]
        return [n["assetKey"] for n in nodes if n["groupName"] in ("ingestion", "classification", "warehouse")]

    def backfill(self, days: list[str]) -> str:
        keys = [{"path": k["path"]} for k in self.daily_assets()]
        told = self.ask(LAUNCH, params={"assetSelection": keys, "partitionNames": days})["launchPartitionBackfill"]
        assert told["__typename"] == "LaunchBackfillSuccess", told
        return str(told["backfillId"])

    def wait(self, backfill: str, seconds: float = 240) -> str:
        deadline = time.monotonic() + seconds
        status = ""
        while time.monotonic() < deadline:
            status = self.ask(STATUS, id=backfill)["partitionBackfillOrError"]["status"]
            if status not in ("REQUESTED", "CANCELING", "FAILING"):
                return str(status)
            time.sleep(2)
        return f"still {status}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ui")
    home = root / "home"
    done(confide(home, "init"))
    done(confide(home, "ingest", write_lines(root / "l.jsonl", small_world(DAYS, a_day=40, users=300))))
    return home


@pytest.fixture(scope="module")
def ui(home: Path) -> Iterator[Ui]:
    port = free_port()
    log = (home.parent / "ui.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster_project.cli.main", "--home", str(home), "ui", "--port", str(port)],
        stdout=log,
        stderr=log,
        start_new_session=True,
        env={**os.environ},
    )
    speaker = Ui(home, port)
    try:
        for _ in range(120):
            try:
                speaker.ask("{ version }")
                break
            except OSError:
                time.sleep(1)
        yield speaker
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)
        log.close()


def test_days_backfilled_twice_at_once_leave_the_rows_of_a_single_run(ui: Ui, tmp_path: Path) -> None:
    first, second = ui.backfill(DAYS), ui.backfill(DAYS)
    assert [ui.wait(first), ui.wait(second)] == ["COMPLETED_SUCCESS", "COMPLETED_SUCCESS"]
    here = (lake_rows(ui.home), warehouse_rows(ui.home))
    assert done(confide(ui.home, "status", "--json")).json["days"]["stale"] == []
    done(confide(ui.home, "run", "--from", DAYS[0], "--to", DAYS[-1]))
    again = warehouse_rows(ui.home)
    daily = [t for t in again if t.startswith(("staging", "intermediate.int_conv", "intermediate.int_push"))]
    assert {t: here[1][t] for t in daily if t in here[1]} == {t: again[t] for t in daily if t in here[1]}
    assert {k: v for k, v in lake_rows(ui.home).items() if "topic" not in k} == here[0]


def test_every_check_is_seen_in_the_ui(ui: Ui) -> None:
    query = "{ assetNodes { assetKey { path } assetChecksOrError { ... on AssetChecks { checks { name } } } } }"
    nodes = ui.ask(query)["assetNodes"]
    checks = {"/".join(n["assetKey"]["path"]): [c["name"] for c in n["assetChecksOrError"]["checks"]] for n in nodes}
    assert "contract" in checks["lake/messages"]
    assert any("unique" in name for name in checks["intermediate/int_conversations"])
    assert "suite_prevalence" in checks["publication"]


def test_the_schedules_tick_asks_for_yesterday_and_materializes_it_alone(tmp_path: Path) -> None:
    import dagster as dg

    from dagster_project.build import build_definitions

    home = tmp_path / "home"
    done(confide(home, "init"))
    done(confide(home, "ingest", write_lines(tmp_path / "l.jsonl", small_world(DAYS, a_day=10))))
    repository = build_definitions(home).get_repository_def()
    moment = datetime(2026, 10, 12, 3, 0, tzinfo=UTC)
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        context = dg.build_schedule_context(instance, scheduled_execution_time=moment, repository_def=repository)
        tick = repository.get_schedule_def("daily_schedule").evaluate_tick(context)
        assert tick.run_requests is not None
        (request,) = tick.run_requests
        assert request.partition_key == "2026-10-11"
        job = repository.get_job("daily")
        assert job.execute_in_process(instance=instance, partition_key=request.partition_key, tags=request.tags).success
        for key in (["lake", "messages"], ["lake", "detail_labels"], ["intermediate", "int_conversations"]):
            assert instance.get_materialized_partitions(dg.AssetKey(key)) == {"2026-10-11"}
    stale = done(confide(home, "status", "--json")).json["days"]["stale"]
    assert stale == DAYS[:-1]
