"""The values that go into the ledger and come out of it.

Not here: tables (`schema.py`), what is done with them.
"""

from dataclasses import dataclass
from datetime import date, datetime

from dagster_project.errors import ConfideError
from dagster_project.storage.answers import Given
from dagster_project.storage.request_ledger.schema import BatchState


class LedgerError(ConfideError):
    """The ledger cannot do what was asked of it; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: the ask's digest, its full text (to rebuild it after a restart), and the digest of each question
    in it. Two asks that share a question are never open at once for one content."""

    hash: str
    body: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A content that is to be asked about. positions: what reading the reply will need, as JSON of numbers."""

    content_hash: str
    day: date
    positions: str
    est_input_tokens: int
    est_usd: float


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt. `id` is the custom_id.

    attempt: from 1, over all runs. answered: earlier attempts that were answered, and so paid, in vain.
    owner: None where nobody has it. batch_id: the ledger's own id of its batch.
    """

    id: str
    content_hash: str
    ask_hash: str
    model: str
    stage: str
    transport: str
    day: date
    attempt: int
    answered: int
    positions: str
    est_input_tokens: int
    est_usd: float
    owner: str | None
    batch_id: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What came of claiming. requests: now this worker's to send, in the order wanted; the others were not given:

    foreign: open with another living worker, or in a batch. own: this worker's already. answered: answered meanwhile
    (read the answers again). beyond_budget: there was no money left for them.
    """

    requests: tuple[Request, ...]
    foreign: int = 0
    own: int = 0
    answered: int = 0
    beyond_budget: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """Claim only while what was spent since then, what is in flight and the new estimates are at most `usd`."""

    usd: float
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one reply, as the API counts them: `input_tokens` are those neither written to a cache nor read."""

    input_tokens: int
    output_tokens: int
    cache_write_tokens: int = 0
    cache_read_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """All tokens of the prompt."""
        return self.input_tokens + self.cache_write_tokens + self.cache_read_tokens


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one request ended.

    outcome: in our words, at most 32 characters (ok, refused, truncated, invalid, expired, …). usage: None where no
    reply was paid. final: nothing is left to ask; otherwise the same may be claimed again.
    """

    request_id: str
    outcome: str
    answers: tuple[Given, ...] = ()
    usage: Usage | None = None
    usd: float = 0.0
    final: bool = True


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch. `id` is the ledger's own, `provider_id` the provider's, None until it is known."""

    id: str
    provider_id: str | None
    state: BatchState
    owner: str
    n_requests: int
    n_bytes: int
    first_day: date
    last_day: date
    intended_at: datetime
    submitted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What was paid for a day's conversations in one stage, with one model and transport. requests: paid replies."""

    day: date
    stage: str
    model: str
    transport: str
    requests: int
    input_tokens: int
    output_tokens: int
    cache_write_tokens: int
    cache_read_tokens: int
    usd: float


@dataclass(frozen=True, slots=True)
class Totals:
    """The whole ledger in numbers. in_flight: requests that may still be paid."""

    requests: int
    input_tokens: int
    output_tokens: int
    usd: float
    in_flight: int
    in_flight_usd: float
    open_batches: int
