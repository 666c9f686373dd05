"""Numbers, dates and categories in words for people.

Lives here: formatting and labels, all pure. Not here: which numbers are shown (`figures.py`), how a page
is laid out (`templates/`).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dagster_project.codebook.loader import Codebook

WITHHELD = "withheld"
OTHER = "Other"
"""The topic of what fits no topic, as it is published."""
THIN = "\u202f"  # narrow no-break space: a number and its unit stay on one line
INTERVAL = f"95{THIN}% interval"
MINUS = "\u2212"
# Names of our own, not the host's: a page must not depend on the locale that made it.
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

STRUCTURAL = {
    "all": "All conversations",
    "unknown": "Could not be told",
    "affective": "Any affective type",
    "companionship_or_roleplay": "Companionship or roleplay",
    "not_content_creation": "Not content creation",
    "analysed": "Analysed (without roleplay)",
    "any": "Any",
    "early": "First third",
    "middle": "Middle third",
    "late": "Last third",
    "under_6": "Under 6 human messages",
    "6_or_more": "6 human messages or more",
    "1": "One",
    "2": "Two",
    "3_or_more": "Three or more",
}


def labels_of(codebook: Codebook) -> dict[str, str]:
    """Category id -> what people read. The report's own words win over a facet's, an earlier facet's over a later's:
    `other` is the pushback of no other kind, as in the figures, and not the rest of a facet that describes it."""
    found: dict[str, str] = {}
    for facet in codebook:
        for category in facet.categories:
            found.setdefault(category.id, category.label)
    return {**found, **STRUCTURAL}


def label(labels: Mapping[str, str], category: str) -> str:
    """The label of a category; an id that the codebook does not have is spelt out."""
    return labels.get(category) or category.replace("_", " ").capitalize()


def count(n: int | None) -> str:
    """1250 -> '1,250'; None -> 'withheld'."""
    return WITHHELD if n is None else f"{n:,}"


def about(n: int | None) -> str:
    """Counts are rounded before they are published, and prose says so: 'about 1,250'."""
    return WITHHELD if n is None else f"about {n:,}"


def _places(values: Sequence[float | None], most: int, least: int = 0) -> int:
    """Decimals that show each number as it was published: those of the grid that it lies on, in practice."""
    told = [f"{abs(v):.{most}f}".rstrip("0") for v in values if v is not None]
    return max([least, *(len(text.partition(".")[2]) for text in told)])


def _percent_places(*values: float | None) -> int:
    """Of shares as percentages: one decimal at most, two where a share is below 1 %."""
    known = [v * 100 for v in values if v is not None]
    return max((_places([v], 2 if abs(v) < 1 else 1) for v in known), default=0)


def share(value: float | None, *beside: float | None) -> str:
    """0.029 -> '2.9 %', 0.0042 -> '0.42 %', and 0.03 beside 0.029 -> '3.0 %': numbers of one row have equal digits.

    None -> 'withheld'.
    """
    places = _percent_places(value, *beside)
    return WITHHELD if value is None else f"{value * 100:.{places}f}{THIN}%"


def share_interval(low: float | None, high: float | None, *beside: float | None) -> str:
    """'2.6–3.0 %', or 'withheld'."""
    if low is None or high is None:
        return WITHHELD
    places = _percent_places(low, high, *beside)
    return f"{low * 100:.{places}f}–{high * 100:.{places}f}{THIN}%"


def share_of(row: Mapping[str, Any], value: str, low: str, high: str) -> tuple[str, str]:
    """A share of a published row and its interval, by the names of their columns."""
    return share(row[value], row[low], row[high]), share_interval(row[low], row[high], row[value])


def points(change: float) -> str:
    """A change of a share, in percentage points: '+3.1', '−0.5', 'no change'."""
    text = f"{abs(change) * 100:.{_percent_places(change)}f}"
    return "no change" if float(text) == 0 else f"{'+' if change > 0 else MINUS}{text}{THIN}points"


def signed(value: float | None, *beside: float | None) -> str:
    """A number from −1 to +1 with its sign: '+0.12', '−0.05', '0.0'; with the digits of those beside it."""
    if value is None:
        return WITHHELD
    text = f"{abs(value):.{_places([value, *beside], 3, 1)}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else MINUS) + text


def signed_interval(low: float | None, high: float | None, *beside: float | None) -> str:
    """'+0.08 to +0.16', or 'withheld'."""
    if low is None or high is None:
        return WITHHELD
    return f"{signed(low, high, *beside)} to {signed(high, low, *beside)}"


def signed_of(row: Mapping[str, Any], value: str, low: str, high: str) -> tuple[str, str]:
    """A signed number of a published row and its interval; withheld where a release did not have the columns yet."""
    found, ends = row.get(value), (row.get(low), row.get(high))
    return signed(found, *ends), signed_interval(*ends, found)


def day(on: date) -> str:
    """'21 September 2026', whatever the host's locale."""
    return f"{on.day} {MONTHS[on.month - 1]} {on.year}"


def moment(stamp: str) -> str:
    """An ISO time as '26 November 2026, 17:57 UTC'; what is none stays as it is."""
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    at = at.astimezone(UTC) if at.tzinfo else at
    return f"{day(at.date())}, {at:%H:%M} UTC"


def short_day(on: date) -> str:
    """'21 Sep'."""
    return f"{on.day} {MONTHS[on.month - 1][:3]}"


def span(start: date, end: date) -> str:
    """The half-open days [start, end) as a reader says them, both ends included."""
    last = end - timedelta(days=1)
    if last <= start:
        return day(start)
    if start.year != last.year:
        return f"{day(start)} to {day(last)}"
    if start.month != last.month:
        return f"{start.day} {MONTHS[start.month - 1]} to {day(last)}"
    return f"{start.day} to {day(last)}"


def listed(items: list[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
