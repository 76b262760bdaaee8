"""Counts every measure beside the pages, before anybody asks: when the pages start, and when loads have ended."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial
from threading import Event, Thread

import structlog
from sqlalchemy import Connection

from schemas.errors import MainstemError
from services.measures.declared import Measure
from services.measures.library import measures
from services.pages.counted import LONGEST_SECONDS, Memory, Together, state_of
from services.pages.kept import KeptSurveys
from services.pages.site import PageSite
from services.people.reaching import arrived, note_counted

log = structlog.get_logger(__name__)
EVERY_SECONDS = 10.0
"""So often the registry is asked whether a load has begun or ended. While that goes on, nothing is counted."""

LEAVING_SECONDS = 2.0
"""A server that ends waits no longer for a count, which only reads."""

Registry = Callable[[], AbstractContextManager[Connection]]
"""A connection that reads."""


@contextmanager
def warmed(site: PageSite) -> Iterator[None]:
    """While the context lasts."""
    with counting_beside(site.registry, site.memory, partial(_count, site)):
        yield


@contextmanager
def counting_beside(registry: Registry, memory: Memory, count: Callable[[Event], None]) -> Iterator[None]:
    """While the context lasts, `count` fills the memory, at once and when loads have ended; it ends early where the event is set."""
    stop = Event()
    memory.beside = True
    thread = Thread(target=_keep_warm, args=(registry, count, stop), name="counting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(LEAVING_SECONDS)


def _keep_warm(registry: Registry, count: Callable[[Event], None], stop: Event) -> None:
    counted: object = None
    before: object = None
    since = 0.0
    while not stop.is_set():
        try:
            with registry() as connection:
                now = state_of(connection)
            calm, since = now == before, since + EVERY_SECONDS
            if counted is None or (calm and (now != counted or since > LONGEST_SECONDS)):
                count(stop)
                counted, since = now, 0.0
            before = now
        except MainstemError as error:
            log.warning("not counted", cause=error.cause, fix=error.fix)
        stop.wait(EVERY_SECONDS)


def _count(site: PageSite, stop: Event) -> None:
    """Every measure, with all that its page shows, and how the sites' data lie beside each other; then it is noted up to what they are."""
    with site.registry() as connection:
        until = arrived(connection)
    kept = KeptSurveys(site.engine)
    count_all(site.registry, site.memory, list(measures().values()), site.clock, stop, kept, site.results)
    if not stop.is_set():
        site.across()
        if until is not None:
            with site.saying() as connection:
                note_counted(connection, until, at=site.clock())


def count_all(
    registry: Registry,
    memory: Memory,
    wanted: Sequence[Measure],
    clock: Callable[[], datetime],
    stop: Event,
    kept: KeptSurveys,
    then: Callable[[Connection, Measure], object] = lambda _connection, _measure: None,
) -> None:
    """Each of the measures. What is wrong with one alone holds up no other; what is wrong with the registry does."""
    together = Together(registry, wanted, kept)
    for measure in wanted:
        if stop.is_set():
            return
        try:
            with registry() as connection:
                memory.counted(connection, measure, clock(), together)
                then(connection, measure)
        except MainstemError:
            raise
        except Exception as exc:  # noqa: BLE001 — whatever a declaration raises is that measure's fault alone
            log.error("a measure cannot be counted", measure=measure.id, kind=type(exc).__name__)
            memory.leave(measure)
