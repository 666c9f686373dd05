"""The datasheet that lies beside each release: whole, true to the manifest, and telling nothing else."""

import re
from pathlib import Path

import pytest

from dagster_project.home import Home
from dagster_project.policy.loader import Policy
from dagster_project.release import release
from dagster_project.storage.published import current
from tests.support.candidates import AT, WEEK, candidates, metadata, page

HEADINGS = [
    "Motivation",
    "Composition",
    "Collection",
    "Preprocessing and labelling",
    "Uses",
    "Distribution",
    "Maintenance",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = Home(tmp_path / "home")
    home.create()
    release(home, Policy.resolve(), candidates(WEEK), metadata(WEEK), page, clock=lambda: AT)
    snapshot = current(home)
    assert snapshot is not None
    return snapshot.path


def test_it_says_what_the_manifest_says(folder: Path) -> None:
    """Prevents a datasheet of other rules, or of another release, from lying beside the tables."""
    from dagster_project.storage.published import Snapshot

    manifest, text = Snapshot(folder).manifest(), (folder / "datasheet.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.M) == HEADINGS
    assert manifest["release_id"] in text and manifest["created_at"] in text
    policy = manifest["policy"]
    assert f"fewer than {policy['min_users']} users or {policy['min_conversations']} conversations" in text
    assert f"| {WEEK.key} | 0 |" in text
    for table, cells in manifest["cells"].items():
        assert f"| {table} | {cells['published']} | {cells['withheld']} |" in text
    assert "| topics |" in text and re.search(r"\| topics \| \d+ \| not told \|", text)
    assert manifest["files"]["datasheet.md"]["sha256"]
    assert "{{" not in text and "\n\n\n" not in text
