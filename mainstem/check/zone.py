"""Probe: do the times that come fit the time zone of the site file? Times without an offset are read in it, and days told by it."""

import re
from collections import Counter
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from mainstem.check.finding import Finding, failed
from mainstem.check.probe import Probe, Visit
from mainstem.config.new_site import WITHOUT_SUMMER
from schemas.errors import IncompleteError

_TIME = re.compile(rb'"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d+)?([+-]\d{2}:\d{2})"')
"""With an offset of a place: Z is a computer's."""
_OF_SERVERS = re.compile(rb'"(?:lastUpdated|issued|recorded)"\s*:\s*"[^"]*"')
_ENOUGH = 3
_MOSTLY = 0.5


def _look(visit: Visit) -> list[Finding]:
    """Nothing where few offsets stand in a sample, or most of them fit."""
    if visit.site.time_zone in WITHOUT_SUMMER:
        fix = "Write the hospital's place into the site file: America/New_York."
        return [failed("time zone", IncompleteError(f"{visit.site.time_zone} keeps no summer time", fix))]
    zone, seen, other = ZoneInfo(visit.site.time_zone), 0, Counter[str]()
    for line in (line for lines in visit.sampled().lines.values() for line in lines):
        for clock, offset in _TIME.findall(_OF_SERVERS.sub(b"", line)):
            if offset[1:] != b"00:00":
                seen += 1
                other.update([offset.decode()] if not _fits(clock.decode(), offset.decode(), zone) else [])
    if seen < _ENOUGH or other.total() <= seen * _MOSTLY:
        return []
    fault = IncompleteError(
        f"{other.total()} of {seen} times in a sample have another offset ({', '.join(sorted(other))}) than "
        f"{visit.site.time_zone} has then",
        "Set time_zone in the site file to the hospital's own; right is one whose clock has these offsets.",
    )
    return [failed("time zone", fault)]


def _fits(clock: str, offset: str, zone: ZoneInfo) -> bool:
    try:
        then = datetime.fromisoformat(f"{clock}{offset}")
    except ValueError:
        return True  # the mapping says what is wrong with it
    return then.astimezone(zone).utcoffset() == (then.utcoffset() or timedelta())


PROBE = Probe(_look, after="pages", closer=True)
