"""What the network is told about a load."""

from datetime import datetime

import structlog

from mainstem.refresh.opening import Refresh
from mainstem.refresh.report import Report
from mainstem.state import Load
from schemas.errors import MainstemError
from schemas.loads import LoadEvent, LoadEventType

log = structlog.get_logger()


def load_event(
    load: Load, event: LoadEventType, ended: datetime | None, report: Report | None = None, error: str | None = None
) -> LoadEvent:
    """What is said of a load."""
    return LoadEvent(
        load=load.id,
        site=load.site,
        event=event,
        mode=load.mode,
        started=load.started,
        ended=ended,
        types=report.types if report else {},
        watermarks=report.watermarks if report else {},
        gaps=report.gaps if report else [],
        published=load.published,
        error=error,
    )


def announce(refresh: Refresh, event: LoadEvent) -> None:
    """Tells the network about a load where the broker can be reached; a load does not depend on it."""
    try:
        send(refresh, event)
    except MainstemError as exc:
        log.warning("load event not sent", site=event.site, load=event.load, event_type=event.event, cause=exc.cause)


def send(refresh: Refresh, event: LoadEvent) -> None:
    """Sends it and waits for the acknowledgement."""
    with refresh.publisher() as publisher:
        publisher.send_load_event(event)
