"""Holding a frame to its contract, and saying what is broken by check and count: never by value.

Lives here: `check`, `require`, the findings and the error. Pandera's own messages carry values (PRIVACY.md), so
none of them leaves this module. Not here: what each table must hold (`conversations.py`, `messages.py`,
`labels.py`, `screening.py`, `descriptions.py`, `topics.py`, `coding.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl


@dataclass(frozen=True, slots=True)
class Finding:
    """One check that failed: `column: check`, and how many rows fail it."""

    check: str
    n_rows: int


@dataclass(frozen=True)
class Context:
    """What a contract needs to know beside the frame; what is None is not checked.

    day: the UTC day that all starts must lie in. facets: category ids by facet id, as the codebook has them.
    affective_types: the types that topics may have. conversations: the day's conversations, for messages.
    """

    day: date | None = None
    facets: Mapping[str, Sequence[str]] | None = None
    affective_types: Sequence[str] | None = None
    conversations: pl.DataFrame | None = field(default=None, repr=False)


class ContractBroken(Exception):
    """A frame breaks its contract. The text has the table, the checks and counts of rows, never a value."""

    def __init__(self, table: str, findings: Sequence[Finding]) -> None:
        told = "; ".join(f"{finding.check} ({finding.n_rows:,} rows)" for finding in findings)
        super().__init__(f"{table} breaks its contract: {told}")
        self.table = table
        self.findings = tuple(findings)


class ContractUncheckable(Exception):
    """The checking itself failed; the text names the kind of error alone."""


def check(
    table: str,
    frame: pl.DataFrame,
    *,
    day: date | None = None,
    facets: Mapping[str, Sequence[str]] | None = None,
    affective_types: Sequence[str] | None = None,
    conversations: pl.DataFrame | None = None,
) -> list[Finding]:
    """The checks of a table's contract that the frame fails, none when it holds.

    Columns and types are checked first; rows only where these are right. Raises KeyError on a table without a
    contract, TypeError on a lazy frame (of which Pandera checks types alone), ContractUncheckable when a check
    cannot be run.
    """
    contract = _contracts()[table]
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("a contract is checked on an eager frame")
    try:
        schema = contract(Context(day, facets, affective_types, conversations))
        return _structure(schema, frame) or _rows(schema, frame)
    except Exception as error:
        foreign = type(error).__name__
    # Raised outside the handler: as __context__ the foreign error would carry its values along.
    raise ContractUncheckable(f"the contract of {table} could not be checked: {foreign}")


def require(table: str, frame: pl.DataFrame, **context: Any) -> None:
    """Raise ContractBroken unless the frame holds its contract. `context` as `check` takes it."""
    findings = check(table, frame, **context)
    if findings:
        raise ContractBroken(table, findings)


def tables() -> tuple[str, ...]:
    """The tables that have a contract."""
    return tuple(_contracts())


def _contracts() -> dict[str, Callable[[Context], Any]]:
    from expectations.frames import coding, conversations, descriptions, labels, messages, screening, topics

    return {
        "conversations": conversations.contract,
        "messages": messages.contract,
        "screen_labels": labels.contract,
        "detail_labels": labels.contract,
        "screening": screening.contract,
        "descriptions": descriptions.contract,
        "topic_assignments": topics.assignments_contract,
        "topics": topics.topics_contract,
        "human_samples": coding.samples_contract,
        "coder_answers": coding.answers_contract,
        "human_labels": coding.labels_contract,
    }


def _structure(schema: Any, frame: pl.DataFrame) -> list[Finding]:
    wanted = {name: column.dtype.type for name, column in schema.columns.items()}
    missing = [Finding(f"{name}: column_missing", frame.height) for name in wanted if name not in frame.columns]
    wrong = [
        Finding(f"{name}: wrong_type", frame.height)
        for name, kind in wanted.items()
        if name in frame.columns and frame.schema[name] != kind
    ]
    # The name of a column that should not be there may itself be a value: it is counted, not told.
    unexpected = len(set(frame.columns) - set(wanted))
    return missing + wrong + ([Finding("unexpected_column", frame.height)] if unexpected else [])


def _rows(schema: Any, frame: pl.DataFrame) -> list[Finding]:
    from pandera.errors import SchemaErrors

    failed: list[Finding] = []
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        counted = errors.failure_cases.group_by("column", "check", maintain_order=True).agg(
            pl.col("index").n_unique().alias("n_rows")
        )
        failed = [
            Finding(f"{column}: {name}" if column else name, n_rows)
            for column, name, n_rows in counted.sort("column", "check").iter_rows()
        ]
    return failed
