"""docs/glossary.md: the words and what they mean.

Not here: the words (`dagster_project/report/glossary.yaml`), the report's own glossary (`dagster_project/report/`).
"""

from pathlib import Path

from dagster_project.report.glossary import glossary

HEAD = """\
<!-- Written by `python -m docs.generate` from dagster_project/report/glossary.yaml: change that, not this page. -->
# Glossary
"""


def _link(page: str | None) -> str:
    """A link to a page of the docs, named by it."""
    return f" [{Path(page.partition('#')[0]).stem.capitalize()}]({page})" if page else ""


def glossary_page() -> str:
    """The page, whole."""
    return "\n".join([HEAD, *(f"**{entry.term}**: {entry.text}{_link(entry.page)}\n" for entry in glossary())])
