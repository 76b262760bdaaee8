"""What a server says it can do: its CapabilityStatement, read narrowly."""

import re
from collections.abc import Iterable, Mapping

import msgspec

from connectors.client.auth import smart_token_endpoint
from connectors.client.bodies import SMALL_BYTES, STATEMENT_BYTES
from connectors.client.fhir_client import FhirClient, Gone, Refused, WebPage
from connectors.outside.decoding import ABSENT, each, said
from connectors.vendors import Evidence, told_by
from schemas.errors import MainstemError, OperatorError

EXPORTS = {"export": "system", "patient-export": "Patient", "group-export": "Group"}
"""Level of a bulk export by the last part of its OperationDefinition's URL."""
_VERSION = re.compile(r"[0-9][0-9a-z.-]{0,11}")
RELEASES = {"0": "DSTU1", "1": "DSTU2", "3": "STU3", "4": "R4B", "5": "R5", "6": "R6"}
"""FHIR's releases by the first number of their versions; R4 itself is 4.0."""
_TEXT = re.compile(r'"([^"]{1,300})"')
"""Texts of a JSON document, wherever they stand: no guide says yet where a SMART configuration names its editions."""
_BULK_DATA = re.compile(r"bulk-?data.*[|#/]([1-9])\.[0-9]", re.IGNORECASE)
"""`http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export|3.0.0`, `hl7.fhir.uv.bulkdata#4.0.0-ballot`."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """A FHIR R4 server's abilities; JSON by msgspec."""

    fhir_version: str
    software: str = ""
    hidden: bool = False
    """Whether the server shows no statement: then nothing is known of its types and exports."""
    vendor: str = ""
    """File name in connectors/vendors; empty where nothing tells it."""
    told_by: str = ""
    """What tells the vendor."""
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


class _Implementation(msgspec.Struct):
    description: msgspec.Raw = ABSENT


class _Statement(msgspec.Struct):
    resourceType: msgspec.Raw = ABSENT
    fhirVersion: msgspec.Raw = ABSENT
    publisher: msgspec.Raw = ABSENT
    implementation: msgspec.Raw = ABSENT
    software: msgspec.Raw = ABSENT
    instantiates: msgspec.Raw = ABSENT
    implementationGuide: msgspec.Raw = ABSENT
    rest: msgspec.Raw = ABSENT


_STATEMENT = msgspec.json.Decoder(_Statement)


class NoStatement(OperatorError):
    """The server shows no CapabilityStatement."""


def meet(client: FhirClient, *, hidden: bool = True) -> Capabilities:
    """What the server says it can do, and whose it is; from here on the client keeps that vendor's manners.

    `hidden`: whether the statement may be missing, as many gateways show none. Raises OperatorError where the server is
    one of another FHIR version, or the statement is missing and may not.
    """
    try:
        found = ask_capabilities(client)
    except (NoStatement, WebPage, Refused) as exc:
        if not hidden:
            raise OperatorError(
                exc.cause, f'{exc.fix} Where it is hidden on purpose, set road to "search" or "bulk".', who=exc.who
            ) from exc
        found = Capabilities(fhir_version="", hidden=True)
    if not found.vendor:
        evidence = Evidence(token_endpoint=_token_endpoint(client), base_url=client.url(""))
        name, by = told_by(evidence)
        found = msgspec.structs.replace(found, vendor=name, told_by=by)
    client.keep_manners_of(found.vendor)
    return found


def ask_capabilities(client: FhirClient) -> Capabilities:
    """The server's CapabilityStatement. Raises OperatorError where it is no FHIR R4 server, NoStatement where it shows none."""
    url, what = client.url("metadata"), "the capability statement"
    try:
        try:
            statement, answer = client.read(url, _STATEMENT, what=what, log_in=False, cap=STATEMENT_BYTES)
        except Refused:
            statement, answer = client.read(url, _STATEMENT, what=what, cap=STATEMENT_BYTES)
    except Gone:
        raise _no_statement(client.origins.place(url)) from None
    return capabilities_of(statement, client.origins.place(url), answer.headers)


def _token_endpoint(client: FhirClient) -> str:
    """As the SMART configuration names it; empty where there is none. Believed for the vendor's name alone."""
    return smart_token_endpoint(_smart_configuration(client))


def advertised_edition(client: FhirClient, said: Capabilities) -> int:
    """The edition of the Bulk Data guide by the capability statement, else by the SMART configuration; 0 where none is named."""
    if said.bulk_data:
        return said.bulk_data
    return _newest_edition(_TEXT.findall(_smart_configuration(client).decode("utf-8", "replace")))


def _smart_configuration(client: FhirClient) -> bytes:
    """Empty where the server shows none."""
    try:
        answer = client.ask(
            "GET",
            client.url(".well-known/smart-configuration"),
            what="the SMART configuration",
            accepted=(200, 400, 401, 403, 404, 405, 406, 410, 500, 501),
            headers={"Accept": "application/json"},
            cap=SMALL_BYTES,
            log_in=False,
        )
    except MainstemError:
        return b""
    return answer.content if answer.status == 200 else b""


def _no_statement(place: str) -> NoStatement:
    return NoStatement(
        f"{place} has no FHIR capability statement below fhir.base_url",
        "Check the path of fhir.base_url: `<base_url>/metadata` must answer.",
    )


def _other_version(place: str, kind: str, version: str) -> OperatorError:
    """DSTU2 calls its statement Conformance."""
    if not _VERSION.fullmatch(version):
        told = "DSTU2" if kind == "Conformance" else "no FHIR version"
    else:
        release = RELEASES.get(version.split(".")[0], "another release")
        told = f"{release} (FHIR {version})"
    return OperatorError(
        f"{place} says {told}; Mainstem reads R4 (4.0.1)",
        "Name the server's R4 address, for fhir.base_url.",
        who="EHR vendor",
    )


def capabilities_of(statement: _Statement, place: str, headers: Mapping[str, str]) -> Capabilities:
    """The statement, digested; `place` names the server in messages."""
    kind, version = said(statement.resourceType, str, ""), said(statement.fhirVersion, str, "").strip()
    if kind not in ("CapabilityStatement", "Conformance"):
        raise _no_statement(place)
    if not version.startswith("4.0."):
        raise _other_version(place, kind, version)
    exports: set[str] = set()
    types: dict[str, list[str]] = {}
    for rest in each(statement.rest, _Rest):
        exports.update(_levels(each(rest.operation, _Operation), "system"))
        for resource in each(rest.resource, _Resource):
            types[resource.type] = [interaction.code for interaction in each(resource.interaction, _Interaction)]
            exports.update(_levels(each(resource.operation, _Operation), resource.type))
    software = said(statement.software, _Software, _Software())
    named = f"{said(software.name, str, '')} {said(software.version, str, '')}".strip()
    vendor, by = told_by(_evidence(statement, named, headers))
    return Capabilities(
        fhir_version=version,
        software=named,
        vendor=vendor,
        told_by=by,
        exports=sorted(exports & set(EXPORTS.values())),
        bulk_data=_bulk_data(statement),
        types=types,
    )


def _evidence(statement: _Statement, software: str, headers: Mapping[str, str]) -> Evidence:
    return Evidence(
        software=software,
        publisher=said(statement.publisher, str, ""),
        implementation=said(said(statement.implementation, _Implementation, _Implementation()).description, str, ""),
        headers=headers,
    )


def _bulk_data(statement: _Statement) -> int:
    named = [*each(statement.instantiates, str), *each(statement.implementationGuide, str)]
    for rest in each(statement.rest, _Rest):
        places = [rest.operation, *(resource.operation for resource in each(rest.resource, _Resource))]
        named += [said(operation.definition, str, "") for place in places for operation in each(place, _Operation)]
    return _newest_edition(named)


def _newest_edition(named: Iterable[str]) -> int:
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
