"""A sheet of marks at exact pixel positions, written as SVG.

Positions are ours and not a renderer's, so a chart never depends on the fonts of the machine that draws it, equal
numbers give equal bytes, and a page of forty charts costs milliseconds. Not here: what a chart shows (`charts.py`),
its dress for the page (`svg.py`), the same as PNG (`pictures.py`).
"""

import math
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from dagster_project.report.svg import PALETTE

Point = tuple[float, float]
DEPTH = ("under", "band", "box", "rule", "line", "dot", "text")
"""Kinds of marks, the lowest first: axes lie below what they measure, words above all."""
ANCHORS = {"left": "start", "center": "middle", "right": "end"}


class Sheet:
    """Marks in px, origin at the top left. Later marks lie on earlier ones of the same kind."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self._marks: list[tuple[int, ElementTree.Element]] = []

    def _add(self, kind: str, tag: str, attributes: dict[str, str], text: str | None = None) -> None:
        element = ElementTree.Element(tag, attributes)
        element.text = text
        self._marks.append((DEPTH.index(kind), element))

    def box(self, x: float, y: float, width: float, height: float, colour: str, radius: float = 0) -> None:
        """A filled rectangle with its top left corner at (x, y)."""
        place = {"x": _px(x), "y": _px(y), "width": _px(max(width, 0.5)), "height": _px(height)}
        self._add("box", "rect", place | ({"rx": _px(radius)} if radius else {}) | {"fill": PALETTE[colour]})

    def rule(
        self, start: Point, end: Point, colour: str, width: float = 1, dash: tuple[int, int] | None = None
    ) -> None:
        """A straight line."""
        place = {"x1": _px(start[0]), "y1": _px(start[1]), "x2": _px(end[0]), "y2": _px(end[1])}
        style = {"stroke": PALETTE[colour], "stroke-width": _px(width)}
        style |= {"stroke-dasharray": f"{dash[0]},{dash[1]}"} if dash else {"stroke-linecap": "round"}
        self._add("under" if colour in {"grid", "zero"} else "rule", "line", place | style)

    def line(self, points: Iterable[Point], colour: str, width: float = 2) -> None:
        """A line through points from left to right."""
        style = {"stroke-width": _px(width), "stroke-linejoin": "round", "stroke-linecap": "round"}
        self._add("line", "path", {"d": _path(list(points)), "stroke": PALETTE[colour], **style})

    def band(self, points: Iterable[tuple[float, float, float]], colour: str) -> None:
        """A filled band through (x, upper y, lower y)."""
        found = list(points)
        around = [(x, upper) for x, upper, _ in found] + [(x, lower) for x, _, lower in reversed(found)]
        self._add("band", "path", {"d": f"{_path(around)}Z", "fill": PALETTE[colour]})

    def dot(self, x: float, y: float, colour: str, size: float = 70, ring: bool = False) -> None:
        """A filled dot, or a ring filled with the page's paper. size: of the square around it, in px²."""
        place = {"cx": _px(x), "cy": _px(y), "r": _px(math.sqrt(size) / 2)}
        style = {"fill": PALETTE[colour], "stroke": PALETTE["paper"], "stroke-width": "1.5"}
        if ring:
            style = {"fill": PALETTE["paper"], "stroke": PALETTE[colour], "stroke-width": "2"}
        self._add("dot", "circle", place | style)

    def text(
        self, x: float, y: float, text: str, *, size: float = 13, colour: str = "ink", align: str = "left",
        weight: int = 400, italic: bool = False,
    ) -> None:  # fmt: skip
        """Text on the baseline y."""
        style = {"font-size": _px(size), "fill": PALETTE[colour]}
        style |= {"text-anchor": ANCHORS[align]} if align != "left" else {}
        style |= {"font-weight": str(weight)} if weight != 400 else {}
        style |= {"font-style": "italic"} if italic else {}
        self._add("text", "text", {"x": _px(x), "y": _px(y), **style}, text)

    def svg(self) -> str:
        """Draw it. The SVG still wears stand-in colours: see `svg.dress`."""
        root = ElementTree.Element("svg", {"width": _px(self.width), "height": _px(self.height)})
        root.extend(element for _, element in sorted(self._marks, key=lambda mark: mark[0]))
        return ElementTree.tostring(root, encoding="unicode")


def _px(number: float) -> str:
    """To a hundredth of a pixel, and never a negative zero."""
    return f"{round(number, 2) + 0:g}"


def _path(points: Sequence[Point]) -> str:
    return "".join(f"{'L' if i else 'M'}{_px(x)},{_px(y)}" for i, (x, y) in enumerate(points))
