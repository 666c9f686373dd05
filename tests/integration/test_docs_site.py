"""A site that asks others for fonts or scripts tells them who reads it, and is broken where there is no network."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
AT_ONCE = {"stylesheet", "icon", "preload", "preconnect", "modulepreload", "dns-prefetch", "manifest"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does: a page that nothing leads to, or a link that leads nowhere, stops it."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


class Fetches(HTMLParser):
    """Addresses that a browser asks for as soon as it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        relation = set((given.get("rel") or "").split())
        if tag in FETCHED and (tag != "link" or relation & AT_ONCE):
            self.found.append(given.get(FETCHED[tag]) or "")


def _fetched(site: Path) -> Iterator[tuple[Path, str]]:
    for file in site.rglob("*.html"):
        reader = Fetches()
        reader.feed(file.read_text(encoding="utf-8"))
        yield from ((file, address) for address in reader.found if address)


def test_no_page_asks_anybody_else_for_anything(site: Path) -> None:
    fetched = list(_fetched(site))
    assert len(fetched) > 100
    assert [(f.name, a) for f, a in fetched if re.match(r"(\w+:)?//", a)] == []
    styles = "".join(f.read_text(encoding="utf-8") for f in site.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)\"']+", styles) == []


def test_every_file_that_a_page_asks_for_is_in_the_site(site: Path) -> None:
    missing = [
        (f.name, a) for f, a in _fetched(site) if f.name != "404.html" and not (f.parent / a.split("?")[0]).exists()
    ]
    assert missing == []


def test_each_reader_has_a_part_of_the_site_and_decisions_are_listed(site: Path) -> None:
    start = (site / "index.html").read_text(encoding="utf-8")
    for reader in ("Operators", "Analysts", "Researchers", "Privacy officers"):
        assert reader in start
    listed = (site / "decisions" / "index.html").read_text(encoding="utf-8")
    records = [f.stem for f in (ROOT / "docs" / "decisions").glob("0*.md")]
    assert [r for r in records if f'href="{r}.html"' not in listed] == []


def test_queries_and_notebook_are_there_to_be_taken_and_no_program_is(site: Path) -> None:
    assert (site / "notebooks" / "first-look.ipynb").exists() and list((site / "queries").glob("*.sql"))
    assert list(site.rglob("*.py")) == []
