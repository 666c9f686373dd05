"""The report in a real browser: on a phone, on a desk, in the dark, on paper, and read by axe-core."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dagster_project.report.page import render
from tests.support.browser import chromium, opened
from tests.support.published_tables import manifest_of, weekly_tables, window_tables

SIZES = [(360, False), (360, True), (800, False), (1400, False), (1400, True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module", params=["window", "weeks"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tables = window_tables() if request.param == "window" else weekly_tables()
    manifest = manifest_of(tables, second_labeller_from=date(2026, 10, 26))
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(tables, manifest, notice="Synthetic conversations."), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_the_page_fits_its_window_and_nothing_complains(browser: Browser, file: Path, width: int, dark: bool) -> None:
    """A page that scrolls sideways or that the browser half refuses is not read to its end."""
    with opened(browser, file, width=width, dark=dark) as seen:
        assert seen.overflow() <= 0
        seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert seen.overflow() <= 0
        assert seen.complaints == []
        assert seen.requests == [file.as_uri()]


@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_axe_finds_nothing_serious(browser: Browser, file: Path, width: int, dark: bool) -> None:
    """Contrast, names, structure: what a machine can check of being readable by everybody."""
    with opened(browser, file, width=width, dark=dark, for_axe=True) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert [(v["id"], [n["target"] for n in v["nodes"]][:3]) for v in seen.axe()] == []


@pytest.mark.parametrize(("width", "shown", "hidden"), [(360, "narrow", "wide"), (1400, "wide", "narrow")])
def test_each_chart_is_drawn_for_its_screen(browser: Browser, file: Path, width: int, shown: str, hidden: str) -> None:
    """Both drawings at once would double every figure; none would leave a hole."""
    with opened(browser, file, width=width) as seen:
        assert seen.page.locator(f"svg.{shown}:visible").count() == seen.page.locator(f"svg.{shown}").count() > 5
        assert seen.page.locator(f"svg.{hidden}:visible").count() == 0


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_text_in_charts_is_large_enough_and_inside(browser: Browser, file: Path, width: int) -> None:
    """Labels shrunk with the picture, or cut at its edge, are as good as none."""
    measure = """() => [...document.querySelectorAll('svg text')].filter(t => t.checkVisibility()).map(t => {
        const box = t.ownerSVGElement.getBoundingClientRect(), own = t.getBoundingClientRect();
        const scale = box.width / t.ownerSVGElement.viewBox.baseVal.width;
        return {text: t.textContent, px: parseFloat(getComputedStyle(t).fontSize) * scale,
                out: Math.max(box.left - own.left, own.right - box.right)};
    })"""
    with opened(browser, file, width=width) as seen:
        found = seen.page.evaluate(measure)
        assert len(found) > 100
        assert [t for t in found if t["px"] < 10.5] == []
        assert [t for t in found if t["out"] > 8] == []


def test_labels_do_not_lie_on_one_another(browser: Browser, file: Path) -> None:
    """On a phone a name and its number share a line: they must not share the same place."""
    measure = """() => [...document.querySelectorAll('svg')].filter(s => s.checkVisibility()).flatMap(s => {
        const boxes = [...s.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
        return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([b, q]) =>
            Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1 &&
            Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 5).map(([b]) => [a, b]));
    })"""
    for width in (360, 1400):
        with opened(browser, file, width=width) as seen:
            assert seen.page.evaluate(measure) == []


def test_paper_shows_every_number_on_white(browser: Browser, file: Path) -> None:
    """On paper nothing can be unfolded, and a dark theme would print as a black page."""
    with opened(browser, file, width=794, dark=True) as seen:
        seen.page.emulate_media(media="print")
        assert seen.page.evaluate("getComputedStyle(document.body).color") == "rgb(26, 30, 35)"
        main_tables = seen.page.locator(".figure > details > .scroll > table")
        heights = [main_tables.nth(i).bounding_box() for i in range(main_tables.count())]
        assert heights and all(box is not None and box["height"] > 40 for box in heights)
        assert seen.page.locator("svg.wide:visible").count() > 5
        assert seen.page.locator("svg.narrow:visible").count() == 0
        assert seen.overflow() <= 0


def test_the_skip_link_is_first_and_can_be_seen(browser: Browser, file: Path) -> None:
    """Who goes by keyboard must not have to pass everything, nor lose sight of where they are."""
    with opened(browser, file, width=800) as seen:
        seen.page.keyboard.press("Tab")
        focused = seen.page.locator(":focus")
        assert focused.inner_text() == "Skip to the figures"
        box = focused.bounding_box()
        assert box is not None and box["y"] >= 0
        assert focused.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
