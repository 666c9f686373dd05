"""Candidate rows as the publish layer of the warehouse hands them over, for tests of the release.

Each cell is made from made-up contributions by user, so that its counts always agree with one another.
"""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from dagster_project.domain.periods import Period, parse_period
from dagster_project.domain.tables import TABLES, Table
from dagster_project.release import PeriodMetadata

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WEEK = parse_period("2026-W41")
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
    """A cell that no rule but its sizes can withhold."""
    cell = counts(spread(users, conversations), spread(rest_users, rest_conversations))
    share = cell["n_conversations"] / max(cell["of_conversations"], 1)
    low, high = max(0.0, share - 0.0312), min(1.0, share + 0.0298)
    ends = {f"{name}_{end}": value for name in ("share", "rate") for end, value in (("low", low), ("high", high))}
    return {**cell, "share": share, "rate": share, **ends}


def tone(users: int, conversations: int, start: float = -0.1234, end: float = 0.0567) -> Cell:
    """A cell of the sentiment table."""
    change = end - start
    ends = {"change_low": change - 0.0432, "change_high": change + 0.0321}
    cell = counts(spread(users, conversations))
    return {**cell, "sentiment_start": start, "sentiment_end": end, "sentiment_change": change, **ends}


def plain(table: Table, keys: tuple[str, ...]) -> Cell:
    """A middling world: totals of 900 conversations by 400 users, other cells of 60 by 40."""
    if table.name == "sentiment":
        return tone(40, 60)
    if "all" in keys:
        return rated(400, 900, 0, 0)
    return rated(40, 60)


def rows_of(table: Table, period: Period, sizes: Sizes = plain) -> list[Cell]:
    """Every row of a table for one period; topics: three of each type, in an order that sizes give."""
    grid = table.grid()
    if table.is_topic:
        grid = [(kind, f"t{kind[:3]}{i}x{period.start:%m%d}") for (kind,) in grid for i in range(3)]
    rows = []
    for keys in grid:
        about = {"parent_topic_id": None, "level": 0, "topic_name": "Work, boss, meeting"} if table.is_topic else {}
        named = dict(zip(table.keys, keys, strict=True))
        rows.append({"period_key": period.key, **named, **about, **sizes(table, keys)})
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
    """Cells of random size around every threshold, some dominated by a user or two, some empty or complete."""
    draw = random.Random(seed)
    scale = draw.choice([1, 3, 20])

    def users() -> list[int]:
        n = draw.choice([0, 1, 4, 5, 9, 10, 11, 14, 20, 24, 25, 26, 40]) * draw.choice([1, 1, scale])
        heavy = draw.choice([1, 1, 2, 5, 50])
        return [draw.randint(1, 5) * (heavy if i < 2 else 1) for i in range(n)]

    def sizes(table: Table, keys: tuple[str, ...]) -> Cell:
        total = "all" in keys
        numerator = users() if not total else [draw.randint(1, 5) for _ in range(draw.choice([3, 249, 250, 251, 600]))]
        rest = [] if total else users()
        cell = counts(numerator, rest, draw.randint(0, min(len(numerator), len(rest))))
        low = draw.random()
        high = draw.uniform(low, 1.0)
        cell |= {"share_low": low, "share_high": high, "rate_low": low, "rate_high": high, "share": 0.5, "rate": 0.5}
        start, end = draw.choice([-1.0, draw.uniform(-1, 1)]), draw.choice([1.0, draw.uniform(-1, 1)])
        ends = sorted((draw.uniform(-2, 2), draw.uniform(-2, 2)))
        means = {"sentiment_start": start, "sentiment_end": end, "sentiment_change": end - start}
        return {**cell, **means, "change_low": ends[0], "change_high": ends[1]}

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


def page(tables: Any, manifest: Any) -> str:
    """The shortest report."""
    return f"<!doctype html><title>{manifest['release_id']}</title>"
