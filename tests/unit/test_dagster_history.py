"""The commands write Dagster's history their own way; the UI must find it, and a storage of the operator's is theirs."""

from pathlib import Path

import dagster as dg

from dagster_project.home import Home
from dagster_project.running import instance_of
from dagster_project.setting_up import create_home
from dagster_project.storage.dagster_history import Events, history_ref


@dg.asset
def counted() -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(metadata={"conversations": 3})


def test_what_a_command_wrote_is_all_there_for_dagsters_own_class(tmp_path: Path) -> None:
    """Prevents a run of `confide run` from missing in the UI, or a second one from writing over the first."""
    home = Home(tmp_path / "home")
    create_home(home)
    runs = []
    for _ in range(2):
        with instance_of(home) as instance:
            assert isinstance(instance.event_log_storage, Events)
            done = dg.materialize([counted], instance=instance)
            runs.append((done.run_id, [event.event_type_value for event in done.all_events]))
    with dg.DagsterInstance.from_config(str(home.dagster)) as theirs:
        assert not isinstance(theirs.event_log_storage, Events)
        assert {run.run_id for run in theirs.get_runs()} == {run_id for run_id, _ in runs}
        for run_id, told in runs:
            kept = [log.dagster_event.event_type_value for log in theirs.all_logs(run_id) if log.dagster_event]
            assert [event for event in kept if event in told] == told
        found = theirs.fetch_materializations(counted.key, limit=10).records
        assert [r.run_id for r in found] == [run_id for run_id, _ in reversed(runs)]


def test_a_storage_that_the_operator_chose_is_kept(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    create_home(home)
    with (home.dagster / "dagster.yaml").open("a") as file:
        file.write("storage:\n  postgres:\n    postgres_url: postgresql://confide@localhost/history\n")
    data = history_ref(home).storage_data
    assert data is not None and data.class_name == "DagsterPostgresStorage"
