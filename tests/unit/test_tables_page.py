"""The page of tables in each release: all columns, where they come from, and nothing that a home knows."""

import base64
import hashlib
import re

import pytest

from dagster_project.domain.tables import NOISY_USERS, PUBLISHED
from dagster_project.report.tables_page import lineage, reads_of_models, tables_page
from tests.support.published_tables import manifest_of, window_tables


@pytest.fixture(scope="module")
def page() -> str:
    tables = window_tables()
    return tables_page(tables, manifest_of(tables))


def test_every_column_of_the_release_is_explained(page: str) -> None:
    """Who is sent a release alone has no docs beside it: a column without meaning is guessed at."""
    for table in window_tables():
        section = page.split(f'<section id="{table}">')[1].split("</section>")[0]
        for column in PUBLISHED[table].columns:
            assert f"<code>{column.name}</code>" in section
            assert column.description.replace("'", "&#39;") in section
    assert NOISY_USERS.name not in page, "a table that the release does not have"


def test_the_page_says_nothing_of_the_home(page: str) -> None:
    """dbt docs hold the paths of the home and its compiled SQL; topic names are published where they are gated."""
    assert "select" not in page and ".sql" not in page and "/" + "home" not in page
    assert not any(name in page for name in window_tables()["topics"]["topic_name"].to_list())


def test_the_page_runs_nothing_and_loads_nothing(page: str) -> None:
    tags = set(re.findall(r"<([a-z]+)", page))
    assert not tags & {"script", "iframe", "img", "link", "form", "object"} and "http" not in page.replace(
        "http-equiv", ""
    )
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in page


@pytest.mark.parametrize("table", [name for name in PUBLISHED if name != NOISY_USERS.name])
def test_each_table_is_traced_to_what_the_lake_holds(table: str) -> None:
    """A lineage that ends half-way, because a model was renamed, tells less than none."""
    reads = reads_of_models()
    found = lineage(table, reads)
    assert found[0][0] == f"publish_{table}" and any(model.startswith("stg_") for model, _ in found)
    for model, of in found:
        assert set(of) <= reads.keys(), f"{model} reads what is no model"
        assert of or model.startswith("stg_"), f"{model} reads nothing"
