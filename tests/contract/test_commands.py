"""What outsiders rely on: commands, exit codes, JSON keys, files. Breaking one silently breaks their tools."""

import json
import stat
from pathlib import Path

import pytest

from tests.support.homes import confide, done
from tests.support.ready_home import DAYS, N_REFUSED, Ready, ready_home

COMMON = ["period_kind", "period_start", "period_end", "revision"]
TABLES = {
    "prevalence": [
        "category",
        "n_conversations",
        "n_users",
        "share",
        "share_low",
        "share_high",
        "corrected_share",
        "corrected_low",
        "corrected_high",
    ],
    "funnel": ["step", "n_conversations", "n_users"],
    "topics": [
        "affective_type",
        "topic_id",
        "parent_topic_id",
        "level",
        "topic_name",
        "n_conversations",
        "n_users",
        "share",
    ],
    "pushback": [
        "affective_type",
        "kind",
        "position",
        "n_conversations",
        "n_users",
        "of_conversations",
        "of_users",
        "rate",
        "rate_low",
        "rate_high",
    ],
    "sentiment": [
        "affective_type",
        "n_conversations",
        "n_users",
        "sentiment_start",
        "sentiment_end",
        "sentiment_change",
        "change_low",
        "change_high",
    ],
    "agreement": [
        "facet",
        "labeller",
        "n_labelled",
        "accuracy",
        "precision",
        "recall",
        "f1",
        "kappa",
        "kappa_low",
        "kappa_high",
    ],
    "drift": ["start_type", "end_type", "n_conversations", "n_users", "share"],
    "long_conversations": ["affective_type", "n_conversations", "n_users", "share"],
    "usage_bands": ["band", "n_users", "share_of_users"],
    "facets": [
        "facet",
        "value",
        "affective_type",
        "n_conversations",
        "n_users",
        "share",
        "share_low",
        "share_high",
    ],
}


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Ready:
    """A home that went the whole path once: ingest, run, release, what each said with --json kept."""
    return ready_home(tmp_path_factory)


@pytest.fixture(scope="module")
def home(ready: Ready) -> Path:
    return ready.home


@pytest.fixture(scope="module")
def said(ready: Ready) -> dict[str, dict[str, object]]:
    return ready.said


def test_json_keys_of_every_command(said: dict[str, dict[str, object]]) -> None:
    assert {"accepted", "duplicates", "replaced", "quarantined", "days"} <= said["ingest"].keys()
    assert {"days", "conversations", "labels", "requests", "usd", "seconds"} <= said["run"].keys()
    assert {"release_id", "path", "periods", "tables"} <= said["release"].keys()
    assert {"days", "labels", "usd", "releases", "open_batches"} <= said["status"].keys()


def test_counts_say_what_happened(ready: Ready, said: dict[str, dict[str, object]]) -> None:
    n = len(ready.rows) - N_REFUSED
    assert said["ingest"]["accepted"] == n
    assert said["ingest"]["duplicates"] == 1
    assert said["ingest"]["quarantined"] == {
        "invalid_json": 1,
        "missing_time": 1,
        "unknown_role": 1,
        "unreadable_time": 1,
    }
    assert said["ingest"]["days"] == DAYS
    assert said["run"]["conversations"] == n
    assert said["run"]["requests"] == 0 and said["run"]["usd"] == 0
    assert said["release"]["periods"] == ["2026-W41"]


def test_the_home_is_laid_out_as_promised_and_private(home: Path) -> None:
    for name in (
        "confide.toml",
        "landing",
        "private/lake/conversations/day=2026-10-05",
        "warehouse/confide.duckdb",
        "dagster",
        "publications",
        "quarantine",
    ):
        assert (home / name).exists(), name
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    readable = [p for p in home.rglob("*") if not p.is_symlink() and stat.S_IMODE(p.stat().st_mode) & 0o077]
    assert readable == []


def test_current_is_a_relative_link_to_the_newest_release(home: Path, said: dict[str, dict[str, object]]) -> None:
    link = home / "publications" / "current"
    assert link.is_symlink() and str(link.readlink()) == said["release"]["release_id"]


@pytest.mark.parametrize("table", TABLES)
def test_published_tables_have_the_promised_columns_in_every_form(home: Path, table: str) -> None:
    import duckdb
    import polars as pl

    release = home / "publications" / "current"
    frame = pl.read_parquet(release / "tables" / f"{table}.parquet")
    promised = [*COMMON, *TABLES[table]]
    assert frame.columns[: len(promised)] == promised, "columns are added behind those that are promised"
    assert frame.columns[-1] == "suppressed"
    assert pl.read_csv(release / "tables" / f"{table}.csv").columns == frame.columns
    with duckdb.connect(str(release / "confide.duckdb"), read_only=True) as connection:
        described = connection.execute(f"describe {table}").fetchall()
        comments = connection.execute("select comment from duckdb_columns() where table_name = ?", [table]).fetchall()
        assert connection.execute(f"select count(*) from main.{table}").fetchone() == (frame.height,)
    assert [d[0] for d in described] == frame.columns
    assert all(c for (c,) in comments)


def test_a_withheld_cell_keeps_its_row_without_any_measure(home: Path) -> None:
    import polars as pl

    frame = pl.read_parquet(home / "publications" / "current" / "tables" / "pushback.parquet")
    assert frame.height == 5 * 7 * 4
    withheld = frame.filter(pl.col("suppressed"))
    assert withheld.height > 0
    measures = ["n_conversations", "n_users", "of_conversations", "of_users", "rate", "rate_low", "rate_high"]
    assert withheld.select(pl.all_horizontal(pl.col(measures).is_null()).all()).item()


def test_the_manifest_accounts_for_every_file(home: Path) -> None:
    import hashlib

    release = (home / "publications" / "current").resolve()
    manifest = json.loads((release / "manifest.json").read_text())
    for name, about in manifest["files"].items():
        data = (release / name).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (about["sha256"], about["bytes"])
    on_disk = {str(p.relative_to(release)) for p in release.rglob("*") if p.is_file()} - {"manifest.json"}
    assert on_disk == set(manifest["files"])
    assert {f"figures/prevalence.{ending}" for ending in ("svg", "png", "csv")} <= on_disk
    assert [p["key"] for p in manifest["periods"]] == ["2026-W41"]


def test_a_figures_numbers_are_lines_of_its_table(home: Path) -> None:
    """A second file of numbers must not be a second way out: what the gate let through is in the tables."""
    release = (home / "publications" / "current").resolve()
    published: dict[str, set[str]] = {}
    for file in (release / "tables").glob("*.csv"):
        head, *rows = file.read_text().splitlines()
        published.setdefault(head, set()).update(rows)
    figures = list((release / "figures").glob("*.csv"))
    assert len(figures) > 5
    for file in figures:
        head, *rows = file.read_text().splitlines()
        assert rows and set(rows) <= published[head], file.name


def test_nothing_new_is_nothing_done(home: Path) -> None:
    assert done(confide(home, "run", "--json")).json["days"] == []


def test_a_published_period_is_frozen(home: Path) -> None:
    again = confide(home, "release", "2026-W41")
    assert again.code == 1 and "2026-W41" in again.err


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["release", "2026-W40"], "no conversations"),
        (["release", "2999-W01"], "not over"),
        (["release", "--correct", "2026-W40"], "not published"),
        (["ingest", "/nowhere/at/all.jsonl"], "no such file"),
    ],
)
def test_failures_exit_1_with_one_line(home: Path, arguments: list[str], cause: str) -> None:
    said = confide(home, *arguments)
    assert said.code == 1
    last = said.err.strip().splitlines()[-1]
    assert last.startswith("confide: ") and cause in last
    assert "Traceback" not in said.err


@pytest.mark.parametrize("arguments", [["release", "soon"], ["run", "--from", "yesterday"], ["ingest"], ["nonsense"]])
def test_usage_errors_exit_2(home: Path, arguments: list[str]) -> None:
    assert confide(home, *arguments).code == 2


def test_a_folder_that_is_no_home_is_said_to_be_none(tmp_path: Path) -> None:
    said = confide(tmp_path / "none", "run")
    assert said.code == 1 and "init" in said.err


def test_version_and_facets() -> None:
    assert done(confide(None, "--version")).out.startswith("confide ")
    facets = done(confide(None, "facets", "--json")).json["facets"]
    studys = ["content_creation", "affective_type", "pushback", "sentiment", "topic"]
    assert [f["id"] for f in facets if f["id"] in studys] == studys


def test_doctor_is_content_with_a_sound_home_and_says_how_to_mend_another(home: Path) -> None:
    assert confide(home, "doctor").code == 0
    key = home / "private" / "keys" / "pseudonym.key"
    key.chmod(0o644)
    try:
        said = confide(home, "doctor")
    finally:
        key.chmod(0o600)
    assert said.code == 1 and "chmod 600" in said.out
