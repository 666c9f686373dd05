"""Near-duplicates: texts that are the same but for a few words count once, whoever sent them.

Lives here: MinHash signatures (Broder 1997) of words and pairs of words and the greedy choice of representatives. A
text pasted into many accounts, or sent again and again, therefore shapes a topic once, and names it once even where
words are changed in each. Not here: rewordings, which look like anybody's own text; the thresholds of users are what
holds against those.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 96
MISSED = 0.02
"""How often two texts that are just similar enough may be compared with one another nowhere, at most."""
PASTED = 0.8
"""Estimated share of words and pairs in common from which two texts are one person to a topic."""
REWORDED = 0.5
"""The same for who speaks for a topic when it is named: short texts with a word or two changed in each have as much in
common, real texts of one's own next to none (`benchmarks/near_copies.py`), but texts made of a few phrases do."""

Signature = NDArray[np.uint64]

_WORD = re.compile(r"[^\W\d_]+")
_random = np.random.default_rng(20250626)
_MULTIPLY = _random.integers(1, 2**63, PERMUTATIONS, dtype=np.uint64) | np.uint64(1)
_ADD = _random.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64)


def signature(text: str) -> Signature:
    """MinHash of the text's words and pairs of words, shape (96,). Case, digits and punctuation do not matter."""
    words = _WORD.findall(text.casefold())
    terms = {*words, *map(" ".join, pairwise(words))} or {""}
    hashes = np.array(
        [int.from_bytes(hashlib.blake2b(t.encode("utf-8", "replace"), digest_size=8).digest(), "big") for t in terms],
        dtype=np.uint64,
    )
    # Multiplication modulo 2^64 mixes upwards only: the high half is the hash.
    mixed: Signature = ((hashes[:, None] * _MULTIPLY + _ADD) >> np.uint64(20)).min(axis=0)
    return mixed


def values_a_band(similarity: float) -> int:
    """The most values of a signature that may have to be equal for two to be compared (Leskovec et al. 2014, 3.4).

    The more, the fewer comparisons in vain.
    """
    of = (n for n in range(PERMUTATIONS, 0, -1) if PERMUTATIONS % n == 0)
    return next(n for n in of if (1 - similarity**n) ** (PERMUTATIONS // n) <= MISSED)


class Duplicates:
    """Groups of nearly equal signatures, by order of arrival: the first of a group stands for it.

    similarity: the estimated share in common from which two are one.
    """

    def __init__(self, similarity: float) -> None:
        self._equal = similarity * PERMUTATIONS
        self._bands = PERMUTATIONS // values_a_band(similarity)
        self._buckets: dict[tuple[int, bytes], list[int]] = {}
        self._first: list[Signature] = []

    def group(self, mark: Signature) -> int:
        """Number of the group of a signature: an earlier one's when nearly the same, else a new one."""
        bands = [(i, band.tobytes()) for i, band in enumerate(np.split(mark, self._bands))]
        for number in sorted({number for band in bands for number in self._buckets.get(band, ())}):
            if np.count_nonzero(self._first[number] == mark) >= self._equal:
                return number
        self._first.append(mark)
        number = len(self._first) - 1
        for band in bands:
            self._buckets.setdefault(band, []).append(number)
        return number


def voices(members: Iterable[int], users: Sequence[str], groups: Mapping[int, int]) -> list[int]:
    """Of members in order, those that speak for one more person with a text of its own.

    At most one conversation a user, and near-duplicates once. users: by position; groups: duplicate group by position.
    """
    heard_users: set[str] = set()
    heard_groups: set[int] = set()
    chosen: list[int] = []
    for member in members:
        if users[member] not in heard_users and groups[member] not in heard_groups:
            heard_users.add(users[member])
            heard_groups.add(groups[member])
            chosen.append(member)
    return chosen
