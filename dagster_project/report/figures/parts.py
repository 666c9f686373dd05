"""What a figure is made of: charts, tables, words. No figure in particular lives here."""

from collections.abc import Sequence
from dataclasses import dataclass

from dagster_project.report import words
from dagster_project.report.selection import Row

WILSON = f"95{words.THIN}%, Wilson, clustered by user"
BOOTSTRAP = f"95{words.THIN}%, bootstrap over users, n = 1,000"
"""The two ways in which intervals are made."""


@dataclass(frozen=True)
class Cells:
    """The published rows that a chart draws, and the table that they are of."""

    table: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Chart:
    """A heading and its drawings: SVG strings that are safe to put into the page, the widest first.

    name: of its files, and unique in the page; cells: what it draws. Neither where a chart has no drawing.
    """

    heading: str
    drawings: tuple[str, ...]
    note: str = ""
    name: str = ""
    cells: Cells | None = None


@dataclass(frozen=True)
class TableRow:
    """keys: what the row is about. cells is None where the row is withheld."""

    keys: tuple[str, ...]
    cells: tuple[str, ...] | None


@dataclass(frozen=True)
class Table:
    """A table of published numbers."""

    caption: str
    key_columns: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    folded: bool = False


@dataclass(frozen=True)
class Branch:
    """A line of a tree and the lines below it."""

    name: str
    told: str
    below: tuple["Branch", ...] = ()


@dataclass(frozen=True)
class Tree:
    """A heading that opens on a tree, and a drawing of it."""

    heading: str
    branches: tuple[Branch, ...]
    drawing: Chart


@dataclass(frozen=True)
class Fact:
    """What a reader must know beside a figure's numbers: of how many, by whom, how sure."""

    term: str
    text: str


@dataclass(frozen=True)
class Basis:
    """What a figure's numbers rest on.

    interval: how it was made, in a few words. facets: whose labels are counted. tables: of which the cells are.
    """

    denominator: str
    interval: str
    facets: tuple[str, ...]
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """Everything the page shows of one figure."""

    number: int
    slug: str
    title: str
    lead: str
    charts: tuple[Chart, ...]
    panels: tuple[Chart, ...]
    basis: Basis
    caption: tuple[str, ...]
    tables: tuple[Table, ...]
    trend: Chart | None = None
    trees: tuple[Tree, ...] = ()
    help_line: bool = False

    def drawn(self) -> list[Chart]:
        """Every chart with a drawing, in the order of the page."""
        every = (*self.charts, *self.panels, *([self.trend] if self.trend else []), *(t.drawing for t in self.trees))
        return [chart for chart in every if chart.drawings]


def table(
    caption: str,
    keys: tuple[str, ...],
    columns: tuple[str, ...],
    rows: Sequence[tuple[tuple[str, ...], Row, tuple[str, ...]]],
    folded: bool = False,
) -> Table:
    shown = tuple(TableRow(names, None if row["suppressed"] else _told(cells)) for names, row, cells in rows)
    return Table(caption, keys, columns, shown, folded)


def _told(cells: tuple[str, ...]) -> tuple[str, ...]:
    """A number that a published row does not have is not a withheld one."""
    return tuple("–" if cell == words.WITHHELD else cell for cell in cells)


def counts(row: Row) -> tuple[str, str]:
    return words.count(row["n_conversations"]), words.count(row["n_users"])


CORRECTED = ("Corrected", f"Corrected, {words.INTERVAL}")


def is_corrected(rows: Sequence[Row], column: str) -> bool:
    """Whether any number of a column is corrected: only then do the columns stand beside the raw ones."""
    return any(row.get(column) is not None for row in rows)


def not_corrected(one: str, many: str) -> str:
    """Where people labelled some conversations, and too few to correct by."""
    return f"People labelled too few conversations to correct {one} by: all {many} are as the labeller gives them."
