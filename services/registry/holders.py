"""Tokens for the feedback pages: each reads what somebody of its role reads, is noted as they are, and ends on a day."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine

from schemas.errors import OperatorError
from services.access.bearer import BearerError
from services.access.viewers import Role, Viewer
from services.registry.database import reading
from services.registry.tokens import PAGES, Scope, known, make

USUAL, LONGEST = timedelta(days=90), timedelta(days=366)
"""So long a token holds where nobody says otherwise, and at most."""


def make_for_pages(
    connection: Connection, name: str, role: str, sites: Sequence[str], *, now: datetime, lasting: timedelta | None
) -> str:
    """A new token of a role at some sites. Raises OperatorError where the two do not fit, or it would hold too long."""
    if role not in set(Role):
        raise OperatorError(f"there is no role {role}", f"There are {', '.join(Role)}.")
    if Role(role).of_a_site and not sites:
        raise OperatorError(f"a {role} is somebody's at a site, and none is named", "Add --site, once for each.")
    if sites and not Role(role).of_a_site:
        raise OperatorError(f"a {role} is of no site", "Leave --site away, or choose --role site-team or clinician.")
    if (lasting or USUAL) > LONGEST:
        raise OperatorError(
            f"a token for the pages holds {LONGEST.days} days at most", "Make a new one when it has ended."
        )
    return make(
        connection, name, Scope((), tuple(sites), (PAGES,)), now=now, expires=now + (lasting or USUAL), role=role
    )


class Holders:
    """Whose the tokens of a registry are."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._engine = engine
        self._clock = clock

    def viewer(self, secret: str) -> Viewer:
        """Somebody of the token's role and sites. Raises BearerError."""
        with reading(self._engine) as connection:
            found = known(connection, secret)
        if found is None:
            raise BearerError("This token is not known here.")
        if (state := found.state(self._clock())) != "good":
            raise BearerError(f"The token {found.name} is {state}.")
        if found.role not in set(Role):
            raise BearerError(f"The token {found.name} is not for these pages: it was made without a role.", 403)
        return Viewer(f"token/{found.name}", found.name, frozenset({Role(found.role)}), frozenset(found.scope.sites))
