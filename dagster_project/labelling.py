"""From conversations of a day to label rows of the lake, stage by stage.

Lives here: reading a day's conversations back from the lake, asking a classifier, shaping answers into rows.
Not here: how an answer is found (`classifiers/`), what is asked (`codebook/`), whose turn it is (`assets/`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from dagster_project.classifiers.interface import Answers, Progress
from dagster_project.codebook.schema import AnswerType, Facet
from dagster_project.domain.conversations import Conversation, Message, Role
from dagster_project.domain.labels import Answer, Status
from dagster_project.domain.selection import analysed_types, control_sample, two_phase_sample
from dagster_project.storage.lake import TABLES, Lake

COULD_NOT_TELL = Status.COULD_NOT_TELL.value


@dataclass(frozen=True)
class KeyedConversation:
    """A conversation under its pseudonyms, with the keyed hash of its content."""

    conversation: Conversation
    content_hash: str


def conversations_of_day(lake: Lake, day: date, only: frozenset[str] | None = None) -> list[KeyedConversation]:
    """A day's conversations in the lake's order; with `only`, those of these keys."""
    heads, texts = lake.read("conversations", day), lake.read("messages", day)
    if only is not None:
        heads = heads.filter(pl.col("conversation_key").is_in(list(only)))
        texts = texts.filter(pl.col("conversation_key").is_in(list(only)))
    return conversations_from(heads, texts)


def conversations_from(heads: pl.DataFrame, texts: pl.DataFrame) -> list[KeyedConversation]:
    """Conversations from rows of `conversations` and `messages`, in the order of the former."""
    messages: dict[str, list[Message]] = {}
    ordered = texts.sort("conversation_key", "message_index")
    for key, role, content, created_at in ordered.select(
        "conversation_key", "role", "content", "created_at"
    ).iter_rows():
        messages.setdefault(key, []).append(Message(Role(role), content, created_at))
    return [
        KeyedConversation(
            Conversation(key, user, started_at, tuple(messages.get(key, ())), surface),
            content_hash,
        )
        for key, user, started_at, surface, content_hash in heads.select(
            "conversation_key", "user_key", "started_at", "surface", "content_hash"
        ).iter_rows()
    ]


class ConversationsOf:
    """Some conversations of some days, read anew, a day at a time, as often as they are gone through.

    wanted: by day, the keys of the conversations.
    """

    def __init__(self, lake: Lake, wanted: Mapping[date, Iterable[str]]) -> None:
        self._lake, self._wanted = lake, wanted

    def __iter__(self) -> Iterator[KeyedConversation]:
        for day, keys in self._wanted.items():
            yield from conversations_of_day(self._lake, day, frozenset(keys))


def answer_rows(
    conversation_key: str, facet: Facet, answer: Answer, provenance: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The lake rows of one answer: one a value, or one row that says that there is none and why."""
    base = {
        "conversation_key": conversation_key,
        "facet": facet.id,
        "facet_version": facet.version,
        "status": answer.status.value,
        "value_index": 0,
        "value": None,
        "number": None,
        "score": None,
        "message_index": None,
        **provenance,
    }
    if answer.status is not Status.OK or not answer.values:
        yield base
        return
    numbers = {c.id: c.number for c in facet.categories}
    for i, value in enumerate(answer.values):
        told = value.category != COULD_NOT_TELL
        yield base | {
            "status": answer.status.value if told else COULD_NOT_TELL,
            "value_index": i,
            "value": value.category if told else None,
            "number": numbers.get(value.category),
            "score": value.score,
            "message_index": value.message_index,
        }


def label_frame(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Label rows as the lake keeps them, in canonical order."""
    frame = pl.DataFrame(list(rows), schema=TABLES["screen_labels"], orient="row")
    return frame.sort("conversation_key", "facet", "value_index")


def analysed_of_day(lake: Lake, day: date) -> dict[str, tuple[str, ...]]:
    """Talk types of a day's analysed conversations by key, from the screen's labels; the others are left out."""
    heads = lake.read("conversations", day).select("conversation_key", "n_human_messages")
    n_human = dict(heads.iter_rows())
    rows: dict[str, list[tuple[str, str, str | None]]] = {}
    labels = lake.read("screen_labels", day).select("conversation_key", "facet", "status", "value")
    for key, facet, status, value in labels.iter_rows():
        rows.setdefault(key, []).append((facet, status, value))
    found = {key: analysed_types(rows[key], n_human[key]) for key in sorted(rows.keys() & n_human.keys())}
    return {key: types for key, types in found.items() if types}


def sample_of_day(
    conversations: Sequence[KeyedConversation],
    scores: Iterable[float | None],
    cut: float,
    sample_rate: float,
) -> pl.DataFrame:
    """The rows of `screening` of a day in two phases. scores: the cheap score of each conversation, in their order."""
    keys = [one.conversation.conversation_id for one in conversations]
    sample = two_phase_sample(dict(zip(keys, scores, strict=True)), cut, sample_rate)
    rows = [(key, one.stratum.value, one.inclusion_probability, one.is_asked) for key, one in sorted(sample.items())]
    return pl.DataFrame(rows, schema=TABLES["screening"], orient="row")


def asked_of_day(lake: Lake, day: date, sample: pl.DataFrame | None = None) -> dict[str, float]:
    """The conversations of a day that the screen asks about, by key, each with its sampling weight.

    All, in a census. sample: the rows of `screening`, where they are not written yet.
    """
    sample = lake.read("screening", day) if sample is None else sample
    if sample.is_empty():
        return dict.fromkeys(lake.read("conversations", day)["conversation_key"].to_list(), 1.0)
    asked = sample.filter(pl.col("is_asked")).select("conversation_key", 1 / pl.col("inclusion_probability"))
    return dict(asked.iter_rows())


def weights_of_day(
    lake: Lake, day: date, stage: str, control_share: float, sample: pl.DataFrame | None = None
) -> dict[str, float]:
    """The conversations that a stage asks about, by key, each with its sampling weight.

    The screen asks about all, or a sample in two phases. The detail asks about the analysed ones, and about a keyed
    sample of the others that were screened as controls (weight 1 / control_share), which no table of analysed
    conversations counts. A conversation's weights of both stages are multiplied.
    """
    asked = asked_of_day(lake, day, sample)
    if stage == "screen":
        return asked
    analysed = analysed_of_day(lake, day)
    weights = {key: asked[key] for key in analysed}
    if control_share > 0:
        controls = control_sample(asked.keys() - analysed.keys(), control_share)
        weights.update({key: asked[key] / control_share for key in controls})
    return weights


def measured(facets: Sequence[Facet], stage: str, measures: Callable[[Facet], bool]) -> list[Facet]:
    """The facets of a stage that a labeller answers."""
    return [f for f in facets if f.stage == stage and measures(f)]


@dataclass(frozen=True)
class LabelledDay:
    """A stage's answers for some conversations as the lake keeps them: label rows, and what was said in words."""

    labels: pl.DataFrame
    descriptions: pl.DataFrame


def label_conversations(
    answers: Answers,
    facets: Sequence[Facet],
    conversations: Sequence[KeyedConversation],
    weights: Mapping[str, float],
    progress: Progress | None = None,
) -> LabelledDay:
    """The rows of some conversations, asking only for what was not answered before. weights: by conversation key."""
    rows: list[dict[str, Any]] = []
    texts: list[dict[str, Any]] = []
    for keyed, labelled in zip(conversations, answers.classify(facets, conversations, progress), strict=True):
        key = keyed.conversation.conversation_id
        for facet in facets:
            answer, labelled_at = labelled[facet.id]
            provenance = {
                "labeller": answers.labeller,
                "prompt_hash": answers.prompt_hash(facet),
                "labelled_at": labelled_at,
            }
            if facet.answer is not AnswerType.TEXT:
                rows.extend(answer_rows(key, facet, answer, {"weight": weights[key], **provenance}))
            elif answer.text:
                about = {"conversation_key": key, "facet": facet.id, "facet_version": facet.version}
                texts.append({**about, "text": answer.text, **provenance})
    descriptions = pl.DataFrame(texts, schema=TABLES["descriptions"], orient="row").sort("conversation_key", "facet")
    return LabelledDay(label_frame(rows), descriptions)


def answer_counts(frame: pl.DataFrame) -> dict[str, int]:
    """Answers by facet and outcome, as counts for metadata: `content_creation: ok` and the like."""
    counted = frame.filter(pl.col("value_index") == 0).group_by("facet", "status").len().sort("facet", "status")
    return {f"{facet}: {status}": n for facet, status, n in counted.iter_rows()}
