"""docs/tables.md: every published table and column, from the declaration that the release is written by.

Not here: the picture of them (`star.py`), what the numbers mean together (`docs/analysts.md`).
"""

from collections.abc import Mapping

from dagster_project.domain.columns import COMMON_COLUMNS, SUPPRESSED, Column, Role, Table
from dagster_project.domain.tables import PUBLISHED, TABLES

HEAD = """\
<!-- Written by `python -m docs.generate` from dagster_project/domain/tables.py: change that, not this page. -->
# The published tables

All tables share the period, which with a table's own keys (bold) names a row. Facts join on it, and on `affective_type` where both have one.
The descriptions are the comments of `confide.duckdb` too. A release that was made before a table existed does not have it.

![The published tables around their period and affective type](images/tables.svg)
"""


def tables_page() -> str:
    """The page, whole."""
    parts = [HEAD, "## In every table\n", _columns((*COMMON_COLUMNS, SUPPRESSED), {})]
    for table in PUBLISHED.values():
        parts += [f"## {table.name}\n", _about(table), _columns(table.columns, table.fixed)]
    return "\n".join(parts)


def _about(table: Table) -> str:
    said = [table.description]
    if table.name not in TABLES:
        said.append("Only where `[differential_privacy]` is switched on.")
    elif set(table.keys) <= set(table.fixed):
        said.append("A withheld cell keeps its row.")
    return " ".join(said) + "\n"


def _columns(columns: tuple[Column, ...], fixed: Mapping[str, tuple[str, ...]]) -> str:
    lines = ["| column | type | meaning |", "|---|---|---|"]
    for column in columns:
        name = f"**`{column.name}`**" if column.role is Role.KEY else f"`{column.name}`"
        values = ", ".join(f"`{v}`" for v in fixed.get(column.name, ()))
        meaning = f"{column.description}<br>{values}" if values else column.description
        lines.append(f"| {name} | {column.kind.value} | {meaning} |")
    return "\n".join(lines) + "\n"
