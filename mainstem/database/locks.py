"""Locks that vanish with their process, even by kill -9: one at a time does a task."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import IO

from sqlalchemy import Engine, text

from schemas.errors import OperatorError, TemporaryError


@contextmanager
def exclusive(engine: Engine, right: str, doing: str) -> Iterator[None]:
    """Holds a right (`publishing-north`; it names a file) that one has at a time. Raises TemporaryError naming the holder
    when taken; `doing` says in the message what the holder is at (`publishing north`)."""
    if engine.dialect.name == "sqlite":
        with _file_lock(Path(str(engine.url.database)), right, doing):
            yield
    else:
        with _advisory_lock(engine, right, doing):
            yield


def _taken(doing: str, holder: str) -> TemporaryError:
    return TemporaryError(
        f"{holder or 'another process'} is {doing} already", "Wait until it ends, or end it; then run this again."
    )


@contextmanager
def _file_lock(database: Path, right: str, doing: str) -> Iterator[None]:
    with open_lock(database.with_name(f"{database.name}.{right}.lock")) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise _taken(doing, file.read(200).strip()) from None
        file.truncate(0)
        file.write(_me())
        file.flush()
        yield  # closing the file gives the lock back; the file stays: removing it would let two hold a lock each


def open_lock(path: Path) -> IO[str]:
    """A file to be locked, made where it is missing. Raises OperatorError."""
    try:
        return os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600), "a+")
    except OSError as exc:
        raise OperatorError(
            f"the lock file {path} cannot be written: {exc.strerror}", "Give this user the right to write the folder."
        ) from exc


@contextmanager
def _advisory_lock(engine: Engine, right: str, doing: str) -> Iterator[None]:
    """A session's lock on a connection of its own; a pooler between us and the server must keep sessions apart."""
    key = int.from_bytes(blake2b(f"mainstem/{right}".encode(), digest_size=8).digest(), signed=True)
    halves = {"high": (key >> 32) & 0xFFFFFFFF, "low": key & 0xFFFFFFFF}
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # closed at the end, never given to others
        connection.execute(text("SELECT set_config('application_name', :me, false)"), {"me": f"mainstem {_me()}"})
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one():
            raise _taken(doing, str(connection.execute(_HOLDER, halves).scalar() or ""))
        yield


_HOLDER = text(
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND l.classid::bigint = :high AND l.objid::bigint = :low AND l.objsubid = 1"
)


def _me() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
