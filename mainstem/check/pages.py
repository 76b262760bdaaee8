"""Probe: one page of each type, really read, and of the FHIR version that is mapped."""

from dataclasses import replace
from functools import partial

from connectors.fan_out import read_one
from connectors.pulling import readable
from mainstem.check.finding import Finding, tried
from mainstem.check.probe import Probe, Visit
from schemas.errors import IncompleteError
from schemas.outcomes import CORE_TYPES
from schemas.problems import Reason
from transforms import Mapper

KEY = bytes(32)
"""Of pseudonyms that nobody keeps."""


def _look(visit: Visit) -> list[Finding]:
    client = visit.client
    if client is None or not visit.logged_in:
        return []
    mapper = Mapper(site=visit.site.site, time_zone=visit.site.time_zone, subject_key=KEY)
    see = partial(_require_r4, mapper)
    types = readable(visit.site, visit.capabilities)
    found = [tried(name, partial(read_one, client, name, see), resource_type=name) for name in types]
    return found if "types" in visit.site.model_fields_set else list(map(_unmissed, found))


def _unmissed(finding: Finding) -> Finding:
    """A type that nobody named and the server refuses: the site is read without it."""
    if finding.ok or finding.kind != "operator" or finding.resource_type in CORE_TYPES:
        return finding
    return replace(finding, ok=True, what=f"not given: {finding.what}; none is missed, as the site file names no types")


def _require_r4(mapper: Mapper, line: bytes) -> None:
    """Raises IncompleteError for a resource of another FHIR version: a server may mix them, whatever its statement says."""
    problem = mapper.map_line(line).problem
    if problem is not None and problem.reason is Reason.OTHER_FHIR_VERSION:
        raise IncompleteError(
            f"a resource came that is of another FHIR version than R4 ({problem.path}); such are refused",
            "Name the address of a server that gives R4 resources only, for fhir.base_url.",
            who="EHR vendor",
        )


PROBE = Probe(_look, after="log_in")
