"""Write everything that is made from the code: `python -m docs.generate`."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generate.definitions import definitions_page
from docs.generate.exposures import exposures_file
from docs.generate.glossary import glossary_page
from docs.generate.queries import queries_page
from docs.generate.star import star_picture
from docs.generate.tables import tables_page

ROOT = Path(__file__).parents[2]
MADE: Mapping[str, Callable[[], str]] = {
    "docs/definitions.md": definitions_page,
    "docs/glossary.md": glossary_page,
    "docs/queries/README.md": queries_page,
    "docs/tables.md": tables_page,
    "docs/images/tables.svg": star_picture,
    "dbt/models/exposures.yml": exposures_file,
}
"""By path in the repository, what makes the file."""


def main() -> None:
    """Write what has changed, and say what."""
    for name, make in MADE.items():
        file, text = ROOT / name, make()
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
