"""The attacker's program: every population that could stand behind what was published, as linear inequalities.

Lives here: relations and facts turned into one sparse program over exact counts, and the least and largest value that
a sum of counts can have in it, with the published facts that prove it. Not here: which sums must not be known too well
(`audit.py`), what is done about it (`complementary.py`).

Sources: Gusfield (1988), A graph theoretic approach to statistical data security, SIAM J. Comput. 17:552-571 (what
follows from a table with withheld cells); Fischetti & Salazar-Gonzalez (2001), Solving the cell suppression problem on
tabular data with linear constraints, Management Science 47:1008-1027 (the attacker's two programs, and proofs from
their duals).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dagster_project.domain.disclosure.editions import Edition, Scope, keys_of, scope_of
from dagster_project.domain.disclosure.readings import (
    BELOW,
    CONVERSATIONS,
    USERS,
    Fact,
    Variable,
    count_facts,
    share_facts,
)
from dagster_project.domain.disclosure.relations import fixed_relations, screening_atoms, topic_relations
from dagster_project.domain.disclosure.sets import (
    ALL,
    ASKED,
    Apart,
    Covered,
    EachUser,
    Relation,
    Set,
    UsersApart,
    Within,
)
from dagster_project.domain.disclosure.solver import Array, Infeasible, Optimum, Solver, System, whole
from dagster_project.domain.tables import TABLES, TOPICS

Form = tuple[tuple[tuple[int, Variable], float], ...]
"""A sum of counts, each of the edition of that number."""
Sum = tuple[tuple[Variable, float], ...]
"""A sum of counts of one edition."""
Cell = tuple[int, str, tuple[str, ...]]
"""A published cell: number of its edition, table, keys."""
ATOMS, ATOMS_BELOW = "atom", "atom below"
SPARE_WEIGHT = 5.0
"""By which weights, kept to four places, may miss the number of all conversations."""
TINY = 1e-6
NODES, GAP = 500, 0.001
"""Of the search for whole numbers: a clock would make equal inputs give different releases."""
MANY = 10.0**7
"""No period has so many conversations; counts of which nothing was told stay under it."""


class Contradiction(Exception):
    """No population could stand behind these rows: they contradict one another, or a relation is declared wrongly."""


@dataclass(frozen=True, slots=True)
class Told:
    """A fact and the cells that tell it: it is unsaid only when all of them are withheld."""

    fact: Fact
    cells: frozenset[Cell]


@dataclass(frozen=True, slots=True)
class Extreme:
    """The least or largest value, a population that has it (not always whole), and the facts that prove it."""

    value: float
    at: Array
    proof: tuple[Told, ...]


def consequences(relation: Relation, bound: int) -> Iterator[tuple[Sum, bool]]:
    """What a relation means for counts: sums that are at most 0, or (True) exactly 0.

    bound: the most conversations of a user that count in a period.
    """
    match relation:
        case Within(part, whole):
            for unit in (CONVERSATIONS, USERS):
                yield (((unit, part), 1), ((unit, whole), -1)), False
            yield _outside(part, whole), False
        case Covered(whole, parts):
            for unit in (CONVERSATIONS, USERS):
                yield (((unit, whole), 1), *(((unit, part), -1) for part in parts)), False
        case Apart(whole, parts, complete):
            yield ((((CONVERSATIONS, whole), -1), *(((CONVERSATIONS, part), 1) for part in parts))), complete
            for part in parts:
                yield (((USERS, part), 1), ((USERS, whole), -1)), False
                if not complete:
                    yield _outside(part, whole), False
            if complete:
                yield (((USERS, whole), 1), *(((USERS, part), -1) for part in parts)), False
            if complete and len(parts) == 2:
                # A user of both parts leaves one conversation of the bound to the other part.
                for a, b in (parts, parts[::-1]):
                    counted = ((CONVERSATIONS, b), 1), ((USERS, a), 1), ((USERS, b), 1 - bound), ((USERS, whole), -1)
                    yield counted, False
        case UsersApart(whole, parts):
            yield (((USERS, whole), 1), *(((USERS, part), -1) for part in parts)), True
        case EachUser(of, least, most):
            yield (((USERS, of), least), ((CONVERSATIONS, of), -1)), False
            yield (((CONVERSATIONS, of), 1), ((USERS, of), -bound if most is None else -most)), False


def _outside(part: Set, whole: Set) -> Sum:
    """Users of the whole who are not in the part have a conversation outside it."""
    return ((USERS, whole), 1), ((USERS, part), -1), ((CONVERSATIONS, whole), -1), ((CONVERSATIONS, part), 1)


@dataclass
class Rows:
    """Sparse rows under construction: each `form <= high`."""

    columns: dict[tuple[int, Variable], int]
    row: list[int] = field(default_factory=list)
    column: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def add(self, form: Iterable[tuple[tuple[int, Variable], float]], high: float = 0.0) -> int:
        """One more row; returns its number."""
        for variable, value in form:
            self.row.append(len(self.high))
            self.column.append(self.columns.setdefault(variable, len(self.columns)))
            self.value.append(value)
        self.high.append(high)
        return len(self.high) - 1

    def matrix(self, width: int) -> Any:
        """As a compressed sparse matrix."""
        from scipy.sparse import csr_array

        return csr_array((self.value, (self.row, self.column)), shape=(len(self.high), width))


@lru_cache(maxsize=8)
def _fixed(bound: int, scope: Scope, is_sample: bool = False) -> tuple[tuple[Sum, bool], ...]:
    """All that holds in every period, whatever was published.

    is_sample: the screen asked about some of the counted conversations only. Every set but `ALL` is of those, and where
    a relation says `ALL`, they are meant; and all that holds of conversations holds of those below the cut.
    """
    out = [c for relation in fixed_relations(scope) for c in consequences(relation, bound)]
    for name, atoms in screening_atoms().items():
        out.append(((((CONVERSATIONS, name), -1.0), *(((ATOMS, (str(a),)), 1.0) for a in sorted(atoms))), True))
    sets = sorted({variable[1] for form, _ in out for variable, _ in form if variable[0] != ATOMS})
    out += [c for name in sets for c in of_one(name, bound)]
    if not is_sample:
        return tuple(out)
    own = [(tuple(((v[0], ASKED) if v[1] == ALL else v, value) for v, value in form), exact) for form, exact in out]
    everybody = [*of_one(ALL, bound), *consequences(Within(ASKED, ALL), bound)]
    some = sorted({v[1] for form, _ in own for v, _ in form if v[0] == CONVERSATIONS})
    return (*own, *_below(own), *((_no_more_below(name), False) for name in some), *everybody)


def _below(holds: Iterable[tuple[Sum, bool]]) -> Iterator[tuple[Sum, bool]]:
    """What holds of conversations alone, of those below the cut."""
    units = {CONVERSATIONS: BELOW, ATOMS: ATOMS_BELOW}
    for form, exact in holds:
        if all(variable[0] in units for variable, _ in form):
            yield tuple(((units[variable[0]], variable[1]), value) for variable, value in form), exact


def _no_more_below(name: Set) -> Sum:
    return ((BELOW, name), 1.0), ((CONVERSATIONS, name), -1.0)


def of_one(name: Set, bound: int) -> Iterator[tuple[Sum, bool]]:
    """A user has at least one conversation and at most the bound."""
    yield (((USERS, name), 1), ((CONVERSATIONS, name), -1)), False
    yield (((CONVERSATIONS, name), 1), ((USERS, name), -bound)), False


class Program:
    """All that was published of some editions, by number. Variables are exact counts, at least 0.

    links: sums that are at most 0, from relations between periods. Where they cannot all hold, the attacker sees that
    the periods were counted from different data, and those that fail are dropped. scope: which tables and
    facets are told apart (`relations.fixed_relations`); by itself, those of which any cell is published. Raises
    Contradiction where what is left cannot hold.
    """

    def __init__(self, editions: Mapping[int, Edition], links: Sequence[Form] = (), scope: Scope | None = None) -> None:
        self.columns: dict[tuple[int, Variable], int] = {}
        self._most, self._exact = Rows(self.columns), Rows(self.columns)
        self._lows: dict[int, tuple[float, Told | None]] = {}
        self._highs: dict[int, tuple[float, Told | None]] = {}
        self._by_row: dict[int, Told] = {}
        self._scope = scope_of(editions.values()) if scope is None else scope
        for number, edition in editions.items():
            self._add(number, edition)
        self.links = {self._most.add(form): form for form in links}
        if links:
            self._drop_contradicting_links()

    def limit(self, form: Form, high: float) -> None:
        """One more condition, before the first question: the sum is at most `high`."""
        self._most.add(form, high)

    def middle(self, room: float) -> Array:
        """A population that leaves every link as much room as it can, up to `room`."""
        rooms = self._rooms()
        self._largest(self._of_rooms())
        found = self._bound(rooms, 0.0, room)
        self._bound(rooms, 0.0, 0.0)
        return found.at[: len(self.columns)]

    def _drop_contradicting_links(self) -> None:
        """Of links that cannot all hold, take out those whose breaking lets the others hold."""
        room = self._largest(self._of_rooms()).at[len(self.columns) :]
        broken = [row for row, own in zip(self.links, room, strict=True) if own < -TINY]
        self._solver.relax(broken)
        for row in broken:
            self._most.high[row] = np.inf
            del self.links[row]
        self._bound(self._rooms(), 0.0, 0.0)

    def _rooms(self) -> NDArray[np.int32]:
        """The columns of room: what each link is kept within by; below 0, it is broken."""
        return np.arange(len(self.columns), self._solver.width, dtype=np.int32)

    def _of_rooms(self) -> Array:
        return np.concatenate([np.zeros(len(self.columns)), np.ones(len(self._rooms()))])

    @cached_property
    def _solver(self) -> Solver:
        """Of all rows, with a column of room for each link: at most 0 at first, later 0 but while it is asked for."""
        from scipy.sparse import csr_array, hstack

        system, rows = self._system(), list(self.links)
        room = csr_array((np.ones(len(rows)), (rows, range(len(rows)))), shape=(len(system.low), len(rows)))
        none = np.zeros(len(rows))
        least, most = np.concatenate([system.least, none - np.inf]), np.concatenate([system.most, none])
        return Solver(System(hstack([system.matrix, room]), system.low, system.high, least, most))

    def _add(self, number: int, edition: Edition) -> None:
        bound = edition.max_conversations_per_user
        is_sample = edition.largest_weight > 1
        topics = edition.published(TOPICS.name)
        relations = topic_relations(topics)
        own = {part for relation in relations if isinstance(relation, Apart) for part in relation.parts}
        of_topics = [c for relation in relations for c in consequences(relation, bound)]
        holds = [*_fixed(bound, self._scope, is_sample), *of_topics]
        holds += [c for name in sorted(own) for c in of_one(name, bound)]
        if is_sample:
            holds += [*_below(of_topics), *((_no_more_below(name), False) for name in sorted(own))]
            # Those who were asked about stand for all that count.
            more = edition.rules.more_below
            stands_for: Sum = ((CONVERSATIONS, ASKED), 1.0), ((BELOW, ASKED), more), ((CONVERSATIONS, ALL), -1.0)
            for side in (1.0, -1.0):
                self._most.add((((number, v), side * value) for v, value in stands_for), SPARE_WEIGHT)
        for form, exact in holds:
            (self._exact if exact else self._most).add(((number, v), value) for v, value in form)
        for told in told_by(edition, number):
            self._tell(number, told)

    def _tell(self, number: int, told: Told) -> None:
        """Facts of one count bound its variable, others are rows."""
        fact = told.fact
        if len(fact.form) == 1:
            column = self.columns.setdefault((number, fact.form[0][0]), len(self.columns))
            if fact.low is not None and fact.low > self._lows.get(column, (0.0, None))[0]:
                self._lows[column] = fact.low, told
            if fact.high is not None and fact.high < self._highs.get(column, (np.inf, None))[0]:
                self._highs[column] = fact.high, told
            return
        form = [((number, variable), value) for variable, value in fact.form]
        if fact.low is not None:
            self._by_row[self._most.add([(v, -value) for v, value in form], -fact.low)] = told
        if fact.high is not None:
            self._by_row[self._most.add(form, fact.high)] = told

    def _system(self) -> System:
        """All rows over the counts: those of at most, then the exact ones."""
        from scipy.sparse import vstack

        width = len(self.columns)
        most, exact = np.array(self._most.high), np.array(self._exact.high)
        least, highest = np.zeros(width), np.full(width, MANY)
        for column, (low, _) in self._lows.items():
            least[column] = low
        for column, (high, _) in self._highs.items():
            highest[column] = high
        return System(
            vstack([self._most.matrix(width), self._exact.matrix(width)]),
            np.concatenate([np.full(len(most), -np.inf), exact]),
            np.concatenate([most, exact]),
            least,
            highest,
        )

    def _largest(self, sums: Array) -> Optimum:
        try:
            return self._solver.largest(sums)
        except Infeasible as error:
            raise Contradiction(str(error)) from None

    def _bound(self, columns: NDArray[np.int32], least: float, most: float) -> Optimum:
        try:
            return self._solver.bound(columns, least, most)
        except Infeasible as error:
            raise Contradiction(str(error)) from None

    def check(self) -> None:
        """Raise Contradiction where no population could stand behind the rows."""
        self._largest(np.zeros(self._solver.width))

    def largest(self, sums: Array) -> Extreme:
        """The largest value of a sum of counts, counts taken as real numbers. Raises Contradiction."""
        width = len(self.columns)
        found = self._largest(np.concatenate([sums, np.zeros(self._solver.width - width)]))
        proof = {told for row, told in self._by_row.items() if abs(found.of_rows[row]) > TINY}
        proof |= {t for c, (_, t) in self._lows.items() if t and found.of_columns[c] > TINY}
        proof |= {t for c, (_, t) in self._highs.items() if t and found.of_columns[c] < -TINY}
        return Extreme(found.value, found.at[:width], tuple(proof))

    def whole(self, sums: Array, around: Array | None = None, within: float = np.inf) -> Array | None:
        """A population of whole numbers with as large a sum as a bounded search finds, or None. No clock decides.

        around, within: no count is to be farther than that from these counts.
        """
        system = self._system()
        if around is not None:
            least = np.maximum(system.least, np.floor(around) - within)
            system = replace(system, least=least, most=np.minimum(system.most, np.ceil(around) + within))
        return whole(system, sums, NODES, GAP)


def told_by(edition: Edition, number: int) -> list[Told]:
    """Every fact that an edition tells, with its cells. Facts told alike by several cells are one."""
    cells: dict[Fact, set[Cell]] = {}
    bound = edition.max_conversations_per_user
    for name in edition.rows:
        table, rows = TABLES[name], edition.published(name)
        total = next((row for row in rows if table.is_total(row)), None)
        for row in rows:
            cell = number, name, keys_of(table, row)
            facts = [*count_facts(table, row, edition.rules)]
            facts += share_facts(table, row, total, edition.rules, bound, with_ends=edition.is_census)
            for fact in facts:
                cells.setdefault(fact, set()).add(cell)
    return [Told(fact, frozenset(tellers)) for fact, tellers in cells.items()]
