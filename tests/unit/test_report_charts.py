"""Charts wear the page's colours, refuse what they should never hold, and draw only what is published."""

import math
import re
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.report import charts, page
from dagster_project.report.charts import Estimate, Shift, Step, Topic
from dagster_project.report.packing import around, packed
from dagster_project.report.sheet import Sheet
from dagster_project.report.svg import PALETTE, dress
from dagster_project.report.topic_map import Spot, topic_map
from dagster_project.report.trends import Panel, trends

STYLE = (Path(page.__file__).parent / "style.css").read_text(encoding="utf-8")


def dressed(drawn: str) -> str:
    return dress(drawn, chart_id="c-x", title="T", description="D", variant="wide")


def texts(sheet: Sheet) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", dressed(sheet.svg()))


def shapes(sheet: Sheet, colour: str) -> int:
    return len(re.findall(rf'class="[^"]*[fs]-{colour}\b', dressed(sheet.svg())))


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<foreignObject/>",
        '<image href="x"/>',
        '<path fill="red" d="M0,0"/>',
        '<a href="x"><text fill="#010101">x</text></a>',
    ],
)
def test_what_no_chart_draws_is_refused(inside: str) -> None:
    """A new version of the renderer must not bring scripts, pictures or colours that vanish in the dark."""
    with pytest.raises(ValueError):
        dressed(f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{inside}</svg>')


def test_every_colour_of_the_palette_is_in_the_style_sheet() -> None:
    """A class without a rule is drawn black, in the dark on nearly black."""
    for name in PALETTE:
        assert f".f-{name} {{ fill: var(--{name}); }}" in STYLE
        assert f".s-{name} {{ stroke: var(--{name}); }}" in STYLE
        assert STYLE.count(f"--{name}:") == 2, "a colour needs a light and a dark value"


def luminance(code: str) -> float:
    parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize(("name", "least"), [("ink", 7.0), ("muted", 4.5), ("accent", 4.5)])
def test_text_stands_out_from_the_paper(theme: int, name: str, least: float) -> None:
    """WCAG 2.2 contrast in the light and in the dark: charts are read by people with tired eyes too."""
    light, dark = (luminance(re.findall(rf"--{n}: (#[0-9a-f]{{6}})", STYLE)[theme]) for n in (name, "paper"))
    assert (max(light, dark) + 0.05) / (min(light, dark) + 0.05) >= least


@pytest.mark.parametrize("narrow", [False, True])
def test_a_withheld_estimate_has_a_word_and_no_mark(narrow: bool) -> None:
    """A bar of no length says zero, which is a number that nobody published."""
    withheld = Estimate("Coaching", None)
    shown = Estimate("Companionship", 0.1, 0.08, 0.12)
    for draw in (charts.shares, charts.changes):
        one, two = draw([shown], narrow=narrow), draw([shown, withheld], narrow=narrow)
        assert shapes(one, "accent") == shapes(two, "accent") > 0
        assert "withheld" in texts(two)


@pytest.mark.parametrize("narrow", [False, True])
def test_every_other_chart_says_withheld_too(narrow: bool) -> None:
    """The same harm, in the funnel, the grid, the shifts and the trends."""
    sheets = [
        charts.totals([Step("All", 100, 1.0), Step("Some", None, None)], narrow=narrow),
        charts.cells(["a", "b"], [("x", [0.1, None])], narrow=narrow),
        charts.shifts([Shift("x", None, None), Shift("y", 0.1, 0.2)], narrow=narrow),
        trends([Panel("x", [Estimate("", 0.1), Estimate("", None)])], ("a", "b"), narrow=narrow),
    ]
    assert all("withheld" in texts(sheet) for sheet in sheets)


def test_a_trend_is_not_drawn_across_a_withheld_period() -> None:
    """A line through a gap would show a value that was withheld."""
    points = [Estimate("", v) for v in (0.1, 0.1, None, 0.1, 0.1)]
    gap = trends([Panel("x", points)], ("a", "b"), narrow=False)
    whole = trends([Panel("x", [points[0]] * 5)], ("a", "b"), narrow=False)
    assert shapes(gap, "accent") == shapes(whole, "accent") + 1


@pytest.mark.parametrize("value", [1e-6, 0.0009, 0.03, 0.5, 0.999, 1.0])
def test_no_bar_leaves_its_plot(value: float) -> None:
    """A bar over its numbers, or out of the page, cannot be read."""
    svg = dressed(charts.shares([Estimate("x", value, value / 2, min(1.0, value * 1.2))], narrow=False).svg())
    bars = re.findall(r'<rect class="f-soft" x="([\d.]+)"[^>]* width="([\d.]+)"', svg)
    ends = [float(x) + float(width) for x, width in bars] + [float(x) for x in re.findall(r'x2="([\d.]+)"', svg)]
    assert len(ends) > 2 and all(end <= charts.WIDE - charts.NUMBERS for end in ends)


def test_a_very_long_topic_name_is_cut_and_not_run_out_of_the_chart() -> None:
    """Ten long words must not push the page wider than a phone."""
    sheet = charts.topics([Topic("relationship " * 12, 0.2)], 0.2)
    lines = [t for t in texts(sheet) if "relationship" in t]
    assert len(lines) == 2 and max(map(len, lines)) <= 44 and lines[-1].endswith("…")


def test_the_same_chart_is_the_same_bytes() -> None:
    """Releases are compared by digest."""
    rows = [Estimate("x", 0.1, 0.05, 0.2)]
    assert charts.shares(rows, narrow=True).svg() == charts.shares(rows, narrow=True).svg()


@given(st.lists(st.floats(0.5, 60), min_size=1, max_size=14))
@settings(max_examples=40, deadline=None)
def test_no_two_topics_of_a_map_cover_one_another(radii: list[float]) -> None:
    """A topic under another one would be a topic that nobody sees."""
    circles = packed(radii)
    assert [r for _, _, r in circles] == radii
    for a, b in combinations(circles, 2):
        assert math.hypot(a[0] - b[0], a[1] - b[1]) >= a[2] + b[2] - 1e-3
    x, y, r = around(circles)
    assert all(math.hypot(c[0] - x, c[1] - y) + c[2] <= r + 1e-6 for c in circles)


def test_a_map_is_drawn_alike_each_time_and_is_within_its_sheet() -> None:
    spots = [
        Spot("Job search", 0.3, (Spot("Interview, salary", 0.2), Spot("Boss", 0.1))),
        Spot("Sleep", 0.15),
        Spot("Other", 0.02),
    ]
    first, second = (topic_map(spots).svg() for _ in range(2))
    assert first == second and "Interview" in first
    assert topic_map([]).width > 0
