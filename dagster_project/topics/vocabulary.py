"""The shipped word lists as a `Vocabulary`. What they are and where they come from: `words/README.md`.

Not here: what a term is (`domain/topics/terms.py`).
"""

from functools import cache
from importlib.resources import files

from dagster_project.domain.topics.terms import Vocabulary


def _words(name: str) -> frozenset[str]:
    text = (files("dagster_project.topics") / "words" / name).read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


@cache
def load_vocabulary() -> Vocabulary:
    """Read once, when first asked for."""
    barred = frozenset(term.replace("-", " ") for term in _words("unsafe.txt"))
    return Vocabulary(
        _words("english.txt") | _words("hyphenated.txt"),
        _words("stopwords.txt"),
        barred,
        _words("conditions.txt"),
        _words("nouns.txt"),
        _words("adjectives.txt"),
    )
