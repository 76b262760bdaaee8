"""Single resources by id, where a search gives nothing: what a server hands out by read alone, and what it says it has deleted.

Oracle Health gives combined patients by read alone; 410 says of any resource that it was deleted.
"""

from typing import NamedTuple

import msgspec

from connectors.client.fhir_client import FhirClient
from connectors.formats.bundle import head_of, lines, one_line
from connectors.pulled import Pulled
from connectors.source import Source, Wanted
from schemas.errors import OperatorError

MOST_READ = 200
"""Resources of a type and load that are read one by one; the rest stays unknown."""
DELETED = 410
_ANSWERS = (200, 400, 404, DELETED)


class Found(NamedTuple):
    """What a read gave."""

    line: bytes = b""
    """The resource, or a stub of one that was deleted; empty where there is none."""
    deleted: bool = False


def read_by_id(client: FhirClient, resource_type: str, ident: str, *, what: str = "") -> Found:
    """A resource as the server gives it. Raises MainstemError where it does not answer, or does not permit it."""
    if not ident.strip("."):
        return Found()  # a path, not an id
    answer = client.ask(
        "GET", client.url(f"{resource_type}/{ident}"), what=what or resource_type, accepted=_ANSWERS, headers={}
    )
    if answer.status == DELETED:
        return Found(stub(resource_type, ident), deleted=True)
    line = one_line(answer.content.strip()) if answer.status == 200 else b""
    return Found(line) if line and head_of(line) == (resource_type, ident) else Found()


def stub(resource_type: str, ident: str) -> bytes:
    """The line of a resource that was deleted."""
    return msgspec.json.encode({"resourceType": resource_type, "id": ident, "meta": {"deleted": True}})


class Reading:
    """Reads of one type, one by one, as long as they are few and permitted."""

    def __init__(self, client: FhirClient, resource_type: str, *, left: int = MOST_READ, what: str = "") -> None:
        self._client, self._type, self._what = client, resource_type, what
        self.left = left

    def read(self, ident: str) -> Found:
        """What the server gives; nothing once they were too many, or one was refused."""
        if self.left <= 0:
            return Found()
        self.left -= 1
        try:
            return read_by_id(self._client, self._type, ident, what=self._what)
        except OperatorError:
            self.left = 0
            return Found()


def complete_roster(source: Source, wanted: Wanted, pulled: Pulled) -> Pulled:
    """The roster's patients that no search gives, and stubs of those that were deleted, beside those that came."""
    roster = wanted.roster
    if roster is None or wanted.unit != "Patient" or not (roster.by_read or roster.gone):
        return pulled
    found, path = [stub("Patient", ident) for ident in roster.gone], wanted.landing.path("Patient-read", 1)
    if roster.by_read:
        with source.client() as client:
            reading = Reading(client, "Patient", what="a patient of the cohort")
            found += [line for ident in roster.by_read if (line := reading.read(ident).line)]
    wanted.landing.write(path, lines(found))
    came = len(found) - len(roster.gone)
    return msgspec.structs.replace(
        pulled,
        files=[*pulled.files, path.name],
        resources=pulled.resources + len(found),
        types=pulled.types | {"Patient": pulled.types.get("Patient", 0) + came},
    )
