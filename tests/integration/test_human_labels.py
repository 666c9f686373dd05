"""From a sample for coders to corrected shares in a release, by the commands alone.

The bad day: people's work is imported and nothing comes of it, or a share is corrected the wrong way.
"""

import csv
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dagster_project.domain.tables import AGREEMENT_BY
from dagster_project.home import Home
from dagster_project.storage.lake import Lake
from tests.support.homes import confide, done
from tests.support.ready_home import COUNTED, ready_home

pytestmark = pytest.mark.long

LOST = 4
"""People find nothing affective in every so manieth conversation that the labeller finds affective."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ready_home(tmp_path_factory).home


def predicted(home: Path) -> dict[str, tuple[bool, set[str], bool]]:
    """By item, what the labeller says: content creation, types, pushback."""
    lake, found = Lake(Home(home)), {}
    for day in lake.days("human_samples"):
        said: dict[str, set[str]] = {}
        for table in ("screen_labels", "detail_labels"):
            rows = lake.read(table, day).filter(pl.col("value").is_not_null())
            for key, facet, value in rows.select("conversation_key", "facet", "value").iter_rows():
                said.setdefault(f"{key}/{facet}", set()).add(value)
        for key, item in lake.read("human_samples", day).select("conversation_key", "item_id").iter_rows():
            creation, types, pushback = (
                said.get(f"{key}/{f}", set()) for f in ("content_creation", "affective_type", "pushback")
            )
            found[item] = bool(creation), types, bool(pushback)
    return found


@pytest.fixture(scope="module")
def told(home: Path) -> dict[str, Any]:
    """What export, import and release said; answers by two coders who mostly agree with the labeller."""
    facets = "content_creation,affective_type,pushback,sentiment"
    exported = done(confide(home, "labels", "export", "--size", "560", "--facets", facets, "--json")).json
    labels = predicted(home)
    with (Path(exported["path"]) / "tasks.csv").open(newline="", encoding="utf-8") as file:
        items = [row["item_id"] for row in csv.DictReader(file)]
    assert sorted(labels) == items
    answers = home.parent / "answers.csv"
    with answers.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        tones = [f"sentiment_{k}" for k in range(1, 7)]
        writer.writerow(["item_id", "coder", "content_creation", "affective_type", "pushback", *tones])
        for n, item in enumerate(items):
            creation, types, pushback = labels[item]
            types = set() if n % LOST == 0 else types
            for coder in ("ada", "ben"):
                creates = "yes" if creation else "no"
                of, met = ";".join(sorted(types)) or "none", "refusal" if pushback and n % LOST else "none"
                writer.writerow([item, coder, creates, of, met, *["neutral"] * 6])
    imported = done(confide(home, "labels", "import", answers, "--json")).json
    again = done(confide(home, "labels", "import", answers, "--json")).json
    assert again == imported
    released = done(confide(home, "release", COUNTED, "--json")).json
    return {"exported": exported, "imported": imported, "released": released}


def published(home: Path, table: str) -> list[dict[str, Any]]:
    frame = pl.read_parquet(home / "publications" / "current" / "tables" / f"{table}.parquet")
    return frame.filter(pl.col("period_start") == pl.date(2026, 10, 12)).to_dicts()


def test_all_that_was_answered_is_taken_in(told: dict[str, Any]) -> None:
    assert told["exported"]["conversations"] == told["imported"]["conversations"] == 560
    assert told["imported"]["problems"] == {}
    assert told["imported"]["alpha"]["affective_type.coaching"]["value"] == 1


def test_agreement_of_each_facet_is_published(home: Path, told: dict[str, Any]) -> None:
    rows = {row["facet"]: row for row in published(home, "agreement")}
    assert told["released"]["tables"]["agreement"]["published"] > 0
    figures = {row["category"]: row for row in published(home, "prevalence")}
    whole = rows["affective_type.coaching"]
    assert whole["labeller"].startswith("local-") and whole["n_labelled"] % 5 == 0
    assert whole["recall"] == 1 and 0.5 <= whole["precision"] <= 0.9
    assert whole["kappa_low"] <= whole["kappa"] <= whole["kappa_high"] <= 1
    assert rows["content_creation"]["accuracy"] == 1
    for facet, row in rows.items():
        if "." in facet:
            assert row["suppressed"] or not figures[facet.split(".")[1]]["suppressed"], facet


def test_agreement_within_groups_is_published(home: Path, told: dict[str, Any]) -> None:
    """Short conversations may be read worse than long ones: an agreement of both together hides it."""
    whole = {row["facet"]: row for row in published(home, "agreement")}
    rows = {(r["facet"], r["dimension"], r["group_name"]): r for r in published(home, "agreement_by")}
    assert set(rows) == {keys for keys in AGREEMENT_BY.only if keys[0] in whole}
    shown = {keys: row for keys, row in rows.items() if not row["suppressed"]}
    assert told["released"]["tables"]["agreement_by"]["published"] >= len(shown) > 0
    lengths = [rows["affective_type.coaching", "length", band] for band in ("under_6", "6_or_more")]
    assert not any(row["suppressed"] for row in lengths)
    assert abs(sum(row["n_labelled"] for row in lengths) - whole["affective_type.coaching"]["n_labelled"]) <= 5
    inside = [row["accuracy"] for row in lengths]
    assert min(inside) - 0.05 <= whole["affective_type.coaching"]["accuracy"] <= max(inside) + 0.05  # other grids
    assert any(dimension == "affective_type" for _, dimension, _ in shown)
    for (facet, *_), row in shown.items():
        assert not whole[facet]["suppressed"] and row["n_labelled"] % 5 == 0 and row["n_labelled"] >= 15
        assert row["kappa"] is None or row["kappa_low"] <= row["kappa"] <= row["kappa_high"]
    made_of = json.loads((home / "publications" / "current" / "methods.json").read_text())["agreement_by"]
    assert {(r["facet"], r["dimension"], r["group_name"]) for r in made_of} >= set(shown)


def test_the_corrected_share_stands_beside_the_raw_one_and_goes_the_right_way(home: Path, told: dict[str, Any]) -> None:
    rows = {row["category"]: row for row in published(home, "prevalence")}
    corrected = {name: row for name, row in rows.items() if row["corrected_share"] is not None}
    assert {"coaching", "psychotherapy_counseling"} <= corrected.keys()
    for name, row in corrected.items():
        assert row["corrected_low"] <= row["corrected_share"] <= row["corrected_high"]
        assert not row["suppressed"] and row["share"] is not None
        if name != "content_creation":
            assert 0.5 * row["share"] < row["corrected_share"] < 0.98 * row["share"], name
    assert rows["all"]["corrected_share"] is None


def test_corrected_rates_and_tones_stand_beside_the_raw_ones(home: Home, told: dict[str, Any]) -> None:
    """People see a quarter less pushback than the labeller; of tone there are too few labels in a week of this home."""
    rows = {(r["affective_type"], r["kind"], r["position"]): r for r in published(home, "pushback")}
    whole = rows["any", "any", "any"]
    assert whole["corrected_low"] <= whole["corrected_rate"] <= whole["corrected_high"]
    assert 0.5 * whole["rate"] < whole["corrected_rate"] < 0.95 * whole["rate"]
    assert all(row["corrected_rate"] is None or row["rate"] is not None for row in rows.values())
    assert all(row["corrected_rate"] is None for (_, _, position), row in rows.items() if position != "any")
    tone = {row["affective_type"]: row for row in published(home, "sentiment")}["any"]
    assert tone["sentiment_start"] is not None and tone["corrected_start"] is None


def test_the_manifest_and_the_report_say_so(home: Path, told: dict[str, Any]) -> None:
    current = home / "publications" / "current"
    periods = {p["key"]: p for p in json.loads((current / "manifest.json").read_text())["periods"]}
    assert "coaching" in periods[COUNTED]["correction"]["corrected"]
    assert "any/any" in periods[COUNTED]["correction"]["corrected_pushback"]
    assert periods[COUNTED]["correction"]["corrected_sentiment"] == []
    assert periods["2026-W41"]["correction"]["not_corrected_because"] == "no human labels cover the period"
    page = re.sub(r"<[^>]+>", "", (current / "report.html").read_text())  # words are linked to the glossary
    assert "Agreement with people: kappa" in page and "corrected shares beside the raw ones" in page
    assert "corrected rates beside the raw ones" in page and "too few conversations to correct a mean by" in page
    assert "they are not corrected for its errors" not in page
    assert "Agreement with people by group" in page and "Under 6 human messages" in page


def test_nothing_of_the_sample_leaves_the_private_zone(home: Path, told: dict[str, Any]) -> None:
    """Items lead coders to conversations: no id, stratum or coder may be in what is published."""
    items = list(predicted(home))
    for path in (home / "publications" / "current").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(item.encode() in data for item in items[:50]), path.name
            assert b"ada" not in data.split() and b"no_pushback" not in data, path.name


def test_a_published_week_waits_for_correction_once_it_is_coded(home: Path, told: dict[str, Any]) -> None:
    """A frozen period does not change by itself; its revision may have agreement."""
    done(confide(home, "release", "--correct", "2026-W41", "--json"))
    frame = pl.read_parquet(home / "publications" / "current" / "tables" / "agreement.parquet")
    first = frame.filter(pl.col("period_start") == pl.date(2026, 10, 5))
    assert set(first["revision"]) == {1} and first["n_labelled"].drop_nulls().len() > 0


def test_agreement_and_its_groups_are_recomputed(home: Path, told: dict[str, Any]) -> None:
    """Prevents the error of the instrument from being the one number of a release that nobody can check."""
    found = done(confide(home, "verify", "--json")).json
    periods = {(one["period"], one["revision"]): one for one in found["periods"]}
    assert found["ok"] and periods[COUNTED, 0]["state"] == "equal", found
    shown = [row for row in published(home, "agreement_by") if not row["suppressed"]]
    assert periods[COUNTED, 0]["cells"]["agreement_by"] == len(shown) > 0
