"""What topics need of the lake, day by day, so that no more than one day's text is ever held.

Lives here: selection of analysed conversations, the text of what the person brought, its vector and its
duplicate signature; the text again for naming. Not here: which embedder (`embedders.py`), what is made of the vectors
(`fitting.py`, `period_topics.py`).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from dagster_project.domain.conversations import Role
from dagster_project.domain.periods import Period
from dagster_project.domain.selection import counted_conversations
from dagster_project.domain.topics.duplicates import Signature, signature
from dagster_project.domain.topics.groups import Vectors, unit
from dagster_project.labelling import analysed_of_day
from dagster_project.storage.lake import Lake

Embed = Callable[[Sequence[str]], Vectors]
"""Texts in, float32 vectors (n, dimension) out; a text's vector must not depend on its neighbours."""

DescribedAs = Callable[[Sequence["Description"]], Vectors]
"""The same for descriptions, which are kept under the content that they describe."""

WINDOW_CHARACTERS = 400
"""The first and, of a talk up to `READ_CHARACTERS`, the last window are the local classifier's own: their vectors are
there."""
MOST_WINDOWS = 4
FIRST_SHARE = np.float32(2 / 3)
"""What the beginning weighs beside all that is read of the rest: it says what the person came with, the rest where that
went. All windows alike lost topics of emotional support, the beginning alone those of long talks (decision 0037)."""
READ_CHARACTERS = 4_000
DESCRIPTION = "topic_description"
"""The facet whose line is embedded where a labeller writes one."""


class Description(NamedTuple):
    """One line about a conversation. content_hash: of the conversation; made_by: labeller and prompt."""

    text: str
    content_hash: str
    made_by: str


@dataclass
class Analysed:
    """Analysed conversations in order of day and pseudonym; lists and rows of one length. vectors: of unit length."""

    keys: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    days: list[date] = field(default_factory=list)
    types: list[tuple[str, ...]] = field(default_factory=list)
    counted: list[bool] = field(default_factory=list)
    signatures: list[Signature] = field(default_factory=list)
    vectors: Vectors = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))


def _brought(lake: Lake, day: date, keys: Collection[str]) -> dict[str, str]:
    """The person's own words by conversation, from the beginning, at most `READ_CHARACTERS`; no entry without any."""
    wanted = pl.DataFrame({"conversation_key": sorted(keys)}, schema={"conversation_key": pl.String})
    human = (
        lake.read("messages", day)
        .filter(pl.col("role") == Role.USER.value)
        .join(wanted, on="conversation_key", how="semi")
        .sort("conversation_key", "message_index")
        .with_columns(pl.col("content").str.slice(0, READ_CHARACTERS))
        .group_by("conversation_key", maintain_order=True)
        .agg(pl.col("content").str.join("\n"))
        .with_columns(pl.col("content").str.slice(0, READ_CHARACTERS))
    )
    return {key: text for key, text in human.iter_rows() if text and text.strip()}


def embedded_windows(human: Sequence[str]) -> tuple[str, ...]:
    """What is embedded of the person's messages, as `read_analysed` does: erasing has to find the vectors."""
    return _windows("\n".join(content[:READ_CHARACTERS] for content in human)[:READ_CHARACTERS])


def _windows(brought: str) -> tuple[str, ...]:
    """The beginning; of what is longer than two windows the end, and what fits between them at even distances."""
    flat = " ".join(brought.split())
    if not flat:
        return ()
    n = min(MOST_WINDOWS, len(flat) // WINDOW_CHARACTERS) if len(flat) > 2 * WINDOW_CHARACTERS else 1
    last = len(flat) - WINDOW_CHARACTERS
    starts = [last * i // (n - 1) for i in range(n)] if n > 1 else [0]
    return tuple(flat[start : start + WINDOW_CHARACTERS] for start in starts)


def pooled(windows: Vectors) -> Vectors:
    """One vector of a conversation's windows, shape (n, dimension): the first weighs `FIRST_SHARE`."""
    whole: Vectors = windows[0]
    if len(windows) > 1:
        whole = FIRST_SHARE * whole + (np.float32(1) - FIRST_SHARE) * windows[1:].mean(axis=0)
    return whole


def embed_windows(embed: Embed, windows: Sequence[Sequence[str]]) -> Vectors:
    """One vector a conversation, not yet of unit length; all windows are asked for at once."""
    vectors = embed([window for own in windows for window in own])
    ends = np.cumsum([len(own) for own in windows])
    return np.stack([pooled(vectors[end - len(own) : end]) for own, end in zip(windows, ends.tolist(), strict=True)])


def _vectors(
    lake: Lake, day: date, texts: dict[str, str], hashes: dict[str, str], embed: Embed, described: DescribedAs | None
) -> Vectors:
    """Vectors by order of texts: of the description where there is one and it is wanted, else of the person's words."""
    lines: dict[str, Description] = {}
    if described is not None:
        rows = lake.read("descriptions", day).filter(pl.col("facet") == DESCRIPTION)
        for key, text, labeller, prompt in rows.select(
            "conversation_key", "text", "labeller", "prompt_hash"
        ).iter_rows():
            if key in texts:
                lines[key] = Description(text, hashes[key], f"{labeller}/{prompt}")
    found: dict[str, Vectors] = {}
    if described is not None and lines:
        found.update(zip(lines, described(list(lines.values())), strict=True))
    if rest := [key for key in texts if key not in found]:
        found.update(zip(rest, embed_windows(embed, [_windows(texts[key]) for key in rest]), strict=True))
    return np.stack([found[key] for key in texts])


def read_analysed(
    lake: Lake,
    period: Period,
    embed: Embed,
    per_user: int,
    days: Sequence[date] | None = None,
    described: DescribedAs | None = None,
) -> Analysed:
    """The analysed conversations of some days (the period's own unless given) that hold any words of the person.

    Counted are those that count in the period; of other days, none. described: embeds the labeller's line about a
    conversation in place of the person's words; a conversation without a line is embedded by the words.
    """
    columns = ("conversation_key", "user_key", "content_hash")
    frames = {day: lake.read("conversations", day).select(columns) for day in (period.days if days is None else days)}
    inside = [frame for day, frame in frames.items() if period.start <= day < period.end]
    counted = counted_conversations(period.key, {k: u for frame in inside for k, u, _ in frame.iter_rows()}, per_user)
    found = Analysed()
    vectors: list[Vectors] = []
    for day, frame in frames.items():
        types = analysed_of_day(lake, day) if len(frame) else {}
        texts = _brought(lake, day, types) if types else {}
        if not texts:
            continue
        users = {key: user for key, user, _ in frame.iter_rows()}
        hashes = {key: content for key, _, content in frame.iter_rows()}
        keys = sorted(texts)
        found.keys += keys
        found.users += [users[key] for key in keys]
        found.days += [day] * len(keys)
        found.types += [types[key] for key in keys]
        found.counted += [key in counted and period.start <= day < period.end for key in keys]
        found.signatures += [signature(texts[key]) for key in keys]
        vectors.append(_vectors(lake, day, {key: texts[key] for key in keys}, hashes, embed, described))
    if vectors:
        found.vectors = unit(np.concatenate(vectors).astype(np.float32))
    return found


def read_texts(lake: Lake, analysed: Analysed, positions: Collection[int]) -> Iterator[tuple[int, str]]:
    """The person's words of some analysed conversations, one day's at a time."""
    by_day: dict[date, dict[str, int]] = {}
    for position in sorted(positions):
        by_day.setdefault(analysed.days[position], {})[analysed.keys[position]] = position
    for day, wanted in by_day.items():
        for key, text in _brought(lake, day, wanted.keys()).items():
            yield wanted[key], text
