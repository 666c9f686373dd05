"""The model card, docs/models/local.md, from the figures of `evaluate.py`.

Not here: the figures themselves.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dagster_project.classifiers.local.heads import ARRAYS, MANIFEST, SHIPPED
from training.data import LICENCES, WEAK, own_rows

CARD = Path(__file__).parents[1] / "docs" / "models" / "local.md"
Figures = dict[str, Any]


def write_card(figures: Figures, path: Path = CARD) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(card(figures), encoding="utf-8")


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join("–" if c is None else str(c) for c in row) + " |" for row in rows]
    return "\n".join(lines)


def _f(figures: Figures, *keys: str) -> Any:
    """A figure, or None where there is nothing true to find (an F1 of nothing says nothing)."""
    found: Any = figures
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _f1(part: Figures) -> Any:
    return part["f1"] if part["n_true"] else None


def _screen_rows(by_source: Figures) -> list[list[Any]]:
    return [
        [
            source,
            f["affective"]["n"],
            f["affective"]["n_true"],
            f["affective"]["accuracy"],
            _f1(f["affective"]),
            _f1(f["content_creation"]),
            f["type_found"],
            f["types_exact"],
            f.get("could_not_tell"),
        ]
        for source, f in by_source.items()
    ]


_SCREEN_HEAD = (
    "source",
    "n",
    "affective",
    "affective or not: accuracy",
    "F1",
    "content creation F1",
    "right type found",
    "types exactly right",
    "could not tell",
)
_TYPE_HEAD = ("", "n", "true", "said", "precision", "recall", "F1", "calibration error")


def _type_rows(by_type: Figures) -> list[list[Any]]:
    return [
        [t, f["n"], f["n_true"], f["n_said"], f["precision"], f["recall"], f["f1"], f.get("calibration_error")]
        for t, f in by_type.items()
    ]


def _pushback_rows(by_source: Figures) -> list[list[Any]]:
    return [
        [
            source,
            f["n"],
            f["n_true"],
            f["precision"] if f["n_true"] else None,
            f["recall"] if f["n_true"] else None,
            _f1(f),
            f["accuracy"],
            f.get("kind_accuracy"),
            f.get("kind_macro_f1"),
            f["calibration_error"],
        ]
        for source, f in by_source.items()
    ]


_PUSHBACK_HEAD = (
    "source",
    "turns",
    "true",
    "precision",
    "recall",
    "F1",
    "accuracy",
    "kind right",
    "kind macro F1",
    "calibration error",
)


def _rows(by_source: Figures, *keys: str) -> list[list[Any]]:
    return [[source, *(f.get(key) for key in keys)] for source, f in by_source.items()]


def _provenance(manifest: Figures) -> str:
    groups = ("screen", "pushback", "sentiment")
    sources = sorted({s for g in groups for s in manifest["groups"][g]["trained_on"]})
    rows = []
    for source in sources:
        counts = [_f(manifest, "groups", g, "trained_on", source, "examples") for g in groups]
        licence = LICENCES["xstest-v2" if source == "xstest-prompts" else source]
        rows.append([source, licence, *counts, "yes" if source in WEAK else ""])
    return _table(("source", "licence", "types", "pushback", "sentiment", "weakly labelled"), rows)


def card(figures: Figures) -> str:
    """The whole page as Markdown."""
    manifest = json.loads((SHIPPED / MANIFEST).read_text(encoding="utf-8"))
    ins, out, new = figures["in_source"], figures["left_out"], figures["unseen"]
    own = {name: len(own_rows(name)) for name in ("types", "pushback", "sentiment")}
    megabytes = (SHIPPED / ARRAYS).stat().st_size / 1e6
    without_xstest = out["pushback"]["xstest-v2"]
    return f"""<!-- Written by `python -m training.evaluate --card`: change training/card.py, not this page. -->
# The `local` classifier: model card

Labeller `{
        figures["labeller"]
    }`: linear heads on sentence embeddings (all-MiniLM-L6-v2, int8 ONNX, Apache-2.0, unchanged)
beside hashed word n-grams and a few counts. {
        megabytes:.1f} MB of plain arrays, no pickle; every file is checked against a
SHA-256 digest before it is used. English only. No key, no network, same input, same labels.

## What it is for
To make Confide usable at once, on logs that may not leave the building, and to be checked: it counts how often kinds
of conversation occur in *many* conversations. Its errors are of the size shown below, and part of every figure made
with it.

**Not for**: any decision about a person; finding people at risk (a label `safety` means that the *assistant*
interrupted, and its absence means nothing); moderation; languages other than English; comparing groups that write
differently (dialect, age, second language): nothing here measures whether errors fall evenly.

## How it decides
- *Content creation, affective types*: from the person's words alone (beginning and end of long conversations), one
  logistic head each, several types at once. The study's four-message rule for roleplay is applied by the caller.
- *Pushback*: each turn of the assistant by itself; a cheap look at its words first, then two questions: does it push
  back, and which kind.
- *Sentiment*: each human message by itself, first negative, neutral or positive, then strong or not.
- *Could not tell*: nothing to read (no letter, no emoji), or clearly another language. Never guessed.
- `score` is Platt-calibrated on out-of-fold margins; a head says yes from its own threshold on, chosen for F1 out of
  fold.

Read are at most 6,000 characters of the person's words, of which two windows of 400 are embedded; 1,200 of a turn of
the assistant; 600 of a message.

## What it learnt from
{_provenance(manifest)}

"own" are {own["types"]} conversations, {own["pushback"]} assistant turns and {
        own["sentiment"]
    } messages written for this purpose
(`training/examples/`): they carry companionship, coaching, roleplay (adults only) and the kinds of pushback nearly
alone, so these are known from invented text. Weakly labelled sources have no human label of the facet: what they are
follows from where they come from (chit-chat between people counts as company). Requests for program code are *not*
content creation here, as in the labels of Arena-Hard.

## Agreement on sources it learnt from (out of fold)
Five folds (three for sentiment), what belongs together in one fold. Optimistic for logs that look different, and
thresholds were chosen on these very rows. Pushback's threshold expects it in one turn of ten, not in every second as
in XSTest.

{_table(_SCREEN_HEAD, _screen_rows(ins["screen"]["by_source"]))}

Over all sources with human or own labels (macro F1 of the six types: {ins["screen"]["types_macro_f1"]}):

{_table(_TYPE_HEAD, _type_rows(ins["screen"]["by_type"]))}

Pushback:

{_table(_PUSHBACK_HEAD, _pushback_rows(ins["pushback"]))}

Sentiment (three classes; strong or not among the negative and the positive):

{
        _table(
            ("source", "messages", "macro F1", "strong negative F1", "strong positive F1"),
            _rows(ins["sentiment"], "n", "macro_f1", "strong_negative", "strong_positive"),
        )
    }

## Agreement on sources left out altogether
What to expect of a log of another kind: the source is taken out, the rest is learnt from.

{_table(_SCREEN_HEAD, _screen_rows(out["screen"]))}

Pushback with XSTest left out, learnt from own examples and human advice alone: F1 {without_xstest["f1"]}, precision
{without_xstest["precision"]}, recall {without_xstest["recall"]}.

## Agreement on data it never saw
Nothing was chosen on these rows. Their labels are mapped from what each source's own annotators said, not from
Confide's definitions; ConvAI2 and EmoContext count as companionship because the talk was for its own sake, which is a
rough guess. One thing was learnt from looking here: a first version, which had met counselling in single messages
alone, found the right type in 7 of 100 ESConv talks; conversations of several messages were then written, and every
example is also shown cut into messages, as a first half, or between a hello and a thank-you. Likewise
after errors on the synthetic demo world: some own examples (tender scenes that are not sexual, letters and summaries
asked for, questions of fact about mental health, plain supportive turns) and the rate of pushback to be expected.
Agreement with its known truth is therefore no independent test.

{_table(_SCREEN_HEAD, _screen_rows(new["screen"]["by_source"]))}

Affective or not over all of them: F1 {new["screen"]["affective"]["f1"]}, accuracy {
        new["screen"]["affective"]["accuracy"]
    }.

{_table(_TYPE_HEAD, _type_rows(new["screen"]["by_type"]))}

Sentiment (EmoContext, MELD: macro F1 of three classes; USS: rank correlation with satisfaction from 1 to 5, which is
another thing than tone):

{_table(("source", "messages", "macro F1", "Spearman"), _rows(new["sentiment"], "n", "macro_f1", "spearman"))}

Change from the first three to the last three messages, against people's own or annotators' ratings:

{_table(("source", "conversations", "Spearman"), _rows(new["shift"], "n", "spearman"))}

Expressed tone is not how somebody feels, and its change is not an outcome.

## Fitting it again
`python -m training.train --data DIR` gives the same bytes from the same data and versions; `python -m
training.evaluate --data DIR --card` checks that, measures, and writes this page.
"""
