"""Small worlds whose generator is written down: what a figure has to find in them, and what it must not.

Five weeks after one another, each of its own people. Not here: the figures (`tests/integration`).
"""

import random
from dataclasses import replace
from datetime import date, timedelta

from dagster_project.domain.periods import Period, PeriodKind, period_of
from tests.support.lake_builder import LEVEL_IDS, NO_LABEL, Coded, Talk

FIRST = date(2026, 10, 19)
N = 400
WARMED_UP = 0.3


def _week(i: int) -> Period:
    return period_of(FIRST + timedelta(7 * i), PeriodKind.WEEK)


GIVEN_UP, NOISY_FIRST, PROBLEM_FIRST, TRUE_CHANGE, MISHEARD = map(_week, range(5))
TONES = {NOISY_FIRST: "noise", PROBLEM_FIRST: "problem", TRUE_CHANGE: "change"}
LAST = MISHEARD.end - timedelta(1)
PUSHED_BACK, SEEN_WRONGLY = 0.2, 0.25


def talks() -> list[Talk]:
    """All worlds but `misheard`."""
    draw = random.Random(30)
    return [
        *(_given_up(draw, i) for i in range(N)),
        *(_toned(draw, period, i) for period in TONES for i in range(N)),
    ]


def misheard() -> tuple[list[Talk], list[Coded]]:
    """No tone changes, but the labeller hears half of the last messages a level brighter; and sees pushback too often.

    20 % meet a refusal, and it sees one in a quarter of the other conversations. People label every second one.
    """
    draw = random.Random(31)
    found, coded = [], []
    for i in range(N):
        levels = [draw.choice((-0.5, 0.0, 0.0, 0.5)) for _ in range(8)]
        heard = [level + 0.5 * (k >= 5 and draw.random() < 0.5) for k, level in enumerate(levels)]
        meets = draw.random() < PUSHED_BACK
        seen = meets or draw.random() < SEEN_WRONGLY
        talk = replace(_talk(MISHEARD, i, 8), sentiment=tuple(heard), pushback=((0, "refusal"),) if seen else ())
        found.append(talk)
        if draw.random() < 0.5:
            tone = tuple(LEVEL_IDS[level] for level in (*levels[:3], *levels[-3:]))
            coded.append(Coded(talk, 0.5, False, ("coaching",), meets, tone))
    return found, coded


def _talk(period: Period, i: int, n_human: int) -> Talk:
    return Talk(
        f"{period.key}-{i:05d}", f"{period.key}-user-{i // 2}", period.start + timedelta(i % 7), "ua" * n_human,
        types=("coaching",), pushback=NO_LABEL, sentiment=NO_LABEL,
    )  # fmt: skip


def _given_up(draw: random.Random, i: int) -> Talk:
    """Half of those who meet pushback let it rest; of those who ask again, 30 % get their way at the third request."""
    talk = _talk(GIVEN_UP, i, 4)
    outcome = "not_asked_again"
    if draw.random() < 0.5:
        outcome = "at_third_request" if draw.random() < WARMED_UP else "held"
    told = (("detail", "pushback_given_up", (outcome,)),)
    return replace(talk, pushback=((0, "refusal"),), facets=told)


def _toned(draw: random.Random, period: Period, i: int) -> Talk:
    """Eight messages around 0 or -0.5 by chance alone, but for what the world adds.

    noise: conversations are taken in for a first message that chance made very negative. problem: the first message
    tells a problem, the rest is plain talk. change: every later message is a little brighter than the one before.
    """
    levels = [draw.choice((-0.5, 0.0, 0.0, 0.5)) for _ in range(8)]
    match TONES[period]:
        case "noise":
            levels[0] = min(draw.choice((-1.0, -0.5, 0.0, 0.5, 1.0)) for _ in range(4))
        case "problem":
            levels[0] = draw.choice((-1.0, -1.0, -0.5))
        case "change":
            levels = [max(-1.0, min(1.0, level + 0.5 * (draw.random() < k / 12))) for k, level in enumerate(levels)]
    return replace(_talk(period, i, 8), sentiment=tuple(levels))
