"""The warehouse's publish layer and the declaration of the published tables agree on what is handed over."""

from pathlib import Path

import pytest
import yaml

from dagster_project.domain.columns import Table
from dagster_project.domain.tables import TABLES

MODELS = Path(__file__).parents[2] / "dbt" / "models" / "publish"


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_publish_models_hand_over_every_column_that_is_judged(table: Table) -> None:
    """Prevents a rule from losing the count that it is applied to when a model changes."""
    (model,) = yaml.safe_load((MODELS / f"publish_{table.name}.yml").read_text())["models"]
    assert model["name"] == f"publish_{table.name}"
    assert set(table.candidate_columns) <= {column["name"] for column in model["columns"]}


def test_every_publish_model_is_a_declared_table() -> None:
    """Prevents a model in the publish layer that no suppressor knows."""
    assert {path.stem for path in MODELS.glob("*.sql")} == {f"publish_{name}" for name in TABLES}
