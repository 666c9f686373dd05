"""Labels for a file outside any home: the core of `confide classify`.

Lives here: lines in, one dict of labels a line out, in their order, the study's rules applied. Not here: reading
bytes and their forms (`sources/`), the classifiers, printing (`cli`). A conversation's text never appears in an
output: not in an error either.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from dagster_project.classifiers.interface import Answers, Classifier, Keyed, Progress
from dagster_project.codebook.loader import Codebook, CodebookError, load_codebook, shipped_codebook
from dagster_project.codebook.schema import AnswerType, Facet
from dagster_project.domain.conversations import Conversation, Role
from dagster_project.domain.labels import Answer, Labelled, Status
from dagster_project.domain.study import counted_types
from dagster_project.settings import read_settings
from dagster_project.sources import confide
from dagster_project.sources.confide import parse_line
from dagster_project.sources.outcome import Parsed, Rejected
from dagster_project.sources.registry import Source, source_of
from dagster_project.storage.files import replacing

BATCH = 256


def codebook_outside() -> Codebook:
    """The shipped facets, and those that `CONFIDE_CODEBOOK__FOLDERS` (from here) and `…__OPTIONAL` name.

    Raises CodebookError.
    """
    chosen = read_settings(Path(os.devnull)).codebook
    if not chosen.folders and not chosen.optional:
        return shipped_codebook()
    return load_codebook(*chosen.folders, optional=chosen.optional)


def chosen_facets(classifier: Classifier, facets: Sequence[str] | None) -> list[Facet]:
    """The facets asked for, or all that the classifier measures.

    Raises CodebookError on an id that the codebook lacks or the classifier does not measure.
    """
    codebook = codebook_outside()
    if facets is None:
        return [f for f in codebook if classifier.measures(f)]
    chosen = [codebook[f] for f in dict.fromkeys(facets)]
    for facet in chosen:
        if not classifier.measures(facet):
            raise CodebookError(f"{classifier.labeller} does not measure {facet.id!r}")
    return chosen


def classify_lines(
    lines: Iterable[bytes],
    classifier: Classifier,
    facets: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[dict[str, Any]]:
    """One dict a line of the canonical form, in order; see `classify_records`. Lines count from 1."""
    records = (parse_line(line, require_time=False, line_number=i) for i, line in enumerate(lines, 1))
    return classify_records(records, classifier, facets, progress)


def classify_records(
    records: Iterable[Parsed | Rejected],
    classifier: Classifier,
    facets: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[dict[str, Any]]:
    """One dict a record, in order: `{conversation_id, labels}`, or `{line, error}` for one that cannot be read.

    labels: of the facets asked, `content_creation` (bool), `affective_type` (types that count: roleplay needs four
    human messages), `pushback` (bool) and `pushback_kind` (the strongest kind in the codebook's order, or None),
    `sentiment` (a number per human message). None = could not tell. Memory holds `BATCH` records.
    """
    asked = chosen_facets(classifier, facets)
    batch: list[Parsed | Rejected] = []
    for record in records:
        batch.append(record)
        if len(batch) == BATCH:
            yield from _labelled_batch(batch, classifier, asked, progress)
            batch = []
    yield from _labelled_batch(batch, classifier, asked, progress)


def classify_to(
    file: Path,
    out: Path | None,
    facets: Sequence[str] | None = None,
    progress: Progress | None = None,
    kind: str = "local",
    format: str = confide.NAME,
    also: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> int:
    """Label a file, JSON lines to `out` (whole or not at all) or stdout. Returns the number of lines written.

    kind: local or claude; Claude is asked as `CONFIDE_CLAUDE__…` says, one by one unless that says `batch`. What it
    answers is forgotten afterwards, unless `CONFIDE_LEDGER__URL` names a ledger. format: as for ingesting; the
    columns of tables are those of `CONFIDE_SOURCES__TABLE__…`. also: is given each result before it is written. Raises
    ConfideError, OSError.
    """
    table = read_settings(Path(os.devnull)).sources.table
    records = _FileOf(file, source_of(file, format, table).source)
    with classifier_of(kind) as classifier:
        if isinstance(classifier, AsksClaude):
            classifier.ask_ahead(chosen_facets(classifier, facets), records)
        results = classify_records(records.read(), classifier, facets, progress)
        if out is None:
            return _write(results, sys.stdout, also)
        with replacing(out) as temporary, temporary.open("w", encoding="utf-8") as stream:
            return _write(results, stream, also)


@contextmanager
def classifier_of(kind: str) -> Iterator[Classifier]:
    """The classifier for conversations outside any home."""
    if kind == "local":
        from dagster_project.classifiers.local.classifier import LocalClassifier

        yield LocalClassifier(sentiment_scope="all")
        return
    from dagster_project.classifiers.claude.answers import claude_answers
    from dagster_project.storage.database import sqlite_url
    from dagster_project.storage.request_ledger.ledger import RequestLedger

    settings = read_settings(Path(os.devnull))
    if "CONFIDE_CLAUDE__TRANSPORT" not in os.environ:
        claude = settings.claude.model_copy(update={"transport": "live"})
        settings = settings.model_copy(update={"claude": claude})
    with tempfile.TemporaryDirectory() as folder:
        url = settings.ledger.url or sqlite_url(Path(folder) / "requests.sqlite")
        with RequestLedger.open(url, settings.ledger.key_file) as ledger:
            yield AsksClaude(claude_answers(settings, lambda: ledger, Path(folder), scope="all"), codebook_outside())


@dataclass(frozen=True)
class _Kept:
    """A conversation of no home: the ledger hashes it itself."""

    conversation: Conversation
    content_hash: str = ""


class _FileOf:
    """The conversations of a file, as often as they are gone through."""

    def __init__(self, file: Path, source: Source) -> None:
        self._file, self._source = file, source

    def read(self) -> Iterator[Parsed | Rejected]:
        """Its records; a conversation without a time is one like any other."""
        return self._source.read(self._file, require_time=False)

    def __iter__(self) -> Iterator[_Kept]:
        for record in self.read():
            if isinstance(record, Parsed):
                yield _Kept(record.conversation)


class AsksClaude:
    """Both stages of Claude's answers as one `Classifier`, whatever type a conversation is of."""

    def __init__(self, stages: Mapping[str, Answers], codebook: Codebook) -> None:
        self._stages, self._codebook = stages, codebook

    @property
    def labeller(self) -> str:
        """The models' ids."""
        return ", ".join(dict.fromkeys(answers.labeller for answers in self._stages.values()))

    def measures(self, facet: Facet) -> bool:
        """Whether one of the stages does."""
        return facet.stage in self._stages and self._stages[facet.stage].measures(facet)

    def prompt_hash(self, facet: Facet) -> str:
        """That of its stage."""
        return self._stages[facet.stage].prompt_hash(facet)

    def ask_ahead(self, facets: Sequence[Facet], conversations: Iterable[Keyed]) -> None:
        """Everything at once, a request a stage and conversation."""
        for answers, some in self.by_stage(facets):
            answers.ask_ahead(some, conversations)

    def classify(
        self, facets: Sequence[Facet], conversations: Sequence[Conversation], progress: Progress | None = None
    ) -> Iterator[Labelled]:
        """As `Classifier.classify`."""
        kept = [_Kept(c) for c in conversations]
        found: list[dict[str, Answer]] = [{} for _ in kept]
        for answers, some in self.by_stage(facets):
            for one, given in zip(found, answers.classify(some, kept), strict=True):
                one.update({facet_id: answer for facet_id, (answer, _) in given.items()})
        for one in found:
            yield Labelled(one)
            if progress:
                progress(1)

    def by_stage(self, facets: Sequence[Facet]) -> Iterator[tuple[Answers, list[Facet]]]:
        """The facets of each stage; an attribute's events come along."""
        asked = {f.id for f in facets} | {f.of for f in facets if f.of}
        for stage, answers in self._stages.items():
            some = [f for f in self._codebook if f.id in asked and f.stage == stage]
            if some:
                yield answers, some


def _write(results: Iterable[dict[str, Any]], stream: TextIO, also: Callable[[Mapping[str, Any]], None]) -> int:
    written = 0
    for result in results:
        also(result)
        stream.write(json.dumps(result) + "\n")
        written += 1
    stream.flush()
    return written


def _labelled_batch(
    batch: Sequence[Parsed | Rejected], classifier: Classifier, facets: Sequence[Facet], progress: Progress | None
) -> Iterator[dict[str, Any]]:
    conversations = [r.conversation for r in batch if isinstance(r, Parsed)]
    answers = iter(list(classifier.classify(facets, conversations, progress)))
    for record in batch:
        if isinstance(record, Rejected):
            if progress:
                progress(1)
            yield {"line": record.line_number, "error": record.reason.value}
        else:
            labels = _labels(record.conversation, next(answers), facets)
            yield {"conversation_id": record.conversation.conversation_id, "labels": labels}


def _labels(conversation: Conversation, labelled: Labelled, facets: Sequence[Facet]) -> dict[str, Any]:
    labels: dict[str, Any] = {}
    for facet in facets:
        answer = labelled.answers[facet.id]
        told = answer.status is Status.OK
        if facet.id == "content_creation":
            labels[facet.id] = bool(answer.values) if told else None
        elif facet.id == "affective_type":
            n_human = len(conversation.human_messages)
            labels[facet.id] = list(counted_types(answer.categories, n_human)) if told else None
        elif facet.id == "pushback":
            kinds = [k for k in facet.category_ids if k in answer.categories]
            labels["pushback"] = bool(kinds) if told else None
            labels["pushback_kind"] = kinds[0] if kinds else None
        elif facet.id == "sentiment":
            labels[facet.id] = _numbers(conversation, answer, facet)
        elif facet.answer is AnswerType.TEXT:
            labels[facet.id] = answer.text
        else:
            labels[facet.id] = list(answer.categories) if told else None
    return labels


def _numbers(conversation: Conversation, answer: Answer, facet: Facet) -> list[float | None]:
    """A number per human message, in order; None where its tone could not be told or was not looked at."""
    numbers = {c.id: c.number for c in facet.categories}
    known: dict[int | None, float | None] = {}
    if answer.status is Status.OK:
        known = {v.message_index: numbers.get(v.category) for v in answer.values}
    return [known.get(i) for i, m in enumerate(conversation.messages) if m.role is Role.USER]
