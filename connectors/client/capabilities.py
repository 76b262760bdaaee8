"""What a server says it can do: its CapabilityStatement, read narrowly."""

import re

import msgspec

from connectors.client.bodies import STATEMENT_BYTES
from connectors.client.fhir_client import FhirClient, Gone
from connectors.outside.decoding import ABSENT, each, said
from schemas.errors import OperatorError

EXPORTS = {"export": "system", "patient-export": "Patient", "group-export": "Group"}
"""Level of a bulk export by the last part of its OperationDefinition's URL."""
_VERSION = re.compile(r"[0-9][0-9a-z.-]{0,11}")
_BULK_DATA = re.compile(r"bulk-?data.*[|#/]([1-9])\.[0-9]", re.IGNORECASE)
"""`http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export|3.0.0`, `hl7.fhir.uv.bulkdata#4.0.0-ballot`."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """A FHIR R4 server's abilities; JSON by msgspec."""

    fhir_version: str
    software: str = ""
    exports: list[str] = []
    """Levels of `$export` that are advertised: system, Patient, Group."""
    bulk_data: int = 0
    """The newest edition of the Bulk Data guide (STU 1, 2, …) that is named; 0 where none is."""
    types: dict[str, list[str]] = {}
    """Resource types and their interactions (`read`, `search-type` …)."""


class _Operation(msgspec.Struct):
    name: msgspec.Raw = ABSENT
    definition: msgspec.Raw = ABSENT


class _Interaction(msgspec.Struct):
    code: str = ""


class _Resource(msgspec.Struct):
    type: str = ""
    interaction: msgspec.Raw = ABSENT
    operation: msgspec.Raw = ABSENT


class _Rest(msgspec.Struct):
    resource: msgspec.Raw = ABSENT
    operation: msgspec.Raw = ABSENT


class _Software(msgspec.Struct):
    name: msgspec.Raw = ABSENT
    version: msgspec.Raw = ABSENT


class _Statement(msgspec.Struct):
    resourceType: msgspec.Raw = ABSENT
    fhirVersion: msgspec.Raw = ABSENT
    software: msgspec.Raw = ABSENT
    instantiates: msgspec.Raw = ABSENT
    implementationGuide: msgspec.Raw = ABSENT
    rest: msgspec.Raw = ABSENT


_STATEMENT = msgspec.json.Decoder(_Statement)


def ask_capabilities(client: FhirClient) -> Capabilities:
    """The server's CapabilityStatement. Raises OperatorError where it is no FHIR R4 server."""
    url = client.url("metadata")
    try:
        statement, answer = client.read(
            url,
            _STATEMENT,
            what="the capability statement",
            log_in=False,
            accepted=(200, 401, 403),
            cap=STATEMENT_BYTES,
        )
        if answer.status != 200:
            statement, _ = client.read(url, _STATEMENT, what="the capability statement", cap=STATEMENT_BYTES)
    except Gone:
        statement = _Statement()
    return capabilities_of(statement, client.origins.place(url))


def capabilities_of(statement: _Statement, place: str) -> Capabilities:
    """The statement, digested; `place` names the server in messages."""
    if said(statement.resourceType, str, "") != "CapabilityStatement":
        raise OperatorError(
            f"{place} has no FHIR capability statement below fhir.base_url",
            "Check the path of fhir.base_url: `<base_url>/metadata` must answer.",
        )
    version = said(statement.fhirVersion, str, "").strip()
    if not version.startswith("4.0."):
        told = f"FHIR {version}" if _VERSION.fullmatch(version) else "no FHIR version"
        raise OperatorError(
            f"{place} says {told}; Mainstem reads R4 (4.0.1)", "Ask the EHR vendor for the R4 base URL."
        )
    exports: set[str] = set()
    types: dict[str, list[str]] = {}
    for rest in each(statement.rest, _Rest):
        exports.update(_levels(each(rest.operation, _Operation), "system"))
        for resource in each(rest.resource, _Resource):
            types[resource.type] = [interaction.code for interaction in each(resource.interaction, _Interaction)]
            exports.update(_levels(each(resource.operation, _Operation), resource.type))
    software = said(statement.software, _Software, _Software())
    return Capabilities(
        fhir_version=version,
        software=f"{said(software.name, str, '')} {said(software.version, str, '')}".strip(),
        exports=sorted(exports & set(EXPORTS.values())),
        bulk_data=_bulk_data(statement),
        types=types,
    )


def _bulk_data(statement: _Statement) -> int:
    named = [*each(statement.instantiates, str), *each(statement.implementationGuide, str)]
    for rest in each(statement.rest, _Rest):
        places = [rest.operation, *(resource.operation for resource in each(rest.resource, _Resource))]
        named += [said(operation.definition, str, "") for place in places for operation in each(place, _Operation)]
    return max((int(found[1]) for text in named if (found := _BULK_DATA.search(text))), default=0)


def _levels(operations: list[_Operation], place: str) -> set[str]:
    """Levels of the export operations; told by their definition, else by where they stand."""
    found = set()
    for operation in operations:
        definition = said(operation.definition, str, "").split("|")[0].rsplit("/", 1)[-1].lower()
        if definition in ("group-export", "patient-export"):
            found.add(EXPORTS[definition])
        elif said(operation.name, str, "").lstrip("$") == "export" or definition == "export":
            found.add(place)
    return found
