"""The map of a type's topics: a circle a topic, its area the share, topics of one parent together in a ring.

Drawn from what is published alone: sizes and the tree. Places say nothing more, as a topic's place among the vectors is
not published. Not here: where circles fit (`packing.py`), marks (`sheet.py`).
"""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from dagster_project.report import words
from dagster_project.report.charts import NARROW
from dagster_project.report.packing import Circle, around, packed
from dagster_project.report.sheet import Sheet

GAP, RING = 3.0, 7.0
LETTER, LINE = 5.9, 12.5
"""Width of a letter and height of a line, in px, in a wide font at this size."""
SIZE = 10.5


@dataclass(frozen=True)
class Spot:
    """A topic on the map: its name and share; below it, the topics of one parent."""

    name: str
    share: float
    below: tuple["Spot", ...] = ()


def topic_map(spots: Sequence[Spot], width: float = NARROW) -> Sheet:
    """The map of one type, square at most, one width for every screen."""
    groups = [_group(spot) for spot in spots]
    outer = packed([ring for ring, _ in groups])
    whole = around(outer) if outer else (0.0, 0.0, 1.0)
    scale = (width / 2 - 1) / whole[2]
    top = min(c[1] - c[2] for c in outer) if outer else 0.0
    bottom = max(c[1] + c[2] for c in outer) if outer else 0.0
    sheet = Sheet(width, (bottom - top) * scale + 4)

    def put(circle: Circle, colour: str, ring: bool = False) -> Circle:
        x, y = width / 2 + (circle[0] - whole[0]) * scale, (circle[1] - top) * scale + 2
        r = max(circle[2] * scale - GAP / 2, 1.0)
        sheet.dot(x, y, colour, 4 * r * r, ring)  # a renderer's size is that of the square around it
        return x, y, r

    for spot, place in zip(spots, outer, strict=True):  # all rings first: later marks lie on earlier ones
        if spot.below:
            put(place, "grid", ring=True)
    for spot, place, (_, inner) in zip(spots, outer, groups, strict=True):
        for own, (x, y, r) in zip(spot.below or (spot,), inner, strict=True):
            _label(sheet, own, put((place[0] + x, place[1] + y, r), "track" if own.name == words.OTHER else "soft"))
    return sheet


def _group(spot: Spot) -> tuple[float, list[Circle]]:
    """The radius of a topic's ring, and the circles in it around its middle."""
    radii = [math.sqrt(max(one.share, 1e-4)) * 100 for one in spot.below or (spot,)]
    circles = packed(radii)
    if not spot.below:
        return radii[0] + GAP, circles
    x, y, r = around(circles)
    return r + RING, [(c[0] - x, c[1] - y, c[2]) for c in circles]


def _label(sheet: Sheet, spot: Spot, circle: Circle) -> None:
    """The name and share inside a circle, as far as they fit; a small circle has the share alone, or nothing."""
    x, y, r = circle
    letters, lines = int(1.75 * r / LETTER), int(1.3 * r / LINE)
    share = words.share(spot.share)
    if letters < len(share) or lines < 1:
        return
    name = textwrap.wrap(spot.name, letters, max_lines=min(lines - 1, 4), placeholder=" …") if lines > 1 else []
    if any(len(line) > letters for line in name) or letters < 7:
        name = []
    text = [*name, share]
    for i, line in enumerate(text):
        base = y + (i - (len(text) - 1) / 2) * LINE + 3.5
        sheet.text(x, base, line, size=SIZE, align="center", weight=600 if i == len(text) - 1 else 400)
