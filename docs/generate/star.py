"""docs/images/tables.svg: the published tables around what they share, as a static picture.

Lives here: where boxes and lines go. Not here: what the columns mean (`tables.py`). Facts with an affective type stand
below the period, the others above it, so that no line crosses a box.
"""

from xml.sax.saxutils import escape

from dagster_project.domain.columns import COMMON_COLUMNS, Role, Table
from dagster_project.domain.tables import TABLES

BOX, GAP, MARGIN = 232, 18, 24
HEAD, ROW = 30, 19
SHARED = "affective_type"
INK, LINE, PALE, KEY = "#1d2733", "#5b6b7c", "#f3f6f9", "#0b5cad"
STYLE = f"""\
<style>
text {{ font: 13px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: {INK}; }}
.name {{ font-weight: 600; font-size: 14px; }}
.key {{ fill: {KEY}; font-weight: 600; }}
.kind {{ fill: {LINE}; font-size: 11px; }}
.box {{ fill: #fff; stroke: {LINE}; }}
.head {{ fill: {PALE}; stroke: {LINE}; }}
.shared {{ fill: #e3eefb; stroke: {KEY}; }}
.line {{ stroke: {KEY}; stroke-width: 1.5; fill: none; }}
</style>"""


def star_picture() -> str:
    """The SVG, whole."""
    above = [t for t in TABLES.values() if SHARED not in t.keys]
    below = [t for t in TABLES.values() if SHARED in t.keys]
    columns = max(len(above), len(below))
    width = 2 * MARGIN + columns * BOX + (columns - 1) * GAP
    tall_above = max(_height(t) for t in above)
    period_y = MARGIN + tall_above + 34
    below_y = period_y + 48 + 34
    type_y = below_y + max(_height(t) for t in below) + 34
    height = type_y + 40 + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-labelledby="title description">',
        '<title id="title">The published tables</title>',
        f'<desc id="description">{escape(_words(above, below))}</desc>',
        STYLE,
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for i, table in enumerate(above):
        y = MARGIN + tall_above - _height(table)
        parts += [*_box(table, _x(i), y), _line(_x(i), y + _height(table), period_y)]
    keys = ", ".join(c.name for c in COMMON_COLUMNS)
    parts += _bar("period", f"{keys} · its labeller, questions and thresholds: manifest.json", period_y, width, 48)
    for i, table in enumerate(below):
        bottom = below_y + _height(table)
        parts += [_line(_x(i), period_y + 48, below_y), *_box(table, _x(i), below_y), _line(_x(i), bottom, type_y)]
    parts += _bar("affective type", f"{SHARED}; in prevalence it is a category", type_y, width, 40)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _x(i: int) -> int:
    return MARGIN + i * (BOX + GAP)


def _height(table: Table) -> int:
    return HEAD + ROW * len(table.columns) + 8


def _box(table: Table, x: int, y: int) -> list[str]:
    parts = [
        f'<rect class="box" x="{x}" y="{y}" width="{BOX}" height="{_height(table)}" rx="4"/>',
        f'<rect class="head" x="{x}" y="{y}" width="{BOX}" height="{HEAD}" rx="4"/>',
        f'<text class="name" x="{x + 10}" y="{y + 20}">{table.name}</text>',
    ]
    for i, column in enumerate(table.columns):
        base = y + HEAD + ROW * i + 17
        mark, style = ("● ", ' class="key"') if column.role is Role.KEY else ("", "")
        parts.append(f'<text{style} x="{x + 10}" y="{base}">{mark}{column.name}</text>')
        end = x + BOX - 10
        parts.append(f'<text class="kind" x="{end}" y="{base}" text-anchor="end">{column.kind.value.lower()}</text>')
    return parts


def _bar(name: str, says: str, y: int, width: int, height: int) -> list[str]:
    return [
        f'<rect class="shared" x="{MARGIN}" y="{y}" width="{width - 2 * MARGIN}" height="{height}" rx="4"/>',
        f'<text x="{width // 2}" y="{y + height // 2 + 5}" text-anchor="middle">'
        f'<tspan class="key">{name}:</tspan> {escape(says)}</text>',
    ]


def _line(x: int, start: int, end: int) -> str:
    return f'<path class="line" d="M{x + BOX // 2} {start}V{end}"/>'


def _words(above: list[Table], below: list[Table]) -> str:
    """What the picture says, for those who do not see it."""
    by_period, by_type = (", ".join(t.name for t in tables) for tables in (above, below))
    return f"Every table has the period and revision. By period alone: {by_period}. By affective type too: {by_type}."
