"""How a release's HTML pages are made: strict templates, and a style named by its digest for the content policy.

Not here: what the pages say (`page.py`, `tables_page.py`), Markdown, which is not escaped (`datasheet.py`).
"""

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2

HERE = Path(__file__).parent


def environment() -> "jinja2.Environment":
    """A jinja2 environment for HTML: escapes everything, and an undefined name is an error."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def styled(name: str) -> dict[str, str]:
    """What a template needs of a style sheet: its text, and the SHA-256 that the content policy allows."""
    style = (HERE / name).read_text(encoding="utf-8")
    return {"style": style, "style_digest": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}
