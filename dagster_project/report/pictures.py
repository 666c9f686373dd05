"""Each chart as files of its own: a picture that can stand alone (SVG, PNG), and the published rows that it draws.

Lives here: what a picture says around its drawing, as away from the page it must still tell its days, its denominator
and that its data are synthetic. Not here: the drawing (`charts.py`, `svg.py`), how rows become CSV and where files are
written (`storage/publication.py`).
"""

import textwrap
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import polars as pl

from dagster_project.report.figures.parts import Cells, Chart
from dagster_project.report.svg import LIGHT

FOLDER = "figures"
ENDINGS = ("svg", "png", "csv")
FONTS = "Liberation Sans, Arial, Helvetica, sans-serif"
"""The first comes with the renderer, so that a picture does not depend on the fonts of the machine that drew it."""
LETTER = 0.58  # mean width of a letter in a wide font, in parts of its size
MARGIN = 24.0
SCALE = 2.0  # sharp on a projector


@dataclass(frozen=True)
class Around:
    """What stands above and below a drawing, each item a paragraph. warning: before all else."""

    above: Sequence[str]
    below: Sequence[str]
    warning: str = ""


@dataclass(frozen=True)
class _Line:
    text: str
    size: float
    colour: str = "muted"
    weight: int = 400


def files(
    charts: Iterable[tuple[Chart, Around]], tables: Mapping[str, pl.DataFrame]
) -> dict[str, str | bytes | pl.DataFrame]:
    """The files of some charts by name, in their order: text, bytes, and rows still to be written as CSV.

    tables: as published; their columns are the columns of the CSV.
    """
    import vl_convert

    found: dict[str, str | bytes | pl.DataFrame] = {}
    for chart, around in charts:
        svg = picture(chart, around)
        found[f"{FOLDER}/{chart.name}.svg"] = svg
        found[f"{FOLDER}/{chart.name}.png"] = squeezed(vl_convert.svg_to_png(svg, scale=SCALE))
        if chart.cells is not None:
            found[f"{FOLDER}/{chart.name}.csv"] = rows_of(chart.cells, tables)
    return found


def squeezed(png: bytes) -> bytes:
    """The same picture in a third of the bytes: the renderer packs for speed, and a release is kept for ever."""
    kept, packed, at = [png[:8]], b"", 8
    while at < len(png):
        size, kind = int.from_bytes(png[at : at + 4]), png[at + 4 : at + 8]
        body, at = png[at + 8 : at + 8 + size], at + 12 + size
        if kind == b"IDAT":
            packed += body
            continue
        if kind == b"IEND":
            kept.append(_chunk(b"IDAT", zlib.compress(zlib.decompress(packed))))
        kept.append(_chunk(kind, body))
    return b"".join(kept)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)


def rows_of(cells: Cells, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The rows that a chart draws, with every column of their table, whatever the columns hold."""
    return pl.DataFrame(list(cells.rows), schema=tables[cells.table].schema)


def picture(chart: Chart, around: Around) -> str:
    """The first drawing of a chart as an SVG with colours of its own and words around it."""
    drawn = ElementTree.fromstring(chart.drawings[0])
    title = drawn.findtext("title") or chart.heading
    width, height = float(drawn.attrib["width"]), float(drawn.attrib["height"])
    heads = [*_wrapped(around.warning, 12, width, "ink", 700), *_wrapped(title, 16, width, "ink", 700)]
    heads += [line for text in around.above for line in _wrapped(text, 12, width)]
    feet = [line for text in around.below for line in _wrapped(text, 11, width)]
    top = MARGIN + sum(_high(line) for line in heads) + 14
    whole = top + height + 16 + sum(_high(line) for line in feet) + MARGIN
    out = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width + 2 * MARGIN:g} {whole:g}",
            "width": f"{width + 2 * MARGIN:g}",
            "height": f"{whole:g}",
            "role": "img",
            "font-family": FONTS,
        },
    )
    for told in ("title", "desc"):
        ElementTree.SubElement(out, told).text = drawn.findtext(told)
    ElementTree.SubElement(out, "rect", {"width": "100%", "height": "100%", "fill": LIGHT["paper"]})
    _write(out, heads, MARGIN)
    inner = ElementTree.SubElement(out, "g", {"transform": f"translate({MARGIN:g},{top:g})"})
    inner.extend(_coloured(child) for child in drawn if child.tag not in {"title", "desc"})
    _write(out, feet, top + height + 16)
    return ElementTree.tostring(out, encoding="unicode") + "\n"


def _coloured(node: ElementTree.Element) -> ElementTree.Element:
    """The same with colours in the place of classes."""
    classes = node.attrib.get("class", "").split()
    found = {name[0]: LIGHT[name[2:]] for name in classes}
    attributes = {key: value for key, value in node.attrib.items() if key != "class"}
    if classes:
        attributes["fill"] = found.get("f", "none")
        if "s" in found:
            attributes["stroke"] = found["s"]
    same = ElementTree.Element(node.tag, attributes)
    same.text = node.text
    same.extend(_coloured(child) for child in node)
    return same


def _wrapped(text: str, size: float, width: float, colour: str = "muted", weight: int = 400) -> list[_Line]:
    return [_Line(line, size, colour, weight) for line in textwrap.wrap(text, int(width / (size * LETTER)))]


def _high(line: _Line) -> float:
    return line.size * 1.4


def _write(out: ElementTree.Element, lines: Sequence[_Line], y: float) -> None:
    for line in lines:
        y += _high(line)
        ElementTree.SubElement(
            out,
            "text",
            {
                "x": f"{MARGIN:g}",
                "y": f"{y - line.size * 0.3:g}",
                "font-size": f"{line.size:g}",
                "font-weight": str(line.weight),
                "fill": LIGHT[line.colour],
            },
        ).text = line.text
