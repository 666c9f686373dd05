"""The state of a home's days: what has landed, what is stale and why, which periods are complete.

A day passes three marks, each holding a digest of what it was made from: ingested (the lake holds what has
landed), labelled (by this labeller and codebook), built (the warehouse holds those labels). A day whose digest
differs is stale. Not here: doing anything about it (`assets/`, `running.py`).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dagster_project.codebook.schema import Facet
from dagster_project.domain.periods import Period, parse_period, periods_covering
from dagster_project.domain.topics.naming import RULES
from dagster_project.home import Home
from dagster_project.labelling import measured
from dagster_project.storage.closed_days import why_closed, why_cut
from dagster_project.storage.contributions import Contributions
from dagster_project.storage.files import replacing
from dagster_project.workspace import Workspace

NAMED_UNDER = "named_under"
STAGES = ("screen", "detail")
"""The stages of labelling, in order: the detail asks about what the screen found."""


def instrument(workspace: Workspace, stage: str) -> tuple[list[Facet], str]:
    """The facets that the labeller answers in a stage, and a digest of labeller, facets, prompts and sample design."""
    answers = workspace.answers(stage)
    facets = measured(list(workspace.codebook), stage, answers.measures)
    parts = [answers.labeller, *(f"{f.id}:{f.version}:{answers.prompt_hash(f)}" for f in facets)]
    if stage == "screen" and workspace.screens_in_two_phases:
        parts += [f"{name}={value}" for name, value in workspace.sample_design.items()]
    return facets, hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


class Marks:
    """What the warehouse was last built from without a failed test: a small file a day, and a release period.

    A mark is cleared before its rows are touched and written when all of them passed, so rows of a build that
    failed are never taken for sound, whatever was run or selected since.
    """

    def __init__(self, home: Home) -> None:
        self._folder = home.private / "marks"
        self._warehouse = home.warehouse

    def read(self, unit: date | str) -> str | None:
        """The digest that the warehouse holds of a day or a period's key; None without a sound one."""
        path = self._path(unit)
        return path.read_text() if path.exists() and self._warehouse.exists() else None

    def begin(self, units: Iterable[date | str]) -> None:
        """Forget days or periods whose rows are about to change, and all of them when the warehouse is gone."""
        gone = map(self._path, units) if self._warehouse.exists() else self._folder.glob("*")
        for path in gone:
            path.unlink(missing_ok=True)

    def write(self, unit: date | str, digest: str) -> None:
        """Remember that the warehouse holds a day or a period built from this, tests passed."""
        with replacing(self._path(unit)) as temporary:
            temporary.write_text(digest)

    def _path(self, unit: date | str) -> Path:
        """A day, and the release period of that one day, are two things."""
        return self._folder / (unit.isoformat() if isinstance(unit, date) else f"period={unit}")


@dataclass(frozen=True)
class DayState:
    """How far one day has come. Each flag implies the ones before it."""

    day: date
    ingested: bool
    labelled: bool
    built: bool


def labels_digest(workspace: Workspace, day: date) -> str | None:
    """Digest of what both stages' labels of a day were made from; None where a stage is missing.

    So it is where the sample that the day has is not the one that was asked about: a run was killed in between.
    """
    screen, detail, sample = (workspace.lake.about(t, day) for t in ("screen_labels", "detail_labels", "screening"))
    if screen is None or detail is None or (sample is not None and sample.get("inputs") != screen.get("inputs")):
        return None
    return f"{screen.get('inputs')}/{detail.get('inputs')}"


def period_digest(workspace: Workspace, period: Period) -> str:
    """Digest of everything that a period's rows are counted from: its days as built, and the bound on users."""
    marks = Marks(workspace.home)
    days = {day: marks.read(day) for day in workspace.landing.days()}
    return _digest_of(workspace, period, days, workspace.policy.max_conversations_per_user)


def labels_held_digest(workspace: Workspace, period: Period, max_conversations_per_user: int) -> str:
    """What `period_digest` is where the warehouse holds the labels that the lake has now, counted with this bound."""
    days = {day: labels_digest(workspace, day) for day in workspace.lake.days("screen_labels")}
    return _digest_of(workspace, period, days, max_conversations_per_user)


def _digest_of(workspace: Workspace, period: Period, days: Mapping[date, str | None], bound: int) -> str:
    parts = [f"{day}={digest}" for day, digest in days.items() if period.start <= day < period.end]
    # People's answers; without any, the digest is what it was before there could be some.
    for day in workspace.lake.days("human_labels"):
        if period.start <= day < period.end:
            parts.append(f"coded {day}={workspace.lake.digest('human_labels', day)}")
    parts.append(f"bound={bound}")
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def topics_digest(workspace: Workspace, period: Period) -> str | None:
    """Digest of a period's topics and of who is of them; None where they were not made, or were erased."""
    try:
        return "/".join(workspace.lake.digest(table, period.key) for table in ("topics", "topic_assignments"))
    except OSError:
        return None


def naming_limits(workspace: Workspace) -> str:
    """What decides a period's topics and names: users and conversations of the smallest, and the rules of names."""
    rules = workspace.policy.rules
    return f"{rules.min_topic_users}/{rules.min_topic_conversations}/{RULES}"


def is_counted(workspace: Workspace, period: Period) -> bool:
    """Whether a period's rows are from what its days hold now, tests passed, and its topics under this policy."""
    topics = workspace.lake.about("topics", period.key) or {}
    up_to_date = Marks(workspace.home).read(period.key) == period_digest(workspace, period)
    return up_to_date and topics.get(NAMED_UNDER) == naming_limits(workspace)


def day_states(workspace: Workspace, within: Iterable[date] | None = None) -> list[DayState]:
    """The state of every landed day, in order; with `within`, of those days only."""
    marks, lake = Marks(workspace.home), workspace.lake
    screen, detail = (instrument(workspace, stage)[1] for stage in STAGES)
    wanted = None if within is None else set(within)
    states = []
    for day in workspace.landing.days():
        if wanted is not None and day not in wanted:
            continue
        inputs = workspace.landing.inputs(day)
        about = lake.about("conversations", day)
        ingested = about is not None and about.get("inputs") == inputs
        digest = labels_digest(workspace, day)
        labelled = ingested and digest == f"{inputs}:{screen}/{inputs}:{screen}:{detail}"
        states.append(DayState(day, ingested, labelled, labelled and marks.read(day) == digest))
    return states


def why_incomplete(workspace: Workspace, period: Period, today: date) -> str | None:
    """Why a period cannot be released yet, in words; None when it is complete."""
    if period.end > today:
        return f"{period.key} is not over: its last day ends at {period.end} 00:00 UTC"
    if reason := why_cut(workspace.home, period):
        return reason
    states = day_states(workspace, period.days)
    if not states:
        return f"{period.key} has no conversations"
    missing = [s.day for s in states if not s.built]
    if missing:
        return (
            f"{period.key} is incomplete: {len(missing)} of its days are not up to date, the first {missing[0]}; "
            "run `confide run`"
        )
    return None


def published_revisions(home: Home) -> dict[Period, int]:
    """The periods of the newest release in order, each with its last revision."""
    from dagster_project.storage.published import current

    snapshot = current(home)
    found = [(parse_period(p["key"]), int(p["revision"])) for p in snapshot.manifest()["periods"]] if snapshot else []
    return dict(sorted(found))


def published_periods(home: Home) -> list[Period]:
    """The periods of the newest release, in order."""
    return list(published_revisions(home))


def waiting(workspace: Workspace) -> list[Period]:
    """Published periods of which data has come, or labels have changed, since: they wait for a correction.

    Not those that can no longer be corrected: they would be listed for ever. Raises ClosedDaysDamaged.
    """
    published = published_revisions(workspace.home)
    kept, states = Contributions(workspace.home), day_states(workspace)
    return [
        period
        for period, revision in published.items()
        if why_closed(workspace.home, period) is None
        and (
            kept.inputs(period, revision) != period_digest(workspace, period)
            or any(not state.built for state in states if period.start <= state.day < period.end)
        )
    ]


def is_one_person(workspace: Workspace, period: Period) -> bool:
    """Whether all of a period's conversations are one person's: logs without user ids are, taken together."""
    users: set[str] = set()
    for day in workspace.landing.days():
        if period.start <= day < period.end:
            users.update(workspace.lake.read("conversations", day)["user_key"].unique().to_list())
        if len(users) > 1:
            return False
    return True


def complete_unpublished(workspace: Workspace, today: date) -> list[Period]:
    """Complete periods of the configured kind that are not published yet, in order."""
    published = set(published_periods(workspace.home))
    periods = periods_covering(workspace.landing.days(), workspace.settings.release.kind)
    return [p for p in periods if p not in published and why_incomplete(workspace, p, today) is None]


def releasable(workspace: Workspace, today: date) -> list[Period]:
    """The complete, unpublished periods that have more than one person in them."""
    return [p for p in complete_unpublished(workspace, today) if not is_one_person(workspace, p)]
