"""Examples that fail on a real release cost analysts their first hour: each query and the notebook are run on one."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.domain.tables import PUBLISHED
from docs.generate.queries import Query, example_queries
from tests.support.ready_home import ready_home

pytestmark = pytest.mark.long

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOK = DOCS / "notebooks" / "first-look.ipynb"
PERIOD = "period_kind varchar, period_start date, period_end date, revision bigint, suppressed boolean"
AWAITED = {
    "drift": "start_type varchar, end_type varchar, n_conversations bigint, n_users bigint, share double",
    "long_conversations": "affective_type varchar, n_conversations bigint, n_users bigint, share double",
    "usage_bands": "band varchar, n_users bigint, share_of_users double",
    "facets": "facet varchar, value varchar, affective_type varchar, n_conversations bigint, n_users bigint, "
    "share double, share_low double, share_high double",
    "agreement": "facet varchar, labeller varchar, n_labelled bigint, accuracy double, precision double, "
    "recall double, f1 double, kappa double, kappa_low double, kappa_high double",
}
"""Tables of the contract with their columns. One that a release has is read from there; the others stand empty beside
it, so that no query is ever left out."""
FILES = {"manifest.json", "confide.duckdb"}
FILLED = {"prevalence_over_periods", "funnel", "data_dictionary", "withheld_cells", "pushback_by_position"}
"""Queries that have something to say of any release."""


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return (ready_home(tmp_path_factory).home / "publications" / "current").resolve()


@pytest.fixture(scope="module")
def connection(release: Path) -> Iterator[object]:
    """The published database, as an analyst opens it, behind a fresh one that has the tables still awaited."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(f"attach '{release / 'confide.duckdb'}' as confide (read_only)")
        for name, columns in AWAITED.items():
            if name not in PUBLISHED:
                connection.execute(f"create table memory.main.{name} ({PERIOD}, {columns})")
        connection.execute("set search_path = 'confide.main,memory.main'")
        connection.execute("set file_search_path = ?", [str(release)])
        yield connection


@pytest.mark.parametrize("query", example_queries(), ids=lambda q: q.path.stem)
def test_every_example_query_runs_and_gives_the_columns_it_promises(query: Query, connection: object) -> None:
    assert set(query.reads) <= {*PUBLISHED, *AWAITED, *FILES}
    answer = connection.sql(query.text)  # type: ignore[attr-defined]
    assert tuple(answer.columns) == query.columns
    rows = answer.fetchall()
    assert rows or query.path.stem not in FILLED


def test_no_query_takes_a_withheld_cell_for_a_zero(connection: object) -> None:
    """The share of a withheld cell is nowhere among the answers, as nothing and as 0."""
    shares = connection.sql((DOCS / "queries" / "prevalence_over_periods.sql").read_text()).fetchall()  # type: ignore[attr-defined]
    assert shares and all(row[3] is not None for row in shares)
    (withheld,) = connection.sql("select count(*) from pushback where suppressed").fetchone()  # type: ignore[attr-defined]
    told = connection.sql("select sum(withheld) from (" + _body("withheld_cells") + ") where table_name = 'pushback'")  # type: ignore[attr-defined]
    assert withheld > 0 and told.fetchone() == (withheld,)


def _body(name: str) -> str:
    (query,) = [q for q in example_queries() if q.path.stem == name]
    return query.text.rsplit("order by", 1)[0]


def test_every_column_of_the_published_database_has_a_comment(connection: object) -> None:
    bare = connection.sql("""
        select table_name, column_name from duckdb_columns()
        where database_name = 'confide' and schema_name = 'main' and coalesce(comment, '') = ''
        union all
        select table_name, '' from duckdb_tables() where database_name = 'confide' and coalesce(comment, '') = ''
    """).fetchall()  # type: ignore[attr-defined]
    assert bare == []


def test_any_duckdb_since_1_0_reads_a_release(connection: object) -> None:
    """The recipes say so: drivers of BI tools are behind."""
    answer = connection.sql("select tags from duckdb_databases() where database_name = 'confide'").fetchone()  # type: ignore[attr-defined]
    assert answer[0]["storage_version"].startswith("v1.0.0")


def test_the_notebook_runs_from_its_first_cell_to_its_last(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbformat
    from nbclient import NotebookClient

    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert [c for c in notebook.cells if c.get("outputs")] == [], "outputs of one release are no part of the notebook"
    (given,) = [i for i, c in enumerate(notebook.cells) if "parameters" in c.metadata.get("tags", [])]
    notebook.cells[given].source = f"RELEASE = {json.dumps(str(release))}"
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [o for c in notebook.cells for o in c.get("outputs", [])]
    assert sum("image/svg+xml" in o.get("data", {}) for o in outputs) >= 5
    # Whoever opens it tells nobody: no chart is drawn by a script from elsewhere.
    assert not re.search(r"https?://(?!www\.w3\.org)", json.dumps([o.get("data", {}) for o in outputs]))


@pytest.mark.parametrize("name", ["analysts.md", "recipes.md", "methods.md", "queries/README.md"])
def test_every_piece_of_python_that_is_shown_runs(
    name: str, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers paste what they see: in a home, in a release or in the repository, as the page says."""
    for link, target in {
        "publications": release.parent, "docs": DOCS, "confide.duckdb": release / "confide.duckdb", "tables": release / "tables",
    }.items():  # fmt: skip
        (tmp_path / link).symlink_to(target)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, name, "exec"), {})


def test_the_sql_of_the_recipes_runs(connection: object) -> None:
    blocks = re.findall(
        r"^```sql\n(.*?)^```", (DOCS / "recipes.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    statements = [s for block in blocks for s in block.split(";") if s.strip()]
    assert len(statements) > 2
    for statement in statements:
        assert connection.sql(statement).fetchall()  # type: ignore[attr-defined]
