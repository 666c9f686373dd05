"""The words of the project and what they mean: one source for the docs' glossary and for the report's.

Lives here: reading them, and linking the first use of a word to its entry. Not here: the words (`glossary.yaml`), the
docs' page (`docs/generate/`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("glossary.yaml")


@dataclass(frozen=True)
class Entry:
    """A term, what it means (with Markdown's marks for code and emphasis), and the page of the docs that says more.

    report: other words by which the report uses it; None where the report does not.
    """

    term: str
    text: str
    page: str = ""
    report: Sequence[str] | None = None

    @property
    def anchor(self) -> str:
        """Unique in a page."""
        return "word-" + re.sub(r"[^a-z]+", "-", self.term.lower())

    @property
    def plain(self) -> str:
        """Without Markdown's marks."""
        return re.sub(r"[`*]", "", self.text)


@cache
def glossary() -> tuple[Entry, ...]:
    """Every entry, by term."""
    import yaml

    return tuple(Entry(**entry) for entry in yaml.safe_load(FILE.read_text(encoding="utf-8")))


def of_the_report() -> list[Entry]:
    """The entries that the report has."""
    return [entry for entry in glossary() if entry.report is not None]


@dataclass
class FirstUses:
    """Links each word to its entry where a page uses it first, and nowhere else. One a page, asked in reading order."""

    entries: Sequence[Entry]
    _linked: set[str] = field(default_factory=set)

    def __call__(self, text: str) -> Any:
        """The text, escaped for the page, with links."""
        from markupsafe import Markup, escape

        done, at = Markup(), 0
        forms = _forms(self.entries)
        for found in _pattern(forms).finditer(text):
            anchor = forms[found[0].lower()]
            if anchor in self._linked:
                continue
            self._linked.add(anchor)
            link = Markup('<a class="word" href="#{}">{}</a>').format(anchor, found[0])
            done, at = done + escape(text[at : found.start()]) + link, found.end()
        return done + escape(text[at:])


def _forms(entries: Sequence[Entry]) -> Mapping[str, str]:
    return {form.lower(): entry.anchor for entry in entries for form in (entry.term, *(entry.report or ()))}


def _pattern(forms: Mapping[str, str]) -> re.Pattern[str]:
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE)
