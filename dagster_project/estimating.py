"""What `confide estimate` does: the requests of a run that has not begun, and their price, for both ways of screening.

Lives here: which conversations a run would ask about, stage by stage. Which of those that are not screened yet will be
looked at in detail, or lie above the cut of two-phase screening, nobody knows: keyed samples of the size to be expected
stand in for them, and the result says so. Not here: tokens and prices (`classifiers/claude/estimate.py`), what a sample
costs in width (`domain/estimation/two_phase.py`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from dagster_project.classifiers.interface import Progress
from dagster_project.days import day_states, instrument
from dagster_project.domain.estimation.two_phase import relative_width
from dagster_project.domain.periods import PeriodKind, periods_covering
from dagster_project.domain.selection import control_sample, keyed_sample
from dagster_project.labelling import (
    KeyedConversation,
    analysed_of_day,
    asked_of_day,
    conversations_from,
    weights_of_day,
)
from dagster_project.workspace import Workspace

ANALYSED_SHARE = 0.03
"""Taken for the share of conversations to be analysed where they were not screened yet (the study: 2.9 % affective)."""
SCORED = 400
"""Conversations that the cheap score is asked about, to see how many lie above the cut."""
MISSED_BELOW = {0.1: 0.019, 0.2: 0.028, 0.3: 0.033, 0.5: 0.061}
"""By cut, the part of the affective conversations of `training/heldout` whose cheap score lies below it. Those were
written to be hard; `python benchmarks/cheap_score.py` prints it. A cut in between is read as the next one above."""


def missed_below(cut: float) -> float | None:
    """The part of the affective conversations to be expected below a cut; None above the cuts that were measured."""
    return next((missed for known, missed in MISSED_BELOW.items() if cut <= known), None)


@dataclass(frozen=True)
class _Screening:
    """How the screen is taken to choose. asked_share: of conversations that are not screened yet; 1 in a census."""

    mode: str
    asked_share: float


class _Asked:
    """The conversations that a stage asks about, in the days given; read anew each time. n: seen the last time."""

    def __init__(
        self,
        workspace: Workspace,
        stage: str,
        screened: Mapping[date, bool],
        screening: _Screening,
        progress: Progress | None,
    ):
        self._workspace, self._stage, self._screened, self._progress = workspace, stage, screened, progress
        self._screening = screening

    def __iter__(self) -> Iterator[KeyedConversation]:
        for day, screened in self._screened.items():
            conversations = conversations_from(*self._workspace.landing.read_day(day))
            wanted = self._wanted(day, screened, [c.conversation.conversation_id for c in conversations])
            yield from (c for c in conversations if c.conversation.conversation_id in wanted)
            if self._progress:
                self._progress(1)

    def _wanted(self, day: date, screened: bool, keys: list[str]) -> Iterable[str]:
        controls, as_set = self._workspace.control_share, self._screening.mode == _mode(self._workspace)
        if screened and as_set:
            return weights_of_day(self._workspace.lake, day, self._stage, controls)
        asked = keyed_sample(keys, self._screening.asked_share, "screening")
        if self._stage == "screen":
            # Another way of screening asks about those whom the last one asked about, and more.
            return asked | (set(asked_of_day(self._workspace.lake, day)) if screened else set())
        return control_sample(keys, ANALYSED_SHARE + controls * self._screening.asked_share)


def _mode(workspace: Workspace) -> str:
    return workspace.settings.screening.mode


def share_above(workspace: Workspace, days: Iterable[date]) -> float | None:
    """The share of landed conversations whose cheap score reaches the cut, of a keyed sample of them; None without any.

    The score is the embedded model's: nothing is sent.
    """
    days = list(days)
    a_day = -(-SCORED // max(1, len(days)))
    taken = []
    for day in days:
        conversations = conversations_from(*workspace.landing.read_day(day))
        by_place = sorted(conversations, key=lambda one: one.content_hash)
        taken += [one.conversation for one in by_place[:a_day]]
        if len(taken) >= SCORED:
            break
    if not taken:
        return None
    cut = workspace.settings.screening.cut
    return sum(s is not None and s >= cut for s in workspace.cheap_score.affective_scores(taken)) / len(taken)


def estimate_run(
    workspace: Workspace, first: date | None = None, last: date | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Requests, tokens and dollars of labelling the landed days in [first, last]; by default of those not up to date.

    `screening` sets a census and a sample in two phases side by side: requests, dollars, and how many times as wide the
    interval of a share of 3 % would be. `topic_phrases` and `topic_vectors` are what topics ask for when a period is
    released, and in none of the sums. progress: told of days, once a stage and way of screening. Nothing is sent but
    a sample to be counted, where Claude is the labeller. Raises PriceError, LedgerError.
    """
    every = day_states(workspace)
    states = [s for s in every if (first is None or s.day >= first) and (last is None or s.day <= last)]
    days = {s.day: s.labelled for s in states if first or last or not s.built}
    of_topics = _of_topics(workspace, {s.day: s.labelled for s in every}, days)
    if not workspace.asks_claude:
        nothing = {"requests": 0, "input_tokens": 0, "output_tokens": 0, "usd": 0.0, "by_model": {}}
        return {**nothing, "days": len(days), "labeller": workspace.answers("screen").labeller, **of_topics}
    chosen, above = workspace.settings.screening, share_above(workspace, days)
    part = 1.0 if above is None else above + (1 - above) * chosen.sample_rate
    ways = {
        way.mode: _priced(workspace, days, way, progress)
        for way in (_Screening("census", 1.0), _Screening("two_phase", part))
    }
    unscreened = sum(not screened for screened in days.values())
    about: dict[str, Any] = {"days": len(days)}
    if unscreened:
        about |= {"days_not_screened": unscreened, "share_taken_for_detail": ANALYSED_SHARE + workspace.control_share}
    missed = missed_below(chosen.cut)
    width = None if missed is None else relative_width(ANALYSED_SHARE, missed, chosen.sample_rate)
    sides: dict[str, Any] = {
        mode: {"requests": way["requests"], "usd": way["usd"]} | ({"interval_width": 1.0} if mode == "census" else {})
        for mode, way in ways.items()
    }
    sides["two_phase"] |= {
        "sample_rate": chosen.sample_rate,
        "cut": chosen.cut,
        "share_above_cut": None if above is None else round(above, 3),
        "interval_width": None if width is None else round(width, 2),
        "design_effect": None if width is None else round(width**2, 2),
    }
    return {**ways[chosen.mode], **about, "screening": {"chosen": chosen.mode, **sides}, **of_topics}


def _of_topics(workspace: Workspace, labelled: Mapping[date, bool], days: Collection[date]) -> dict[str, Any]:
    """What topics will ask of others besides: `topic_phrases` of Claude, `topic_vectors` of a server, where they do.

    labelled: whether each landed day is; phrases are of all days of the periods that the days touch, vectors of the
    days themselves: what was embedded before is kept.
    """
    from dagster_project.topics.costs import Texts, names_at_most, phrases
    from dagster_project.topics.working import describes

    settings, detail = workspace.settings, workspace.answers("detail")
    asks, sends = workspace.asks_claude and settings.topics.phrases, settings.topics.embedder == "http"
    if not asks and not sends:
        return {}
    kind = PeriodKind(settings.release.period)
    touched = periods_covering(days, kind)
    texts = Texts(describes(workspace.codebook, detail.measures))
    found: dict[date, float] = {}
    for day in labelled:
        if not any(period.start <= day < period.end for period in touched):
            continue
        landed = (c.conversation for c in conversations_from(*workspace.landing.read_day(day)))
        conversations = {conversation.conversation_id: conversation for conversation in landed}
        types = analysed_of_day(workspace.lake, day) if labelled[day] else {}
        found[day] = sum(map(len, types.values())) if labelled[day] else ANALYSED_SHARE * len(conversations)
        wanted = types if labelled[day] else keyed_sample(list(conversations), ANALYSED_SHARE, "screening")
        for key in wanted if sends and day in days else ():
            if key in conversations:
                texts.add([m.content for m in conversations[key].human_messages])
    told: dict[str, Any] = {}
    if asks:
        n = names_at_most(found, kind, workspace.policy.rules.min_topic_conversations)
        told["topic_phrases"] = phrases(settings, detail.labeller, n)
    return told | ({"topic_vectors": texts.told(settings)} if sends else {})


def _priced(
    workspace: Workspace, days: Mapping[date, bool], screening: _Screening, progress: Progress | None
) -> dict[str, Any]:
    """One way of screening, in the words of the command."""
    from dagster_project.classifiers.claude.estimate import StageEstimate, priced

    stages = []
    for stage in ("screen", "detail"):
        estimate = StageEstimate(workspace.answers(stage).labeller)
        asked = _Asked(workspace, stage, days, screening, progress)
        estimate.add_missing(workspace.ledger, instrument(workspace, stage)[0], asked)
        stages.append(estimate)
    return priced(workspace.settings, stages, datetime.now(UTC).date())
