"""Conversations that lie spread over a file: logs in which every request repeats what was said before it, traces of a
session, rows of one message.

Lives here: finding which records are one conversation and putting it together, in bounded memory. By an id where the
log has one; else a request continues the record whose whole transcript its own history is. Not here: where the parts
of a record lie (each format). Decision record 0025 says why.
"""

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Unpack

from dagster_project.domain.conversations import Message, Role
from dagster_project.sources.building import Draft, finished
from dagster_project.sources.confide import Options, identifier
from dagster_project.sources.messages import parse_message
from dagster_project.sources.outcome import Left, Parsed, Reason, Refusal, Rejected
from dagster_project.sources.records import Row, original_of, read_raw, record_of
from dagster_project.sources.streams import Line
from dagster_project.sources.times import EPOCH, parse_time


@dataclass(frozen=True, slots=True)
class Turn:
    """One record of a log: messages so far and the reply, as canonical messages that are not validated yet.

    thread: the id of the conversation, where the log has one. own_id: the record's own. at: its time, as it came.
    follows: its messages always come after those of the thread's earlier records (a row a message). inner: a step
    inside a trace, which is counted and not kept.
    """

    messages: list[Any] = field(repr=False)
    thread: Any = None
    own_id: Any = None
    user_id: Any = None
    at: Any = None
    surface: Any = None
    left_out: int = 0
    follows: bool = False
    inner: bool = False


TurnOf = Callable[[dict[str, Any]], Turn]
Records = Iterator[Line | Row | Rejected]

_SCHEMA = """
CREATE TABLE records (n INTEGER PRIMARY KEY, number INTEGER, original BLOB);
CREATE TABLE turns (n INTEGER PRIMARY KEY, thread TEXT, known INTEGER, inner INTEGER, at INTEGER,
                    history BLOB, whole BLOB, parent INTEGER, root INTEGER);
CREATE INDEX by_whole ON turns (whole, at, n);
CREATE INDEX by_thread ON turns (thread, at, n);
CREATE INDEX by_parent ON turns (parent);
CREATE INDEX by_root ON turns (root, at, n);
"""
# The latest of those that came before; of a log without times, or in another order, any.
_LINK = """
UPDATE turns SET parent = coalesce(
    (SELECT n FROM turns p WHERE p.whole = turns.history AND (p.at, p.n) < (turns.at, turns.n)
     ORDER BY p.at DESC, p.n DESC LIMIT 1),
    (SELECT n FROM turns p WHERE p.whole = turns.history ORDER BY p.at DESC, p.n DESC LIMIT 1)
) WHERE history IS NOT NULL
"""


def read_threads(
    path: Path, turn_of: TurnOf, columns: Sequence[str] | None, **options: Unpack[Options]
) -> Iterator[Parsed | Rejected]:
    """The conversations of a file of records (see `records.read_raw`). turn_of may raise Refusal."""
    return join_threads(read_raw(path, columns, options.get("bytes_read")), turn_of, **options)


def join_threads(raws: Records, turn_of: TurnOf, **options: Unpack[Options]) -> Iterator[Parsed | Rejected]:
    """The conversations that some records are, in the order in which they begin; first those records that are none.

    Memory holds some 100 bytes a record; the records wait in a private file, which has no name and goes with the
    process.
    """
    options["now"] = options.get("now") or datetime.now(UTC)
    with _waiting_room(options.get("scratch")) as db:
        db.execute("BEGIN")
        for raw in raws:
            if isinstance(raw, Rejected):
                yield raw
                continue
            original = original_of(raw)
            try:
                _keep(db, raw.number, original, turn_of(record_of(raw)))
            except Refusal as refusal:
                yield Rejected(refusal.reason, raw.number, original, len(original))
        db.execute(_LINK)
        _find_roots(db)
        yield from _conversations(db, turn_of, options)


@contextmanager
def _waiting_room(folder: Path | None) -> Iterator[sqlite3.Connection]:
    """A database whose file loses its name at once: nobody else finds it, and a kill leaves nothing behind."""
    path = None if folder is None else folder / f"records-{secrets.token_hex(4)}.sqlite"
    if path is not None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(path or "", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        # Else what is sorted on the way, ids among it, lies in files of the system's own.
        db.execute("PRAGMA temp_store = MEMORY")
        db.executescript(_SCHEMA)
        if path is not None:
            path.unlink()
        yield db


def _keep(db: sqlite3.Connection, number: int, original: bytes, turn: Turn) -> None:
    thread = identifier(turn.thread)
    spoken = [] if turn.inner else _spoken(turn.messages)
    at = 0 if turn.at in (None, "") else (parse_time(turn.at)[0] - EPOCH) // timedelta(microseconds=1)
    user = identifier(turn.user_id, Reason.INVALID_USER)
    if not turn.messages and not turn.inner:
        raise Refusal(Reason.NO_MESSAGES)
    replies = [i for i, message in enumerate(spoken[:-1]) if message.role is Role.ASSISTANT]
    history = _digest(user, spoken[: replies[-1] + 1]) if replies and thread is None else None
    whole = _digest(user, spoken) if thread is None else None
    n = db.execute("INSERT INTO records (number, original) VALUES (?, ?)", (number, original)).lastrowid
    row = (n, thread, user is not None, turn.inner, at, history, whole)
    db.execute("INSERT INTO turns (n, thread, known, inner, at, history, whole) VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def _spoken(messages: Sequence[Any]) -> list[Message]:
    """The messages without the system's: prompts change between two requests of a conversation."""
    return [message for message in map(parse_message, messages) if message.role is not Role.SYSTEM]


def _same(one: Message, other: Message) -> bool:
    return one.role is other.role and one.content.strip() == other.content.strip()


def _repeats(spoken: Sequence[Message]) -> bool:
    """Whether a record holds more than what is new in it: a reply, and something after it."""
    return any(message.role is Role.ASSISTANT for message in spoken[:-1])


def _digest(user: str | None, spoken: Sequence[Message]) -> bytes:
    digest = hashlib.sha256(repr(user).encode("utf-8", "backslashreplace"))
    for message in spoken:
        digest.update(b"\x00" + message.role.value.encode() + b"\x00" + message.content.strip().encode())
    return digest.digest()[:16]


def _find_roots(db: sqlite3.Connection) -> None:
    """The record that each conversation began with: of a thread its first; else by following the histories back."""
    db.execute("UPDATE turns SET root = n WHERE parent IS NULL AND thread IS NULL")
    found = 1
    while found:  # a round a turn of the longest conversation
        found = db.execute(
            "UPDATE turns SET root = (SELECT p.root FROM turns p WHERE p.n = turns.parent) "
            "WHERE root IS NULL AND parent IN (SELECT n FROM turns WHERE root IS NOT NULL)"
        ).rowcount
    db.execute(
        "UPDATE turns SET root = f.n FROM "
        "(SELECT thread, min(n) AS n FROM turns WHERE thread IS NOT NULL GROUP BY thread) AS f "
        "WHERE turns.thread = f.thread"
    )


def _conversations(db: sqlite3.Connection, turn_of: TurnOf, options: Options) -> Iterator[Parsed | Rejected]:
    for root, thread, known in db.execute("SELECT n, thread, known FROM turns WHERE root = n ORDER BY n"):
        if thread is not None or known:
            yield _joined(db.execute(_ROWS + "root = ? ORDER BY at, n", (root,)), turn_of, options)
            continue
        # Of an unknown user: two that begin alike may be two people, so each ending is a conversation of its own.
        endings = [n for (n,) in db.execute(_ENDINGS, (root,))]
        for ending in endings:
            parts = db.execute(_ANCESTRY, (ending,))
            yield _joined(parts, turn_of, options, own=ending != endings[-1])


_ROWS = "SELECT number, inner, original FROM turns JOIN records USING (n) WHERE "
_ENDINGS = """
SELECT n FROM turns t WHERE root = ? AND NOT EXISTS (SELECT 1 FROM turns c WHERE c.parent = t.n) ORDER BY at, n
"""
_ANCESTRY = """
WITH RECURSIVE line (n) AS (
    SELECT ? UNION ALL SELECT parent FROM turns JOIN line USING (n) WHERE parent IS NOT NULL
)
SELECT number, inner, original FROM line JOIN turns USING (n) JOIN records USING (n) ORDER BY at, n
"""


def _joined(
    rows: Iterator[tuple[int, int, bytes]], turn_of: TurnOf, options: Options, own: bool = False
) -> Parsed | Rejected:
    """The records of one conversation, in their order, put together. own: not under the id of the first record."""
    said = _Transcript()
    first: Turn | None = None
    number, original, user, newest = 0, b"", None, None
    joined = inner = 0
    for number_of_row, is_inner, original_of_row in rows:
        if is_inner:
            inner += 1
            original = original or original_of_row
            continue
        turn = turn_of(record_of(Line(number_of_row, original_of_row)))
        said.take(turn)
        joined += first is not None and not turn.follows
        number, original, user = number or number_of_row, original_of_row, user or turn.user_id
        first, newest = first or turn, turn
    if first is None or newest is None:
        return Rejected(Reason.NO_MESSAGES, number, original, len(original))
    own_id = newest.own_id if own else first.own_id
    record = {
        "conversation_id": first.thread if first.thread not in (None, "") else own_id,
        "user_id": user,
        "started_at": first.at,
        "surface": first.surface,
        "messages": said.messages,
    }
    began_earlier = first.thread not in (None, "") and _repeats(_spoken(first.messages))
    counts = {Left.OTHER_BRANCHES: said.others, Left.JOINED_RECORDS: joined, Left.INNER_STEPS: inner}
    draft = Draft(record, {k: n for k, n in counts.items() if n}, began_earlier)
    return finished(draft, number, original, **options)


class _Transcript:
    """What was said so far, while the records of a conversation come one after the other."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.others = 0
        self._spoken: list[Message] = []

    def take(self, turn: Turn) -> None:
        """The next record: repeats what was said and goes on, is an earlier state of it, parts from it, or follows."""
        self.others += turn.left_out
        if not self.messages:
            self.messages = turn.messages
            return
        spoken, known = _spoken(turn.messages), self._spoken or _spoken(self.messages)
        alike = 0
        while alike < min(len(spoken), len(known)) and _same(spoken[alike], known[alike]):
            alike += 1
        repeats = _repeats(spoken)
        overlap = self._overlap(known, spoken) if repeats and not alike else 0
        if alike == len(known) and not turn.follows:
            self.messages, self._spoken = turn.messages, spoken
        elif overlap or turn.follows or not (repeats or alike == len(spoken) or (alike and len(spoken) == len(known))):
            unsaid = [m for m in turn.messages if turn.follows or parse_message(m).role is not Role.SYSTEM]
            self.messages, self._spoken = [*self.messages, *unsaid[overlap:]], [*known, *spoken[overlap:]]
        elif alike < len(spoken):
            self.others += len(known) - alike
            self.messages, self._spoken = turn.messages, spoken

    @staticmethod
    def _overlap(known: Sequence[Message], spoken: Sequence[Message]) -> int:
        """With how many of its messages a record repeats the last ones: of a log that keeps a window of the history."""
        for n in range(min(len(known), len(spoken)), 0, -1):
            if all(_same(one, other) for one, other in zip(known[-n:], spoken, strict=False)):
                return n
        return 0
