"""Every element that FHIR marks as changing the meaning of others (`?!`), in every mapped type and the data types in it.

fhir.resources does not say which they are: modifier_elements.csv does, each with the page of the standard that it is
from. What is not understood refuses the resource by name, or takes out the element it stands in, with a flag.
"""

import csv
import json
import runpy
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from fhir.resources.R4B import get_fhir_model_class
from fhir.resources.R4B.backboneelement import BackboneElement
from pydantic import BaseModel

from schemas.outcomes import REFERRED_TYPES
from schemas.problems import Reason
from transforms import Mapper
from transforms.mapper import ALL_TYPES

Json = dict[str, Any]
HERE = Path(__file__)
ODD = [{"url": "https://acme.example/odd", "valueBoolean": True}]
NONSENSE = {"boolean": "perhaps", "code": "zzz-odd"}
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
NO_RECORD: dict[str, Json] = {
    "Medication": {"resourceType": "Medication", "id": "m", "code": {"coding": [{"system": RXNORM, "code": "327361"}]}},
    "DiagnosticReport": {
        "resourceType": "DiagnosticReport",
        "id": "d",
        "status": "final",
        "result": [{"reference": "Observation/o"}],
    },
}
BARE: dict[str, Json] = {name: {"resourceType": name, "id": "k", "status": "active"} for name in REFERRED_TYPES}
BASES: dict[str, Json] = (
    BARE
    | {each["resourceType"]: each for each in runpy.run_path(str(HERE.with_name("test_hostile.py")))["BASES"].values()}
    | NO_RECORD
)
NOT_SO_MARKED = {"Group": "no element of its own"}
LOCAL = {
    ("Condition", "clinicalStatus"): "whether it is still active is not known, the diagnosis stands",
    ("AllergyIntolerance", "clinicalStatus"): "the allergy stands",
    ("Patient", "deceased[x]"): "whether somebody died is not known, the person stands",
}
"""Elements whose fault takes out nothing but themselves."""


def table() -> dict[str, list[str]]:
    """Type → its modifying elements."""
    found = defaultdict[str, list[str]](list)
    with HERE.with_name("modifier_elements.csv").open() as file:
        for row in csv.DictReader(file):
            assert row["page"].startswith("https://hl7.org/fhir/R4/")
            found[row["type"]].append(row["element"])
    return found


TABLE = table()
OWN = [(name, element) for name in ALL_TYPES for element in TABLE[name] if element != "-"]
INSIDE: dict[tuple[str, str], tuple[str, Callable[[Any], Any]]] = {
    ("CarePlan", "activity.detail.status"): ("activity", lambda value: [{"detail": DETAIL | {"status": value}}]),
    ("CarePlan", "activity.detail.doNotPerform"): (
        "activity",
        lambda value: [{"detail": DETAIL | {"doNotPerform": value}}],
    ),
}
"""Elements of a part: what is not understood takes out that part, by name."""
NEVER_READ = {("Questionnaire", "item.enableWhen"): "whether a question was to be asked: its code is what it is"}
DETAIL: Json = {
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "304549008"}]},
    "status": "in-progress",
}


def said_of(resource: Json) -> tuple[Reason | None, str]:
    """Why a resource gave nothing; else its flags, as one text."""
    mapper = Mapper(site="north", time_zone="UTC", subject_key=b"k" * 32)
    outcome = mapper.map_line(json.dumps(resource).encode())
    if outcome.problem is not None:
        return outcome.problem.reason, outcome.problem.path
    return None, " ".join(str(json.loads(b"{%b}" % each.provenance).get("flags")) for each in outcome.records)


@cache
def fields_of(resource_type: str) -> dict[str, list[type[BaseModel]]]:
    """Each field → the classes of its elements, none for primitives."""
    model = get_fhir_model_class(resource_type)
    return {info.alias or name: list(_classes(info.annotation)) for name, info in model.model_fields.items()}


def _classes(annotation: Any) -> Any:
    for inner in get_args(annotation):
        yield from _classes(inner)
    name = getattr(annotation, "__name__", "")
    if name.endswith("Type"):
        try:
            yield get_fhir_model_class(name.removesuffix("Type"))
        except (KeyError, LookupError, ValueError):
            return  # a primitive


def backbones(resource_type: str) -> list[str]:
    """Paths of elements that may bear a modifierExtension, two deep."""
    found = []
    for name, classes in fields_of(resource_type).items():
        for each in classes:
            if issubclass(each, BackboneElement):
                found.append(name)
                inner = fields_of(each.__name__)
                found += [
                    f"{name}.{more}"
                    for more, kinds in inner.items()
                    if any(issubclass(k, BackboneElement) for k in kinds)
                ]
    return found


def test_every_type_that_is_read_stands_in_the_table_and_is_tried() -> None:
    assert {*ALL_TYPES} <= {*TABLE}
    assert {*ALL_TYPES} <= {*BASES}
    for name, elements in TABLE.items():
        if name in BASES:
            assert {each.partition(".")[0].partition("[")[0] for each in elements} - {"-"} <= {
                field.partition("Boolean")[0].partition("DateTime")[0] for field in fields_of(name)
            }, name


@pytest.mark.parametrize(("name", "element"), [each for each in OWN if each not in INSIDE | NEVER_READ])
def test_a_modifying_element_that_is_not_understood_refuses_by_name(name: str, element: str) -> None:
    """As a word of no value set, alone and as a concept; in another shape than FHIR's, whatever it seems to say."""
    field = "deceasedBoolean" if element == "deceased[x]" else element.partition(".")[0]
    odd: list[Any] = ["zzz-odd", {"coding": [{"system": "urn:odd", "code": "zzz-odd"}]}, {"text": "zzz odd"}]
    kinds = [each.__name__ for each in fields_of(name)[field]]
    values = (
        odd[1:]
        if "CodeableConcept" in kinds
        else [*odd[:1], ["entered-in-error"], {"value": "entered-in-error"}, [True]]
    )
    if element in ("link", "link.type"):
        values = [[{"type": "zzz-odd", "other": {"reference": "Patient/2"}}]]
    for value in values:
        reason, told = said_of(BASES[name] | {field: value})
        if (name, element) in LOCAL:
            assert reason is None, told
            assert f"dropped:{field}" in told
        else:
            assert reason in _refusals(name, value), (value, told)
            assert told.startswith(f"{name}.{field}")


@pytest.mark.parametrize(("name", "element"), INSIDE)
def test_a_modifying_element_of_a_part_takes_out_the_part_by_name(name: str, element: str) -> None:
    """So does one by which it is not to be done, or is an error."""
    field, made = INSIDE[name, element]
    denying = {"status": "entered-in-error", "doNotPerform": True}[element.rpartition(".")[2]]
    for value in ("zzz-odd", ["x"], {"value": "entered-in-error"}, denying):
        reason, told = said_of(BASES[name] | {field: made(value)})
        assert reason is not None or f"dropped:{field}[0]" in told, value


def _refusals(name: str, value: Any) -> set[Reason | None]:
    """Reasons by which an element refuses; where a type gives no record, and where the shape is another version's, others too."""
    other_shape = {Reason.INVALID_FIELD} if name in {*NO_RECORD, *REFERRED_TYPES} else set()
    other_version = {Reason.OTHER_FHIR_VERSION} if isinstance(value, dict) else set()
    return {Reason.MODIFIER_NOT_UNDERSTOOD, Reason.CONSENT_NOT_UNDERSTOOD} | other_shape | other_version


@pytest.mark.parametrize("name", ALL_TYPES)
@pytest.mark.parametrize("field", ["implicitRules", "modifierExtension"])
def test_what_modifies_all_of_a_resource_refuses_it(name: str, field: str) -> None:
    value = ODD if field == "modifierExtension" else "https://acme.example/rules"
    reason, told = said_of(BASES[name] | {field: value})
    assert (reason, told) == (Reason.MODIFIER_NOT_UNDERSTOOD, f"{name}.{field}")


READ: dict[str, Any] = {
    "Patient.address": [{"use": "home", "postalCode": "45229"}],
    "Patient.communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "es"}]}}],
    "Patient.link": [{"type": "seealso", "other": {"reference": "Patient/2"}}],
    "Encounter.participant": [{"individual": {"reference": "Practitioner/1"}}],
    "Encounter.location": [{"location": {"reference": "Location/1"}}],
    "Encounter.diagnosis": [{"condition": {"reference": "Condition/1"}, "rank": 1}],
    "Encounter.hospitalization": {
        "reAdmission": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0092", "code": "R"}]}
    },
    "Encounter.classHistory": [
        {
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER"},
            "period": {"start": "2026-04-07"},
        }
    ],
    "Condition.stage": [{"summary": {"coding": [{"system": "http://snomed.info/sct", "code": "258219007"}]}}],
    "Observation.component": [
        {
            "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
            "valueQuantity": {"value": 118, "unit": "mm[Hg]"},
        }
    ],
    "Observation.referenceRange": [{"high": {"value": 40, "unit": "kg"}}],
    "Procedure.performer": [{"actor": {"reference": "Practitioner/1"}}],
    "Immunization.protocolApplied": [{"doseNumberPositiveInt": 2}],
    "Immunization.reaction": [{"date": "2026-04-08"}],
    "MedicationRequest.dispenseRequest": {"numberOfRepeatsAllowed": 3},
    "MedicationRequest.dosageInstruction": [{"asNeededBoolean": True}],
    "MedicationRequest.dosageInstruction.timing": [
        {"asNeededBoolean": True, "timing": {"repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}}}
    ],
    "MedicationDispense.dosageInstruction": [{"asNeededBoolean": True}],
    "MedicationStatement.dosage": [{"asNeededBoolean": True}],
    "MedicationAdministration.dosage": {"dose": {"value": 5, "unit": "mg"}},
    "Medication.ingredient": [{"itemCodeableConcept": {"coding": [{"system": RXNORM, "code": "161"}]}}],
}
"""What of each element that is read says something; without a modifier it stands in the record."""


def marked(value: Any, inner: str) -> Any:
    """The value, modified in a way nobody here knows: itself, or an element in it."""
    if isinstance(value, list):
        return [marked(each, inner) for each in value]
    if inner:
        return value | {inner: marked(value[inner], "")}
    return value | {"modifierExtension": ODD}


@pytest.mark.parametrize("path", READ)
def test_an_element_that_is_modified_is_left_out_and_named(path: str) -> None:
    """With its content; the rest of the resource stands. What refuses all of it names it, too."""
    name, field, *inner = path.split(".")
    plain = BASES[name] | {field: READ[path]}
    assert said_of(plain)[0] is None
    reason, told = said_of(BASES[name] | {field: marked(READ[path], "".join(inner))})
    wanted = {"dosageInstruction": "dosage"}.get(field, field)
    assert (inner[0] if inner else wanted) in told
    assert reason is None or reason is Reason.MODIFIER_NOT_UNDERSTOOD


def test_no_element_that_is_read_is_left_untried() -> None:
    """Every element of every mapped type that may bear a modifierExtension: modified, and filled with nothing else, it is named or never read."""
    silent = []
    for name in ALL_TYPES:
        plain = said_of(BASES[name])
        for path in backbones(name):
            field, _, inner = path.partition(".")
            element: Any = marked({inner: {}}, inner) if inner else {"modifierExtension": ODD}
            if said_of(BASES[name] | {field: [element]}) == plain and said_of(BASES[name] | {field: element}) == plain:
                silent.append(f"{name}.{path}")
    assert {each for each in silent if each in READ} == set()
