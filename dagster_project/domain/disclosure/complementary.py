"""Complementary suppression: which further cells to withhold so that the audit passes, at the least loss.

Each violation comes with a proof: the published facts from which a count follows too closely. One of them at least
has to go. The cheapest cells that take a fact from every proof found so far are withheld (a hitting set, by a
mixed-integer program), and what is left is attacked anew, until nothing is found: then no cheaper pattern would have
done, as every pattern that passes takes a fact from each of these proofs. Structural totals and what was published
earlier are never withheld. Not here: the attack (`audit.py`), decisions about single cells (`primary.py`).

Sources: Fischetti & Salazar-Gonzalez (2001), cell suppression by cuts from the attacker's duals; SDC handbook (ESS),
section 4.2.3 (information loss by cell weights); tau-ARGUS, User's manual 3.5, section 2.8 (a priori weights).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from dagster_project.domain.disclosure.audit import Violation, attack_one, attack_together
from dagster_project.domain.disclosure.candidates import CandidateError
from dagster_project.domain.disclosure.corrections import Earlier
from dagster_project.domain.disclosure.editions import Edition, blocks, keys_of, near, without
from dagster_project.domain.disclosure.program import Cell, Contradiction, Program
from dagster_project.domain.disclosure.quantities import withheld_sets
from dagster_project.domain.disclosure.relations import set_of
from dagster_project.domain.tables import PUSHBACK, TABLES

WORTH: Mapping[str, float] = {
    "prevalence": 20,
    "sentiment": 10,
    "topics": 10,
    "funnel": 8,
    "usage_bands": 0.5,
    "long_conversations": 5,
    "pushback": 4,
    "facets": 3,
    "drift": 2,
    "agreement": 2,
    "agreement_by": 0.5,
}
"""What a table's cells are worth to a reader; a cell of pushback that is of `any`, more."""
ANY_WORTH: Mapping[str, float] = {"affective_type": 2, "kind": 3, "position": 2}
HEADLINE = ("prevalence", ("affective",)), 3.0
"""The figure that a release is read for first."""
DOUBLING = 0.25
"""Each doubling of a cell's users makes it worth so much more."""
AGAIN = 0.5
"""Cells withheld in the neighbouring period are worth so much of it: a series with one gap reads better than two."""
STEPS = 2
"""How far from a new period others are taken into account: those it overlaps, and those that these overlap. What lies
farther off reaches it only through sums of many rounded cells."""
TURNS = 60
STEADY_AFTER = 5
"""After so many turns, what was withheld stays so: an end is then certain, the least loss is not."""


class NotProtected(CandidateError):
    """Rows that may not be published, because nothing more can be withheld or they contradict themselves."""


Withheld = frozenset[Cell]


def protect(new: Sequence[Edition], published: Sequence[Edition], earlier: Sequence[Earlier] = ()) -> list[Edition]:
    """The new editions with as many further cells withheld as it takes, for the audit to find nothing.

    earlier: where `new` is the correction of one period, its earlier revisions. Raises NotProtected, naming the table,
    where no choice of cells is enough.
    """
    current = {edition.period for edition in new}
    before = [edition for edition in published if edition.period not in current]
    done: list[Edition] = []
    for block in blocks([*before, *new]):
        if any(not edition.frozen for edition in block):
            done += [e for e in _protect(near(block, STEPS), [*before, *done], earlier) if not e.frozen]
    return done


def _protect(block: Sequence[Edition], others: Sequence[Edition], earlier: Sequence[Earlier]) -> list[Edition]:
    proofs: list[Violation] = []
    costs = dict(_costs(block, others))
    still = _still_withheld(block, earlier) & costs.keys()
    withheld: Withheld = still
    sound: set[tuple[int, Withheld]] = set()
    for turn in range(TURNS):
        editions = [
            without(edition, {cell[1:] for cell in withheld if cell[0] == number}) if not edition.frozen else edition
            for number, edition in enumerate(block)
        ]
        found = _violations(editions, earlier, withheld, sound)
        if not found:
            return editions
        proofs += found
        chosen = cheapest(proofs, costs, withheld if turn >= STEADY_AFTER else still)
        if chosen is None or chosen == withheld:
            raise NotProtected(f"{_tables(found)}: a count would be known too closely, and no cell is left to withhold")
        withheld = chosen
    raise NotProtected(f"{_tables(proofs)}: no pattern of withheld cells was found that protects every count")


def _still_withheld(block: Sequence[Edition], earlier: Sequence[Earlier]) -> Withheld:
    """The cells of a correction that hold what they held in a revision that withholds them.

    Shown, they would tell what that one withheld: every pattern that passes has them.
    """
    hidden = {counted for one in earlier for counted in withheld_sets(one.edition) & one.unchanged}
    return frozenset(
        (number, name, keys_of(TABLES[name], row))
        for number, edition in enumerate(block)
        if not edition.frozen
        for name in edition.rows
        for row in edition.published(name)
        if set_of(name, row) in hidden
    )


def _violations(
    editions: Sequence[Edition], earlier: Sequence[Earlier], withheld: Withheld, sound: set[tuple[int, Withheld]]
) -> list[Violation]:
    """What the audit finds. Raises NotProtected.

    `sound` remembers the editions that had nothing by themselves; what was published earlier has been through that.
    """
    found: list[Violation] = []
    try:
        for number, edition in enumerate(editions):
            state = number, frozenset(cell for cell in withheld if cell[0] == number)
            if not edition.frozen and state not in sound:
                own = attack_one(number, edition)
                found += own
                if not own:
                    sound.add(state)
        return found or attack_together(editions, earlier)
    except Contradiction:
        raise NotProtected(f"{_contradicting(editions)}: the published counts contradict one another") from None


def _contradicting(editions: Sequence[Edition]) -> str:
    """The table that contradicts itself, or else all that are published."""
    for edition in editions:
        for name in edition.rows:
            try:
                Program({0: replace(edition, rows={name: edition.rows[name]})}).check()
            except Contradiction:
                return name
    return ", ".join(sorted({name for edition in editions for name in edition.rows if edition.published(name)}))


def cheapest(
    violations: Sequence[Violation], costs: Mapping[Cell, float], kept: Withheld = frozenset()
) -> Withheld | None:
    """The cells of least cost that take a fact from every proof; None where none do.

    A fact goes when all the cells that tell it go. A proof about a cell that is itself withheld here binds only while
    it is.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    facts = sorted({told.cells for v in violations for told in v.proof if told.cells <= costs.keys()}, key=sorted)
    cells = sorted({cell for fact in facts for cell in fact} | kept)
    place = {cell: i for i, cell in enumerate(cells)}
    width = len(cells) + len(facts)
    fact_place = {fact: len(cells) + i for i, fact in enumerate(facts)}
    rows, lows = [], []
    for fact in facts:
        for cell in fact:
            row = np.zeros(width)
            row[place[cell]], row[fact_place[fact]] = 1, -1
            rows.append(row)
            lows.append(0.0)
    for violation in violations:
        row = np.zeros(width)
        for told in violation.proof:
            if told.cells in fact_place:
                row[fact_place[told.cells]] = 1
        ours = [cell for cell in violation.quantity.cells if cell in costs]
        if ours and not all(cell in place for cell in ours):
            continue
        for cell in ours:
            row[place[cell]] -= 1
        rows.append(row)
        lows.append(1.0 - len(ours))
    price = np.array([costs[cell] for cell in cells] + [0.0] * len(facts))
    least = np.array([float(cell in kept) for cell in cells] + [0.0] * len(facts))
    if not width:
        return None
    found = milp(
        price,
        integrality=np.ones(width),
        bounds=Bounds(least, np.ones(width)),
        constraints=LinearConstraint(np.array(rows), lb=np.array(lows)),
    )
    return frozenset(cell for cell in cells if found.x[place[cell]] > 0.5) if found.x is not None else None


def _costs(block: Sequence[Edition], others: Sequence[Edition]) -> Iterable[tuple[Cell, float]]:
    """What each cell that may be withheld is worth."""
    for number, edition in enumerate(block):
        again = _withheld_beside(edition, others) if not edition.frozen else set()
        for name in edition.rows if not edition.frozen else ():
            table = TABLES[name]
            for row in edition.published(name):
                if table.is_total(row):
                    continue
                users = row.get("n_users")
                worth = WORTH[name] * (1 + DOUBLING * math.log2(max(users, 1) if isinstance(users, int) else 1))
                for key, factor in ANY_WORTH.items():
                    worth *= factor if table is PUSHBACK and row[key] == "any" else 1
                cell = name, keys_of(table, row)
                worth *= HEADLINE[1] if cell == HEADLINE[0] else 1
                yield (number, *cell), worth * (AGAIN if cell in again else 1)


def _withheld_beside(edition: Edition, others: Sequence[Edition]) -> set[tuple[str, tuple[str, ...]]]:
    """The cells withheld in the periods of the same kind next before and next after."""
    alike = [other for other in others if other.period.kind is edition.period.kind]
    before = max((o for o in alike if o.period.start < edition.period.start), key=lambda o: o.period, default=None)
    after = min((o for o in alike if o.period.start > edition.period.start), key=lambda o: o.period, default=None)
    return {
        (name, keys_of(TABLES[name], row))
        for other in (before, after)
        if other is not None
        for name, rows in other.rows.items()
        for row in rows
        if row["suppressed"]
    }


def _tables(violations: Sequence[Violation]) -> str:
    return ", ".join(sorted({violation.quantity.table for violation in violations}))
