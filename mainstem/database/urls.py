"""Which database: the URLs we take, what they are called in messages, and their files, private to their owner."""

import os
import re
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from schemas.errors import OperatorError
from schemas.showing import HIDDEN, address, shown

DATABASE = re.compile(r"[\w.$-]{1,63}")
OTHERS = ("mariadb", "mssql", "mysql", "oracle")
"""Kinds that are named in a message; another word may be part of a password."""
STATE = "MAINSTEM_DATABASE_URL"
"""The setting that names the state's database; fixes name it."""


def parse_url(text: str, *, setting: str = STATE) -> URL:
    """The database's URL; PostgreSQL gets the psycopg driver. Raises OperatorError without the text: it may hold a password."""
    examples = f"Write sqlite:///var/mainstem.db or postgresql://user@host/database ({setting})."
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError with the text
        raise OperatorError("the database URL is not valid", examples) from None
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        kind = backend if backend in OTHERS else "named there"
        raise OperatorError(f"Mainstem does not know databases of the kind {kind}", examples)
    if url.host or url.username or url.password or url.query:
        raise OperatorError("an SQLite database is a file: no host, user or options", examples)
    if not url.database or url.database == ":memory:":
        raise OperatorError("an SQLite database needs a file to be kept in", examples)
    return url


def name_of(url: URL) -> str:
    """The database in a message: file, or host, port and name; no user, no password.

    In an address with an `@` or a `/` too many, a part of the password is taken for a host or a name: see `address`.
    """
    if url.get_backend_name() == "sqlite":
        return f"SQLite {shown(url.database)}"
    asked = url.query.get("host", "localhost")
    host = url.host or (asked if isinstance(asked, str) else ",".join(asked))
    host = f"[{host}]" if ":" in host and "/" not in host else host
    port = f":{url.port}" if url.port else ""
    name, login = url.database or "", f"{url.username or ''}{url.password or ''}"
    if any(mark in login for mark in "/?#@") or not DATABASE.fullmatch(name):
        return f"PostgreSQL {HIDDEN}"
    return f"PostgreSQL {name} at {address(f'{host}{port}')}"


def make_private(url: URL, *, setting: str = STATE) -> None:
    """An SQLite database's file and folder where they are missing, for their owner alone; SQLite gives what it puts beside
    the file the same rights. Raises OperatorError where they cannot be made."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    file = Path(url.database)
    try:
        make_folder(file.parent)
        if not file.exists():
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as exc:
        raise OperatorError(f"{file} cannot be made: {exc.strerror}", f"Name another place in {setting}.") from exc


def make_folder(folder: Path) -> None:
    """The folder and those above it, each private where it is made here; `mkdir(parents=True)` gives the mode to the last only."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
