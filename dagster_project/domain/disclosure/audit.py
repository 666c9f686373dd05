"""The interval audit: attacks what is about to be published, together with everything published before.

Lives here: the two rules. From what is published alone, the feasible interval of each withheld count is at least k
wide, and no derivable count has a feasible interval inside [1, k - 1]. k is the rules' fewest users, for conversations
as for users.

A count is cleared by two populations found in passing that differ enough in it, so that few programs are solved; what
is not cleared so is attacked by itself. Interval ends of real-valued programs are rounded inward; where that decides,
whole numbers do (mixed-integer program). Not here: which counts those are (`quantities.py`), what is done about a
violation (`complementary.py`).

Source: Fischetti & Salazar-Gonzalez (2001), protection levels checked by the attacker's programs; tau-ARGUS audits
suppression patterns in the same way (User's manual 3.5, section 2.10).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dagster_project.domain.disclosure.corrections import Earlier
from dagster_project.domain.disclosure.editions import Edition, Scope, blocks, scope_of
from dagster_project.domain.disclosure.program import TINY, Program, Told
from dagster_project.domain.disclosure.quantities import Quantity, quantities_of, quantities_of_periods
from dagster_project.domain.disclosure.readings import Variable
from dagster_project.domain.disclosure.relations import standing_for
from dagster_project.domain.disclosure.rollups import equal_counts, links, stretches
from dagster_project.domain.disclosure.solver import Array

ROUNDS = 12
"""Programs that look for populations clearing many counts at once, at most."""
SPARE = 2
"""A count is cleared in passing only with this much to spare, as the populations found need not be whole."""
ROOM = 20.0
"""What links between periods are given in the population at which other periods are held."""
NEAR = 2.0, 10.0, 50.0
"""How far from the middle whole numbers are looked for, in turn."""
HAIR = 1e-3
"""By which held links give way, so that the solver's own inaccuracy is no contradiction."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A quantity known too well, and the published facts that prove it. Never printed with its numbers."""

    quantity: Quantity
    proof: frozenset[Told]


def audit(editions: Sequence[Edition]) -> list[Violation]:
    """What can be known too well from these editions together. Raises program.Contradiction where they contradict."""
    found: list[Violation] = []
    for block in blocks(editions):
        alone = [v for number, edition in enumerate(block) for v in attack_one(number, edition)]
        found += alone or attack_together(block)
    return found


def attack_one(number: int, edition: Edition) -> list[Violation]:
    """The violations of one edition by itself. Raises program.Contradiction."""
    return _Attack(Program({number: edition}), quantities_of(number, edition)).run()


def attack_together(block: Sequence[Edition], earlier: Sequence[Earlier] = ()) -> list[Violation]:
    """The violations that need several editions; each of them has none by itself. Raises program.Contradiction.

    First each edition is attacked with the others held at a population that leaves their links room: what is cleared
    so is cleared. Only what is left is put to the program of all of them. earlier: revisions of the one new edition of
    the block, which share most of its counts, so that holding them would clear nothing.
    """
    if len(block) + len(earlier) < 2:
        return []
    linked = [*block, *stretches(block)]
    editions = dict(enumerate([*linked, *(one.edition for one in earlier)]))
    scope = scope_of(editions.values())
    forms, together = list(links(linked)), set[int]()
    for number, one in enumerate(earlier, len(linked)):
        new = next(i for i, edition in enumerate(block) if not edition.frozen)
        forms += equal_counts(new, number, {s for name in one.unchanged if (s := standing_for(name, scope))})
        together |= {new, number}
    program = Program(editions, forms)
    quantities = [*quantities_of_periods(block, linked)]
    quantities += [q for i, edition in editions.items() if edition.rows for q in quantities_of(i, edition, scope)]
    middle = program.middle(ROOM)
    known = {variable: float(middle[column]) for variable, column in program.columns.items()}
    held = _Held(program, editions, scope, known)
    suspects = [q for q in quantities if q.edition in together]
    for number in editions:
        own = [q for q in quantities if q.edition == number]
        if own and number not in together:
            suspects += _Attack(held.program([number]), own, known).suspects()
    return _Attack(program, suspects, wholes=_Wholes(program, held, together)).run() if suspects else []


class _Held:
    """Programs of some editions of many, with what links them to the others held at one population's counts."""

    def __init__(
        self,
        program: Program,
        editions: Mapping[int, Edition],
        scope: Scope,
        known: Mapping[tuple[int, Variable], float],
    ) -> None:
        self._all, self.editions, self._scope, self.known = program, editions, scope, known

    def at(self, known: Mapping[tuple[int, Variable], float]) -> _Held:
        """The same, held at other counts."""
        return _Held(self._all, self.editions, self._scope, known)

    def program(self, numbers: Collection[int]) -> Program:
        """Of the editions of these numbers."""
        alone = Program({n: self.editions[n] for n in numbers}, scope=self._scope)
        for form in self._all.links.values():
            own = tuple((variable, value) for variable, value in form if variable[0] in numbers)
            if own:
                others = sum(value * self.known[v] for v, value in form if v[0] not in numbers)
                alone.limit(own, HAIR - others)
        return alone


class _Wholes:
    """Populations of whole numbers of many editions: one that is near the middle, and others by moving some of them.

    A search in all editions for each quantity would take minutes. together: editions that have to be moved at once.
    """

    def __init__(self, program: Program, held: _Held, together: Collection[int]) -> None:
        self._all, self._held, self._together = program, held, frozenset(together)
        # Stretches give way: nothing was published of them.
        self._unpublished = frozenset(number for number, edition in held.editions.items() if not edition.rows)
        self._programs: dict[frozenset[int], Program] = {}

    def largest(self, quantity: Quantity, sums: Array) -> Array | None:
        """A population where a sum of counts of the quantity's editions is large, or None."""
        if self._first is None:
            return None
        numbers = frozenset(number for (number, _), _ in quantity.form)
        numbers |= self._together if numbers & self._together else frozenset()
        numbers |= self._unpublished
        if numbers not in self._programs:
            self._programs[numbers] = self._first.program(numbers)
        moved = self._programs[numbers]
        columns = [self._all.columns[variable] for variable in moved.columns]
        found = moved.whole(sums[columns])
        if found is None:
            return None
        population = np.array([self._first.known[variable] for variable in self._all.columns])
        population[columns] = np.round(found)
        return population

    @cached_property
    def _first(self) -> _Held | None:
        """The middle made whole, edition by edition, each beside the others as they are by then."""
        known = dict(self._held.known)
        alone = [frozenset({number}) for number in self._held.editions if number not in self._together]
        for numbers in (*alone, *([self._together] if self._together else [])):
            program = self._held.at(known).program(numbers)
            around = np.array([known[variable] for variable in program.columns])
            tried = (program.whole(np.zeros(len(around)), around, within) for within in NEAR)
            found = next((population for population in tried if population is not None), None)
            if found is None:
                return None
            known |= dict(zip(program.columns, np.round(found).tolist(), strict=True))
        return self._held.at(known)


class _Attack:
    """The search: the least and most seen of each quantity in populations of real and of whole numbers.

    known: values of counts that are not the program's own. wholes: where the program is of many editions.
    """

    def __init__(
        self,
        program: Program,
        quantities: Sequence[Quantity],
        known: Mapping[tuple[int, Variable], float] | None = None,
        wholes: _Wholes | None = None,
    ) -> None:
        from scipy.sparse import csr_array

        self._program, self._quantities, self._wholes = program, quantities, wholes
        self._constant = np.zeros(len(quantities))
        rows, columns, values = list[int](), list[int](), list[float]()
        for i, quantity in enumerate(quantities):
            for variable, value in quantity.form:
                if variable in program.columns:
                    rows.append(i)
                    columns.append(program.columns[variable])
                    values.append(value)
                else:
                    self._constant[i] += value * (known or {})[variable]
        self._matrix = csr_array((values, (rows, columns)), shape=(len(quantities), len(program.columns)))
        self._k = np.array([q.k for q in quantities])
        self._is_withheld = np.array([bool(q.cells) for q in quantities])
        self._real, self._whole = (np.array([[np.inf], [-np.inf]]).repeat(len(quantities), 1) for _ in range(2))

    def run(self) -> list[Violation]:
        """The violations, each with the published facts that prove it."""
        self._search()
        found: dict[object, Violation] = {}
        for i in self._open():
            # Where conversations are known too well, so are most often the users: one proof is enough for a turn.
            same = tuple((number, name, value) for ((number, (_, name)), value) in self._quantities[i].form)
            if same not in found and i in self._open() and (violation := self._attack(int(i))):
                found[same] = violation
        return list(found.values())

    def suspects(self) -> list[Quantity]:
        """The quantities that cannot be cleared."""
        self._search()
        return [self._quantities[i] for i in self._open() if i in self._open() and self._attack(int(i))]

    def _search(self) -> None:
        """Look for populations that clear many quantities at once; whole ones of one edition alone."""
        for signs in (np.where(self._is_withheld, 0.0, -1.0), np.where(self._is_withheld, 1.0, 0.0)):
            if self._wholes:
                self._see(self._real, self._program.largest(self._matrix.T @ signs).at)
            else:
                self._see_whole(self._program.whole(self._matrix.T @ signs))
        draw = np.random.default_rng(0)
        for turn in range(ROUNDS):
            still = self._open()
            weights = np.zeros(len(self._quantities))
            weights[still] = draw.uniform(0.5, 1.5, still.size)
            if turn % 3 == 2:
                weights[self._is_withheld] *= -1
            self._see(self._real, self._program.largest(self._matrix.T @ weights).at)
            if not self._open().size or (turn >= 2 and self._open().size == still.size):
                return

    def _open(self) -> Any:
        """The quantities that no two populations seen so far clear."""
        real = np.where(self._is_withheld, self._real[1] - self._real[0], self._real[1])
        whole = np.where(self._is_withheld, self._whole[1] - self._whole[0], self._whole[1])
        nobody = ~self._is_withheld & (self._whole[0] < 1)
        return np.flatnonzero((real < self._k + SPARE - TINY) & (whole < self._k) & ~nobody)

    def _see(self, seen: Array, population: Array) -> None:
        found = self._matrix @ population + self._constant
        seen[0], seen[1] = np.minimum(seen[0], found), np.maximum(seen[1], found)

    def _see_whole(self, population: Array | None) -> None:
        if population is not None:
            self._see(self._whole, np.round(population))

    def _populations(self, quantity: Quantity, sums: Array) -> Iterator[Array | None]:
        """Populations of whole numbers where a quantity is large, and small; the quickly found ones first."""
        if self._wholes:
            yield from (self._wholes.largest(quantity, side * sums) for side in (1, -1))
        yield from (self._program.whole(side * sums) for side in (1, -1))

    def _attack(self, i: int) -> Violation | None:
        """Both ends of one quantity's interval: of real numbers, and where those do not decide, of whole numbers."""
        quantity = self._quantities[i]
        sums = self._matrix[[i], :].toarray().ravel()
        top, bottom = self._program.largest(sums), self._program.largest(-sums)
        self._see(self._real, top.at)
        self._see(self._real, bottom.at)
        low, high = (
            math.ceil(-bottom.value + self._constant[i] - TINY),
            math.floor(top.value + self._constant[i] + TINY),
        )
        if not quantity.is_broken(low, high):
            if i not in self._open():
                return None
            for population in self._populations(quantity, sums):
                self._see_whole(population)
                if i not in self._open():
                    return None
        return Violation(quantity, frozenset({*top.proof, *bottom.proof}))
