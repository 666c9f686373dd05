"""The Dagster UI of a home, spoken to through its GraphQL as the browser does.

Not here: assertions; running commands (`homes.py`).
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
        self.home, self._port = home, port

    def url(self, path: str) -> str:
        """Address of a page of the UI."""
        return f"http://127.0.0.1:{self._port}{path}"

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.url("/graphql"), body, {"Content-Type": "application/json"})
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

    def wait(self, backfill: str, seconds: float = 600) -> str:
        deadline = time.monotonic() + seconds
        status = ""
        while time.monotonic() < deadline:
            status = self.ask(STATUS, id=backfill)["partitionBackfillOrError"]["status"]
            if status not in ("REQUESTED", "CANCELING", "FAILING"):
                return str(status)
            time.sleep(2)
        return f"still {status}"

    def step_times(self) -> list[str]:
        """Of every run, how long it waited, took and spent in each step."""
        query = "{ runsOrError { ... on Runs { results { creationTime startTime endTime stepStats { stepKey startTime endTime } } } } }"
        told = []
        for run in self.ask(query)["runsOrError"]["results"]:
            steps = ", ".join(f"{s['stepKey']} {s['endTime'] - s['startTime']:.0f} s" for s in run["stepStats"])
            waited, took = run["startTime"] - run["creationTime"], run["endTime"] - run["startTime"]
            told.append(f"run: waited {waited:.0f} s, took {took:.0f} s ({steps})")
        return told


@contextmanager
def running_ui(home: Path) -> Iterator[Ui]:
    """Webserver and daemon of a home, started by `confide ui`, until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "dagster_project.cli.main", "--home", str(home), "ui", "--port", str(port)]
    with (home.parent / "ui.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env={**os.environ})
        ui = Ui(home, port)
        try:
            for _ in range(120):
                try:
                    ui.ask("{ version }")
                    break
                except OSError:
                    time.sleep(1)
            yield ui
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)
