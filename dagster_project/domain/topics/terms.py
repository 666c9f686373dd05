"""Terms of a text: lower-case words and pairs of words that a name may use.

Lives here: what may be read out of a text at all. Not here: who shares a term and which ones name a topic
(`naming.py`), the word lists (`topics/vocabulary.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

# Whole chunks that may hold an address, a number or a handle are not looked into: words inside them are not prose.
_OPAQUE = re.compile(r"\d|[@_\\#]|://|www\.|\w\.\w", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?:;…]['\")\]]*$")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a name may say.

    words: common words without personal names. stopwords: of those, words that say nothing of a topic. barred: terms
    that are never named (safe messaging), a word or two words with a space between. conditions: words of disease,
    medication and method, which need more support than others (`naming.py`).
    """

    words: frozenset[str]
    stopwords: frozenset[str]
    barred: frozenset[str]
    conditions: frozenset[str] = frozenset()

    def tells_of_health(self, term: str) -> bool:
        """Whether any word of a term is one of disease, medication or method."""
        return any(w in self.conditions or self.singular(w) in self.conditions for w in term.split(" "))

    def allows(self, term: str) -> bool:
        """Whether a term of one or two words may be part of a name."""
        if term in self.barred:
            return False
        return all(w in self.words and w not in self.stopwords and w not in self.barred for w in term.split(" "))

    def singular(self, word: str) -> str:
        """The singular of a plural where both are in the vocabulary: who says jobs and who says job share a term."""
        endings = ((word[:-3] + "y",) if word.endswith("ies") else ()) + (word[:-1], word[:-2])
        if word in self.words and word.endswith("s") and not word.endswith(("ss", "ves", "news")):
            return next((w for w in endings[: 2 if word.endswith("es") else 1] if w in self.words), word)
        return word


def _is_name_like(token: str, starts_sentence: bool) -> bool:
    """A capital inside a sentence: most likely a proper name, even of a word in the vocabulary (Rose, Hunter)."""
    if token.islower() or (token.isupper() and len(token) > 1):
        return False
    return not (starts_sentence and token[1:].islower())


def _runs(text: str) -> Iterator[list[str]]:
    """Runs of words with nothing but blanks and hyphens between them, as candidates for pairs."""
    starts_sentence = True
    for line in unicodedata.normalize("NFKC", text).replace("’", "'").splitlines():
        run: list[str] = []
        starts_sentence = True
        for chunk in line.split():
            if _OPAQUE.search(chunk):
                yield run
                run = []
                starts_sentence = False
                continue
            end = 0
            for match in _WORD.finditer(chunk):
                if chunk[end : match.start()] not in ("", "-"):
                    yield run
                    run = []
                if _is_name_like(match[0], starts_sentence):
                    yield run
                    run = []
                else:
                    run.append(match[0].lower().removesuffix("'s"))
                starts_sentence, end = False, match.end()
            if chunk[end:]:
                yield run
                run = []
            starts_sentence = bool(_SENTENCE_END.search(chunk))
        yield run


def terms(text: str, vocabulary: Vocabulary) -> set[str]:
    """Distinct words and neighbouring pairs of words of a text that the vocabulary allows, plurals as singulars."""
    found: set[str] = set()
    for surface in _runs(text):
        run = [vocabulary.singular(word) if vocabulary.allows(word) else word for word in surface]
        found.update(word for word in run if vocabulary.allows(word))
        found.update(pair for a, b in pairwise(run) if vocabulary.allows(pair := f"{a} {b}"))
    return found
