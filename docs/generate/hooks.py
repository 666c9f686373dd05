"""What mkdocs does besides: the list of decision records, so that a new one needs no line anywhere."""

from typing import Any

INDEX = "decisions/README.md"


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """The index of decisions, with a link to each of them."""
    if page.file.src_uri != INDEX:
        return markdown
    records = sorted((f for f in files.documentation_pages() if f.src_uri.startswith("decisions/0")), key=_name)
    return "\n".join([markdown, "", *(f"- [{_title(f)}]({_name(f).split('/')[-1]})" for f in records)])


def _name(file: Any) -> str:
    return str(file.src_uri)


def _title(file: Any) -> str:
    return str(file.content_string.splitlines()[0].lstrip("# "))
