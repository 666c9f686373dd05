"""docs/glossary.md: the words and what they mean.

Not here: the words (`dagster_project/report/glossary.yaml`), the report's own glossary (`dagster_project/report/`).
"""

from dagster_project.report.glossary import glossary

HEAD = """\
<!-- Written by `python -m docs.generate` from dagster_project/report/glossary.yaml: change that, not this page. -->
# Glossary
"""


def glossary_page() -> str:
    """The page, whole."""
    lines = [
        f"**{entry.term}**: {entry.text}{f' [Definitions]({entry.page})' if entry.page else ''}\n"
        for entry in glossary()
    ]
    return "\n".join([HEAD, *lines])
