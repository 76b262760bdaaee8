"""Tokens of the HTTP API: who may read what. Only a token's SHA-256 is kept: it is 256 random bits, so nobody finds it by trying.

Until the first one without a role is made the API answers whoever reaches it; from then on, and for good, nobody without one.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, exists, func, select, union, update

from schemas.errors import OperatorError
from schemas.outcomes import RECORD_TYPES
from schemas.sites import SITE_PATTERN
from services.registry.tables import RECORD_TABLES, load, token
from services.registry.write import write

PREFIX = "mst_"
"""By which a token that lies where it should not can be found."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
PAGES = "pages"
"""What a token with a role reads, and that alone: the API has no such reading, that of the version before neither."""
FORM = re.compile(r"[A-Za-z0-9_-]{20,200}")


class Read(StrEnum):
    """What is read."""

    RECORDS = "records"
    """The current state, page by page."""
    HISTORY = "history"
    """What was: a record's changes, the state as of a moment, what changed since."""
    EXPORT = "export"
    """All records of a type at once."""
    LOADS = "loads"
    """The sites' loads, what is complete up to when."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token lets read; an empty tuple is all."""

    types: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()

    def refusal(self, read: Read, record_type: str | None, site: str | None) -> str | None:
        """Why it does not let read this, in words; None where it does."""
        for kind, wanted, allowed in (
            ("read", read.value, self.reads),
            ("record type", record_type, self.types),
            ("site", site, self.sites),
        ):
            if wanted is not None and allowed and wanted not in allowed:
                return f"This token is not for {kind} {wanted}; it is for {', '.join(allowed)}."
        return None


ALL = Scope()


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token."""

    name: str
    scope: Scope
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    role: str | None = None
    """Whose eyes it reads the feedback pages with; None for the API's."""

    def state(self, now: datetime) -> str:
        """`good`, or why it is not."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "good"


def make(
    connection: Connection,
    name: str,
    scope: Scope,
    *,
    now: datetime,
    expires: datetime | None = None,
    role: str | None = None,
) -> str:
    """A new token, which is told here and never again. Raises OperatorError for names that are taken or are none."""
    _prove(connection, name, scope, [PAGES] if role else list(Read))
    if connection.scalar(select(exists().where(token.c.name == name))):
        raise OperatorError(f"there is, or was, a token {name}", "Choose another name: what a name read stays clear.")
    secret = PREFIX + secrets.token_urlsafe(32)
    kept = msgspec.json.encode(asdict(scope)).decode()
    write(connection, token, [(name, _hash(secret), kept, now, expires, None, role)], replace=False)
    return secret


def _prove(connection: Connection, name: str, scope: Scope, reads: Sequence[str]) -> None:
    if not NAME.fullmatch(name):
        raise OperatorError("a token's name is of a-z, 0-9, dot, dash and underscore", "Choose such a name.")
    for kind, given, known in (("record type", scope.types, RECORD_TYPES), ("read", scope.reads, reads)):
        if unknown := sorted(set(given) - set(known)):
            raise OperatorError(f"there is no {kind} {unknown[0]}", f"There are {', '.join(known)}.")
    if wrong := [site for site in scope.sites if not re.fullmatch(SITE_PATTERN, site)]:
        raise OperatorError(f"'{wrong[0]}' is no site's name", "Give names as they stand in the events.")
    if unknown := [site for site in scope.sites if not _brought(connection, site)]:
        names = union(*(select(table.c.site) for table in (load, RECORD_TABLES["person"])))
        there_are = ", ".join(sorted(filter(None, connection.scalars(names))))
        told = there_are or "none yet; `mainstem registry run` reads what sites tell"
        raise OperatorError(f"the registry knows no site {unknown[0]}", f"It knows: {told}.")


def _brought(connection: Connection, site: str) -> bool:
    """Whether anything came of a site."""
    tables = (load, *(table for table in RECORD_TABLES.values() if "site" in table.c))
    return any(connection.scalar(select(exists().where(table.c.site == site))) for table in tables)


def revoke(connection: Connection, name: str, now: datetime) -> None:
    """Ends a token for good. Raises OperatorError where there is none of that name."""
    changed = update(token).where(token.c.name == name).values(revoked=func.coalesce(token.c.revoked, now))
    if not connection.execute(changed).rowcount:
        raise OperatorError(f"there is no token {name}", "See `mainstem registry tokens list`.")


def tokens(connection: Connection) -> list[Token]:
    """All that were ever made, by name."""
    return [_token(row) for row in connection.execute(select(token).order_by(token.c.name)).mappings()]


def any_made(connection: Connection) -> bool:
    """Whether the API asks for one: those for the pages leave it as it is."""
    return bool(connection.scalar(select(exists(select(token.c.name).where(token.c.role.is_(None))))))


def known(connection: Connection, secret: str) -> Token | None:
    """The token that was given, good or not; None where it is none of ours."""
    if not FORM.fullmatch(secret):
        return None
    row = connection.execute(select(token).where(token.c.hash == _hash(secret))).mappings().one_or_none()
    return None if row is None else _token(row)


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _token(row: Any) -> Token:
    scope = Scope(**{name: tuple(values) for name, values in row["scope"].items()})
    return Token(row["name"], scope, row["created"], row["expires"], row["revoked"], row["role"])


def scope_of(types: Sequence[str], sites: Sequence[str], reads: Sequence[str]) -> Scope:
    """A scope of what stands in lists, each once, in order."""
    return Scope(*(tuple(sorted(set(given))) for given in (types, sites, reads)))
