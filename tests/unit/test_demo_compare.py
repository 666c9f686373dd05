"""The truth of the demo world against what was published: the recomputed figures themselves."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from dagster_project.demo.compare import Row, compare, comparison_table
from dagster_project.demo.truth import SCHEMA

START, END = date(2026, 9, 21), date(2026, 11, 16)
UP = ["negative", "negative", "neutral", "neutral", "neutral", "positive"]


def _truth(folder: Path, *talks: dict[str, object]) -> Path:
    base = {
        "day": START,
        "user_id": "demo-user-1",
        "is_content_creation": False,
        "affective_types": [],
        "topic": "x",
        "topics": [],
        "pushback": [],
        "sentiment": ["neutral"],
        "n_assistant_messages": 1,
        "scenario": "talk",
    }
    rows = []
    for i, talk in enumerate(talks):
        row = {**base, "conversation_id": f"demo-{i}", **talk}
        sentiment = row["sentiment"]
        assert isinstance(sentiment, list)
        rows.append({**row, "n_human_messages": len(sentiment)})
    path = folder / "truth.parquet"
    pl.DataFrame(rows, schema=SCHEMA).write_parquet(path)
    return path


def _publish(folder: Path, shares: dict[str, tuple[float, float, float] | None], revisions: int = 1) -> Path:
    """A publication with prevalence rows alone filled; older revisions hold nonsense."""
    tables = folder / "publication" / "tables"
    tables.mkdir(parents=True)
    rows = []
    for revision in range(revisions):
        for category, cell in shares.items():
            last = revision == revisions - 1
            share, low, high = cell if cell and last else (None, None, None) if last else (0.99, 0.98, 1.0)
            rows.append({
                "period_kind": "window", "period_start": START, "period_end": END, "revision": revision,
                "category": category, "share": share, "share_low": low, "share_high": high, "suppressed": share is None,
            })  # fmt: skip
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(tables / "prevalence.parquet")
    common = {"period_kind": pl.String, "period_start": pl.Date, "period_end": pl.Date, "revision": pl.Int64}
    pushback = {"affective_type": pl.String, "kind": pl.String, "position": pl.String, "rate": pl.Float64}
    sentiment = {"affective_type": pl.String, "sentiment_change": pl.Float64, "change_low": pl.Float64}
    pl.DataFrame(schema=common | pushback).write_parquet(tables / "pushback.parquet")
    pl.DataFrame(schema=common | sentiment).write_parquet(tables / "sentiment.parquet")
    return tables.parent


def _cell(rows: list[Row], table: str, cell: str) -> Row:
    return next(row for row in rows if row.table == table and row.cell == cell)


def test_true_shares_follow_the_rules_of_the_study(tmp_path: Path) -> None:
    """Counting content creation or short roleplay as affective would blame the classifier for being right."""
    truth = _truth(
        tmp_path,
        {"affective_types": ["coaching"]},
        {"affective_types": ["coaching"], "is_content_creation": True},
        {"affective_types": ["romantic_roleplay"], "sentiment": ["positive"] * 3},
        {"affective_types": ["romantic_roleplay"], "sentiment": ["positive"] * 4},
        {"affective_types": ["coaching"], "day": END},
    )
    rows = compare(_publish(tmp_path, {"affective": (0.5, 0.4, 0.6)}), truth)
    shares = {row.cell: row.truth for row in rows if row.table == "prevalence"}
    assert shares["affective"] == 0.5
    assert shares["coaching"] == shares["romantic_roleplay"] == shares["companionship_or_roleplay"] == 0.25
    assert shares["content_creation"] == 0.25


def test_pushback_and_sentiment_leave_roleplay_out(tmp_path: Path) -> None:
    """A roleplay in the denominator would make every rate of pushback look too low."""
    event = [{"kind": "boundary", "message_index": 1, "assistant_turn": 0}]
    truth = _truth(
        tmp_path,
        {"affective_types": ["companionship"], "pushback": event, "sentiment": UP},
        {"affective_types": ["companionship", "coaching"], "sentiment": UP[:5]},
        {"affective_types": ["companionship", "romantic_roleplay"], "sentiment": ["positive"] * 6},
    )
    rows = compare(_publish(tmp_path, {"affective": None}), truth)
    pushback = _cell(rows, "pushback", "companionship, any pushback")
    assert (pushback.n, pushback.truth) == (2, 0.5)
    assert _cell(rows, "pushback", "any, boundary pushback").truth == 0.5
    assert _cell(rows, "pushback", "any, refusal pushback").truth == 0.0
    change = _cell(rows, "sentiment", "companionship, change")
    assert change.n == 1
    assert change.truth == pytest.approx(0.5 / 3 + 1 / 3)
    assert _cell(rows, "sentiment", "coaching, change").truth is None


def test_published_interval_and_error_stand_beside_the_truth(tmp_path: Path) -> None:
    """A comparison that always says 'covers' would hide a wrong release."""
    truth = _truth(tmp_path, {"affective_types": ["coaching"]}, {}, {}, {})
    publication = _publish(tmp_path, {"affective": (0.3, 0.2, 0.4), "coaching": (0.4, 0.3, 0.5)}, revisions=2)
    rows = compare(publication, truth)
    affective, coaching = _cell(rows, "prevalence", "affective"), _cell(rows, "prevalence", "coaching")
    assert (affective.covers, coaching.covers) == (True, False)
    assert coaching.error == pytest.approx(0.15)
    withheld = _cell(rows, "prevalence", "companionship")
    assert (withheld.published, withheld.covers, withheld.error) == (None, None, None)


def test_the_table_says_what_is_withheld_and_that_all_is_synthetic(tmp_path: Path) -> None:
    """Figures of invented people taken for real ones would be the worst use of a demo."""
    from rich.console import Console

    truth = _truth(tmp_path, {"affective_types": ["coaching"]}, {}, {}, {})
    console = Console(width=200, record=True, file=(tmp_path / "out").open("w"))
    console.print(comparison_table(compare(_publish(tmp_path, {"affective": (0.3, 0.2, 0.4)}), truth)))
    shown = console.export_text()
    console.file.close()
    assert "Synthetic" in shown and "withheld" in shown and "30.0%" in shown and "+5.0 points" in shown
