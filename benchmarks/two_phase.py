"""Two-phase screening against a census: coverage, bias, requests a conversation and width, raw and corrected.

Run: python benchmarks/two_phase.py [--worlds 2000] [--users 20000] [--rate 0.07] [--labels 1000]

The worlds. Users have 1 to 5 conversations and rates of their own (beta, intra-user correlation 0.25). The cheap score
lies above the cut for 96.7 % of the affective conversations and for 1.5 % of the others, wherever the share asked for
is one of affective conversations; shares of 10 % and 40 % (content creation, say) have nothing to do with the score:
4.3 % of theirs lie above, as of all. Above the cut all are asked about, below each with the given chance, whatever else
is. The labeller errs by user (beta, correlation 0.1), as often both ways. People label about as many of the asked
conversations predicted yes as of those predicted no. The truth is the share that the rates were drawn from.

The intervals are the published ones, before rounding: `two_phase_interval`, `share_of_true` and `corrected_share`.
"Requests" are the screen's; "all" has the detail's beside them, of affective conversations that were found and of 1 %
of the others that were asked about. "width" is against the census of the very same conversations: raw against raw, and
corrected against corrected, by as many human labels. "few" is of error-free labellers alone: how often fewer than ten
hits were sampled below the cut, so that the release shows `interval_of_few`, which does not tell how few; how often
what it then shows holds the truth, and its width.
"""

import argparse
import sys
import time
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.coverage import OWN, OWN_ERROR, SHARES, is_held, labelled, rates, share_of_users
from dagster_project.domain.estimation.correction import Estimate, corrected_share, share_of_true
from dagster_project.domain.estimation.two_phase import Part, interval_of_few, relative_width, two_phase_interval

ERRORS = (0.0, 0.01, 0.05, 0.1)
AFFECTIVE, SENSITIVITY, FALSE_POSITIVES, CONTROLS = 0.029, 0.967, 0.015, 0.01
ABOVE = AFFECTIVE * SENSITIVITY + (1 - AFFECTIVE) * FALSE_POSITIVES
FEWEST = 10
AT_ONCE = 25


class Found(NamedTuple):
    """Of one setting, means over all worlds."""

    requests: float
    census_holds: float
    raw: float
    raw_holds: float
    width: float
    corrected: float
    corrected_holds: float
    corrected_width: float
    few: float
    shown_holds: float
    shown_width: float


def part_of(hits: np.ndarray, weights: np.ndarray, n: int) -> Part:
    """A term of the share from each user's sums; users without any of these are none of it."""
    own = weights > 0
    hits, weights = hits[own], weights[own]
    share = float(hits.sum() / weights.sum())
    residual = float(((hits - share * weights) ** 2).sum() / weights.sum() ** 2)
    return Part(share, residual, n, len(weights))


def share_of(
    hits_above: np.ndarray, all_: np.ndarray, hits_below: np.ndarray, asked: np.ndarray, part: float
) -> Estimate:
    """A share with its published interval from each user's counts: hits above, all, hits and asked below the cut."""
    above, below = part_of(hits_above, all_, int(all_.sum())), part_of(hits_below, asked, int(asked.sum()))
    ends = two_phase_interval(above, below, part)
    assert ends is not None
    return Estimate(above.share + part * below.share, *ends)


def setting(
    share: float, error: float, rate: float, n_users: int, n_labels: int, worlds: int, random: np.random.Generator
) -> Found:
    """One setting over many worlds."""
    is_affective = share <= AFFECTIVE
    above_of = {True: SENSITIVITY, False: (ABOVE - share * SENSITIVITY) / (1 - share)} if is_affective else {
        True: ABOVE, False: ABOVE,
    }  # fmt: skip
    found = []
    for start in range(0, worlds, AT_ONCE):
        shape = (min(AT_ONCE, worlds - start), n_users)
        sizes = random.integers(1, 6, shape)
        true = random.binomial(sizes, rates(share, OWN, shape, random))
        missed = random.binomial(true, rates(error, OWN_ERROR, shape, random))
        mistaken = random.binomial(sizes - true, rates(error, OWN_ERROR, shape, random))
        # By (predicted, true): how many, above the cut, and asked about below it.
        counts = {(1, 1): true - missed, (0, 1): missed, (1, 0): mistaken, (0, 0): sizes - true - mistaken}
        above = {k: random.binomial(n, above_of[bool(k[1])]) for k, n in counts.items()}
        asked = {k: random.binomial(n - above[k], rate) for k, n in counts.items()}
        below_all = sizes - sum(above.values())
        for w in range(shape[0]):
            n, n_below = int(sizes[w].sum()), int(below_all[w].sum())
            asked_below = sum(asked[k][w] for k in counts)
            weight = n_below / int(asked_below.sum())
            raw = share_of(
                above[1, 1][w] + above[1, 0][w], sizes[w], asked[1, 1][w] + asked[1, 0][w], asked_below, n_below / n
            )
            census = share_of_users((true - missed + mistaken)[w], sizes[w])
            truth_census = share_of_users(true[w], sizes[w])
            sides = []
            for predicted in (1, 0):
                there = sum(int(above[predicted, t][w].sum() + asked[predicted, t][w].sum()) for t in (0, 1))
                chance = min(1.0, n_labels / 2 / max(1, there))
                drawn = {
                    (t, s): random.binomial(counted[predicted, t][w], chance)
                    for t, (s, counted) in product((0, 1), (("above", above), ("below", asked)))
                }
                sides.append(_side(drawn, weight))
            fixed = corrected_share(raw, *sides)
            fixed_census = corrected_share(census, *(_side_of_census(p, counts, w, n_labels, random) for p in (1, 0)))
            above_part = part_of((above[1, 1] + above[1, 0])[w], sizes[w], n)
            hits_below = int((asked[1, 1] + asked[1, 0])[w].sum())
            is_few = hits_below < FEWEST
            shown = (
                Estimate(
                    raw.value,
                    *interval_of_few(raw.value * n, n, weight, FEWEST, above_part.residual * n**2, is_sampled=False),
                )
                if is_few
                else raw
            )
            requests = (n - n_below + float(asked_below.sum())) / n
            width = (raw.high - raw.low) / (census.high - census.low)
            found.append(
                (requests, is_held(truth_census, share), raw.value, is_held(raw, share), width, fixed.value,
                 is_held(fixed, share), (fixed.high - fixed.low) / (fixed_census.high - fixed_census.low),
                 is_few, is_held(shown, share), (shown.high - shown.low) / (census.high - census.low))
            )  # fmt: skip
    return Found(*(float(v) for v in np.mean(found, axis=0)))


def _side(drawn: dict[tuple[int, str], np.ndarray], weight: float) -> Estimate:
    """What people find on one side of the prediction."""
    hits = drawn[1, "above"] + weight * drawn[1, "below"]
    weights = hits + drawn[0, "above"] + weight * drawn[0, "below"]
    own = weights > 0
    if not own.any():
        return Estimate(0.5, 0.0, 1.0)
    return share_of_true(hits[own], weights[own], int(sum(int(d.sum()) for d in drawn.values())))


def _side_of_census(
    predicted: int, counts: dict[tuple[int, int], np.ndarray], world: int, n_labels: int, random: np.random.Generator
) -> Estimate:
    """The same where all conversations are asked about, by as many labels."""
    true, false = (counts[predicted, t][world] for t in (1, 0))
    chance = min(1.0, n_labels / 2 / max(1, int(true.sum() + false.sum())))
    return labelled(random.binomial(true, chance), random.binomial(false, chance))


def main() -> None:
    """Print one line a setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=0.07)
    parser.add_argument("--labels", type=int, default=1000)
    parser.add_argument("--errors", type=float, nargs="*", default=ERRORS)
    given = parser.parse_args()
    random, began = np.random.default_rng(20250626), time.perf_counter()
    asked_share = ABOVE + (1 - ABOVE) * given.rate
    detail = AFFECTIVE * (SENSITIVITY + (1 - SENSITIVITY) * given.rate) + CONTROLS * asked_share
    print(
        f"{given.worlds} worlds a setting, {given.users:,} users with 1 to 5 conversations, {given.rate:.0%} asked "
        f"about below the cut, {given.labels} human labels at most; intervals of 95 %"
    )
    expected = relative_width(AFFECTIVE, 1 - SENSITIVITY, given.rate)
    print(f"`confide estimate` says: {expected:.2f} times as wide (many conversations, no clustering)")
    print(
        "truth   error | census holds | requests   all | raw mean (bias)   holds width | corrected (bias)   holds width"
        " | few  holds width"
    )
    for share, error in product(SHARES, given.errors):
        one = setting(share, error, given.rate, given.users, given.labels, given.worlds, random)
        seen = share * (1 - error) + (1 - share) * error
        holds = f"{one.raw_holds:.3f}" if error == 0 else "  -  "
        shown = f" | {one.few:.2f} {one.shown_holds:.3f}  {one.shown_width:.2f}"
        print(
            f"{share:6.2%} {error:5.0%}  |    {one.census_holds:.3f}     "
            f"|  {one.requests:.3f}  {one.requests + detail:.3f} "
            f"| {one.raw:7.3%} ({one.raw - seen:+8.3%}) {holds}  {one.width:.2f} "
            f"| {one.corrected:7.3%} ({one.corrected - share:+8.3%}) {one.corrected_holds:.3f}  "
            f"{one.corrected_width:.2f}{shown if error == 0 else ''}",
            flush=True,
        )
    print(f"seconds: {time.perf_counter() - began:.0f}")


if __name__ == "__main__":
    main()
