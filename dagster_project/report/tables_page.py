"""`tables.html` of a release: every table in it, its columns, and the models that it was counted by. No script.

Read from the declaration of the tables and the models of the package: it holds no name of a home, of a facet of
somebody's own or of a person. Not here: the same as docs (`docs/generate/tables.py`), what the release says in numbers
(`page.py`).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project.domain.columns import COMMON_COLUMNS, SUPPRESSED, Role
from dagster_project.domain.tables import PUBLISHED
from dagster_project.report.html import environment, styled

MODELS = Path(__file__).parents[1] / "dbt" / "models"
_READS = re.compile(r"\{\{\s*(?:ref\(\s*|source\(\s*['\"]\w+['\"]\s*,\s*)['\"](\w+)['\"]")


def reads_of_models() -> dict[str, list[str]]:
    """By model, the models and tables of the lake that its SQL reads, in its order."""
    return {
        path.stem: list(dict.fromkeys(_READS.findall(path.read_text(encoding="utf-8"))))
        for path in sorted(MODELS.rglob("*.sql"))
    }


def lineage(table: str, reads: Mapping[str, list[str]]) -> list[tuple[str, list[str]]]:
    """The models behind a published table and what each reads, nearest first; none where no model makes it."""
    found: dict[str, list[str]] = {}
    waiting = [f"publish_{table}"]
    while waiting:
        model = waiting.pop(0)
        if model in reads and model not in found:
            found[model] = reads[model]
            waiting += reads[model]
    return list(found.items())


def tables_page(tables: Mapping[str, pl.DataFrame], manifest: Mapping[str, Any]) -> str:
    """The page as HTML.

    tables: the published tables by name, as written. manifest: what `manifest.json` says. Equal input gives equal text.
    """
    reads = reads_of_models()
    return (
        environment()
        .get_template("tables.html.j2")
        .render(
            **styled("tables.css"),
            release_id=manifest["release_id"],
            code_version=manifest["code_version"],
            common=(*COMMON_COLUMNS, SUPPRESSED),
            tables=[(PUBLISHED[name], lineage(name, reads)) for name in tables if name in PUBLISHED],
            key=Role.KEY,
        )
    )
