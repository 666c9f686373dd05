"""How much is done, counted instead of timed: the same on every machine and at every hour.

Lives here: counters around a block of a test. Not here: speed (`benchmarks/`).
"""

import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from dagster_project.storage.database import Database

_STEPS_AT_ONCE = 100


class Count:
    """What a block took, once it ended."""

    n = 0


@contextmanager
def bytes_held() -> Iterator[Count]:
    """The bytes that Python objects made in the block held at most."""
    count = Count()
    tracemalloc.start()
    try:
        yield count
        count.n = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@contextmanager
def statements(database: Database) -> Iterator[Count]:
    """The statements that the block sent to the database."""
    count = Count()

    def sent(*_: object) -> None:
        count.n += 1

    event.listen(database._engine, "before_cursor_execute", sent)
    try:
        yield count
    finally:
        event.remove(database._engine, "before_cursor_execute", sent)


@contextmanager
def sqlite_steps(database: Database) -> Iterator[Count]:
    """The instructions of SQLite's virtual machine that the block took, in hundreds."""
    count = Count()
    watched: list[sqlite3.Connection] = []

    def step() -> int:
        count.n += 1
        return 0

    def watch(connection: sqlite3.Connection, *_: object) -> None:
        watched.append(connection)
        connection.set_progress_handler(step, _STEPS_AT_ONCE)

    event.listen(database._engine, "checkout", watch)
    try:
        yield count
    finally:
        event.remove(database._engine, "checkout", watch)
        for connection in watched:
            connection.set_progress_handler(None, 0)
