"""Probe: is the schedule one? A night that is planned by no cron expression never begins."""

from mainstem.check.finding import Finding, failed
from mainstem.check.probe import Probe, Visit
from schemas.errors import OperatorError


def _look(visit: Visit) -> list[Finding]:
    """Nothing where it is one."""
    from mainstem.config.schedule import is_schedule  # each night's check, which does not look, needs it not

    if is_schedule(visit.site.schedule):
        return []
    fix = "Write minute, hour, day, month and weekday: 30 2 * * * is every night at half past two."
    return [failed("schedule", OperatorError("is no cron expression", fix))]


PROBE = Probe(_look, closer=True)
