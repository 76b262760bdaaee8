"""The step publish: what is pending to Kafka."""

import structlog

from mainstem import telemetry
from mainstem.publisher import Published
from mainstem.refresh.opening import Refresh
from mainstem.refresh.telling import disclosed

log = structlog.get_logger()


def publish(refresh: Refresh, load_id: str) -> int:
    """Publishes the site's pending changes until none is left. Returns how many events the broker acknowledged."""
    doing = telemetry.span("publish", load_id, site=refresh.site.site)
    with doing, refresh.publisher() as publisher:
        published = publisher.publish()
    return note_published(refresh, load_id, published)


def note_published(refresh: Refresh, load_id: str, published: Published) -> int:
    """Logs what was acknowledged, and notes it as disclosed."""
    disclosed(refresh, published)
    log.info("published", site=refresh.site.site, load=load_id, events=published.events)
    return published.events
