"""Dagster's history of a home as the commands write it: Dagster's own files, in less time.

Lives here: one engine and one open connection a file. Dagster makes an engine, compiles every statement and opens the
file anew for each of the five hundred events of a run. Not here: what is written, and where: the UI reads the same
files with Dagster's own class.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import QueuePool

from dagster_project.home import Home

BUSY_SECONDS = 60


class Events(SqliteEventLogStorage):
    """The event log, which keeps an engine for each of its files."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if shard not in self._engines:
                engine = create_engine(
                    self.conn_string_for_shard(shard),
                    poolclass=QueuePool,
                    pool_size=1,
                    connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
                )
                self._initdb(engine)
                self._engines[shard] = engine
            with self._engines[shard].begin() as connection:
                yield connection

    def dispose(self) -> None:
        """Closes the files: erasing rewrites them, and a closed file has no log beside it."""
        super().dispose()
        with self._db_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()


class History(DagsterSqliteStorage):
    """Dagster's storage on SQLite with that event log."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = Events(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "History":
        return cls.from_local(inst_data=inst_data, **config_value)


def history_ref(home: Home) -> InstanceRef:
    """The instance of a home's `dagster.yaml`, with this storage, unless that names one of its own."""
    ref = InstanceRef.from_dir(str(home.dagster))
    if ref.storage_data is not None and ref.storage_data.class_name != DagsterSqliteStorage.__name__:
        return ref
    ours = {"module": __name__, "class": History.__name__, "config": {"base_dir": str(home.dagster)}}
    return InstanceRef.from_dir(str(home.dagster), overrides={"storage": {"custom": ours}})
