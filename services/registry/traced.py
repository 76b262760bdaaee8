"""A span a request, where telemetry is on: below what its caller says, linked to the loads whose events the registry shows.

So from a page one comes to the loads it tells of, and in a load's trace to the consumer that brought it. The route, never the address,
which may hold a person's pseudonym.
"""

import time

from sqlalchemy import Engine, func, select
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mainstem import telemetry
from schemas.errors import MainstemError
from services.registry.database import reading
from services.registry.tables import load
from services.serving import Answer

SECONDS = 30.0
"""For how long the loads are taken for the newest."""


def traced(app: ASGIApp, engine: Engine) -> ASGIApp:
    """The application with a span a request; itself where nothing is sent."""
    return Traced(app, engine) if telemetry.is_on() else app


class Traced:
    """See the module."""

    def __init__(self, app: ASGIApp, engine: Engine) -> None:
        self.app, self._engine = app, engine
        self._loads: list[str] = []
        self._asked = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands on within a span; `scope["trace"]` is its trace's id, which the request's line of log has."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if time.monotonic() - self._asked > SECONDS:
            self._asked = time.monotonic()
            self._loads = await run_in_threadpool(newest, self._engine)
        with telemetry.request(Headers(scope=scope).get("traceparent", ""), self._loads) as asked:
            scope["trace"], answer = asked.trace, Answer(send)
            try:
                await self.app(scope, receive, answer)
            finally:  # the route of a HEAD is known only now
                asked.answered(scope["method"], getattr(scope.get("route"), "path", "none"), answer.status)


def newest(engine: Engine) -> list[str]:
    """The load of each site that was completed last. None while the registry cannot be asked: a page says so itself."""
    row = load.c
    last = select(row.site, func.max(row.ended).label("ended")).where(row.event == "completed").group_by(row.site)
    of_site = last.subquery()
    wanted = select(row.load).join(of_site, (row.site == of_site.c.site) & (row.ended == of_site.c.ended))
    try:
        with reading(engine) as connection:
            return list(connection.scalars(wanted.order_by(row.load)))
    except MainstemError:
        return []
