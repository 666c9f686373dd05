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
_LETTERS = r"[^\W\d_]+(?:'[^\W\d_]+)*"
_WORD = re.compile(_LETTERS)
_HYPHENATED = re.compile(rf"{_LETTERS}(?:-{_LETTERS})+")
_MOST_PARTS = 4
_SENTENCE_END = re.compile(r"[.!?:;…]['\")\]]*$")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a name may say.

    words: common words without personal names, hyphenated ones among them. stopwords: of those, words that say nothing
    of a topic. barred: terms that are never named (safe messaging), a word or two words with a space between.
    conditions: words of disease, medication and method, which need more support than others (`naming.py`). nouns: words
    that are one in good part of their use; adjectives: others that may stand before a noun.
    """

    words: frozenset[str]
    stopwords: frozenset[str]
    barred: frozenset[str]
    conditions: frozenset[str] = frozenset()
    nouns: frozenset[str] = frozenset()
    adjectives: frozenset[str] = frozenset()

    def tells_of_health(self, term: str) -> bool:
        """Whether any word of a term, or part of one, is of disease, medication or method."""
        return any(w in self.conditions or self.singular(w) in self.conditions for w in re.split("[ -]", term))

    def allows(self, term: str) -> bool:
        """Whether a term of one or two words may be part of a name."""
        parts = term.replace("-", " ").split(" ")
        if any(part in self.barred for part in parts) or any(f"{a} {b}" in self.barred for a, b in pairwise(parts)):
            return False
        return all(w in self.words and w not in self.stopwords for w in term.split(" "))

    def is_loose(self, term: str) -> bool:
        """Whether a term is a verb, a participle, an adjective or the like: it says what is done, or how."""
        return term.split(" ")[-1] not in self.nouns

    def makes_pair(self, first: str, second: str) -> bool:
        """Whether two neighbouring words are a noun and what stands before one: others say less than each by itself."""
        is_one = second in self.nouns and (first in self.nouns or first in self.adjectives)
        return is_one and self.allows(f"{first} {second}")

    def singular(self, word: str) -> str:
        """The singular of a plural where both are in the vocabulary: who says jobs and who says job share a term."""
        if "-" in word and word not in self.words:
            first, *rest = word.split("-")
            plurals = (word.removesuffix("s"), "-".join((first.removesuffix("s"), *rest)))
            return next((w for w in plurals if w in self.words), word)
        endings = ((word[:-3] + "y",) if word.endswith("ies") else ()) + (word[:-1], word[:-2])
        if word in self.words and word.endswith("s") and not word.endswith(("ss", "ves", "news")):
            return next((w for w in endings[: 2 if word.endswith("es") else 1] if w in self.words), word)
        return word


def _is_name_like(token: str, starts_sentence: bool) -> bool:
    """A capital inside a sentence: most likely a proper name, even of a word in the vocabulary (Rose, Hunter)."""
    if token.islower() or (token.isupper() and len(token) > 1):
        return False
    return not (starts_sentence and token[1:].islower())


def _runs(text: str, vocabulary: Vocabulary) -> Iterator[list[str]]:
    """Runs of words with nothing but blanks and hyphens between them, as candidates for pairs.

    What is known with a hyphen is one word: its parts mean something else (the law of a mother-in-law). Who owns
    something ends a run: a neighbour's piano is no kind of piano.
    """
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
            for match in _words(chunk, vocabulary):
                if chunk[end : match.start()] not in ("", "-"):
                    yield run
                    run = []
                if _is_name_like(match[0], starts_sentence):
                    yield run
                    run = []
                else:
                    word = match[0].lower().removesuffix("'s")
                    run.append(vocabulary.singular(word) if "-" in word else word)
                    if match[0].lower().endswith("'s"):
                        yield run
                        run = []
                starts_sentence, end = False, match.end()
            if chunk[end:]:
                yield run
                run = []
            starts_sentence = bool(_SENTENCE_END.search(chunk))
        yield run


def _words(chunk: str, vocabulary: Vocabulary) -> Iterator[re.Match[str]]:
    """The words of a chunk without blanks: a known hyphenated word whole, else what stands between hyphens."""
    end = 0
    for match in _HYPHENATED.finditer(chunk) if "-" in chunk else ():
        if vocabulary.singular(match[0].lower().removesuffix("'s")) in vocabulary.words:
            yield from _WORD.finditer(chunk, end, match.start())
            yield match
            end = match.end()
    yield from _WORD.finditer(chunk, end)


def _joined(run: list[str], vocabulary: Vocabulary) -> list[str]:
    """Words written apart that are one noun with hyphens (mother in law), from one telling word to another."""
    if len(run) < 2:
        return run
    found, at = [], 0
    while at < len(run):
        size = 1
        if vocabulary.allows(run[at]):
            for n in range(min(_MOST_PARTS, len(run) - at), 1, -1):
                if "-".join(run[at : at + n]) in vocabulary.nouns and vocabulary.allows(run[at + n - 1]):
                    size = n
                    break
        found.append("-".join(run[at : at + size]))
        at += size
    return found


def _head(word: str, vocabulary: Vocabulary) -> str:
    """What a hyphenated word of two parts is a kind of (half-brother), else the word itself."""
    _, *rest = word.split("-")
    return vocabulary.singular(rest[0]) if len(rest) == 1 and word in vocabulary.nouns else word


def terms(text: str, vocabulary: Vocabulary) -> set[str]:
    """Distinct words and pairs of a noun and what stands before it that the vocabulary allows, plurals as singulars."""
    found: set[str] = set()
    for surface in _runs(text, vocabulary):
        run = [vocabulary.singular(word) if vocabulary.allows(word) else word for word in _joined(surface, vocabulary)]
        found.update(word for word in run if vocabulary.allows(word))
        found.update(head for word in run if "-" in word and vocabulary.allows(head := _head(word, vocabulary)))
        found.update(f"{a} {b}" for a, b in pairwise(run) if vocabulary.makes_pair(a, b))
    return found
