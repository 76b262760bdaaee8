"""A probe of the times in files or on a server's pages: are they dates that a system wrote as midnight of UTC?"""

import re
from collections.abc import Iterator
from contextlib import suppress

from connectors.fan_out import read_some
from connectors.pulling import readable
from connectors.sorting import SORTED, Part, first_lines
from mainstem.check.finding import Finding, failed
from mainstem.check.probe import Probe, Visit
from schemas.errors import IncompleteError, MainstemError

_TIME = re.compile(rb'"\d{4}-\d{2}-\d{2}T(\d{2}:\d{2}:\d{2})(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})"')
_UPDATED = re.compile(rb'"(?:lastUpdated|issued|recorded)"\s*:\s*"[^"]*"')
_ENOUGH = 20
_MOSTLY = 0.5
_SAMPLE = 50


def _look(visit: Visit) -> list[Finding]:
    """What the first resources of each type say; nothing where few times stand in them, or the site file says so already."""
    if visit.site.dates_as_midnight_utc:
        return []
    lines = [*_delivered(visit), *_answered(visit)]
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


def _delivered(visit: Visit) -> Iterator[bytes]:
    delivered = visit.delivered or {}
    for name in (*visit.site.types, SORTED):
        for part in delivered.get(name, [])[:1]:
            yield from _first_lines(part, visit)


def _answered(visit: Visit) -> Iterator[bytes]:
    """Of a type that cannot be read, none: the finding of its page says so. A birth date has no time of day."""
    if visit.client is None or not visit.logged_in:
        return
    for name in readable(visit.site, visit.capabilities):
        if name != "Patient":
            with suppress(MainstemError):
                yield from read_some(visit.client, name, _SAMPLE)


def _first_lines(part: Part, visit: Visit) -> list[bytes]:
    """Of a file that cannot be read, none: the finding of its type says so."""
    try:
        return first_lines(part, visit.source.files, _SAMPLE, cap=visit.site.limits.line_bytes)
    except OSError:
        return []


PROBE = Probe(_look, after="pages")
