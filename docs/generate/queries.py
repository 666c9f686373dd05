"""docs/queries/README.md: the example queries, each under the question that it answers.

Lives here: reading what a query says of itself. Not here: running them (tests do).
"""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "queries"
HEAD = """\
<!-- Written by `python -m docs.generate` from the files beside it: change those, not this page. -->
# Example queries

Each answers one question, runs as it is, and is run against a release in the tests. In the folder of a release:

```
cd publications/current
duckdb -readonly confide.duckdb < FILE.sql
```

From Python, wherever you are:

```python
from pathlib import Path

import duckdb

folder = Path("publications/current").resolve()
release = duckdb.connect(str(folder / "confide.duckdb"), read_only=True)
release.execute("set file_search_path = ?", [str(folder)])  # for those that read manifest.json
release.sql(Path("docs/queries/prevalence_over_periods.sql").read_text()).df()
```

A null is a withheld cell, never a zero. A table that a release does not have yet is an error; one that nothing was measured for is empty.
"""


@dataclass(frozen=True)
class Query:
    """One example query and what its first lines say of it."""

    path: Path
    question: str
    reads: tuple[str, ...]
    columns: tuple[str, ...]
    text: str


def example_queries() -> list[Query]:
    """All of them, by name. Raises AttributeError on one that does not say what it answers, reads and gives."""
    return [_query(path) for path in sorted(FOLDER.glob("*.sql"))]


def _query(path: Path) -> Query:
    text = path.read_text(encoding="utf-8")
    question, reads, columns = (_said(text, name) for name in ("Question", "Reads", "Columns"))
    return Query(path, question, tuple(reads.split(", ")), tuple(columns.split(", ")), text)


def _said(text: str, name: str) -> str:
    found = re.search(rf"^-- {name}: (.+)$", text, re.MULTILINE)
    if found is None:
        raise AttributeError(name)
    return found.group(1)


def queries_page() -> str:
    """The page, whole."""
    queries = example_queries()
    lines = [HEAD, "| question | file |", "|---|---|"]
    lines += [f"| {q.question} | [`{q.path.name}`]({q.path.name}) |" for q in queries]
    for query in queries:
        body = "\n".join(line for line in query.text.splitlines() if not re.match("-- (Question|Reads|Columns):", line))
        lines += ["", f"## {query.path.stem.replace('_', ' ')}", "", query.question, "", "```sql", body.strip(), "```"]
    return "\n".join(lines) + "\n"
