"""What `mainstem status` knows, as figures for a monitor: by site, and by site and type."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from mainstem.config.metrics import gauge
from mainstem.state.site_status import SiteStatus
from mainstem.state.status import SiteType

STATES = ("ok", "running", "never loaded", "gaps", "late", "failed", "interrupted", "broken file")
OF_SITES: Mapping[str, tuple[str, Callable[[SiteStatus, datetime], float | None]]] = {
    "mainstem_site_needs_attention": (
        "1 where somebody should look at the site.",
        lambda each, now: each.needs_attention,
    ),
    "mainstem_site_late": (
        "1 where its schedule passed and nothing was loaded.",
        lambda each, now: each.late_since is not None,
    ),
    "mainstem_site_last_whole_load_timestamp_seconds": (
        "When the last load began that completed.",
        lambda each, now: each.whole_from.timestamp() if each.whole_from else None,
    ),
    "mainstem_site_last_attempt_exit_code": (
        "How the last attempt ended; 0 and 3 went well.",
        lambda each, now: each.attempt.exit_code if each.attempt else None,
    ),
    "mainstem_site_last_load_duration_seconds": (
        "How long the last load took that completed.",
        lambda each, now: each.pace.took.total_seconds() if each.pace else None,
    ),
    "mainstem_site_usual_load_duration_seconds": (
        "How long one of its kind usually takes: the median of those before.",
        lambda each, now: each.pace.usual.total_seconds() if each.pace and each.pace.usual is not None else None,
    ),
}
OF_TYPES: Mapping[str, tuple[str, Callable[[SiteType, datetime], float | None]]] = {
    "mainstem_type_watermark_age_seconds": (
        "How long ago everything of the type was complete.",
        lambda row, now: (now - row.watermark).total_seconds() if row.watermark else None,
    ),
    "mainstem_type_records": ("Records not withdrawn.", lambda row, now: row.records),
    "mainstem_type_pending": ("Changes that wait for the broker.", lambda row, now: row.pending),
    "mainstem_type_oldest_pending_age_seconds": (
        "How long the oldest of them waits.",
        lambda row, now: (now - row.oldest_pending).total_seconds() if row.oldest_pending else 0,
    ),
    "mainstem_type_refused": ("Changes that cannot be sent.", lambda row, now: row.refused),
    "mainstem_type_gaps": ("Windows that are missing.", lambda row, now: len(row.gaps)),
    "mainstem_type_quarantined": ("Resources that could not be used.", lambda row, now: sum(row.quarantined.values())),
}
"""Name → meaning, value; None where nothing can be said."""
STATE = "mainstem_site_state"


def site_metrics(found: Sequence[SiteStatus], now: datetime) -> str:
    """In Prometheus's text format."""
    texts = [
        gauge(
            STATE,
            "1 for the state the site is in.",
            (({"site": each.site, "state": state}, state == each.state) for each in found for state in STATES),
        )
    ]
    for name, (meaning, of_site) in OF_SITES.items():
        told = [({"site": each.site}, of_site(each, now)) for each in found]
        texts.append(gauge(name, meaning, [(labels, value) for labels, value in told if value is not None]))
    rows = [row for each in found for row in each.rows if not row.silent]
    for name, (meaning, of_type) in OF_TYPES.items():
        typed = [({"site": row.site, "type": row.resource_type}, of_type(row, now)) for row in rows]
        texts.append(gauge(name, meaning, [(labels, value) for labels, value in typed if value is not None]))
    return "".join(texts)
