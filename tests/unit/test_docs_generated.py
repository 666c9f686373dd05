"""What is made from the code and not made anew tells readers of columns and questions that are gone."""

import re
from pathlib import Path

import pytest
import yaml

from dagster_project import __version__
from dagster_project.codebook.loader import load_codebook
from dagster_project.domain.tables import PUBLISHED, TABLES
from docs.generate.__main__ import MADE, ROOT
from docs.generate.queries import example_queries

DBT = ROOT / "dbt" / "models"


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_from_the_code_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == MADE[name](), "run `python -m docs.generate`"


def test_every_published_table_and_column_says_what_it_is() -> None:
    """A column without words is read as whatever its name suggests."""
    for table in PUBLISHED.values():
        for text in (table.description, *(c.description for c in table.published_columns)):
            assert len(text) > 10 and text.rstrip().endswith((".", "noise.")), f"{table.name}: {text!r}"


def test_every_published_table_is_in_the_picture_and_on_its_page() -> None:
    picture, page = ((ROOT / name).read_text() for name in ("docs/images/tables.svg", "docs/tables.md"))
    for table in TABLES.values():
        assert f">{table.name}<" in picture and f"\n## {table.name}\n" in page
        assert [c.name for c in table.columns if f"{c.name}<" not in picture or f"`{c.name}`" not in page] == []


def test_the_picture_acts_on_nothing_and_fetches_nothing() -> None:
    picture = (ROOT / "docs/images/tables.svg").read_text()
    assert not re.search(r"<script|href|url\(|@import|<foreignObject", picture)
    assert re.findall(r"https?://[^\"]+", picture) == ["http://www.w3.org/2000/svg"]


def test_every_dbt_model_and_column_is_described() -> None:
    undescribed = []
    for file in sorted(DBT.rglob("*.yml")):
        for model in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("models", []):
            columns = model.get("columns", [])
            undescribed += [f"{model['name']}.{c['name']}" for c in columns if not c.get("description")]
            undescribed += [] if model.get("description") else [model["name"]]
    assert undescribed == []


def test_exposures_reach_every_publish_model() -> None:
    exposures = yaml.safe_load((DBT / "exposures.yml").read_text(encoding="utf-8"))["exposures"]
    reached = {re.sub(r"ref\('(\w+)'\)", r"\1", ref) for e in exposures for ref in e["depends_on"]}
    assert reached == {file.stem for file in (DBT / "publish").glob("*.sql")}


def test_every_facet_has_its_definitions_on_the_page() -> None:
    page = (ROOT / "docs/definitions.md").read_text(encoding="utf-8")
    for facet in load_codebook():
        assert f"`{facet.id}`, version {facet.version};" in page
        assert [c.id for c in facet.categories if f"`{c.id}`" not in page or c.definition not in page] == []


def test_every_example_query_says_what_it_answers_and_reads() -> None:
    queries = example_queries()
    assert len(queries) >= 12
    for query in queries:
        assert query.question.endswith(("?", ".")) and query.columns and query.reads
        named = set(re.findall(r"(?:from|join) (\w+)", query.text)) & set(PUBLISHED)
        assert named <= set(query.reads), f"{query.path.name} reads {named} and says {query.reads}"


def test_the_facet_that_is_shown_as_an_example_is_one(tmp_path: Path) -> None:
    """A worked example that the program refuses teaches that the program is broken."""
    from dagster_project.classifiers.claude.prompt import Ask, section

    text = (ROOT / "docs/add-a-facet.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    named = re.search(r"`facets/(\w+)\.yaml`", text)
    assert named
    (tmp_path / f"{named.group(1)}.yaml").write_text(example, encoding="utf-8")
    facet = load_codebook(tmp_path)[named.group(1)]
    assert all(c.definition in section(facet) for c in facet.categories)
    assert facet.id in Ask((facet,)).schema["properties"]


def test_the_methods_page_has_the_thresholds_in_force() -> None:
    from dagster_project.policy.loader import Policy

    rules = Policy.resolve("default", {}).rules
    page = (ROOT / "docs/methods.md").read_text(encoding="utf-8")
    cell = f"{rules.min_users} users and {rules.min_conversations} conversations a cell"
    assert f"{cell}, {rules.min_topic_users} and {rules.min_topic_conversations} a topic" in page
    assert f"counts to {rules.rounding_base} (topics {rules.topic_rounding_base})" in page
    assert f"under {rules.small_organisation_users} users" in page


def test_the_citation_names_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
