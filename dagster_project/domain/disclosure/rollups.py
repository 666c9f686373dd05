"""What counts of overlapping periods have to do with one another, when each period counts a user up to a bound.

In each period at most c conversations of a user count, chosen anew. A user with more than c there is *heavy* in it.
Every conversation of a user who is not heavy in a period counts in it, so that between two periods only heavy users
make a difference, and of each at most c conversations. Hence, for a set of conversations A, its users u, a period Q,
a period P inside it, and periods D that tile Q:

- n(A, P) <= n(A, Q) + c heavy(Q), and u(A, P) <= u(A, Q) + heavy(Q);
- n(A, Q) <= sum n(A, D) + c sum heavy(D), and u(A, Q) <= sum u(A, D) + sum heavy(D);
- sum n(A, D) <= n(A, Q) + [sum n(all, D) - n(all, Q) + c heavy(Q)], the bracket being what heavy users give the tiles;
- for all conversations together no choice matters: n and u grow from P to Q, and are no more in Q than in its tiles;
- (c - 1) heavy(P) <= n(all, P) - u(all, P), heavy(P) <= heavy(Q), and a user who is heavy in Q and in no tile gives the
  tiles more than c: heavy(Q) <= sum heavy(D) + sum n(all, D) - n(all, Q).

Days that lie between the ends of two periods are a stretch that nobody published, with counts of its own: each period
is tiled by such stretches, so that differences of any two periods are within reach, and what is derivable of a stretch
is audited as if it were a cell. Where two periods were counted from different data (late conversations, erasures),
what cannot hold is dropped (`program.py`). Not here: relations within a period (`relations.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from dagster_project.domain.disclosure.editions import Edition, Scope, scope_of
from dagster_project.domain.disclosure.program import Form
from dagster_project.domain.disclosure.readings import CONVERSATIONS, USERS, Variable
from dagster_project.domain.disclosure.relations import set_of, standing_for
from dagster_project.domain.disclosure.relations_of_detail import growing_sets, shown_sets
from dagster_project.domain.disclosure.sets import ALL, TYPES, Set
from dagster_project.domain.periods import Period, PeriodKind
from dagster_project.domain.tables import AGREEMENT, FUNNEL, PREVALENCE, PUSHBACK, SENTIMENT

HEAVY: Variable = ("heavy", ALL)
N_ALL: Variable = (CONVERSATIONS, ALL)
U_ALL: Variable = (USERS, ALL)


def stretches(editions: Sequence[Edition]) -> list[Edition]:
    """The days between the ends of periods, where they are no period themselves: editions without a row."""
    cuts = sorted({day for e in editions for day in (e.period.start, e.period.end)})
    known = {(e.period.start, e.period.end) for e in editions}
    return [
        Edition(Period(start, end, PeriodKind.WINDOW), {}, editions[0].rules, bound, design=editions[0].design)
        for start, end in pairwise(cuts)
        if (start, end) not in known and any(e.period.start <= start and end <= e.period.end for e in editions)
        for bound in [max(e.max_conversations_per_user for e in editions)]
    ]


def links(editions: Sequence[Edition]) -> Iterator[Form]:
    """Sums of (edition number, count) that are at most 0, between editions of which some are stretches."""
    scope = scope_of(editions)
    names, growing = linked_sets(scope), growing_sets(scope)
    for number, edition in enumerate(editions):
        heavy = (number, HEAVY), edition.max_conversations_per_user - 1.0
        yield heavy, ((number, U_ALL), 1.0), ((number, N_ALL), -1.0)
    for inner, outer in inside(editions):
        yield from _nested(inner, outer, editions, [*names, *growing])
    for number in range(len(editions)):
        for tiles in _tilings(number, editions):
            yield from _tiled(number, tiles, editions, names)


def equal_counts(one: int, other: int, names: Iterable[Set]) -> Iterator[Form]:
    """Sums of (edition number, count) that are at most 0: these sets have the same counts in two editions."""
    for name in sorted(names):
        for unit in (CONVERSATIONS, USERS):
            yield ((one, (unit, name)), 1.0), ((other, (unit, name)), -1.0)
            yield ((one, (unit, name)), -1.0), ((other, (unit, name)), 1.0)


def inside(editions: Sequence[Edition]) -> list[tuple[int, int]]:
    """Pairs of numbers (p, q) where the days of p are among those of q; both ways where they are the same."""
    return [
        (i, j)
        for j, b in enumerate(editions)
        for i, a in enumerate(editions)
        if i != j and b.period.start <= a.period.start and a.period.end <= b.period.end
    ]


@lru_cache(maxsize=8)
def linked_sets(scope: Scope) -> tuple[Set, ...]:
    """The sets that mean the same in every period, and are published or measured against.

    Topics do not (0027), and a user's band is of the period.
    """
    cells = {
        standing_for(set_of(table.name, dict(zip(table.keys, keys, strict=True))), scope)
        for table in (PREVALENCE, FUNNEL, PUSHBACK, SENTIMENT, AGREEMENT)
        for keys in table.grid()
    }
    known = {name for name in cells if name is not None}
    return tuple(sorted(known | {("asked", of) for of in TYPES} | set(shown_sets(scope))))


def _nested(inner: int, outer: int, editions: Sequence[Edition], names: Sequence[Set]) -> Iterator[Form]:
    bound = editions[inner].max_conversations_per_user
    alike = bound == editions[outer].max_conversations_per_user
    yield ((inner, U_ALL), 1.0), ((outer, U_ALL), -1.0)
    if alike:
        yield ((inner, N_ALL), 1.0), ((outer, N_ALL), -1.0)
        yield ((inner, HEAVY), 1.0), ((outer, HEAVY), -1.0)
    units = _linked_units(editions, (inner, outer))
    for name in names:
        if name != ALL:
            for unit, most in ((CONVERSATIONS, bound), (USERS, 1)):
                if unit in units:
                    yield ((inner, (unit, name)), 1.0), ((outer, (unit, name)), -1.0), ((outer, HEAVY), -float(most))


def _linked_units(editions: Sequence[Edition], numbers: Iterable[int]) -> tuple[str, ...]:
    """What two periods have in common besides all counted conversations and their users.

    In a sample of one design, those whom the screen asked about, and their users; between two designs, nothing.
    """
    return (CONVERSATIONS, USERS) if len({editions[number].design for number in numbers}) == 1 else ()


def _tiled(whole: int, tiles: Sequence[int], editions: Sequence[Edition], names: Sequence[Set]) -> Iterator[Form]:
    bound = editions[whole].max_conversations_per_user
    alike = all(editions[tile].max_conversations_per_user == bound for tile in tiles)
    heavy = tuple(((tile, HEAVY), -1.0) for tile in tiles)
    yield ((whole, U_ALL), 1.0), *(((tile, U_ALL), -1.0) for tile in tiles)
    if alike:
        fewer = ((whole, N_ALL), 1.0), *(((tile, N_ALL), -1.0) for tile in tiles)
        yield fewer
        yield ((whole, HEAVY), 1.0), *heavy, *fewer
    units = _linked_units(editions, (whole, *tiles))
    for name in names:
        if name == ALL:
            continue
        for unit, most in ((CONVERSATIONS, bound), (USERS, 1)):
            if unit not in units:
                continue
            parts = tuple(((tile, (unit, name)), -1.0) for tile in tiles)
            yield ((whole, (unit, name)), 1.0), *parts, *((tile, most * value) for tile, value in heavy)
        if alike and CONVERSATIONS in units:
            parts = tuple(((tile, (CONVERSATIONS, name)), 1.0) for tile in tiles)
            yield *parts, ((whole, (CONVERSATIONS, name)), -1.0), *fewer, ((whole, HEAVY), -float(bound))


def _tilings(number: int, editions: Sequence[Edition]) -> list[list[int]]:
    """The ways in which other editions of one kind, or the shortest of all, make up the days of one."""
    whole = editions[number].period
    within = [i for i, outer in inside(editions) if outer == number]
    tilings = []
    for kind in (None, *PeriodKind):
        chosen, day = list[int](), whole.start
        pieces = [i for i in within if kind is None or editions[i].period.kind is kind]
        while day < whole.end:
            ahead = [i for i in pieces if editions[i].period.start == day and editions[i].period != whole]
            if not ahead:
                break
            chosen.append(min(ahead, key=lambda i: editions[i].period.end))
            day = editions[chosen[-1]].period.end
        if day == whole.end and len(chosen) > 1 and chosen not in tilings:
            tilings.append(chosen)
    return tilings
