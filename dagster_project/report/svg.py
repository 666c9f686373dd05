"""A drawn SVG made fit for the page: colours as CSS classes, unique ids, a title and a description.

A sheet writes colours as attributes; here each becomes a class, so that the page's style sheet decides
(light, dark, print). What is not expected (a colour outside the palette, a style attribute, a script) is
refused rather than shown. Not here: drawing (`sheet.py`, `charts.py`).
"""

import re
from xml.etree import ElementTree

PALETTE = {
    "ink": "#010101",
    "muted": "#020202",
    "grid": "#030303",
    "accent": "#040404",
    "soft": "#050505",
    "softink": "#060606",
    "paper": "#070707",
    "track": "#080808",
    "zero": "#090909",
}
"""Names of the page's colours and the stand-ins that mark them while drawing."""

LIGHT = {
    "ink": "#1a1e23",
    "muted": "#59616b",
    "grid": "#e4e5e1",
    "accent": "#0065a8",
    "soft": "#d3e4f1",
    "softink": "#7fb2d6",
    "paper": "#fdfdfb",
    "track": "#eeefeb",
    "zero": "#9aa0a6",
}
"""The same colours as the style sheet has them in the light: a picture in a file has no style sheet."""

_NAMES = {code: name for name, code in PALETTE.items()}
_PLACE = {"d", "transform", "rx", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "r", "cx", "cy", "points"}
_LETTERS = {"text-anchor", "font-size", "font-weight", "font-style"}
_LINES = {"stroke-width", "stroke-linecap", "stroke-linejoin", "stroke-dasharray", "stroke-miterlimit"}
_KEEP = frozenset({"opacity"} | _PLACE | _LETTERS | _LINES)
_DRAWN = frozenset({"path", "line", "text", "rect", "circle", "tspan"})


def dress(drawn: str, *, chart_id: str, title: str, description: str, variant: str) -> str:
    """Rewrite one SVG for inlining.

    chart_id must be unique in the page. variant is a CSS class (`wide`, `narrow` or `both`). Raises
    ValueError on an element or colour that no chart of ours draws.
    """
    root = ElementTree.fromstring(drawn)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    body = _rewritten(root)
    out = ElementTree.Element(
        "svg",
        {
            "class": f"chart {variant}",
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width:g}",
            "height": f"{height:g}",
            "role": "img",
            "aria-labelledby": f"{chart_id}-t {chart_id}-d",
        },
    )
    ElementTree.SubElement(out, "title", {"id": f"{chart_id}-t"}).text = title
    ElementTree.SubElement(out, "desc", {"id": f"{chart_id}-d"}).text = description
    out.extend(body)
    return ElementTree.tostring(out, encoding="unicode")


def _rewritten(node: ElementTree.Element) -> list[ElementTree.Element]:
    kept: list[ElementTree.Element] = []
    for child in node:
        tag = child.tag.rsplit("}", 1)[-1]
        if tag == "g":
            inner = _rewritten(child)
            move = child.attrib.get("transform", "")
            if inner and move and not re.fullmatch(r"translate\(0,\s*0\)", move):
                group = ElementTree.Element("g", {"transform": move})
                group.extend(inner)
                inner = [group]
            kept.extend(inner)
        elif tag in _DRAWN:
            element = _element(tag, child)
            if element is not None:
                kept.append(element)
        elif tag != "defs" or len(child):
            raise ValueError(f"a chart may not hold <{tag}>")
    return kept


def _element(tag: str, node: ElementTree.Element) -> ElementTree.Element | None:
    if node.attrib.get("class") in {"background", "foreground"} or node.attrib.get("display") == "none":
        return None
    classes = []
    for attribute, prefix in (("fill", "f"), ("stroke", "s")):
        colour = node.attrib.get(attribute, "none")
        if colour not in {"none", "transparent"}:
            if colour not in _NAMES:
                raise ValueError(f"colour {colour} is not one of the page's")
            classes.append(f"{prefix}-{_NAMES[colour]}")
    if not classes and tag != "tspan":
        return None
    attributes = {"class": " ".join(classes)} if classes else {}
    attributes |= {k: v for k, v in node.attrib.items() if k in _KEEP and not (k == "opacity" and float(v) == 1)}
    element = ElementTree.Element(tag, attributes)
    element.text = node.text
    element.extend(_rewritten(node))
    return element
