"""Choices that must be repeatable by the home and unguessable by everybody else: HMAC-SHA256 under the home's key.

Lives here: keyed order, seeds, jitter and topic ids. Not here: pseudonyms of people (`storage/pseudonyms.py`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
from collections.abc import Iterable, Sequence

ID_LENGTH = 12
JITTER = 0.2
MIN_JITTER_STEPS = 3


def highest(minimum: int) -> int:
    """The most users that `Keyed.jittered` asks for."""
    return minimum + max(MIN_JITTER_STEPS, math.ceil(JITTER * minimum))


class Keyed:
    """Keyed choices for one chain of versions (`topics/versions.py`) and affective type."""

    def __init__(self, key: bytes, chain: str, affective_type: str) -> None:
        self._key = key
        self._scope = (chain, affective_type)

    def _digest(self, purpose: str, parts: Iterable[str]) -> bytes:
        mac = hmac.new(self._key, f"topics/{purpose}".encode(), hashlib.sha256)
        for part in (*self._scope, *parts):
            data = part.encode("utf-8", "surrogatepass")
            mac.update(len(data).to_bytes(8, "big"))
            mac.update(data)
        return mac.digest()

    def order(self, conversation_key: str) -> bytes:
        """Sort key: a shuffle that depends on nothing but the home's key and the conversation."""
        return self._digest("order", [conversation_key])

    def samples(self, conversation_keys: Sequence[str], n: int, version: str) -> list[list[int]]:
        """Places of the conversations, dealt into n samples of nearly one size, anew for each version."""
        order = sorted(
            range(len(conversation_keys)), key=lambda i: self._digest("sample", [conversation_keys[i], version])
        )
        return [order[i::n] for i in range(n)]

    def seed(self, purpose: str) -> int:
        """A seed in [0, 2^31)."""
        return int.from_bytes(self._digest(f"seed/{purpose}", [])[:4], "big") >> 1

    def topic_id(self, members: Iterable[str], level: int = 0) -> str:
        """A random-looking id: equal for equal members, and telling neither order nor size.

        members: pseudonyms of the conversations that the topic's centre was fitted on. They stand for the centroid,
        whose last digits depend on the machine.
        """
        return base64.b32encode(self._digest(f"id/{level}", sorted(members))).decode()[:ID_LENGTH].lower()

    def other_id(self) -> str:
        """The id of what fits nowhere: the same in every version of a chain."""
        return base64.b32encode(self._digest("id/other", [])).decode()[:ID_LENGTH].lower()

    def jittered(self, minimum: int, topic_id: str, version: str = "", purpose: str = "jitter") -> int:
        """Users that must share a term in this topic: the minimum plus 1 to 20 % of it, at least 3 steps.

        Never the minimum itself: with it, minimum − 1 accounts of one attacker would see a term appear exactly when
        the one further person used it. Drawn anew for each version: a threshold that stayed could be found out in one
        and used in the next.
        """
        drawn = int.from_bytes(self._digest(purpose, [topic_id, version])[:8], "big")
        return minimum + 1 + drawn % (highest(minimum) - minimum)
