"""The page's colours can be told apart by colour-blind readers, and nothing is told by colour alone."""

import re
from pathlib import Path

import pytest

from dagster_project.report import charts, page
from dagster_project.report.charts import Estimate, Shift
from dagster_project.report.svg import PALETTE

STYLE = (Path(page.__file__).parent / "style.css").read_text(encoding="utf-8")
Matrix = tuple[tuple[float, float, float], ...]

# Machado, Oliveira and Fernandes (2009), A physiologically-based model for simulation of color vision deficiency,
# IEEE TVCG 15(6), table 1 at severity 1.0; applied to linear RGB.
SEEN: dict[str, Matrix] = {
    "all three cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
APART = [
    ("accent", "ink", 20),  # one type, and all types together
    ("accent", "soft", 20),  # an interval on its bar, a line on its band
    ("accent", "muted", 15),  # a line, and the dashes where a series breaks
    ("accent", "paper", 40),
    ("softink", "track", 20),  # a funnel's bar and what it is a part of
    ("soft", "track", 9),  # a topic, and what is far from all topics
    ("soft", "paper", 9),
    ("ink", "soft", 40),  # words in a circle
    ("muted", "paper", 40),
    ("zero", "grid", 15),
]
"""Pairs that mean different things, and how far apart they are to be. About 2 can just be told apart side by side."""


def seen(code: str, matrix: Matrix) -> tuple[float, float, float]:
    """A colour in CIELAB (D65) as somebody sees it."""
    channels = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    r, g, b = (min(1.0, max(0.0, sum(w * c for w, c in zip(row, linear, strict=True)))) for row in matrix)
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: str, other: str, matrix: Matrix) -> float:
    """CIE 1976."""
    return sum((a - b) ** 2 for a, b in zip(seen(one, matrix), seen(other, matrix), strict=True)) ** 0.5


def test_the_simulation_sees_what_is_known() -> None:
    """A wrong matrix would pass every palette: red and green of one lightness are known to fall together."""
    red, green = "#d03030", "#6f7a1f"
    assert distance(red, green, SEEN["all three cones"]) > 60
    assert distance(red, green, SEEN["deuteranopia"]) < 30
    assert (
        distance("#2060d0", "#208060", SEEN["tritanopia"]) < distance("#2060d0", "#208060", SEEN["all three cones"]) / 2
    )
    for matrix in SEEN.values():
        assert distance("#ffffff", "#808080", matrix) == pytest.approx(46.4, abs=1), "greys stay what they are"


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("eye", SEEN)
def test_what_means_something_else_looks_otherwise_to_every_eye(theme: int, eye: str) -> None:
    """One man in twelve sees fewer colours: a chart that tells things by hue alone tells him something wrong."""
    for one, other, least in APART:
        codes = [re.findall(rf"--{name}: (#[0-9a-f]{{6}})", STYLE)[theme] for name in (one, other)]
        assert distance(codes[0], codes[1], SEEN[eye]) >= least, (one, other)


def test_nothing_is_told_by_colour_alone() -> None:
    """On a grey print start and end, and all types and one, must still be two things."""
    shift = charts.shifts([Shift("x", 0.1, 0.2)], narrow=False).svg()
    start, end = re.findall(r"<circle [^>]*>", shift)
    assert re.search(r'fill="([^"]+)"', start)[1] == re.search(r'stroke="([^"]+)"', end)[1], "a ring and a dot"  # type: ignore[index]
    strong = charts.shares([Estimate("x", 0.1, 0.05, 0.2, strong=True)], narrow=False).svg()
    assert 'font-weight="600">x<' in strong
    whiskers = re.findall(
        rf'<line [^>]*stroke="{PALETTE["accent"]}"', charts.shares([Estimate("x", 0.1, 0.09, 0.11)], narrow=False).svg()
    )
    assert len(whiskers) == 3, "an interval has ends of its own"
