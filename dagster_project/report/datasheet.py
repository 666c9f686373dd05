"""The datasheet of a release: what the tables are, how they were made, what they are not for. One Markdown file.

Everything in it is read from the manifest and from published rows, so that it tells nothing that they do not. Not here:
its words (`templates/datasheet.md.j2`), the report (`page.py`), where it is written (`storage/publication.py`).

Source: Gebru et al. (2021), Datasheets for Datasets, Communications of the ACM 64(12), whose seven headings it has.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project.report.selection import FIXED_TABLES

TEMPLATES = Path(__file__).with_name("templates")


def datasheet(tables: Mapping[str, pl.DataFrame], manifest: Mapping[str, Any]) -> str:
    """The datasheet of a release as Markdown.

    tables: the published tables by name, as written. manifest: what `manifest.json` says. Equal input gives equal text.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=False,  # Markdown; every value is the policy's, the codebook's or a number
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    newest = manifest["periods"][-1]
    return environment.get_template("datasheet.md.j2").render(
        **{key: manifest[key] for key in ("release_id", "created_at", "code_version", "periods")},
        tables=[_cells(name, frame) for name, frame in tables.items()],
        policy=newest["policy"],
        not_measured=newest["not_measured"],
    )


def _cells(name: str, frame: pl.DataFrame) -> dict[str, object]:
    """Of topics it is not told how many are withheld."""
    withheld = int(frame["suppressed"].sum())
    told = withheld if name in FIXED_TABLES else "not told"
    return {"name": name, "published": frame.height - withheld, "withheld": told}
