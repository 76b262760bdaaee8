"""A probe of the times in files or on a server's pages: are they dates that a system wrote as midnight of UTC?"""

import re

from mainstem.check.finding import Finding, failed
from mainstem.check.probe import Probe, Visit
from schemas.errors import IncompleteError

_TIME = re.compile(rb'"\d{4}-\d{2}-\d{2}T(\d{2}:\d{2}:\d{2})(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})"')
_UPDATED = re.compile(rb'"(?:lastUpdated|issued|recorded)"\s*:\s*"[^"]*"')
_ENOUGH = 20
_MOSTLY = 0.5


def _look(visit: Visit) -> list[Finding]:
    """What the first resources of each type say; nothing where few times stand in them, or the site file says so already."""
    if visit.site.dates_as_midnight_utc:
        return []
    lines = [line for name, some in visit.sampled().lines.items() if name != "Patient" for line in some]
    clocks = [clock for line in lines for clock in _TIME.findall(_UPDATED.sub(b"", line))]
    midnights = clocks.count(b"00:00:00")
    if len(clocks) < _ENOUGH or midnights < len(clocks) * _MOSTLY:
        return []
    fault = IncompleteError(
        f"{midnights} of {len(clocks)} times in a sample are midnight; where they mean a date, the local one is the day before",
        "If the EHR writes dates so, set dates_as_midnight_utc = true in the site file.",
        who="network",
    )
    return [failed("midnights", fault)]


PROBE = Probe(_look, after="pages")
