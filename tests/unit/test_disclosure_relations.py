"""Every declared relation holds for every population: else the audit attacks a world that does not exist.

All relations are sums over users, and those of conversations alone are sums over conversations. So it is enough that
each holds for every single conversation and for every single user, and these can be gone through.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import combinations, combinations_with_replacement, product
from typing import Any

import pytest

from dagster_project.domain.disclosure.editions import Edition, scope_of
from dagster_project.domain.disclosure.program import ATOMS, consequences, of_one
from dagster_project.domain.disclosure.relations import (
    fixed_relations,
    screening_atoms,
    topic_relations,
)
from dagster_project.domain.disclosure.rollups import links, stretches
from dagster_project.domain.disclosure.sets import ALL, Apart, Covered, EachUser, Set, UsersApart, Within
from dagster_project.domain.periods import Period, parse_period
from dagster_project.domain.study import AFFECTIVE_TYPES, ROLEPLAY_TYPES, TALK_TYPES
from dagster_project.policy.loader import Policy
from tests.support.declared_sets import SHOWN, counts_of, sets_of
from tests.support.populations import OF_ALL, Habits, Talk, counted, random_talks

DAY = date(2026, 10, 5)
SCOPE = scope_of([Edition(parse_period("2026-W41"), SHOWN, Policy.resolve().rules, 5)])
RELATIONS = fixed_relations(SCOPE)
SCREENS: list[dict[str, Any]] = [
    {"creation": creation, "types": types} for creation in (True, False, None) for types in (None, frozenset())
] + [
    {"creation": creation, "types": frozenset(types)}
    for creation in (True, False, None)
    for n in range(1, 7)
    for types in combinations(AFFECTIVE_TYPES, n)
]
"""Every outcome of screening."""


def broken(talks: Iterable[Talk], bound: int, relations: Iterable[object] = RELATIONS) -> list[object]:
    """The relations that a population does not have."""
    counts = counts_of(talks)
    out = []
    for relation in relations:
        assert isinstance(relation, Within | Covered | Apart | UsersApart | EachUser)
        for form, exact in consequences(relation, bound):
            value = sum(weight * counts[variable] for variable, weight in form)
            if value > 0 or (exact and value != 0):
                out.append(relation)
    for name in {name for _, name in list(counts)}:
        out += [name for form, _ in of_one(name, bound) if sum(w * counts[v] for v, w in form) > 0]
    return out


def all_talks() -> Iterator[Talk]:
    """Every outcome of screening; and for a few sets of types every pushback of three kinds in every third."""
    for screen in SCREENS:
        yield Talk(1, DAY, **screen, tone=None, pushback=None)
        yield Talk(1, DAY, **screen, tone=(0.0, 0.1), pushback={"safety": 1})
        yield from (Talk(1, DAY, **screen, pushback=None, coded=True, brief=brief) for brief in (True, False))
    for types in (("coaching",), ("coaching", "companionship"), TALK_TYPES, ("coaching", "sexual_roleplay")):
        for thirds in product((None, 0, 1, 2), repeat=3):
            pushback = {k: t for k, t in zip(("safety", "refusal", "other"), thirds, strict=True) if t is not None}
            yield Talk(1, DAY, False, frozenset(types), pushback, coded=thirds[0] is None, brief=not pushback)
        for thirds in ({}, {"safety": 1}):
            for referral, language in product(
                ([], ["professional"], ["professional", "people_close"]), (None, "french")
            ):
                told = {"referral": frozenset(referral), "pushback_target": frozenset({"request"})}
                told |= {"language": frozenset({language})} if language else {}
                ends = ("coaching", "none_of_these") if language else None
                is_roleplay = bool(set(types) & set(ROLEPLAY_TYPES))
                if is_roleplay:
                    told, ends = {f: v for f, v in told.items() if f == OF_ALL}, None
                yield Talk(1, DAY, False, frozenset(types), thirds, None, long=not is_roleplay, ends=ends, facets=told)
    yield Talk(1, DAY, True, facets={OF_ALL: frozenset({"english"})})


def test_every_relation_holds_for_every_conversation() -> None:
    """Prevents an audit that proves too much, of any combination of labels."""
    seen = 0
    for talk in all_talks():
        assert broken([talk], 1) == []
        assert broken([talk], 5) == []
        seen += 1
    assert seen > 600


def test_atoms_are_the_outcomes_of_screening() -> None:
    """Prevents two outcomes that tables tell apart from being one in the program, or one from being two."""
    sets = screening_atoms()
    signatures = {frozenset(sets_of(Talk(1, DAY, **screen, pushback=None)) & set(sets)) for screen in SCREENS}
    atoms = {frozenset(name for name, members in sets.items() if atom in members) for atom in sets[ALL]}
    assert atoms == signatures
    assert len(sets[ALL]) == 67


@pytest.mark.parametrize("bound", [1, 2, 3])
def test_every_relation_holds_for_every_user(bound: int) -> None:
    """Prevents the bound on a user's conversations from being credited with more than it does."""
    draw = random.Random(bound)
    some = [*draw.sample(list(all_talks()), 12), Talk(1, DAY), Talk(1, DAY, True)]
    for n in range(1, bound + 1):
        for talks in combinations_with_replacement(some, n):
            assert broken(talks, bound) == []


@pytest.mark.parametrize("seed", range(6))
def test_every_relation_holds_for_random_populations(seed: int) -> None:
    habits = Habits(
        60, 3.0, types=(0.2, 0.2, 0.2, 0.2, 0.1, 0.1), second_type=0.4, pushback=0.6, untold=0.2, unknown=0.1,
        long=0.3, ends=0.7, facets=0.7, coded=0.5,
    )  # fmt: skip
    bound = random.Random(seed).randint(1, 5)
    week = parse_period("2026-W41")
    assert broken(counted(random_talks(seed, habits, week.start, 7), week, bound), bound) == []


def test_topics_of_one_level_are_apart_and_children_are_within() -> None:
    rows = [
        {"affective_type": "coaching", "topic_id": i, "parent_topic_id": up, "level": level}
        for i, up, level in (
            ("a", None, 0),
            ("b", None, 0),
            ("c", "a", 1),
            ("d", "a", 1),
            ("e", None, 1),
            ("f", None, 2),
        )
    ]
    families = {(r.whole, r.parts) for r in topic_relations(rows) if isinstance(r, Apart) and not r.complete}

    def topics(names: str) -> tuple[Set, ...]:
        return tuple(("topic", "coaching", name) for name in names)

    assert families == {
        (("analysed", "coaching"), topics("abe")),  # e's parent is withheld, and no conversation of e is in a or b
        (("analysed", "coaching"), topics("cdef")),
        (("analysed", "coaching"), topics("f")),
        (("topic", "coaching", "a"), topics("cd")),
    }


PERIODS = [
    "2026-10-05", "2026-10-06", "2026-W41", "2026-W42", "2026-10", "2026-10-05..2026-10-06", "2026-10-01..2026-10-31",
    "2026-10-06..2026-10-20",
]  # fmt: skip


@pytest.mark.parametrize("bound", [1, 2, 5])
@pytest.mark.parametrize("seed", range(4))
def test_links_between_periods_hold_whatever_the_bound_chooses(seed: int, bound: int) -> None:
    """Prevents roll-ups from being added up as if the bound chose the same conversations in each of them."""
    types = (0.2, 0.2, 0.1, 0.1, 0.05, 0.05)
    habits = Habits(40, 4.0, types=types, pushback=0.5, heavy=0.2, long=0.3, ends=0.7, facets=0.7, coded=0.4)
    talks = random_talks(seed, habits, date(2026, 9, 28), 40)
    rules = Policy.resolve().rules
    editions = [Edition(parse_period(key), SHOWN, rules, bound) for key in PERIODS]
    editions += stretches(editions)
    assert len(editions) > len(PERIODS)
    exact = [counts_of(counted(talks, e.period, bound)) for e in editions]
    for counts, edition in zip(exact, editions, strict=True):
        counts["heavy", ALL] = n_heavy(talks, edition.period, bound)
    forms = list(links(editions))
    assert len(forms) > 500
    assert max(counts["heavy", ALL] for counts in exact) > 5
    for form in forms:
        assert sum(weight * exact[number][variable] for (number, variable), weight in form) <= 0


def test_links_hold_where_the_bound_was_changed() -> None:
    habits = Habits(40, 4.0, heavy=0.2, long=0.3, ends=0.7, facets=0.7, coded=0.4)
    talks = random_talks(1, habits, date(2026, 9, 28), 40)
    rules = Policy.resolve().rules
    for bounds in ((1, 5), (5, 1), (2, 3)):
        editions = [Edition(parse_period(key), SHOWN, rules, bounds[i % 2]) for i, key in enumerate(PERIODS)]
        editions += stretches(editions)
        exact = [counts_of(counted(talks, e.period, e.max_conversations_per_user)) for e in editions]
        for counts, edition in zip(exact, editions, strict=True):
            counts["heavy", ALL] = n_heavy(talks, edition.period, edition.max_conversations_per_user)
        for form in links(editions):
            assert sum(weight * exact[number][variable] for (number, variable), weight in form) <= 0


def n_heavy(talks: Iterable[Talk], period: Period, bound: int) -> int:
    each = Counter(talk.user for talk in talks if period.start <= talk.day < period.end)
    return sum(n > bound for n in each.values())


def test_stretches_are_the_days_between_the_ends_of_periods() -> None:
    editions = [Edition(parse_period(key), {}, Policy.resolve().rules, 5) for key in ("2026-W41", "2026-10")]
    found = [(s.period.start.day, (s.period.end - timedelta(1)).day) for s in stretches(editions)]
    assert found == [(1, 4), (12, 31)]
    assert all(variable[0] != ATOMS for form in links(editions) for (_, variable), _ in form)
