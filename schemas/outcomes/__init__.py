"""The Outcome Common Data Model (OCDM) 0.1: one class per record type, a file a group of them.

Names follow OMOP CDM 5.4, PCORnet CDM 7 and FHIR R4 where they have one. Every time stands twice: as an instant in UTC
(absent where the source gives a date only) and as the site's local date (`*_date`). Raw codes, values and units stand
beside the normalised ones. Null flavours (`NI` no information, `UN` unknown, `OT` other) as in PCORnet.

Each class says which FHIR types feed it. No other file lists record types or mapped FHIR types: they ask here. To add a
record type, write its class in the file of its group and name it in `AnyRecord`.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Annotated, get_args

from pydantic import Field

from schemas.outcomes.allergies import Allergy
from schemas.outcomes.encounters import Condition, Encounter
from schemas.outcomes.measures import MeasureResult
from schemas.outcomes.observations import DerivedObservation, DiseaseAssessment, Observation
from schemas.outcomes.people import Consent, Coverage, Enrolment, Person
from schemas.outcomes.record import (
    Coding,
    Codings,
    NullFlavour,
    Number,
    PartialDate,
    Record,
    RecordId,
    RecordType,
    SubjectId,
    fact,
)
from schemas.outcomes.requests import ServiceRequest
from schemas.outcomes.treatments import DeviceUse, Immunization, Medication, Procedure
from schemas.outcomes.voices import Goal, Issue, ProResponse

__all__ = [
    "CORE_TYPES",
    "DEFAULT_TYPES",
    "LENDING_TYPES",
    "MAPPED_TYPES",
    "OPTIONAL_TYPES",
    "RECORD_TYPES",
    "REFERRED_TYPES",
    "REFERS",
    "Allergy",
    "AnyRecord",
    "Coding",
    "Codings",
    "Condition",
    "Consent",
    "Coverage",
    "DerivedObservation",
    "DeviceUse",
    "DiseaseAssessment",
    "Encounter",
    "Enrolment",
    "Goal",
    "Immunization",
    "Issue",
    "MeasureResult",
    "Medication",
    "NullFlavour",
    "Number",
    "Observation",
    "PartialDate",
    "Person",
    "ProResponse",
    "Procedure",
    "Record",
    "RecordId",
    "RecordType",
    "ServiceRequest",
    "SubjectId",
    "fact",
    "families",
    "fhir_types_of",
    "lending_types",
    "needed_by",
    "record_type_of",
    "referred_types",
]

AnyRecord = Annotated[
    Person
    | Consent
    | Enrolment
    | Encounter
    | Condition
    | Observation
    | DerivedObservation
    | DiseaseAssessment
    | ProResponse
    | Medication
    | Procedure
    | Immunization
    | DeviceUse
    | Allergy
    | ServiceRequest
    | Issue
    | Goal
    | Coverage
    | MeasureResult,
    Field(discriminator="type"),
]
"""The one list of record types."""

RECORD_TYPES: dict[str, type[RecordType]] = {
    model.model_fields["type"].default: model for model in get_args(get_args(AnyRecord)[0])
}
"""Every record type by its name: topics, registry tables and JSON Schemas are made from it."""

_FED = {fhir: name for name, model in RECORD_TYPES.items() for fhir in model.fhir}

MAPPED_TYPES: tuple[str, ...] = tuple(_FED)
"""FHIR resource types that become records, in the order in which references resolve."""

DEFAULT_TYPES: tuple[str, ...] = tuple(fhir for fhir, name in _FED.items() if fhir not in RECORD_TYPES[name].by_name)
"""Those of them that a site reads whose file names no types."""

REFERRED_TYPES: tuple[str, ...] = tuple(
    dict.fromkeys(fhir for model in RECORD_TYPES.values() for fhir in model.refers if fhir not in _FED)
)
"""FHIR resource types that are only looked up from the mapped ones."""

LENDING_TYPES: tuple[str, ...] = tuple(
    dict.fromkeys(fhir for model in RECORD_TYPES.values() for fhir in model.lenders if fhir not in _FED)
)
"""FHIR resource types that say something of mapped ones, and are read beside them."""

CORE_TYPES = frozenset(fhir for model in RECORD_TYPES.values() for fhir in model.everywhere)
"""Mapped FHIR resource types that every hospital's system gives; the others are read where it does."""

OPTIONAL_TYPES = frozenset(fhir for model in RECORD_TYPES.values() for fhir in model.optional)
"""Those of them that only add to what is mapped: a source that has none lacks nothing."""

REFERS: dict[str, tuple[str, ...]] = {fhir: RECORD_TYPES[name].refers for fhir, name in _FED.items()}
"""Mapped FHIR resource type → the types that it is read with."""


def referred_types(fhir_types: Iterable[str]) -> list[str]:
    """The types that some FHIR resource types are read with, and that are not among them."""
    named = list(fhir_types)
    return [
        each for each in REFERRED_TYPES if each not in named and any(each in REFERS.get(name, ()) for name in named)
    ]


def lending_types(fhir_types: Iterable[str]) -> list[str]:
    """The types that say something of some FHIR resource types, and that are not among them."""
    named = list(fhir_types)
    kinds = {kind for name in named if (kind := _FED.get(name))}
    found = dict.fromkeys(each for kind in kinds for each in RECORD_TYPES[kind].lenders)
    return [each for each in LENDING_TYPES if each in found and each not in named]


@cache
def _promises() -> dict[str, list[str]]:
    """FHIR resource types that fields name as their source, mapped or not → record types."""
    found: dict[str, list[str]] = {}
    for name, model in RECORD_TYPES.items():
        extras = (field.json_schema_extra for field in model.model_fields.values())
        sources = (str(extra["source"]) for extra in extras if isinstance(extra, dict) and "source" in extra)
        for fhir_type in {each for source in sources for each in _SOURCE.findall(source)}:
            found.setdefault(fhir_type, []).append(name)
    return found


_SOURCE = re.compile(r"\b([A-Z][A-Za-z]+)\.[a-z]")


def needed_by(fhir_type: str) -> list[str]:
    """The record types that the model makes of a FHIR resource type which this version does not map yet."""
    known = fhir_type in _FED or fhir_type in REFERRED_TYPES or fhir_type in LENDING_TYPES
    return [] if known else _promises().get(fhir_type, [])


def record_type_of(fhir_type: str) -> str | None:
    """The record type a FHIR resource type becomes; None where it becomes none."""
    return _FED.get(fhir_type)


def fhir_types_of(record_type: str) -> tuple[str, ...]:
    """The FHIR resource types a record type is made from; none for what is computed or born elsewhere."""
    return RECORD_TYPES[record_type].fhir if record_type in RECORD_TYPES else ()


def families(fhir_types: Iterable[str]) -> list[list[str]]:
    """FHIR types that are read with one another, together: what is looked up first, so that who looks it up finds it."""
    found: list[list[str]] = []
    for name in sorted(fhir_types, key=lambda name: name not in (*REFERRED_TYPES, *LENDING_TYPES)):
        kind = record_type_of(name)
        refers = {*RECORD_TYPES[kind].refers, *RECORD_TYPES[kind].lenders} if kind else set()
        kin = [family for family in found if refers.intersection(family)]
        found = [family for family in found if family not in kin]
        found.append([*(each for family in kin for each in family), name])
    return found
