"""Which conversations people are asked to label: a stratified sample by keyed choice, with known probabilities.

Lives here: strata, how many of each, and the choice. Not here: what the strata are made of (`coding/`), what is
estimated from the sample (`domain/estimation/`).

Sources: power allocation (square root), which keeps rare strata in the sample without starving the large ones: Bankier
(1988), The American Statistician 42:174-177; simple random sampling within strata: Cochran (1977), chapter 5.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

LEAST_A_STRATUM = 30
"""Conversations taken of each stratum before the rest is shared out, or all that there are."""


class Drawn(NamedTuple):
    """One chosen conversation. inclusion_probability: of any conversation of its stratum, in (0, 1]."""

    conversation_key: str
    stratum: str
    inclusion_probability: float


def allocate(sizes: Mapping[str, int], n: int, least: int = LEAST_A_STRATUM) -> dict[str, int]:
    """How many to take of each stratum: `least` of each first, the rest by the square root of the sizes.

    Never more than a stratum has; in all n, or everything where there is less. Where n cannot give each stratum its
    `least`, all get the same. Raises ValueError on n below 1.
    """
    if n < 1:
        raise ValueError("a sample needs at least one conversation")
    names = sorted(name for name, size in sizes.items() if size > 0)
    taken = dict.fromkeys(names, 0)
    left = min(n, sum(sizes[name] for name in names))
    floor = min(least, max(1, left // max(1, len(names))))
    for name in sorted(names, key=lambda one: (sizes[one], one)):
        taken[name] = min(sizes[name], floor, left)
        left -= taken[name]
    while left > 0:
        open_ = [name for name in names if taken[name] < sizes[name]]
        total = sum(math.sqrt(sizes[name]) for name in open_)
        wanted = {name: left * math.sqrt(sizes[name]) / total for name in open_}
        whole = {name: min(sizes[name] - taken[name], math.floor(wanted[name])) for name in open_}
        if not any(whole.values()):
            for name in sorted(open_, key=lambda one: (-wanted[one], one))[:left]:
                whole[name] = 1
        for name, more in whole.items():
            taken[name] += more
        left -= sum(whole.values())
    return taken


def draw(strata: Mapping[str, Sequence[str]], n: int, key: bytes, scope: str) -> list[Drawn]:
    """Choose about n conversations, by key: whoever has not the home's key cannot tell who will be chosen.

    strata: conversation pseudonyms by stratum. scope: names the sample, so that another one chooses anew. Drawn again
    from the same conversations, the same are chosen. In the order of their keyed digests, strata mixed.
    """
    taken = allocate({name: len(members) for name, members in strata.items()}, n)

    def place(conversation: str) -> bytes:
        return hmac.new(key, f"coding/{scope}/{conversation}".encode(), hashlib.sha256).digest()

    chosen = [
        (place(conversation), Drawn(conversation, name, taken[name] / len(strata[name])))
        for name in sorted(taken)
        for conversation in sorted(strata[name], key=place)[: taken[name]]
    ]
    return [one for _, one in sorted(chosen)]
