"""The report in a real browser: on a phone, on a desk, in the dark, on paper, and read by axe-core."""

import re
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dagster_project.report.page import files
from tests.support.browser import chromium, opened
from tests.support.published_tables import manifest_of, weekly_tables, window_tables

SIZES = [(360, False), (360, True), (800, False), (800, True), (1400, False), (1400, True)]
A4 = (595, 842)  # pt
PRINTED = 994  # CSS px of an A4 page between the margins of the style sheet


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages with their pictures beside them: of one window, and of weeks with a second labeller."""
    found = {}
    for name, tables in (("window", window_tables()), ("weeks", weekly_tables())):
        folder = tmp_path_factory.mktemp(name)
        (folder / "figures").mkdir()
        manifest = manifest_of(tables, second_labeller_from=date(2026, 10, 26))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("dagster_project.report.pictures.squeezed", lambda png: png)
            patch.setattr("vl_convert.svg_to_png", lambda svg, scale: b"")  # a browser opens none of them here
            for file, content in files(tables, manifest, notice="Synthetic conversations.").items():
                if isinstance(content, str):
                    (folder / file).write_text(content, encoding="utf-8")
        found[name] = folder / "report.html"
    return found


@pytest.fixture(params=["window", "weeks"])
def file(request: pytest.FixtureRequest, reports: dict[str, Path]) -> Path:
    return reports[request.param]


@pytest.fixture
def weeks(reports: dict[str, Path]) -> Path:
    """The one with everything that a page may have: where one page is enough."""
    return reports["weeks"]


@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_the_page_fits_its_window_and_nothing_complains(browser: Browser, file: Path, width: int, dark: bool) -> None:
    """A page that scrolls sideways or that the browser half refuses is not read to its end."""
    with opened(browser, file, width=width, dark=dark) as seen:
        assert seen.overflow() <= 0
        seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert seen.overflow() <= 0
        assert seen.complaints == []
        assert seen.requests == [file.as_uri()]


@pytest.mark.parametrize(
    ("width", "dark"), [(360, False), pytest.param(800, True, marks=pytest.mark.long), (1400, False)]
)
def test_axe_finds_nothing_serious(browser: Browser, weeks: Path, width: int, dark: bool) -> None:
    """Contrast, names, structure: what a machine can check of being readable by everybody."""
    with opened(browser, weeks, width=width, dark=dark, for_axe=True) as seen:
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
        for folded in (".figure > .body > details > .scroll > table", ".measured .facts", ".tree ul"):
            every = seen.page.locator(folded)
            heights = [every.nth(i).bounding_box() for i in range(every.count())]
            assert heights and all(box is not None and box["height"] > 15 for box in heights), folded
        assert seen.page.locator(".files:visible, nav:visible").count() == 0, "nobody clicks on paper"
        assert seen.page.locator("svg.wide:visible").count() > 5
        assert seen.page.locator("svg.narrow:visible").count() == 0
        assert seen.overflow() <= 0


def test_the_skip_link_is_first_and_can_be_seen(browser: Browser, weeks: Path) -> None:
    """Who goes by keyboard must not have to pass everything, nor lose sight of where they are."""
    with opened(browser, weeks, width=800) as seen:
        seen.page.keyboard.press("Tab")
        focused = seen.page.locator(":focus")
        assert focused.inner_text() == "Skip to the figures"
        box = focused.bounding_box()
        assert box is not None and box["y"] >= 0
        assert focused.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"


def test_on_a4_nothing_is_cut(browser: Browser, file: Path) -> None:
    """A chart whose axis is on the next page, or a heading alone at a page's foot, cannot be read."""
    whole = """() => [...document.querySelectorAll('.drawn, table, .head, .help')].filter(e => e.checkVisibility())
        .map(e => [e.className || e.caption.textContent, e.getBoundingClientRect().height, getComputedStyle(e).breakInside])"""
    with opened(browser, file, width=673) as seen:  # A4 less its margins
        seen.page.emulate_media(media="print")
        found = seen.page.evaluate(whole)
        assert len(found) > 25
        assert [e for e in found if e[1] > PRINTED and e[0] != "All facets by type"] == []
        assert {inside for _, _, inside in found} == {"avoid"}
        after = (
            "() => [...document.querySelectorAll('.head, h2, h3, caption')].map(e => getComputedStyle(e).breakAfter)"
        )
        assert set(seen.page.evaluate(after)) == {"avoid"}
    with opened(browser, file, width=800) as seen:
        pdf = seen.page.pdf(prefer_css_page_size=True, print_background=True)
        sheets = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
        assert {(round(float(w)), round(float(h))) for w, h in sheets} == {A4}
        assert 10 <= len(sheets) <= 40


def test_what_is_said_comes_in_the_order_of_reading(browser: Browser, weeks: Path) -> None:
    """Who listens must hear of how many a number is before the number, and find the files after the drawing."""
    with opened(browser, weeks, width=1400) as seen:
        said = seen.page.locator("#prevalence").aria_snapshot()
        order = [
            'heading "Affective conversations are',
            "Denominator",
            "Labelled by",
            'heading "Share of all counted conversations"',
            'img "Share of all counted conversations',
            'link "SVG picture: Share of all counted conversations"',
            'link "CSV numbers: Share of all counted conversations"',
            "How this was measured",
            "All numbers of Figure 1",
        ]
        places = [said.find(part) for part in order]
        assert -1 not in places and places == sorted(places), list(zip(order, places, strict=True))
        landmarks = seen.page.locator("body").aria_snapshot()
        for name in ("banner", 'navigation "On this page"', "main", "contentinfo", 'region "Glossary"'):
            assert f"- {name}" in landmarks, name


@pytest.mark.parametrize("width", [360, 1400])
def test_the_keyboard_goes_down_the_page(browser: Browser, weeks: Path, width: int) -> None:
    """A focus that jumps up and down, or that cannot be seen, loses whoever has no mouse."""
    with opened(browser, weeks, width=width) as seen:
        seen.page.evaluate(
            "document.querySelector('#prevalence').scrollIntoView(); document.querySelector('#figures').focus()"
        )
        places = []
        for _ in range(14):
            seen.page.keyboard.press("Tab")
            places.append(
                seen.page.evaluate("""() => { const e = document.activeElement, b = e.getBoundingClientRect();
                return [!!e.closest('.body'), Math.round(b.top + scrollY), getComputedStyle(e).outlineWidth, b.width > 0]; }""")
            )
        heads, bodies = ([p[1] for p in places if p[0] is inside] for inside in (False, True))
        assert [p[0] for p in places] == sorted(p[0] for p in places) and len(heads) > 3 and len(bodies) > 5
        assert heads == sorted(heads) and all(b >= a - 4 for a, b in pairwise(bodies))
        assert all(width == "3px" and seen_at_all for _, _, width, seen_at_all in places)


def test_a_picture_opens_beside_the_page(browser: Browser, weeks: Path) -> None:
    """A link that works only where a server is would be dead in the folder that was sent around."""
    with opened(browser, weeks, width=1400) as seen:
        seen.page.locator("#prevalence .files a").first.click()
        seen.page.wait_for_url("**/figures/prevalence.svg")
        assert "Synthetic conversations." in seen.page.locator("svg").inner_html()
        assert seen.complaints == []
