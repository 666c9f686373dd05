"""How often intervals hold the truth, raw and corrected by human labels; and the study's shares, found again.

Run: python benchmarks/coverage.py [--worlds 2000] [--users 6000] [--labels 1000] [--replications 100]
                                  [--only-detail] [--only-census] [--seed 20250626]

The worlds. Users have 1 to 5 conversations and rates of their own (beta, intra-user correlation 0.25). The classifier
errs by user too (beta, correlation 0.1), at the same rate on those that are and those that are not of the category.
People label about as many of the conversations predicted yes as of those predicted no, or all of them where there are
fewer. The truth is the share that the rates were drawn from.

The replication. 200,000 conversations with the study's published shares as truth: 2.9 % affective, companionship and
roleplay together 0.45 %, the two roleplays 0.08 %, pushback in 9 %, a change of tone of +0.03. The labeller misses or
mistakes 7 % of each type and finds 1 % of the rest affective; it errs on pushback in 5 % both ways; its tone is
two thirds of the true change and 0.05 too high. The sample is drawn by the project's own keyed stratified choice.
"""

import argparse
import time
from typing import NamedTuple

import numpy as np

from dagster_project.domain.estimation.correction import Estimate, corrected_share, share_of_true
from dagster_project.domain.estimation.prediction_powered import UserSums, prediction_powered_mean
from dagster_project.domain.estimation.wilson import clustered_wilson_interval
from dagster_project.domain.sampling import draw

SHARES = (0.001, 0.005, 0.029, 0.1, 0.4)
ERRORS = (0.01, 0.05, 0.1)
OWN, OWN_ERROR = 3.0, 9.0
"""Concentrations of users' own rates and error rates: intra-user correlation 1 / (1 + 3) and 1 / (1 + 9)."""
AT_ONCE = 50


class Coverage(NamedTuple):
    """Over all worlds: mean estimates, how often each interval holds the truth, mean widths."""

    labels: float
    census: float
    raw: float
    raw_holds: float
    corrected: float
    corrected_holds: float
    corrected_width: float


def is_held(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


def share_of_users(hits: np.ndarray, weights: np.ndarray) -> Estimate:
    """A share of all conversations with its published interval, from each user's sums."""
    n, share = int(weights.sum()), float(hits.sum() / weights.sum())
    residual = float(((hits - share * weights) ** 2).sum() / weights.sum() ** 2)
    return Estimate(share, *clustered_wilson_interval(share, residual, n, len(weights)))


def coverage(
    share: float,
    false_positives: float,
    false_negatives: float,
    n_users: int,
    n_labels: int,
    worlds: int,
    random: np.random.Generator,
) -> Coverage:
    """One setting over many worlds."""
    found = []
    for start in range(0, worlds, AT_ONCE):
        shape = (min(AT_ONCE, worlds - start), n_users)
        sizes = random.integers(1, 6, shape)
        true = random.binomial(sizes, rates(share, OWN, shape, random))
        missed = random.binomial(true, rates(false_negatives, OWN_ERROR, shape, random))
        mistaken = random.binomial(sizes - true, rates(false_positives, OWN_ERROR, shape, random))
        yes = true - missed + mistaken
        no = sizes - yes
        asked_yes = np.minimum(1.0, n_labels / 2 / np.maximum(1, yes.sum(axis=1, keepdims=True)))
        asked_no = np.minimum(1.0, n_labels / 2 / np.maximum(1, no.sum(axis=1, keepdims=True)))
        yes_true, yes_false = random.binomial(true - missed, asked_yes), random.binomial(mistaken, asked_yes)
        no_true, no_false = random.binomial(missed, asked_no), random.binomial(no - missed, asked_no)
        for k in range(shape[0]):
            raw = share_of_users(yes[k], sizes[k])
            of_yes = labelled(yes_true[k], yes_false[k])
            of_no = labelled(no_true[k], no_false[k])
            census = share_of_users(true[k], sizes[k])
            fixed = corrected_share(raw, of_yes, of_no)
            n = float(yes_true[k].sum() + yes_false[k].sum() + no_true[k].sum() + no_false[k].sum())
            width = fixed.high - fixed.low
            found.append(
                (n, is_held(census, share), raw.value, is_held(raw, share), fixed.value, is_held(fixed, share), width)
            )
    return Coverage(*(float(v) for v in np.mean(found, axis=0)))


def coverage_of_census(share: float, n_users: int, worlds: int, random: np.random.Generator) -> tuple[float, float]:
    """How often the interval of an error-free labeller holds the truth, and its mean width."""
    found = []
    for start in range(0, worlds, AT_ONCE):
        shape = (min(AT_ONCE, worlds - start), n_users)
        sizes = random.integers(1, 6, shape)
        true = random.binomial(sizes, rates(share, OWN, shape, random))
        for k in range(shape[0]):
            census = share_of_users(true[k], sizes[k])
            found.append((is_held(census, share), census.high - census.low))
    held, width = np.mean(found, axis=0)
    return float(held), float(width)


def print_census(n_users: int, worlds: int, random: np.random.Generator) -> None:
    """The table of intervals without a labeller's error: rare shares need many worlds to be told from 95 %."""
    print(f"\n{worlds:,} worlds a setting, {n_users:,} users, a labeller without error")
    print("truth  | holds   width")
    for share in SHARES:
        held, width = coverage_of_census(share, n_users, worlds, random)
        print(f"{share:6.2%} | {held:.4f}  {width:.3%}", flush=True)
    print()


def rates(mean: float, concentration: float, shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Rates of users around a mean: beta, shape (worlds, users)."""
    if mean == 0:
        return np.zeros(shape)
    return random.beta(mean * concentration, (1 - mean) * concentration, shape)


def labelled(true: np.ndarray, false: np.ndarray) -> Estimate:
    """What people find of one side of the prediction, from each user's counts of those that are and are not."""
    n = true + false
    own = n > 0
    if not own.any():
        # Nobody labelled any: nothing is known of them. Few settings have such worlds, and their interval is all.
        return Estimate(0.5, 0.0, 1.0)
    return share_of_true(true[own], n[own], int(n.sum()))


# Rates of pushback and means of tone ----------------------------------------------------------------------------------

LABELS_OF_DETAIL = (100, 200, 400, 1000)


class ToneCoverage(NamedTuple):
    """Over all worlds: the labeller's mean change and the corrected one, how often its interval holds, mean width."""

    raw: float
    corrected: float
    holds: float
    width: float


def coverage_of_tone(n_users: int, n_labels: int, worlds: int, random: np.random.Generator) -> ToneCoverage:
    """A mean change of tone of CHANGE, heard 0.05 too bright and a third too weak; labels of unequal probability.

    Half of the labels are of a tenth of the conversations, as rare strata are sampled more densely.
    """
    found = []
    for _ in range(worlds):
        sizes = random.integers(1, 6, n_users)
        user = np.repeat(np.arange(n_users), sizes)
        n = len(user)
        tone = CHANGE + random.normal(0, 0.2, n_users)[user] + random.normal(0, 0.4, n)
        heard = 0.05 + tone * 2 / 3 + random.normal(0, 0.25, n)
        rare = random.random(n) < 0.1
        drawn, weight = np.zeros(n, dtype=bool), np.zeros(n)
        for stratum in (rare, ~rare):
            members = np.flatnonzero(stratum)
            take = min(len(members), n_labels // 2)
            chosen = random.choice(members, take, replace=False)
            drawn[chosen], weight[chosen] = True, len(members) / take
        columns = [
            np.bincount(user, values, n_users) for values in (weight * tone, weight * heard, weight, heard, np.ones(n))
        ]
        got = prediction_powered_mean([UserSums(*row) for row in np.column_stack(columns)]).estimate
        found.append((float(heard.mean()), got.value, is_held(got, CHANGE), got.high - got.low))
    return ToneCoverage(*(float(v) for v in np.mean(found, axis=0)))


def print_detail(worlds: int, random: np.random.Generator) -> None:
    """The table of corrected rates and means, by how many labels there are."""
    print(f"Pushback of {PUSHBACK:.0%} (5 % error both ways) and a change of tone of {CHANGE:+.2f}, of 1,000 users")
    print("labels | pushback raw  corrected (bias)     holds  width  | tone raw  corrected (bias)    holds  width")
    for labels in LABELS_OF_DETAIL:
        rate = coverage(PUSHBACK, 0.05, 0.05, 1000, labels, worlds, random)
        tone = coverage_of_tone(1000, labels, worlds, random)
        print(
            f"{labels:6,} | {rate.raw:11.3%}  {rate.corrected:8.3%} ({rate.corrected - PUSHBACK:+8.3%}) "
            f"{rate.corrected_holds:.3f}  {rate.corrected_width:.2%} | {tone.raw:+8.3f}  {tone.corrected:+9.3f} "
            f"({tone.corrected - CHANGE:+.3f})  {tone.holds:.3f}  {tone.width:.3f}",
            flush=True,
        )


# The replication ------------------------------------------------------------------------------------------------------

TYPES = {
    "interpersonal_advice": 0.0105,
    "coaching": 0.0080,
    "psychotherapy_counseling": 0.0060,
    "companionship": 0.0037,
    "romantic_roleplay": 0.0005,
    "sexual_roleplay": 0.0003,
}
NONE = len(TYPES)
AFFECTIVE = sum(TYPES.values())
ROLEPLAY = (4, 5)
COMPANY = (3, *ROLEPLAY)
PUSHBACK, CHANGE = 0.09, 0.03
TONE = "change of tone"


class Found(NamedTuple):
    """One figure of one world: the truth that it was drawn from, what the labeller says, and the correction."""

    truth: float
    raw: float
    corrected: Estimate


def replicate(n_conversations: int, n_labels: int, random: np.random.Generator) -> dict[str, Found]:
    """One world: by figure, truth, raw and corrected."""
    user = np.sort(random.integers(0, n_conversations // 3, n_conversations))
    user = np.unique(user, return_inverse=True)[1]
    n_users = int(user.max()) + 1
    propensity = random.gamma(1.0, 1.0, n_users)[user]
    is_affective = random.random(n_conversations) < np.minimum(1, AFFECTIVE * propensity)
    kinds = random.choice(NONE, n_conversations, p=np.array(list(TYPES.values())) / AFFECTIVE)
    true = np.where(is_affective, kinds, NONE)
    predicted = true.copy()
    lost = is_affective & (random.random(n_conversations) < 0.02)
    swapped = is_affective & ~lost & (random.random(n_conversations) < 0.05)
    mistaken = ~is_affective & (random.random(n_conversations) < 0.01)
    predicted[lost] = NONE
    # Mistaken ones are rarely taken for roleplay: 4 % of them.
    predicted[swapped | mistaken] = random.choice(
        NONE, int((swapped | mistaken).sum()), p=[0.3, 0.3, 0.26, 0.1, 0.02, 0.02]
    )
    strata = {str(t): [str(i) for i in np.flatnonzero(predicted == t)] for t in range(NONE + 1)}
    drawn = draw(strata, n_labels, b"benchmark key of 32 bytes.......", f"{random.integers(1 << 30)}")
    chosen = np.array([int(one.conversation_key) for one in drawn])
    weight = np.array([1 / one.inclusion_probability for one in drawn])
    out: dict[str, Found] = {}

    def share(name: str, truth: float, among: np.ndarray, says: np.ndarray, is_so: np.ndarray) -> None:
        inside = among[chosen]
        own, w = chosen[inside], weight[inside]
        raw = _share_of(user[among], says[among])
        sides = [
            _side(user[own[says[own] == side]], is_so[own[says[own] == side]], w[says[own] == side])
            for side in (True, False)
        ]
        out[name] = Found(truth, raw.value, corrected_share(raw, *sides))

    everything = np.ones(n_conversations, dtype=bool)
    share("affective", AFFECTIVE, everything, predicted < NONE, true < NONE)
    for k, (name, p) in enumerate(TYPES.items()):
        share(name, p, everything, predicted == k, true == k)
    together = sum(list(TYPES.values())[k] for k in COMPANY)
    share("companionship or roleplay", together, everything, np.isin(predicted, COMPANY), np.isin(true, COMPANY))
    both = sum(list(TYPES.values())[k] for k in ROLEPLAY)
    share("the two roleplays", both, everything, np.isin(predicted, ROLEPLAY), np.isin(true, ROLEPLAY))

    analysed = (predicted < NONE) & ~np.isin(predicted, ROLEPLAY)
    pushback = random.random(n_conversations) < PUSHBACK
    says = pushback ^ (random.random(n_conversations) < 0.05)
    share("pushback, of the analysed", PUSHBACK, analysed, says, pushback)

    toned = analysed & (random.random(n_conversations) < 0.5)
    tone = CHANGE + random.normal(0, 0.2, n_users)[user] + random.normal(0, 0.4, n_conversations)
    heard = 0.05 + tone * 2 / 3 + random.normal(0, 0.25, n_conversations)
    inside = toned[chosen]
    own, w = chosen[inside], weight[inside]

    def by_user(of: np.ndarray, values: np.ndarray) -> np.ndarray:
        return np.bincount(user[of], values, n_users)

    every = np.flatnonzero(toned)
    columns = (
        by_user(own, w * tone[own]),
        by_user(own, w * heard[own]),
        by_user(own, w),
        by_user(every, heard[every]),
        by_user(every, np.ones(len(every))),
    )
    sums = [UserSums(*row) for row in np.column_stack(columns) if row[4] > 0]
    powered = prediction_powered_mean(sums)
    out[TONE] = Found(CHANGE, float(heard[toned].mean()), powered.estimate)
    return out


def _share_of(user: np.ndarray, says: np.ndarray) -> Estimate:
    number = np.unique(user, return_inverse=True)[1]
    return share_of_users(np.bincount(number, says), np.bincount(number))


def _side(user: np.ndarray, is_so: np.ndarray, weight: np.ndarray) -> Estimate:
    number = np.unique(user, return_inverse=True)[1]
    return share_of_true(np.bincount(number, weight * is_so), np.bincount(number, weight), len(user))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--users", type=int, default=6000)
    parser.add_argument("--labels", type=int, default=1000)
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--conversations", type=int, default=200_000)
    parser.add_argument("--only-detail", action="store_true", help="the table of pushback and tone alone")
    parser.add_argument("--only-census", action="store_true", help="the table without errors alone")
    parser.add_argument("--seed", type=int, default=20250626)
    given = parser.parse_args()
    random, began = np.random.default_rng(given.seed), time.perf_counter()
    if given.only_detail:
        print_detail(given.worlds, random)
        return
    print_census(given.users, 10 * given.worlds, random)
    if given.only_census:
        return
    print(f"{given.worlds} worlds a setting, {given.users:,} users with 1 to 5 conversations, intervals of 95 %")
    print("truth   errors      labels  | census holds | raw mean (bias)     holds | corrected (bias)     holds  width")
    settings = [(share, error, error) for share in SHARES for error in ERRORS]
    for share, wrong, missed in [*settings, (0.029, 0.01, 0.0)]:
        one = coverage(share, wrong, missed, given.users, given.labels, given.worlds, random)
        print(
            f"{share:6.2%} +{wrong:4.0%} -{missed:4.0%} {one.labels:8.0f}  |    {one.census:.3f}     "
            f"| {one.raw:7.3%} ({one.raw - share:+8.3%}) {one.raw_holds:.3f} "
            f"| {one.corrected:7.3%} ({one.corrected - share:+8.3%}) {one.corrected_holds:.3f}  "
            f"{one.corrected_width:.3%}",
            flush=True,
        )
    print_detail(given.worlds, random)
    print(f"seconds: {time.perf_counter() - began:.0f}\n")
    print(f"The study's shares in {given.conversations:,} conversations; how {given.replications} worlds went")
    for labels in (1000, 3000):
        worlds = [replicate(given.conversations, labels, random) for _ in range(given.replications)]
        print(
            f"{labels:5,} human labels            truth       raw corrected  [95 % interval     ]  holds  of all worlds"
        )
        for name, one in worlds[0].items():
            holds = np.mean([is_held(world[name].corrected, one.truth) for world in worlds])
            bias = np.mean([world[name].corrected.value for world in worlds]) - one.truth
            shape = "+9.3f" if name == TONE else "9.3%"
            truth, raw, value, low, high = (format(v, shape) for v in (one.truth, one.raw, *one.corrected))
            inside = "yes" if is_held(one.corrected, one.truth) else "NO "
            print(f"{name:26s} {truth} {raw} {value}  [{low}, {high}]  {inside}    {holds:.2f}, bias {bias:{shape}}")
    print(f"seconds: {time.perf_counter() - began:.0f}")


if __name__ == "__main__":
    main()
