"""What a classifier says of a conversation: answers to facets, each a status and zero or more values.

Lives here: the value types shared by classifiers, the lake and `confide classify`. Not here: the
facets themselves (`codebook/`), or how an answer is found (`classifiers/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """How an answer came out. Everything but `ok` is a label too: it stays in the denominator."""

    OK = "ok"
    COULD_NOT_TELL = "could_not_tell"
    REFUSED = "refused"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an answer.

    category: a category id of the facet. score: the labeller's calibrated probability of it, in
    [0, 1], or None. message_index: position in the conversation of the message that it is about
    (message facets and events), or None.
    """

    category: str
    score: float | None = None
    message_index: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one facet for one conversation.

    A multi-choice or events facet answered with "nothing applies" is `ok` with no values. A message
    facet has one value a human message, in order; where one message could not be told, `category`
    is `could_not_tell`. A facet of events' attributes has one value an event, with the event's
    `message_index`; a yes/no attribute only where it is yes or could not be told. text: what a text
    facet is answered with: one line, bounded, for the private zone; never a label row.
    """

    status: Status
    values: tuple[Value, ...] = ()
    text: str | None = None

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories, in the order given."""
        return tuple(v.category for v in self.values)


@dataclass(frozen=True, slots=True)
class Labelled:
    """All answers of one labeller for one conversation, by facet id."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
