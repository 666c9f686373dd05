"""dbt/models/exposures.yml: who reads the warehouse, so that dbt's lineage ends where the figures do.

Not here: the models (`dbt/models`), what of them is published (`dagster_project/domain/tables.py`).
"""

from dagster_project.domain.tables import TABLES

HEAD = """\
# Written by `python -m docs.generate` from dagster_project/domain/tables.py: change that, not this file.
version: 2

exposures:
"""
REPORT = (
    "The report of a release: one static page of figures with their tables, denominators and limits. It shows what the "
    "release rules let through, never these exact rows."
)


def exposures_file() -> str:
    """The file, whole: the report, which reads every table, and each published table by itself."""
    parts = [_exposure("report", "dashboard", "Report of a release", REPORT, tuple(TABLES))]
    for table in TABLES.values():
        about = f"{table.description} Suppressed, rounded and audited on the way out of the publish layer."
        parts.append(
            _exposure(f"table_{table.name}", "analysis", f"Published table {table.name}", about, (table.name,))
        )
    return HEAD + "\n".join(parts)


def _exposure(name: str, kind: str, label: str, description: str, tables: tuple[str, ...]) -> str:
    lines = [
        f"  - name: {name}",
        f"    type: {kind}",
        "    maturity: high",
        f"    label: {label}",
        "    description: >-",
        f"      {description}",
        "    owner:",
        "      name: confide",
        "    depends_on:",
        *(f"      - ref('publish_{table}')" for table in tables),
    ]
    return "\n".join(lines) + "\n"
