"""The truth of the demo world, saved beside its files: what a perfect labeller would say of each conversation.

Lives here: its schema, and reading and writing it. Not here: how it compares with a release (`compare.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from dagster_project.demo.script import Script
from dagster_project.domain.conversations import Role

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "conversation_id": pl.String,
    "day": pl.Date,
    "user_id": pl.String,
    "is_content_creation": pl.Boolean,
    "affective_types": pl.List(pl.String),
    "topic": pl.String,
    "topics": pl.List(pl.String),
    "pushback": pl.List(pl.Struct({"kind": pl.String, "message_index": pl.Int32, "assistant_turn": pl.Int32})),
    "sentiment": pl.List(pl.String),
    "n_human_messages": pl.Int32,
    "n_assistant_messages": pl.Int32,
    "scenario": pl.String,
}
"""One row a conversation as it stands after everything is ingested.

affective_types: as talked, before the study's rule that roleplay needs four human messages. topic: that of the
first type; topics: side by side with affective_types. message_index: position in the conversation, system and tool
messages counted; assistant_turn: among the assistant's messages, from 0. sentiment: one level a human message.
"""


@dataclass(frozen=True, slots=True)
class Truth:
    """One row of the truth."""

    conversation_id: str
    day: date
    user_id: str | None
    script: Script

    def row(self) -> dict[str, object]:
        """The row, by the schema's names."""
        turns = self.script.turns
        events, n_assistant = [], 0
        for index, turn in enumerate(turns):
            if turn.role is Role.ASSISTANT:
                if turn.pushback is not None:
                    events.append({"kind": turn.pushback, "message_index": index, "assistant_turn": n_assistant})
                n_assistant += 1
        sentiment = [turn.level for turn in turns if turn.role is Role.USER]
        return {
            "conversation_id": self.conversation_id,
            "day": self.day,
            "user_id": self.user_id,
            "is_content_creation": self.script.content_creation,
            "affective_types": list(self.script.types),
            "topic": self.script.topics[0],
            "topics": list(self.script.topics[: len(self.script.types)]),
            "pushback": events,
            "sentiment": sentiment,
            "n_human_messages": len(sentiment),
            "n_assistant_messages": n_assistant,
            "scenario": self.script.scenario,
        }


def write_truth(path: Path, truths: Iterable[Truth]) -> None:
    """Write the truth, ordered by conversation id; equal truths give equal bytes."""
    frame = pl.DataFrame([t.row() for t in truths], schema=SCHEMA).sort("conversation_id")
    frame.write_parquet(path, compression="zstd", statistics=False)


def read_truth(path: Path) -> pl.DataFrame:
    """The truth as saved. Raises polars' SchemaError where a column is missing."""
    return pl.read_parquet(path).select(list(SCHEMA))
