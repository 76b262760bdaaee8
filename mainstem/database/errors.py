"""Errors of both databases in words of ours: never statement text, never data. Used by state, consumer and registry alike."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, TimeoutError

from mainstem.database.urls import STATE, name_of
from schemas.errors import MainstemError, OperatorError, TemporaryError

PREPARED_BY = "Any `mainstem run` or `mainstem status` prepares it."
"""What makes the state's tables."""

Known = dict[str, tuple[type[MainstemError], str, str]]
"""By the beginning of the database's code: kind, what happened, what to do. `{setting}` is the variable that names the database."""

_LOCKED = (TemporaryError, "is locked by another writer", "End the other program that writes to it, then try again.")
_FULL = (
    OperatorError,
    "cannot grow: the disk is full",
    "Free space on its disk; then run it again, nothing is lost.",
)
_NO_RIGHT = (OperatorError, "may not be written to", "Give this user the right to write the file and its folder.")

OF_SQLITE: Known = {
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR": (
        OperatorError,
        "cannot be read or written: the disk fails or is full",
        "Look at its disk and free space.",
    ),
    "SQLITE_CANTOPEN": (OperatorError, "cannot be opened", "Check that its folder exists and may be written to."),
    "SQLITE_READONLY": _NO_RIGHT,
    "SQLITE_PERM": _NO_RIGHT,
    "SQLITE_NOTADB": (OperatorError, "is not an SQLite database", "Name another file in {setting}."),
    "SQLITE_CORRUPT": (OperatorError, "is damaged", "Put a backup in its place, then `mainstem restore` its sites."),
}

OF_POSTGRESQL: Known = {
    "08": (
        TemporaryError,
        "cannot be reached",
        "Check that the server runs and that host and port are right; then try again.",
    ),
    "25006": (OperatorError, "is read-only, a standby perhaps", "Name the primary server in {setting}."),
    "28": (OperatorError, "refused the login", "Check user and password in {setting}, and the server's pg_hba.conf."),
    "3D": (OperatorError, "cannot be opened: no such database or role", "Create it, or correct {setting}."),
    "40": (TemporaryError, "took back the transaction for the sake of another", "Try again."),
    "42501": (
        OperatorError,
        "refused: the role lacks a right",
        "Make the role owner of the database, or grant it the right.",
    ),
    "53": (
        TemporaryError,
        "has no resources left (connections, memory)",
        "Try again; raise max_connections if it stays.",
    ),
    "53100": _FULL,
    "55P03": _LOCKED,
    "57": (TemporaryError, "is shutting down, starting up or cancelled the work", "Try again when it is up."),
}

NO_TABLE = "42P01"
OTHER_WORDS = re.compile(r"no such column|already exists")
"""SQLite has one code for all that a statement may be wrong in."""
OTHER_TABLES = ("42703", "42P07")
"""PostgreSQL: no such column; a table of that name is there already."""
NO_VALUE = "22000"
NO_SESSION = {
    "password": "28P01",
    "no pg_hba.conf entry": "28000",
    "does not exist": "3D000",
    "not permitted": "28000",
}
"""psycopg gives no code for what happens before or after a session; the words are libpq's or the server's."""


@contextmanager
def translated(url: URL, *, setting: str = STATE, prepared_by: str = PREPARED_BY) -> Iterator[None]:
    """Errors of the drivers as ours; their text may hold data or statements, so it goes no further.

    `setting` names the database, `prepared_by` says what makes its tables.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as exc:
        raise explained(url, exc, setting=setting, prepared_by=prepared_by) from None
    except Exception as exc:
        if not _of_psycopg(exc):
            raise
        raise explained(url, exc, setting=setting, prepared_by=prepared_by) from None


def explained(url: URL, error: BaseException, *, setting: str = STATE, prepared_by: str = PREPARED_BY) -> MainstemError:
    """The error of a driver, or SQLAlchemy's around it, in words of ours."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    name = name_of(url)
    if isinstance(cause, sqlite3.Error):
        code, known = _sqlite_code(cause), OF_SQLITE
    elif _of_psycopg(cause):
        code, known = _postgresql_code(cause), OF_POSTGRESQL
    elif isinstance(cause, TimeoutError):
        return TemporaryError(f"{name} is asked too much at once", "Try again.")
    else:
        return OperatorError(f"{name}: {type(cause).__name__}", "This is a defect; please report it.")
    if code in OTHER_TABLES or (code == "SQLITE_ERROR" and OTHER_WORDS.search(str(cause))):
        return OperatorError(
            f"{name} holds tables that are not Mainstem's, or not this version's",
            f"Name another database in {setting}, or run the Mainstem that made it.",
        )
    if code == NO_TABLE:
        return OperatorError(f"{name} has no tables of Mainstem yet", prepared_by)
    for prefix in sorted(known, key=len, reverse=True):
        if code.startswith(prefix):
            kind, what, fix = known[prefix]
            return kind(f"{name} {what}", fix.format(setting=setting))
    return OperatorError(f"{name}: error {code}", "This is a defect; please report it.")


def _of_psycopg(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] == "psycopg"


def _sqlite_code(error: sqlite3.Error) -> str:
    if "no such table" in str(error):
        return NO_TABLE
    return getattr(error, "sqlite_errorname", "") or type(error).__name__


def _postgresql_code(error: BaseException) -> str:
    """The SQLSTATE; that of a lost connection where there is none, and of a value that psycopg itself refuses."""
    code: str | None = getattr(error, "sqlstate", None)
    if not code and type(error).__name__ == "DataError":
        return NO_VALUE
    return code or next((code for words, code in NO_SESSION.items() if words in str(error)), "08")
