"""What a server says it can do: its CapabilityStatement, read narrowly."""

import msgspec

from connectors.client.fhir_client import FhirClient, Gone
from schemas.errors import OperatorError

EXPORTS = {"export": "system", "patient-export": "Patient", "group-export": "Group"}
"""Level of a bulk export by the last part of its OperationDefinition's URL."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """A FHIR R4 server's abilities; JSON by msgspec."""

    fhir_version: str
    software: str = ""
    exports: list[str] = []
    """Levels of `$export` that are advertised: system, Patient, Group."""
    types: dict[str, list[str]] = {}
    """Resource types and their interactions (`read`, `search-type` …)."""


class _Operation(msgspec.Struct):
    name: str = ""
    definition: str = ""


class _Interaction(msgspec.Struct):
    code: str = ""


class _Resource(msgspec.Struct):
    type: str = ""
    interaction: list[_Interaction] = []
    operation: list[_Operation] = []


class _Rest(msgspec.Struct):
    resource: list[_Resource] = []
    operation: list[_Operation] = []


class _Software(msgspec.Struct):
    name: str = ""
    version: str = ""


class _Statement(msgspec.Struct):
    resourceType: str = ""
    fhirVersion: str = ""
    software: _Software = msgspec.field(default_factory=_Software)
    rest: list[_Rest] = []


_STATEMENT = msgspec.json.Decoder(_Statement)


def ask_capabilities(client: FhirClient) -> Capabilities:
    """The server's CapabilityStatement. Raises OperatorError where it is no FHIR R4 server."""
    url = client.url("metadata")
    try:
        statement, answer = client.read(
            url, _STATEMENT, what="the capability statement", log_in=False, accepted=(200, 401, 403)
        )
        if answer.status != 200:
            statement, _ = client.read(url, _STATEMENT, what="the capability statement")
    except Gone:
        statement = _Statement()
    return capabilities_of(statement, client.origins.place(url))


def capabilities_of(statement: _Statement, place: str) -> Capabilities:
    """The statement, digested; `place` names the server in messages."""
    if statement.resourceType != "CapabilityStatement":
        raise OperatorError(
            f"{place} has no FHIR capability statement below fhir.base_url",
            "Check the path of fhir.base_url: `<base_url>/metadata` must answer.",
        )
    version = statement.fhirVersion.strip()
    if not version.startswith("4.0."):
        said = f"FHIR {version}" if version[:1].isdigit() and len(version) < 12 else "no FHIR version"
        raise OperatorError(
            f"{place} says {said}; Mainstem reads R4 (4.0.1)", "Ask the EHR vendor for the R4 base URL."
        )
    exports: set[str] = set()
    types: dict[str, list[str]] = {}
    for rest in statement.rest:
        exports.update(_levels(rest.operation, "system"))
        for resource in rest.resource:
            types[resource.type] = [interaction.code for interaction in resource.interaction]
            exports.update(_levels(resource.operation, resource.type))
    return Capabilities(
        fhir_version=version,
        software=f"{statement.software.name} {statement.software.version}".strip(),
        exports=sorted(exports & set(EXPORTS.values())),
        types=types,
    )


def _levels(operations: list[_Operation], place: str) -> set[str]:
    """Levels of the export operations; told by their definition, else by where they stand."""
    found = set()
    for operation in operations:
        definition = operation.definition.split("|")[0].rsplit("/", 1)[-1].lower()
        if definition in ("group-export", "patient-export"):
            found.add(EXPORTS[definition])
        elif operation.name.lstrip("$") == "export" or definition == "export":
            found.add(place)
    return found
