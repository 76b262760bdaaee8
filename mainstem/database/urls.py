"""Which database: the URLs we take, what they are called in messages, and their files, private to their owner."""

import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from schemas.encryption import require_encryption
from schemas.errors import OperatorError
from schemas.showing import HIDDEN, address, shown

_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
DATABASE = re.compile(r"[\w.$-]{1,63}")
OTHERS = ("mariadb", "mssql", "mysql", "oracle")
"""Kinds that are named in a message; another word may be part of a password."""
LANDING = "landing"
"""The folder of raw FHIR, which lies beside the state where no setting says otherwise."""
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
        in_the_open(url, setting=setting)
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        kind = backend if backend in OTHERS else "named there"
        raise OperatorError(f"Mainstem does not know databases of the kind {kind}", examples)
    if url.host or url.username or url.password or url.query:
        raise OperatorError("an SQLite database is a file: no host, user or options", examples)
    if not url.database or url.database == ":memory:":
        raise OperatorError("an SQLite database needs a file to be kept in", examples)
    return url


def in_the_open(url: URL, *, setting: str = STATE) -> list[str]:
    """What travels unencrypted, a sentence a host, where the URL allows it. Raises OperatorError where it does not.

    `sslmode=disable`, written out, is the allowance. Without a word libpq takes TLS only where the server offers it, and
    whoever sits in between can say that it does not.
    """
    if url.get_backend_name() == "sqlite":
        return []
    mode = _option(url, "sslmode") or os.environ.get("PGSSLMODE", "")
    found = (
        require_encryption(
            encrypted=mode in _ENCRYPTED,
            host=host,
            allowed=mode == "disable",
            carries="records and the password",
            place=f"PostgreSQL at {HIDDEN if _two_readings(url) else address(host)}",
            fix=f"Add ?sslmode=verify-full (or require) to {setting}; or, where the network itself is encrypted, "
            "?sslmode=disable.",
        )
        for host in _hosts(url)
    )
    return [sentence for sentence in found if sentence]


def _hosts(url: URL) -> list[str]:
    """The hosts reached over a network; a path is a socket of this machine."""
    said = _option(url, "host") or url.host or os.environ.get("PGHOST", "")
    said += "," + _option(url, "hostaddr")
    return [host for host in said.split(",") if host and not host.startswith(("/", "@"))]


def _option(url: URL, name: str) -> str:
    value = url.query.get(name, "")
    return value if isinstance(value, str) else ",".join(value)


def name_of(url: URL) -> str:
    """The database in a message: file, or host, port and name; no user, no password."""
    if url.get_backend_name() == "sqlite":
        return f"SQLite {shown(url.database)}"
    host = url.host or _option(url, "host") or "localhost"
    host = f"[{host}]" if ":" in host and "/" not in host else host
    port = f":{url.port}" if url.port else ""
    name = url.database or ""
    if _two_readings(url) or not DATABASE.fullmatch(name):
        return f"PostgreSQL {HIDDEN}"
    return f"PostgreSQL {name} at {address(f'{host}{port}')}"


def _two_readings(url: URL) -> bool:
    """Whether what was read as its host or its name may be a part of the password: an `@` or a `/` too many."""
    return any(mark in f"{url.username or ''}{url.password or ''}" for mark in "/?#@")


def make_private(url: URL, *, setting: str = STATE) -> None:
    """An SQLite database's file and folder, made where they are missing, for their owner alone; SQLite gives what it puts
    beside the file the same rights. Those that are there and open to others are closed to them, the folder where it holds
    nothing but what is ours. Raises OperatorError where they cannot be made."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    file = Path(url.database)
    try:
        make_folder(file.parent)
        if not file.exists():
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        for each in file.parent.glob(f"{file.name}*"):
            _close_to_others(each)
        if all(".db" in each.name or each.name == LANDING for each in file.parent.iterdir()):
            _close_to_others(file.parent)
    except OSError as exc:
        raise OperatorError(f"{file} cannot be made: {exc.strerror}", f"Name another place in {setting}.") from exc


def left_open(url: URL) -> list[str]:
    """What others can read though it was to be closed to them, a sentence each: another user's file, or a share without rights."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return []
    file = Path(url.database)
    return open_to_others(file.parent.glob(f"{file.name}*"))


def open_to_others(paths: Iterable[Path]) -> list[str]:
    """Closes files and folders to group and others; those that stay open to them, a sentence each with what to do."""
    found = []
    for path in sorted(paths):
        _close_to_others(path)
        with suppress(FileNotFoundError, PermissionError):
            if (mode := path.stat().st_mode) & 0o077:
                rights, closed = stat.S_IMODE(mode), "700" if path.is_dir() else "600"
                found.append(
                    f"{path} is open to others of this machine (mode {rights:04o}); as its owner: chmod {closed} {path}"
                )
    return found


def _close_to_others(path: Path) -> None:
    """Takes the rights of group and others, as far as they can be taken: it may be another user's, or a share knows none."""
    with suppress(FileNotFoundError, PermissionError):  # SQLite may just have removed it
        mode = path.stat().st_mode
        if mode & 0o077:
            path.chmod(stat.S_IMODE(mode) & 0o700)


def make_folder(folder: Path) -> None:
    """The folder and those above it, each private where it is made here; `mkdir(parents=True)` gives the mode to the last only."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
