"""The snapshot writer: whole, immutable, escaped, and refused whenever the disk contradicts the ledger."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from dagster_project.domain.periods import parse_period
from dagster_project.domain.tables import TABLES
from dagster_project.home import Home
from dagster_project.policy.loader import Policy
from dagster_project.release import ReleaseResult, release
from dagster_project.storage.published import SnapshotDamaged, current, file_sha256, verify
from dagster_project.storage.release_ledger import Ledger, ReleaseRefused
from tests.support.candidates import AT, candidates, metadata, page
from tests.support.remembered import writing_alone

WEEKS = [parse_period(f"2026-W{n}") for n in (41, 42, 43)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture(autouse=True)
def _writing_alone() -> Iterator[None]:
    with writing_alone():
        yield


def publish(home: Home, week: int = 0) -> ReleaseResult:
    period = WEEKS[week]
    return release(home, Policy.resolve(), candidates(period), metadata(period), page, clock=lambda: AT)


def test_a_release_has_every_file_of_the_contract(home: Home) -> None:
    result = publish(home)
    manifest = json.loads((result.path / "manifest.json").read_text())
    there = {str(p.relative_to(result.path)) for p in result.path.rglob("*") if p.is_file()}
    tables = {f"tables/{name}.{ending}" for name in TABLES for ending in ("parquet", "csv")}
    figures = {"figures/funnel.csv", "figures/funnel.png"}
    pages = {"report.html", "datasheet.md", "methods.json", "tables.html", "manifest.json"}
    assert there == {*tables, *figures, *pages, "confide.duckdb"}
    assert set(manifest["files"]) == there - {"manifest.json"}
    for name, about in manifest["files"].items():
        file = result.path / name
        assert (about["sha256"], about["bytes"]) == (file_sha256(file), file.stat().st_size)
    assert manifest["files"]["tables/funnel.parquet"]["rows"] == manifest["files"]["figures/funnel.csv"]["rows"] == 4
    assert manifest["release_id"] == result.release_id == (home.publications / "current").readlink().name
    assert manifest["periods"][0]["labellers"]["sentiment"] == "local-test"
    assert manifest["periods"][0]["policy"]["digest"] == Policy.resolve().digest
    assert manifest["cells"]["prevalence"] == {"published": 11, "withheld": 0}
    assert "topics" not in manifest["cells"]
    assert result.tables["topics"] == {"published": 12, "withheld": None}


def test_nothing_of_a_release_is_writable_or_readable_by_others(home: Home) -> None:
    result = publish(home)
    for path in (home.publications, result.path, *result.path.rglob("*")):
        mode = path.stat().st_mode & 0o777
        assert mode == (0o700 if path.is_dir() else 0o400), path.name


def test_formats_agree_and_are_described(home: Home) -> None:
    """Prevents an analyst's figure from depending on the file it was read from."""
    result = publish(home)
    with duckdb.connect(result.path / "confide.duckdb", read_only=True) as connection:
        for name, table in TABLES.items():
            frame = pl.read_parquet(result.path / "tables" / f"{name}.parquet")
            assert frame.columns == [c.name for c in table.published_columns]
            assert connection.table(name).pl().equals(frame)
            with (result.path / "tables" / f"{name}.csv").open() as file:
                rows = list(csv.DictReader(file))
            assert [r["suppressed"] for r in rows] == [str(s).lower() for s in frame["suppressed"]]
            assert list(rows[0]) == frame.columns
        comments = connection.execute("SELECT comment FROM duckdb_columns() WHERE NOT internal").fetchall()
    assert len(comments) == sum(len(t.published_columns) for t in TABLES.values())
    assert all(comment and len(comment) > 10 for (comment,) in comments)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_formula_cells_are_escaped_and_negative_numbers_are_not(home: Home, start: str) -> None:
    """Prevents a topic's name from running as a formula in a spreadsheet."""
    rows = candidates(WEEKS[0])
    rows["topics"] = rows["topics"].with_columns(topic_name=pl.lit(f"{start}HYPERLINK(1)"))
    result = release(home, Policy.resolve(), rows, metadata(WEEKS[0]), page, clock=lambda: AT)
    with (result.path / "tables" / "topics.csv").open(newline="") as file:
        assert {row["topic_name"] for row in csv.DictReader(file)} == {f"'{start}HYPERLINK(1)"}
    with (result.path / "tables" / "sentiment.csv").open() as file:
        assert {row["sentiment_start"] for row in csv.DictReader(file)} == {"-0.1"}


def test_a_later_release_holds_the_earlier_rows_unchanged(home: Home) -> None:
    """Prevents a frozen period from changing when another is published, late data or not."""
    first = publish(home, 1)
    second = publish(home, 0)
    for name in TABLES:
        before = pl.read_parquet(first.path / "tables" / f"{name}.parquet")
        after = pl.read_parquet(second.path / "tables" / f"{name}.parquet")
        assert after.filter(pl.col("period_start") == WEEKS[1].start).equals(before)
        assert after["period_start"].is_sorted()
    assert [p["key"] for p in json.loads((second.path / "manifest.json").read_text())["periods"]] == [
        "2026-W42",
        "2026-W41",
    ]
    assert second.tables == first.tables
    verify(current(home))  # type: ignore[arg-type]


def test_ids_sort_even_when_the_clock_steps_back(home: Home) -> None:
    first = publish(home, 0)
    second = release(
        home, Policy.resolve(), candidates(WEEKS[1]), metadata(WEEKS[1]), page, clock=lambda: AT.replace(year=2025)
    )
    assert first.release_id < second.release_id


@pytest.mark.parametrize("what", ["table", "manifest", "added", "removed", "link"])
def test_a_tampered_snapshot_is_found_and_nothing_is_published(home: Home, what: str) -> None:
    """Prevents altered rows from being carried into every later release."""
    path = publish(home).path
    table, manifest = path / "tables" / "funnel.parquet", path / "manifest.json"
    match what:
        case "table":
            table.chmod(0o600)
            table.write_bytes(table.read_bytes().replace(b"analysed", b"analyzed"))
        case "manifest":
            manifest.chmod(0o600)
            manifest.write_text(manifest.read_text().replace('"default"', '"strict"'))
        case "added":
            (path / "tables" / "extra.parquet").write_bytes(b"x")
        case "removed":
            table.unlink()
        case "link":
            table.unlink()
            table.symlink_to("prevalence.parquet")
    before = sorted(home.publications.iterdir())
    with pytest.raises(ReleaseRefused, match="nothing was published"):
        publish(home, 1)
    assert sorted(home.publications.iterdir()) == before
    if what != "manifest":
        with pytest.raises(SnapshotDamaged):
            verify(current(home))  # type: ignore[arg-type]


def test_publications_without_their_ledger_are_refused(home: Home) -> None:
    """Prevents a deleted ledger from making frozen periods publishable again."""
    publish(home)
    home.release_ledger.unlink()
    with pytest.raises(ReleaseRefused, match="ledger is missing"):
        publish(home, 1)


def test_a_cut_ledger_an_unknown_folder_and_a_turned_pointer_are_refused(home: Home) -> None:
    """Prevents a release from continuing from anything but the newest one."""
    first = publish(home, 0)
    publish(home, 1)
    lines = home.release_ledger.read_text().splitlines(keepends=True)
    home.release_ledger.write_text("".join(lines[:2]))
    with pytest.raises(ReleaseRefused, match="not in the release ledger"):
        publish(home, 2)
    home.release_ledger.write_text("".join(lines))
    pointer = home.publications / "current"
    target = pointer.readlink()
    pointer.unlink()
    pointer.symlink_to(first.release_id)
    with pytest.raises(ReleaseRefused, match="newest"):
        publish(home, 2)
    pointer.unlink()
    pointer.symlink_to(target)
    (home.publications / "r9999-mine").mkdir()
    with pytest.raises(ReleaseRefused, match="not in the release ledger"):
        publish(home, 2)
    (home.publications / "r9999-mine").rmdir()
    publish(home, 2)


def test_a_vanished_release_is_not_taken_for_one_that_never_was(home: Home) -> None:
    """Prevents a period that readers have seen from being published anew after its folder was lost."""
    path = publish(home).path
    shutil.rmtree(path)
    (home.publications / "current").unlink()
    with pytest.raises(ReleaseRefused, match="newest"):
        publish(home)


def test_two_releases_at_once_do_not_mix(home: Home) -> None:
    """Prevents two runs from each building on the same release and one of them being lost."""
    refused = []

    def meanwhile(step: str) -> None:
        if step == "entered":
            with pytest.raises(ReleaseRefused, match="another release"):
                publish(home, 1)
            refused.append(step)

    release(home, Policy.resolve(), candidates(WEEKS[0]), metadata(WEEKS[0]), page, clock=lambda: AT, step=meanwhile)
    assert refused == ["entered"]
    publish(home, 1)


def test_a_disk_that_is_full_leaves_nothing_behind(home: Home) -> None:
    """Prevents half a release, and a library's message that quotes a cell, from getting out."""

    def full(step: str) -> None:
        if step == "wrote tables/topics.csv":
            raise OSError(28, "No space left on device", "CANARY")

    with pytest.raises(ReleaseRefused, match="No space left on device") as refusal:
        release(home, Policy.resolve(), candidates(WEEKS[0]), metadata(WEEKS[0]), page, clock=lambda: AT, step=full)
    assert "CANARY" not in str(refusal.value)
    assert list(home.publications.iterdir()) == []
    assert Ledger.read(home.release_ledger).entries == ()
    publish(home)


def test_a_report_that_fails_publishes_nothing(home: Home) -> None:
    def broken(tables: object, manifest: object) -> str:
        raise ValueError("no page")

    with pytest.raises(ValueError, match="no page"):
        release(home, Policy.resolve(), candidates(WEEKS[0]), metadata(WEEKS[0]), broken, clock=lambda: AT)
    assert list(home.publications.iterdir()) == []


def test_a_reader_of_the_current_release_is_undisturbed_by_the_next(home: Home) -> None:
    """Prevents an analyst's open connection from failing, or from changing under a running query."""
    publish(home, 0)
    weeks = "SELECT count(DISTINCT period_start) FROM prevalence"
    with duckdb.connect(home.publications / "current" / "confide.duckdb", read_only=True) as early:
        assert early.execute(weeks).fetchone() == (1,)
        publish(home, 1)
        assert early.execute(weeks).fetchone() == (1,)
        with duckdb.connect(current(home).path / "confide.duckdb", read_only=True) as late:  # type: ignore[union-attr]
            assert late.execute(weeks).fetchone() == (2,)
        assert early.execute(weeks).fetchone() == (1,)
