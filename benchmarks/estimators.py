"""How often the intervals hold the truth, and how long they take. Run: python benchmarks/estimators.py [--runs 2000]

Users resemble themselves (beta-binomial, intra-user correlation 0.25) and have 1 to 5 conversations each. Plain Wilson
over conversations stands beside ours, to show what clustering costs it.
"""

import argparse
import time

import numpy as np

from dagster_project.domain.estimation.bootstrap import bootstrap_mean_interval
from dagster_project.domain.estimation.wilson import clustered_wilson_interval, residual_square, wilson_interval

CONCENTRATION = 3.0
"""Of the users' own rates: intra-user correlation 1 / (1 + 3)."""


def coverage_of_shares(share: float, n_users: int, runs: int, random: np.random.Generator) -> tuple[float, float]:
    """(clustered, plain): how often each interval holds the true share."""
    ours = plain = 0
    for _ in range(runs):
        sizes = random.integers(1, 6, n_users)
        own = random.beta(share * CONCENTRATION, (1 - share) * CONCENTRATION, n_users)
        hits = random.binomial(sizes, own)
        n, seen = int(sizes.sum()), float(hits.sum() / sizes.sum())
        residual = residual_square(hits.tolist(), sizes.tolist())
        low, high = clustered_wilson_interval(seen, residual, n, n_users)
        ours += low <= share <= high
        low, high = wilson_interval(seen, n)
        plain += low <= share <= high
    return ours / runs, plain / runs


def coverage_of_means(n_users: int, runs: int, random: np.random.Generator) -> float:
    """How often the bootstrap holds the true mean change of tone, on the study's grid of sixths."""
    inside, true = 0, 0.1
    for _ in range(runs):
        sizes = random.integers(1, 6, n_users)
        own = true + random.normal(0, 0.3, n_users)
        sums = [np.round((o + random.normal(0, 0.4, s)) * 6).sum() / 6 for o, s in zip(own, sizes, strict=True)]
        low, high = bootstrap_mean_interval(sums, sizes)
        inside += low <= true <= high
    return inside / runs


def seconds_of_bootstrap(n_users: int, random: np.random.Generator) -> float:
    """Time of one interval over so many users, on the study's grid."""
    sizes = random.integers(1, 6, n_users).astype(float)
    sums = np.round(random.normal(0, 0.5, n_users) * sizes * 6) / 6
    started = time.perf_counter()
    bootstrap_mean_interval(sums, sizes)
    return time.perf_counter() - started


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    runs = parser.parse_args().runs
    random = np.random.default_rng(20250626)
    print(f"Coverage of 95 % intervals of a share, {runs} runs: clustered (plain Wilson over conversations)")
    for n_users in (10, 30, 100, 1000):
        cells = [(s, *coverage_of_shares(s, n_users, runs, random)) for s in (0.01, 0.05, 0.2, 0.5)]
        print(f"  {n_users:5d} users  " + "  ".join(f"{s:.2f}: {ours:.3f} ({plain:.3f})" for s, ours, plain in cells))
    few = max(100, runs // 4)
    print(f"Coverage of the bootstrap of a mean, {few} runs")
    for n_users in (10, 30, 100, 300):
        print(f"  {n_users:5d} users  {coverage_of_means(n_users, few, random):.3f}")
    print("Seconds for one bootstrap interval, 1,000 resamples")
    for n_users in (1_000, 20_000, 200_000, 1_000_000):
        print(f"  {n_users:9,d} users  {seconds_of_bootstrap(n_users, random):.3f}")


if __name__ == "__main__":
    main()
