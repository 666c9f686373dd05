"""A small private database, SQLite by default or PostgreSQL by URL, shared by many threads and processes.

Lives here: opening one, transactions, times, and errors in our own words (a driver's may quote values).
Not here: any table (`answers.py`, `request_ledger/`).
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import DateTime, Dialect, MetaData, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, Row
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.types import TypeDecorator

from dagster_project.errors import ConfideError
from dagster_project.storage.files import private_folder

BUSY_SECONDS = 60
CONNECT_SECONDS = 10
AT_ONCE = 500
"""Values in one IN list."""
AnyRow = Row[*tuple[Any, ...]]
"""A row whose columns are read by name."""
_CREATING = 0x436F6E66
_T = TypeVar("_T")

_SQLITE_REASONS = {
    "SQLITE_BUSY": f"another process held it for more than {BUSY_SECONDS} s: look for one that hangs",
    "SQLITE_FULL": "the disk is full: free some space and run again",
    "SQLITE_READONLY": "it may not be written: check its owner and mode",
    "SQLITE_CANTOPEN": "it cannot be opened: check its folder's owner and mode",
    "SQLITE_NOTADB": "it is not a database: restore it from backup",
    "SQLITE_CORRUPT": "it is damaged: restore it from backup",
}
_Writing = "confide_writing"
_Durable = "confide_durable"


class DatabaseError(ConfideError):
    """A database that cannot be opened, read or written; the message says which, why and what to do."""


class UtcTime(TypeDecorator[datetime]):
    """A moment. Aware datetimes in and out, always UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def parts_of(items: Sequence[_T], size: int = AT_ONCE) -> Iterator[Sequence[_T]]:
    """The items in runs of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Database:
    """One database. Safe to share between threads; every process opens its own.

    SQLite: WAL, file 0600 and folder 0700, deleted bytes overwritten, one writer at a time with a queue of
    `BUSY_SECONDS`. PostgreSQL: read committed.
    """

    def __init__(self, engine: Engine, name: str, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._pid = os.getpid()
        self._guard = threading.Lock()
        self.name = name
        """What to call it in a message: a path, or host and database; never a password."""
        self.is_sqlite = engine.dialect.name == "sqlite"

    @classmethod
    def open(cls, url: str, tables: Iterable[MetaData], clock: Callable[[], float] = time.time) -> "Database":
        """Open by URL (`sqlite:////path`, `postgresql://…`) and make the tables that are not there.

        clock: seconds since 1970, for SQLite; PostgreSQL's own clock serves all its hosts. Raises DatabaseError.
        """
        parsed = _url(url)
        if parsed.get_backend_name() == "sqlite":
            database = cls(_sqlite_engine(parsed), str(parsed.database), clock)
        else:
            database = cls(_postgresql_engine(parsed), f"{parsed.host or 'localhost'}/{parsed.database}", clock)
        with database.writing() as connection:
            database.alone(connection, _CREATING)
            for metadata in tables:
                metadata.create_all(connection)
        return database

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises DatabaseError."""
        with self._in_own_words("read"), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, durable: bool = True) -> Iterator[Connection]:
        """A transaction, committed on leaving and rolled back on any error. On SQLite there is one at a time.

        durable: survives a power cut too, and not only the death of a process. Raises DatabaseError.
        """
        with self._in_own_words("written"), self._engine.connect() as connection:
            options = connection.execution_options(**{_Writing: True, _Durable: durable})
            with options.begin():
                if not durable and not self.is_sqlite:
                    options.execute(text("SET LOCAL synchronous_commit TO OFF"))
                yield options

    def alone(self, connection: Connection, lock: int) -> None:
        """From here to the end of the transaction nobody else passes this point with the same number."""
        if not self.is_sqlite:  # SQLite's writers are one at a time anyway
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})

    def insert(self, table: Table) -> Any:
        """An INSERT of this database's own kind: it has `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def seconds(self, connection: Connection) -> float:
        """Now, in seconds since 1970, by the clock that everybody who uses this database shares."""
        if self.is_sqlite:
            return self._clock()
        return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    def now(self, connection: Connection) -> datetime:
        """Now (UTC), by the same clock."""
        return datetime.fromtimestamp(self.seconds(connection), UTC)

    def forget_deleted(self, *tables: Table) -> None:
        """Take what was deleted out of the write-ahead log, the dead rows and the gaps of pages. Raises DatabaseError.

        On SQLite the file is written anew. On PostgreSQL the rows are vacuumed; the server's own log and its backups
        are its operator's.
        """
        with self._in_own_words("written"):
            if self.is_sqlite:
                with closing(sqlite3.connect(self.name, timeout=BUSY_SECONDS)) as driver:
                    driver.execute("VACUUM")
                self._truncate_log()
                return
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                for table in tables:
                    connection.execute(text(f"VACUUM {table.name}"))

    def close(self) -> None:
        """Close every connection. The database may be opened again."""
        self._engine.dispose()

    def _truncate_log(self) -> None:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            with closing(sqlite3.connect(self.name, timeout=BUSY_SECONDS)) as connection:
                busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not busy:
                return
            if time.monotonic() > deadline:
                raise DatabaseError(
                    f"{self.name}: what was deleted is still in its write-ahead log, because other processes keep "
                    "reading it: stop them and do this again"
                )
            time.sleep(0.05)

    @contextmanager
    def _in_own_words(self, done: str) -> Iterator[None]:
        self._reopen_after_fork()
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise DatabaseError(f"{self.name} could not be {done}: {_reason(error)}") from None

    def _reopen_after_fork(self) -> None:
        """A forked child must not write to its parent's connections."""
        if self._pid != os.getpid():
            with self._guard:
                if self._pid != os.getpid():
                    self._engine.dispose(close=False)
                    self._pid = os.getpid()


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return URL.create("sqlite", database=str(path.absolute())).render_as_string(hide_password=False)


def _url(url: str) -> URL:
    choices = "give sqlite:////path or postgresql://user@host/name"
    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        raise DatabaseError(f"the database URL cannot be read: {choices}") from None
    if backend == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg2")
    raise DatabaseError(f"a database of this kind is not served: {choices}")


def _sqlite_engine(url: URL) -> Engine:
    path = Path(str(url.database))
    try:
        private_folder(path.parent)
        # SQLite would make the file readable by others where the umask lets it; its log copies the mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        _use_write_ahead_log(path)
    except OSError as error:
        raise DatabaseError(f"{path} could not be opened: {error.strerror}") from None
    except sqlite3.Error as error:
        raise DatabaseError(f"{path} could not be opened: {_sqlite_reason(error)}") from None
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, max_overflow=-1, hide_parameters=True)

    def connected(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, and not by the driver half-way
        connection.execute("PRAGMA secure_delete=ON")

    def begun(connection: Connection) -> None:
        options, driver = connection.get_execution_options(), connection.connection.driver_connection
        assert driver is not None
        if options.get(_Writing):
            driver.execute(f"PRAGMA synchronous={'FULL' if options[_Durable] else 'NORMAL'}")
        driver.execute("BEGIN IMMEDIATE" if options.get(_Writing) else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


def _use_write_ahead_log(path: Path) -> None:
    """The switch is kept in the file. SQLite does not queue for it: whoever meets another at it tries again."""
    deadline = time.monotonic() + BUSY_SECONDS
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _postgresql_engine(url: URL) -> Engine:
    waiting = {"connect_timeout": CONNECT_SECONDS, "keepalives_idle": 30, "tcp_user_timeout": BUSY_SECONDS * 1000}
    try:
        engine = create_engine(
            url,
            connect_args={**waiting, "application_name": "confide"},
            isolation_level="READ COMMITTED",
            executemany_mode="values_plus_batch",
            pool_pre_ping=True,
            max_overflow=-1,
            hide_parameters=True,
        )
    except ModuleNotFoundError:
        raise DatabaseError("a PostgreSQL database needs its driver: pip install 'confide[postgres]'") from None

    def connected(connection: Any, record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
            # A machine that vanished in the middle of a transaction must not hold its locks for the hours of TCP.
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{BUSY_SECONDS}s'")
            cursor.execute("SET timezone = 'UTC'")
        connection.commit()

    event.listen(engine, "connect", connected)
    return engine


def _reason(error: SQLAlchemyError | sqlite3.Error) -> str:
    """Why, without the driver's own words: they quote keys and values."""
    driver = getattr(error, "orig", None) or error
    if isinstance(driver, sqlite3.Error):
        return _sqlite_reason(driver)
    state = getattr(driver, "pgcode", None)
    if state is None and type(driver).__name__ == "OperationalError":
        return "the server cannot be reached, or does not let us in: check the URL"
    return f"{type(driver).__name__}{f' {state}' if state else ''}"


def _sqlite_reason(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    found = next((words for code, words in _SQLITE_REASONS.items() if name.startswith(code)), None)
    return found or name
