"""Whether a correction may be published: whose contributions changed, cell by cell and over all revisions.

A reader can subtract any two revisions of a period. So between any two of them, in every cell, the users whose
contribution was added and those whose contribution was removed are each nobody or at least k. A conversation that moved
from one cell to another is removed from the one and added to the other, also where its user stays in both. And where a
count has not changed, what both revisions tell of it is known together: the audit is given which those are. Not here:
how contributions are compared (`storage/contributions.py`), the attack (`audit.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from dagster_project.domain.disclosure.editions import PARTED, Edition, Scope
from dagster_project.domain.disclosure.relations import denominator_of, set_of
from dagster_project.domain.disclosure.rollups import linked_sets
from dagster_project.domain.disclosure.rules import Rules
from dagster_project.domain.disclosure.sets import Set
from dagster_project.domain.tables import AGREEMENT_BY, BANDS, DRIFT, FACETS, LONG_CONVERSATIONS, PUSHBACK, TABLES

OF = {f"of_{table.name}": table for table in (PUSHBACK, DRIFT, LONG_CONVERSATIONS, FACETS)}
"""The names under which contributions to the denominators of these tables are compared; others are cells themselves."""
ANSWERS = "answers_"
"""Begins the name under which what people answered is compared: it moves corrected numbers and is no cell."""


@dataclass(frozen=True, slots=True)
class Change:
    """One cell between an earlier revision and the one to be published: users with a conversation more, or less.

    Cells that are withheld count like all others: what is withheld now may have been published before. A denominator is
    a cell too. cell: its keys in the table's order. most_users: users of the cell in the revision that has more of
    them; None where that was not counted.
    """

    table: str
    users_added: int
    users_removed: int
    cell: tuple[str, ...] = ()
    most_users: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier revision of a period that is corrected. unchanged: the sets that hold now what they held in it."""

    edition: Edition
    unchanged: frozenset[Set]


def refused_tables(changes: Iterable[Change], rules: Rules, fewest: int = 1) -> tuple[str, ...]:
    """The tables whose correction would show a few users' coming or going; empty where it may be published.

    changes: of every cell, against every earlier revision of the period. fewest: users that a cell had under the policy
    of every revision. Groups of agreement that never had them are left out: of them nothing was ever told, and they
    would keep people's answers to a whole period from being published. Raises ValueError on a negative count.
    """
    refused = set()
    for change in changes:
        is_of_group = change.table.removeprefix(ANSWERS) == AGREEMENT_BY.name
        if is_of_group and change.most_users is not None and change.most_users < fewest:
            continue
        for users in (change.users_added, change.users_removed):
            if users < 0:
                raise ValueError("a number of users is below 0")
            if 0 < users < rules.min_users:
                name = change.table.removeprefix(ANSWERS)
                refused.add(OF[name].name if name in OF else name)
    return tuple(sorted(refused))


EVERY_TABLE = Scope(frozenset(PARTED))


def unchanged_sets(changes: Iterable[Change], scope: Scope = EVERY_TABLE) -> frozenset[Set]:
    """The sets that hold the very same contributions as before; one that no change speaks of was and is empty.

    scope: with the facets of the revisions.
    """
    return frozenset((*linked_sets(scope), *(("band", band) for band in BANDS))) - {
        _set_of(change)
        for change in changes
        if (change.users_added or change.users_removed) and not change.table.startswith(ANSWERS)
    }


def _set_of(change: Change) -> Set:
    if change.table not in OF:
        return set_of(change.table, dict(zip(TABLES[change.table].keys, change.cell, strict=True)))
    table = OF[change.table]
    if table is DRIFT:
        keys = dict.fromkeys(table.keys, "")
    elif table is FACETS:
        keys = dict(zip(("facet", "affective_type"), change.cell, strict=True))
    else:
        keys = dict(zip(table.keys[:1], change.cell, strict=True))
    whole = denominator_of(table.name, keys)
    if whole is None:
        raise ValueError("a table of means has no denominator")
    return whole
