"""What the state wants told goes out: events about the site wait there like changes do."""

import structlog

from mainstem.kafka.settings import unreachable
from mainstem.publisher import Published
from mainstem.refresh.opening import Refresh
from mainstem.state.audit import Deed
from schemas.errors import MainstemError

log = structlog.get_logger()


def disclosed(refresh: Refresh, published: Published) -> None:
    """Notes in the audit log what left the site."""
    if published.events:
        what = f"{published.events} events published, {published.tombstones} of them withdrawals"
        refresh.store.audit.note(refresh.site.site, Deed.DISCLOSE, what, refresh.clock())


def tell(refresh: Refresh) -> None:
    """Sends what waits. Raises TemporaryError where the broker is away; what waits stays."""
    with refresh.publisher() as publisher:
        published = publisher.publish()
    disclosed(refresh, published)


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
