"""What the caller's environment tells our libraries: to say more, to keep more, to check less, to tell others.

Not here: settings of our own in the environment (`test_weakening.py`).
"""

import json
import os
import stat
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import pytest

from dagster_project.assets.context import Silent
from dagster_project.build import build_definitions
from dagster_project.dbt_project import manifest_path, use_home
from dagster_project.domain.tables import FUNNEL
from dagster_project.home import Home
from dagster_project.policy.loader import Policy
from dagster_project.release import published_frame, suppressed_rows
from dagster_project.running import first_cause, instance_of
from dagster_project.sensors import range_tags
from dagster_project.storage import warehouse
from dagster_project.storage.lake import Lake
from tests.support.candidates import WEEK, candidates, metadata
from tests.support.homes import confide, warehouse_rows
from tests.support.scan import found, outside_private
from tests.support.weakening import CANARY, IN_CI, READY, careless_home, copy_of

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.audit]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return copy_of(careless_home(), tmp_path / "home")


def test_with_every_switch_on_that_has_a_library_say_more_no_text_is_said() -> None:
    """Prevents prompts, rows and messages from reaching a terminal, a log or Dagster's history by a debug level."""
    home = careless_home()
    said = home.root.parent / "said.txt"
    files = outside_private(home.root)
    assert len(files) > 20 and said.read_text()
    assert found([*files, said], [CANARY]) == []
    assert found((home.lake / "messages").rglob("*.parquet"), [CANARY]) != []


def test_a_caller_who_keeps_nothing_back_makes_no_file_that_others_may_read() -> None:
    """Prevents a umask of 000 from opening databases, spill files or releases."""
    home = careless_home()
    paths = [home.root, *home.root.rglob("*")]
    assert len(paths) > 100
    assert [p for p in paths if not p.is_symlink() and stat.S_IMODE(p.stat().st_mode) & 0o077] == []


def test_nothing_is_left_outside_the_home() -> None:
    """Prevents rows in a shared temporary folder, and shows a library's telemetry by the ids that it keeps for itself."""
    assert list((careless_home().root.parent / "elsewhere").rglob("*")) == []


def dbt_told_otherwise(elsewhere: Path) -> dict[str, str]:
    """What dbt would honour, under both of its prefixes (DBT_ENGINE_… wins over the DBT_… that we set)."""
    wishes = {
        "STORE_FAILURES": "1",
        "SEND_ANONYMOUS_USAGE_STATS": "1",
        "RESOURCE_TYPES": "model",
        "EXCLUDE_RESOURCE_TYPES": "test",
        "FULL_REFRESH": "1",
        "EMPTY": "1",
        "LOG_PATH": str(elsewhere),
        "LOG_LEVEL_FILE": "debug",
        "TARGET_PATH": str(elsewhere),
        "UPLOAD_TO_ARTIFACTS_INGEST_API": "1",
        "RECORDER_MODE": "record",
        "RECORDER_FILE_PATH": str(elsewhere / "recording.json"),
        "PROFILES_DIR": str(elsewhere),
        "TARGET": "elsewhere",
        "WARN_ERROR_OPTIONS": '{"silence": "all"}',
    }
    return {f"{prefix}_{name}": value for prefix in ("DBT", "DBT_ENGINE") for name, value in wishes.items()}


def rebuild(home: Home) -> dg.ExecuteInProcessResult:
    """The dbt models of one day, as a run would build them."""
    definitions = build_definitions(home.root, {"progress": Silent()})
    chosen = sorted(dg.AssetSelection.groups("warehouse").resolve(definitions.resolve_asset_graph()))
    with instance_of(home) as instance:
        return definitions.resolve_job_def("daily").execute_in_process(
            instance=instance, tags=range_tags(READY, READY), raise_on_error=False, asset_selection=chosen
        )


def flags_of_last_build(home: Home) -> dict[str, object]:
    """What dbt itself says that it was run with."""
    runs = sorted((home.private / "dbt").rglob("run_results.json"), key=lambda p: p.stat().st_mtime)
    return dict(json.loads(runs[-1].read_text())["args"])


def test_no_setting_of_dbt_comes_through_from_outside(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents tests from being skipped, tables from being emptied, and logs and artefacts from going elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    before = warehouse_rows(home.root)
    kept = [word for word in warehouse.COMMON_ARGUMENTS if word != "--no-write-json"]
    monkeypatch.setattr(warehouse, "COMMON_ARGUMENTS", kept)  # so that dbt says what it was told
    for name, value in dbt_told_otherwise(elsewhere).items():
        monkeypatch.setenv(name, value)
    result = rebuild(home)
    assert result.success, first_cause(result)
    assert warehouse_rows(home.root) == before
    flags = flags_of_last_build(home)
    assert not flags["send_anonymous_usage_stats"] and not flags.get("store_failures")
    assert not flags.get("empty") and not flags.get("full_refresh")
    assert not flags.get("resource_types") and flags["exclude_resource_types"] == ["unit_test"]
    assert list(elsewhere.iterdir()) == []


def test_rows_that_fail_a_test_are_counted_and_never_kept(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a failing test from leaving its rows in the warehouse, and from being left out, by a variable."""
    lake, day = Lake(home), date.fromisoformat(READY)
    labels = lake.read("screen_labels", day)
    lake.write("screen_labels", day, pl.concat([labels, labels.head(1)]), lake.about("screen_labels", day))
    for name, value in dbt_told_otherwise(tmp_path / "elsewhere").items():
        monkeypatch.setenv(name, value)
    result = rebuild(home)
    assert not result.success and "1 of its nodes failed" in (first_cause(result) or "")
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        schemas = {name for (name,) in connection.execute("select schema_name from duckdb_schemas()").fetchall()}
    assert not [name for name in schemas if "audit" in name or "dbt_test" in name]
    assert "days are not up to date" in confide(home.root, "release", READY).err


def test_dbt_keeps_no_failing_rows_and_tells_nobody_by_its_own_manifest(home: Home, tmp_path: Path) -> None:
    """Prevents one test's own setting from keeping what the project's says is not kept."""
    for name, value in dbt_told_otherwise(tmp_path).items():
        os.environ[name] = value
    use_home(home)
    assert {n for n in os.environ if n.startswith("DBT_")} == {
        "DBT_PROFILES_DIR",
        "DBT_PROJECT_DIR",
        "DBT_TARGET_PATH",
        "DBT_LOG_LEVEL_FILE",
        "DBT_LOG_PATH",
        "DBT_SEND_ANONYMOUS_USAGE_STATS",
    }
    manifest = json.loads(manifest_path(home).read_text())
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    assert len(tests) > 50
    assert {node["config"]["store_failures"] for node in tests} == {False}
    assert {node["config"]["store_failures_as"] for node in tests} <= {None, "ephemeral"}
    assert manifest["metadata"]["send_anonymous_usage_stats"] is False


@pytest.mark.parametrize("switch", ["DAGSTER_TELEMETRY_ENABLED", "DO_NOT_TRACK", "DAGSTER_DISABLE_TELEMETRY"])
def test_no_variable_switches_dagsters_telemetry_on(home: Home, switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(switch, "1" if switch == "DAGSTER_TELEMETRY_ENABLED" else "0")
    with instance_of(home) as instance:
        assert instance.telemetry_enabled is False
    assert not (home.dagster / "logs").exists(), "where Dagster gathers what it would send"


def gated_frames() -> dict[str, pl.DataFrame]:
    """Rows as they reach the gate."""
    rows = suppressed_rows(candidates(WEEK), metadata(WEEK), Policy.resolve())
    return {name: published_frame(name, rows[name], metadata(WEEK)) for name in rows}


EMBED = "from dagster_project.classifiers.local.embedder import MiniLM; print(MiniLM().embed(['hello']).shape)"


@pytest.mark.parametrize("said", ["0", "", "false"])
def test_the_model_runtime_reports_to_nobody(tmp_path: Path, said: str) -> None:
    """Prevents names, sizes and times of local labelling from being sent to the maker of the runtime (on by default)."""
    environment = {name: value for name, value in os.environ.items() if name not in IN_CI}
    away = dict.fromkeys(("TMPDIR", "HOME", "XDG_CACHE_HOME"), str(tmp_path))
    ended = subprocess.run(
        [sys.executable, "-c", EMBED],
        env={**environment, **away, "ORT_DISABLE_TELEMETRY": said, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "(1, 384)" in ended.stdout
    assert list(tmp_path.rglob("*")) == [], "a device's id, a session's id, and what waits to be sent"


def test_great_expectations_gives_no_values_and_tells_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents failing values from standing in a result, and the context from sending statistics."""
    import great_expectations as gx

    from expectations import runner

    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "true")
    monkeypatch.setenv("GX_CLOUD_MODE", "true")
    assert runner._context(gx).config.analytics_enabled is False
    formats: list[object] = []
    batch = gx.datasource.fluent.interfaces.Batch
    validate = batch.validate

    def watched(self: object, *arguments: object, **named: object) -> object:
        formats.append(named["result_format"])
        result = validate(self, *arguments, **named)  # type: ignore[arg-type]
        assert not result.success and CANARY not in str(result)
        return result

    monkeypatch.setattr(batch, "validate", watched)
    funnel = gated_frames()["funnel"].with_columns(step=pl.lit(CANARY))
    told = runner.check("funnel", funnel, Policy.resolve().suite_parameters(FUNNEL))
    assert not all(outcome.passed for outcome in told)
    assert formats == ["BOOLEAN_ONLY"]
    assert CANARY not in " ".join(map(str, told))
