"""The inbox's sensor on the home's own Dagster instance: what it asks for, how often, and what it tells nobody."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.assets.context import ConfideHome
from dagster_project.build import build_definitions
from dagster_project.inbox import look
from dagster_project.running import instance_of
from dagster_project.sensors import STATE_TAG, range_tags
from dagster_project.storage.landing import assemble_day
from dagster_project.workspace import Workspace
from tests.support.conversations import record, write_lines
from tests.support.homes import with_parsed_project
from tests.support.inboxes import age, inbox_home, put
from tests.support.scan import found

NAME = "greta-okonkwo"
DAYS = ["2026-10-05", "2026-10-06", "2026-11-10"]


class Watched:
    """A home with its definitions and instance, as the daemon has them."""

    def __init__(self, workspace: Workspace, instance: dg.DagsterInstance) -> None:
        self.workspace, self.instance = workspace, instance
        self.repository = build_definitions(workspace.home.root).get_repository_def()

    def tick(self, sensor: str = "inbox") -> list[dg.RunRequest]:
        """What one look asks for."""
        definition = self.repository.get_sensor_def(sensor)
        home = ConfideHome(root=str(self.workspace.home.root))
        with dg.build_sensor_context(
            self.instance, repository_def=self.repository, resources={"confide": home}
        ) as context:
            return list(definition.evaluate_tick(context).run_requests or [])

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Do what was asked for."""
        job = self.repository.get_job(str(request.job_name))
        return job.execute_in_process(instance=self.instance, tags=dict(request.tags))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    workspace = inbox_home(tmp_path / "home")
    with_parsed_project(workspace.home)
    with instance_of(workspace.home) as instance:
        yield Watched(workspace, instance)


def test_new_files_are_taken_by_a_run_and_the_days_that_they_touch_are_asked_for_once(watched: Watched) -> None:
    """From a file to its days without a hand; twice asked for would be twice paid for, and never asked for be lost."""
    workspace, today = watched.workspace, datetime.now(UTC)
    records = [record(day, started_at=f"{day}T08:00:00Z") for day in DAYS]
    put(workspace, f"{NAME}.jsonl", *records, record("now", started_at=(today + timedelta(hours=1)).isoformat()))
    assert watched.tick() == []
    age(workspace)
    (asked,) = watched.tick()
    assert asked.job_name == "take_inbox"
    assert watched.tick() == [asked], "the same files under another key would be taken by a second run"
    result = watched.run(asked)
    assert result.success
    (event,) = result.get_asset_materialization_events()
    told = {name: value.value for name, value in event.materialization.metadata.items()}
    assert (told["files"], told["accepted"], told["quarantined"], told["days"]) == (1, 4, {}, 4)
    (check,) = result.get_asset_check_evaluations()
    assert check.passed
    # Two ranges: days so far apart are run apart. Today's day is not over.
    daily = watched.tick()
    assert [(r.job_name, {k: v for k, v in r.tags.items() if k in range_tags("", "")}) for r in daily] == [
        ("daily", range_tags(DAYS[0], DAYS[1])),
        ("daily", range_tags(DAYS[2], DAYS[2])),
    ]
    assert [r.run_key for r in watched.tick()] == [r.run_key for r in daily]
    # Another sensor that sees the same days stale asks for what nobody has asked for yet, and for nothing else.
    watched.instance.create_run_for_job(watched.repository.get_job("daily"), tags=dict(daily[0].tags))
    assert [r.tags[STATE_TAG] for r in watched.tick("stale_days")] == [daily[1].tags[STATE_TAG]]
    for day in map(datetime.fromisoformat, DAYS):
        assembled = assemble_day(workspace.landing, day.date())
        workspace.lake.write("messages", day.date(), assembled.messages, assembled.about)
        workspace.lake.write("conversations", day.date(), assembled.conversations, assembled.about)
    assert watched.tick() == []
    said = [
        p
        for p in workspace.home.root.rglob("*")
        if p.is_file() and "inbox" not in p.relative_to(workspace.home.root).parts
    ]
    assert found(said, [NAME]) == [], "a file's name is a person's"


def test_days_that_others_landed_are_not_the_inboxs_to_ask_for(watched: Watched, tmp_path: Path) -> None:
    """Switching the inbox on would else label, and pay for, a whole history that somebody left for later."""
    from dagster_project.intake import ingest

    workspace = watched.workspace
    ingest(workspace.home, [write_lines(tmp_path / "history.jsonl", [record("c0", started_at="2026-09-01T08:00:00Z")])])
    put(workspace, "logs.jsonl", record("c1", started_at="2026-10-05T08:00:00Z"))
    watched.tick()
    age(workspace)
    watched.run(watched.tick()[0])
    (asked,) = watched.tick()
    assert dict(range_tags("2026-10-05", "2026-10-05")).items() <= asked.tags.items()


def test_a_bad_file_warns_and_a_good_one_beside_it_lands(watched: Watched) -> None:
    put(watched.workspace, "good.jsonl", record("c1"))
    put(watched.workspace, "bad.jsonl.gz").write_bytes(b"\x1f\x8b cut")
    watched.tick()
    age(watched.workspace)
    result = watched.run(watched.tick()[0])
    assert result.success
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed and check.severity is dg.AssetCheckSeverity.WARN
    assert sum(check.metadata["quarantined"].value.values()) == 1
    assert [r.job_name for r in watched.tick()] == ["daily"], "and the bad one is not tried again"


def test_the_sensor_is_off_unless_the_settings_switch_it_on(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched.repository.get_sensor_def("inbox").default_status is dg.DefaultSensorStatus.RUNNING
    monkeypatch.setenv("CONFIDE_INBOX__ENABLED", "false")
    off = build_definitions(watched.workspace.home.root).get_repository_def().get_sensor_def("inbox")
    assert off.default_status is dg.DefaultSensorStatus.STOPPED


def test_while_files_are_taken_in_nobody_is_asked_to_take_them(watched: Watched) -> None:
    import fcntl

    put(watched.workspace, "logs.jsonl", record("c1"))
    watched.tick()
    age(watched.workspace)
    with (watched.workspace.home.private / "inbox.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert look(watched.workspace, datetime.now(UTC)) is None
        assert watched.tick() == []
    assert len(watched.tick()) == 1
