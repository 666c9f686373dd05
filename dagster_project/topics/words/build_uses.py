"""Builds `nouns.txt`, `adjectives.txt` and `hyphenated.txt`: how the words of `english.txt` are used, by WordNet.

Run by hand, never by the program, after `build_words.py`: `python build_uses.py WORDNET`, the unpacked folder of the
package named in README.md that holds `index.noun`. Not here: reading the lists (`topics/vocabulary.py`).
"""

import re
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
KINDS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
KIND_OF_SENSE = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}
ENDINGS = {
    "n": (
        ("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"),
        ("ies", "y"),
    ),
    "v": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "a": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
}  # fmt: skip
"""WordNet's own rules of detachment (manual page morphy)."""
NOUN_SHARE = 1 / 4
"""A word is a noun where as much of its tagged use is one: below that, people nearly always do it or are it."""
QUALIFIER_SHARE = 2 / 3
"""A word may stand before a noun where as much of its use is a noun or an adjective."""
JOINING = frozenset(["a", "and", "at", "by", "for", "in", "of", "on", "out", "to", "up"])
"""Short words inside a hyphenated one that `english.txt` has too short for itself."""


class WordNet:
    """Uses by lemma and kind: how often the tagged texts have each sense of a word, and one more for each sense.

    The one more is for words that the tagged texts lack: of those the dictionary's senses decide.
    """

    def __init__(self, folder: Path) -> None:
        self.uses: dict[str, Counter[str]] = {}
        self.irregular: dict[str, set[tuple[str, str]]] = {}
        for name, kind in KINDS.items():
            for line in (folder / f"index.{name}").read_text(encoding="ascii").splitlines():
                if not line.startswith(" "):
                    lemma, _, senses, *_ = line.split()
                    self.uses.setdefault(lemma, Counter())[kind] += int(senses)
            for line in (folder / f"{name}.exc").read_text(encoding="ascii").splitlines():
                form, *lemmas = line.split()
                self.irregular.setdefault(form, set()).update((lemma, kind) for lemma in lemmas)
        for line in (folder / "cntlist.rev").read_text(encoding="ascii").splitlines():
            sense, _, count = line.split()
            lemma, rest = sense.split("%")
            self.uses.setdefault(lemma, Counter())[KIND_OF_SENSE[rest[0]]] += int(count)

    def _has(self, lemma: str, kind: str) -> bool:
        return self.uses.get(lemma, Counter())[kind] > 0

    def lemmas(self, word: str) -> set[tuple[str, str]]:
        """What a word may be a form of. A word in -ing that is a noun by itself is not read as its verb's form."""
        found = {(word, kind) for kind in "nvar"} | self.irregular.get(word, set())
        for kind, endings in ENDINGS.items():
            if kind == "v" and word.endswith("ing") and self._has(word, "n"):
                continue
            for ending, kept in endings:
                stem = word.removesuffix(ending) + kept
                if stem != word and word.endswith(ending) and len(stem) > 1:
                    found.add((stem, kind))
                    if len(stem) > 3 and not kept and stem[-1] == stem[-2]:
                        found.add((stem[:-1], kind))
        return {(lemma, kind) for lemma, kind in found if self._has(lemma, kind)}

    def shares(self, word: str) -> dict[str, float]:
        """By kind, its share of a word's use; nothing of a word that WordNet does not know."""
        uses: Counter[str] = Counter()
        for lemma, kind in self.lemmas(word):
            uses[kind] += self.uses[lemma][kind]
        return {kind: n / uses.total() for kind, n in uses.items()}

    def hyphenated(self, words: frozenset[str]) -> set[str]:
        """Lower-case lemmas with hyphens, all of whose parts are listed words or join them."""
        shape = re.compile(r"[a-z]+(?:-[a-z]+){1,3}")
        short = JOINING | {"co"}
        return {
            lemma
            for lemma in self.uses
            if shape.fullmatch(lemma)
            and all(part in words or part in short for part in lemma.split("-"))
            and not all(part in short for part in lemma.split("-"))
        }


def _words(name: str) -> frozenset[str]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def main() -> None:
    wordnet, english, added = WordNet(Path(sys.argv[1])), _words("english.txt"), _words("added.txt")
    telling = english - _words("stopwords.txt")
    hyphenated = wordnet.hyphenated(english) | {word for word in added if "-" in word}
    hyphenated = {w for w in hyphenated if any(p in telling for p in w.split("-"))} - _words("removed.txt")
    nouns, adjectives = [], []
    for word in sorted(english | hyphenated):
        shares = wordnet.shares(word)
        noun, adjective = shares.get("n", 0.0), shares.get("a", 0.0)
        if noun >= NOUN_SHARE or (not shares and word in added and not word.endswith("ed")):
            nouns.append(word)
        elif noun + adjective >= QUALIFIER_SHARE:
            adjectives.append(word)
    for name, listed in (("nouns", nouns), ("adjectives", adjectives), ("hyphenated", sorted(hyphenated))):
        (HERE / f"{name}.txt").write_text("\n".join(listed) + "\n", encoding="ascii")
        print(f"{name}: {len(listed):,}")


if __name__ == "__main__":
    main()
