"""Probe: does the folder hold each type the site file names, and does its first file begin with it?"""

from functools import partial

from connectors.sorting import SORTED, UNKNOWN, DeliveryPart, first_type
from mainstem.check.finding import Finding, tried
from mainstem.check.probe import Probe, Visit
from schemas.errors import IncompleteError


def _look(visit: Visit) -> list[Finding]:
    if visit.delivered is None:
        return []
    return [tried(name, partial(_type_files, name, visit), resource_type=name) for name in visit.site.types]


def _type_files(name: str, visit: Visit) -> str:
    found = visit.delivered or {}
    parts = found.get(name, [])
    if not parts:
        return _elsewhere(name, found, named="types" in visit.site.model_fields_set)
    first = first_type(parts[0], visit.source.files, cap=visit.site.limits.line_bytes)
    if first != name:
        fault = "no line that is a FHIR resource" if first == UNKNOWN else "another type than its name says"
        raise IncompleteError(
            f"the first file begins with {fault}", "Deliver it again, one FHIR resource a line.", who="site IT"
        )
    return f"{len(parts)} file{'s' if len(parts) != 1 else ''}, {sum(part.size for part in parts) / 1e6:,.1f} MB"


def _elsewhere(name: str, found: dict[str, list[DeliveryPart]], *, named: bool) -> str:
    """Of a type that no file is named after."""
    if several := found.get(SORTED):
        return f"no file of its own; it may stand among the resources of {len(several)} files of several types"
    if named:
        raise IncompleteError(
            "no file holds it", f"Deliver {name}.ndjson, or take {name} out of types in the site file.", who="site IT"
        )
    return "no file holds it; none is missed, as the site file names no types"


PROBE = Probe(_look, after="folder")
