"""Keyed pseudonyms: HMAC-SHA256 under the home's key, one purpose a domain.

Plain hashes of ids can be guessed; keyed ones cannot without the key. Purposes keep a user's pseudonym,
a conversation's and a content hash apart. Not here: the key file (`home.py`).
"""

import hashlib
import hmac
from collections.abc import Iterable

NO_USER = "no-user"
"""The one pseudonym of everything without a user id: all of it together is one person (PRIVACY.md)."""


class Pseudonyms:
    """Pseudonyms under one key: 32 hexadecimal digits (128 bits) each."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _keyed(self, purpose: str, parts: Iterable[str]) -> str:
        mac = hmac.new(self._key, purpose.encode(), hashlib.sha256)
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            mac.update(len(data).to_bytes(8, "big"))
            mac.update(data)
        return mac.hexdigest()[:32]

    def user(self, user_id: str | None) -> str:
        """Pseudonym of a user id; `NO_USER` without one."""
        return self._keyed("user", [user_id]) if user_id else NO_USER

    def conversation(self, conversation_id: str) -> str:
        """Pseudonym of a conversation id."""
        return self._keyed("conversation", [conversation_id])

    def content(self, parts: Iterable[str]) -> str:
        """Keyed hash of content, for caches and duplicate checks."""
        return self._keyed("content", parts)
