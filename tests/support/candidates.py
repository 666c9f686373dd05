"""Candidate rows as the publish layer of the warehouse hands them over, for tests of the release.

Each cell is made from made-up contributions by user, so that its counts always agree with one another. Not here:
populations, user by user (`populations.py`).
"""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from dagster_project.domain.columns import Table
from dagster_project.domain.estimation.wilson import wilson_interval
from dagster_project.domain.periods import Period, parse_period
from dagster_project.domain.study import TALK_TYPES
from dagster_project.domain.tables import TABLES
from dagster_project.release import PeriodMetadata
from tests.support.populations import UNCODED, Habits, judged, random_talks
from tests.support.populations import candidate_rows as population_rows

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WEEK = parse_period("2026-W41")
DESIGN_EFFECT = 1.5
Cell = dict[str, Any]
Sizes = Callable[[Table, tuple[str, ...]], Cell]


def counts(numerator: Sequence[int], rest: Sequence[int] = (), in_both: int = 0) -> Cell:
    """The counts of a cell, from conversations by user in it and outside it; in_both: users who are in both."""
    largest = sorted(numerator, reverse=True)
    return {
        "n_conversations": sum(numerator),
        "n_users": len(numerator),
        "rest_conversations": sum(rest),
        "rest_users": len(rest),
        "of_conversations": sum(numerator) + sum(rest),
        "of_users": len(numerator) + len(rest) - in_both,
        "top_user_conversations": sum(largest[:1]),
        "top_two_conversations": sum(largest[:2]),
    }


def spread(users: int, conversations: int) -> list[int]:
    """Conversations shared out as evenly as can be."""
    return [conversations // users + (i < conversations % users) for i in range(users)] if users else []


def rated(users: int, conversations: int, rest_users: int = 300, rest_conversations: int = 600) -> Cell:
    """A cell that no rule but its sizes can withhold, with the interval of users who resemble themselves a little."""
    cell = counts(spread(users, conversations), spread(rest_users, rest_conversations))
    of = cell["of_conversations"]
    share = cell["n_conversations"] / max(of, 1)
    low, high = wilson_interval(share, max(of, 1) / DESIGN_EFFECT)
    ends = {f"{name}_{end}": value for name in ("share", "rate") for end, value in (("low", low), ("high", high))}
    return {
        **cell, "share": share, "rate": share, "share_of_users": users / max(cell["of_users"], 1), **ends, **UNCODED,
    }  # fmt: skip


def tone(users: int, conversations: int, start: float = -0.1234, end: float = 0.0567) -> Cell:
    """A cell of the sentiment table."""
    change = end - start
    ends = {"change_low": change - 0.0432, "change_high": change + 0.0321}
    ends |= {"later_low": change - 0.0432, "later_high": change + 0.0321}
    ends |= {"tone_first": start, "tone_next": start, "later_change": change}
    cell = counts(spread(users, conversations))
    return {**cell, "sentiment_start": start, "sentiment_end": end, "sentiment_change": change, **ends, **UNCODED}


ALL = 3000, 1200
SCREENED: dict[str, tuple[int, int]] = {
    "all": ALL,
    "content_creation": (60, 40),
    "unknown": (60, 40),
    "not_content_creation": (2910, 1180),
    "affective": (2750, 1150),
    "analysed": (2640, 1150),
    "companionship_or_roleplay": (770, 420),
    "romantic_roleplay": (60, 40),
    "sexual_roleplay": (60, 40),
} | dict.fromkeys(TALK_TYPES, (660, 340))
"""Conversations and users of the middling world. Each talk type has 660 of its own; roleplay, 110 altogether."""
PUSHBACK_OF_A_TYPE = {"early": (60, 40), "middle": (60, 40), "late": (20, 14), "any": (140, 85)}
PUSHBACK_OF_ANY = {"early": (240, 150), "middle": (240, 150), "late": (80, 52), "any": (560, 330)}
"""By position; the kinds always come together, so that each has the counts of any."""


GROUPED = {
    (False, "under_6"): (190, 240),
    (False, "6_or_more"): (130, 160),
    (True, "under_6"): (45, 50),
    (True, "6_or_more"): (38, 40),
    (True, "type"): (45, 48),
}
"""Users and conversations that people labelled, by whether it is pushback and by group. Types overlap."""


def plain(table: Table, keys: tuple[str, ...]) -> Cell:
    """A middling world whose counts agree with one another, from which nothing need be withheld."""
    match table.name:
        case "sentiment":
            return tone(150, 240) if keys == ("any",) else tone(40, 60)
        case "topics":
            return rated(40, 60)
        case "agreement":
            users, n = (80, 90) if keys == ("pushback",) else (300, 400)
            return counts(spread(users, n)) | judged(n, users)
        case "agreement_by":
            users, n = GROUPED[keys[0] == "pushback", keys[2] if keys[1] == "length" else "type"]
            return counts(spread(users, n)) | judged(n, users)
        case "usage_bands":
            return banded(keys[0])
        case "drift":
            of, (n, users) = (2640, 1150), (660, 340) if keys[0] == keys[1] and keys[0] in TALK_TYPES else (0, 0)
        case "long_conversations":
            of, (n, users) = ((2640, 1150), (200, 120)) if keys[0] == "any" else ((660, 340), (50, 30))
        case "facets":
            of, (n, users) = ((560, 330), (240, 150)) if keys[2] == "any" else ((140, 85), (60, 40))
        case "pushback":
            of, sizes = ((2640, 1150), PUSHBACK_OF_ANY) if keys[0] == "any" else ((660, 340), PUSHBACK_OF_A_TYPE)
            n, users = sizes[keys[2]]
        case _:
            of, (n, users) = ALL, SCREENED[keys[0]]
    both = min(10, users) if n < of[0] else 0
    return rated(users, n, of[1] - users + both, of[0] - n) | {"of_users": of[1]}


BAND_SIZES = {"1": (300, 300), "2": (400, 800), "3_or_more": (450, 1650)}


def banded(band: str) -> Cell:
    """A band of users: all their conversations are in it, and nobody is in two."""
    users, n = BAND_SIZES[band]
    cell = rated(users, n, 1150 - users, 2750 - n)
    low, high = wilson_interval(users / 1150, 1150)
    return cell | {"share_of_users": users / 1150, "share_low": low, "share_high": high}


def rows_of(table: Table, period: Period, sizes: Sizes = plain) -> list[Cell]:
    """Every row of a table for one period; topics: three of each type, in an order that sizes give."""
    grid = table.grid()
    if table.is_topic:
        grid = [(kind, f"t{kind[:3]}{i}x{period.start:%m%d}") for (kind,) in grid for i in range(3)]
    if table.families:
        grid = [("pushback_target", value, of) for value in ("request", "plan", "other") for of in ("any", *TALK_TYPES)]
    rows = []
    for keys in grid:
        about = {"parent_topic_id": None, "level": 0, "topic_name": "Work, boss, meeting"} if table.is_topic else {}
        if table.families:
            about = {"of_facet": "pushback", "values_told": "one_or_more"}
        named = dict(zip(table.keys, keys, strict=True))
        cell = sizes(table, keys)
        if cell:
            rows.append({"period_key": period.key, **named, **about, **cell})
    return rows


def candidate_rows(*periods: Period, sizes: Sizes = plain) -> dict[str, list[Cell]]:
    """Candidate rows of all tables for some periods."""
    return {name: [row for p in periods for row in rows_of(table, p, sizes)] for name, table in TABLES.items()}


def frames(rows: dict[str, list[Cell]]) -> dict[str, pl.DataFrame]:
    """Rows as the frames that a release takes."""
    return {name: pl.DataFrame(table, infer_schema_length=None) for name, table in rows.items()}


def candidates(*periods: Period, sizes: Sizes = plain) -> dict[str, pl.DataFrame]:
    """Candidate frames of all tables for some periods."""
    return frames(candidate_rows(*periods, sizes=sizes))


def random_sizes(seed: int) -> Sizes:
    """Cells of a random population, around every threshold: people who write much, types that overlap."""
    draw = random.Random(seed)
    habits = Habits(
        users=draw.choice([200, 260, 400, 900]),
        talks_per_user=draw.choice([2.0, 4.0]),
        types=(0.2, 0.15, 0.1, 0.1, 0.03, 0.02),
        pushback=draw.choice([0.2, 0.5]),
        topics=3,
    )
    rows = population_rows(random_talks(seed, habits, WEEK.start, 7), [WEEK])
    cells = {(name, tuple(row[key] for key in TABLES[name].keys)): row for name in rows for row in rows[name]}
    none = rated(0, 0) | tone(0, 0)

    def sizes(table: Table, keys: tuple[str, ...]) -> Cell:
        if table.name.startswith("agreement"):
            return {}
        if table.is_topic:
            keys = (keys[0], f"{keys[0][:4]}{keys[1][4]}")
        cell = cells.get((table.name, keys), none)
        return {name: value for name, value in cell.items() if name in none}

    return sizes


def metadata(*periods: Period) -> list[PeriodMetadata]:
    """What a manifest says of each period."""
    facets = ("content_creation", "affective_type", "pushback", "sentiment", "topic")
    return [
        PeriodMetadata(
            period=period,
            labellers=dict.fromkeys(facets, "local-test"),
            facet_versions=dict.fromkeys(facets, 1),
            prompt_hashes=dict.fromkeys(facets, "0" * 16),
        )
        for period in periods
    ]


def page(tables: Any, manifest: Any) -> dict[str, Any]:
    """The shortest report: a page, and a figure as rows and as a picture."""
    return {
        "figures/funnel.csv": tables["funnel"],
        "figures/funnel.png": b"\x89PNG",
        "report.html": f"<!doctype html><title>{manifest['release_id']}</title>",
    }
