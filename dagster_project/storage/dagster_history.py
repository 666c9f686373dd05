"""Dagster's history of a home as the commands write it: Dagster's own files, in less time.

Lives here: one engine and one open connection a file, one transaction an event or a batch of them. Dagster makes an
engine, compiles every statement and opens the file anew for each of the five hundred events of a run, up to five times
an event, and waits for the disk each time. Not here: what is written, and where: the UI reads the same files with
Dagster's own class.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from dagster._core.events.log import EventLogEntry
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from dagster_project.home import Home

BUSY_SECONDS = 60
EVENTS_AT_ONCE = 200
"""Most events that Dagster hands over together, where it can: what a run intends to do is told before it begins."""


class Events(SqliteEventLogStorage):
    """The event log, which keeps an engine for each of its files."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: dict[str, Engine] = {}
        self._together: dict[str, Connection] = {}
        self._storing: int | None = None
        super().__init__(base_dir, inst_data)

    def store_event(self, event: EventLogEntry) -> None:
        self.store_event_batch([event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """All of them, in one transaction of each file that they belong in."""
        with self._db_lock, ExitStack() as transactions:
            self._storing = threading.get_ident()
            transactions.callback(self._stored)
            for one in events:
                for shard in (one.run_id, INDEX_SHARD_NAME):
                    if shard not in self._together:
                        self._together[shard] = transactions.enter_context(self._engine(shard).begin())
                super().store_event(one)

    def _stored(self) -> None:
        self._storing = None
        self._together.clear()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        if self._storing == threading.get_ident():
            yield self._together[shard]
            return
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            engine = create_engine(
                self.conn_string_for_shard(shard),
                poolclass=QueuePool,
                pool_size=1,
                connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            )
            event.listen(engine, "connect", _do_not_wait_for_the_disk)
            self._initdb(engine)
            self._engines[shard] = engine
        return self._engines[shard]

    def dispose(self) -> None:
        """Closes the files: erasing rewrites them, and a closed file has no log beside it."""
        super().dispose()
        with self._db_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()


def _do_not_wait_for_the_disk(connection: Any, _: Any) -> None:
    """A machine that loses its power may forget the last events, and nothing else: no file is damaged (SQLite, "PRAGMA
    synchronous": NORMAL under write-ahead logging), and which days are up to date is not read from here."""
    connection.execute("pragma synchronous = normal")


class History(DagsterSqliteStorage):
    """Dagster's storage on SQLite with that event log."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = Events(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "History":
        return cls.from_local(inst_data=inst_data, **config_value)


def history_ref(home: Home) -> InstanceRef:
    """The instance of a home's `dagster.yaml`, with this storage, unless that names one of its own.

    Dagster reads from the environment whether it may hand over events together.
    """
    os.environ["DAGSTER_EVENT_BATCH_SIZE"] = str(EVENTS_AT_ONCE)
    ref = InstanceRef.from_dir(str(home.dagster))
    if ref.storage_data is not None and ref.storage_data.class_name != DagsterSqliteStorage.__name__:
        return ref
    ours = {"module": __name__, "class": History.__name__, "config": {"base_dir": str(home.dagster)}}
    return InstanceRef.from_dir(str(home.dagster), overrides={"storage": {"custom": ours}})
