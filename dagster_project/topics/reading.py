"""What topics need of the lake, day by day, so that no more than one day's text is ever held.

Lives here: selection of analysed conversations, the text of what the person brought, its vector and its
duplicate signature; the text again for naming. Not here: what is made of them (`fitting.py`, `period_topics.py`).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

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

EMBEDDED_CHARACTERS = 400
"""The first words of the person, as the local classifier's first window: the cached vector serves both."""
READ_CHARACTERS = 4_000


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


def embedded_text(human: Sequence[str]) -> str:
    """What is embedded of the person's messages, as `read_analysed` does: erasing has to find its vector."""
    return _embedded("\n".join(content[:READ_CHARACTERS] for content in human)[:READ_CHARACTERS])


def _embedded(brought: str) -> str:
    return " ".join(brought.split())[:EMBEDDED_CHARACTERS]


def read_analysed(
    lake: Lake, period: Period, embed: Embed, per_user: int, days: Sequence[date] | None = None
) -> Analysed:
    """The analysed conversations of some days (the period's own unless given) that hold any words of the person.

    Counted are those that count in the period; of other days, none.
    """
    columns = ("conversation_key", "user_key")
    frames = {day: lake.read("conversations", day).select(columns) for day in (period.days if days is None else days)}
    inside = [frame for day, frame in frames.items() if period.start <= day < period.end]
    counted = counted_conversations(period.key, {k: u for frame in inside for k, u in frame.iter_rows()}, per_user)
    found = Analysed()
    vectors: list[Vectors] = []
    for day, frame in frames.items():
        types = analysed_of_day(lake, day) if len(frame) else {}
        texts = _brought(lake, day, types) if types else {}
        if not texts:
            continue
        users = dict(frame.iter_rows())
        keys = sorted(texts)
        found.keys += keys
        found.users += [users[key] for key in keys]
        found.days += [day] * len(keys)
        found.types += [types[key] for key in keys]
        found.counted += [key in counted and period.start <= day < period.end for key in keys]
        found.signatures += [signature(texts[key]) for key in keys]
        vectors.append(embed([_embedded(texts[key]) for key in keys]))
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
