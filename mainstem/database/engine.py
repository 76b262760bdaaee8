"""Connections to the store's database, and its errors in words of ours: never statement text, never data."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from schemas.errors import MainstemError, OperatorError, TemporaryError

EXAMPLES = "Write sqlite:///var/mainstem.db or postgresql://user@host/database (MAINSTEM_DATABASE_URL)."
READS = {"reads": True}
"""Execution option of connections that only read: on SQLite they do not wait for a writer."""


def parse_url(text: str) -> URL:
    """The database's URL; PostgreSQL gets the psycopg driver. Raises OperatorError without the text: it may hold a password."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise OperatorError("the database URL is not valid", EXAMPLES) from None
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise OperatorError(f"the store does not know databases of the kind {backend!r}", EXAMPLES)
    if not url.database or url.database == ":memory:":
        raise OperatorError("the store needs a file to keep its state in", EXAMPLES)
    return url


def connect(url: URL, *, wait_seconds: float) -> Engine:
    """An engine; nothing connects yet. `wait_seconds` is the longest wait for another writer or for an answer to connecting."""
    options: dict[str, Any] = {
        "json_serializer": lambda value: msgspec.json.encode(value).decode(),
        "json_deserializer": msgspec.json.decode,
    }
    try:
        if url.get_backend_name() == "sqlite":
            return _sqlite(url, wait_seconds, options)
        arguments = {
            "connect_timeout": max(2, round(min(wait_seconds, 15))),
            "application_name": "mainstem",
            "options": f"-c lock_timeout={round(wait_seconds * 1000)} -c timezone=UTC",
        }
        arguments = {name: value for name, value in arguments.items() if name not in url.query}
        return create_engine(url, pool_size=2, max_overflow=6, pool_pre_ping=True, connect_args=arguments, **options)
    except (NoSuchModuleError, ImportError) as exc:
        raise OperatorError("the database's driver is not installed", "Install Mainstem again: `make setup`.") from exc


def _sqlite(url: URL, wait_seconds: float, options: dict[str, Any]) -> Engine:
    engine = create_engine(url, connect_args={"timeout": wait_seconds}, **options)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # sqlite3 would begin on its own, and late; "begin" below does it
        connection.execute("PRAGMA journal_mode = WAL")
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


def name_of(url: URL) -> str:
    """The database in a message: file, or host, port and name; no user, no password."""
    if url.get_backend_name() == "sqlite":
        return f"SQLite {url.database}"
    host = url.host or str(url.query.get("host", "localhost"))
    port = f":{url.port}" if url.port else ""
    return f"PostgreSQL {url.database} at {host}{port}"


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Errors of the drivers as ours; their text may hold data or statements, so it goes no further."""
    try:
        yield
    except SQLAlchemyError as exc:
        cause = exc.orig if isinstance(exc, DBAPIError) and exc.orig is not None else exc
        raise _explained(url, cause) from None
    except sqlite3.Error as exc:
        raise _explained(url, exc) from None
    except Exception as exc:
        if type(exc).__module__.partition(".")[0] != "psycopg":
            raise
        raise _explained(url, exc) from None


def _explained(url: URL, error: BaseException) -> MainstemError:
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(name_of(url), error)
    if type(error).__module__.partition(".")[0] == "psycopg":
        return _of_postgresql(name_of(url), error)
    return OperatorError(f"{name_of(url)}: {type(error).__name__}", "This is a defect; please report it.")


def _of_sqlite(name: str, error: sqlite3.Error) -> MainstemError:
    code = getattr(error, "sqlite_errorname", "") or type(error).__name__
    known: dict[str, tuple[type[MainstemError], str, str]] = {
        "SQLITE_BUSY": (
            TemporaryError,
            "is locked by another writer",
            "End the other program that writes to it, then try again.",
        ),
        "SQLITE_LOCKED": (
            TemporaryError,
            "is locked by another writer",
            "End the other program that writes to it, then try again.",
        ),
        "SQLITE_FULL": (
            OperatorError,
            "cannot grow: the disk is full",
            "Free space on its disk; then run it again, nothing is lost.",
        ),
        "SQLITE_IOERR": (
            OperatorError,
            "cannot be read or written: the disk fails or is full",
            "Look at its disk and free space.",
        ),
        "SQLITE_CANTOPEN": (OperatorError, "cannot be opened", "Check that its folder exists and may be written to."),
        "SQLITE_READONLY": (
            OperatorError,
            "may not be written to",
            "Give this user the right to write the file and its folder.",
        ),
        "SQLITE_PERM": (
            OperatorError,
            "may not be opened",
            "Give this user the right to write the file and its folder.",
        ),
        "SQLITE_NOTADB": (OperatorError, "is not an SQLite database", "Name another file in MAINSTEM_DATABASE_URL."),
        "SQLITE_CORRUPT": (OperatorError, "is damaged", "Restore it from a backup, then `mainstem` raises its epoch."),
    }
    for prefix, (kind, what, fix) in known.items():
        if code.startswith(prefix):
            return kind(f"{name} {what}", fix)
    if "no such table" in str(error):
        return _unprepared(name)
    return OperatorError(f"{name}: {code}", "This is a defect; please report it.")


def _of_postgresql(name: str, error: BaseException) -> MainstemError:
    state = getattr(error, "sqlstate", None)
    text = str(error)
    if (
        state is None
    ):  # psycopg gives no code for what happens before or after a session; the words are libpq's or the server's
        for words, found in (
            ("password", "28P01"),
            ("no pg_hba.conf entry", "28000"),
            ("does not exist", "3D000"),
            ("not permitted", "28000"),
        ):
            if words in text:
                state = found
                break
    known: dict[str, tuple[type[MainstemError], str, str]] = {
        "28": (
            OperatorError,
            "refused the login",
            "Check user and password in MAINSTEM_DATABASE_URL, and the server's pg_hba.conf.",
        ),
        "3D": (
            OperatorError,
            "cannot be opened: no such database or role",
            "Create it, or correct MAINSTEM_DATABASE_URL.",
        ),
        "42501": (
            OperatorError,
            "refused: the role lacks a right",
            "Make the role owner of the database, or grant it the right.",
        ),
        "42P01": (OperatorError, "", ""),
        "53100": (
            OperatorError,
            "cannot grow: the disk is full",
            "Free space on its disk; then run it again, nothing is lost.",
        ),
        "53": (
            TemporaryError,
            "has no resources left (connections, memory)",
            "Try again; raise max_connections if it stays.",
        ),
        "55P03": (
            TemporaryError,
            "is locked by another writer",
            "End the other program that writes to it, then try again.",
        ),
        "40": (TemporaryError, "took back the transaction for the sake of another", "Try again."),
        "57": (TemporaryError, "is shutting down, starting up or cancelled the work", "Try again when it is up."),
        "25006": (
            OperatorError,
            "is read-only, a standby perhaps",
            "Name the primary server in MAINSTEM_DATABASE_URL.",
        ),
    }
    for prefix in sorted(known, key=len, reverse=True):
        if state is not None and state.startswith(prefix):
            if prefix == "42P01":
                return _unprepared(name)
            kind, what, fix = known[prefix]
            return kind(f"{name} {what}", fix)
    if state is None or state.startswith("08"):
        return TemporaryError(
            f"{name} cannot be reached", "Check that the server runs and that host and port are right; then try again."
        )
    return OperatorError(f"{name}: error {state}", "This is a defect; please report it.")


def _unprepared(name: str) -> OperatorError:
    return OperatorError(
        f"{name} has no tables of Mainstem yet", "Any `mainstem run` or `mainstem status` prepares it."
    )


def make_folder(url: URL) -> None:
    """The folder of an SQLite file. Raises OperatorError where it cannot be made."""
    if url.get_backend_name() == "sqlite" and url.database:
        folder = Path(url.database).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise OperatorError(
                f"the folder {folder} cannot be made: {exc.strerror}", "Name another place in MAINSTEM_DATABASE_URL."
            ) from exc
