"""One release from candidate rows to a snapshot: refuse, suppress, gate, publish. Fails closed at every step.

Lives here: the order of things and every reason to refuse. Not here: the rules (`domain/disclosure/`), what is
expected of the rows (`expectations/suites/`), writing (`storage/publication.py`, which only this module imports),
and whether a period is complete, which the caller knows (`days.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project import __version__
from dagster_project.domain.disclosure.candidates import CandidateError, Row
from dagster_project.domain.disclosure.editions import PublishedRow
from dagster_project.domain.disclosure.primary import users_by_period
from dagster_project.domain.disclosure.suppression import suppress
from dagster_project.domain.periods import Period
from dagster_project.domain.tables import PREVALENCE, TABLES
from dagster_project.home import Home
from dagster_project.policy.loader import Policy
from dagster_project.storage.publication import Draft, Render, Step, count_cells, publish, recover, release_lock
from dagster_project.storage.published import polars_schema
from dagster_project.storage.release_ledger import Ledger, ReleaseRefused

Clock = Callable[[], datetime]


class GateFailed(ReleaseRefused):
    """Rows about to be published do not meet their suite; nothing was published. `tables`: those that failed."""

    def __init__(self, message: str, tables: frozenset[str]) -> None:
        super().__init__(message)
        self.tables = tables


@dataclass(frozen=True)
class PeriodMetadata:
    """What the manifest says of one period, besides the policy: who labelled, with which questions, of which sample.

    labelling_usd: what that cost, None where nothing is paid. An exact cost would tell how many conversations were
    looked at in detail: two digits of it are published.
    """

    period: Period
    labellers: Mapping[str, str]
    facet_versions: Mapping[str, int]
    prompt_hashes: Mapping[str, str]
    not_measured: Sequence[str] = ()
    sample_design: Mapping[str, Any] = field(default_factory=lambda: {"mode": "census"})
    labelling_usd: float | None = None


@dataclass(frozen=True)
class ReleaseResult:
    """What a release published. `tables`: cells of its new periods; topics tell no number withheld."""

    release_id: str
    path: Path
    periods: tuple[str, ...]
    tables: Mapping[str, Mapping[str, int | None]]


def refuse_reasons(periods: Sequence[Period], published: Sequence[Period]) -> list[str]:
    """Why these periods may not be released beside those already published; empty when they may.

    Until cells are withheld so that other releases cannot be subtracted from this one, a home publishes periods
    of one kind, none of which overlap: a window minus its weeks would tell what the weeks withheld.
    """
    if not periods:
        return ["no period was named"]
    reasons = [
        f"{period.key} is published already and frozen: late data waits, and corrections are not supported yet"
        for period in periods
        if period in published
    ]
    if len(set(periods)) < len(periods):
        reasons.append("a period was named twice")
    kinds = {period.kind for period in (*periods, *published)}
    if len(kinds) > 1:
        had = (
            f"this home publishes by {published[0].kind.value}" if published else "periods of several kinds were named"
        )
        reasons.append(f"{had}: one home publishes one kind of period only; use another home for the others")
    for i, period in enumerate(periods):
        for other in (*periods[:i], *published):
            if period != other and period.overlaps(other):
                reasons.append(f"{period.key} overlaps {other.key}: their difference would tell what was withheld")
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
) -> ReleaseResult:
    """Publish the candidate rows of some periods as a new snapshot of everything published so far.

    candidates: by table, the publish layer's rows of these periods and no others. render: tables and manifest to
    the report's HTML. A run that follows a killed one first finishes or voids what that one left; when it had
    already made exactly these periods visible, that release is the result. Raises ReleaseRefused (GateFailed when
    a suite fails), and then nothing was published.
    """
    at = clock()
    wanted = [one.period for one in periods]
    with release_lock(home):
        before = len(Ledger.read(home.release_ledger).released)
        ledger, newest = recover(home, at, step)
        if newest and len(ledger.released) > before and set(ledger.released[-1].published) == set(wanted):
            return _result(newest.path, wanted, {name: newest.read_table(name) for name in TABLES})
        published = [period for entry in ledger.released for period in entry.published]
        if reasons := refuse_reasons(wanted, published):
            raise ReleaseRefused("; ".join(reasons))
        rows = suppressed_rows(candidates, wanted, policy)
        frames = {name: published_frame(name, rows[name], wanted) for name in TABLES}
        gate(frames, policy)
        draft = Draft(
            rows=frames,
            periods=[_about(one, policy) for one in sorted(periods, key=lambda one: one.period)],
            about={"code_version": __version__, "policy": policy.as_manifest()},
        )
        snapshot = publish(home, ledger, newest, draft, render, at, step)
        return _result(snapshot.path, wanted, frames)


def suppressed_rows(
    candidates: Mapping[str, pl.DataFrame], periods: Sequence[Period], policy: Policy
) -> dict[str, list[PublishedRow]]:
    """The rows that may be published of the candidates. Raises ReleaseRefused where they cannot be judged."""
    rows = {name: frame.to_dicts() for name, frame in candidates.items()}
    keys = {period.key for period in periods}
    try:
        if any(row.get("period_key") not in keys for table in rows.values() for row in table):
            raise CandidateError("candidate rows are of other periods than those asked for")
        publishable = suppress(rows, policy.rules)
    except CandidateError as error:
        raise ReleaseRefused(f"{error}; nothing was published") from None
    if reasons := too_few_people(rows, periods):
        raise ReleaseRefused("; ".join(reasons))
    return publishable


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


def published_frame(name: str, rows: Sequence[PublishedRow], periods: Sequence[Period]) -> pl.DataFrame:
    """Rows with the contract's common columns, in its order and types, periods in order of time."""
    by_key = {period.key: period for period in periods}
    complete = []
    for row in sorted(rows, key=lambda row: by_key[str(row["period_key"])]):
        period = by_key[str(row["period_key"])]
        common = {"period_kind": period.kind.value, "period_start": period.start, "period_end": period.end}
        complete.append({**common, "revision": 0, **{k: v for k, v in row.items() if k != "period_key"}})
    return pl.DataFrame(complete, schema=polars_schema(TABLES[name]))


def _about(one: PeriodMetadata, policy: Policy) -> dict[str, Any]:
    period = one.period
    return {
        "key": period.key,
        "kind": period.kind.value,
        "start": period.start.isoformat(),
        "end": period.end.isoformat(),
        "revision": 0,
        "labellers": dict(one.labellers),
        "facet_versions": dict(one.facet_versions),
        "prompt_hashes": dict(one.prompt_hashes),
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
        tables[name] = cells if not TABLES[name].is_topic else {**cells, "withheld": None}
    return ReleaseResult(path.name, path, tuple(period.key for period in sorted(periods)), tables)
