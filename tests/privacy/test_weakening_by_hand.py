"""Hands on the ledger, the publications, the warehouse and the gate: each is refused, or changes nothing, shown.

The releases are the jobs of the UI, run as `confide release` runs them. Not here: settings, keys, folders
(`test_weakening.py`).
"""

import json
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

import dagster_project.release as release_module
from dagster_project.assets.context import Silent
from dagster_project.build import build_definitions
from dagster_project.domain.periods import parse_period
from dagster_project.home import Home
from dagster_project.partitions import PERIODS_NAME
from dagster_project.policy.loader import Policy
from dagster_project.release import release
from dagster_project.running import first_cause, instance_of
from dagster_project.sensors import range_tags
from dagster_project.state import examine
from dagster_project.storage.published import current
from dagster_project.storage.release_ledger import Ledger, ReleaseRefused
from tests.support.candidates import AT, candidates, metadata, page
from tests.support.scan import found
from tests.support.weakening import PUBLISHED, READY, careless_home, copy_of, refusal, release_here, shown

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.audit]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return copy_of(careless_home(), tmp_path / "home")


def newest(home: Home) -> Path:
    snapshot = current(home)
    assert snapshot is not None
    return snapshot.path


def one_byte(home: Home) -> None:
    text = home.release_ledger.read_text()
    home.release_ledger.write_text(text.replace(PUBLISHED, "2026-10-04", 1))


def line_dropped(home: Home) -> None:
    home.release_ledger.write_text(home.release_ledger.read_text().splitlines(keepends=True)[1])


def cut_short(home: Home) -> None:
    home.release_ledger.write_bytes(home.release_ledger.read_bytes()[:-40])


def emptied(home: Home) -> None:
    home.release_ledger.write_bytes(b"")


def missing(home: Home) -> None:
    home.release_ledger.unlink()


def not_text(home: Home) -> None:
    home.release_ledger.write_bytes(secrets.token_bytes(400) + b"\xff")


HANDS_ON_THE_LEDGER: list[tuple[Callable[[Home], None], str]] = [
    (one_byte, "the release ledger was altered at line 1"),
    (line_dropped, "the release ledger was altered at line 1"),
    (cut_short, "the release ledger was altered at line"),
    (emptied, "the release ledger is missing but there are publications"),
    (missing, "the release ledger is missing but there are publications"),
    (not_text, "the release ledger cannot be read"),
]


@pytest.mark.parametrize(("weaken", "named"), HANDS_ON_THE_LEDGER, ids=[w.__name__ for w, _ in HANDS_ON_THE_LEDGER])
def test_a_ledger_that_is_not_what_was_written_stops_every_release(
    home: Home, weaken: Callable[[Home], None], named: str
) -> None:
    """Prevents a frozen period from being published again with other people in it, for subtraction."""
    weaken(home)
    assert named in (release_here(home) or "published")
    (found,) = [f for f in examine(home) if f.what == "release ledger and publications"]
    assert not found.ok and named in found.advice, "whoever looks the home over must not be told that all is well"


def cell_altered(home: Home) -> None:
    file = newest(home) / "tables" / "prevalence.parquet"
    frame = pl.read_parquet(file).with_columns(suppressed=pl.lit(False))
    file.chmod(0o600)
    frame.write_parquet(file)


def manifest_altered(home: Home) -> None:
    file = newest(home) / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["periods"][0]["policy"]["min_users"] = 1
    file.chmod(0o600)
    file.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def file_added(home: Home) -> None:
    shutil.copy(home.settings_file, newest(home) / "settings.toml")


def folder_by_hand(home: Home) -> None:
    shutil.copytree(newest(home), home.publications / "r0002-by-hand")


def pointer_elsewhere(home: Home) -> None:
    """At a copy with the right name, in which a withheld cell may say anything."""
    target = newest(home)
    copy = home.root.parent / "elsewhere" / target.name
    shutil.copytree(target, copy)
    (home.publications / "current").unlink()
    (home.publications / "current").symlink_to(copy)


def release_is_a_link(home: Home) -> None:
    target = newest(home)
    moved = home.root.parent / "moved"
    target.rename(moved)
    target.symlink_to(moved)


def pointer_is_a_folder(home: Home) -> None:
    target = newest(home)
    (home.publications / "current").unlink()
    shutil.copytree(target, home.publications / "current")


HANDS_ON_PUBLICATIONS: list[tuple[Callable[[Home], None], str]] = [
    (cell_altered, "tables/prevalence.parquet was altered"),
    (manifest_altered, "manifest.json is not the one in the ledger"),
    (file_added, "1 file(s) are not of the release"),
    (folder_by_hand, "1 folder(s) in publications/ are not in the release ledger"),
    (pointer_elsewhere, "publications/current does not point at a folder beside it"),
    (release_is_a_link, "publications/current does not point at a folder beside it"),
    (pointer_is_a_folder, "publications/current does not point at the newest release"),
]


@pytest.mark.parametrize(("weaken", "named"), HANDS_ON_PUBLICATIONS, ids=[w.__name__ for w, _ in HANDS_ON_PUBLICATIONS])
def test_publications_that_are_not_what_was_written_stop_every_release(
    home: Home, weaken: Callable[[Home], None], named: str
) -> None:
    """Prevents altered rows from being carried, with our name on them, into every later release."""
    weaken(home)
    assert named in (release_here(home) or "published")


def test_the_next_release_cannot_be_built_on_an_older_one(home: Home) -> None:
    """Prevents a published period from vanishing, and from being published anew, by turning the pointer back."""
    first = newest(home)
    assert release_here(home) is None
    (home.publications / "current").unlink()
    (home.publications / "current").symlink_to(first.name)
    before = shown(home)
    period = parse_period("2026-10-07")
    with pytest.raises(ReleaseRefused, match="publications/current does not point at the newest release"):
        release(home, Policy.resolve(), candidates(period), metadata(period), page, clock=lambda: AT)
    assert shown(home) == before
    assert "publications/current does not point at the newest release" in (release_here(home) or "published")


def test_what_lies_about_in_publications_is_removed_and_never_followed(home: Home) -> None:
    """Prevents a link under the name of an unfinished release from having private files deleted, or published."""
    kept = sorted(home.landing.rglob("*.parquet"))
    (home.publications / ".unfinished-r0002-20261121T120000Z").symlink_to(home.landing)
    (home.publications / ".unfinished-current").symlink_to(home.private)
    assert release_here(home) is None
    assert sorted(home.landing.rglob("*.parquet")) == kept
    assert not [p for p in home.publications.iterdir() if p.name.startswith(".")]
    assert not [p for p in newest(home).rglob("*") if p.is_symlink()]


def publish_alone(home: Home, correct: bool = False) -> str | None:
    """The publishing asset by itself, as the UI would materialize it; the cause where it is refused."""
    before = shown(home)
    definitions = build_definitions(home.root, {"progress": Silent()})
    with instance_of(home) as instance:
        instance.add_dynamic_partitions(PERIODS_NAME, [READY])
        result = definitions.resolve_job_def("publish").execute_in_process(
            instance=instance,
            tags=range_tags(READY, READY),
            raise_on_error=False,
            run_config={"ops": {"publish_periods": {"config": {"correct": correct}}}},
        )
    if result.success:
        return None
    assert shown(home) == before
    return first_cause(result)


def marks_gone(home: Home) -> None:
    (home.private / "marks" / f"period={READY}").unlink()


def counted_under_a_looser_bound(home: Home) -> None:
    home.settings_file.write_text("[policy]\nmax_conversations_per_user = 1\n")


def named_under_looser_thresholds(home: Home) -> None:
    home.settings_file.write_text('[policy]\nprofile = "strict"\n')


def warehouse_gone(home: Home) -> None:
    home.warehouse.unlink()


@pytest.mark.parametrize(
    "weaken", [marks_gone, counted_under_a_looser_bound, named_under_looser_thresholds, warehouse_gone]
)
def test_the_publishing_asset_alone_publishes_nothing_that_was_not_counted_under_this_policy(
    home: Home, weaken: Callable[[Home], None]
) -> None:
    """Prevents counts with more of a user, or topics named from fewer users, from going out under a stricter policy."""
    weaken(home)
    cause = publish_alone(home) or "published"
    assert "not up to date" in cause and READY in cause


def test_a_period_named_under_looser_thresholds_is_named_again_first(home: Home) -> None:
    """The same through the command: it does again what was done under another policy."""
    named_under_looser_thresholds(home)
    home.settings_file.write_text(home.settings_file.read_text() + '[release]\nperiod = "day"\n')
    assert release_here(home) is None
    stated = json.loads((newest(home) / "manifest.json").read_text())["periods"]
    assert [period["policy"]["profile"] for period in stated] == ["default", "strict"]
    assert publish_alone(home) is not None


def test_columns_and_tables_added_to_the_warehouse_by_hand_are_not_published(home: Home) -> None:
    """Prevents a user's key from going out as one more column, or conversations as one more table."""
    secret = "CANARY-8c1f"
    with duckdb.connect(str(home.warehouse)) as connection:
        for (table,) in connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'publish'"
        ).fetchall():
            connection.execute(f"alter table publish.{table} add column user_key varchar default '{secret}'")
        connection.execute(f"create table publish.publish_conversations as select '{secret}' as content")
    assert release_here(home) is None
    assert found([p for p in newest(home).rglob("*") if p.is_file()], [secret, "user_key"]) == []
    assert "publish_conversations" not in json.loads((newest(home) / "manifest.json").read_text())["files"]


def test_a_policy_changed_between_suppression_and_writing_changes_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents rows judged under one policy from being published under the name of another."""
    judged, checked = [], []
    suppress, gate = release_module.suppress, release_module.gate

    def judging(rows: object, rules: object, *others: object) -> object:
        judged.append(rules)
        return suppress(rows, rules, *others)  # type: ignore[arg-type]

    def checking(frames: object, policy: Policy) -> None:
        gate(frames, policy)  # type: ignore[arg-type]
        checked.append(policy)
        home.settings_file.write_text('[policy]\nprofile = "anthropic"\n')
        monkeypatch.setenv("CONFIDE_POLICY__MIN_USERS", "5")

    monkeypatch.setattr(release_module, "suppress", judging)
    monkeypatch.setattr(release_module, "gate", checking)
    assert release_here(home) is None
    (policy,) = checked
    assert judged == [policy.rules] and judged[0] is policy.rules
    manifest = json.loads((newest(home) / "manifest.json").read_text())
    assert manifest["policy"] == manifest["periods"][-1]["policy"] == policy.as_manifest()
    assert policy.profile == "default"


def test_a_gate_without_its_suites_refuses(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Prevents a check that was taken away from counting as one that was passed."""
    import expectations.runner as runner

    for weaken, named in (
        (lambda file: file.unlink(), "there is no suite for this table"),
        (lambda file: file.write_text('{"expectations": []}'), "the suite of funnel expects nothing"),
        (lambda file: file.write_text("{"), "the suite of funnel cannot be read"),
    ):
        suites = tmp_path / secrets.token_hex(4)
        shutil.copytree(runner.SUITES, suites)
        weaken(suites / "funnel.json")
        monkeypatch.setattr(runner.check, "__defaults__", (suites,))
        assert named in (release_here(home) or "published")


def test_two_releases_at_once_are_one(home: Home) -> None:
    """Prevents two releases from each being audited without the other."""
    from dagster_project.storage.publication import release_lock

    with release_lock(home):
        assert "another release of this home is running" in refusal(home)
    assert release_here(home) is None


def test_a_revision_comes_only_after_the_one_before_it_and_beside_what_that_was_counted_from(home: Home) -> None:
    """Prevents a correction that is not held against every revision it can be subtracted from."""
    assert "is not published: nothing can be corrected" in (release_here(home, READY, correct=True) or "published")
    assert "nothing that is counted has changed" in (release_here(home, PUBLISHED, correct=True) or "published")
    assert "published already and frozen" in (release_here(home, PUBLISHED) or "published")
    shutil.rmtree(home.private / "contributions" / PUBLISHED)
    assert "closed to correction" in (release_here(home, PUBLISHED, correct=True) or "published")
    period = parse_period(PUBLISHED)
    (one,) = metadata(period)
    for revision in (2, 1):
        out_of_order = type(one)(**{**one.__dict__, "revision": revision})
        with pytest.raises(ReleaseRefused, match="was not compared with every earlier revision"):
            release(home, Policy.resolve(), candidates(period), [out_of_order], page, clock=lambda: AT)
    assert len(Ledger.read(home.release_ledger).released) == 1
