"""Near-duplicates: texts that are the same but for a few words count once, whoever sent them.

Lives here: MinHash signatures (Broder 1997) of word triples and the greedy choice of representatives. A text pasted
into many accounts, or sent again and again, therefore shapes a topic and its name once. Not here: rewordings, which
look like anybody's own text; the thresholds of users are what holds against those.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 64
BANDS = 32
"""Of two values each: what reaches `SIMILARITY` shares one all but always (1 - .75^32)."""
SIMILARITY = 0.5
"""Estimated share of word triples in common from which two texts count as one: short texts with a word changed in each
have little more, and texts of one's own have next to none."""

Signature = NDArray[np.uint64]

_WORD = re.compile(r"[^\W\d_]+")
_random = np.random.default_rng(20250626)
_MULTIPLY = _random.integers(1, 2**63, PERMUTATIONS, dtype=np.uint64) | np.uint64(1)
_ADD = _random.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64)


def signature(text: str) -> Signature:
    """MinHash of the text's word triples, shape (64,). Case, digits and punctuation do not matter."""
    words = _WORD.findall(text.casefold())
    triples = {" ".join(words[i : i + 3]) for i in range(max(1, len(words) - 2))}
    hashes = np.array(
        [int.from_bytes(hashlib.blake2b(t.encode("utf-8", "replace"), digest_size=8).digest(), "big") for t in triples],
        dtype=np.uint64,
    )
    # Multiplication modulo 2^64 mixes upwards only: the high half is the hash.
    mixed: Signature = ((hashes[:, None] * _MULTIPLY + _ADD) >> np.uint64(20)).min(axis=0)
    return mixed


class Duplicates:
    """Groups of nearly equal signatures, by order of arrival: the first of a group stands for it."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[int, bytes], list[tuple[int, Signature]]] = {}
        self._n_groups = 0

    def group(self, mark: Signature) -> int:
        """Number of the group of a signature: an earlier one's when nearly the same, else a new one."""
        bands = [(i, band.tobytes()) for i, band in enumerate(np.split(mark, BANDS))]
        for band in bands:
            for number, other in self._buckets.get(band, ()):
                if np.count_nonzero(other == mark) >= SIMILARITY * PERMUTATIONS:
                    return number
        for band in bands:
            self._buckets.setdefault(band, []).append((self._n_groups, mark))
        self._n_groups += 1
        return self._n_groups - 1


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
