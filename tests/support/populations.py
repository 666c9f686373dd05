"""Made-up populations, user by user, and the candidate rows that the warehouse would count of them.

The cells are counted here afresh from what the tables mean, conversation by conversation, so that tests of the
declared relations do not lean on the declaration. Not here: rows of arbitrary sizes (`candidates.py`).
"""

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from dagster_project.domain.columns import CODED_COUNTS, CODED_ESTIMATES
from dagster_project.domain.estimation.wilson import clustered_wilson_interval, residual_square
from dagster_project.domain.periods import Period
from dagster_project.domain.study import AFFECTIVE_TYPES, ROLEPLAY_TYPES, TALK_TYPES
from dagster_project.domain.tables import (
    AGREEMENT,
    AGREEMENT_BY,
    ANY_NUMBER,
    BANDS,
    ENDS,
    ONE,
    ONE_OR_MORE,
    SENTIMENT,
    TABLES,
)

Row = dict[str, Any]
KINDS = ("refusal", "safety", "boundary", "challenge", "correction", "other")
THIRDS = ("early", "middle", "late")
FACETS = {
    "referral": (None, ANY_NUMBER, ("crisis_service", "professional", "people_close")),
    "pushback_target": ("pushback", ONE_OR_MORE, ("request", "plan", "other")),
    "language": (None, ONE, ("english", "french", "else")),
}
"""Facets of made-up populations: what each describes, how many values a conversation has, which. `language` is asked of
all conversations."""
OF_ALL = "language"


@dataclass(frozen=True)
class Talk:
    """One labelled conversation. creation, types: None where it could not be told. pushback: kind to first third.

    topics: by type, a topic or a parent and a topic below it: `up/topic`. long: of at least 50 human messages. brief: of
    fewer than six, so that it is not long and has no tone.
    ends: types at start and end. facets: values by facet, none where not told.
    """

    user: int
    day: date
    creation: bool | None = False
    types: frozenset[str] | None = frozenset()
    pushback: dict[str, int] | None = field(default_factory=dict)
    tone: tuple[float, float] | None = None
    topics: dict[str, str] = field(default_factory=dict)
    name: str = ""
    coded: bool = False
    """People labelled it."""
    long: bool = False
    brief: bool = False
    ends: tuple[str, str] | None = None
    facets: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def affective(self) -> frozenset[str]:
        """The types that count: only a known "no content creation" lets them."""
        return self.types if self.creation is False and self.types else frozenset()


def _name(talk: Talk) -> str:
    return f"{talk.user}/{talk.name}"


def counted(talks: Iterable[Talk], period: Period, bound: int, named: Callable[[Talk], str] = _name) -> list[Talk]:
    """At most so many of each user in the period, in an order that looks at no label, only at what it is named."""
    by_user: dict[int, list[Talk]] = defaultdict(list)
    for talk in talks:
        if period.start <= talk.day < period.end:
            by_user[talk.user].append(talk)
    return [
        talk
        for own in by_user.values()
        for talk in sorted(own, key=lambda t: hashlib.md5(f"{period.key}{named(t)}".encode()).digest())[:bound]
    ]


def cells_of(talk: Talk) -> list[tuple[str, tuple[str, ...]]]:
    """Every cell that counts a conversation, as (table, keys)."""
    types = talk.affective
    out: list[tuple[str, tuple[str, ...]]] = [("prevalence", ("all",)), ("funnel", ("all",))]
    if talk.creation is False:
        out.append(("funnel", ("not_content_creation",)))
    if talk.creation:
        out.append(("prevalence", ("content_creation",)))
    elif talk.creation is None or talk.types is None:
        out.append(("prevalence", ("unknown",)))
    out += [("prevalence", (kind,)) for kind in sorted(types)]
    if types:
        out += [("prevalence", ("affective",)), ("funnel", ("affective",))]
    if types & {"companionship", *ROLEPLAY_TYPES}:
        out.append(("prevalence", ("companionship_or_roleplay",)))
    if talk.coded:
        screened = [facet for facet in AGREEMENT.fixed["facet"] if facet != "pushback"]
        out += [("agreement", (facet,)) for facet in screened]
        out += [("agreement_by", (facet, "length", length_of(talk))) for facet in screened]
    out += [("facets", (OF_ALL, value, "all")) for value in talk.facets.get(OF_ALL, ())]
    if not types or types & set(ROLEPLAY_TYPES):
        return out
    if talk.coded and talk.pushback is not None:
        out += [("agreement", ("pushback",)), ("agreement_by", ("pushback", "length", length_of(talk)))]
        out += [("agreement_by", ("pushback", "affective_type", of)) for of in sorted(types)]
    out.append(("funnel", ("analysed",)))
    asked = ("any", *sorted(types))
    for of in asked:
        if talk.pushback:
            first = {**talk.pushback, "any": min(talk.pushback.values())}
            for kind, third in first.items():
                out += [("pushback", (of, kind, "any")), ("pushback", (of, kind, THIRDS[third]))]
        if talk.tone is not None:
            out.append(("sentiment", (of,)))
        if talk.long:
            out.append(("long_conversations", (of,)))
        for facet, values in facets_told(talk).items():
            out += [("facets", (facet, value, of)) for value in values]
    if talk.ends:
        out.append(("drift", talk.ends))
    paths = [(of, path.split("/")) for of, path in talk.topics.items() if of in types]
    return out + [("topics", (of, topic)) for of, path in paths for topic in path]


def length_of(talk: Talk) -> str:
    """The band of its human messages."""
    return "under_6" if talk.brief else "6_or_more"


def facets_told(talk: Talk) -> dict[str, frozenset[str]]:
    """The facets that an analysed conversation is in the denominator of: of events, only where there are any."""
    return {f: values for f, values in talk.facets.items() if FACETS[f][0] is None or talk.pushback}


def band_of(n: int) -> str:
    """The band of a user with so many counted affective conversations."""
    return next(band for band, (least, most) in BANDS.items() if n >= least and (most is None or n <= most))


def denominators_of(talk: Talk) -> list[tuple[str, tuple[str, ...]]]:
    """Every denominator that a conversation is in: by table, by type where that has one, by facet."""
    out: list[tuple[str, tuple[str, ...]]] = [("prevalence", ()), ("funnel", ())]
    types = talk.affective
    out += [("facets", (OF_ALL, "all"))] if OF_ALL in talk.facets else []
    out += [("usage_bands", ())] if types else []
    if types and not types & set(ROLEPLAY_TYPES) and talk.ends:
        out.append(("drift", ()))
    if types and not types & set(ROLEPLAY_TYPES):
        for of in ("any", *sorted(types)):
            out += [("topics", (of,)), ("long_conversations", (of,))]
            out += [("pushback", (of,))] if talk.pushback is not None else []
            out += [("facets", (facet, of)) for facet in facets_told(talk)]
    return out


def candidate_rows(
    talks: Sequence[Talk],
    periods: Iterable[Period],
    bound: int = 5,
    choose: Callable[[Iterable[Talk], Period, int], list[Talk]] = counted,
) -> dict[str, list[Row]]:
    """What the publish layer holds of a population: exact counts over the full grid of each table and period."""
    rows: dict[str, list[Row]] = {name: [] for name in TABLES}
    for period in periods:
        chosen = choose(talks, period, bound)
        for name, own in _period_rows(talks, chosen, period).items():
            rows[name] += own
    return rows


def _period_rows(talks: Sequence[Talk], chosen: Sequence[Talk], period: Period) -> dict[str, list[Row]]:
    cells: dict[Any, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    wholes: dict[Any, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    tones: dict[Any, list[tuple[float, float]]] = defaultdict(list)
    for talk in chosen:
        for cell in cells_of(talk):
            cells[cell][talk.user] += 1
            if cell[0] == "sentiment" and talk.tone:
                tones[cell].append(talk.tone)
        for whole in denominators_of(talk):
            wholes[whole][talk.user] += 1
    paths = (path.split("/") for talk in chosen for path in talk.topics.values())
    parents = {path[1]: path[0] for path in paths if len(path) > 1}
    for user, n in wholes["usage_bands", ()].items():
        cells["usage_bands", (band_of(n),)][user] = n
    asked = {facet for talk in talks for facet in talk.facets}
    rows: dict[str, list[Row]] = {}
    for name, table in TABLES.items():
        grid: list[tuple[str, ...]] = table.grid()
        if table.is_topic:
            grid = sorted(keys for other, keys in cells if other == name)
        elif name == "drift" and not any(talk.ends for talk in talks):
            grid = []
        elif name == "facets":
            grid = [
                (facet, value, of)
                for facet in FACETS
                if facet in asked
                for value in FACETS[facet][2]
                for of in (*(["all"] if facet == OF_ALL else []), "any", *TALK_TYPES)
            ]
        rows[name] = []
        for keys in grid:
            about: Row = {}
            if table.is_topic:
                up = parents.get(keys[1])
                about = {"parent_topic_id": up, "level": int(up is not None), "topic_name": "work, boss"}
            of = keys[:1] if name in ("pushback", "topics", "long_conversations") else ()
            if name == "facets":
                of = (keys[0], keys[2])
                about = {"of_facet": FACETS[keys[0]][0], "values_told": FACETS[keys[0]][1]}
            row = {"period_key": period.key, **dict(zip(table.keys, keys, strict=True)), **about}
            counts = _counts(cells.get((name, keys), {}), wholes.get((name, of), {}))
            if table.is_of_people:
                counts |= _of_people(counts)
            if name not in (AGREEMENT.name, AGREEMENT_BY.name):
                rows[name].append({**row, **counts, **_tone(tones.get((name, keys), [])), **UNCODED})
            elif cells.get((AGREEMENT.name, keys[:1])):
                rows[name].append({**row, **counts, **judged(counts["n_conversations"], counts["n_users"])})
    return rows


def _counts(own: dict[int, int], whole: dict[int, int]) -> Row:
    n, of = sum(own.values()), sum(whole.values())
    largest = sorted(own.values(), reverse=True)
    share = n / of if of else 0.0
    ends = (share, share)
    if 0 < n < of:
        users = list(whole)
        residual = residual_square([own.get(u, 0) for u in users], [whole[u] for u in users])
        ends = clustered_wilson_interval(share, residual, of, len(users))
    return {
        "n_conversations": n, "n_users": len(own), "of_conversations": of, "of_users": len(whole),
        "rest_conversations": of - n, "rest_users": sum(whole[u] > own.get(u, 0) for u in whole),
        "top_user_conversations": sum(largest[:1]), "top_two_conversations": sum(largest[:2]),
        "share": share, "rate": share, "share_low": ends[0], "share_high": ends[1],
        "rate_low": ends[0], "rate_high": ends[1],
    }  # fmt: skip


CORRECTED_TONE = tuple(column.name for column in SENTIMENT.columns if column.name.startswith("corrected_"))
UNCODED: Row = {
    **dict.fromkeys((*CODED_ESTIMATES, *CORRECTED_TONE)),
    **dict.fromkeys((*CODED_COUNTS, "coded_conversations", "coded_users"), 0),
}
"""The columns of a correction where people labelled nothing."""


def judged(conversations: int, users: int) -> Row:
    """Measures of agreement on so many conversations, a third of them of the category."""
    third = {"conversations": conversations // 3, "users": min(users, conversations // 3)}
    groups = {f"{group}_{unit}": n for group in ("predicted", "true", "either") for unit, n in third.items()}
    return {
        "labeller": "local-test", "n_labelled": conversations, **groups, "accuracy": 0.91, "precision": 0.82,
        "recall": 0.78, "f1": 0.8, "kappa": 0.71, "kappa_low": 0.6, "kappa_high": 0.8,
    }  # fmt: skip


def _of_people(counts: Row) -> Row:
    share = counts["n_users"] / max(counts["of_users"], 1)
    low, high = (
        clustered_wilson_interval(share, 0.0, counts["of_users"], counts["of_users"]) if counts["of_users"] else (0, 0)
    )
    return {"share_of_users": share, "share_low": low, "share_high": high}


def _tone(tones: Sequence[tuple[float, float]]) -> Row:
    start = sum(t[0] for t in tones) / len(tones) if tones else 0.0
    end = sum(t[1] for t in tones) / len(tones) if tones else 0.0
    change = end - start
    return {
        "sentiment_start": start, "sentiment_end": end, "sentiment_change": change,
        "change_low": change - 0.05, "change_high": change + 0.05,
        "tone_first": start, "tone_next": start, "later_change": change,
        "later_low": change - 0.05, "later_high": change + 0.05,
    }  # fmt: skip


@dataclass(frozen=True)
class Habits:
    """What a random population is like. Shares are 0 to 1; ends, facets: of conversations of which they are told.

    tree: the most frequent topics have a parent.
    """

    users: int
    talks_per_user: float = 3.0
    creation: float = 0.15
    unknown: float = 0.02
    types: tuple[float, ...] = (0.10, 0.08, 0.07, 0.05, 0.01, 0.005)
    second_type: float = 0.1
    pushback: float = 0.12
    second_kind: float = 0.2
    untold: float = 0.01
    toned: float = 0.5
    topics: int = 4
    heavy: float = 0.02
    tree: bool = False
    coded: float = 0.0
    long: float = 0.05
    brief: float = 0.5
    ends: float = 0.0
    facets: float = 0.0


def random_talks(seed: int, habits: Habits, first: date, days: int) -> list[Talk]:
    """A population of so many users over so many days; `heavy` of them write thirty times as much."""
    draw = random.Random(seed)
    talks: list[Talk] = []
    for user in range(habits.users):
        rate = habits.talks_per_user * (30 if draw.random() < habits.heavy else 1)
        leaning = draw.choices(AFFECTIVE_TYPES, habits.types)[0]
        for i in range(_poisson(draw, rate)):
            talk = _talk(draw, habits, user, first + timedelta(draw.randrange(days)), leaning, str(i))
            talks.append(_in_detail(random.Random(f"{seed} {user} {i}"), habits, talk))
    return talks


def _in_detail(draw: random.Random, habits: Habits, talk: Talk) -> Talk:
    """The rest of a conversation, from draws of its own: worlds stay the same when there is more of it."""
    facets: dict[str, frozenset[str]] = {}
    if draw.random() < habits.facets:
        facets[OF_ALL] = frozenset({draw.choices(FACETS[OF_ALL][2], (8, 1, 1))[0]})
    is_brief = talk.tone is None and random.Random(f"brief {talk.user}/{talk.name}").random() < habits.brief
    if not talk.affective or talk.affective & set(ROLEPLAY_TYPES):
        return replace(talk, brief=is_brief, facets=facets)
    for facet, (_, told, values) in FACETS.items():
        if facet != OF_ALL and draw.random() < habits.facets:
            some = {v for v, chance in zip(values, (0.1, 0.3, 0.15), strict=True) if draw.random() < chance}
            facets[facet] = frozenset(some or ({draw.choice(values)} if told == ONE_OR_MORE else ()))
    start = draw.choice(sorted(talk.affective))
    ends = (start, start if draw.random() < 0.8 else draw.choice(ENDS)) if draw.random() < habits.ends else None
    is_long = draw.random() < habits.long
    return replace(talk, long=is_long, brief=is_brief and not is_long, ends=ends, facets=facets)


def _talk(draw: random.Random, habits: Habits, user: int, day: date, leaning: str, name: str) -> Talk:
    """Whom people label is drawn apart: whatever else a conversation is."""
    talk = _uncoded_talk(draw, habits, user, day, leaning, name)
    return replace(talk, coded=random.Random(f"coded {user}/{name}").random() < habits.coded)


def _uncoded_talk(draw: random.Random, habits: Habits, user: int, day: date, leaning: str, name: str) -> Talk:
    roll = draw.random()
    if roll < habits.creation:
        return Talk(user, day, True, name=name)
    if roll < habits.creation + habits.unknown:
        return Talk(user, day, *draw.choice([(None, None), (None, frozenset()), (False, None)]), name=name)
    if draw.random() > sum(habits.types):
        return Talk(user, day, name=name)
    types = {leaning if draw.random() < 0.5 else draw.choices(AFFECTIVE_TYPES, habits.types)[0]}
    while draw.random() < habits.second_type:
        types.add(draw.choices(AFFECTIVE_TYPES, habits.types)[0])
    pushback: dict[str, int] | None = {}
    if draw.random() < habits.untold:
        pushback = None
    elif draw.random() < habits.pushback:
        pushback = {draw.choices(KINDS, (3, 3, 2, 4, 1, 1))[0]: draw.randrange(3)}
        while draw.random() < habits.second_kind:
            pushback[draw.choice(KINDS)] = draw.randrange(3)
    tone = (draw.randint(-6, 6) / 6, draw.randint(-6, 6) / 6) if draw.random() < habits.toned else None
    topics = {kind: _topic(draw, habits, kind) for kind in types if kind in TALK_TYPES}
    return Talk(user, day, False, frozenset(types), pushback, tone, topics if habits.topics else {}, name)


def _topic(draw: random.Random, habits: Habits, kind: str) -> str:
    number = min(int(draw.expovariate(1.2 if not habits.tree else 0.5)), habits.topics - 1)
    name = f"{kind[:4]}{number}"
    return f"{kind[:4]}-up{number // 3}/{name}" if habits.tree and number < habits.topics - 1 else name


def _poisson(draw: random.Random, mean: float) -> int:
    n, left = 0, draw.expovariate(1)
    while left < mean:
        n, left = n + 1, left + draw.expovariate(1)
    return n
