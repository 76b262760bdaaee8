"""Probe: is the export there that the site is read by? Asked of the statement alone: each night's check costs no export."""

from connectors.client.capabilities import Capabilities
from connectors.pulling import road_of
from mainstem.check.finding import Finding, tried
from mainstem.check.probe import Probe, Visit
from schemas.errors import IncompleteError


def _look(visit: Visit) -> list[Finding]:
    said = visit.capabilities
    if said is None or said.hidden or not visit.logged_in or road_of(visit.site, said) != "bulk":
        return []
    return [tried("bulk export", lambda: _advertised(visit, said))]


def _advertised(visit: Visit, capabilities: Capabilities) -> str:
    if not capabilities.exports:
        raise IncompleteError(
            "the capability statement advertises no $export; a run tries it all the same",
            'License and switch it on; else road = "search" is set.',
            who="EHR vendor",
        )
    if visit.source.fhir.groups and "Group" not in capabilities.exports:
        raise IncompleteError(
            "the server advertises no export of a Group",
            "Switch it on; else fhir.group is left out.",
            who="EHR vendor",
        )
    return f"advertised for {', '.join(capabilities.exports)}"


PROBE = Probe(_look, after="log_in")
