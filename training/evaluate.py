"""Agreement of the local classifier with human labels: `python -m training.evaluate --data DIR [--card]`.

Three kinds of figures, never mixed: *in-source* (out-of-fold on rows learnt from), *left out* (the source was not
learnt from at all), *unseen* (rows with use = evaluation, which choose nothing). `--card` writes docs/models/local.md.
The weights are fitted again first, and must come out equal to the shipped ones, byte for byte.
"""

import argparse
import dataclasses
import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dagster_project.classifiers.local.classifier import (
    AFFECTIVE,
    PUSHBACK_KINDS,
    SCREEN_FACETS,
    VALENCES,
    LocalClassifier,
    decide,
)
from dagster_project.classifiers.local.heads import ARRAYS, SHIPPED
from dagster_project.classifiers.local.language import clearly_not_english
from dagster_project.codebook.loader import shipped_codebook
from dagster_project.domain.labels import Answer, Status
from dagster_project.domain.study import SENTIMENT_LEVELS, sentiment_change
from training.agreement import Judged, class_figures, grouped, length_of, roleplay_figures, screen_figures
from training.data import (
    HELD_OUT,
    WEAK,
    Example,
    Row,
    conversation_of,
    emotion_examples,
    evaluation_rows,
    human_text,
    read_rows,
    said_by_person,
    train_rows,
)
from training.fit import Fitted, fit_group, known
from training.measures import binary, expected_calibration_error, macro_f1, spearman, spearman_interval
from training.train import BASE_RATES, HEADS, REGULARISATION, TABLES, CachedVectors, train

Figures = dict[str, Any]


def probabilities(fit: Fitted) -> np.ndarray:
    """Calibrated out-of-fold probabilities, NaN where there is no margin."""
    return 1 / (1 + np.exp(-(fit.heads.slope * fit.margins + fit.heads.intercept)))


def is_judged(example: Example) -> bool:
    """Whether the decision about an example is measured: not of variants, nor where only content creation is known."""
    return not example.variant and example.conversation is not None and AFFECTIVE in example.labels


def judged_examples(examples: Sequence[Example], p: np.ndarray, thresholds: Mapping[str, float]) -> list[Judged]:
    """What the screen decides of examples (`is_judged`) from probabilities (rows, heads)."""
    found = []
    for example, row in zip(examples, p, strict=True):
        if not is_judged(example) or example.conversation is None:
            continue
        decided = decide(dict(zip(HEADS["screen"], row.tolist(), strict=True)), thresholds)
        true = frozenset(h for h, y in example.labels.items() if y and h != AFFECTIVE)
        found.append(
            Judged(
                example.source,
                len(example.conversation.human_messages),
                None if decided is None else frozenset(decided),
                true,
                "content_creation" in example.labels,
            )
        )
    return found


def judged_rows(rows: Sequence[Row], answers: Sequence[dict[str, Answer]], of: str = "source") -> list[Judged]:
    """What the classifier says of labelled rows; `of` names the key that stands for the source."""
    found = []
    for row, answer in zip(rows, answers, strict=True):
        made, types = answer["content_creation"], answer["affective_type"]
        told = made.status is Status.OK and types.status is Status.OK
        labels = row["labels"]
        if isinstance(labels["affective_type"], list):
            true = {*labels["affective_type"], *(["content_creation"] if labels["content_creation"] else [])}
        else:
            true = {labels["affective_type"]} - {"non_affective", "general_roleplay"}
        n_human = sum(m["role"] == "user" for m in row["messages"])
        said = frozenset({*made.categories, *types.categories})
        found.append(
            Judged(
                str(row.get(of, "own, held out")), n_human, said if told else None, frozenset(true),
                labels["affective_type"] != "general_roleplay",
            )
        )  # fmt: skip
    return found


def by_head(examples: Sequence[Example], p: np.ndarray, thresholds: Mapping[str, float]) -> Figures:
    """Each head of the screen over the sources with human or own labels, with its calibration error."""
    labelled = np.array([e.source not in WEAK and not e.variant for e in examples])
    figures: Figures = {}
    for i, head in enumerate(HEADS["screen"]):
        here = labelled & known(examples, head)
        y = [e.labels[head] for e, h in zip(examples, here, strict=True) if h]
        figures[head] = binary(p[here, i] >= thresholds[head], y) | {
            "calibration_error": expected_calibration_error(p[here, i], y)
        }
    return figures


def screen_by_source(judged: Sequence[Judged]) -> Figures:
    return {source: screen_figures(some) for source, some in grouped(judged, lambda j: j.source).items()}


def of_dev_rows(judged: Sequence[Judged], examples: Sequence[Example], data: Path) -> list[Judged]:
    """Those out-of-fold decisions that are about rows of the dev file."""
    texts = {human_text(r) for r in train_rows(data / "dev" / "affective_type.jsonl.gz")}
    kept = [e for e in examples if is_judged(e)]
    return [
        j
        for j, e in zip(judged, kept, strict=True)
        if e.source != "own" and e.conversation and said_by_person(e.conversation) in texts
    ]


def gate_figures(fitted: tuple[Sequence[Example], Fitted]) -> Figures:
    """What the cheap look would lose of single messages, out of fold, and what it spares."""
    examples, fit = fitted
    p = probabilities(fit)[:, 0]
    told = np.array([not e.variant and len(e.conversation.human_messages) == 1 for e in examples if e.conversation])
    passed = p < fit.heads.threshold[0]
    y = np.array([bool(e.labels["any"]) for e in examples])
    return {
        "n": int(told.sum()),
        "missed": round(float(passed[told & y].mean()), 4),
        "spared": round(float(passed[told & ~y].mean()), 3),
    }


def named_by_model(examples: Sequence[Example], data: Path) -> list[Example]:
    """The same examples; those of XSTest with the model that answered in their source's name."""
    model_of = {
        (r["messages"][0]["content"][:200], r["messages"][1]["content"][:200]): r["conversation_id"].split(":")[1]
        for r in train_rows(data / "dev" / "pushback.jsonl.gz")
        if r["source"] == "xstest-v2"
    }

    def named(e: Example) -> Example:
        # A turn is cut to its edges: the whole answer begins as it does.
        if e.source != "xstest-v2" or e.turn is None:
            return e
        return dataclasses.replace(e, source=f"xstest-v2 {model_of[e.turn.before[:200], e.turn.text[:200]]}")

    return [named(e) for e in examples]


def left_out_models(examples: Sequence[Example], vectors: CachedVectors, data: Path) -> Figures:
    """Pushback in XSTest, each answering model left out in turn."""
    known_models = named_by_model(examples, data)
    figures: Figures = {}
    for source in sorted({e.source for e in known_models if e.source.startswith("xstest-v2 ")}):
        tested, p, rest = left_out("pushback", known_models, vectors, source)
        figures[source.split(" ")[1]] = binary(p[:, 0] >= rest.heads.threshold[0], [e.labels["any"] for e in tested])
    return figures


def other_languages(rows: Sequence[Row], answers: Sequence[dict[str, Answer]]) -> Figures:
    """Held-out talks in other languages: told or not, content creation, types guessed."""
    judged = judged_rows(rows, answers, of="language")
    foreign = [j for j in judged if j.source != "mixed"]
    return {
        "n": len(foreign),
        "could_not_tell": sum(j.said is None for j in foreign),
        "content_creation": binary(
            [j.has("content_creation", True) for j in foreign], [j.has("content_creation", False) for j in foreign]
        ),
        "types_said": sum(j.is_affective(True) for j in foreign),
        "mixed": screen_figures([j for j in judged if j.source == "mixed"]),
    }


def emotion_figures(data: Path, classifier: LocalClassifier) -> Figures:
    """GoEmotions' dev part, which nothing was learnt from."""
    examples = [e for e in emotion_examples(data, "dev") if e.text.strip()]
    facet = shipped_codebook()["sentiment"]
    rows: list[Row] = [{"messages": [{"role": "user", "content": e.text}]} for e in examples]
    said = classifier.classify([facet], [conversation_of(r) for r in rows])
    told = [_valence(a.answers["sentiment"].categories[0] if a.answers["sentiment"].values else None) for a in said]
    true = [next(v for v in VALENCES if e.labels[v]) for e in examples]
    return {"n": len(true), "macro_f1": macro_f1(told, true)}


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
    by["uss, all"] = [pair for s, v in by.items() if s.startswith("uss-") for pair in v]
    return {s: {"n": len(v)} | spearman_interval(*zip(*v, strict=True)) for s, v in sorted(by.items())}


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
    out_of_fold = judged_examples(examples, probabilities(fit), fit.heads.thresholds)
    figures["in_source"]["screen"] = {
        "by_source": screen_by_source(out_of_fold),
        "by_head": by_head(examples, probabilities(fit), fit.heads.thresholds),
    }
    figures["gate"] = gate_figures(fitted["screen_gate"])
    for source in ("own", "counsel-chat", "arena-hard-v2", "byu-chitchat"):
        tested, p, rest = left_out("screen", examples, vectors, source)
        figures["left_out"].setdefault("screen", {})[source] = screen_figures(
            judged_examples(tested, p, rest.heads.thresholds)
        )
    examples, fit = fitted["pushback"]
    figures["in_source"]["pushback"] = {
        s: pushback_figures(examples, fit, s) for s in sorted({e.source for e in examples})
    }
    tested, p, rest = left_out("pushback", examples, vectors, "xstest-v2")
    figures["left_out"]["pushback"] = {
        "xstest-v2": binary(p[:, 0] >= rest.heads.threshold[0], [e.labels["any"] for e in tested])
    }
    figures["left_out"]["answering_model"] = left_out_models(examples, vectors, data)
    examples, fit = fitted["sentiment"]
    figures["in_source"]["sentiment"] = {s: sentiment_figures(examples, fit, s) for s in ("goemotions", "own")}
    book = shipped_codebook()

    def labelled(rows: Sequence[Row], *facets: str) -> list[dict[str, Answer]]:
        said = classifier.classify([book[f] for f in facets], [conversation_of(r) for r in rows])
        return [dict(one.answers) for one in said]

    rows = evaluation_rows(data / "dev" / "affective_type.jsonl.gz")
    unseen = judged_rows(rows, labelled(rows, *SCREEN_FACETS))
    figures["unseen"]["screen"] = {
        "by_source": screen_by_source(unseen),
        "classes": class_figures(unseen),
        "all": screen_figures(unseen),
    }
    every_dev = [*of_dev_rows(out_of_fold, fitted["screen"][0], data), *unseen]
    foreign = [r for r in train_rows(data / "dev" / "affective_type.jsonl.gz") if clearly_not_english(human_text(r))]
    # Rows in other languages are not among the examples of the screen; their own head learnt from most of them.
    every_dev += judged_rows(foreign, labelled(foreign, *SCREEN_FACETS))
    figures["dev"] = {"classes": class_figures(every_dev), "all": screen_figures(every_dev)}
    rows = read_rows(HELD_OUT / "conversations.jsonl")
    held_out = judged_rows(rows, labelled(rows, *SCREEN_FACETS))
    figures["held_out"] = {
        "classes": class_figures(held_out),
        "all": screen_figures(held_out),
        "roleplay": roleplay_figures(held_out),
    }
    figures["by_length"] = {
        length: screen_figures(some) for length, some in grouped([*unseen, *held_out], length_of).items()
    }
    rows = read_rows(HELD_OUT / "other_languages.jsonl")
    figures["other_languages"] = other_languages(rows, labelled(rows, *SCREEN_FACETS))
    figures["unseen"]["emotions"] = emotion_figures(data, classifier)
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
