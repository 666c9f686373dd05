"""The last word on a topic's name, whoever proposed it: deterministic, and closed towards anything unusual.

Not here: where names come from (`naming.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

UNNAMED = "Unnamed topic"
MAX_WORDS = 10
MAX_DIGITS = 3
MAX_CHARACTERS = 120

# ASCII alone: no control or bidirectional character, no look-alike letter, no @, no address can be written with these.
_ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,'&-]*")
_ADDRESS = re.compile(r"\b(?:https?|ftp|www|mailto)\b", re.IGNORECASE)


def is_allowed(name: str) -> bool:
    """Whether a name may be published as it is."""
    return (
        len(name) <= MAX_CHARACTERS
        and _ALLOWED.fullmatch(name) is not None
        and _ADDRESS.search(name) is None
        and len(re.findall(r"[^\s,&-]+", name)) <= MAX_WORDS
        and sum(c.isdigit() for c in name) <= MAX_DIGITS
    )


_JOINING = "a about after and as at before between during for from in into of on or over the to with without"
JOINING = frozenset(_JOINING.split())
"""Words that a phrase may have besides those of its terms: they say nothing of anybody."""


def is_made_of(name: str, terms: Sequence[str]) -> bool:
    """Whether every word of a name is one of the terms' words, to the letter, or joins them."""
    words = {word for term in terms for word in re.split(r"[ -]", term.lower())}
    return all(word in words or word in JOINING for word in re.findall(r"[^\s,&-]+", name.lower()))


def plain_list(terms: Sequence[str]) -> str:
    """The terms with commas between, first letter large; `UNNAMED` without any, or where they do not pass either."""
    text = ", ".join(terms)
    name = text[:1].upper() + text[1:]
    return name if terms and is_allowed(name) else UNNAMED


def filtered(proposed: str, of: Sequence[str], terms: Sequence[str]) -> str:
    """The proposed name if it is allowed and made of the terms `of` alone, else the plain list of all terms."""
    return proposed if is_allowed(proposed) and is_made_of(proposed, of) else plain_list(terms)
