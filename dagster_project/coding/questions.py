"""Which facets people can be asked about a conversation, and how an answer is written down.

Lives here: the facets that coding covers, the words for "none" and "could not tell", and reading one written answer.
Not here: files (`answers.py`, `tasks.py`), which answer counts (`domain/adjudication.py`).
"""

import re
from collections.abc import Iterable, Sequence

from dagster_project.codebook.loader import Codebook
from dagster_project.codebook.schema import AnswerType, Facet, Unit
from dagster_project.domain.adjudication import UNTOLD, Coded
from dagster_project.domain.labels import Status
from dagster_project.domain.study import SENTIMENT_EDGE_MESSAGES, SENTIMENT_MIN_HUMAN_MESSAGES
from dagster_project.errors import ConfideError

DEFAULT_FACETS = ("content_creation", "affective_type", "pushback")
NONE, COULD_NOT_TELL = "none", "could_not_tell"
YES, NO = "yes", "no"
OF_CONVERSATION = frozenset({AnswerType.YES_NO, AnswerType.CHOICE, AnswerType.MULTI_CHOICE, AnswerType.SCALE})


PLACES = ("first", "second", "third", "last but two", "last but one", "last")
"""The messages of a person that are judged one by one: the first and the last three."""
assert len(PLACES) == 2 * SENTIMENT_EDGE_MESSAGES


class CodingError(ConfideError):
    """A sample or its answers cannot be used; the message says what and where, never what was written."""


class NotAnAnswer(Exception):
    """What stands in a cell is no answer to its facet; the words are those of a reason, not of the cell."""


def can_be_coded(facet: Facet) -> bool:
    """Whether people can be asked a facet.

    Events are coded as the kinds that occur anywhere in the conversation; a scale of the person's messages on the first
    and the last three, each by itself (`questions_of`).
    """
    events = facet.answer is AnswerType.EVENTS and facet.unit is Unit.ASSISTANT_TURN
    return events or is_of_messages(facet) or (facet.unit is Unit.CONVERSATION and facet.answer in OF_CONVERSATION)


def is_of_messages(facet: Facet) -> bool:
    """Whether a facet is a scale on which each of the person's messages is placed."""
    return facet.unit is Unit.HUMAN_MESSAGE and facet.answer is AnswerType.SCALE


def questions_of(facet: Facet) -> list[Facet]:
    """What coders are asked of a facet: itself, or one question a message, named `sentiment_1` to `sentiment_6`."""
    if not is_of_messages(facet):
        return [facet]
    words = facet.question.rstrip("?").replace("this message", "their {} message")
    fewest = f"Leave it empty where they wrote fewer than {SENTIMENT_MIN_HUMAN_MESSAGES}."
    return [
        facet.model_copy(
            update={
                "id": f"{facet.id}_{number}",
                "unit": Unit.CONVERSATION,
                "question": f"{words.format(place)}? {fewest}",
            }
        )
        for number, place in enumerate(PLACES, 1)
    ]


def all_questions(codebook: Codebook) -> list[Facet]:
    """Every question that people can be asked."""
    return [question for facet in codebook if can_be_coded(facet) for question in questions_of(facet)]


def may_be_left_out(question: Facet) -> bool:
    """Whether a question does not arise in every conversation: most people write fewer than six messages."""
    return question.answer is AnswerType.SCALE


def is_several(facet: Facet) -> bool:
    """Whether several categories may be given."""
    return facet.answer in (AnswerType.MULTI_CHOICE, AnswerType.EVENTS)


def coded_facets(codebook: Codebook, wanted: Sequence[str] = DEFAULT_FACETS) -> list[Facet]:
    """The questions that coders are asked, in the order of the codebook. Raises CodebookError or CodingError."""
    asked = [codebook[name] for name in wanted]
    if unfit := [f.id for f in asked if not can_be_coded(f)]:
        raise CodingError(
            f"{', '.join(unfit)}: not asked of coders; those that are: "
            + ", ".join(f.id for f in codebook if can_be_coded(f))
        )
    return [question for f in codebook if f.id in set(wanted) for question in questions_of(f)]


def options(facet: Facet) -> list[tuple[str, str]]:
    """What a coder may answer, each with what it means; "could not tell" is always one."""
    meant = [(c.id, c.definition) for c in facet.categories]
    if facet.answer is AnswerType.YES_NO:
        meant = [(YES, facet.categories[0].definition), (NO, "It does not apply.")]
    elif is_several(facet):
        meant.append((NONE, "None of these."))
    return [*meant, (COULD_NOT_TELL, "It cannot be told from the conversation.")]


def read_answer(facet: Facet, chosen: Iterable[str]) -> Coded | None:
    """The answer that some chosen options make; None where none is chosen. Raises NotAnAnswer."""
    picked = {one.strip().lower() for one in chosen} - {""}
    if not picked:
        return None
    if not picked <= {name for name, _ in options(facet)}:
        raise NotAnAnswer("unknown_category")
    if len(picked) > 1 and (not is_several(facet) or picked & {NONE, COULD_NOT_TELL}):
        raise NotAnAnswer("contradictory_answer")
    if picked == {COULD_NOT_TELL}:
        return UNTOLD
    if facet.answer is AnswerType.YES_NO:
        return Coded(Status.OK, frozenset(facet.category_ids) if picked == {YES} else frozenset())
    return Coded(Status.OK, frozenset(picked - {NONE}))


def split_options(cell: str) -> list[str]:
    """The options of one cell of a table: separated by semicolons, commas or bars."""
    return re.split(r"[;,|]", cell)
