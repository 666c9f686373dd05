"""Agreement of the local classifier with human labels: `python -m training.evaluate --data DIR [--card]`.

Three kinds of figures, never mixed: *in-source* (out-of-fold on rows learnt from), *left out* (the source was not
learnt from at all), *unseen* (rows with use = evaluation, which choose nothing). `--card` writes docs/models/local.md.
The weights are fitted again first, and must come out equal to the shipped ones, byte for byte.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dagster_project.classifiers.local.classifier import PUSHBACK_KINDS, VALENCES, LocalClassifier
from dagster_project.classifiers.local.heads import ARRAYS, SHIPPED
from dagster_project.codebook.loader import shipped_codebook
from dagster_project.domain.labels import Answer
from dagster_project.domain.study import AFFECTIVE_TYPES, SENTIMENT_LEVELS, sentiment_change
from training.data import WEAK, Example, Row, conversation_of, evaluation_rows
from training.fit import Fitted, fit_group, known
from training.measures import binary, expected_calibration_error, macro_f1, spearman
from training.train import BASE_RATES, HEADS, REGULARISATION, TABLES, CachedVectors, train

Figures = dict[str, Any]


def probabilities(fit: Fitted) -> np.ndarray:
    """Calibrated out-of-fold probabilities, NaN where there is no margin."""
    return 1 / (1 + np.exp(-(fit.heads.slope * fit.margins + fit.heads.intercept)))


def screen_figures(
    examples: Sequence[Example], p: np.ndarray, threshold: np.ndarray, sources: Sequence[str]
) -> Figures:
    """By source: affective or not, content creation, types found; then each type over the sources with human labels."""
    measured = [i for i, e in enumerate(examples) if not e.variant]
    examples, p = [examples[i] for i in measured], p[measured]
    said = p >= threshold
    true = np.array([[e.labels.get(h, 0) for h in HEADS["screen"]] for e in examples])
    figures: Figures = {"by_source": {}, "by_type": {}}
    of = np.array([e.source for e in examples])
    for source in sources:
        here = of == source
        if here.any():
            figures["by_source"][source] = _screen_source(said[here], true[here].astype(bool))
    labelled = np.isin(of, [s for s in sources if s not in WEAK])
    for i, head in enumerate(HEADS["screen"]):
        here = labelled & known(examples, head)
        figures["by_type"][head] = binary(said[here, i], true[here, i]) | {
            "calibration_error": expected_calibration_error(p[here, i], true[here, i])
        }
    figures["types_macro_f1"] = round(float(np.mean([figures["by_type"][t]["f1"] for t in AFFECTIVE_TYPES])), 3)
    return figures


def _screen_source(said: np.ndarray, true: np.ndarray) -> Figures:
    affective_said, affective_true = said[:, 1:].any(1) & ~said[:, 0], true[:, 1:].any(1)
    with_type = affective_true
    return {
        "affective": binary(affective_said, affective_true),
        "content_creation": binary(said[:, 0], true[:, 0]),
        "type_found": round(float((said & true)[with_type, 1:].any(1).mean()), 3) if with_type.any() else None,
        "types_exact": round(float((said == true)[with_type, 1:].all(1).mean()), 3) if with_type.any() else None,
    }


def pushback_figures(examples: Sequence[Example], fit: Fitted, source: str) -> Figures:
    """Pushback or not for one source, and the kind where it is known."""
    p = probabilities(fit)
    here = np.array([e.source == source for e in examples])
    chosen = [e for e, h in zip(examples, here, strict=True) if h]
    said = p[here, 0] >= fit.heads.threshold[0]
    true = np.array([e.labels["any"] for e in chosen], bool)
    figures: Figures = binary(said, true) | {"calibration_error": expected_calibration_error(p[here, 0], true)}
    kinds = [next((k for k in PUSHBACK_KINDS if e.labels.get(k)), "") for e in chosen]
    if len(set(kinds)) > 2:
        guess = [PUSHBACK_KINDS[int(np.argmax(row))] for row in p[here, 1:]]
        pairs = [(g, k) for g, k in zip(guess, kinds, strict=True) if k]
        figures["kind_accuracy"] = round(float(np.mean([g == k for g, k in pairs])), 3)
        figures["kind_macro_f1"] = macro_f1([g for g, _ in pairs], [k for _, k in pairs])
    return figures


def sentiment_figures(examples: Sequence[Example], fit: Fitted, source: str) -> Figures:
    """Valence in three classes, and strong or not where known."""
    p = probabilities(fit)
    here = np.array([e.source == source for e in examples])
    true = [next(v for v in VALENCES if e.labels[v]) for e, h in zip(examples, here, strict=True) if h]
    order = [fit.heads.names.index(v) for v in VALENCES]
    said = [VALENCES[int(np.argmax(row))] for row in p[here][:, order]]
    figures: Figures = {"n": len(true), "macro_f1": macro_f1(said, true)}
    for head in ("strong_negative", "strong_positive"):
        i = fit.heads.names.index(head)
        labelled = here & known(examples, head)
        if labelled.any():
            y = [e.labels[head] for e, k in zip(examples, labelled, strict=True) if k]
            figures[head] = binary(p[labelled, i] >= fit.heads.threshold[i], y)["f1"]
    return figures


def left_out(
    group: str, examples: Sequence[Example], vectors: CachedVectors, source: str
) -> tuple[list[Example], np.ndarray, Fitted]:
    """Fit on the other sources; the source's examples, their probabilities, and the fit."""
    rest = [e for e in examples if e.source != source]
    tested = [e for e in examples if e.source == source]
    table = TABLES[group](rest + tested, vectors)
    fit = fit_group(
        HEADS[group],
        rest,
        type(table)(table.matrix[: len(rest)], table.idf, table.n_dense),
        REGULARISATION[group],
        base_rate=BASE_RATES.get(group),
    )
    beta = np.vstack([fit.heads.grams, fit.heads.dense])
    margins = table.matrix[len(rest) :] @ beta + fit.heads.bias
    return tested, 1 / (1 + np.exp(-(fit.heads.slope * margins + fit.heads.intercept))), fit


def unseen_screen(rows: Sequence[Row], answers: Sequence[dict[str, Answer]]) -> Figures:
    """The dev rows that nothing was learnt from, by source."""
    by: dict[str, list[tuple[np.ndarray, np.ndarray, bool]]] = defaultdict(list)
    for row, answer in zip(rows, answers, strict=True):
        chosen = {*answer["content_creation"].categories, *answer["affective_type"].categories}
        label = row["labels"]["affective_type"]
        said = np.array([h in chosen for h in HEADS["screen"]])
        true = np.array([h == label for h in HEADS["screen"]])
        by[row["source"]].append((said, true, answer["affective_type"].status.value == "ok"))
    figures: Figures = {"by_source": {}, "by_type": {}}
    for source, triples in sorted(by.items()):
        said, true = np.array([t[0] for t in triples]), np.array([t[1] for t in triples])
        figures["by_source"][source] = _screen_source(said, true) | {"could_not_tell": sum(not t[2] for t in triples)}
    said = np.array([t[0] for ts in by.values() for t in ts])
    true = np.array([t[1] for ts in by.values() for t in ts])
    for i, head in enumerate(HEADS["screen"]):
        if true[:, i].any():
            figures["by_type"][head] = binary(said[:, i], true[:, i])
    figures["affective"] = binary(said[:, 1:].any(1) & ~said[:, 0], true[:, 1:].any(1))
    return figures


def _valence(level: str | float | None) -> str:
    number = SENTIMENT_LEVELS.get(level, 0.0) if isinstance(level, str) else float(level or 0.0)
    return "positive" if number > 0 else "negative" if number < 0 else "neutral"


def unseen_sentiment(rows: Sequence[Row], answers: Sequence[Answer]) -> Figures:
    """EmoContext's last message, MELD's and USS's every message."""
    three: dict[str, list[tuple[str, str]]] = defaultdict(list)
    five: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row, answer in zip(rows, answers, strict=True):
        told = {v.message_index: v.category for v in answer.values}
        labels = row["labels"]
        human = [i for i, m in enumerate(row["messages"]) if m["role"] == "user"]
        if labels["task"] == "last_user_message":
            three[row["source"]].append((_valence(told.get(human[-1])), _valence(float(labels["valence"]))))
        else:
            # Lists run over all messages where they are as long as those, over the person's alone otherwise.
            where = range(len(row["messages"])) if len(labels["per_message"]) == len(row["messages"]) else human
            for i, label in zip(where, labels["per_message"], strict=False):
                if i not in told or label is None:
                    continue
                if isinstance(label, str):
                    three[row["source"]].append((_valence(told[i]), label))
                else:
                    five[row["source"]].append((SENTIMENT_LEVELS.get(told[i], 0.0), float(np.mean(label))))
    figures: Figures = {
        s: {"n": len(v), "macro_f1": macro_f1([a for a, _ in v], [b for _, b in v])} for s, v in sorted(three.items())
    }
    figures |= {s: {"n": len(v), "spearman": spearman(*zip(*v, strict=True))} for s, v in sorted(five.items())}
    return figures


def unseen_shift(rows: Sequence[Row], answers: Sequence[Answer]) -> Figures:
    """Change from the first three to the last three messages against people's ratings, by source."""
    by: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row, answer in zip(rows, answers, strict=True):
        change = sentiment_change([SENTIMENT_LEVELS.get(v.category) for v in answer.values])
        labels = row["labels"]
        rated = labels.get("direction") if "direction" in labels else labels["last3"] - labels["first3"]
        if change is not None:
            by[row["source"]].append((change[1] - change[0], float(rated)))
    return {s: {"n": len(v), "spearman": spearman(*zip(*v, strict=True))} for s, v in sorted(by.items())}


def evaluate(data: Path, cache: Path | None) -> Figures:
    """All figures. Raises RuntimeError when the fit does not give the shipped weights."""
    with tempfile.TemporaryDirectory() as folder:
        fitted = train(data, Path(folder), cache)
        if (Path(folder) / ARRAYS).read_bytes() != (SHIPPED / ARRAYS).read_bytes():
            raise RuntimeError("the weights fitted now are not the shipped ones: run python -m training.train first")
    classifier = LocalClassifier()
    vectors = CachedVectors(classifier.embedder, cache)  # type: ignore[arg-type]
    figures: Figures = {"labeller": classifier.labeller, "in_source": {}, "left_out": {}, "unseen": {}}
    examples, fit = fitted["screen"]
    sources = sorted({e.source for e in examples})
    figures["in_source"]["screen"] = screen_figures(examples, probabilities(fit), fit.heads.threshold, sources)
    for source in ("own", "counsel-chat", "arena-hard-v2", "byu-chitchat"):
        tested, p, rest = left_out("screen", examples, vectors, source)
        figures["left_out"].setdefault("screen", {})[source] = screen_figures(
            tested, p, rest.heads.threshold, [source]
        )["by_source"][source]
    examples, fit = fitted["pushback"]
    figures["in_source"]["pushback"] = {
        s: pushback_figures(examples, fit, s) for s in sorted({e.source for e in examples})
    }
    tested, p, rest = left_out("pushback", examples, vectors, "xstest-v2")
    figures["left_out"]["pushback"] = {
        "xstest-v2": binary(p[:, 0] >= rest.heads.threshold[0], [e.labels["any"] for e in tested])
    }
    examples, fit = fitted["sentiment"]
    figures["in_source"]["sentiment"] = {s: sentiment_figures(examples, fit, s) for s in ("goemotions", "own")}
    book = shipped_codebook()

    def labelled(rows: Sequence[Row], *facets: str) -> list[dict[str, Answer]]:
        said = classifier.classify([book[f] for f in facets], [conversation_of(r) for r in rows])
        return [dict(one.answers) for one in said]

    rows = evaluation_rows(data / "dev" / "affective_type.jsonl.gz")
    figures["unseen"]["screen"] = unseen_screen(rows, labelled(rows, "content_creation", "affective_type"))
    rows = evaluation_rows(data / "dev" / "sentiment_messages.jsonl.gz")
    figures["unseen"]["sentiment"] = unseen_sentiment(rows, [a["sentiment"] for a in labelled(rows, "sentiment")])
    classifier.sentiment_scope = "edges"
    rows = evaluation_rows(data / "dev" / "sentiment_shift.jsonl.gz")
    figures["unseen"]["shift"] = unseen_shift(rows, [a["sentiment"] for a in labelled(rows, "sentiment")])
    return figures


def main() -> None:
    from training.card import write_card

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None, help="write the figures here too")
    parser.add_argument("--card", action="store_true", help="write docs/models/local.md")
    args = parser.parse_args()
    figures = evaluate(args.data, args.cache)
    text = json.dumps(figures, indent=1, sort_keys=True)
    if args.json:
        args.json.write_text(text + "\n", encoding="utf-8")
    print(text)
    if args.card:
        write_card(figures)


if __name__ == "__main__":
    main()
