"""A record's id hangs on the site's key and on what the source carries: it never changes once registries hold data."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from transforms import CodeMapRow, Mapper
from transforms.privacy import Pseudonyms
from transforms.reading.noticed import Noticed
from transforms.reading.parts import part_label
from transforms.reading.reader import Reader
from transforms.reading.references import References
from transforms.rules import Parts, Resource, integer, patient
from transforms.rules.setting import Setting

KEY = b"a key of thirty-two bytes, no less"
LOINC, OID, LOCAL = "http://loinc.org", "urn:oid:2.16.840.1.113883.6.1", "urn:local"
Json = dict[str, Any]


def part(*codings: tuple[str | None, str], value: float = 1) -> Json:
    listed = [{"system": system, "code": code} if system else {"code": code} for system, code in codings]
    return {"code": {"coding": listed}, "valueQuantity": {"value": value, "unit": "mm[Hg]"}}


def panel(*parts: Json, **fields: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": "bp",
        "status": "final",
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-03-02",
        "code": {"coding": [{"system": LOINC, "code": "85354-9"}]},
        "component": list(parts),
    } | fields


def contents(resource: Json, **options: Any) -> dict[str, Json]:
    """Record id → the record."""
    site = Mapper(site="north", time_zone="UTC", subject_key=KEY, **options)
    records = site.map_line(json.dumps(resource).encode()).records
    return {record.id.hex(): json.loads(record.content) for record in records}


def flags(resource: Json) -> list[list[str]]:
    site = Mapper(site="north", time_zone="UTC", subject_key=KEY)
    records = site.map_line(json.dumps(resource).encode()).records
    return [json.loads(b"{" + record.provenance + b"}").get("flags", []) for record in records]


CHAIR = {"coding": [{"system": "http://snomed.info/sct", "code": "183240000"}]}


def asked(resource_type: str, **fields: Any) -> Json:
    return {"resourceType": resource_type, "id": "q1", "subject": {"reference": "Patient/p1"}, **fields}


BMI, WEIGHT = ({"coding": [{"system": "http://loinc.org", "code": code}]} for code in ("39156-5", "29463-7"))
LA, LB = ({"valueCoding": {"system": "http://loinc.org", "code": code}} for code in ("LA6568-5", "LA6569-3"))
WHOLE = "db13fd287c6930e7f61a75ea00000000"
SCOPES = "http://terminology.hl7.org/CodeSystem/consentscope"


def held(kind: str, ident: str, **fields: Any) -> Json:
    return {"resourceType": kind, "id": ident, "patient": {"reference": "Patient/p1"}} | fields


FIXED = [
    ({"resourceType": "Patient", "id": "p1"}, ["763a25a05e0b941891c4b9a400000000"]),
    (panel(), [WHOLE]),
    (panel(part((LOINC, "8480-6"))), [WHOLE, "db13fd287c6930e7f61a75eae7b2e83c"]),
    (panel(part((LOINC, "8462-4"))), [WHOLE, "db13fd287c6930e7f61a75eac7b71279"]),
    (panel(part((LOCAL, "SYS"), (LOINC, "8462-4"))), [WHOLE, "db13fd287c6930e7f61a75eac7b71279"]),
    (panel(part((LOINC, "8480-6"), (LOINC, "8462-4"))), [WHOLE, "db13fd287c6930e7f61a75eac7b71279"]),
    (
        panel(part((OID, "8867-4")) | {"valueQuantity": {"value": 60, "unit": "/min"}}),
        [WHOLE, "db13fd287c6930e7f61a75ea2f7705d7"],
    ),
    (panel(part((LOCAL, "X"))), [WHOLE, "db13fd287c6930e7f61a75ea77ea7b48"]),
    (panel(part((None, "SYS"))), [WHOLE, "db13fd287c6930e7f61a75ea41df3128"]),
    (
        panel(part((LOINC, "8480-6")), part((LOINC, "8480-6"))),
        [WHOLE, "db13fd287c6930e7f61a75eac10a8751", "db13fd287c6930e7f61a75eae7b2e83c"],
    ),
    (asked("ServiceRequest", code=CHAIR), ["713756b41f8eb315f3eb087f00000000"]),
    (
        asked("QuestionnaireResponse", item=[{"linkId": "q1", "answer": [{"valueInteger": 1}]}]),
        ["531fb4b8b495ea8f6015b35b00000000", "531fb4b8b495ea8f6015b35bff509a06"],
    ),
    (
        asked("QuestionnaireResponse", item=[{"linkId": "g", "item": [{"linkId": "q1", "answer": [LA, LB]}]}]),
        ["531fb4b8b495ea8f6015b35b00000000", "531fb4b8b495ea8f6015b35b6f995749", "531fb4b8b495ea8f6015b35bbf16a020"],
    ),
    (
        {"resourceType": "Appointment", "id": "q1", "participant": [{"actor": {"reference": "Patient/p1"}}]},
        ["8e847eeae1edd49abf62155c00000000"],
    ),
    (asked("Communication", topic=CHAIR), ["588354215ed9e6a3f7e5805300000000"]),
    (
        {"resourceType": "Task", "id": "q1", "for": {"reference": "Patient/p1"}, "code": CHAIR},
        ["95bdf1d84793abbcc6c38f4700000000"],
    ),
    (
        asked("Goal", description=CHAIR, target=[{"measure": BMI}, {"measure": WEIGHT}]),
        ["a15e9e03fa8e08861d7cb6e300000000", "a15e9e03fa8e08861d7cb6e350c5b5b0", "a15e9e03fa8e08861d7cb6e366751a08"],
    ),
    (
        asked("CarePlan", activity=[{"detail": {"code": CHAIR}}, {"reference": {"reference": "Task/1"}}]),
        ["3b8524666d74f35c17839fe100000000", "3b8524666d74f35c17839fe1cc47f289"],
    ),
    (asked("DeviceRequest", codeCodeableConcept=CHAIR), ["b5f3a9394d4f65a3a7c51de300000000"]),
    (held("AllergyIntolerance", "y3", code=CHAIR), ["fe932fcd5140d0cab18027ec00000000"]),
    (
        held(
            "DeviceUseStatement",
            "v3",
            device={"reference": "#d"},
            contained=[{"resourceType": "Device", "id": "d", "type": CHAIR}],
        )
        | {"subject": {"reference": "Patient/p1"}, "patient": None},
        ["6c28066b55f99719ac36759b00000000"],
    ),
    (
        {"resourceType": "Coverage", "id": "w3", "beneficiary": {"reference": "Patient/p1"}},
        ["92474a7b6749d923f0a1c2e200000000"],
    ),
    (held("EpisodeOfCare", "q3", type=[CHAIR]), ["747d05c919f47f7eb833d24600000000"]),
    (
        held("Consent", "n3", status="inactive", scope={"coding": [{"system": SCOPES, "code": "research"}]}),
        ["d62e10a35485f55b9d56aeb000000000"],
    ),
    (
        {"resourceType": "Group", "id": "g3", "actual": True, "code": CHAIR}
        | {"member": [{"entity": {"reference": f"Patient/kid-{number}"}} for number in (4, 3)]},
        ["814e65699f3754649e7c88150cb209c0", "814e65699f3754649e7c8815b1f177f6"],
    ),
    (
        {"resourceType": "Observation", "id": "q1", "status": "final", "subject": {"reference": "Patient/p1"}}
        | {"code": {"coding": [{"system": LOCAL, "code": "PUCAI"}]}, "valueInteger": 10}
        | {"effectiveDateTime": "2026-03-02"},
        ["c1ac521a0e049038bd138bd700000000", "c1ac521a0e049038bd138bd71aa601e8"],
    ),
]


@pytest.mark.parametrize(("resource", "ids"), FIXED)
def test_ids_are_what_they_were_when_the_first_registry_began(resource: Json, ids: list[str]) -> None:
    """Of another id a registry knows nothing: the fact would be withdrawn and recorded anew, everywhere."""
    assert sorted(contents(resource)) == sorted(ids)


def test_reversed_codings_and_reordered_components_change_nothing() -> None:
    """A vendor's new serialiser withdraws no blood pressure."""
    systolic = part((LOINC, "8480-6"), (LOCAL, "SYS"), ("http://snomed.info/sct", "271649006"), value=110)
    diastolic = part((LOINC, "8462-4"), (LOCAL, "DIA"), value=70)
    before = contents(panel(systolic, diastolic))
    for component in (systolic, diastolic):
        component["code"]["coding"].reverse()
    assert contents(panel(diastolic, systolic)) == before
    assert len(before) == 3


def test_a_code_map_changes_no_id() -> None:
    """The site's people mend a meaning; the fact stays the same fact."""
    local = panel(part((LOCAL, "SYS"), ("urn:other", "1")))
    mapped = contents(local, code_map=[CodeMapRow("urn:other", "1", LOINC, "8480-6")])
    assert list(mapped) == list(contents(local))
    assert [record.get("code") for record in mapped.values()] == ["85354-9", "8480-6"]


def test_parts_alike_are_told_apart_by_what_they_say_and_flagged() -> None:
    """Three readings of one pressure, in whatever order, spelling or order of codings they come."""
    parts = [part((LOINC, "8480-6"), (LOCAL, "S"), value=value) for value in (120, 118.5, 121)]
    before = contents(panel(*parts))
    assert len(before) == 4
    assert flags(panel(*parts)) == [[], *[["parts-alike"]] * 3]
    parts[0]["code"]["coding"].reverse()
    text = json.dumps(panel(*reversed(parts))).replace("118.5", "118.50")
    after = contents(json.loads(text))
    assert after == before
    site = Mapper(site="north", time_zone="UTC", subject_key=KEY)
    spelled = {record.id.hex(): json.loads(record.content) for record in site.map_line(text.encode()).records}
    assert {id_: record.get("value") for id_, record in spelled.items()} == {
        id_: record.get("value") for id_, record in before.items()
    }


def test_parts_known_by_a_link_id_keep_their_ids_in_any_order() -> None:
    """Answers have no code; the question's linkId is what the source carries."""
    answers = Resource(
        source="QuestionnaireResponse",
        record="pro_response",
        version=1,
        subject={"subject": patient()},
        fields={},
        repeated={"valueInteger": integer(value="value", raw_value="raw_value", unit_of="linkId")},
        parts=Parts(of="item", known_by="linkId"),
    )
    setting = Setting(ZoneInfo("UTC"), Pseudonyms(KEY), {})

    def values(items: list[Json]) -> dict[bytes, Any]:
        reader = Reader(
            answers,
            site="north",
            setting=setting,
            references=References(setting.pseudonyms, None),
            leaves=lambda _: True,
            noticed=Noticed(),
        )
        line = {
            "resourceType": "QuestionnaireResponse",
            "id": "q",
            "subject": {"reference": "Patient/1"},
            "item": items,
        }
        return {
            record.id: json.loads(record.content).get("value")
            for record in reader.read([json.dumps(line).encode()]).records
        }

    items = [{"linkId": "1.a", "valueInteger": 3}, {"linkId": "1.b", "valueInteger": 4}]
    assert len(values(items)) == 3
    assert values(items[::-1]) == values(items)


def test_a_label_is_read_from_the_source_alone() -> None:
    """The wanted system's smallest code, else the smallest coding, else the text."""
    wanted = (LOINC, OID)
    for code, label in (
        (
            '{"coding":[{"system":"urn:a","code":"1"},{"code":"8480-6","system":"http://loinc.org"}]}',
            "http://loinc.org|8480-6",
        ),
        ('{"coding":[{"system":"urn:b","code":"1"},{"system":"urn:a","code":"2"}]}', "urn:a|2"),
        ('{"coding":[{"system":"urn:a"},{"system":"urn:b","code":"2"}]}', "urn:b|2"),
        ('{"text":"Systolic"}', "Systolic"),
        ('{"text":"Syst\\u006flic"}', "Systolic"),
        ('"1.a"', "1.a"),
        ("{}", ""),
    ):
        assert part_label(code.encode(), wanted) == label.encode()
