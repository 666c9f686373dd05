"""What `confide estimate` does: the requests of a run that has not begun, and their price.

Lives here: which conversations a run would ask about, stage by stage. Which of those that are not screened yet will be
looked at in detail nobody knows: a keyed sample of the size to be expected stands in for them, and the result says so.
Not here: tokens and prices (`classifiers/claude/estimate.py`).
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from dagster_project.classifiers.interface import Progress
from dagster_project.days import day_states, instrument
from dagster_project.domain.selection import control_sample
from dagster_project.labelling import KeyedConversation, conversations_from, weights_of_day
from dagster_project.workspace import Workspace

ANALYSED_SHARE = 0.03
"""Taken for the share of conversations to be analysed where they were not screened yet (the study: 2.9 % affective)."""


class _Asked:
    """The conversations that a stage asks about, in the days given; read anew each time. n: seen the last time."""

    def __init__(self, workspace: Workspace, stage: str, screened: Mapping[date, bool], progress: Progress | None):
        self._workspace, self._stage, self._screened, self._progress = workspace, stage, screened, progress

    def __iter__(self) -> Iterator[KeyedConversation]:
        for day, screened in self._screened.items():
            conversations = conversations_from(*self._workspace.landing.read_day(day))
            wanted = self._wanted(day, screened, [c.conversation.conversation_id for c in conversations])
            yield from (c for c in conversations if c.conversation.conversation_id in wanted)
            if self._progress:
                self._progress(1)

    def _wanted(self, day: date, screened: bool, keys: list[str]) -> Iterable[str]:
        if self._stage == "screen":
            return set(keys)
        controls = self._workspace.control_share
        if screened:
            return weights_of_day(self._workspace.lake, day, self._stage, controls)
        return control_sample(keys, ANALYSED_SHARE + controls)


def estimate_run(
    workspace: Workspace, first: date | None = None, last: date | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Requests, tokens and dollars of labelling the landed days in [first, last]; by default of those not up to date.

    progress: told of days, once a stage. Nothing is sent but a sample to be counted, where Claude is the labeller.
    Raises PriceError, LedgerError.
    """
    states = [s for s in day_states(workspace) if (first is None or s.day >= first) and (last is None or s.day <= last)]
    days = {s.day: s.labelled for s in states if first or last or not s.built}
    if not workspace.asks_claude:
        nothing = {"requests": 0, "input_tokens": 0, "output_tokens": 0, "usd": 0.0, "by_model": {}}
        return {**nothing, "days": len(days), "labeller": workspace.answers("screen").labeller}
    from dagster_project.classifiers.claude.estimate import StageEstimate, priced

    stages = []
    for stage in ("screen", "detail"):
        estimate = StageEstimate(workspace.answers(stage).labeller)
        estimate.add_missing(
            workspace.ledger, instrument(workspace, stage)[0], _Asked(workspace, stage, days, progress)
        )
        stages.append(estimate)
    unscreened = sum(not screened for screened in days.values())
    about: dict[str, Any] = {"days": len(days)}
    if unscreened:
        about |= {"days_not_screened": unscreened, "share_taken_for_detail": ANALYSED_SHARE + workspace.control_share}
    return {**priced(workspace.settings, stages, datetime.now(UTC).date()), **about}
