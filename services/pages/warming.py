"""Counts every measure beside the pages, before anybody asks: when the pages start, and when loads have ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import structlog

from schemas.errors import MainstemError
from services.measures.declared import Measure
from services.measures.library import measures
from services.pages.counted import LONGEST_SECONDS, Together, state_of
from services.pages.site import PageSite
from services.people.reaching import arrived, note_counted

log = structlog.get_logger(__name__)
EVERY_SECONDS = 10.0
"""So often the registry is asked whether a load has begun or ended. While that goes on, nothing is counted."""

LEAVING_SECONDS = 2.0
"""A server that ends waits no longer for a count, which only reads."""


@contextmanager
def warmed(site: PageSite) -> Iterator[None]:
    """While the context lasts."""
    stop = Event()
    site.memory.beside = True
    thread = Thread(target=_keep_warm, args=(site, stop), name="counting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(LEAVING_SECONDS)


def _keep_warm(site: PageSite, stop: Event) -> None:
    counted: object = None
    before: object = None
    since = 0.0
    while not stop.is_set():
        try:
            with site.registry() as connection:
                now = state_of(connection)
            calm, since = now == before, since + EVERY_SECONDS
            if counted is None or (calm and (now != counted or since > LONGEST_SECONDS)):
                _count(site, stop)
                counted, since = now, 0.0
            before = now
        except MainstemError as error:
            log.warning("not counted", cause=error.cause, fix=error.fix)
        stop.wait(EVERY_SECONDS)


def _count(site: PageSite, stop: Event) -> None:
    """Every measure, with all that its page shows, and how the sites' data lie beside each other; then it is noted up to what they are."""
    with site.registry() as connection:
        until = arrived(connection)
    together = Together(site.registry, list(measures().values()))
    for measure in measures().values():
        if not stop.is_set():
            _count_one(site, measure, together)
    if not stop.is_set():
        site.across()
        if until is not None:
            with site.saying() as connection:
                note_counted(connection, until, at=site.clock())


def _count_one(site: PageSite, measure: Measure, together: Together) -> None:
    """What is wrong with a measure alone holds up no other; what is wrong with the registry does."""
    try:
        with site.registry() as connection:
            site.memory.counted(connection, measure, site.clock(), together)
            site.results(connection, measure)
    except MainstemError:
        raise
    except Exception as exc:  # noqa: BLE001 — whatever a declaration raises is that measure's fault alone
        log.error("a measure cannot be counted", measure=measure.id, kind=type(exc).__name__)
        site.memory.leave(measure)
