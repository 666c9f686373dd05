"""Labels that no table is made of yet, and labels of conversations that no table counts, change no figure.

The bad day: an organisation adds a facet, or controls are labelled in detail, and last month's pushback moves.
"""

from collections.abc import Iterator
from datetime import date

import polars as pl
import pytest

from dagster_project.codebook.loader import shipped_codebook
from dagster_project.domain.periods import parse_period
from dagster_project.home import Home
from dagster_project.labelling import analysed_of_day
from dagster_project.storage.lake import TABLES, Lake
from dagster_project.storage.warehouse import PUBLISH_TABLES, read_publish_rows
from tests.support.dbt_runs import build_days, build_periods
from tests.support.lake_builder import random_talks, write_talks

FIRST, LAST = date(2026, 10, 5), date(2026, 10, 11)
WEEK = parse_period("2026-W41")
DAYS = [date(2026, 10, d) for d in range(5, 12)]
TABLED = ("pushback", "sentiment")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A week whose detail labels are those of the analysed conversations alone."""
    home = Home(tmp_path_factory.mktemp("homes") / "home")
    home.create()
    write_talks(home, random_talks(29, 600, FIRST, 7, 150))
    lake = Lake(home)
    for day in DAYS:
        analysed = list(analysed_of_day(lake, day))
        detail = lake.read("detail_labels", day)
        lake.write("detail_labels", day, detail.filter(pl.col("conversation_key").is_in(analysed)))
    yield home


def published(home: Home) -> dict[str, pl.DataFrame]:
    build_days(home, FIRST, LAST)
    build_periods(home, [WEEK], 5)
    return {table: read_publish_rows(home, table, [WEEK.key]) for table in PUBLISH_TABLES}


def label(like: dict[str, object], facet: str, value: str | None, index: int, at: int | None) -> dict[str, object]:
    status = "ok" if index % 5 else "could_not_tell"
    return like | {
        "facet": facet,
        "status": status,
        "value": value if status == "ok" else None,
        "value_index": index,
        "number": 3.0 if value else None,
        "message_index": at,
    }


def others_of(detail: pl.DataFrame) -> list[dict[str, object]]:
    """For each conversation, rows of every other facet of the codebook and of an organisation's own."""
    facets = {f.id: f.category_ids for f in shipped_codebook() if f.stage == "detail" and f.id not in TABLED}
    rows = []
    for like in detail.unique("conversation_key", keep="first", maintain_order=True).to_dicts():
        for facet, values in {**facets, "our_own": ("safety", "very_negative")}.items():
            at = 1 if facet.startswith("pushback_") else None
            rows += [label(like, facet, value, i, at) for i, value in enumerate(values)]
            rows += [label(like, facet, None, 0, None)] if not values else []
    return rows


def controls_of(lake: Lake, day: date) -> list[dict[str, object]]:
    """Detail labels of conversations that are not analysed: an event, and the strongest tone at every message."""
    detail = lake.read("detail_labels", day)
    messages = lake.read("messages", day).filter(~pl.col("conversation_key").is_in(list(analysed_of_day(lake, day))))
    like = detail.to_dicts()[0] | {"weight": 100.0, "status": "ok"}
    rows = []
    for (key,), said in messages.group_by(["conversation_key"], maintain_order=True):
        roles = said.sort("message_index")["role"].to_list()
        for role, facet, value, number in (
            ("assistant", "pushback", "safety", None),
            ("user", "sentiment", "very_negative", -1.0),
        ):
            at = [i for i, r in enumerate(roles) if r == role]
            rows += [
                like | {"conversation_key": key, "facet": facet, "value": value, "number": number}
                | {"value_index": n, "message_index": i}
                for n, i in enumerate(at)
            ]  # fmt: skip
    return rows


@pytest.mark.long
def test_rows_of_other_facets_and_of_controls_move_no_published_number(home: Home) -> None:
    before = published(home)
    assert before["publish_pushback"]["n_conversations"].sum() > 100
    assert before["publish_sentiment"]["n_conversations"].sum() > 50
    lake = Lake(home)
    n_controls = n_others = 0
    for day in DAYS:
        detail = lake.read("detail_labels", day)
        controls, others = controls_of(lake, day), others_of(detail)
        more = pl.DataFrame([*others, *controls], schema=TABLES["detail_labels"], orient="row")
        lake.write("detail_labels", day, pl.concat([detail, more]))
        n_controls += len({row["conversation_key"] for row in controls})
        n_others += len(others)
    assert n_controls > 150 and n_others > 3_000
    after = published(home)
    for table, rows in before.items():
        assert rows.equals(after[table]), table
