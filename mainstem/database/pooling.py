"""Whether a connection still has its server, told before it is lent again.

To ask costs a round trip, as much as most of what is asked then. A server that ends a session says so or closes the socket, so of a
connection that was used a moment ago the socket is looked at; only one that has something to tell, or lay still for long, is asked.
"""

import select
from time import monotonic
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

ASKED_AFTER = 30.0
"""Seconds a connection lay still after which it is asked: what stands between may have dropped it without a word."""
_BACK = "mainstem back"


def look_before_lending(engine: Engine, *, now: Any = monotonic) -> None:
    """From now on no connection that lost its server is lent: another takes its place."""

    @event.listens_for(engine, "checkin")
    def back(_connection: Any, record: Any) -> None:
        record.info[_BACK] = now()

    @event.listens_for(engine, "checkout")
    def lent(connection: Any, record: Any, _fairy: Any) -> None:
        since = record.info.get(_BACK)
        if since is None:
            return  # it was made just now
        if (now() - since > ASKED_AFTER or not _is_silent(connection)) and not _answers(engine, connection):
            raise InvalidatePoolError


def _is_silent(connection: Any) -> bool:
    """Whether nothing came from the server since its last answer, and the socket is open; not where a system cannot tell (Windows)."""
    if connection.closed or not hasattr(select, "poll"):
        return False
    looking = select.poll()
    looking.register(connection.fileno(), select.POLLIN)
    return not looking.poll(0)


def _answers(engine: Engine, connection: Any) -> bool:
    try:
        return engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error:
        return False
