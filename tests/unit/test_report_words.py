"""Numbers on the page read as people write them, and no number stands where none is published."""

from datetime import date

import pytest

from dagster_project.codebook.loader import shipped_codebook
from dagster_project.domain.study import AFFECTIVE_TYPES
from dagster_project.domain.tables import AGREEMENT, AGREEMENT_BY, TABLES
from dagster_project.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.029, "2.9\u202f%"),
        (0.125, "12.5\u202f%"),
        (0.0042, "0.42\u202f%"),
        (0.0, "0\u202f%"),
        (1.0, "100\u202f%"),
        (None, "withheld"),
    ],
)
def test_shares(value: float | None, text: str) -> None:
    """0.0291 is a number for machines; a withheld share is no number at all."""
    assert words.share(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12, "+0.12"), (-0.05, "\u22120.05"), (0.125, "+0.125"), (0.0001, "0.0"), (-0.0, "0.0"), (None, "withheld")],
)
def test_changes_carry_their_sign(value: float | None, text: str) -> None:
    """A hyphen for a minus, or a minus before nothing, misreads as a range or a fall."""
    assert words.signed(value) == text


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (date(2026, 9, 21), date(2026, 11, 16), "21 September to 15 November 2026"),
        (date(2026, 11, 9), date(2026, 11, 16), "9 to 15 November 2026"),
        (date(2026, 12, 28), date(2027, 1, 4), "28 December 2026 to 3 January 2027"),
        (date(2026, 10, 5), date(2026, 10, 6), "5 October 2026"),
    ],
)
def test_a_period_is_said_with_both_ends_included(start: date, end: date, text: str) -> None:
    """Periods are half-open inside; a reader who is told 'to 16 November' would count a day too many."""
    assert words.span(start, end) == text


def test_a_number_has_the_digits_of_its_own_interval() -> None:
    """10 % beside 8.5–11.5 % looks like a rougher number than it is; 80.0 % beside 74–84 % like a finer one."""
    row = {"a": 0.1, "b": 0.085, "c": 0.115, "d": 0.8, "e": 0.74, "f": 0.84}
    assert words.share_of(row, "a", "b", "c") == ("10.0\u202f%", "8.5–11.5\u202f%")
    assert words.share_of(row, "d", "e", "f") == ("80\u202f%", "74–84\u202f%")
    tone = {"a": 0.1, "b": 0.0, "c": 0.145}
    assert words.signed_of(tone, "a", "b", "c") == ("+0.100", "0.000 to +0.145")
    assert words.signed_of({"a": 0.1, "b": 0.0, "c": 0.3}, "a", "b", "c") == ("+0.1", "0.0 to +0.3")
    assert words.signed_of({}, "a", "b", "c") == ("withheld", "withheld")


@pytest.mark.parametrize(
    ("stamp", "text"),
    [
        ("2026-11-26T17:57:10.788669+00:00", "26 November 2026, 17:57 UTC"),
        ("2026-11-21T12:00:00Z", "21 November 2026, 12:00 UTC"),
        ("once", "once"),
    ],
)
def test_a_moment_is_said_for_people(stamp: str, text: str) -> None:
    """Microseconds and a T are for machines; what is no time must not stop the page."""
    assert words.moment(stamp) == text


def test_an_interval_with_a_withheld_end_is_withheld() -> None:
    """Half an interval would tell what the withheld half was to hide."""
    assert words.share_interval(0.1, None) == words.signed_interval(None, 0.1) == "withheld"


def test_every_published_category_has_words() -> None:
    """A bare id such as psychotherapy_counseling on the page is for nobody."""
    labels = words.labels_of(shipped_codebook())
    fixed = {
        value
        for table in TABLES.values()
        for key, values in table.fixed.items()
        for value in values
        if (table, key) not in ((AGREEMENT, "facet"), (AGREEMENT_BY, "facet"), (AGREEMENT_BY, "dimension"))
    }
    assert fixed >= set(AFFECTIVE_TYPES)
    assert fixed <= set(labels)


def test_counts_in_prose_say_that_they_are_rounded() -> None:
    """A rounded count told as exact invites subtraction that means nothing."""
    assert words.about(1250) == "about 1,250"
    assert words.about(None) == words.count(None) == "withheld"


def test_a_facet_added_does_not_rename_another_facets_category() -> None:
    """`other` is a kind of pushback in the figures: the rest of a list about something else must not take its name."""
    assert words.labels_of(shipped_codebook())["other"] == "Other pushback"
