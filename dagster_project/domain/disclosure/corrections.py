"""Whether a correction may be published: whose contributions changed, cell by cell and over all revisions.

A reader can subtract any two revisions of a period. So between any two of them, in every cell, the users whose
contribution was added and those whose contribution was removed are each nobody or at least k. A conversation that moved
from one cell to another is removed from the one and added to the other, also where its user stays in both. Not here:
how contributions are compared (the warehouse), what a correction's own cells tell (`audit.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dagster_project.domain.disclosure.rules import Rules


@dataclass(frozen=True, slots=True)
class Change:
    """One cell between an earlier revision and the one to be published: users with a conversation more, or less.

    Cells that are withheld, and topics that have no row, count like all others: what is withheld now may have been
    published before. A denominator is a cell too.
    """

    table: str
    users_added: int
    users_removed: int


def refused_tables(changes: Iterable[Change], rules: Rules) -> tuple[str, ...]:
    """The tables whose correction would show a few users' coming or going; empty where it may be published.

    changes: of every cell, against every earlier revision of the period. Raises ValueError on a negative count.
    """
    refused = set()
    for change in changes:
        for users in (change.users_added, change.users_removed):
            if users < 0:
                raise ValueError("a number of users is below 0")
            if 0 < users < rules.min_users:
                refused.add(change.table)
    return tuple(sorted(refused))
