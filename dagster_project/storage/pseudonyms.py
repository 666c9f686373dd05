"""Keyed pseudonyms: HMAC-SHA256 under the home's key, one purpose a domain.

Plain hashes of ids can be guessed; keyed ones cannot without the key. Purposes keep a user's pseudonym, a
conversation's and a content hash apart. A key that was rotated is a chain of keys: each pseudonym is hashed once more
under each later one, so that what is stored can be carried over without the ids. Not here: the key file (`home.py`),
rotating (`key_rotation.py`).
"""

import hashlib
import hmac
from collections.abc import Iterable

NO_USER = "no-user"
"""The one pseudonym of everything without a user id: all of it together is one person (PRIVACY.md)."""

KEY_BYTES = 32


def _keyed(key: bytes, purpose: str, parts: Iterable[str]) -> str:
    mac = hmac.new(key, purpose.encode(), hashlib.sha256)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        mac.update(len(data).to_bytes(8, "big"))
        mac.update(data)
    return mac.hexdigest()[:32]


class Rekeying:
    """One step of the chain: from a pseudonym to the one under one more key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def user(self, pseudonym: str) -> str:
        """The next pseudonym of a user; `NO_USER` stays what it is."""
        return pseudonym if pseudonym == NO_USER else _keyed(self._key, "user", [pseudonym])

    def conversation(self, pseudonym: str) -> str:
        """The next pseudonym of a conversation."""
        return _keyed(self._key, "conversation", [pseudonym])

    def content(self, keyed_hash: str) -> str:
        """The next keyed hash of a content."""
        return _keyed(self._key, "content", [keyed_hash])


class Pseudonyms:
    """Pseudonyms under a key, or a chain of keys of `KEY_BYTES` each: 32 hexadecimal digits (128 bits)."""

    def __init__(self, key: bytes) -> None:
        self._key = key[:KEY_BYTES]
        self._later = [Rekeying(key[i : i + KEY_BYTES]) for i in range(KEY_BYTES, len(key), KEY_BYTES)]

    def user(self, user_id: str | None) -> str:
        """Pseudonym of a user id; `NO_USER` without one."""
        if not user_id:
            return NO_USER
        pseudonym = _keyed(self._key, "user", [user_id])
        for step in self._later:
            pseudonym = step.user(pseudonym)
        return pseudonym

    def conversation(self, conversation_id: str) -> str:
        """Pseudonym of a conversation id."""
        pseudonym = _keyed(self._key, "conversation", [conversation_id])
        for step in self._later:
            pseudonym = step.conversation(pseudonym)
        return pseudonym

    def content(self, parts: Iterable[str]) -> str:
        """Keyed hash of content, for caches and duplicate checks."""
        keyed_hash = _keyed(self._key, "content", parts)
        for step in self._later:
            keyed_hash = step.content(keyed_hash)
        return keyed_hash
