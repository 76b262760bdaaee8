"""A probe of the times in a folder's files: are they dates that a system wrote as midnight of UTC?"""

import re

from connectors.roads.files import SORTED, Part, first_lines
from mainstem.check.finding import Finding, failed
from mainstem.check.probe import Probe, Visit
from schemas.errors import IncompleteError

_TIME = re.compile(rb'"\d{4}-\d{2}-\d{2}T(\d{2}:\d{2}:\d{2})(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})"')
_UPDATED = re.compile(rb'"(?:lastUpdated|issued|recorded)"\s*:\s*"[^"]*"')
_ENOUGH = 20
_MOSTLY = 0.5
_SAMPLE = 50


def _look(visit: Visit) -> list[Finding]:
    """What the first lines of each type say; nothing where few times stand in them, or the site file says so already."""
    if visit.delivered is None or visit.site.dates_as_midnight_utc:
        return []
    parts = [part for name in (*visit.site.types, SORTED) for part in visit.delivered.get(name, [])[:1]]
    lines = [line for part in parts for line in _first_lines(part, visit)]
    clocks = [clock for line in lines for clock in _TIME.findall(_UPDATED.sub(b"", line))]
    midnights = clocks.count(b"00:00:00")
    if len(clocks) < _ENOUGH or midnights < len(clocks) * _MOSTLY:
        return []
    fault = IncompleteError(
        f"{midnights} of {len(clocks)} times in a sample are midnight; where they mean a date, the local one is the day before",
        "If the EHR writes dates so, set dates_as_midnight_utc = true in the site file.",
    )
    return [failed("midnights", "site IT", fault)]


def _first_lines(part: Part, visit: Visit) -> list[bytes]:
    """Of a file that cannot be read, none: the finding of its type says so."""
    try:
        return first_lines(part, visit.source.files, _SAMPLE, cap=visit.site.limits.line_bytes)
    except OSError:
        return []


PROBE = Probe(_look, after="files")
