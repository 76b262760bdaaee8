"""What the network is told of a load: put among the events to be sent, in the transaction that makes it true."""

from datetime import datetime

from sqlalchemy import Connection

from mainstem.state.outbox import tell
from schemas.loads import LoadEvent, LoadEventType, LoadReport


def ended_as(report: LoadReport, started: datetime, ended: datetime, error: str | None = None) -> LoadEvent:
    """The event of a load that ended with this report."""
    return LoadEvent(
        load=report.load,
        site=report.site,
        event=LoadEventType.FAILED if report.status == "failed" else LoadEventType.COMPLETED,
        mode=report.mode,
        started=started,
        ended=ended,
        types={name: counts.model_copy(update={"unmapped": {}}) for name, counts in report.types.items()},
        watermarks=report.watermarks,
        gaps=report.gaps,
        accepted=report.accepted,
        status=report.status,
        published=report.published,
        replay=report.replay,
        refused=report.refused,
        error=error,
        quality=report.quality,
    )


def tell_load(connection: Connection, event: LoadEvent, at: datetime) -> None:
    """Puts what happened to a load among the events to be sent."""
    value = event.model_dump_json(exclude_none=True).encode()
    tell(connection, event.site, "load", event.load, event.event, at, value)
