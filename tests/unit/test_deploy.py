"""Files for services are copied as they are: one that runs as root, holds a key or writes openly is copied too."""

import configparser
import http.server
import importlib.util
import json
import re
import stat
import sys
import threading
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
INSTALLED = Path(sys.executable).parent
"""Where the commands of this environment are."""


def unit(file: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(file.read_text())
    return parser


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


@pytest.mark.parametrize("file", UNITS, ids=lambda f: f.name)
def test_a_unit_runs_an_installed_command_as_nobody_special_and_writes_only_the_home(file: Path) -> None:
    service = unit(file)["Service"]
    assert service["User"] == service["Group"] == "confide"
    assert service["UMask"] == "0077" and service["NoNewPrivileges"] == "true"
    assert service["ProtectSystem"] == "strict" and service["ReadWritePaths"] == "/srv/confide"
    command, *arguments = service["ExecStart"].split()
    assert command.startswith("/opt/confide/.venv/bin/") and (INSTALLED / Path(command).name).exists()
    assert "0.0.0.0" not in arguments, "the UI has no sign-in: it is not for the network"
    if "-w" in arguments:
        assert (ROOT / arguments[arguments.index("-w") + 1]).is_file() and service["WorkingDirectory"] == "/opt/confide"


def test_a_timer_has_its_service() -> None:
    for timer in (DEPLOY / "systemd").glob("*.timer"):
        assert timer.with_suffix(".service").exists() and "OnCalendar" in unit(timer)["Timer"]


def test_every_service_of_compose_is_closed_in_and_the_ui_stays_on_this_machine() -> None:
    told = compose()
    for name, service in told["services"].items():
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service and "user" not in service
        assert (INSTALLED / service["command"][0]).exists()
        for published in service.get("ports", []):
            assert published.startswith("127.0.0.1:")
        if "-w" in service["command"]:
            assert (ROOT / service["command"][service["command"].index("-w") + 1]).is_file()
    assert set(told["volumes"]) == {"home"}
    assert (DEPLOY / told["x-confide"]["build"]["context"] / told["x-confide"]["build"]["dockerfile"]).is_file()


def test_the_image_is_nobodys_root_and_holds_no_home() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users and users[-1] not in ("root", "0")
    entry = DEPLOY / "entrypoint.sh"
    assert 'ENTRYPOINT ["/opt/confide/deploy/entrypoint.sh"]' in lines and stat.S_IMODE(entry.stat().st_mode) & 0o111
    assert "umask 077" in entry.read_text().splitlines()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored, "a home beside the program would go to the builder whole"
    copied = {word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]}
    assert copied <= let_in and all((ROOT / name).exists() for name in copied)


def test_the_image_has_the_python_that_the_project_asks_for() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    (minor,) = re.findall(r"^FROM python:3\.(\d+)-slim", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert wanted == ">=3.11,<3.13" and 11 <= int(minor) < 13


def test_no_secret_is_in_any_file() -> None:
    for file in (f for f in DEPLOY.rglob("*") if f.is_file() and "__pycache__" not in f.parts):
        assert not re.search(r"sk-ant|(?:KEY|TOKEN|SECRET|PASSWORD|URL)=[^\s$`]", file.read_text()), file.name
    assert "deploy/confide.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_workspace_has_all_that_the_usual_one_has() -> None:
    usual, ours = (
        yaml.safe_load(f.read_text())["load_from"] for f in (ROOT / "workspace.yaml", DEPLOY / "workspace.yaml")
    )
    assert all(location in ours for location in usual)
    (alerts,) = [location["python_file"] for location in ours if "python_file" in location]
    assert (DEPLOY / alerts["relative_path"]).is_file()


@pytest.fixture
def alerts() -> ModuleType:
    spec = importlib.util.spec_from_file_location("confide_alerts", DEPLOY / "alerts.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_failed_run_is_told_to_the_webhook_without_a_word_of_its_error(
    alerts: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg

    told: list[dict[str, str]] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    @dg.op
    def breaks() -> None:
        raise ValueError("what somebody wrote")

    @dg.job
    def daily() -> None:
        breaks()

    with http.server.HTTPServer(("127.0.0.1", 0), Hook) as server, dg.DagsterInstance.ephemeral() as instance:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("ALERT_WEBHOOK_URL", f"http://127.0.0.1:{server.server_port}/")
        failed = daily.execute_in_process(
            instance=instance, raise_on_error=False, tags={"dagster/partition": "2026-10-05"}
        )
        event = failed.get_run_failure_event()
        context = dg.build_run_status_sensor_context("run_failed", event, instance, failed.dagster_run)
        alerts.run_failed(context.for_run_failure())
        server.shutdown()
    (message,) = told
    assert "daily failed (2026-10-05)" in message["text"] and failed.run_id in message["text"]
    assert "somebody" not in message["text"]
