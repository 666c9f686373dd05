"""The sentence grammar of the demo world: templates with slots and alternatives, and how people type.

Lives here: expansion of one template, tidying, typing noise. Not here: the phrase banks (`bank.py`, `scripts/`).
A template holds slots `<name>` and alternatives `{a|b|}`, which may nest and may hold slots.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

_SLOT = re.compile(r"<([a-z_]+)>")
_ALTERNATIVES = re.compile(r"\{([^{}]*)\}")
_SENTENCE_START = re.compile(r"(^|[.!?] +|\n(?:- |\d\. ))([a-zà-ÿ])")
_SPACES = re.compile(r"[ \t]+")
_LINE_ENDS = re.compile(r" ?\n ?")
_LOOSE_STOP = re.compile(r" ([,.!?;])")
_LONE_I = re.compile(r"\bi\b(?=[ ,.'!?]|$)")
_WORD = re.compile(r"[A-Za-z']+")
_SHORT = {
    "you": "u",
    "because": "bc",
    "really": "rly",
    "though": "tho",
    "please": "pls",
    "about": "abt",
    "probably": "prob",
    "tomorrow": "tmrw",
    "people": "ppl",
}
_EMOJI = {-1.0: "😭", -0.5: "😕", 0.5: "🙂", 1.0: "😊"}


class GrammarError(ValueError):
    """A template that cannot be expanded; the message quotes the template, which is no user's text."""


def slots_of(template: str) -> set[str]:
    """Names of the slots that a template asks for."""
    return set(_SLOT.findall(template))


def expand(template: str, slots: Mapping[str, str], rng: Random) -> str:
    """One sentence or more from a template: slots filled, one alternative chosen of each group, tidied.

    Raises GrammarError on an unknown slot or unbalanced braces.
    """
    text = template
    try:
        while "<" in text and _SLOT.search(text):
            text = _SLOT.sub(lambda m: slots[m[1]], text)
    except KeyError as missing:
        raise GrammarError(f"no slot {missing} for {template!r}") from None
    while "{" in text and _ALTERNATIVES.search(text):
        text = _ALTERNATIVES.sub(lambda m: rng.choice(m[1].split("|")), text)
    if "{" in text or "}" in text:
        raise GrammarError(f"unbalanced braces in {template!r}")
    return tidy(text)


def tidy(text: str) -> str:
    """Single spaces, none before punctuation, sentences with a capital. `\\n` in a template breaks the line."""
    text = _SPACES.sub(" ", text.replace("\\n", "\n")).strip()
    text = _LINE_ENDS.sub("\n", text)
    text = _LOOSE_STOP.sub(r"\1", text)
    text = _SENTENCE_START.sub(lambda m: m[1] + m[2].upper(), text)
    return _LONE_I.sub("I", text)


@dataclass(frozen=True, slots=True)
class Typing:
    """How one person types. Rates are per word or per message, in [0, 1]."""

    lower_case: bool
    drops_full_stop: bool
    typo_rate: float
    shortens: bool
    emoji_rate: float
    greets: bool


def type_out(text: str, number: float | None, typing: Typing, rng: Random) -> str:
    """A person's message as they would type it. `number` is its sentiment, for the emoji that suit it."""
    if typing.shortens:
        text = _WORD.sub(lambda m: _SHORT.get(m[0], m[0]), text)
    if typing.typo_rate:
        text = _WORD.sub(lambda m: _slip(m[0], rng) if rng.random() < typing.typo_rate else m[0], text)
    if typing.lower_case:
        text = text.lower()
    if typing.drops_full_stop and text.endswith(".") and not text.endswith("..."):
        text = text[:-1]
    if number and number in _EMOJI and rng.random() < typing.emoji_rate:
        text = f"{text} {_EMOJI[number]}"
    return text


def _slip(word: str, rng: Random) -> str:
    """One slip of the finger in a word of five letters or more: swapped, dropped or doubled."""
    if len(word) < 5:
        return word
    at = rng.randrange(1, len(word) - 2)
    kind = rng.randrange(3)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    return word[:at] + word[at] + word[at:]


class Deck:
    """Draws lines without repeating one until all have been used: a person rarely says a thing twice."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._used: set[str] = set()

    def draw(self, lines: Sequence[str]) -> str:
        """One line. Raises IndexError where there is none."""
        line = self._rng.choice([line for line in lines if line not in self._used] or lines)
        self._used.add(line)
        return line
