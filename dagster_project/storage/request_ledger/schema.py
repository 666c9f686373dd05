"""The ledger's tables. None holds a word of a conversation or of a reply.

Not here: the answers (`storage/answers.py`), what is done with the rows.
"""

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from dagster_project.storage.database import UtcTime

VERSION = "1"
METADATA = MetaData()


class State(StrEnum):
    """Where one attempt stands. `intended` and `batched` are open: nobody else may ask the same."""

    INTENDED = "intended"
    """Its owner will send it, or has, outside any batch."""
    BATCHED = "batched"
    """In a batch that may exist at the provider: only its results, or their lack, close it."""
    DONE = "done"
    FAILED = "failed"
    """Came to nothing: the same may be asked again."""
    ERASED = "erased"
    """Its content was erased: what it cost is all that is still taken in."""


class BatchState(StrEnum):
    """Where a batch stands. `void` never came to be; the others run from left to right."""

    INTENDED = "intended"
    SUBMITTED = "submitted"
    SAVED = "saved"
    DELETED = "deleted"
    VOID = "void"


OPEN = text("state IN ('intended', 'batched')")
"""Written out, not bound: only so does SQLite see that the partial indexes below serve."""
BATCHED = text("state = 'batched'")

ABOUT = Table(
    "about",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("value", String(128), nullable=False),
)

WORKERS = Table(
    "workers",
    METADATA,
    Column("owner", String(32), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", String(64)),
    Column("heartbeat_at", UtcTime, nullable=False),
)

ASKS = Table(
    "asks",
    METADATA,
    Column("hash", String(64), primary_key=True),
    Column("body", Text, nullable=False),
    Column("parts", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

REQUESTS = Table(
    "requests",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("content_hash", String(64), nullable=False),
    Column("ask_hash", String(64), nullable=False),
    Column("model", String(128), nullable=False),
    Column("stage", String(32), nullable=False),
    Column("transport", String(16), nullable=False),
    Column("day", Date, nullable=False),
    Column("state", String(16), nullable=False),
    Column("owner", String(32)),
    Column("batch_id", String(32)),
    Column("attempt", Integer, nullable=False),
    Column("answered", Integer, nullable=False),
    Column("positions", Text),
    Column("est_input_tokens", Integer, nullable=False),
    Column("est_usd", Float, nullable=False),
    Column("input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("cache_write_tokens", Integer),
    Column("cache_read_tokens", Integer),
    Column("usd", Float, nullable=False),
    Column("outcome", String(32)),
    Column("settled_by", String(64)),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)
_C = REQUESTS.c
Index(
    "requests_open_once",
    _C.content_hash,
    _C.ask_hash,
    _C.model,
    unique=True,
    sqlite_where=OPEN,
    postgresql_where=OPEN,
)
Index("requests_open_by_owner", _C.owner, _C.state, _C.est_usd, sqlite_where=OPEN, postgresql_where=OPEN)
Index("requests_by_content", _C.content_hash, _C.ask_hash, _C.model)
Index("requests_batched", _C.batch_id, _C.id, sqlite_where=BATCHED, postgresql_where=BATCHED)

BATCHES = Table(
    "batches",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("provider_id", String(128)),
    Column("state", String(16), nullable=False, index=True),
    Column("owner", String(32), nullable=False),
    Column("n_requests", Integer, nullable=False),
    Column("n_bytes", BigInteger, nullable=False),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("intended_at", UtcTime, nullable=False),
    Column("submitted_at", UtcTime),
    Column("closed_at", UtcTime),
)

SPENDING = Table(
    "spending",
    METADATA,
    Column("settled_by", String(64), primary_key=True),
    Column("hour", UtcTime, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("stage", String(32), primary_key=True),
    Column("model", String(128), primary_key=True),
    Column("transport", String(16), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("cache_read_tokens", BigInteger, nullable=False),
    Column("usd", Float, nullable=False),
)
"""Kept in step with the requests, so that what was spent is known without reading them all."""

PACE = Table(
    "pace",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("next_request", Float(53), nullable=False),
    Column("next_token", Float(53), nullable=False),
    Column("seen", Float(53), nullable=False),
)
"""One row a limit: seconds since 1970 at which the next request and the next token are due."""
