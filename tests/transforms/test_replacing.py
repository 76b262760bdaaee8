"""A correction under a new id: it names what it replaces, and neither record is lost or counted twice unseen."""

import json
from typing import Any

import pytest

from transforms import Mapper
from transforms.derive.history import History
from transforms.derive.history.facts import Facts
from transforms.mapped import Current
from transforms.quality.facts import Person, Row, fact_of

Json = dict[str, Any]
FHIR = "http://hl7.org/fhir/StructureDefinition"
SITE = Mapper(site="north", time_zone="UTC", subject_key=b"a key of thirty-two bytes, no less")
SNOMED_CODE = {"coding": [{"system": "http://snomed.info/sct", "code": "34000006"}]}
RXNORM, PHQ9 = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://loinc.org/q/44249-1"
PATIENT = {"reference": "Patient/p4"}
RESOURCES: list[Json] = [
    {
        "resourceType": "Observation",
        "status": "corrected",
        "subject": PATIENT,
        "effectiveDateTime": "2026-02-01",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "valueQuantity": {"value": 19.5, "code": "kg", "system": "http://unitsofmeasure.org"},
    },
    {"resourceType": "Condition", "subject": PATIENT, "code": SNOMED_CODE},
    {"resourceType": "Encounter", "status": "finished", "subject": PATIENT, "class": {"code": "AMB"}},
    {"resourceType": "Procedure", "status": "completed", "subject": PATIENT, "code": SNOMED_CODE},
    {
        "resourceType": "Immunization",
        "status": "completed",
        "patient": PATIENT,
        "occurrenceDateTime": "2026-02-01",
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "140"}]},
    },
    {"resourceType": "AllergyIntolerance", "patient": PATIENT, "code": SNOMED_CODE},
    {
        "resourceType": "Consent",
        "status": "inactive",
        "patient": PATIENT,
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]},
    },
    {"resourceType": "EpisodeOfCare", "status": "active", "patient": PATIENT, "type": [SNOMED_CODE]},
    *(
        {
            "resourceType": kind,
            "status": "completed",
            "subject": PATIENT,
            "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": "327361"}]},
        }
        for kind in ("MedicationRequest", "MedicationDispense", "MedicationAdministration", "MedicationStatement")
    ),
    {"resourceType": "QuestionnaireResponse", "status": "completed", "subject": PATIENT, "questionnaire": PHQ9},
    {"resourceType": "Appointment", "status": "booked", "participant": [{"actor": PATIENT}]},
    {
        "resourceType": "DeviceUseStatement",
        "status": "active",
        "subject": PATIENT,
        "device": {"reference": "#d"},
        "contained": [{"resourceType": "Device", "id": "d", "type": SNOMED_CODE}],
    },
]


def mapped(resource: Json, ident: str, *extensions: Any) -> tuple[Json, list[str]]:
    line = json.dumps({**resource, "id": ident, **({"extension": extensions} if extensions else {})}).encode()
    (record,) = SITE.map_line(line).records
    return json.loads(record.content), json.loads(b"{%b}" % record.provenance).get("flags", [])


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: str(resource["resourceType"]))
def test_what_replaces_another_names_its_record(resource: Json) -> None:
    """Whatever the extension's prefix; what it says beside, and of other resources, is nothing to us."""
    kind = resource["resourceType"]
    old, _ = mapped(resource, "old")
    new, flags = mapped(
        resource,
        "new",
        {"url": f"{FHIR}/request-replaces", "valueReference": {"reference": f"{kind}/old", "display": "x"}},
        {"url": f"{FHIR}/replaces", "valueReference": {"reference": "DocumentReference/9"}},
        {"url": f"{FHIR}/data-absent-reason", "valueCode": "unknown"},
        {"url": "https://v.example/replaces", "valueReference": {"reference": f"{kind}/other"}},
    )
    assert old.get("replaces") is None
    assert old["id"] in new["replaces"]
    assert len(new["replaces"]) == 2
    assert flags == [flag for flag in flags if flag != "replaced"]


@pytest.mark.parametrize("url", [f"{FHIR}/replaced-by", "https://v.example/ext/replacedBy"])
def test_what_says_that_it_is_replaced_is_flagged(url: str) -> None:
    """It stands until its source withdraws it."""
    record, flags = mapped(RESOURCES[0], "old", {"url": url, "valueReference": {"reference": "Observation/new"}})
    assert "replaces" not in record
    assert flags == ["replaced"]


def test_an_odd_extension_leaves_the_others() -> None:
    """It is left out and named."""
    good = {"url": f"{FHIR}/replaces", "valueReference": {"reference": "Observation/old"}}
    record, flags = mapped(RESOURCES[0], "new", {"url": "https://v.example/x", "valueReference": "Observation/7"}, good)
    assert len(record["replaces"]) == 1
    assert flags == ["dropped:extension"]


def panel(ident: str, value: int, *extensions: Any) -> list[Current]:
    """The records of a panel with one part."""
    part = {"code": RESOURCES[0]["code"], "valueQuantity": {**RESOURCES[0]["valueQuantity"], "value": value}}
    whole = {name: value for name, value in RESOURCES[0].items() if name != "valueQuantity"}
    line = {**whole, "id": ident, "code": {"coding": [{"system": "http://loinc.org", "code": "85353-1"}]}}
    line |= {"component": [part], "extension": list(extensions)}
    return [
        Current(each.id, each.type, each.subject, each.content)
        for each in SITE.map_line(json.dumps(line).encode()).records
    ]


def test_the_parts_of_what_is_replaced_are_replaced_with_it() -> None:
    """Where values are derived, where records are judged, and where measures count; nothing replaces itself."""
    instead = {"url": f"{FHIR}/replaces", "valueReference": {"reference": "Observation/old"}}
    given = [*panel("old", 31), *panel("new", 32, instead), *panel("own", 33)]
    facts = Facts()
    history = History(facts.of(each.content) for each in given)
    assert sorted(each.value for each in history.readings(("29463-7",))) == [32, 33]
    person = Person([fact_of(Row(each.subject, each.content, b"")) for each in given])
    assert [each.value for each in person.of("observation") if each.value] == [32, 33]
    assert len(person.facts) == 4
    itself = [*panel("old", 31, instead)]
    assert len(History(facts.of(each.content) for each in itself).readings(("29463-7",))) == 1


def test_of_records_that_replace_each_other_one_stands() -> None:
    """Over two loads as in one; where a record outside replaces it, none of them does."""

    def by(name: str) -> Json:
        return {"url": f"{FHIR}/replaces", "valueReference": {"reference": f"Observation/{name}"}}

    facts = Facts()
    for ring in (("a", "b"), ("a", "b", "c"), tuple("abcdefgh")):
        given = [each for place, name in enumerate(ring) for each in panel(name, 30 + place, by(ring[place - 1]))]
        for told in (given, given[::-1]):
            (stands,) = History(facts.of(each.content) for each in told).readings(("29463-7",))
            assert stands.fact.id.startswith(f"r-{min(each.id for each in given)[:12].hex()}")
        outside = [*given, *panel("new", 90, *map(by, ring))]
        assert [each.value for each in History(facts.of(each.content) for each in outside).readings(("29463-7",))] == [
            90
        ]
