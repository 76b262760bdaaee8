"""Names, numbers and texts planted in every field of every mapped type, in every shape FHIR has: none of them leaves."""

import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from transforms import Mapper
from transforms.codes.systems import known_systems
from transforms.resources import mappings
from transforms.rules.declaring import Choice, Fields, Rule, fields_beside

KEY = b"a key of thirty-two bytes, no less"
PLANTED = (
    "Zebediah Quackenbush",
    "Quackenbush",
    "Quackenbush.Zebediah",
    "617-555-0142",
    "6175550142",
    "MRN-0042",
    "1071234 |asthma of Zebediah|",
    "mailto:zebediah@example.org",
    "https://ehr.example/patients/MRN-0042/Quackenbush",
    "called 617 555 0142",
)
SECRETS = (b"zebediah", b"quackenbush", b"555-0142", b"5550142", b"555 0142", b"mrn-0042", b"asthma of")
HL7 = "http://terminology.hl7.org/CodeSystem/"
FITTING: dict[str, dict[str, Any]] = {
    "Observation": {
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]},
        "effectiveDateTime": "2026-03-02",
        "valueInteger": 120,
    },
    "Condition": {"code": {"coding": [{"system": "http://snomed.info/sct", "code": "34000006"}]}},
    "AllergyIntolerance": {"code": {"coding": [{"system": "http://snomed.info/sct", "code": "91936005"}]}},
    "DeviceUseStatement": {
        "status": "active",
        "device": {"reference": "#d1"},
        "contained": [{"resourceType": "Device", "id": "d1", "type": {"coding": [{"code": "69805005"}]}}],
    },
    "Consent": {
        "status": "active",
        "category": [{"coding": [{"system": f"{HL7}consentcategorycodes", "code": "rsdid"}]}],
        "provision": {"type": "permit"},
    },
    "EpisodeOfCare": {
        "status": "active",
        "type": [{"coding": [{"system": "http://snomed.info/sct", "code": "190905008"}]}],
    },
    "Group": {
        "type": "person",
        "actual": True,
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "190905008"}]},
    },
    "Procedure": {
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "73761001"}]},
        "status": "completed",
    },
    "Immunization": {
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "140"}]},
        "occurrenceDateTime": "2026-03-02",
        "status": "completed",
    },
    "Appointment": {"status": "booked"},
    "CarePlan": {"status": "active", "intent": "plan"},
    "Goal": {
        "lifecycleStatus": "active",
        "description": {"coding": [{"system": "http://snomed.info/sct", "code": "289169006"}]},
    },
    "Communication": {
        "status": "completed",
        "topic": {"coding": [{"system": "http://snomed.info/sct", "code": "182836005"}]},
    },
    "Task": {
        "status": "requested",
        "intent": "order",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "182836005"}]},
    },
    "Encounter": {"status": "finished"},
    "Coverage": {"status": "active", "type": {"coding": [{"system": "https://nahdo.org/sopt", "code": "2"}]}},
    "Patient": {},
    "QuestionnaireResponse": {
        "status": "completed",
        "questionnaire": "http://loinc.org/q/44249-1",
        "item": [{"linkId": "/44250-9", "answer": [{"valueInteger": 1}]}],
    },
    "ServiceRequest": {
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "385763009"}]},
        "status": "active",
        "intent": "order",
    },
    "DeviceRequest": {
        "codeCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "183240000"}]},
        "status": "active",
        "intent": "order",
    },
}
DRUG = {
    "medicationCodeableConcept": {
        "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "8640"}]
    },
    "status": "active",
    "intent": "order",
}


def site() -> Mapper:
    return Mapper(site="north", time_zone="America/New_York", subject_key=KEY)


def fields_of(fields: Fields) -> Iterator[str]:
    for name, rule in fields.items():
        yield from (*rule.fields, *rule.instead) if isinstance(rule, Choice) else (name,)
        yield from fields_beside(rule.needs) if isinstance(rule, Rule) and rule.needs else ()


THIRDS = 3


def codings(said: str, turn: int | None) -> Iterator[dict[str, Any]]:
    """Of all known systems, or of a third of them by turns: each meets every text, and every field, and not all of both."""
    yield {"code": said}
    yield {"system": said, "code": "1"}
    yield {"system": "https://local.example/codes", "code": said}
    known = [*known_systems()]
    for system in known if turn is None else known[turn % THIRDS :: THIRDS]:
        yield {"system": system, "code": said, "display": said, "version": said}


def shapes(said: str, turn: int | None = None) -> Iterator[Any]:
    """Whatever a field may hold, with the text in each of its places; `turn`: of codes, with which third of the systems."""
    yield from (said, [said], {"text": said}, [{"text": said}], {"value": said}, {"start": said, "end": said})
    for coding in codings(said, turn):
        yield from (coding, {"coding": [coding]}, [{"coding": [coding], "text": said}])
    quantity = {"value": 3, "unit": said, "code": said}
    systems = ({}, {"system": "http://unitsofmeasure.org"}, {"system": said})
    yield from (quantity | system for system in systems)
    yield {"value": 3, "unit": said}
    yield from ({"low": quantity, "high": quantity}, [{"low": quantity, "text": said}])
    yield {"numerator": quantity, "denominator": quantity}
    yield from ({"reference": said, "display": said}, {"reference": f"Patient/{said}"}, [{"reference": said}])
    yield [{"doseAndRate": [{"doseQuantity": quantity}], "text": said, "route": {"text": said}}]
    for value in ("String", "Uri", "Date", "Time", "Integer"):
        yield [{"linkId": said, "text": said, "answer": [{f"value{value}": said, "item": [{"linkId": said}]}]}]
    for coding in codings(said, turn):
        yield [
            {"linkId": "q1", "item": [{"linkId": said, "answer": [{"valueCoding": coding}, {"valueCoding": coding}]}]}
        ]
    actor = {"reference": "Patient/p1", "display": said}
    yield [{"actor": actor, "type": [{"text": said}]}, {"actor": {"reference": f"Location/{said}", "display": said}}]
    yield [{"type": {"text": said}, "valueCodeableConcept": {"text": said}, "valueReference": {"reference": said}}]
    yield {"period": {"start": said, "end": said}}
    yield [{"measure": {"text": said}, "detailString": said, "dueDate": said}, {"detailQuantity": quantity}]
    yield [{"measure": {"coding": [{"system": said, "code": said}]}, "detailCodeableConcept": {"text": said}}]
    yield [{"detail": {"code": {"text": said}, "status": said, "description": said, "goal": [{"reference": said}]}}]
    yield [{"detail": {"code": {"coding": [{"system": said, "code": said}]}}, "reference": {"reference": said}}]
    yield [{"linkId": "q1", "answer": [{"valueQuantity": quantity}, {"valueReference": {"display": said}}]}]
    yield {"versionId": said, "lastUpdated": "2026-03-02T09:10:00Z", "source": said, "tag": [{"code": said}]}
    yield [{"url": said, "valueString": said, "valueCode": said, "valueCoding": {"code": said, "system": said}}]
    yield {"type": "permit", "purpose": [{"system": said, "code": said, "display": said}], "period": {"start": said}}
    yield [{"uri": said}, {"verified": True, "verificationDate": said}]
    yield [{"manifestation": [{"text": said}], "description": said, "severity": said, "onset": said}]
    device = {"type": {"coding": [{"system": said, "code": said}], "text": said}, "deviceName": [{"name": said}]}
    yield [{"resourceType": "Device", "id": "d1", "serialNumber": said} | device]
    yield [{"code": {"text": said}, "valueString": said}, {"code": {"coding": [{"code": said}]}, "valueInteger": 1}]


def planted(name: str, texts: tuple[str, ...] = PLANTED) -> Iterator[bytes]:
    resource = mappings()[name]
    named = {*fields_of(resource.fields), *fields_of(resource.repeated), *fields_of(resource.subject), "meta", "id"}
    subject = next(iter(resource.subject))
    whom: Any = {"reference": "Patient/p1"}
    whom = [{"actor": whom}] if subject == "participant" else whom
    base = {"resourceType": name, "id": "s1", subject: whom} | FITTING.get(name, DRUG)
    if name == "Patient":
        base["id"] = "p1"
    named |= {resource.parts.of} if resource.parts else set()
    for at, field in enumerate(sorted(named)):
        for turn, said in enumerate(texts, at):
            for shape in shapes(said, turn):
                beside = (
                    {}
                    if field not in fields_of(resource.repeated) or not field.startswith("value")
                    else {"valueInteger": None}
                )
                filled = {**base, **beside, field: shape}
                if resource.members:
                    inner = {subject, *resource.members.reads} & set(filled)
                    filled[resource.members.of] = [{each: filled.pop(each) for each in inner}, {"text": said}]
                yield json.dumps({each: value for each, value in filled.items() if value is not None}).encode()


@pytest.mark.parametrize("name", sorted(mappings()))
@pytest.mark.slow
def test_nothing_planted_leaves_a_mapping(name: str) -> None:
    """Searched: records, provenance, problems, flags, what is counted as unmapped."""
    mapper = site()
    outcomes = mapper.map_lines(list(planted(name)))
    given = [
        *(each.content + each.provenance for each in outcomes.records),
        *(repr(outcome.problem).encode() for outcome in outcomes.unusual.values()),
        repr(vars(mapper.noticed)).encode(),
    ]
    assert len(outcomes.records) > 100
    everything = b"\n".join(given).lower()
    found = {secret for secret in SECRETS if secret in everything}
    assert not found, next(text for text in given for secret in found if secret in text.lower())


DAY = ("1987-06-05", "06/05/1987", "5 June 1987", "19870605")


def dates_outside_their_fields(value: Any, name: str = "") -> Iterator[str]:
    """Fields of a record, none of which is a date or a time, in which a planted day stands."""
    if isinstance(value, dict):
        for inner, each in value.items():
            yield from dates_outside_their_fields(each, inner)
    elif isinstance(value, list):
        for each in value:
            yield from dates_outside_their_fields(each, name)
    elif any(day in str(value) for day in DAY) and not TIMES.fullmatch(name):
        yield name


TIMES = re.compile(
    r".*_date|start|end|onset|abatement|effective|issued|performed(_end)?|occurrence(_end)?|authored|raised|answered|value_instant|value(_low|_high)?"
)
"""Times are told at tier 1; a reading of 19,870,605 is a number."""


@pytest.mark.parametrize("name", sorted(mappings()))
@pytest.mark.slow
def test_a_day_planted_anywhere_leaves_in_no_field_but_a_time(name: str) -> None:
    """Written as a code, a unit, a reference, a text, a system; none in what is noticed, either."""
    mapper = site()
    outcomes = mapper.map_lines(list(planted(name, DAY)))
    for record in outcomes.records:
        assert [*dates_outside_their_fields(json.loads(record.content))] == [], record.content
        assert not any(day.encode() in record.provenance for day in DAY)
    said = repr([outcome.problem for outcome in outcomes.unusual.values()]) + repr(vars(mapper.noticed))
    assert [day for day in DAY if day in said] == []


WRITTEN = (
    "Quackenbush",
    "QUACKENBUSH^ZEBEDIAH",
    "urn:quackenbush:zebediah",
    "(617) 555-0142",
    "6175550142",
    "mrn-0042",
)
BESIDE = ("display", "text", "description", "note", "valueString", "title", "name", "url", "comment")


def written() -> list[dict[str, Any]]:
    """Resources as programs write them, of every type that is mapped."""
    here = Path(__file__)
    hostile, shapes = (
        runpy.run_path(str(here.with_name(f"test_{name}.py"))) for name in ("hostile", "shapes_of_real_programs")
    )
    return [*hostile["BASES"].values(), *(case[1] for case in shapes["CASES"])]


def leaves(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each text and number, and to what could stand beside them."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*way, name))
        yield from ((*way, name) for name in BESIDE if name not in value)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*way, place))
    else:
        yield way


def put(resource: dict[str, Any], way: tuple[Any, ...], value: Any) -> bytes:
    copy: Any = json.loads(json.dumps(resource))
    inner = copy
    for step in way[:-1]:
        inner = inner[step]
    inner[way[-1]] = value
    return json.dumps(copy).encode()


@pytest.mark.parametrize("said", [*WRITTEN, 6175550142])
@pytest.mark.slow
def test_nothing_that_stands_where_a_text_or_a_number_stood_leaves(said: Any) -> None:
    """In each place of each resource; a number with a unit of its own is a reading."""
    mapper, written_by = site(), written()
    lines = [put(each, way, said) for each in written_by for way in leaves(each) if way != ("resourceType",)]
    outcomes = mapper.map_lines(lines)
    given = [*(each.content + each.provenance for each in outcomes.records), repr(vars(mapper.noticed)).encode()]
    given += [repr(outcome.problem).encode() for outcome in outcomes.unusual.values()]
    measured = re.compile(
        rb'"(?:raw_)?(?:value(?:_low|_high)?|dose(?:_low|_high)?|rate|reference_low|reference_high)":"?6175550142"?'
    )
    found = [text for text in given for secret in SECRETS if secret in measured.sub(b"", text).lower()]
    assert found == []
