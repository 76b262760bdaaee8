"""A vendor's new serialiser amends no hospital: what is the same in FHIR is the same record, byte for byte."""

import json
import random
from typing import Any

from how_many import some
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_children import children

from transforms import Mapper
from transforms.mapped import REF_BYTES

SITE = Mapper(site="north", time_zone="America/New_York", subject_key=b"k" * 32)
LOINC, SNOMED, ACT = "http://loinc.org", "http://snomed.info/sct", "http://terminology.hl7.org/CodeSystem/v3-ActCode"
SETS = ("coding", "component", "category", "type", "reasonCode", "extension", "ingredient", "interpretation", "profile")
"""Lists whose order says nothing."""
SUBJECT = {"subject": {"reference": "Patient/1", "display": "x"}}
META = {"versionId": "1", "lastUpdated": "2026-03-02T04:10:00Z", "profile": ["http://a/x", "http://b/y"]}
RACE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"


def concept(*codings: tuple[str, str]) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": "d"} for system, code in codings], "text": "t"}


SHAPES: list[dict[str, Any]] = [
    {
        "resourceType": "Observation",
        "id": "1",
        "meta": META,
        "status": "final",
        "category": [concept(("urn:l", "x"), ("urn:c", "laboratory")), concept(("urn:c", "vital-signs"))],
        "code": concept((LOINC, "8302-2"), (LOINC, "3137-7"), (LOINC, "9999-0"), (SNOMED, "50373000"), ("urn:l", "H")),
        **SUBJECT,
        "encounter": {"reference": "Encounter/1", "display": "x"},
        "effectiveDateTime": "2026-03-02T04:10:00Z",
        "valueQuantity": {"value": 7.1, "unit": "m", "system": "http://unitsofmeasure.org", "code": "m"},
        "interpretation": [
            concept(("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "H"), ("urn:l", "hh")),
            concept(("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "A")),
        ],
        "component": [
            {"code": concept((LOINC, "8480-6"), ("urn:l", "S")), "valueQuantity": {"value": 110.5, "code": "mm[Hg]"}},
            {"code": concept((LOINC, "8480-6"), ("urn:l", "S")), "valueQuantity": {"value": 99.5, "code": "mm[Hg]"}},
            {"code": concept((LOINC, "8462-4")), "valueCodeableConcept": concept((SNOMED, "2"), (SNOMED, "1"))},
            {
                "code": concept(("urn:l", "B"), ("urn:k", "A")),
                "dataAbsentReason": concept(("a", "unknown"), ("b", "q")),
            },
        ],
    },
    {
        "resourceType": "Patient",
        "id": "1",
        "meta": META,
        "birthDate": "2015-01-01",
        "extension": [
            {
                "url": RACE,
                "extension": [
                    {"url": "ombCategory", "valueCoding": {"code": code, "system": "urn:oid:x"}}
                    for code in ("2106-3", "2054-5")
                ],
            },
        ],
        "communication": [{"language": concept(("urn:ietf:bcp:47", "es"), ("urn:iso", "spa")), "preferred": True}],
    },
    {
        "resourceType": "MedicationRequest",
        "id": "1",
        "meta": META,
        "status": "active",
        **SUBJECT,
        "medicationReference": {"reference": "#m", "type": "Medication"},
        "contained": [
            {
                "resourceType": "Medication",
                "id": "m",
                "code": concept(("http://www.nlm.nih.gov/research/umls/rxnorm", "2"), ("urn:l", "1")),
                "ingredient": [
                    {"itemCodeableConcept": concept(("http://www.nlm.nih.gov/research/umls/rxnorm", code))}
                    for code in ("7", "5")
                ],
            }
        ],
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 2.5, "code": "mL"}}]}],
        "dispenseRequest": {"expectedSupplyDuration": {"value": 1.5, "code": "wk"}},
        "reasonCode": [concept((SNOMED, "2"), (SNOMED, "1")), concept(("urn:l", "3"))],
    },
    {
        "resourceType": "Encounter",
        "id": "1",
        "meta": META,
        "status": "finished",
        "class": {"system": ACT, "code": "AMB", "display": "x"},
        "type": [concept((SNOMED, "2")), concept((SNOMED, "1"), ("urn:l", "3"))],
        **SUBJECT,
        "period": {"start": "2026-03-02T04:10:00Z", "end": "2026-03-02T05:10:00Z"},
    },
    {
        "resourceType": "Condition",
        "id": "1",
        "meta": META,
        "code": concept((SNOMED, "190905008"), ("http://hl7.org/fhir/sid/icd-10-cm", "E84.0"), (SNOMED, "1")),
        "category": [concept(("c", "problem-list-item")), concept(("c", "encounter-diagnosis"))],
        "clinicalStatus": concept(("c", "active"), ("c", "recurrence")),
        **SUBJECT,
        "onsetDateTime": "2026",
    },
]
RESOURCES = [*SHAPES, *children(2)]


def spelled(value: Any, chance: random.Random, name: str = "") -> str:
    """JSON as another serialiser might write it."""
    blank = chance.choice(["", " ", "\t", " \t "])
    if isinstance(value, dict):
        members = [f"{_text(key, chance)}{blank}:{blank}{spelled(inner, chance, key)}" for key, inner in value.items()]
        chance.shuffle(members)
        return "{" + f"{blank},{blank}".join(members) + "}"
    if isinstance(value, list):
        elements = [spelled(inner, chance) for inner in value]
        if name in SETS:
            chance.shuffle(elements)
        return "[" + f"{blank},{blank}".join(elements) + "]"
    if isinstance(value, str):
        return _text(value, chance)
    if isinstance(value, float) and "e" not in repr(value):
        return repr(value) + chance.choice(["", "0", "00"])
    return json.dumps(value)


def _text(value: str, chance: random.Random) -> str:
    if chance.random() < 0.6:
        return json.dumps(value)
    escape = (
        [f"\\u{ord(letter):04x}", f"\\u{ord(letter):04X}", "\\/"]
        if (letter := chance.choice(value or "x")) == "/"
        else [f"\\u{ord(letter):04x}"]
    )
    return (
        json.dumps(value).replace(letter, chance.choice(escape), 1)
        if letter.isalnum() or letter == "/"
        else json.dumps(value)
    )


def contents(line: bytes, site: Mapper = SITE) -> dict[bytes, bytes]:
    """Record id → its content as the state compares it: without the value as written."""
    outcome = site.map_line(line)
    assert outcome.problem is None, outcome.problem
    found = {record.id: json.loads(record.content) for record in outcome.records}
    return {
        id_: json.dumps({k: v for k, v in record.items() if k != "raw_value"}).encode() for id_, record in found.items()
    }


@settings(max_examples=some(600))
@given(st.sampled_from(RESOURCES), st.integers(0, 2**32))
def test_another_serialiser_changes_no_record(resource: dict[str, Any], seed: int) -> None:
    """Key order, white space, escapes, closing zeros, the order of lists that are sets, and `meta`."""
    chance = random.Random(seed)
    meta = {"versionId": str(chance.randint(1, 99)), "lastUpdated": f"2026-04-{chance.randint(1, 30):02d}T00:00:00.5Z"}
    other = spelled(resource | {"meta": chance.choice([meta, resource.get("meta", meta)])}, chance).encode()
    assert json.loads(other)["id"] == resource["id"]
    assert contents(other) == contents(json.dumps(resource).encode())


def test_lists_that_are_sets_are_sorted_in_the_record() -> None:
    """As the state's digest wants them."""
    for resource in RESOURCES:
        for record in SITE.map_line(json.dumps(resource).encode()).records:
            for name, value in json.loads(record.content).items():
                if isinstance(value, list):
                    assert value == sorted(
                        value,
                        key=lambda item: (item.get("system", ""), item["code"]) if isinstance(item, dict) else (item,),
                    ), name


def test_of_several_codes_the_one_with_a_unit_is_chosen_whatever_the_order() -> None:
    """A height coded twice keeps its unit: 8302-2 has a row in units.csv, a local panel's code has none."""
    resource = SHAPES[0] | {"component": [], "code": concept((LOINC, "11111-0"), (LOINC, "8302-2"))}
    (record,) = contents(json.dumps(resource).encode()).values()
    assert json.loads(record)["code"] == "8302-2"
    assert (json.loads(record)["value"], json.loads(record)["unit"]) == (710, "cm")


def test_a_line_that_breaks_off_withdraws_what_its_resource_gave_however_it_is_spaced() -> None:
    """Python's own serialiser writes a blank behind each colon, others one in front."""
    resource = {"resourceType": "Procedure", "id": "p-1", "status": "completed"}
    lines = [
        json.dumps(resource, separators=separators).encode()[:-1]
        for separators in ((",", ":"), (", ", ": "), (" , ", " : "))
    ]
    outcomes = [SITE.map_lines([line]).unusual[0] for line in [*lines, b"{ " + lines[1][1:]]]
    assert {outcome.ref for outcome in outcomes} == {SITE.record_ids("Procedure", [lines[0]])[0][:REF_BYTES]}
    assert {str(outcome.problem and outcome.problem.reason) for outcome in outcomes} == {"invalid-json"}


def test_a_line_of_a_type_that_is_not_read_names_no_resource_where_it_breaks_off() -> None:
    assert SITE.map_lines([b'{"resourceType": "Basic", "id": "p-1"']).unusual[0].ref == b""
