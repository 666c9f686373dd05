"""The screening tables as an attacker sees them: what every possible conversation adds to which cell.

Counted from what the tables mean (`populations.cells_of`), not from the declared relations. Not here: attacks
(`attack_oracle.py`).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import combinations
from typing import Any

from dagster_project.domain.study import AFFECTIVE_TYPES
from dagster_project.domain.tables import TABLES
from tests.support.attack_oracle import Shown
from tests.support.populations import Talk, cells_of

_ANY_DAY = date(2026, 10, 5)
SCREENS = [
    Talk(1, _ANY_DAY, True),
    Talk(1, _ANY_DAY, None, None),
    Talk(1, _ANY_DAY, False, None),
    *(Talk(1, _ANY_DAY, False, frozenset(types)) for n in range(7) for types in combinations(AFFECTIVE_TYPES, n)),
]


def named(table: str, keys: tuple[str, ...]) -> str:
    """Cells that count the same share a name: all, affective."""
    return keys[0] if table in ("prevalence", "funnel") else "/".join((table, *keys))


OUTCOMES = [
    frozenset(named(table, keys) for table, keys in cells_of(talk) if table in ("prevalence", "funnel"))
    for talk in SCREENS
]
NESTED = [
    (a, b)
    for a in sorted(OUTCOMES[-1] | {"unknown", "content_creation"})
    for b in sorted(OUTCOMES[-1])
    if a != b and all(b in outcome for outcome in OUTCOMES if a in outcome)
]


def shown_cells(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[dict[str, Shown], set[str]]:
    """Published and withheld cells of screening, those of two tables once."""
    shown: dict[str, Shown] = {}
    withheld = set()
    for table in ("prevalence", "funnel"):
        for row in rows[table]:
            name = named(table, tuple(row[key] for key in TABLES[table].keys))
            if row["suppressed"]:
                withheld.add(name)
            else:
                shown[name] = Shown(row["n_conversations"], row["n_users"], "all" if name != "all" else None)
    return shown, withheld - set(shown)
