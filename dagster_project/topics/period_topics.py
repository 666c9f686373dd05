"""The topics of one release period: a version for each talk type, kept or fitted, and the period sorted by it.

Lives here: the order of work. Rules are in `domain/topics`, reading in `reading.py`, fitting in `fitting.py`, the
choice of a version in `versions.py`. Not here: writing the lake (`assets/`), what of it may be published
(`domain/disclosure`).
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, timedelta
from statistics import median
from typing import Any

import polars as pl

from dagster_project.domain.periods import Period, parse_period
from dagster_project.domain.study import TALK_TYPES
from dagster_project.domain.topics.identity import Change
from dagster_project.domain.topics.keyed import Keyed
from dagster_project.domain.topics.model import OTHER, Drift, Fit, TopicModel, drift
from dagster_project.domain.topics.name_filter import UNNAMED
from dagster_project.domain.topics.naming import SAMPLES, Namer, Needed, Support, names, telling
from dagster_project.storage.lake import TABLES, Lake
from dagster_project.storage.topic_models import TopicModels
from dagster_project.topics.fitting import Fitted, TopicLimits, TypeOfSpan, fit
from dagster_project.topics.reading import Analysed, DescribedAs, Embed, read_analysed, read_texts
from dagster_project.topics.versions import Schedule, chain_of, is_due, neighbour, span_of, valid
from dagster_project.topics.vocabulary import load_vocabulary
from dagster_project.topics.wording import Wording


@dataclass(frozen=True)
class PeriodTopics:
    """Rows of the lake tables `topic_assignments` and `topics`, and by type the figures for an operator.

    A conversation has a row for each of its talk types that has topics. figures: counts, shares and names, no other
    text.
    """

    assignments: pl.DataFrame
    topics: pl.DataFrame
    figures: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class TopicWork:
    """What the topics of any period are made with.

    namer: makes a phrase of shared terms, and is given nothing else; None for the plain list of them.
    described: embeds the labeller's descriptions, where it writes some. embedded: what the vectors are of and by which
    embedder: a version sorts vectors of its own kind alone.
    """

    lake: Lake
    models: TopicModels
    embed: Embed
    limits: TopicLimits
    key: bytes
    schedule: Schedule
    namer: Namer | None = None
    described: DescribedAs | None = None
    embedded: str = ""


def build_period_topics(work: TopicWork, period: Period, refit: bool = False) -> PeriodTopics:
    """Sort a period by the version valid then, fitting one where none is, or it is due, or the period drifts from it.

    refit: fit anew in any case. Equal lake rows, in whatever order, equal versions and an equal key give equal results;
    versions that were fitted are kept (`work.models`). A type has no topics when its counted conversations are too few
    for two, or when they do not fall into two that are large enough.
    """
    return _Work(work, period).build(refit)


class _Work:
    """One period. The days of its span are read once, and only when a version has to be fitted."""

    def __init__(self, work: TopicWork, period: Period) -> None:
        self.work, self.period = work, period
        self.chain = chain_of(period)
        self.start, self.end = span_of(period, work.schedule)
        self.days = [day for day in work.lake.days("conversations") if self.start <= day < self.end]
        self._read: dict[tuple[date, date], Analysed] = {}
        self._worded: tuple[Analysed, Wording] | None = None

    def build(self, refit: bool) -> PeriodTopics:
        assignments: list[tuple[str, str, str, float]] = []
        topics: list[tuple[str, str, str | None, int, str]] = []
        figures: dict[str, dict[str, Any]] = {}
        for affective_type in TALK_TYPES:
            self._renew(affective_type)
            model, moved, fitted = self._version(affective_type, refit)
            own = TypeOfSpan(self._own(), affective_type, self._keyed(affective_type))
            figures[affective_type] = _figures(own, model, moved, fitted)
            if model is None:
                continue
            labels, distances = model.sort(own.vectors(own.members))
            keys = own.analysed.keys
            assignments += [
                (keys[i], affective_type, model.id_of(label), far)
                for i, label, far in zip(own.members, labels.tolist(), distances.tolist(), strict=True)
            ]
            topics += [(affective_type, *row) for row in model.rows]
        return PeriodTopics(
            _frame("topic_assignments", assignments).sort("affective_type", "conversation_key"),
            _frame("topics", topics).sort("affective_type", "topic_id"),
            figures,
        )

    def _version(self, affective_type: str, refit: bool) -> tuple[TopicModel | None, Drift | None, bool]:
        """The version that the period is sorted by, how far the period has moved from it, whether it is a new one."""
        versions = self.work.models.versions(self.chain, affective_type)
        model = self._read_version(affective_type, valid(versions, self.period))
        moved = None
        own = TypeOfSpan(self._own(), affective_type, self._keyed(affective_type))
        if model is not None and not refit and not is_due(model.fit, self.period, len(self.days), self.work.schedule):
            moved = drift(model, own.vectors(own.counted))
            few = moved.n_conversations < self.work.limits.min_conversations
            if moved.drift <= self.work.schedule.drift or few or model.fit.end == self.period.end:
                return model, moved, False
        if not own.numbers(self.work.limits):
            # Too few to fit on: an older version still tells what there is.
            return model, moved, False
        about = self._about(self.period, self.start, self.end, len(self.days))
        old = self._read_version(affective_type, neighbour(versions, self.end))
        new = self._fit(affective_type, self.period, about, old)
        return (new or model), moved, new is not None

    def _read_version(self, affective_type: str, version: date | None) -> TopicModel | None:
        """None also where it was fitted on vectors of another kind: nothing can be compared with it."""
        if version is None:
            return None
        model = self.work.models.read(self.chain, affective_type, version)[0]
        return model if model.fit.embedded == self.work.embedded else None

    def _renew(self, affective_type: str) -> None:
        """Fit anew what was fitted on conversations erased since, or under another policy; forget what cannot be."""
        models = self.work.models
        for version in models.versions(self.chain, affective_type):
            model, to_renew = models.read(self.chain, affective_type, version)
            if not to_renew and model.fit.limits == self.work.limits.written:
                continue
            there = [d for d in self.work.lake.days("conversations") if model.fit.start <= d < model.fit.end]
            period = parse_period(model.fit.period_key)
            about = self._about(period, model.fit.start, model.fit.end, len(there))
            foreign = model.fit.embedded != self.work.embedded
            if foreign or not there or self._fit(affective_type, period, about, model, model) is None:
                models.remove(self.chain, affective_type, version)

    def _fit(
        self, affective_type: str, period: Period, about: Fit, old: TopicModel | None, renewed: TopicModel | None = None
    ) -> TopicModel | None:
        """Fit, name and keep a version. renewed: the one that it replaces, whose history is its own."""
        span = self._span(period, about.start, about.end)
        of = TypeOfSpan(span, affective_type, self._keyed(affective_type))
        if not of.numbers(self.work.limits):
            return None
        wording = self._wording(span)
        # An erasure must leave nothing behind, not even where a fit began.
        fitted = fit(of, self.work.limits, about, old, wording, anew=renewed is not None)
        if fitted is None:
            return None
        model = replace(fitted.model, names=self._names(fitted, wording, of))
        if renewed is not None:
            model = replace(model, events=renewed.events)
        self.work.models.write(self.chain, affective_type, model)
        return model

    def _names(self, fitted: Fitted, wording: Wording, of: TypeOfSpan) -> dict[str, str]:
        """A name by topic id, from what those who speak for each topic wrote; siblings are those of one level."""
        model, version = fitted.model, fitted.model.fit.end.isoformat()
        needed = {t: self.work.limits.needed(of.keyed, t, version) for t in (*model.parent_ids, *model.topic_ids)}
        elsewhere = of.elsewhere()
        below = wording.support({t: fitted.speakers[t] for t in model.topic_ids}, elsewhere)
        namer = self.work.namer
        samples = _samples(fitted, wording, of) if namer else []
        named = dict[str, str]()
        if model.parent_ids:
            children: dict[str, dict[str, Needed]] = {parent: {} for parent in model.parent_ids}
            for topic_id, up in zip(model.topic_ids, model.parent_of.tolist(), strict=True):
                if up >= 0:
                    children[model.parent_ids[up]][topic_id] = needed[topic_id]
            stand_alone = [t for t, up in zip(model.topic_ids, model.parent_of.tolist(), strict=True) if up < 0]
            level = (*model.parent_ids, *stand_alone)
            above = wording.support({t: fitted.speakers[t] for t in level}, elsewhere)
            above.without_inherited(children, below)
            of_parents = {
                parent: [telling(t, below, needs) for t, needs in own.items()] for parent, own in children.items()
            }
            named = names(above, {t: needed[t] for t in level}, namer, samples, of_parents)
        # One that stands alone is named among all topics of its kind.
        return named | names(below, {t: needed[t] for t in model.topic_ids}, namer, samples)

    def _wording(self, span: Analysed) -> Wording:
        """The terms of a span, those of all types: names are ranked against the talk of other types."""
        if self._worded is None or self._worded[0] is not span:
            texts = read_texts(self.work.lake, span, range(len(span.keys)))
            self._worded = (span, Wording(texts, load_vocabulary()))
        return self._worded[1]

    def _about(self, period: Period, start: date, end: date, n_days: int) -> Fit:
        return Fit(period.key, start, end, "", n_days, 0, 0, 0.0, 0.0, 0.0, self.work.embedded)

    def _keyed(self, affective_type: str) -> Keyed:
        return Keyed(self.work.key, self.chain, affective_type)

    def _span(self, period: Period, start: date, end: date) -> Analysed:
        if (start, end) not in self._read:
            if len(self._read) > 1:  # no more than the period's own and one span are held
                self._read = {k: v for k, v in self._read.items() if k == (self.period.start, self.period.end)}
            days = [start + timedelta(days=n) for n in range((end - start).days)]
            self._read[start, end] = self._analysed(period, days)
        return self._read[start, end]

    def _own(self) -> Analysed:
        return self._span(self.period, self.period.start, self.period.end)

    def _analysed(self, period: Period, days: list[date]) -> Analysed:
        work = self.work
        per_user = work.limits.max_conversations_per_user
        return read_analysed(work.lake, period, work.embed, per_user, days, work.described)


def _samples(fitted: Fitted, wording: Wording, of: TypeOfSpan) -> list[Support]:
    """Each topic's people in samples that share nobody: no phrase rests on what one of them lacks."""
    keys, version = of.analysed.keys, fitted.model.fit.end.isoformat()
    dealt = {t: of.keyed.samples([keys[i] for i in own], SAMPLES, version) for t, own in fitted.speakers.items()}
    return [
        wording.support({t: [fitted.speakers[t][i] for i in places[n]] for t, places in dealt.items()})
        for n in range(SAMPLES)
    ]


def _frame(table: str, rows: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=TABLES[table], orient="row")


def _figures(own: TypeOfSpan, model: TopicModel | None, moved: Drift | None, fitted: bool) -> dict[str, Any]:
    users = own.analysed.users
    told: dict[str, Any] = {
        "n_conversations": len(own.counted),
        "n_users": len({users[i] for i in own.counted}),
        "n_topics": 0,
        "names": [],
    }
    if model is None:
        return told
    labels, _ = model.sort(own.vectors(own.counted))
    of_topic: dict[int, set[str]] = {label: set() for label in range(len(model.topic_ids))}
    for position, label in zip(own.counted, labels.tolist(), strict=True):
        of_topic.setdefault(label, set()).add(users[position])
    sizes = sorted(len(of_topic[label]) for label in range(len(model.topic_ids)))
    changes = Counter(event.change for event in model.events)
    listed = [name for _, _, _, name in model.rows if name != OTHER]
    return told | {
        "n_topics": len(model.topic_ids),
        "n_parents": len(model.parent_ids),
        "users_of_smallest": sizes[0],
        "users_of_median": median(sizes),
        "users_of_largest": sizes[-1],
        "other_share": round(float((labels < 0).mean()), 4) if len(labels) else 0.0,
        "drift": round(moved.drift, 4) if moved is not None else 0.0,
        "fitted_now": int(fitted),
        "days_of_fit": model.fit.n_days,
        "silhouette": round(model.fit.silhouette, 4),
        "other_share_of_fit": round(model.fit.other_share, 4),
        "unnamed": listed.count(UNNAMED),
        **{change.value: changes[change] for change in Change},
        "names": sorted(listed),
    }
