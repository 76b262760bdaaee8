"""What the state wants told goes out: events about the site wait there like changes do."""

import structlog

from mainstem.kafka.settings import unreachable
from mainstem.refresh.opening import Refresh
from schemas.errors import MainstemError

log = structlog.get_logger()


def tell(refresh: Refresh) -> None:
    """Sends what waits. Raises TemporaryError where the broker is away; what waits stays."""
    with refresh.publisher() as publisher:
        publisher.publish()


def try_to_tell(refresh: Refresh) -> None:
    """The same where no step depends on it: what waits goes out with the next publishing.

    Nobody waits here for a broker that does not answer at once: the step publish does, and one wait a run is enough.
    """
    try:
        if away := unreachable(refresh.settings.kafka_settings()):
            raise away
        tell(refresh)
    except MainstemError as exc:
        log.warning("events of the load wait for the broker", site=refresh.site.site, cause=exc.cause)
