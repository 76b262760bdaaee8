"""A probe of the times in a folder's files: are they dates that a system wrote as midnight of UTC?"""

import re
from collections.abc import Iterable

from mainstem.check.finding import Finding, failed
from schemas.errors import IncompleteError

_TIME = re.compile(rb'"\d{4}-\d{2}-\d{2}T(\d{2}:\d{2}:\d{2})(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})"')
_UPDATED = re.compile(rb'"(?:lastUpdated|issued|recorded)"\s*:\s*"[^"]*"')
_ENOUGH = 20
_MOSTLY = 0.5


def check_midnights(lines: Iterable[bytes], told: bool) -> list[Finding]:
    """What a sample of lines says; nothing where few times stand in it. `told`: the site file says so already."""
    clocks = [clock for line in lines for clock in _TIME.findall(_UPDATED.sub(b"", line))]
    midnights = clocks.count(b"00:00:00")
    if told or len(clocks) < _ENOUGH or midnights < len(clocks) * _MOSTLY:
        return []
    fault = IncompleteError(
        f"{midnights} of {len(clocks)} times in a sample are midnight; where they mean a date, the local one is the day before",
        "If the EHR writes dates so, set dates_as_midnight_utc = true in the site file.",
    )
    return [failed("midnights", "site IT", fault)]
