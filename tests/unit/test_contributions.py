"""Contributions: what a correction is held against is kept whole, compared user by user, and gone when it has to be."""

from pathlib import Path

import polars as pl
import pytest

from dagster_project.domain.disclosure.corrections import Change
from dagster_project.domain.periods import parse_period
from dagster_project.home import Home
from dagster_project.storage.contributions import SCHEMA, Contributions, NotComparable, changes

WEEK = parse_period("2026-W41")


def rows(*told: tuple[str, str, str, str] | tuple[str, str, str, str, float, float]) -> pl.DataFrame:
    """table, cell, conversation, user, and for sentiment the tone at start and end."""
    more = [[None] * 4 if len(row) == 4 else [0.5, None] for row in told]
    return pl.DataFrame([(*row, *rest) for row, rest in zip(told, more, strict=True)], SCHEMA, orient="row")


BEFORE = rows(
    ("prevalence", "all", "c1", "u1"),
    ("prevalence", "all", "c2", "u1"),
    ("prevalence", "all", "c3", "u2"),
    ("prevalence", "coaching", "c1", "u1"),
    ("pushback", "any/refusal/early", "c3", "u2"),
    ("sentiment", "any", "c1", "u1", 0.5, 0.25),
)


def test_nothing_changed_is_no_change_in_any_cell() -> None:
    found = changes(BEFORE, BEFORE.reverse())
    assert {(c.users_added, c.users_removed) for c in found} == {(0, 0)}
    assert ("any", "refusal", "early") in {c.cell for c in found}


def test_a_relabelled_conversation_of_a_user_who_stays_goes_from_one_cell_and_comes_to_another() -> None:
    """Prevents an existing user's new label from passing for no change, because the user is in both revisions."""
    now = BEFORE.with_columns(
        cell=pl.when(cell="coaching", conversation_key="c1").then(pl.lit("companionship")).otherwise("cell")
    )
    found = {c.cell: c for c in changes(BEFORE, now) if c.table == "prevalence"}
    assert found["coaching",] == Change("prevalence", 0, 1, ("coaching",))
    assert found["companionship",] == Change("prevalence", 1, 0, ("companionship",))
    assert found["all",] == Change("prevalence", 0, 0, ("all",))
    assert {cell: change.most_users for cell, change in found.items()} == {
        ("all",): 2, ("coaching",): 1, ("companionship",): 1,
    }  # fmt: skip


def test_another_tone_is_a_change_and_a_user_counts_once() -> None:
    now = pl.concat(
        [
            BEFORE.with_columns(sentiment_end=pl.when(table_name="sentiment").then(0.75).otherwise("sentiment_end")),
            rows(("prevalence", "all", "c4", "u3"), ("prevalence", "all", "c5", "u3")),
        ]
    )
    found = {(c.table, c.cell): (c.users_added, c.users_removed) for c in changes(BEFORE, now)}
    assert found["sentiment", ("any",)] == (1, 1)
    assert found["prevalence", ("all",)] == (1, 0)


def test_another_answer_of_people_is_a_change_though_nobody_came_or_went() -> None:
    """Prevents one person's re-coded conversation from showing as the difference of two corrected rates."""
    coded = rows(*(("answers_pushback", "any", f"c{i}", f"u{i}") for i in range(3))).with_columns(answered=pl.lit("4"))
    now = coded.with_columns(answered=pl.when(conversation_key="c1").then(pl.lit("4 refusal")).otherwise("answered"))
    (change,) = changes(coded, now)
    assert (change.users_added, change.users_removed) == (1, 1)


def test_what_was_kept_before_answers_were_is_read(tmp_path: Path) -> None:
    """An update must not close every published period to correction."""
    home = Home(tmp_path / "home")
    home.create()
    Contributions(home).keep(WEEK, 0, BEFORE.drop("answered"), "digest")
    assert Contributions(home).read(WEEK, 0).equals(BEFORE)


def test_what_is_kept_comes_back_and_what_is_not_closes_the_period(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    kept = Contributions(home)
    kept.keep(WEEK, 0, BEFORE, "digest")
    assert kept.read(WEEK, 0).equals(BEFORE)
    assert (kept.inputs(WEEK, 0), kept.inputs(WEEK, 1), kept.periods()) == ("digest", None, [WEEK.key])
    with pytest.raises(NotComparable, match="2026-W41 is closed to correction: what revision 1"):
        kept.read(WEEK, 1)
    file = next(home.private.rglob("contributions/*/*.parquet"))
    assert file.stat().st_mode & 0o077 == 0
    file.write_bytes(b"PAR1 damaged")
    with pytest.raises(NotComparable, match="revision 0") as refusal:
        kept.read(WEEK, 0)
    assert "damaged" not in str(refusal.value)
    assert kept.inputs(WEEK, 0) is None
    assert kept.forget([WEEK]) == 1
    assert kept.periods() == []
