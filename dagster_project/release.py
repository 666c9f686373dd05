"""One release from candidate rows to a snapshot: refuse, suppress, gate, publish. Fails closed at every step.

Lives here: the order of things and every reason to refuse. Not here: the rules (`domain/disclosure/`), what is
expected of the rows (`expectations/suites/`), writing (`storage/publication.py`, which only this module imports),
and whether a period is complete, which the caller knows (`days.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project import __version__
from dagster_project.domain.disclosure.candidates import CandidateError, Row, largest_weight
from dagster_project.domain.disclosure.corrections import Change, Earlier, refused_tables, unchanged_sets
from dagster_project.domain.disclosure.editions import CENSUS, PARTED, Edition, PublishedRow, Scope, scope_of
from dagster_project.domain.disclosure.primary import users_by_period
from dagster_project.domain.disclosure.rules import Rules
from dagster_project.domain.disclosure.suppression import suppress
from dagster_project.domain.estimation.correction import MIN_CODED, MIN_CODED_A_SIDE
from dagster_project.domain.periods import Period, parse_period
from dagster_project.domain.tables import (
    AGREEMENT,
    NOISY_USERS,
    PREVALENCE,
    PUBLISHED,
    PUSHBACK,
    SENTIMENT,
    TABLES,
    TOPICS,
)
from dagster_project.home import Home
from dagster_project.methods import BUNDLE, bundle, definitions_of, digest_of
from dagster_project.noisy_counts import Budget, noisy_users
from dagster_project.policy.loader import Policy
from dagster_project.report.datasheet import datasheet
from dagster_project.report.tables_page import tables_page
from dagster_project.storage.publication import Draft, Render, Step, count_cells, publish, recover, release_lock
from dagster_project.storage.published import Snapshot, polars_schema
from dagster_project.storage.release_ledger import Entry, Ledger, ReleaseRefused

Clock = Callable[[], datetime]
LARGEST_WEIGHT = "largest_weight"
"""What the manifest says of a sample besides how it was drawn: for how many conversations one of it stands at most."""


class GateFailed(ReleaseRefused):
    """Rows about to be published do not meet their suite; nothing was published. `tables`: those that failed."""

    def __init__(self, message: str, tables: frozenset[str]) -> None:
        super().__init__(message)
        self.tables = tables


@dataclass(frozen=True)
class PeriodMetadata:
    """What the manifest says of one period, besides the policy: who labelled, with which questions, of which sample.

    labelling_usd: what that cost, None where nothing is paid. An exact cost would tell how many conversations were
    looked at in detail: two digits of it are published. definitions: the codebook, facet by facet. models_digest: of
    the SQL that counts.
    """

    period: Period
    labellers: Mapping[str, str]
    facet_versions: Mapping[str, int]
    prompt_hashes: Mapping[str, str]
    not_measured: Sequence[str] = ()
    sample_design: Mapping[str, Any] = field(default_factory=lambda: {"mode": CENSUS})
    labelling_usd: float | None = None
    revision: int = 0
    definitions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    models_digest: str | None = None


@dataclass(frozen=True)
class Compared:
    """What the correction of a period changes against one of its earlier revisions, cell by cell."""

    revision: int
    changes: Sequence[Change]


@dataclass(frozen=True)
class ReleaseResult:
    """What a release published. `tables`: cells of its new periods; topics tell no number withheld."""

    release_id: str
    path: Path
    periods: tuple[str, ...]
    tables: Mapping[str, Mapping[str, int | None]]


def refuse_reasons(periods: Sequence[Period], published: Sequence[Period], correct: bool = False) -> list[str]:
    """Why these periods may not be released beside those already published; empty when they may.

    Periods of any kind may overlap: the audit covers them together. Only the same days under two names are refused,
    as their difference would be nothing but late data and the choice of the bound.
    """
    if not periods:
        return ["no period was named"]
    if correct:
        reasons = [f"{p.key} is not published: nothing can be corrected" for p in periods if p not in published]
        return reasons + (["one period is corrected at a time"] if len(periods) > 1 else [])
    reasons = [
        f"{period.key} is published already and frozen: late data waits for `confide release --correct {period.key}`"
        for period in periods
        if period in published
    ]
    if len(set(periods)) < len(periods):
        reasons.append("a period was named twice")
    for i, period in enumerate(periods):
        for other in (*periods[:i], *published):
            if period.kind != other.kind and (period.start, period.end) == (other.start, other.end):
                reasons.append(f"{period.key} has exactly the days of {other.key}: publish them under one name")
    return reasons


def too_few_people(candidates: Mapping[str, Sequence[Row]], periods: Sequence[Period]) -> list[str]:
    """Why periods have nobody to publish about: no conversation counted, or all of them one person's."""
    users = users_by_period(candidates[PREVALENCE.name])
    reasons = []
    for period in periods:
        match users.get(period.key):
            case None:
                reasons.append(f"{period.key} has no candidate rows: run `confide run` for its days")
            case 0:
                reasons.append(f"{period.key} has no counted conversation")
            case 1:
                reasons.append(
                    f"{period.key}: all conversations count as one person (logs without user ids are one person): "
                    "nothing can be published; ingest logs that have user ids"
                )
    return reasons


def release(
    home: Home,
    policy: Policy,
    candidates: Mapping[str, pl.DataFrame],
    periods: Sequence[PeriodMetadata],
    render: Render,
    clock: Clock = lambda: datetime.now(UTC),
    step: Step = lambda _: None,
    compared: Sequence[Compared] = (),
    keep: Callable[[], None] = lambda: None,
    budget: Budget | None = None,
) -> ReleaseResult:
    """Publish the candidate rows of some periods as a new snapshot of everything published so far.

    candidates: by table, the publish layer's rows of these periods and no others. render: tables and manifest to
    the report's files, by name in the release. compared: for a correction (a period whose metadata has a revision
    above 0), what it changes against each earlier revision; its topics are left out, as they are made anew. keep:
    called when all was passed and nothing is written yet, to keep what later corrections are compared with. budget:
    where noisy counts are to be published too. A run that follows a killed one first finishes or voids what that one
    left; when it had already made exactly these periods visible, that release is the result. Raises ReleaseRefused
    (GateFailed when a suite fails), and then nothing was published.
    """
    at = clock()
    wanted = [one.period for one in periods]
    with release_lock(home):
        before = len(Ledger.read(home.release_ledger).released)
        ledger, newest = recover(home, at, step)
        if newest and len(ledger.released) > before and _is_of(ledger.released[-1], periods):
            return _result(newest.path, wanted, {name: newest.read_table(name) for name in TABLES})
        periods = with_weights(periods, candidates)
        published = [period for entry in ledger.released for period in entry.published]
        correct = any(one.revision for one in periods)
        if reasons := refuse_reasons(wanted, published, correct):
            raise ReleaseRefused("; ".join(reasons))
        editions = published_editions(newest)
        if reasons := other_designs(periods, editions):
            raise ReleaseRefused("; ".join(reasons))
        earlier = earlier_revisions(periods[0], editions, compared, policy) if correct else []
        rows = suppressed_rows(candidates, periods, policy, editions, earlier)
        frames = {name: published_frame(name, rows[name], periods) for name in TABLES}
        gate(frames, policy)
        if budget is not None:
            budget.require(ledger.entries, len(periods))
            noisy = noisy_users(candidates[PREVALENCE.name].to_dicts(), wanted, budget.epsilon)
            frames[NOISY_USERS.name] = published_frame(NOISY_USERS.name, noisy, periods)
        draft = Draft(
            rows=frames,
            periods=[
                {**_about(one, policy, budget), "correction": correction_of(frames, one)}
                for one in sorted(periods, key=lambda one: one.period)
            ],
            about={"code_version": __version__, "policy": policy.as_manifest()},
            report=render,
            pages={
                "datasheet.md": datasheet,
                BUNDLE: bundle(known_definitions(newest, periods)),
                "tables.html": tables_page,
            },
        )
        keep()
        snapshot = publish(home, ledger, newest, draft, at, step)
        return _result(snapshot.path, wanted, frames)


def suppressed_rows(
    candidates: Mapping[str, pl.DataFrame],
    periods: Sequence[PeriodMetadata],
    policy: Policy,
    published: Sequence[Edition] = (),
    earlier: Sequence[Earlier] = (),
) -> dict[str, list[PublishedRow]]:
    """The rows that may be published of the candidates, beside everything published before.

    earlier: the earlier revisions of a period that is corrected.

    Raises ReleaseRefused where they cannot be judged, or no choice of withheld cells protects everybody.
    """
    rows = {name: frame.to_dicts() for name, frame in candidates.items()}
    if earlier:
        rows[TOPICS.name] = []
    wanted = [one.period for one in periods]
    keys = {period.key for period in wanted}
    designs = {design_of(one.sample_design) for one in periods}
    if len(designs) > 1:
        raise ReleaseRefused("these periods were screened in different ways: publish those of each way by themselves")
    is_census = designs == {CENSUS}
    try:
        if any(row.get("period_key") not in keys for table in rows.values() for row in table):
            raise CandidateError("candidate rows are of other periods than those asked for")
        publishable = suppress(
            rows, policy.rules, published, policy.max_conversations_per_user, is_census, earlier, *designs
        )
    except CandidateError as error:
        raise ReleaseRefused(f"{error}; nothing was published") from None
    if reasons := too_few_people(rows, wanted):
        raise ReleaseRefused("; ".join(reasons))
    return publishable


def design_of(sample_design: Mapping[str, Any]) -> str:
    """How a period was sampled, as words that are equal where the same conversations were asked about."""
    if sample_design["mode"] == CENSUS:
        return CENSUS
    return ", ".join(f"{name} {value}" for name, value in sorted(sample_design.items()) if name != LARGEST_WEIGHT)


def with_weights(periods: Sequence[PeriodMetadata], candidates: Mapping[str, pl.DataFrame]) -> list[PeriodMetadata]:
    """The periods, those of a sample with the largest weight of any conversation, which decides how they are rounded.

    Raises ReleaseRefused where it is not told.
    """
    try:
        largest = largest_weight(candidates[PREVALENCE.name].to_dicts())
    except CandidateError as error:
        raise ReleaseRefused(f"{error}; nothing was published") from None
    return [
        one
        if one.sample_design["mode"] == CENSUS
        else replace(one, sample_design={**one.sample_design, LARGEST_WEIGHT: largest})
        for one in periods
    ]


def other_designs(periods: Sequence[PeriodMetadata], editions: Sequence[Edition]) -> list[str]:
    """Why periods may not be published beside those that were screened in another way; empty when they may.

    What two samples, or a sample and a census, of the same conversations tell together nobody has audited. And a sample
    is not corrected: late conversations change every weight, and so every number.
    """
    reasons = []
    for one in periods:
        design = design_of(one.sample_design)
        if one.revision and (design != CENSUS or any(e.period == one.period and e.design != CENSUS for e in editions)):
            reasons.append(
                f"{one.period.key} is not corrected: it was, or would be, screened in two phases, where late "
                "conversations change every weight, and with it every number"
            )
            continue
        overlapping = [e.period.key for e in editions if e.period.overlaps(one.period) and e.design != design]
        if overlapping:
            reasons.append(
                f"{one.period.key} overlaps {overlapping[0]}, which was screened in another way ([screening]): publish "
                "it with the settings of then, or periods that begin later"
            )
    return reasons


def earlier_revisions(
    one: PeriodMetadata, editions: Sequence[Edition], compared: Sequence[Compared], policy: Policy
) -> list[Earlier]:
    """The earlier revisions of a corrected period, each with what has not changed since.

    Raises ReleaseRefused unless the next revision may follow them: each was compared with, something has changed, and
    in every cell those who came and those who went are each nobody or enough people.
    """
    own = sorted((e for e in editions if e.period == one.period), key=lambda e: e.revision)
    changes = {c.revision: c.changes for c in compared}
    if [e.revision for e in own] != list(range(one.revision)) or set(changes) != {e.revision for e in own}:
        raise ReleaseRefused(f"{one.period.key} was not compared with every earlier revision; nothing was published")
    if not any(c.users_added or c.users_removed for c in changes[one.revision - 1]):
        raise ReleaseRefused(f"{one.period.key}: nothing that is counted has changed since it was published")
    fewest = min(policy.rules.min_users, *(edition.rules.min_users for edition in own))
    if tables := refused_tables([c for of in changes.values() for c in of], policy.rules, fewest):
        raise ReleaseRefused(
            f"{one.period.key} cannot be corrected yet: in {', '.join(tables)} the change is of so few people that "
            "subtracting the revisions would tell of them; late data waits for more"
        )
    scope = Scope(frozenset(PARTED), scope_of(own).facets)
    return [Earlier(edition, unchanged_sets(changes[edition.revision], scope)) for edition in own]


def published_editions(newest: Snapshot | None) -> list[Edition]:
    """Everything published so far, each period and revision with the policy of its day.

    Raises ReleaseRefused where a period does not state its policy: then nobody knows what its numbers tell.
    """
    if newest is None:
        return []
    tables = {name: newest.read_table(name) for name in TABLES}
    editions = []
    for about in newest.manifest()["periods"]:
        period, revision = parse_period(about["key"]), about["revision"]
        ours = (
            (pl.col("period_kind") == period.kind.value)
            & (pl.col("period_start") == period.start)
            & (pl.col("period_end") == period.end)
            & (pl.col("revision") == revision)
        )
        try:
            design, rules = about["sample_design"], Rules.from_manifest(about["policy"])
            bound = about["policy"]["max_conversations_per_user"]
            if design.get(LARGEST_WEIGHT, 1) > 1:
                rules = rules.weighted(design[LARGEST_WEIGHT], bound)
            edition = Edition(
                period,
                {
                    name: [{"period_key": period.key, **row} for row in frame.filter(ours).to_dicts()]
                    for name, frame in tables.items()
                },
                rules,
                bound,
                revision,
                design["mode"] == CENSUS,
                design=design_of(design),
            )
        except (KeyError, ValueError):
            raise ReleaseRefused(
                f"{period.key} was published without stating its policy; nothing was published"
            ) from None
        editions.append(edition)
    return editions


def gate(frames: Mapping[str, pl.DataFrame], policy: Policy) -> None:
    """Hold each table's rows against its suite. Raises GateFailed naming tables and expectations, never a value.

    A check that errors is a failed gate: only a suite that was evaluated whole and passed lets rows through.
    """
    from expectations.runner import SuiteError, check

    failed: dict[str, list[str]] = {}
    for name, frame in frames.items():
        try:
            outcomes = check(name, frame, policy.suite_parameters(TABLES[name]))
        except SuiteError as error:
            raise GateFailed(f"{error}; nothing was published", frozenset({name})) from None
        if refused := [f"{name}: {outcome}" for outcome in outcomes if not outcome.passed]:
            failed[name] = refused
    if failed:
        told = [words for refused in failed.values() for words in refused]
        raise GateFailed(
            f"the gate refused {len(told)} expectation(s), nothing was published: {'; '.join(told)}", frozenset(failed)
        )


def published_frame(name: str, rows: Sequence[PublishedRow], periods: Sequence[PeriodMetadata]) -> pl.DataFrame:
    """Rows with the contract's common columns, in its order and types, periods in order of time."""
    by_key = {one.period.key: one for one in periods}
    complete = []
    for row in sorted(rows, key=lambda row: by_key[str(row["period_key"])].period):
        one = by_key[str(row["period_key"])]
        period = one.period
        common = {"period_kind": period.kind.value, "period_start": period.start, "period_end": period.end}
        complete.append({**common, "revision": one.revision, **{k: v for k, v in row.items() if k != "period_key"}})
    return pl.DataFrame(complete, schema=polars_schema(PUBLISHED[name]))


def _is_of(entry: Entry, periods: Sequence[PeriodMetadata]) -> bool:
    """Whether a release is of exactly these periods and revisions."""
    return {(p["key"], p["revision"]) for p in entry.periods} == {(one.period.key, one.revision) for one in periods}


def correction_of(frames: Mapping[str, pl.DataFrame], one: PeriodMetadata) -> dict[str, Any]:
    """What the manifest says of a period's correction: read from the rows to be published, so that it tells no more."""
    ours = (
        (pl.col("period_start") == one.period.start)
        & (pl.col("period_end") == one.period.end)
        & (pl.col("period_kind") == one.period.kind.value)
    )
    corrected = frames[PREVALENCE.name].filter(ours & pl.col("corrected_share").is_not_null())["category"].to_list()
    rates = frames[PUSHBACK.name].filter(ours & pl.col("corrected_rate").is_not_null())
    tones = frames[SENTIMENT.name].filter(ours & pl.col("corrected_change").is_not_null())
    judged = frames[AGREEMENT.name].filter(ours & ~pl.col("suppressed"))["facet"].to_list()
    coded = frames[AGREEMENT.name].filter(ours).height > 0
    why = "too few human labels" if coded else "no human labels cover the period"
    return {
        "corrected": corrected,
        "corrected_pushback": [f"{of}/{kind}" for of, kind in rates.select("affective_type", "kind").iter_rows()],
        "corrected_sentiment": tones["affective_type"].to_list(),
        "agreement": judged,
        "not_corrected_because": None if corrected else why,
        "min_coded": MIN_CODED,
        "min_coded_a_side": MIN_CODED_A_SIDE,
    }


def known_definitions(newest: Snapshot | None, periods: Sequence[PeriodMetadata]) -> dict[str, Any]:
    """Every definition by its digest: those of the releases before, and those of the new periods."""
    earlier = definitions_of(newest) if newest else {}
    return earlier | {digest_of(text): dict(text) for one in periods for text in one.definitions.values()}


def _about(one: PeriodMetadata, policy: Policy, budget: Budget | None) -> dict[str, Any]:
    period = one.period
    return {
        **({"epsilon": budget.epsilon} if budget else {}),
        "key": period.key,
        "kind": period.kind.value,
        "start": period.start.isoformat(),
        "end": period.end.isoformat(),
        "revision": one.revision,
        "labellers": dict(one.labellers),
        "facet_versions": dict(one.facet_versions),
        "prompt_hashes": dict(one.prompt_hashes),
        "definitions": {facet: digest_of(text) for facet, text in one.definitions.items()},
        "code": {"version": __version__, "models": one.models_digest},
        "not_measured": list(one.not_measured),
        "sample_design": dict(one.sample_design),
        "labelling_usd": None if one.labelling_usd is None else float(f"{one.labelling_usd:.2g}"),
        "policy": policy.as_manifest(),
    }


def _result(path: Path, periods: Sequence[Period], frames: Mapping[str, pl.DataFrame]) -> ReleaseResult:
    starts = [period.start for period in periods]
    tables: dict[str, dict[str, int | None]] = {}
    for name, frame in frames.items():
        cells: dict[str, int | None] = dict(count_cells(frame.filter(pl.col("period_start").is_in(starts))))
        tables[name] = cells if not PUBLISHED[name].is_topic else {**cells, "withheld": None}
    return ReleaseResult(path.name, path, tuple(period.key for period in sorted(periods)), tables)
