"""Docs that name a command, file or column which is not there cost every reader's trust."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from dagster_project.cli.main import app
from dagster_project.domain.tables import TABLES

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(p for p in (ROOT / "docs").rglob("*.md")),
]
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]
page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))


@page
def test_every_link_and_picture_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@page
def test_every_command_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?:^|`)confide(?: --home \S+)? ([a-z]+(?:-[a-z]+)*)", text, re.MULTILINE)
    assert [c for c in named if c not in COMMANDS] == []


@page
def test_every_make_target_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert [t for t in named if t not in targets] == []


@page
def test_every_path_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    tops = ("dagster_project", "dbt", "expectations", "tests", "training", "benchmarks", "docs")
    named = re.findall(rf"`((?:{'|'.join(tops)})/[\w./-]+)`", text)
    assert [p for p in named if not (ROOT / p).exists()] == []
    inside = re.findall(
        r"`((?:domain|storage|sources|assets|policy|codebook|classifiers|report|topics)/[\w./-]*)`", text
    )
    assert [p for p in inside if not (ROOT / "dagster_project" / p).exists()] == []


ADVISED_AGAINST = r"committ?(?:ed|ing)?[ -]suicide|(?:un)?successful suicide|failed suicide|suicide epidemic"
TOLD = [*PAGES, ROOT / "CHANGELOG.md", *sorted((ROOT / "dagster_project").rglob("*.j2"))]
TOLD += sorted((ROOT / "dagster_project" / "codebook" / "facets").glob("*.yaml"))


@pytest.mark.parametrize("file", TOLD, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_that_is_read_uses_words_that_guidelines_advise_against(file: Path) -> None:
    """Words of blame or of success about a death hurt those who are left, and endanger those at risk."""
    assert not re.search(ADVISED_AGAINST, file.read_text(encoding="utf-8"), re.IGNORECASE)


@page
def test_every_test_named_exists(page: Path) -> None:
    """A promise that says which test shows it must not outlive the test."""
    for file, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text(encoding="utf-8")):
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file} has no {test}"


def test_the_privacy_page_shows_each_channel_by_a_test() -> None:
    text = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
    rows = text.split("## Channels")[1].split("\n## ")[0].splitlines()[4:]
    channels = [row for row in rows if row.startswith("|")]
    assert len(channels) > 12 and [row for row in channels if "::test_" not in row] == []


def test_the_analysts_page_names_every_published_table() -> None:
    text = (ROOT / "docs" / "analysts.md").read_text(encoding="utf-8")
    assert [t for t in TABLES if f"`{t}`" not in text] == []


def test_every_decision_that_the_policy_cites_is_written() -> None:
    from dagster_project.policy.loader import POLICY_FILE

    cited = set(re.findall(r"decision: ([a-z0-9-]+)", POLICY_FILE.read_text()))
    written = {p.stem.split("-", 1)[1] for p in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}
    assert cited and cited <= written
