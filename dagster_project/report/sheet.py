"""A sheet of marks at exact pixel positions, drawn by Altair and vl-convert without a browser.

Positions are ours and not the renderer's, so a chart never depends on the fonts of the machine that
draws it, and equal numbers give equal bytes. Not here: what a chart shows (`charts.py`), its dress for
the page (`svg.py`).
"""

from collections.abc import Iterable
from typing import Any

from dagster_project.report.svg import PALETTE

Point = tuple[float, float]


class Sheet:
    """Marks in px, origin at the top left. Later marks lie on earlier ones within the same kind."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self._marks: dict[tuple[str, tuple[tuple[str, Any], ...]], list[dict[str, Any]]] = {}
        self._lines = 0

    def _add(self, kind: str, row: dict[str, Any], **style: Any) -> None:
        self._marks.setdefault((kind, tuple(sorted(style.items()))), []).append(row)

    def box(self, x: float, y: float, width: float, height: float, colour: str, radius: float = 0) -> None:
        """A filled rectangle with its top left corner at (x, y)."""
        row = {"x": x, "x2": x + max(width, 0.5), "y": y, "y2": y + height}
        self._add("box", row, color=PALETTE[colour], cornerRadius=radius)

    def rule(
        self, start: Point, end: Point, colour: str, width: float = 1, dash: tuple[int, int] | None = None
    ) -> None:
        """A straight line."""
        style = {"strokeDash": dash} if dash else {}
        row = {"x": start[0], "y": start[1], "x2": end[0], "y2": end[1]}
        kind = "under" if colour in {"grid", "zero"} else "rule"  # axes lie below what they measure
        self._add(kind, row, color=PALETTE[colour], strokeWidth=width, strokeCap="butt" if dash else "round", **style)

    def line(self, points: Iterable[Point], colour: str, width: float = 2) -> None:
        """A line through points from left to right."""
        self._lines += 1
        for x, y in points:
            row = {"x": x, "y": y, "group": self._lines}
            self._add("line", row, color=PALETTE[colour], strokeWidth=width, strokeJoin="round", strokeCap="round")

    def band(self, points: Iterable[tuple[float, float, float]], colour: str) -> None:
        """A filled band through (x, upper y, lower y)."""
        self._lines += 1
        for x, upper, lower in points:
            self._add("band", {"x": x, "y": upper, "y2": lower, "group": self._lines}, color=PALETTE[colour])

    def dot(self, x: float, y: float, colour: str, size: float = 70, ring: bool = False) -> None:
        """A filled dot, or a ring filled with the page's paper. size: area in px²."""
        style = {"fill": PALETTE["paper"], "stroke": PALETTE[colour], "strokeWidth": 2}
        if not ring:
            style = {"fill": PALETTE[colour], "stroke": PALETTE["paper"], "strokeWidth": 1.5}
        self._add("dot", {"x": x, "y": y}, size=size, **style)

    def text(
        self, x: float, y: float, text: str, *, size: float = 13, colour: str = "ink", align: str = "left",
        weight: int = 400, italic: bool = False,
    ) -> None:  # fmt: skip
        """Text on the baseline y."""
        self._add(
            "text", {"x": x, "y": y, "text": text}, fontSize=size, color=PALETTE[colour], align=align,
            fontWeight=weight, fontStyle="italic" if italic else "normal",
        )  # fmt: skip

    def svg(self) -> str:
        """Draw it. The SVG still wears stand-in colours: see `svg.dress`."""
        import altair as alt
        import vl_convert

        def at(channel: Any, field: str) -> Any:
            return channel(f"{field}:Q", scale=None, axis=None)

        x, y = at(alt.X, "x"), at(alt.Y, "y")
        x2, y2, group, words = alt.X2("x2:Q"), alt.Y2("y2:Q"), alt.Detail("group:N"), alt.Text("text:N")
        marks: list[Any] = []
        data: dict[str, list[dict[str, Any]]] = {}
        for kind, style, rows in self._ordered():
            name = f"marks-{len(marks)}"
            data[name] = rows
            chart = alt.Chart({"name": name})
            if kind == "box":
                marks.append(chart.mark_rect(**style).encode(x=x, y=y, x2=x2, y2=y2))
            elif kind in {"rule", "under"}:
                marks.append(chart.mark_rule(**style).encode(x=x, y=y, x2=x2, y2=y2))
            elif kind == "line":
                marks.append(chart.mark_line(**style).encode(x=x, y=y, detail=group))
            elif kind == "band":
                marks.append(chart.mark_area(**style).encode(x=x, y=y, y2=y2, detail=group))
            elif kind == "dot":
                marks.append(chart.mark_point(shape="circle", opacity=1, **style).encode(x=x, y=y))
            else:
                marks.append(chart.mark_text(baseline="alphabetic", **style).encode(x=x, y=y, text=words))
        layers = [mark.to_dict(validate=False) for mark in marks]
        # Layered here and given its rows here: Altair copies whatever passes through `alt.layer`, many times over.
        spec = {
            "$schema": layers[0]["$schema"],
            "width": self.width,
            "height": self.height,
            "padding": 0,
            "autosize": "none",
            "background": "transparent",
            "config": {"aria": False, "view": {"stroke": None}},
            "datasets": data,
            "layer": [{key: layer[key] for key in ("data", "mark", "encoding")} for layer in layers],
        }
        return str(vl_convert.vegalite_to_svg(spec))

    def _ordered(self) -> list[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
        depth = ("under", "band", "box", "rule", "line", "dot", "text")
        found = sorted(self._marks.items(), key=lambda item: depth.index(item[0][0]))
        return [
            (kind, {k: list(v) if isinstance(v, tuple) else v for k, v in style}, rows) for (kind, style), rows in found
        ]
