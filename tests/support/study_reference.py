"""The study's numbers in plain Python: slow, obvious, and independent of the SQL that is held against them."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import product

from dagster_project.codebook.cells import FacetCell
from dagster_project.domain.estimation.bootstrap import bootstrap_mean_interval
from dagster_project.domain.estimation.prediction_powered import UserSums
from dagster_project.domain.periods import Period
from dagster_project.domain.study import (
    AFFECTIVE_TYPES,
    ROLEPLAY_TYPES,
    SENTIMENT_LEVELS,
    TALK_TYPES,
    counted_types,
    position_third,
    sentiment_change,
)
from tests.support.lake_builder import PUSHBACK_KINDS, Coded, Talk, Topic

Numbers = dict[str, object]


def is_known(answer: object) -> bool:
    return answer is not None and not isinstance(answer, str)


def types_of(talk: Talk) -> set[str]:
    """The types that count."""
    if talk.content_creation is not False or not is_known(talk.types):
        return set()
    return set(counted_types(talk.types, talk.n_human))  # type: ignore[arg-type]


def is_analysed(talk: Talk) -> bool:
    return bool(types_of(talk)) and not types_of(talk) & set(ROLEPLAY_TYPES)


def counted(talks: Iterable[Talk], period: Period, most: int) -> list[Talk]:
    """The conversations of the period that count."""
    by_user = defaultdict(list)
    for talk in talks:
        if period.start <= talk.day < period.end:
            by_user[talk.user].append(talk)
    chosen = []
    for of_user in by_user.values():
        of_user.sort(key=lambda t: hashlib.md5((period.key + t.key).encode()).hexdigest())
        chosen.extend(of_user[:most])
    return chosen


def cell(inside: Sequence[Talk], of: Sequence[Talk]) -> Numbers:
    """All counts of a cell, and its share."""
    rest = [t for t in of if t not in inside]
    top = sorted(Counter(t.user for t in inside).values(), reverse=True)
    weight = sum(t.weight for t in of)
    return {
        "n_conversations": len(inside),
        "n_users": len({t.user for t in inside}),
        "of_conversations": len(of),
        "of_users": len({t.user for t in of}),
        "rest_conversations": len(rest),
        "rest_users": len({t.user for t in rest}),
        "top_user_conversations": sum(top[:1]),
        "top_two_conversations": sum(top[:2]),
        "share": sum(t.weight for t in inside) / weight if weight else None,
    }


def prevalence(talks: Sequence[Talk]) -> dict[tuple[str, ...], Numbers]:
    def unknown(talk: Talk) -> bool:
        return talk.content_creation is not True and not (is_known(talk.content_creation) and is_known(talk.types))

    company = {"companionship", *ROLEPLAY_TYPES}
    rules = {
        "all": lambda t: True,
        "unknown": unknown,
        "content_creation": lambda t: t.content_creation is True,
        "affective": lambda t: bool(types_of(t)),
        **{name: lambda t, name=name: name in types_of(t) for name in AFFECTIVE_TYPES},
        "companionship_or_roleplay": lambda t: bool(types_of(t) & company),
    }
    return {(name,): cell([t for t in talks if rule(t)], talks) for name, rule in rules.items()}


def funnel(talks: Sequence[Talk]) -> dict[tuple[str, ...], Numbers]:
    rules = {
        "all": lambda t: True,
        "not_content_creation": lambda t: t.content_creation is False,
        "affective": lambda t: bool(types_of(t)),
        "analysed": is_analysed,
    }
    return {(name,): cell([t for t in talks if rule(t)], talks) for name, rule in rules.items()}


def _of_type(talks: Sequence[Talk], affective_type: str) -> list[Talk]:
    return [t for t in talks if is_analysed(t) and (affective_type == "any" or affective_type in types_of(t))]


def pushback(talks: Sequence[Talk]) -> dict[tuple[str, ...], Numbers]:
    def first(talk: Talk, kind: str) -> str | None:
        turns = [turn for turn, of_kind in talk.pushback if kind in ("any", of_kind)]  # type: ignore[union-attr]
        return position_third(min(turns), talk.n_assistant) if turns else None

    cells = {}
    for name, kind, where in product(
        ("any", *TALK_TYPES), ("any", *PUSHBACK_KINDS), ("any", "early", "middle", "late")
    ):
        of = [t for t in _of_type(talks, name) if is_known(t.pushback)]
        inside = [t for t in of if first(t, kind) is not None and where in ("any", first(t, kind))]
        numbers = cell(inside, of)
        numbers["rate"] = numbers.pop("share")
        cells[name, kind, where] = numbers
    return cells


def sentiment(talks: Sequence[Talk]) -> dict[tuple[str, ...], Numbers]:
    cells = {}
    for name in ("any", *TALK_TYPES):
        known = [(t, sentiment_change(t.sentiment)) for t in _of_type(talks, name) if is_known(t.sentiment)]  # type: ignore[arg-type]
        edges = [(t, both) for t, both in known if both is not None]
        top = sorted(Counter(t.user for t, _ in edges).values(), reverse=True)
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for talk, (start, end) in edges:
            sums[talk.user][0] += talk.weight * (end - start)
            sums[talk.user][1] += talk.weight
        first = {t.key: t.sentiment[0] for t, _ in edges}  # type: ignore[index]
        following = {t.key: (t.sentiment[1] + t.sentiment[2]) / 2 for t, _ in edges}  # type: ignore[index,operator]
        weight = sum(t.weight for t, _ in edges)
        ends = bootstrap_mean_interval(*zip(*sums.values(), strict=True)) if edges else (None, None)
        cells[(name,)] = {
            "n_conversations": len(edges),
            "n_users": len(sums),
            "top_user_conversations": sum(top[:1]),
            "top_two_conversations": sum(top[:2]),
            "sentiment_start": sum(t.weight * s for t, (s, _) in edges) / weight if edges else None,
            "sentiment_end": sum(t.weight * e for t, (_, e) in edges) / weight if edges else None,
            "sentiment_change": sum(t.weight * (e - s) for t, (s, e) in edges) / weight if edges else None,
            "tone_first": sum(t.weight * first[t.key] for t, _ in edges) / weight if edges else None,
            "tone_next": sum(t.weight * following[t.key] for t, _ in edges) / weight if edges else None,
            "later_change": sum(t.weight * (e - following[t.key]) for t, (_, e) in edges) / weight if edges else None,
            "change_low": ends[0],
            "change_high": ends[1],
        }
    return cells


def topics(talks: Sequence[Talk], found: Sequence[Topic]) -> dict[tuple[str, ...], Numbers]:
    below = {
        topic.topic_id: {topic.topic_id, *(t.topic_id for t in found if t.parent == topic.topic_id)} for topic in found
    }
    keys = {topic.topic_id: set(topic.talks) for topic in found}
    cells = {}
    for topic in found:
        of = _of_type(talks, topic.affective_type)
        held = set().union(*(keys[i] for i in below[topic.topic_id]))
        cells[topic.affective_type, topic.topic_id] = cell([t for t in of if t.key in held], of)
    return cells


def coded(talks: Sequence[Talk], found: Sequence[Coded]) -> dict[str, list[tuple[Talk, float, bool, bool]]]:
    """By category, the counted conversations that people labelled: weight, whether predicted, whether true."""
    counted_keys = {t.key for t in talks}
    company = {"companionship", *ROLEPLAY_TYPES}
    out: dict[str, list[tuple[Talk, float, bool, bool]]] = defaultdict(list)
    for one in found:
        talk = one.talk
        if talk.key not in counted_keys or one.content_creation is None:
            continue
        if not one.content_creation and one.types is None:
            continue
        weight = talk.weight / one.probability
        true = set() if one.content_creation else set(counted_types(one.types or (), talk.n_human))
        said = types_of(talk)
        out["content_creation"].append((talk, weight, talk.content_creation is True, one.content_creation))
        out["affective"].append((talk, weight, bool(said), bool(true)))
        out["companionship_or_roleplay"].append((talk, weight, bool(said & company), bool(true & company)))
        for kind in AFFECTIVE_TYPES:
            out[kind].append((talk, weight, kind in said, kind in true))
        if is_analysed(talk) and is_known(talk.pushback) and one.pushback is not None:
            out["pushback"].append((talk, weight, bool(talk.pushback), one.pushback))
    return out


def agreement(talks: Sequence[Talk], found: Sequence[Coded]) -> dict[tuple[str, ...], Numbers]:
    """Measures by the book, from single conversations."""
    return {(facet,): _measures(rows) for facet, rows in _judged(talks, found).items()}


def agreement_by(talks: Sequence[Talk], found: Sequence[Coded]) -> dict[tuple[str, ...], Numbers]:
    """The same within bands of human messages, and of pushback within the types that the labeller found."""
    cells = {}
    for facet, rows in _judged(talks, found).items():
        groups = [("length", "under_6", lambda t: t.n_human < 6), ("length", "6_or_more", lambda t: t.n_human >= 6)]
        if facet == "pushback":
            groups += [("affective_type", of, lambda t, of=of: of in types_of(t)) for of in TALK_TYPES]
        for dimension, group, is_in in groups:
            own = [row for row in rows if is_in(row[0])]
            cells[facet, dimension, group] = _measures(own) if own else {"n_labelled": 0, "n_users": 0}
    return cells


def _judged(talks: Sequence[Talk], found: Sequence[Coded]) -> dict[str, list[tuple[Talk, float, bool, bool]]]:
    """What people labelled, by the facet that they judge."""
    out = {}
    for category, rows in coded(talks, found).items():
        if category != "companionship_or_roleplay":
            facet = {"affective": "affective_type"}.get(category, category)
            out[f"affective_type.{category}" if category in AFFECTIVE_TYPES else facet] = rows
    return out


def _measures(rows: Sequence[tuple[Talk, float, bool, bool]]) -> Numbers:
    from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, precision_score, recall_score

    weights, said, true = ([row[i] for row in rows] for i in (1, 2, 3))
    given = {"sample_weight": weights}
    either = [t.user for t, _, is_said, is_true in rows if is_said or is_true]
    return {
        "n_labelled": len(rows),
        "n_conversations": len(rows),
        "n_users": len({t.user for t, *_ in rows}),
        "predicted_conversations": sum(said),
        "true_users": len({t.user for t, _, _, is_true in rows if is_true}),
        "either_conversations": len(either),
        "either_users": len(set(either)),
        "accuracy": accuracy_score(true, said, **given),
        "precision": precision_score(true, said, **given),
        "recall": recall_score(true, said, **given),
        "f1": f1_score(true, said, **given),
        "kappa": cohen_kappa_score(true, said, **given),
    }


def found_true(talks: Sequence[Talk], found: Sequence[Coded], category: str, side: bool) -> Numbers:
    """What people found among the conversations with one prediction."""
    rows = [row for row in coded(talks, found)[category] if row[2] is side]
    weight = sum(row[1] for row in rows)
    return {
        "conversations": len(rows),
        "users": len({t.user for t, *_ in rows}),
        "share": sum(row[1] for row in rows if row[3]) / weight if weight else None,
    }


def found_pushback(
    talks: Sequence[Talk], found: Sequence[Coded], affective_type: str, kind: str, side: bool
) -> Numbers:
    """What people, who know refusals alone, found among the analysed conversations with one prediction of a kind."""
    rows = []
    for talk, weight, _, true in coded(talks, found)["pushback"]:
        said = any(kind in ("any", of_kind) for _, of_kind in talk.pushback)  # type: ignore[union-attr]
        if affective_type in ("any", *types_of(talk)) and said is side:
            rows.append((talk, weight, true and kind in ("any", "refusal")))
    return {
        "conversations": len(rows),
        "users": len({talk.user for talk, *_ in rows}),
        "share": sum(w for _, w, true in rows if true) / sum(w for _, w, _ in rows) if rows else None,
    }


def sums_of_tone(talks: Sequence[Talk], found: Sequence[Coded], affective_type: str) -> tuple[int, list[UserSums]]:
    """Conversations of which people heard the tone, and each user's sums of the change."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0] * 5)
    for talk in _of_type(talks, affective_type):
        edges = sentiment_change(talk.sentiment) if is_known(talk.sentiment) else None  # type: ignore[arg-type]
        if edges is not None:
            sums[talk.user][3] += talk.weight * (edges[1] - edges[0])
            sums[talk.user][4] += talk.weight
    n = 0
    tones = {one.talk.key: one.tone for one in found}
    for talk, weight, *_ in coded(talks, found)["affective"]:
        edges = sentiment_change(talk.sentiment) if is_known(talk.sentiment) else None  # type: ignore[arg-type]
        heard = tones[talk.key]
        if talk not in _of_type(talks, affective_type) or edges is None or heard is None:
            continue
        numbers = [SENTIMENT_LEVELS[level] for level in heard]
        true, n = (sum(numbers[3:]) - sum(numbers[:3])) / 3, n + 1
        for i, value in enumerate((true, edges[1] - edges[0], 1.0)):
            sums[talk.user][i] += weight * value
    return n, [UserSums(*values) for values in sums.values()]


def told(talk: Talk, facet: str) -> tuple[str, ...] | None:
    """The values of another facet; None where it was not asked or could not be told."""
    return next((values for _, name, values in talk.facets if name == facet), None)


def drift(talks: Sequence[Talk], found: Sequence[FacetCell]) -> dict[tuple[str, ...], Numbers]:
    values = {c.facet: [o.value for o in found if o.facet == c.facet and o.affective_type == "any"] for c in found}
    of = [t for t in talks if is_analysed(t) and told(t, "type_at_start") and told(t, "type_at_end")]
    return {
        ends: cell(
            [t for t in of if (told(t, "type_at_start"), told(t, "type_at_end")) == ((ends[0],), (ends[1],))], of
        )
        for ends in product(values["type_at_start"], values["type_at_end"])
    }


def long_conversations(talks: Sequence[Talk]) -> dict[tuple[str, ...], Numbers]:
    cells = {}
    for name in ("any", *TALK_TYPES):
        of = _of_type(talks, name)
        cells[(name,)] = cell([t for t in of if t.n_human >= 50], of)
    return cells


def usage_bands(talks: Sequence[Talk]) -> dict[tuple[str, ...], Numbers]:
    of = [t for t in talks if types_of(t)]
    n = Counter(t.user for t in of)
    cells = {}
    for band, users in (
        ("1", {u for u in n if n[u] == 1}),
        ("2", {u for u in n if n[u] == 2}),
        ("3_or_more", {u for u in n if n[u] > 2}),
    ):
        cells[(band,)] = cell([t for t in of if t.user in users], of)
        cells[(band,)]["share_of_users"] = len(users) / len(n)
        del cells[(band,)]["share"]
    return cells


def facets(talks: Sequence[Talk], found: Sequence[FacetCell]) -> dict[tuple[str, ...], Numbers]:
    of_facet = [c for c in found if c.published_in == "facets"]
    counting: dict[str, set[str]] = defaultdict(set)
    types: dict[str, set[str]] = defaultdict(set)
    for one in of_facet:
        counting[one.facet].add(one.value)
        types[one.facet].add(one.affective_type)

    def is_of(talk: Talk, one: FacetCell) -> bool:
        values = told(talk, one.facet)
        if one.of_facet == "pushback" and not (is_known(talk.pushback) and talk.pushback):
            return False
        if values is None or (values and not counting[one.facet] & set(values)):
            return False
        if one.affective_type == "all":
            return True
        named = {one.affective_type} if one.affective_type != "any" else types[one.facet]
        return (bool(values) or one.values_told == "any_number") and is_analysed(talk) and bool(types_of(talk) & named)

    cells = {}
    for one in of_facet:
        of = [t for t in talks if is_of(t, one)]
        inside = [t for t in of if one.value in (told(t, one.facet) or ())]
        cells[one.facet, one.value, one.affective_type] = cell(inside, of)
    return cells
