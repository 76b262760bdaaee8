"""The last attempt at each site, whether there came to be a load of it or not."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from mainstem.database import Database
from mainstem.state import tables
from schemas.errors import ExitCode, MainstemError


class Attempt(NamedTuple):
    """How the last one went."""

    began: datetime
    ended: datetime | None
    """None while somebody is at it, and for ever where it was interrupted."""
    exit_code: int | None
    cause: str
    """Of one that did not end: what it waits for, while nobody is at it."""
    fix: str
    who: str


class Attempts:
    """One a site, the last."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, site: str) -> Attempt | None:
        """None where nobody tried since this is kept."""
        row = tables.attempt.c
        columns = (row[name] for name in Attempt._fields)
        with self._database.read() as connection:
            found = connection.execute(select(*columns).where(row.site == site)).first()
        return None if found is None else Attempt(*found)

    def begin(self, site: str, at: datetime) -> None:
        """In the place of the one before; of two at the same moment, the second's stays."""
        new = {"began": at, "ended": None, "exit_code": None, "cause": "", "fix": "", "who": ""}
        with self._database.write() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            statement = dialect.insert(tables.attempt).values(site=site, **new)
            connection.execute(statement.on_conflict_do_update(index_elements=["site"], set_=new))

    def waits(self, site: str, cause: str) -> None:
        """Nobody is at it, and it is not over: it goes on by itself."""
        row = tables.attempt
        with self._database.write() as connection:
            connection.execute(update(row).where(row.c.site == site).values(cause=cause))

    def end(self, site: str, at: datetime, exit_code: ExitCode, error: MainstemError | None = None) -> None:
        """How it ended, and why where it failed."""
        why = (
            {"cause": error.cause, "fix": error.fix, "who": error.who} if error else {"cause": "", "fix": "", "who": ""}
        )
        row = tables.attempt
        with self._database.write() as connection:
            connection.execute(update(row).where(row.c.site == site).values(ended=at, exit_code=int(exit_code), **why))
