"""Probe: does the folder hold each type the site file names, and does its first file begin with it?"""

from functools import partial
from pathlib import Path

from connectors.roads.files import UNKNOWN, first_type
from mainstem.check.finding import Finding, tried
from mainstem.check.probe import Probe, Visit
from schemas.errors import IncompleteError


def _look(visit: Visit) -> list[Finding]:
    if visit.delivered is None:
        return []
    cap = visit.site.limits.line_bytes
    named = "types" in visit.site.model_fields_set
    attempts = {
        name: partial(_type_files, name, visit.delivered.get(name, []), cap)
        if named or visit.delivered.get(name)
        else _none
        for name in visit.site.types
    }
    return [tried(name, "site IT", attempt, resource_type=name) for name, attempt in attempts.items()]


def _none() -> str:
    return "no file holds it; none is missed, as the site file names no types"


def _type_files(name: str, paths: list[Path], cap: int) -> str:
    if not paths:
        raise IncompleteError(
            "no file holds it", f"Deliver {name}.ndjson, or take {name} out of types in the site file."
        )
    first = first_type(paths[0], cap=cap)
    if first != name:
        fault = "no line that is a FHIR resource" if first == UNKNOWN else "another type than its name says"
        raise IncompleteError(f"the first file begins with {fault}", "Deliver it again, one FHIR resource a line.")
    return (
        f"{len(paths)} file{'s' if len(paths) != 1 else ''}, {sum(path.stat().st_size for path in paths) / 1e6:,.1f} MB"
    )


PROBE = Probe(_look, after="folder")
