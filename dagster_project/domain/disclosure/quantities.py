"""What must not be known too well: every withheld count, and every count that can be derived. Declared once.

Derivable is the difference of any two sets of which one lies within the other (totals minus cells, steps of the funnel,
the other side of a rate, types with and without roleplay), every set that no table shows (the first two thirds, those
that could not be told, topics' "other"), the overlap of any two types, and the days by which one period reaches beyond
another. Not here: how well they are known (`audit.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

from dagster_project.domain.disclosure.editions import Edition, Scope, keys_of, scope_of
from dagster_project.domain.disclosure.program import ATOMS, Cell, Form
from dagster_project.domain.disclosure.readings import BELOW, CONVERSATIONS, USERS, Variable
from dagster_project.domain.disclosure.relations import (
    NONE,
    NOT_LATE,
    denominator_of,
    fixed_relations,
    screening_atoms,
    set_of,
    standing_for,
    topic_relations,
)
from dagster_project.domain.disclosure.relations_of_detail import HELPERS, table_of
from dagster_project.domain.disclosure.rollups import inside, linked_sets
from dagster_project.domain.disclosure.sets import ALL, Apart, Set, UsersApart, Within
from dagster_project.domain.study import AFFECTIVE_TYPES
from dagster_project.domain.tables import (
    AGREEMENT,
    BANDS,
    FUNNEL,
    PREVALENCE,
    PUSHBACK,
    SENTIMENT,
    TABLES,
    TOPICS,
    USAGE_BANDS,
)

TABLE_OF: Mapping[str, str] = {
    "screened": PREVALENCE.name,
    "analysed": FUNNEL.name,
    "asked": PUSHBACK.name,
    "untold": PUSHBACK.name,
    "pushback": PUSHBACK.name,
    "tone": SENTIMENT.name,
    "toneless": SENTIMENT.name,
    "coded": AGREEMENT.name,
}
"""The table to name where a set of this family is known too well."""


def _table(name: Set) -> str:
    return TABLE_OF.get(name[0]) or table_of(name[0])


@dataclass(frozen=True, slots=True)
class Quantity:
    """A sum of counts that must not be known too well. cells: the withheld cells that it is the count of, if any."""

    edition: int
    table: str
    form: Form
    k: int
    cells: frozenset[Cell] = frozenset()

    def is_broken(self, low: float, high: float) -> bool:
        """Whether an interval of whole numbers breaks its rule."""
        return high - low < self.k if self.cells else low >= 1 and high <= self.k - 1


def quantities_of_periods(block: Sequence[Edition], editions: Sequence[Edition]) -> Iterable[Quantity]:
    """By how much a period's published counts exceed those of another within it, and the counts of stretches.

    The first is taken as it stands, without what heavy users could add to it: in most homes there are few of them.
    Where two periods have the same days it would be nothing else.
    """
    k = max(edition.rules.min_users for edition in block)
    names = linked_sets(scope_of(block))
    shown = [shown_sets(edition) for edition in block]
    for p, q in inside(block):
        if block[p].period.days != block[q].period.days:
            for name in sorted(shown[p] & shown[q] & set(names)):
                for unit in (CONVERSATIONS, USERS):
                    yield Quantity(q, _table(name), (((q, (unit, name)), 1.0), ((p, (unit, name)), -1.0)), k)
    for number in range(len(block), len(editions)):
        for name in names:
            for unit in (CONVERSATIONS, USERS):
                yield Quantity(number, _table(name), (((number, (unit, name)), 1.0),), k)


def quantities_of(number: int, edition: Edition, scope: Scope | None = None) -> list[Quantity]:
    """All that must not be known too well of one edition. scope: as the program that it is put to.

    Bands of use only where one of this edition's is published. How many second conversations there are follows from its
    own users and conversations alone; other periods' bands add no more than that users of theirs are at least as many.
    """
    scope = scope_of([edition]) if scope is None else scope
    if not edition.published(USAGE_BANDS.name):
        scope = replace(scope, tables=scope.tables - {USAGE_BANDS.name})
    k = edition.rules.min_users
    out = list(_withheld(number, edition, scope))

    def derivable(table: str, *form: tuple[Variable, float]) -> None:
        out.append(Quantity(number, table, tuple(((number, v), value) for v, value in form), k))

    for part, whole in _nested_pairs(scope):
        for unit in (CONVERSATIONS, USERS):
            derivable(_table(part), ((unit, whole), 1.0), ((unit, part), -1.0))
    for name in _unshown(scope):
        for unit in (CONVERSATIONS, USERS):
            derivable(_table(name), ((unit, name), 1.0))
    if edition.largest_weight > 1:
        # How few of a cell were sampled below the cut: each stands for so many that shares may tell it.
        shown = {one for table in edition.rows for row in edition.published(table) for one in _counted(table, row)}
        for name in sorted(shown - {ALL}):
            derivable(_table(name), ((BELOW, name), 1.0))
        for part, whole in _nested_pairs(scope):
            if part in shown and whole in shown and ALL not in (part, whole):
                derivable(_table(part), ((BELOW, whole), 1.0), ((BELOW, part), -1.0))
    sets = screening_atoms()
    for a, b in combinations(AFFECTIVE_TYPES, 2):
        both = sets["screened", a] & sets["screened", b]
        derivable("prevalence", *(((ATOMS, (str(atom),)), 1.0) for atom in sorted(both)))
    for relation in topic_relations(edition.published(TOPICS.name)):
        if isinstance(relation, Apart):
            parts = (((CONVERSATIONS, part), -1.0) for part in relation.parts)
            derivable(TOPICS.name, ((CONVERSATIONS, relation.whole), 1.0), *parts)
            for part in relation.parts:
                for unit in (CONVERSATIONS, USERS):
                    derivable(TOPICS.name, ((unit, relation.whole), 1.0), ((unit, part), -1.0))
    return out


def _counted(table: str, row: Mapping[str, object]) -> Iterable[Set]:
    """The sets whose sizes a published row tells."""
    yield set_of(table, row)
    if (whole := denominator_of(table, row)) is not None:
        yield whole


def _is_beyond(edition: Edition, table: str, row: Mapping[str, object]) -> bool:
    """Whether a cell is a band of heavier use than the bound lets anybody have: the policy says that it is empty."""
    return table == USAGE_BANDS.name and BANDS[str(row["band"])][0] > edition.max_conversations_per_user


def shown_sets(edition: Edition) -> frozenset[Set]:
    """The sets of the cells that an edition publishes."""
    return frozenset(set_of(name, row) for name in edition.rows for row in edition.published(name))


def withheld_sets(edition: Edition) -> frozenset[Set]:
    """The sets of which an edition withholds the count: no cell of theirs is published."""
    hidden = (set_of(name, row) for name, rows in edition.rows.items() for row in rows if row["suppressed"])
    return frozenset(hidden) - shown_sets(edition)


def _withheld(number: int, edition: Edition, scope: Scope) -> Iterable[Quantity]:
    hidden = withheld_sets(edition)
    cells: dict[Set, set[Cell]] = {}
    for name, rows in edition.rows.items():
        for row in rows:
            if set_of(name, row) in hidden and not _is_beyond(edition, name, row):
                cell = number, name, keys_of(TABLES[name], row)
                if (standing := standing_for(set_of(name, row), scope)) is not None:
                    cells.setdefault(standing, set()).add(cell)
    for counted, own in cells.items():
        for unit in (CONVERSATIONS, USERS):
            form: Form = (((number, (unit, counted)), 1.0),)
            yield Quantity(number, min(own)[1], form, edition.rules.min_users, frozenset(own))


@lru_cache(maxsize=8)
def _nested_pairs(scope: Scope) -> tuple[tuple[Set, Set], ...]:
    """Every (part, whole) that follows from the declared relations, of sets that are published or measured against."""
    above: dict[Set, set[Set]] = {}
    for relation in fixed_relations(scope):
        match relation:
            case Within(part, whole):
                above.setdefault(part, set()).add(whole)
            case Apart(whole, parts, _):
                for part in parts:
                    above.setdefault(part, set()).add(whole)
    pairs = []
    for part in sorted(above):
        reached, ahead = set[Set](), [part]
        while ahead:
            further = above.get(ahead.pop(), set()) - reached
            reached |= further
            ahead += further
        pairs += [(part, whole) for whole in sorted(reached)]
    unshown = set(_unshown(scope))
    return tuple((part, whole) for part, whole in pairs if part not in unshown and whole not in unshown)


@lru_cache(maxsize=8)
def _unshown(scope: Scope) -> tuple[Set, ...]:
    """Sets that no table shows and nothing is measured against, and that are no difference of two that are."""
    names = {name for relation in fixed_relations(scope) for name in _sets(relation)}
    helpers = {name for name in names if name[0] in ("untold", "toneless", *HELPERS) or name[-1] in (NONE, NOT_LATE)}
    helpers |= {("ends", "unknown")} & names
    return tuple(sorted(helpers | {("screened", s) for s in ("roleplay", "unseen", "untyped", "plain")}))


def _sets(relation: object) -> tuple[Set, ...]:
    match relation:
        case Within(part, whole):
            return part, whole
        case Apart(whole, parts, _) | UsersApart(whole, parts):
            return whole, *parts
    return ()
