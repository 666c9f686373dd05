"""Labels for a file outside any home: the core of `confide classify`.

Lives here: lines in, one dict of labels a line out, in their order, the study's rules applied. Not here: reading
bytes and their forms (`sources/`), the classifiers, printing (`cli`). A conversation's text never appears in an
output: not in an error either.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from dagster_project.classifiers.interface import Classifier, Progress
from dagster_project.codebook.loader import CodebookError, shipped_codebook
from dagster_project.codebook.schema import Facet
from dagster_project.domain.conversations import Conversation
from dagster_project.domain.labels import Answer, Labelled, Status
from dagster_project.domain.study import counted_types
from dagster_project.sources.confide import parse_line, read
from dagster_project.sources.outcome import Parsed, Rejected
from dagster_project.storage.files import replacing

BATCH = 256


def chosen_facets(classifier: Classifier, facets: Sequence[str] | None) -> list[Facet]:
    """The facets asked for, or all that the classifier measures.

    Raises CodebookError on an id that the codebook lacks or the classifier does not measure.
    """
    codebook = shipped_codebook()
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
    file: Path, out: Path | None, facets: Sequence[str] | None = None, progress: Progress | None = None
) -> int:
    """Label a file with the local classifier, JSON lines to `out` (whole or not at all) or stdout.

    Returns the number of lines written.     Raises CodebookError, WeightsError, ModelFileError, OSError.
    """
    from dagster_project.classifiers.local.classifier import LocalClassifier

    classifier = LocalClassifier(sentiment_scope="all")
    results = classify_records(read(file, require_time=False), classifier, facets, progress)
    if out is None:
        return _write(results, sys.stdout)
    with replacing(out) as temporary, temporary.open("w", encoding="utf-8") as stream:
        return _write(results, stream)


def _write(results: Iterable[dict[str, Any]], stream: TextIO) -> int:
    written = 0
    for result in results:
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
        else:
            labels[facet.id] = list(answer.categories) if told else None
    return labels


def _numbers(conversation: Conversation, answer: Answer, facet: Facet) -> list[float | None]:
    """A number per human message; where the whole answer could not be told, None for each."""
    numbers = {c.id: c.number for c in facet.categories}
    if answer.status is not Status.OK:
        return [None] * len(conversation.human_messages)
    return [numbers.get(v.category) for v in answer.values]
