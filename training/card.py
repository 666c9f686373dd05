"""The model card, docs/models/local.md, from the figures of `evaluate.py`.

Not here: the figures themselves.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dagster_project.classifiers.local.heads import ARRAYS, MANIFEST, SHIPPED
from training.data import LICENCES, OWN_CONVERSATIONS, OWN_CREATION, OWN_MESSAGES, OWN_TURNS, WEAK, own_rows

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
_CLASS_HEAD = ("", "n", "true", "said", "precision", "recall", "F1", "calibration error")


def _class_rows(by_class: Figures) -> list[list[Any]]:
    return [
        [t, f["n"], f["n_true"], f["n_said"], f["precision"], f["recall"], f["f1"], f.get("calibration_error")]
        for t, f in by_class.items()
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
    groups = ("screen", "screen_other_language", "pushback", "sentiment")
    sources = sorted({s for g in groups for s in manifest["groups"][g]["trained_on"]})
    rows = []
    for source in sources:
        counts = [_f(manifest, "groups", g, "trained_on", source, "examples") for g in groups]
        licence = LICENCES["xstest-v2" if source == "xstest-prompts" else source]
        rows.append([source, licence, *counts, "yes" if source in WEAK else ""])
    return _table(("source", "licence", "types", "other languages", "pushback", "sentiment", "weakly labelled"), rows)


def card(figures: Figures) -> str:
    """The whole page as Markdown."""
    manifest = json.loads((SHIPPED / MANIFEST).read_text(encoding="utf-8"))
    ins, out, new, held = figures["in_source"], figures["left_out"], figures["unseen"], figures["held_out"]
    talks, turns, messages = (
        len(own_rows(*names)) for names in ((*OWN_CONVERSATIONS, *OWN_CREATION), OWN_TURNS, OWN_MESSAGES)
    )
    n_other = len(own_rows("other_languages"))
    megabytes = (SHIPPED / ARRAYS).stat().st_size / 1e6
    without_xstest, other, gate = out["pushback"]["xstest-v2"], figures["other_languages"], figures["gate"]
    models = out["answering_model"]
    worst = min(models, key=lambda m: models[m]["f1"])
    dev, unseen, emotions = figures["dev"], new["screen"], new["emotions"]
    return f"""<!-- Written by `python -m training.evaluate --card`: change training/card.py, not this page. -->
# The `local` classifier: model card

Labeller `{
        figures["labeller"]
    }`: linear heads on sentence embeddings (all-MiniLM-L6-v2, int8 ONNX, Apache-2.0, unchanged)
beside hashed word n-grams and a few counts. {
        megabytes:.1f} MB of plain arrays, no pickle; every file is checked against a
SHA-256 digest before it is used. English; of other languages, content creation alone. No key, no network, same input,
same labels.

## What it is for
To make Confide usable at once, on logs that may not leave the building, and to be checked: it counts how often kinds
of conversation occur in *many* conversations. Its errors are of the size shown below, and part of every figure made
with it.

**Not for**: any decision about a person; finding people at risk (a label `safety` means that the *assistant*
interrupted, and its absence means nothing); moderation; types, pushback or tone in languages other than English;
comparing groups that write differently (dialect, age, second language): nothing here measures whether errors fall
evenly.

## How it decides
- *A cheap look first*, at conversations of one message: words and pairs of the first 400 characters. What it rules out gets
  no label and is not embedded.
- *Content creation, affective types*: from the person's words alone (beginning and end of long conversations). One
  logistic head asks whether any type applies, one each type, one content creation. Where some type applies and none
  reaches its threshold, the nearest is taken. The study's four-message rule for roleplay is applied by the caller.
- *Pushback*: each turn of the assistant by itself; a cheap look at its words first, then two questions: does it push
  back, and which kind.
- *Sentiment*: each human message by itself, first negative, neutral or positive, then strong or not.
- *Could not tell*: nothing to read (no letter, no emoji); no more than .03 from the threshold of "any type"; another
  language, unless its words clearly ask for a piece of writing. Never guessed.
- `score` is Platt-calibrated on out-of-fold margins; a head says yes from its own threshold on, chosen for F1 out of
  fold.

Read are at most 6,000 characters of the person's words, of which two windows of 400 are embedded; 1,200 of a turn of
the assistant; 600 of a message.

## What it learnt from
{_provenance(manifest)}

"own" are {talks:,} conversations in English and {n_other} in other languages, {turns} talks with turns of an assistant
and {
        messages
    } messages, all written for this purpose (`training/examples/`, in part by language models; no second person
has checked their labels): they carry companionship, coaching, roleplay (adults only) and the kinds of pushback nearly
alone, so these are known from invented text. Weakly labelled sources have no human label of the facet: what they are
follows from where they come from (chit-chat between people counts as company). Requests for program code are *not*
content creation here, as in the labels of Arena-Hard.

## In short
Over all rows of the dev data with labels of types (those learnt from out of fold, except those in other languages):
affective or not F1 {dev["all"]["affective"]["f1"]}, accuracy {
        dev["all"]["affective"]["accuracy"]
    }; content creation F1 {dev["all"]["content_creation"]["f1"]};
six classes without roleplay, macro F1 {dev["classes"]["macro_f1"]}:

{_table(_CLASS_HEAD, _class_rows(dev["classes"]["by_class"]))}

On the sources that gave no training row: macro F1 {
        unseen["classes"]["macro_f1"]
    } (no content creation among them); affective or not F1
{unseen["all"]["affective"]["f1"]}, accuracy {unseen["all"]["affective"]["accuracy"]}. On {
        held["all"]["affective"]["n"]
    } held-out
conversations of another author: affective or not F1 {held["all"]["affective"]["f1"]}, content creation F1 {
        held["all"]["content_creation"]["f1"]
    }, roleplay in
conversations of four or more human messages F1 {held["roleplay"]["f1"]} ({held["roleplay"]["n_true"]} of {
        held["roleplay"]["n"]
    }).

The cheap look loses {gate["missed"]:.1%} of what has a label, out of fold, and spares {
        gate["spared"]:.0%} of the rest the embedding.

## Agreement on sources it learnt from (out of fold)
Five folds (three for sentiment), what belongs together in one fold. Optimistic for logs that look different, and
thresholds were chosen on these very rows. Pushback's threshold expects it in one turn of ten, not in every second as
in XSTest.

{_table(_SCREEN_HEAD, _screen_rows(ins["screen"]["by_source"]))}

Each head by itself, over all sources with human or own labels:

{_table(_CLASS_HEAD, _class_rows(ins["screen"]["by_head"]))}

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
{without_xstest["precision"]}, recall {
        without_xstest["recall"]
    }. With one answering model of XSTest left out at a time, the worst is {worst}:

{
        _table(
            ("answering model", "turns", "true", "precision", "recall", "F1"),
            [[m, f["n"], f["n_true"], f["precision"], f["recall"], f["f1"]] for m, f in models.items()],
        )
    }

## Agreement on data it never saw
Nothing was chosen on these rows. Their labels are mapped from what each source's own annotators said, not from
Confide's definitions; ConvAI2 and EmoContext count as companionship because the talk was for its own sake, which is a
rough guess. One thing was learnt from looking here: a first version, which had met counselling in single messages
alone, found the right type in 7 of 100 ESConv talks; conversations of several messages were then written, and every
example is also shown cut into messages, as a first half, or between a hello and a thank-you. That short chit-chat,
spoken sessions and support chats exist among the sources was known when later examples were written, their text was
not; the short texting and the lines of dialogue were written because the figures of EmoContext and MELD were low.
Likewise after errors on the synthetic demo world: some own examples (tender scenes that are not sexual, letters and
summaries asked for, questions of fact about mental health, plain supportive turns) and the rate of pushback to be
expected. Agreement with its known truth is therefore no independent test.

{_table(_SCREEN_HEAD, _screen_rows(unseen["by_source"]))}

{_table(_CLASS_HEAD, _class_rows(unseen["classes"]["by_class"]))}

By number of human messages, these rows and the held-out ones together:

{_table(("human messages", *_SCREEN_HEAD[1:]), _screen_rows(figures["by_length"]))}

By language: of {other["n"]} held-out conversations in 16 other languages {
        other["could_not_tell"]
    } could not be told; content creation precision
{other["content_creation"]["precision"]}, recall {other["content_creation"]["recall"]}; a type was said of {
        other["types_said"]
    }. Of {other["mixed"]["affective"]["n"]} that mix English with another language,
affective or not was right for {other["mixed"]["affective"]["accuracy"]:.0%}.

Sentiment (EmoContext, MELD, GoEmotions' dev part: macro F1 of three classes; USS: rank correlation with satisfaction from
1 to 5, which is another thing than tone):

{
        _table(
            ("source", "messages", "macro F1", "Spearman"),
            [
                ["goemotions, dev", emotions["n"], emotions["macro_f1"], None],
                *_rows(new["sentiment"], "n", "macro_f1", "spearman"),
            ],
        )
    }

Change from the first three to the last three messages, against people's own or annotators' ratings:

{_table(("source", "conversations", "Spearman", "from", "to"), _rows(new["shift"], "n", "spearman", "low", "high"))}

Expressed tone is not how somebody feels, and its change is not an outcome.

What more examples would help, and what the features cannot hold: [what limits it](limits.md).

## Fitting it again
`python -m training.train --data DIR` gives the same bytes from the same data and versions; `python -m
training.evaluate --data DIR --card` checks that, measures, and writes this page.
"""
