"""Features of a text: hashed word n-grams and a few counts of structure.

The hash is zlib.crc32 into a fixed table: stable over machines and versions, no vocabulary to ship, nothing pickled.
Weights of terms: 1 + log(count), times an inverse document frequency learnt in training, L2-normalised block by block:
what is asked in the first words of a long text is not outweighed by the text. Not here: embeddings (`embedder.py`), the
heads that weigh the features (`heads.py`), training (`training/`).
"""

import math
import re
from collections.abc import Iterable
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from dagster_project.classifiers.local.reading import ScreenView, Turn

FEATURES_VERSION = 2
TABLE_BITS = 16
TABLE_SIZE = 1 << TABLE_BITS

Sparse = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Column numbers and weights before the inverse document frequency."""

Blocks = tuple[tuple[float, Sparse], ...]
"""Parts of a text, each with the length that its terms are scaled to."""

OPENING_WEIGHT = 0.7
GATE_CHARACTERS = 400

_TOKEN = re.compile(
    r"[a-z]+(?:'[a-z]+)?|\d+|[!?]+|\*+|[:;=8x]-?'?[()\[\]dpo/\\|*]+|<3|[\U0001F300-\U0001FAFF\u2600-\u27BF]|[^\W\d_a-z]+"
)
_ANY_WORD = re.compile(r"[^\W\d_]+")
_LONG_DRAWN = re.compile(r"([a-z])\1{2,}")
_ACTION = re.compile(r"\*[^*\n]{2,120}\*")
_CODE = re.compile(r"[{}<>;=\\|_\[\]`$]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FIRST_PERSON = _words("i i'm im i've i'd i'll me my mine myself we our us")
_SECOND_PERSON = _words("you your you're youre u ur yourself you've you'd you'll")
_THIRD_PERSON = _words("he she him her his hers they them their he's she's they're")
_MAKING = _words(
    "write generate create compose draft make translate rewrite rephrase summarize summarise paraphrase edit continue "
    "design outline script caption proofread"
)


def tokens(text: str) -> list[str]:
    """Lower-case words, numbers as one token, runs of ! and ?, emoticons, emoji; letters drawn out cut to two."""
    lowered = _LONG_DRAWN.sub(r"\1\1", text.lower().replace("’", "'"))
    return ["0" if t[0].isdigit() else t[:24] for t in _TOKEN.findall(lowered)]


def word_grams(words: list[str], prefix: str = "", up_to: int = 2) -> Iterable[str]:
    """Word n-grams of 1 … `up_to` words."""
    for n in range(1, up_to + 1):
        for i in range(len(words) - n + 1):
            yield prefix + " ".join(words[i : i + n])


def hashed(grams: Iterable[str]) -> Sparse:
    """Counts by column, as 1 + log(count); columns ascending."""
    counts: dict[int, int] = {}
    for gram in grams:
        column = crc32(gram.encode("utf-8", "replace")) & (TABLE_SIZE - 1)
        counts[column] = counts.get(column, 0) + 1
    columns = sorted(counts)
    return (
        np.array(columns, dtype=np.int64),
        np.array([1.0 + math.log(counts[c]) for c in columns], dtype=np.float32),
    )


def weighted(blocks: Blocks, idf: NDArray[np.float32]) -> Sparse:
    """Apply the inverse document frequency and scale each block to its length; a column may come more than once."""
    columns = np.concatenate([c for _, (c, _) in blocks])
    parts = []
    for scale, (at, values) in blocks:
        known = values * idf[at]
        length = float(np.linalg.norm(known))
        parts.append(known * (scale / length) if length else known)
    return columns, np.concatenate(parts).astype(np.float32)


def screen_grams(view: ScreenView) -> Blocks:
    """Words and pairs of the person's text; beside it the opening words, for what is asked first."""
    opening = tokens(view.text[:160])[:12]
    return (1.0, hashed(word_grams(tokens(view.text)))), (OPENING_WEIGHT, hashed(word_grams(opening, "^")))


def gate_grams(view: ScreenView) -> Blocks:
    """Words and pairs of the beginning: what a look at thousands of conversations a second can afford."""
    return ((1.0, hashed(word_grams(tokens(view.text[:GATE_CHARACTERS])))),)


def other_language_grams(view: ScreenView) -> Blocks:
    """Of text in any script: words and the letters inside them, single signs and pairs where no spaces part words."""
    text = view.text.lower()
    return (1.0, hashed(_any_script(text))), (OPENING_WEIGHT, hashed(_any_script(text[:80], "^")))


def _any_script(text: str, prefix: str = "") -> Iterable[str]:
    for word in _ANY_WORD.findall(text):
        if word[0] >= "\u2e80":
            yield from (prefix + word[i : i + n] for n in (1, 2) for i in range(len(word) - n + 1))
        else:
            yield prefix + word
            yield from (f"{prefix}#{part[i : i + 4]}" for part in (f"<{word}>",) for i in range(max(1, len(part) - 3)))


def turn_grams(turn: Turn) -> Blocks:
    """The turn's words up to triples, its opening once more, and single words of what it answers."""
    words = tokens(turn.text)
    opening = words[:16]
    before = tokens(turn.before)
    return ((1.0, hashed([*word_grams(words, "", 3), *word_grams(opening, "^", 3), *word_grams(before, "u:", 1)])),)


def message_grams(text: str) -> Blocks:
    """Words, pairs and triples of one message, and the letters inside words (spelling in chat is loose)."""
    words = tokens(text)
    inside = (f"#{padded[i : i + 4]}" for w in words for padded in (f"<{w}>",) for i in range(max(1, len(padded) - 3)))
    return ((1.0, hashed([*word_grams(words, "", 3), *inside])),)


def _share(count: int, of: int) -> float:
    return count / of if of else 0.0


def screen_structure(view: ScreenView) -> NDArray[np.float32]:
    """Counts of structure, each scaled to about [0, 1]: shape (STRUCTURE_SIZE,).

    The number of messages saturates at six: sources differ in it, and beyond that it would tell the source.
    """
    words = tokens(view.text)
    n_words = len(words)
    chars = len(view.text)
    messages = view.messages or ("",)
    return np.array(
        [
            math.log1p(min(view.n_messages, 6)) / math.log(7),
            float(view.n_messages >= 4),
            min(1.0, math.log1p(_share(chars, len(messages))) / 8),
            min(1.0, math.log1p(chars) / 9),
            _share(sum("?" in m for m in messages), len(messages)),
            _share(sum("!" in m for m in messages), len(messages)),
            min(1.0, 5 * _share(sum(w in _FIRST_PERSON for w in words), n_words)),
            min(1.0, 5 * _share(sum(w in _SECOND_PERSON for w in words), n_words)),
            min(1.0, 5 * _share(sum(w in _THIRD_PERSON for w in words), n_words)),
            float(any(w in _MAKING for w in words[:8])),
            min(1.0, 10 * _share(len(_CODE.findall(view.text)), chars)),
            min(1.0, 10 * _share(sum(ch.isdigit() for ch in view.text), chars)),
            min(1.0, 20 * _share(view.text.count("\n"), chars)),
            min(1.0, _share(len(_ACTION.findall(view.text)), len(messages))),
            min(1.0, len(_ACTION.findall(view.assistant)) / 4),
        ],
        dtype=np.float32,
    )


STRUCTURE_SIZE = 15


def message_structure(text: str) -> NDArray[np.float32]:
    """Tone marks of one message: shape (MESSAGE_STRUCTURE_SIZE,)."""
    letters = [ch for ch in text if ch.isalpha()]
    return np.array(
        [
            min(1.0, text.count("!") / 3),
            min(1.0, text.count("?") / 2),
            min(1.0, len(text) / 300),
            _share(sum(ch.isupper() for ch in letters), len(letters)) if len(letters) > 5 else 0.0,
            float("..." in text or "…" in text),
        ],
        dtype=np.float32,
    )


MESSAGE_STRUCTURE_SIZE = 5


def turn_structure(turn: Turn) -> NDArray[np.float32]:
    """Length and questions of one turn of the assistant: shape (TURN_STRUCTURE_SIZE,)."""
    sentences = max(1, turn.text.count(".") + turn.text.count("!") + turn.text.count("?"))
    return np.array(
        [
            min(1.0, math.log1p(len(turn.text)) / 7),
            min(1.0, turn.text.count("?") / sentences),
            float(turn.text.rstrip().endswith("?")),
            min(1.0, turn.text.count("\n") / 8),
        ],
        dtype=np.float32,
    )


TURN_STRUCTURE_SIZE = 4
