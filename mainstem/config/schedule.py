"""When a site is to be read, by its schedule in its own time zone; and whether that was kept."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter

from schemas.sites import Site

GRACE = timedelta(hours=2)
"""A load may take so long, or begin so late, before it is called late."""


def is_schedule(text: str) -> bool:
    """Whether it is a cron expression."""
    return bool(croniter.is_valid(text))


def next_load(site: Site, now: datetime) -> datetime | None:
    """When its schedule comes next, UTC; None where that is no cron expression."""
    if not is_schedule(site.schedule):
        return None
    found: datetime = croniter(site.schedule, now.astimezone(ZoneInfo(site.time_zone))).get_next(datetime)
    return found.astimezone(UTC)


def late_since(site: Site, whole_from: datetime, now: datetime) -> datetime | None:
    """The time of the schedule from which on nothing was loaded, UTC, though GRACE is over; None where it was kept.

    `whole_from` is when the last load began that completed.
    """
    if not is_schedule(site.schedule):
        return None
    local = (now - GRACE).astimezone(ZoneInfo(site.time_zone))
    due: datetime = croniter(site.schedule, local).get_prev(datetime)
    return due.astimezone(UTC) if whole_from < due else None
