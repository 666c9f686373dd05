"""From a reply to answers: strict, because a reply may have been steered by what it is about.

Lives here: reading one reply against its ask and the positions that it may speak of. What comes out is an id of the
codebook, a position that was shown, or one clean bounded line; anything else makes the reply invalid. Pure, never
raises on a reply, and its reasons are words of ours alone. Not here: trying again, counting, keeping.
"""

import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dagster_project.classifiers.claude.prompt import (
    AT,
    COULD_NOT_TELL,
    KIND,
    VALUE,
    YES,
    Ask,
    keys_of_attributes,
    values_of,
)
from dagster_project.classifiers.claude.window import Positions
from dagster_project.codebook.schema import AnswerType, Facet, Unit
from dagster_project.domain.labels import Answer, Status, Value

LONGEST = 100_000
"""Characters of a reply that are read at all."""
_REFUSED = frozenset({"refusal"})
_TRUNCATED = frozenset({"max_tokens", "model_context_window_exceeded"})
_OTHER_TURNS = frozenset({"tool_use", "pause_turn"})


class Outcome(StrEnum):
    """How a request came out."""

    OK = "ok"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    INVALID = "invalid"


@dataclass(frozen=True)
class Reply:
    """A reply read. answers: by facet id, for every facet of the ask when `ok`, else none. reason: why not, in our
    own words."""

    outcome: Outcome
    answers: Mapping[str, Answer] = field(default_factory=dict)
    reason: str | None = None


class _Wrong(Exception):
    """The reply is not by the schema. Its words are ours."""


def read_reply(ask: Ask, positions: Positions, stop_reason: str | None, texts: Sequence[str]) -> Reply:
    """Read one reply. texts: the text of its text blocks, in order (other blocks are none of ours)."""
    if stop_reason in _REFUSED:
        return Reply(Outcome.REFUSED, reason="the model declined to answer")
    if stop_reason in _TRUNCATED:
        return Reply(Outcome.TRUNCATED, reason="the reply stopped at its limit")
    if stop_reason in _OTHER_TURNS:
        return Reply(Outcome.INVALID, reason="the reply wants another turn")
    try:
        said = _expect_object(_parsed("".join(texts)), ask.schema["properties"], "the reply")
        answers: dict[str, Answer] = {}
        for facet in ask.facets:
            if facet.unit is not Unit.EVENT:
                answers.update(_answers(facet, said[facet.id], ask, positions))
    except _Wrong as wrong:
        return Reply(Outcome.INVALID, reason=str(wrong))
    return Reply(Outcome.OK, {f.id: answers[f.id] for f in ask.facets})


def without_answers(ask: Ask, outcome: Outcome) -> dict[str, Answer]:
    """The labels of a request that is given up: refused, or invalid for what was cut off or could not be read."""
    status = Status.REFUSED if outcome is Outcome.REFUSED else Status.INVALID
    return {facet.id: Answer(status) for facet in ask.facets}


def _parsed(text: str) -> Any:
    text = text.strip()
    if len(text) > LONGEST:
        raise _Wrong("the reply is far longer than any answer")
    if text.startswith("```") and text.endswith("```"):
        text = text[3:-3].removeprefix("json")
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise _Wrong("the reply is not one JSON object") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Wrong("a key is given twice")
    return found


def _expect_object(said: Any, keys: Iterable[str], where: str) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise _Wrong(f"{where} is not an object")
    if set(said) != set(keys):
        raise _Wrong(f"{where} has other keys than asked for")
    return said


def _expect_list(said: Any, where: str) -> list[Any]:
    if not isinstance(said, list):
        raise _Wrong(f"{where} is not a list")
    return said


def _expect_value(said: Any, facet: Facet) -> str:
    if not isinstance(said, str) or said not in values_of(facet):
        raise _Wrong(f"{facet.id} has a value that is not listed")
    return said


def _expect_position(said: Any, known: Sequence[int], facet: Facet) -> int:
    # A bool is an int to Python, and 3.0 equals 3: neither is a position.
    if type(said) is not int or said not in known:
        raise _Wrong(f"{facet.id} speaks of a message that it may not speak of")
    return said


def _answers(facet: Facet, said: Any, ask: Ask, positions: Positions) -> dict[str, Answer]:
    """The answer to one facet, and to those that describe its events."""
    if facet.answer is AnswerType.EVENTS:
        return _events(facet, said, ask, positions)
    if facet.unit is Unit.HUMAN_MESSAGE:
        return {facet.id: _ratings(facet, said, positions)}
    read: Callable[[Facet, Any], Answer] = {AnswerType.MULTI_CHOICE: _several, AnswerType.TEXT: _line}.get(
        facet.answer, _single
    )
    return {facet.id: read(facet, said)}


def _single(facet: Facet, said: Any) -> Answer:
    value = _value(facet, _expect_value(said, facet))
    if value is None:
        return Answer(Status.OK)
    return Answer(Status.COULD_NOT_TELL) if value.category == COULD_NOT_TELL else Answer(Status.OK, (value,))


def _several(facet: Facet, said: Any) -> Answer:
    given = {_expect_value(one, facet) for one in _expect_list(said, facet.id)}
    if COULD_NOT_TELL in given:
        return Answer(Status.COULD_NOT_TELL)
    return Answer(Status.OK, tuple(Value(c) for c in facet.category_ids if c in given))


def _ratings(facet: Facet, said: Any, positions: Positions) -> Answer:
    found: dict[int, Value] = {}
    for one in _expect_list(said, facet.id):
        item = _expect_object(one, (AT, VALUE), facet.id)
        at = _expect_position(item[AT], positions.human, facet)
        if at in found:
            raise _Wrong(f"{facet.id} rates a message twice")
        found[at] = Value(_expect_value(item[VALUE], facet), None, at)
    if len(found) != len(positions.human):
        raise _Wrong(f"{facet.id} leaves out a message to be rated")
    return _of_messages([found[at] for at in positions.human])


def _events(facet: Facet, said: Any, ask: Ask, positions: Positions) -> dict[str, Answer]:
    """One event a message, the strongest (first in the codebook) where there are several, with its own attributes."""
    attributes = keys_of_attributes(facet, ask.facets)
    shown = positions.assistant if facet.unit is Unit.ASSISTANT_TURN else positions.heard
    strength = facet.category_ids.index
    strongest: dict[int, dict[str, Any]] = {}
    for one in _expect_list(said, facet.id):
        item = _expect_object(one, (AT, KIND, *attributes), facet.id)
        at = _expect_position(item[AT], shown, facet)
        kind = _expect_value(item[KIND], facet)
        for key, attribute in attributes.items():
            _expect_value(item[key], attribute)
        if at not in strongest or strength(kind) < strength(strongest[at][KIND]):
            strongest[at] = item
    events = sorted(strongest.items())
    answers = {facet.id: Answer(Status.OK, tuple(Value(item[KIND], None, at) for at, item in events))}
    for key, attribute in attributes.items():
        values = [_value(attribute, item[key], at) for at, item in events]
        answers[attribute.id] = _of_messages([v for v in values if v is not None])
    return answers


def _value(facet: Facet, said: str, at: int | None = None) -> Value | None:
    """A listed value as the labels have it: yes is the facet's one category, no is none."""
    if facet.answer is AnswerType.YES_NO and said != COULD_NOT_TELL:
        return Value(facet.category_ids[0], None, at) if said == YES else None
    return Value(said, None, at)


def _of_messages(values: Sequence[Value]) -> Answer:
    if values and all(v.category == COULD_NOT_TELL for v in values):
        return Answer(Status.COULD_NOT_TELL)
    return Answer(Status.OK, tuple(values))


def _line(facet: Facet, said: Any) -> Answer:
    if not isinstance(said, str):
        raise _Wrong(f"{facet.id} is not text")
    line = clean_line(said, facet.max_characters or 0)
    return Answer(Status.OK, text=line) if line else Answer(Status.COULD_NOT_TELL)


def clean_line(text: str, limit: int) -> str:
    """One line of at most `limit` characters without anything unseen: controls, bidirectional marks, tags, surrogates,
    private and unassigned characters, variation selectors."""
    # What is unseen may be twenty times the line: beyond that nobody is owed the rest.
    spaced = " ".join(text[: 20 * limit].split())
    seen = "".join(c for c in spaced if c == " " or not _is_unseen(c))
    return " ".join(unicodedata.normalize("NFC", seen).split())[:limit].strip()


def _is_unseen(character: str) -> bool:
    selects = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return selects or unicodedata.category(character)[0] in "CZ"
