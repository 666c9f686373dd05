"""What limits the figures that fall short: `python -m training.limits --data DIR [--cache DIR]`, a line a measurement.

Two questions of each. *More of the same*: the heads are fitted on an eighth, a quarter, half and all of the groups of
examples; a curve that is flat at its end says that more such examples would not help. *The features themselves*: the
same features and heads, fitted and tested by folds within the very source that is measured; where that is no better, it
is not for want of examples like it. Chooses nothing. `--page` writes docs/models/limits.md. Not here: the figures of
the card (`evaluate.py`).
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np

from dagster_project.classifiers.local.classifier import VALENCES
from dagster_project.classifiers.local.embedder import MiniLM
from training.data import (
    Example,
    evaluation_rows,
    pushback_examples,
    screen_examples,
    screen_labels,
    sentiment_examples,
)
from training.data import conversation_of as conversation
from training.evaluate import named_by_model, probabilities
from training.fit import Table, fit_group
from training.measures import binary, macro_f1
from training.train import BASE_RATES, REGULARISATION, TABLES, CachedVectors

SHARES = (0.125, 0.25, 0.5, 1.0)


def share_of(examples: Sequence[Example], share: float) -> list[Example]:
    """The examples of a fixed share of the groups: a larger share holds every smaller one."""
    return [e for e in examples if crc32(b"share" + e.group.encode("utf-8", "replace")) % 1000 < 1000 * share]


def beside(
    group: str, names: Sequence[str], learnt: Sequence[Example], tested: Sequence[Example], vectors: CachedVectors
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (tested, names) of a group's heads fitted on other examples, and the heads' thresholds."""
    table = TABLES[group]([*learnt, *tested], vectors)
    fit = fit_group(
        names,
        learnt,
        Table(table.matrix[: len(learnt)], table.idf, table.n_dense),
        REGULARISATION[group],
        base_rate=BASE_RATES.get(group),
    )
    margins = table.matrix[len(learnt) :] @ np.vstack([fit.heads.grams, fit.heads.dense]) + fit.heads.bias
    return 1 / (1 + np.exp(-(fit.heads.slope * margins + fit.heads.intercept))), fit.heads.threshold


def content_creation(data: Path, vectors: CachedVectors) -> Iterator[str]:
    """Of the sources with people's labels of it: a fifth of their groups is kept out and tested."""
    examples = screen_examples(data)
    held = {"arena-hard-v2", "mt_bench"}
    for share in SHARES:
        said: list[bool] = []
        true: list[int] = []
        for fold in range(5):
            away = [e for e in examples if e.source in held and crc32(e.group.encode()) % 5 == fold]
            tested = [e for e in away if not e.variant and "content_creation" in e.labels]
            learnt = share_of([e for e in examples if e.group not in {a.group for a in away}], share)
            p, threshold = beside("screen", ["content_creation"], learnt, tested, vectors)
            said += (p[:, 0] >= threshold[0]).tolist()
            true += [e.labels["content_creation"] for e in tested]
        f1 = binary(said, true)["f1"]
        yield f"content creation, Arena-Hard and MT-Bench, {share:.1%} of the examples: F1 {f1} (n = {len(true)})"


def refusals(data: Path, vectors: CachedVectors) -> Iterator[str]:
    """Of the answering model of XSTest that is told worst when it is left out."""
    examples = named_by_model(pushback_examples(data), data)
    models = sorted({e.source for e in examples if e.source.startswith("xstest-v2 ")})
    for share in SHARES:
        found = {}
        for model in models:
            rest = share_of([e for e in examples if e.source != model], share)
            tested = [e for e in examples if e.source == model]
            p, threshold = beside("pushback", ["any"], rest, tested, vectors)
            found[model] = binary(p[:, 0] >= threshold[0], [e.labels["any"] for e in tested])["f1"]
        worst = min(found, key=lambda m: found[m])
        told = ", ".join(f"{m.split(' ')[1]} {f1}" for m, f1 in found.items())
        named = worst.split(" ")[1]
        yield f"pushback, an answering model left out, {share:.1%} of the examples: worst {named}; F1 {told}"
    within = [e for e in examples if e.source.startswith("xstest-v2 ")]
    fit = fit_group(["any"], within, TABLES["pushback"](within, vectors), REGULARISATION["pushback"])
    p = probabilities(fit)[:, 0] >= fit.heads.threshold[0]
    for model in models:
        here = np.array([e.source == model for e in within])
        f1 = binary(p[here], [e.labels["any"] for e in within if e.source == model])["f1"]
        yield f"pushback, XSTest by folds, {model.split(' ')[1]}: F1 {f1}"


def sentiment(data: Path, vectors: CachedVectors) -> Iterator[str]:
    """Of EmoContext and MELD: by examples from elsewhere, and by folds within."""
    examples = sentiment_examples(data)
    tested = list(messages_of(data))
    sources = sorted({e.source for e in tested})
    true = np.array([next(v for v in VALENCES if e.labels[v]) for e in tested])
    of = np.array([e.source for e in tested])
    for share in SHARES:
        p, _ = beside("sentiment", VALENCES, share_of(examples, share), tested, vectors)
        said = np.array(VALENCES)[p.argmax(axis=1)]
        told = ", ".join(f"{s} {macro_f1(said[of == s].tolist(), true[of == s].tolist())}" for s in sources)
        yield f"sentiment, {share:.1%} of the examples: macro F1 {told}"
    for source in sources:
        own = [e for e in tested if e.source == source]
        fit = fit_group(VALENCES, own, TABLES["sentiment"](own, vectors), REGULARISATION["sentiment"], choose="half")
        said = np.array(VALENCES)[probabilities(fit).argmax(axis=1)]
        f1 = macro_f1(said.tolist(), true[of == source].tolist())
        yield f"sentiment, {source} by folds within itself: macro F1 {f1} (n = {len(own)})"


def messages_of(data: Path) -> Iterator[Example]:
    """The messages whose valence people judged in three classes, as they would be read one by one."""
    for row in evaluation_rows(data / "dev" / "sentiment_messages.jsonl.gz"):
        labels, messages = row["labels"], row["messages"]
        human = [i for i, m in enumerate(messages) if m["role"] == "user"]
        if labels["task"] == "last_user_message":
            judged = [(human[-1], float(labels["valence"]))]
        else:
            where = range(len(messages)) if len(labels["per_message"]) == len(messages) else human
            number = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}
            pairs = zip(where, labels["per_message"], strict=False)
            judged = [(i, number[v]) for i, v in pairs if isinstance(v, str) and i in human]
        for i, value in judged:
            valence = "positive" if value > 0 else "negative" if value < 0 else "neutral"
            heads = {v: int(v == valence) for v in VALENCES}
            group = f"{row['conversation_id']}"
            yield Example(row["source"], group, heads, 1.0, text=messages[i]["content"])


def types_unseen(data: Path, vectors: CachedVectors) -> Iterator[str]:
    """Of the sources that gave no training row: affective or not."""
    rows = evaluation_rows(data / "dev" / "affective_type.jsonl.gz")
    tested = [
        Example(r["source"], r["conversation_id"], screen_labels(r["labels"]["affective_type"]), 1.0, conversation(r))
        for r in rows
    ]
    examples = screen_examples(data)
    for share in SHARES:
        p, threshold = beside("screen", ["affective"], share_of(examples, share), tested, vectors)
        said = p[:, 0] >= threshold[0]
        told = []
        for source in sorted({e.source for e in tested}):
            here = np.array([e.source == source for e in tested])
            true = np.array([e.labels["affective"] for e in tested if e.source == source])
            told.append(f"{source} {float((said[here] == true).mean()):.3f}")
        yield f"affective or not, sources that gave no row, {share:.1%} of the examples: accuracy {', '.join(told)}"


PAGE = Path(__file__).parents[1] / "docs" / "models" / "limits.md"
HEAD = """\
<!-- Written by `python -m training.limits --data DIR --page`: change training/limits.py, not this page. -->
# What limits the `local` classifier

Beside the [model card](local.md). For the figures that fall short, two questions. *Would more of the same examples
help?* The heads are fitted on an eighth, a quarter, half and all of the groups of examples: a curve that is flat at its
end says no. *Do the features hold it at all?* The same features and heads, fitted and tested by folds within the very
source that is measured: where that is no better, it is not for want of examples like it; where it is, people of another
kind of log say it in other words than those learnt from. Nothing was chosen by these figures.
"""

MEASUREMENTS: tuple[Callable[[Path, CachedVectors], Iterator[str]], ...] = (
    content_creation,
    types_unseen,
    refusals,
    sentiment,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--page", action="store_true", help="write docs/models/limits.md")
    args = parser.parse_args()
    vectors = CachedVectors(MiniLM(), args.cache)
    parts = [HEAD]
    for measure in MEASUREMENTS:
        lines = []
        for line in measure(args.data, vectors):
            print(line, flush=True)
            lines.append(f"- {line}\n")
        parts.append("".join(lines))
    if args.page:
        PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
