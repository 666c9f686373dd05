"""The local classifier: conversations in, answers of the study's facets out.

Lives here: which texts are embedded, which heads are asked, how their probabilities become answers. Not here: the
texts (`reading.py`), features (`features.py`), weights (`heads.py`), the study's rules (`domain/study.py`).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from dagster_project.classifiers.interface import Progress
from dagster_project.classifiers.local.embedder import Embedder, MiniLM, Vectors
from dagster_project.classifiers.local.features import (
    gate_grams,
    message_grams,
    message_structure,
    other_language_grams,
    screen_grams,
    screen_structure,
    turn_grams,
    turn_structure,
    weighted,
)
from dagster_project.classifiers.local.heads import SHIPPED, Weights, WeightsError, load_weights
from dagster_project.classifiers.local.language import clearly_not_english, is_readable
from dagster_project.classifiers.local.reading import (
    MESSAGE_CHARACTERS,
    ScreenView,
    Turn,
    edges,
    screen_view,
    turns,
)
from dagster_project.codebook.schema import Facet
from dagster_project.domain.conversations import Conversation, Role, indices_of
from dagster_project.domain.labels import Answer, Labelled, Status, Value
from dagster_project.domain.study import AFFECTIVE_TYPES, SENTIMENT_EDGE_MESSAGES, SENTIMENT_MIN_HUMAN_MESSAGES

SentimentScope = Literal["edges", "all"]

MEASURED = {"content_creation": 1, "affective_type": 1, "pushback": 1, "sentiment": 1}
"""Facet ids and the version of each that the heads were trained for."""
SCREEN_FACETS = ("content_creation", "affective_type")
AFFECTIVE = "affective"
"""The head that asks whether any type applies; those of the types say which."""
DOUBT = 0.03
"""Nearer than this to the threshold of `AFFECTIVE`, the answer is "could not tell"."""
PUSHBACK_KINDS = ("safety", "refusal", "boundary", "challenge", "correction", "other")
CHUNK = 256

VectorsByText = Mapping[str, Vectors]

_COULD_NOT_TELL = Answer(Status.COULD_NOT_TELL)
_NOTHING = Answer(Status.OK)


@dataclass(frozen=True, slots=True)
class _Read:
    """What is read of one conversation. foreign: clearly not English. plain: its first words rule out content creation
    and every type. doubtful: the assistant's turns that may push back. messages: those whose tone is asked, with their
    index in the conversation."""

    view: ScreenView
    foreign: bool
    plain: bool
    n_turns: int
    n_readable: int
    doubtful: list[Turn]
    messages: list[tuple[int, str]]


class LocalClassifier:
    """Implements `classifiers.interface.Classifier` with linear heads on MiniLM embeddings and word n-grams.

    sentiment_scope: "all" labels every human message; "edges" only what the study's change needs, the first three
    and the last three human messages of conversations with at least six, and no other. window_embedder: embeds the
    screen's windows, where these are to be remembered (`classifiers.cache.VectorCache`); topics embed the same first
    window. Files are read when first used: raises WeightsError or ModelFileError then.
    """

    def __init__(
        self,
        sentiment_scope: SentimentScope = "all",
        weights_folder: Path = SHIPPED,
        embedder: Embedder | None = None,
        window_embedder: Embedder | None = None,
    ) -> None:
        self.sentiment_scope = sentiment_scope
        self._weights_folder = weights_folder
        self.embedder: Embedder = embedder or MiniLM()
        self.window_embedder: Embedder = window_embedder or self.embedder

    @cached_property
    def weights(self) -> Weights:
        """The heads, checked."""
        weights = load_weights(self._weights_folder)
        if weights.manifest["embedder"] != self.embedder.name:
            raise WeightsError(f"the weights belong to embedder {weights.manifest['embedder']}, not this one")
        return weights

    @property
    def labeller(self) -> str:
        return f"local-2-{self.weights.digest[:6]}"

    def measures(self, facet: Facet) -> bool:
        return MEASURED.get(facet.id) == facet.version

    def prompt_hash(self, facet: Facet) -> str:
        decides = [self.weights.digest, facet.id, facet.version, list(facet.category_ids)]
        if facet.id == "sentiment":
            decides.append(self.sentiment_scope)
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]

    def is_plain(self, conversation: Conversation) -> bool:
        """Whether a cheap look at the first words rules out content creation and every type."""
        return self._is_plain(screen_view(conversation))

    def affective_scores(self, conversations: Sequence[Conversation]) -> Iterator[float | None]:
        """The calibrated probability that any affective type applies, of each conversation in turn.

        0 where its first words rule everything out (nothing is embedded then); None where it has no readable words or
        another language. Works through `CHUNK` conversations at a time.
        """
        for start in range(0, len(conversations), CHUNK):
            views = [screen_view(c) for c in conversations[start : start + CHUNK]]
            readable = [is_readable(v.text) and not clearly_not_english(v.text) for v in views]
            plain = [r and self._is_plain(v) for v, r in zip(views, readable, strict=True)]
            embedded = [r and not p for r, p in zip(readable, plain, strict=True)]
            windows = dict.fromkeys(w for v, e in zip(views, embedded, strict=True) if e for w in v.windows)
            vectors = dict(zip(windows, self.window_embedder.embed(list(windows)), strict=True))
            for view, asked, ruled_out in zip(views, embedded, plain, strict=True):
                yield self._scores(view, vectors)[AFFECTIVE] if asked else 0.0 if ruled_out else None

    def classify(
        self, facets: Sequence[Facet], conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> Iterator[Labelled]:
        """See the interface. Works through `CHUNK` conversations at a time; a text met twice in one is embedded once.

        Raises ValueError when a facet is asked that this labeller does not measure.
        """
        asked = [f.id for f in facets]
        if unknown := [f.id for f in facets if not self.measures(f)]:
            raise ValueError(f"the local classifier does not measure {', '.join(unknown)}")
        for start in range(0, len(conversations), CHUNK):
            yield from self._classify_chunk(asked, conversations[start : start + CHUNK])
            if progress:
                progress(len(conversations[start : start + CHUNK]))

    def _classify_chunk(self, asked: Sequence[str], conversations: Sequence[Conversation]) -> Iterator[Labelled]:
        """First what has to be embedded, each text once; then the answers."""
        wants_screen = any(f in asked for f in SCREEN_FACETS)
        read = [self._read(c, asked) for c in conversations]
        texts: dict[str, None] = {}
        windows: dict[str, None] = {}
        for one in read:
            if one.foreign:
                continue
            if wants_screen and not one.plain:
                windows.update(dict.fromkeys(one.view.windows))
            texts.update(dict.fromkeys(t.window for t in one.doubtful))
            texts.update(dict.fromkeys(text for _, text in one.messages))
        vectors = dict(zip(windows, self.window_embedder.embed(list(windows)), strict=True))
        rest = [t for t in texts if t not in vectors]
        vectors.update(zip(rest, self.embedder.embed(rest), strict=True))
        for one in read:
            answers: dict[str, Answer] = {}
            if wants_screen:
                answers.update(self._screen(one, vectors))
            if "pushback" in asked:
                answers["pushback"] = self._pushback(one, vectors)
            if "sentiment" in asked:
                answers["sentiment"] = self._sentiment(one, vectors)
            yield Labelled({f: answers[f] for f in asked})

    def _read(self, conversation: Conversation, asked: Sequence[str]) -> "_Read":
        view = screen_view(conversation)
        foreign = clearly_not_english(view.text)
        wants_screen = any(f in asked for f in SCREEN_FACETS)
        said = turns(conversation) if "pushback" in asked else []
        readable = [t for t in said if is_readable(t.text) and not clearly_not_english(t.text)]
        return _Read(
            view=view,
            foreign=foreign,
            plain=wants_screen and not foreign and self._is_plain(view),
            n_turns=len(said),
            n_readable=len(readable),
            doubtful=[t for t in readable if self._may_push_back(t)],
            messages=self._messages_to_label(conversation) if "sentiment" in asked else [],
        )

    def _screen(self, read: "_Read", vectors: VectorsByText) -> dict[str, Answer]:
        view = read.view
        if not is_readable(view.text):
            return dict.fromkeys(SCREEN_FACETS, _COULD_NOT_TELL)
        if read.foreign:
            return self._other_language(view)
        if read.plain:
            return dict.fromkeys(SCREEN_FACETS, _NOTHING)
        scores = self._scores(view, vectors)
        decided = decide(scores, self.weights.groups["screen"].thresholds)
        made = tuple(Value(name, scores[name]) for name in decided or () if name == "content_creation")
        types = tuple(Value(name, scores[name]) for name in AFFECTIVE_TYPES if name in (decided or ()))
        return {
            "content_creation": Answer(Status.OK, made),
            "affective_type": _COULD_NOT_TELL if decided is None else Answer(Status.OK, types),
        }

    def _scores(self, view: ScreenView, vectors: VectorsByText) -> dict[str, float]:
        """The probabilities of the screen's heads."""
        heads = self.weights.groups["screen"]
        dense = screen_dense(view, np.stack([vectors[w] for w in view.windows]))
        return heads.probabilities(heads.margins(weighted(screen_grams(view), heads.idf), dense))

    def _is_plain(self, view: ScreenView) -> bool:
        """Whether the first words alone rule out content creation and every type: then nothing is embedded.

        Asked of single messages only: a talk of several begins with a hello, which rules out nothing.
        """
        if view.n_messages != 1:
            return False
        heads = self.weights.groups["screen_gate"]
        margins = heads.margins(weighted(gate_grams(view), heads.idf), NO_DENSE)
        return is_readable(view.text) and not heads.chosen(heads.probabilities(margins))

    def _other_language(self, view: ScreenView) -> dict[str, Answer]:
        """Whether a piece of writing is asked for, which shows in the words of many languages; no more is guessed."""
        heads = self.weights.groups["screen_other_language"]
        scores = heads.probabilities(heads.margins(weighted(other_language_grams(view), heads.idf), NO_DENSE))
        if not heads.chosen(scores):
            return dict.fromkeys(SCREEN_FACETS, _COULD_NOT_TELL)
        made = (Value("content_creation", scores["content_creation"]),)
        return {"content_creation": Answer(Status.OK, made), "affective_type": _NOTHING}

    def _may_push_back(self, turn: Turn) -> bool:
        """Whether the turn's words leave room for pushback: a cheap look before anything is embedded."""
        heads = self.weights.groups["pushback_gate"]
        return bool(
            heads.chosen(
                heads.probabilities(heads.margins(weighted(turn_grams(turn), heads.idf), turn_structure(turn)))
            )
        )

    def _pushback(self, read: "_Read", vectors: VectorsByText) -> Answer:
        if read.foreign or not read.n_readable or 2 * read.n_readable < read.n_turns:
            return _COULD_NOT_TELL
        heads = self.weights.groups["pushback"]
        events = []
        for turn in read.doubtful:
            dense = turn_dense(turn, vectors[turn.window])
            scores = heads.probabilities(heads.margins(weighted(turn_grams(turn), heads.idf), dense))
            if "any" in heads.chosen(scores):
                kind = max(PUSHBACK_KINDS, key=lambda k: scores[k])
                events.append(Value(kind, scores["any"], turn.index))
        return Answer(Status.OK, tuple(events))

    def _messages_to_label(self, conversation: Conversation) -> list[tuple[int, str]]:
        """(index in the conversation, text to read) of the human messages whose tone is asked."""
        indices = indices_of(conversation.messages, Role.USER)
        if self.sentiment_scope == "edges":
            enough = len(indices) >= SENTIMENT_MIN_HUMAN_MESSAGES
            indices = indices[:SENTIMENT_EDGE_MESSAGES] + indices[-SENTIMENT_EDGE_MESSAGES:] if enough else []
        return [(i, edges(conversation.messages[i].content, MESSAGE_CHARACTERS)) for i in indices]

    def _sentiment(self, read: "_Read", vectors: VectorsByText) -> Answer:
        if read.foreign or not read.view.n_messages:
            return _COULD_NOT_TELL
        if not read.messages:
            return _NOTHING
        values = []
        for index, text in read.messages:
            if not is_readable(text) or clearly_not_english(text):
                values.append(Value(Status.COULD_NOT_TELL.value, None, index))
            else:
                level, score = self._level(text, vectors[text])
                values.append(Value(level, score, index))
        if all(v.score is None for v in values):
            return _COULD_NOT_TELL
        return Answer(Status.OK, tuple(values))

    def _level(self, text: str, vector: np.ndarray) -> tuple[str, float]:
        heads = self.weights.groups["sentiment"]
        dense = message_dense(text, vector)
        scores = heads.probabilities(heads.margins(weighted(message_grams(text), heads.idf), dense))
        chosen = heads.chosen(scores)
        total = sum(scores[c] for c in VALENCES) or 1.0
        valence = max(VALENCES, key=lambda c: scores[c])
        score = scores[valence] / total
        if valence == "neutral":
            return valence, round(score, 4)
        strong = f"strong_{valence}"
        if strong in chosen:
            return f"very_{valence}", round(score * scores[strong], 4)
        return valence, round(score * (1 - scores[strong]), 4)


VALENCES = ("neutral", "negative", "positive")


NO_DENSE: Vectors = np.ones(1, dtype=np.float32)
"""The dense features of heads that look at words alone."""


def decide(scores: Mapping[str, float], thresholds: Mapping[str, float]) -> list[str] | None:
    """Content creation or types from the probabilities of the screen's heads; None where it could not be told.

    Whether any type applies is asked of a head of its own, which has more to learn from than each type. Where it says
    yes and no type reaches its threshold, the nearest is taken; of content creation and types, which exclude one
    another, the one further above its threshold.
    """
    over = {name: scores[name] / thresholds[name] for name in thresholds}
    types = [t for t in AFFECTIVE_TYPES if over[t] >= 1]
    made = over["content_creation"]
    if made >= 1 and (not types or made >= max(over[t] for t in types)):
        return ["content_creation"]
    if abs(scores[AFFECTIVE] - thresholds[AFFECTIVE]) < DOUBT:
        return None
    if over[AFFECTIVE] < 1:
        return []
    return types or [max(AFFECTIVE_TYPES, key=lambda t: over[t])]


def screen_dense(view: ScreenView, windows: Vectors) -> Vectors:
    """The dense features of the screen heads: mean of the windows' vectors (length one), then structure."""
    mean = windows.mean(axis=0)
    length = float(np.linalg.norm(mean))
    return np.concatenate([mean / length if length else mean, screen_structure(view)]).astype(np.float32)


def turn_dense(turn: Turn, vector: np.ndarray) -> Vectors:
    """The dense features of the pushback heads: the vector of the turn's beginning, at half weight, then structure.

    Half weight: at full weight the topic of a turn outvotes its words of refusal (cross-validation).
    """
    return np.concatenate([0.5 * vector, turn_structure(turn)]).astype(np.float32)


def message_dense(text: str, vector: np.ndarray) -> Vectors:
    """The dense features of the sentiment heads: the message's vector, then tone marks."""
    return np.concatenate([vector, message_structure(text)]).astype(np.float32)
