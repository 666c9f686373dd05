"""What an operator does in the UI, done through its own GraphQL: backfill, twice at once, schedule, refusal."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.homes import confide, done, lake_rows, warehouse_rows
from tests.support.ui import Ui, running_ui
from tests.support.worlds import days_from, small_world, write_lines

pytestmark = pytest.mark.long

DAYS = days_from("2026-10-05", 3)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ui")
    home = root / "home"
    done(confide(home, "init"))
    done(confide(home, "ingest", write_lines(root / "l.jsonl", small_world(DAYS, a_day=15, users=40))))
    return home


@pytest.fixture(scope="module")
def ui(home: Path) -> Iterator[Ui]:
    with running_ui(home) as speaker:
        yield speaker


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
    moment = datetime(2026, 10, 8, 3, 0, tzinfo=UTC)
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        context = dg.build_schedule_context(instance, scheduled_execution_time=moment, repository_def=repository)
        tick = repository.get_schedule_def("daily_schedule").evaluate_tick(context)
        assert tick.run_requests is not None
        (request,) = tick.run_requests
        assert request.partition_key == DAYS[-1]
        job = repository.get_job("daily")
        assert job.execute_in_process(instance=instance, partition_key=request.partition_key, tags=request.tags).success
        for key in (["lake", "messages"], ["lake", "detail_labels"], ["intermediate", "int_conversations"]):
            assert instance.get_materialized_partitions(dg.AssetKey(key)) == {DAYS[-1]}
    stale = done(confide(home, "status", "--json")).json["days"]["stale"]
    assert stale == DAYS[:-1]
