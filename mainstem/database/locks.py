"""Locks that vanish with their process, even by kill -9: one at a time does a task."""

import fcntl
import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import IO, Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from mainstem.database.options import ASKS
from schemas.errors import OperatorError, TemporaryError


class Rights(Protocol):
    """Rights that one has at a time, each with a name (`publishing-north`)."""

    def hold(self, right: str, doing: str) -> AbstractContextManager[None]:
        """While the context lasts. Raises TemporaryError naming the holder when taken; `doing` says in the message what the
        holder is at (`publishing north`)."""

    def is_held(self, rights: Iterable[str]) -> bool:
        """Whether any of them is held by anybody."""


def rights_of(engine: Engine) -> Rights:
    """Those kept by a database."""
    return FileLocks(Path(str(engine.url.database))) if engine.dialect.name == "sqlite" else Session(engine)


def _taken(doing: str, holder: str) -> TemporaryError:
    return TemporaryError(
        f"{holder or 'another process'} is {doing} already", "Wait until it ends, or end it; then run this again."
    )


class FileLocks:
    """A file a right, beside the database."""

    def __init__(self, database: Path) -> None:
        self._database = database

    @contextmanager
    def hold(self, right: str, doing: str) -> Iterator[None]:
        """See Rights."""
        with open_lock(self._database.with_name(f"{self._database.name}.{right}.lock")) as file:
            if not (_take(file) or _take_again(file)):
                file.seek(0)
                raise _taken(doing, file.read(200).strip())
            file.truncate(0)
            file.write(_me())
            file.flush()
            yield  # closing the file gives the lock back; the file stays: removing it would let two hold a lock each

    def is_held(self, rights: Iterable[str]) -> bool:
        """See Rights."""
        return any(_is_locked(self._database.with_name(f"{self._database.name}.{right}.lock")) for right in rights)


def _take(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _take_again(file: IO[str]) -> bool:
    """Who only looked, as `is_held` does, is gone by now."""
    time.sleep(0.05)
    return _take(file)


def _is_locked(path: Path) -> bool:
    """Looked at by a shared lock, so that two who look do not take each other for the holder."""
    with suppress(OSError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def open_lock(path: Path) -> IO[str]:
    """A file to be locked, made where it is missing. Raises OperatorError."""
    try:
        return os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600), "a+")
    except OSError as exc:
        raise OperatorError(
            f"the lock file {path} cannot be written: {exc.strerror}", "Give this user the right to write the folder."
        ) from exc


class Session:
    """Advisory locks, all of a process in one session on a connection of its own, open while one is held: a connection for
    each step and type would take a tenth of a night in which nothing changed.

    A pooler between us and the server must keep sessions apart.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._held: set[int] = set()
        self._one_at_a_time = Lock()

    @contextmanager
    def hold(self, right: str, doing: str) -> Iterator[None]:
        """See Rights."""
        key = _key(right)
        with self._one_at_a_time:
            self._take(key, doing)
        try:
            yield
        finally:
            with self._one_at_a_time:
                self._give_back(key)

    def is_held(self, rights: Iterable[str]) -> bool:
        """See Rights."""
        keys = [_key(right) for right in rights]
        with self._engine.connect().execution_options(**ASKS) as connection:
            return bool(connection.execute(_ANY_HELD, {"keys": keys}).scalar_one())

    def _take(self, key: int, doing: str) -> None:
        if key in self._held:  # the server would give a session the same lock twice
            raise _taken(doing, _me())
        try:
            connection = self._connected()
            if not connection.execute(_TRY, {"key": key}).scalar_one():
                halves = {"high": (key >> 32) & 0xFFFFFFFF, "low": key & 0xFFFFFFFF}
                raise _taken(doing, str(connection.execute(_HOLDER, halves).scalar() or ""))
            self._held.add(key)
        finally:
            self._close_unless_held()

    def _give_back(self, key: int) -> None:
        self._held.discard(key)
        if self._held and self._connection is not None:
            with suppress(DBAPIError):  # a session that was cut off holds nothing more
                self._connection.execute(_UNLOCK, {"key": key})
        self._close_unless_held()

    def _connected(self) -> Connection:
        if self._connection is not None and self._connection.invalidated:
            self._connection.close()
            self._connection = None
        if self._connection is None:
            self._connection = self._engine.connect()
            self._connection.execution_options(**ASKS)
            self._connection.detach()  # closed at the end, never given to others
            self._connection.execute(_NAME, {"me": f"mainstem {_me()}"})
        return self._connection

    def _close_unless_held(self) -> None:
        if not self._held and self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()


def in_turn(connection: Connection, what: str) -> None:
    """Waits until no other transaction is at it, and keeps others from it until this one ends; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _key(what)})


def _key(right: str) -> int:
    return int.from_bytes(blake2b(f"mainstem/{right}".encode(), digest_size=8).digest(), signed=True)


_NAME = text("SELECT set_config('application_name', :me, false)")
_TRY = text("SELECT pg_try_advisory_lock(:key)")
_ANY_HELD = text(
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND ((classid::bigint << 32) | objid::bigint) = ANY(:keys))"
)
_UNLOCK = text("SELECT pg_advisory_unlock(:key)")
_HOLDER = text(
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND l.classid::bigint = :high AND l.objid::bigint = :low AND l.objsubid = 1"
)


def _me() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
