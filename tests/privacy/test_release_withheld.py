"""What a release tells of what it withholds: nothing, byte for byte.

Two worlds that differ only in what is withheld must give the same files; what is handed in beside the declared
columns must reach none of them. Not here: what can be computed from several releases together.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from dagster_project.domain.tables import PUSHBACK, TABLES
from dagster_project.home import Home
from dagster_project.policy.loader import Policy
from dagster_project.release import ReleaseResult, release
from dagster_project.storage.release_ledger import ReleaseRefused
from tests.support.candidates import AT, WEEK, Cell, candidate_rows, counts, frames, metadata, page, rated, spread
from tests.support.remembered import writing_alone

CANARIES = [b"jane.doe@example.org", b"CANARY-7f3a", b"+49 170 1234567", b"s3cr3t-user-key"]


@pytest.fixture
def _writing_alone() -> Iterator[None]:
    with writing_alone():
        yield


LONG = bool(os.environ.get("CONFIDE_AUDIT"))
Rows = dict[str, list[Cell]]


def published(tmp_path: Path, name: str, rows: Rows) -> ReleaseResult:
    home = Home(tmp_path / name)
    home.create()
    return release(home, Policy.resolve(), frames(rows), metadata(WEEK), page, clock=lambda: AT)


def files(result: ReleaseResult) -> dict[str, bytes]:
    """Every file but the database, whose bytes are not reproducible and whose values the tables have."""
    return {
        str(p.relative_to(result.path)): p.read_bytes()
        for p in sorted(result.path.rglob("*"))
        if p.is_file() and p.suffix not in (".duckdb", ".json")
    }


def late_safety(rows: Rows) -> Cell:
    keys = ("coaching", "safety", "late")
    return next(r for r in rows["pushback"] if tuple(r[k] for k in PUSHBACK.keys) == keys)


@pytest.mark.usefixtures("_writing_alone")
def test_withheld_cells_give_the_same_bytes_whatever_is_in_them(tmp_path: Path) -> None:
    """Prevents nobody, k - 1 people, one heavy user and all but a few from being told apart."""
    causes: dict[str, Cell] = {
        "nobody": rated(0, 0),
        "almost": rated(9, 80),
        "one": rated(1, 1),
        "dominated": counts([30, *spread(19, 20)], spread(300, 600)) | {"rate_low": 0.0, "rate_high": 0.1},
        "everybody": rated(40, 80, 0, 0),
    }
    seen = []
    for name, cell in list(causes.items())[:: 1 if LONG else 2]:
        rows = candidate_rows(WEEK)
        late_safety(rows).update(cell)
        seen.append(files(published(tmp_path, name, rows)))
    assert all(other == seen[0] for other in seen[1:])


@pytest.mark.usefixtures("_writing_alone")
def test_topics_below_the_threshold_leave_no_trace(tmp_path: Path) -> None:
    """Prevents a rare topic from showing as a row, a number withheld, a gap or a parent."""
    plain = candidate_rows(WEEK)
    more = candidate_rows(WEEK)
    for i, users in enumerate((24, 1, 9)):
        small = {**more["topics"][0], "topic_id": f"rare{i}", "topic_name": "Rare thing", **rated(users, 60)}
        more["topics"].insert(i * 2, small)
    a, b = published(tmp_path, "a", plain), published(tmp_path, "b", more)
    assert files(a) == files(b)
    assert a.tables == b.tables
    assert b.tables["topics"]["withheld"] is None
    manifests = [(r.path / "manifest.json").read_text() for r in (a, b)]
    databases = [r.path.joinpath("confide.duckdb").read_bytes() for r in (a, b)]
    assert not any("rare" in m.lower() for m in manifests)
    assert not any(b"rare" in d.lower() for d in databases)


@pytest.mark.usefixtures("_writing_alone")
def test_groups_of_exactly_k_are_published_and_of_one_less_are_not(tmp_path: Path) -> None:
    """Prevents over-suppression as well as under-suppression at the threshold itself."""
    for users, suppressed in ((9, True), (10, False), (11, False))[: 3 if LONG else 2]:
        rows = candidate_rows(WEEK)
        late_safety(rows).update(rated(users, 20, 340 - users, 640))
        result = published(tmp_path, f"k{users}", rows)
        table = pl.read_parquet(result.path / "tables" / "pushback.parquet")
        row = table.row(
            by_predicate=(pl.col("affective_type") == "coaching")
            & (pl.col("kind") == "safety")
            & (pl.col("position") == "late"),
            named=True,
        )
        assert row["suppressed"] is suppressed
        assert row["n_users"] == (None if suppressed else 10)
    for users, shown in ((24, False), (25, True), (26, True))[: 3 if LONG else 2]:
        rows = candidate_rows(WEEK)
        rows["topics"][0].update(rated(users, 60))
        result = published(tmp_path, f"t{users}", rows)
        ids = pl.read_parquet(result.path / "tables" / "topics.parquet")["topic_id"].to_list()
        assert (rows["topics"][0]["topic_id"] in ids) is shown


@pytest.mark.usefixtures("_writing_alone")
def test_counts_within_one_rounding_step_are_published_alike(tmp_path: Path) -> None:
    """Prevents one person's coming or going from showing in counts, shares or the grid."""
    seen = set()
    for users in (38, 39, 40, 41, 42)[:: 1 if LONG else 4]:
        rows = candidate_rows(WEEK)
        for row in rows["prevalence"]:
            if row["category"] == "content_creation":
                row.update(rated(users, users + 20, 1180, 2980 - users), share_low=0.0148, share_high=0.0267)
        table = pl.read_parquet(published(tmp_path, f"n{users}", rows).path / "tables" / "prevalence.parquet")
        seen.add(repr(table.filter(pl.col("category") == "content_creation").rows()))
    assert len(seen) == 1


def planted(rows: Rows) -> Rows:
    """Canaries in columns that no table declares."""
    for table in rows.values():
        for i, row in enumerate(table):
            row["surface"] = CANARIES[i % len(CANARIES)].decode()
            row["top_user_key"] = CANARIES[-1].decode()
    return rows


@pytest.mark.usefixtures("_writing_alone")
def test_undeclared_columns_reach_no_file(tmp_path: Path) -> None:
    """Prevents a column that the warehouse gains from being published with the table."""
    published(tmp_path, "home", planted(candidate_rows(WEEK)))
    scanned = 0
    for folder, _, names in os.walk(tmp_path / "home"):
        for name in names:
            content = Path(folder, name).read_bytes()
            scanned += 1
            assert not any(canary in content for canary in CANARIES), name
    assert scanned > 12


def _in_topic_name(rows: Rows, text: str) -> None:
    rows["topics"][0]["topic_name"] = text


def _in_topic_id(rows: Rows, text: str) -> None:
    rows["topics"][0]["topic_id"] = text


def _in_category(rows: Rows, text: str) -> None:
    rows["prevalence"][3]["category"] = text


def _in_count(rows: Rows, text: str) -> None:
    for row in rows["funnel"]:
        row["n_users"] = text


def _in_period(rows: Rows, text: str) -> None:
    rows["funnel"][0]["period_key"] = text


ADDRESS, WORD, PHONE = (canary.decode() for canary in CANARIES[:3])
PLANTED = [(_in_topic_name, text) for text in (ADDRESS, PHONE)] + [
    (plant, text) for plant in (_in_topic_id, _in_category, _in_count, _in_period) for text in (ADDRESS, WORD)
]


@pytest.mark.parametrize(("plant", "canary"), PLANTED)
def test_text_in_a_declared_column_is_refused_without_being_quoted(
    tmp_path: Path,
    plant: Callable[[Rows, str], None],
    canary: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Prevents a leaky step upstream from publishing a person's address, and the refusal from printing it."""
    rows = candidate_rows(WEEK)
    plant(rows, f"reach {canary}")
    with pytest.raises(ReleaseRefused) as refusal:
        published(tmp_path, "home", rows)
    out, err = capfd.readouterr()
    assert canary not in f"{refusal.value!r} {refusal.value.__cause__!r} {caplog.text} {out} {err}"
    assert list((tmp_path / "home" / "publications").iterdir()) == []


MADE_FROM_THE_CODEBOOK_OR_TOPICS = {
    "topics": ("topic_id", "parent_topic_id", "topic_name"),
    "facets": ("facet", "value", "of_facet", "values_told"),
    "agreement": ("labeller",),
    "agreement_by": ("labeller",),
}
"""Columns of text whose values no table declares: suites hold them against the codebook, names against their filter."""


@pytest.mark.usefixtures("_writing_alone")
def test_every_published_text_is_a_declared_value_or_a_topic(tmp_path: Path) -> None:
    """Prevents any other text from having a way out."""
    result = published(tmp_path, "home", candidate_rows(WEEK))
    for name, table in TABLES.items():
        frame = pl.read_parquet(result.path / "tables" / f"{name}.parquet")
        for column in frame.select(pl.col(pl.String)).columns:
            if column in table.fixed:
                assert set(frame[column]) <= set(table.fixed[column])
            else:
                assert column == "period_kind" or column in MADE_FROM_THE_CODEBOOK_OR_TOPICS.get(name, ())
