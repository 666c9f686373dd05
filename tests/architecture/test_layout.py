"""A file that is not where a newcomer looks for it, or says nothing of itself, might as well not be there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(p for top in ("dagster_project", "expectations", "training") for p in (ROOT / top).rglob("*.py"))
FIXED = ("dagster_project", "dbt", "expectations", "pyproject.toml", "tests", "workspace.yaml", "README.md", "Makefile")


@pytest.mark.parametrize("name", FIXED)
def test_the_top_level_is_as_promised(name: str) -> None:
    assert (ROOT / name).exists()


def test_dbt_shadows_no_package() -> None:
    assert not list((ROOT / "dbt").rglob("__init__.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_opens_by_saying_what_lives_there(module: Path) -> None:
    charter = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert charter and len(charter) > 20


@pytest.mark.parametrize("module", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_module_is_two(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 450
    assert module.stem not in ("utils", "helpers", "common", "misc")


def test_the_lock_is_hashed_and_names_no_index() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)
    pinned = re.findall(r"^[a-zA-Z0-9_.\[\],-]+==[^ ]+ \\$", text, re.MULTILINE)
    assert len(pinned) > 100
    assert len(re.findall(r"^[a-zA-Z]", text, re.MULTILINE)) == len(pinned)


def test_future_annotations_are_used_in_the_domain_alone() -> None:
    """They break Dagster's asset and resource annotations."""
    using = [m for m in MODULES if "from __future__ import annotations" in m.read_text(encoding="utf-8")]
    assert [m for m in using if "domain" not in m.parts] == []


def test_no_protection_is_an_assert_statement() -> None:
    """Prevents `python -O` from taking a refusal out: what refuses raises."""
    found_in = []
    for folder in ("policy", "domain", "erasing", "assets"):
        found_in += _asserting(ROOT / "dagster_project" / folder)
    for name in ("publication", "published", "release_ledger", "contributions", "tombstones", "files", "pseudonyms"):
        found_in += _asserting(ROOT / "dagster_project" / "storage" / f"{name}.py")
    for name in ("release", "home", "workspace", "settings", "key_rotation", "running", "days"):
        found_in += _asserting(ROOT / "dagster_project" / f"{name}.py")
    assert found_in + _asserting(ROOT / "expectations") == []


def _asserting(path: Path) -> list[str]:
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    assert files and all(f.is_file() for f in files), path
    return [
        f"{file.name}:{node.lineno}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]
