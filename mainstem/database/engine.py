"""Connections to either database, and the two ways to use one: reading, which waits for no writer, and writing."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, MetaData, Table, create_engine, event, inspect
from sqlalchemy.exc import NoSuchModuleError

from mainstem import telemetry
from mainstem.database.errors import translated
from mainstem.database.locks import in_turn, rights_of
from mainstem.database.options import ASKS, AT_ONCE, READS
from mainstem.database.pooling import look_before_lending
from mainstem.database.urls import make_private, name_of, parse_url
from mainstem.database.wal import switch_to_wal
from mainstem.database.watched import watch
from schemas.errors import OperatorError


def make_tables(connection: Connection, metadata: MetaData, tables: Sequence[Table] | None = None) -> None:
    """Makes what is missing, of all tables or of some, in the caller's transaction.

    PostgreSQL lets two make a table in the same moment and fails the later: who comes second waits for the first.
    """
    known = set(inspect(connection).get_table_names())
    if all(table.name in known for table in (metadata.tables.values() if tables is None else tables)):
        return
    in_turn(connection, "making tables")
    metadata.create_all(connection, tables=tables)


def connect(url: URL, *, wait_seconds: float) -> Engine:
    """An engine; nothing connects yet. `wait_seconds` is the longest wait for another writer or for an answer to connecting."""
    options: dict[str, Any] = {
        "json_serializer": _as_json,
        "json_deserializer": msgspec.json.decode,
        "hide_parameters": True,
    }
    engine = _made(url, wait_seconds, options)
    if telemetry.is_on():
        watch(engine)
    return engine


def _as_json(value: object) -> str:
    """One function for every engine: by it SQLAlchemy's kept statements are told to fit another engine too."""
    return msgspec.json.encode(value).decode()


def _made(url: URL, wait_seconds: float, options: dict[str, Any]) -> Engine:
    try:
        if url.get_backend_name() == "sqlite":
            return _sqlite(url, wait_seconds, options)
        arguments = {
            "autocommit": True,  # psycopg would begin on its own, for a question too; "begin" below does it
            "connect_timeout": max(2, round(min(wait_seconds, 15))),
            "application_name": "mainstem",
            "options": f"-c lock_timeout={round(wait_seconds * 1000)} -c timezone=UTC",
        }
        arguments = {name: value for name, value in arguments.items() if name not in url.query}
        return _postgresql(url, arguments, options)
    except (NoSuchModuleError, ImportError) as exc:
        raise OperatorError("the database's driver is not installed", "Install Mainstem again: `make setup`.") from exc


def _postgresql(url: URL, arguments: dict[str, Any], options: dict[str, Any]) -> Engine:
    engine = create_engine(url, pool_size=2, max_overflow=6, connect_args=arguments, **options)
    look_before_lending(engine)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("asks"):
            connection.exec_driver_sql("BEGIN", execution_options=AT_ONCE)

    return engine


def _sqlite(url: URL, wait_seconds: float, options: dict[str, Any]) -> Engine:
    engine = create_engine(url, connect_args={"timeout": wait_seconds}, **options)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # sqlite3 would begin on its own, and late; "begin" below does it
        switch_to_wal(connection)
        # FULL: with NORMAL a power cut loses the last commits, and a sequence already published would be given again.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -16384")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the lock at once: an upgrade from reading to writing fails without waiting.
        connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reads") else "BEGIN IMMEDIATE")

    return engine


class Database:
    """One database. Connects at first use; one for a process or a task, made before no fork."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._rights = rights_of(engine)

    @classmethod
    def open(cls, url: str, *, wait_seconds: float = 30) -> "Database":
        """`wait_seconds`: longest wait for another writer. Raises OperatorError for a wrong URL."""
        parsed = parse_url(url)
        make_private(parsed)
        return cls(connect(parsed, wait_seconds=wait_seconds))

    def close(self) -> None:
        """Closes the connections."""
        self.engine.dispose()

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return name_of(self.engine.url)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite; PostgreSQL otherwise."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction; on SQLite it is the only one that writes."""
        with translated(self.engine.url), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """For questions, which wait for no writer; on PostgreSQL each is by itself."""
        with translated(self.engine.url), self.engine.connect() as connection:
            yield connection.execution_options(**ASKS)

    @contextmanager
    def stream(self) -> Iterator[Connection]:
        """A transaction that waits for no writer: for rows taken as they come (`yield_per`), and for `cursor`."""
        with translated(self.engine.url), self.engine.connect() as connection:
            yield connection.execution_options(**READS)

    def cursor(self, connection: Connection) -> Any:
        """The driver's own cursor, inside the connection's transaction: for statements over many rows."""
        if not connection.in_transaction():
            connection.begin()
        driver: Any = connection.connection.driver_connection
        return driver.cursor() if self.is_sqlite else driver.cursor(binary=True)

    def is_held(self, rights: Iterable[str]) -> bool:
        """Whether a process has any of these rights; nothing is taken or waited for."""
        with translated(self.engine.url):
            return self._rights.is_held(rights)

    @contextmanager
    def holding(self, right: str, doing: str) -> Iterator[None]:
        """A right that one process has at a time, while the context lasts; it vanishes with the process.

        Raises TemporaryError naming who has it; `doing` is what the holder is at.
        """
        lock = self._rights.hold(right, doing)
        with translated(self.engine.url):
            lock.__enter__()
        try:
            yield
        finally:
            with translated(self.engine.url):
                lock.__exit__(None, None, None)
