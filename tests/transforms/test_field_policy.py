"""What leaves a site: the allow-list, the pseudonyms, and identifiers planted wherever a feed may hold them."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from schemas.outcomes import RECORD_TYPES
from transforms import Mapper
from transforms.privacy import FieldPolicy, Pseudonyms
from transforms.privacy.field_policy import FORMS, TIERS
from transforms.resources import mappings

KEY = b"a key of thirty-two bytes, no less"
ALWAYS = {"type", "id", "subject", "site"}
PLANTED = "Zebediah Quackenbush 617-555-0142"
TEXT_FIELDS = ("text", "display", "valueString", "div", "city", "family", "given", "line", "note", "value", "comment")


def site_mapper() -> Mapper:
    return Mapper(site="north", time_zone="America/New_York", subject_key=KEY)


def test_every_field_of_every_mapped_record_is_decided_about_at_every_tier() -> None:
    """A field the model gains leaves only when somebody wrote that it may; of what is not in the model, nothing may."""
    policy = FieldPolicy.load()
    for record in [*{resource.record for resource in mappings().values()}, "derived_observation"]:
        decided = policy.listed(record)
        fields = set(RECORD_TYPES[record].model_fields) - ALWAYS
        assert fields <= set(decided), record
        assert {word for name in set(decided) - fields for word in decided[name]} <= {"withhold"}, record
        for name, words in {**decided, **policy.listed("every_record")}.items():
            assert len(words) == len(TIERS), (record, name)
            assert set(words) <= set(FORMS), (record, name)
            assert words[0] in ("keep", "withhold"), (record, name)
    assert set(policy.listed("every_record")) == ALWAYS


def test_what_is_withheld_at_a_tier_does_not_come_back_at_a_more_open_one() -> None:
    """The wider the circle, the less it is told."""
    policy = FieldPolicy.load()
    for record in RECORD_TYPES:
        for name, (first, second, third) in policy.listed(record).items():
            assert first != "withhold" or second == "withhold", (record, name)
            assert second != "withhold" or third == "withhold", (record, name)


def test_no_day_no_place_and_no_lasting_id_is_told_by_safe_harbor() -> None:
    """45 CFR 164.514(b)(2): by what a field of the model is, not by what somebody remembered to write."""
    policy = FieldPolicy.load()
    for record in [*{resource.record for resource in mappings().values()}, "derived_observation"]:
        for name, field in RECORD_TYPES[record].model_fields.items():
            told, kind = policy.applies(2, record, name), str(field.annotation)
            if "datetime" in kind:
                assert told == "withhold", (record, name)
            if name.endswith("_date") and name not in ALWAYS:
                assert told == "year", (record, name)
            if "r-[0-9a-f]" in kind and name not in ALWAYS:
                assert told == "recode", (record, name)
    assert [policy.applies(2, "person", name) for name in ("birth_date", "zip5")] == ["year", "zip3"]
    assert [policy.applies(2, "condition", name) for name in ("onset_age", "abatement_age")] == ["age90"] * 2
    assert [policy.applies(2, "every_record", name) for name in ("id", "subject", "site")] == [
        "recode",
        "recode",
        "withhold",
    ]


@pytest.mark.parametrize(
    ("tier", "record", "field"),
    [(1, "person", "name"), (1, "device", "id"), (0, "person", "sex"), (4, "person", "sex")],
)
def test_what_nobody_listed_is_withheld(tier: int, record: str, field: str) -> None:
    """A field, a record type and a tier alike."""
    assert FieldPolicy.load().applies(tier, record, field) == "withhold"


def test_every_rule_gives_fields_of_the_model() -> None:
    """A misspelt output field would be dropped silently by the policy."""
    for resource in mappings().values():
        rules = [
            rule
            for entry in (*resource.fields.values(), *resource.repeated.values())
            for rule in (entry.fields.values() if hasattr(entry, "fields") else (entry,))
        ]
        given_fields = {name for rule in rules for name in rule.gives} | set(resource.constants)
        assert given_fields <= set(RECORD_TYPES[resource.record].model_fields), resource.record


def test_a_field_that_is_not_listed_does_not_leave(monkeypatch: Any) -> None:
    """The policy is enforced where records are made, not where they are read."""
    listed = {"person": {"sex": ("keep",), "zip5": ("withhold", "keep", "keep")}}
    monkeypatch.setattr(FieldPolicy, "load", classmethod(lambda cls: cls(listed)))
    patient = b'{"resourceType":"Patient","id":"1","gender":"male","birthDate":"2015-01-01","address":[{"postalCode":"02139"}]}'
    (record,) = site_mapper().map_line(patient).records
    assert set(json.loads(record.content)) == ALWAYS | {"sex"}


def test_subject_and_ref_are_those_of_the_contract() -> None:
    """A site can resolve them with its key alone."""
    (record,) = site_mapper().map_line(b'{"resourceType":"Patient","id":"p1"}').records
    assert record.subject == hmac.digest(KEY, b"Patient/p1", "sha256")[:16]
    under = hmac.digest(KEY, b"resources", "sha256")
    assert record.id == hashlib.blake2b(b"Patient/p1", key=under, digest_size=12).digest() + bytes(4)
    assert Pseudonyms(KEY).ref("Patient", "p1") == record.id[:12]


def _everywhere(value: Any) -> Any:
    """The resource with the identifier in each text field, and in text fields it did not have."""
    if isinstance(value, dict):
        filled = {name: _everywhere(inner) for name, inner in value.items()}
        return {**filled, **{name: PLANTED for name in TEXT_FIELDS if name not in filled}}
    if isinstance(value, list):
        return [_everywhere(inner) for inner in value]
    return value


SAMPLES: list[dict[str, Any]] = [
    {
        "resourceType": "Patient",
        "id": "raw-id-7",
        "name": [{"family": PLANTED}],
        "identifier": [{"system": "urn:mrn", "value": "MRN-0042"}],
        "address": [{"line": [PLANTED], "city": PLANTED, "postalCode": "02139"}],
        "gender": "female",
        "birthDate": "2015-04-01",
    },
    {
        "resourceType": "Encounter",
        "id": "raw-id-7",
        "status": "finished",
        "class": {"code": "AMB", "display": PLANTED},
        "type": [{"coding": [{"system": "http://snomed.info/sct", "code": "1", "display": PLANTED}], "text": PLANTED}],
        "subject": {"reference": "Patient/raw-id-7", "display": PLANTED},
        "reasonCode": [{"text": PLANTED}, {"coding": [{"system": PLANTED, "code": PLANTED * 2}]}],
    },
    {
        "resourceType": "Observation",
        "id": "raw-id-7",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2", "display": PLANTED}], "text": PLANTED},
        "subject": {"reference": "Patient/raw-id-7", "display": PLANTED},
        "effectiveDateTime": "2026-03-02",
        "note": [{"text": PLANTED}],
        "valueCodeableConcept": {"text": PLANTED},
        "component": [
            {
                "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}], "text": PLANTED},
                "valueString": PLANTED,
            }
        ],
    },
    {
        "resourceType": "MedicationRequest",
        "id": "raw-id-7",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/raw-id-7", "display": PLANTED},
        "medicationCodeableConcept": {"coding": [{"code": "308192", "display": PLANTED}], "text": PLANTED},
        "dosageInstruction": [{"text": PLANTED, "doseAndRate": [{"doseQuantity": {"value": 2, "unit": PLANTED}}]}],
    },
    {
        "resourceType": "Condition",
        "id": "raw-id-7",
        "subject": {"reference": "Patient/raw-id-7"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "190905008"}], "text": PLANTED},
        "category": [{"coding": [{"code": PLANTED}]}],
        "onsetString": PLANTED,
    },
    {
        "resourceType": "Procedure",
        "id": "raw-id-7",
        "status": "completed",
        "subject": {"reference": "Patient/raw-id-7"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "430193006"}]},
        "performedString": PLANTED,
    },
    {
        "resourceType": "Immunization",
        "id": "raw-id-7",
        "status": "completed",
        "patient": {"reference": "Patient/raw-id-7", "display": PLANTED},
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "119"}], "text": PLANTED},
        "occurrenceString": PLANTED,
    },
    {
        "resourceType": "AllergyIntolerance",
        "id": "raw-id-7",
        "patient": {"reference": "Patient/raw-id-7", "display": PLANTED},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91936005"}], "text": PLANTED},
        "onsetString": PLANTED,
        "reaction": [
            {
                "manifestation": [{"text": PLANTED}, {"coding": [{"system": PLANTED, "code": "1"}]}],
                "description": PLANTED,
                "severity": "severe",
            }
        ],
    },
    {
        "resourceType": "DeviceUseStatement",
        "id": "raw-id-7",
        "status": "active",
        "subject": {"reference": "Patient/raw-id-7", "display": PLANTED},
        "device": {"reference": "#d", "display": PLANTED},
        "contained": [
            {
                "resourceType": "Device",
                "id": "d",
                "serialNumber": "MRN-0042",
                "udiCarrier": [{"carrierHRF": "MRN-0042"}],
                "type": {"coding": [{"system": "http://snomed.info/sct", "code": "69805005"}], "text": PLANTED},
                "deviceName": [{"name": PLANTED}],
            }
        ],
        "note": [{"text": PLANTED}],
    },
    {
        "resourceType": "Consent",
        "id": "raw-id-7",
        "status": "active",
        "patient": {"reference": "Patient/raw-id-7", "display": PLANTED},
        "scope": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}],
            "text": PLANTED,
        },
        "policy": [{"authority": PLANTED, "uri": "https://x.example/Quackenbush/MRN-0042"}],
        "sourceAttachment": {"title": PLANTED},
        "verification": [{"verified": True, "verifiedWith": {"display": PLANTED}}],
        "provision": {"type": "permit"},
    },
    {
        "resourceType": "EpisodeOfCare",
        "id": "raw-id-7",
        "status": "active",
        "patient": {"reference": "Patient/raw-id-7", "display": PLANTED},
        "type": [{"coding": [{"system": "http://snomed.info/sct", "code": "190905008"}], "text": PLANTED}],
        "managingOrganization": {"reference": "Organization/raw-id-7", "display": PLANTED},
        "identifier": [{"value": "MRN-0042"}],
    },
    {
        "resourceType": "Group",
        "id": "raw-id-7",
        "type": "person",
        "actual": True,
        "name": PLANTED,
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "190905008"}], "text": PLANTED},
        "member": [{"entity": {"reference": "Patient/raw-id-7", "display": PLANTED}}],
    },
]


def test_identifiers_planted_in_text_fields_do_not_leave() -> None:
    """Byte search over everything that a line gives: records, provenance, problems."""
    site = site_mapper()
    for sample in SAMPLES:
        assert site.map_line(json.dumps(sample).encode()).records, sample["resourceType"]
        for resource in (sample, _everywhere(sample)):
            outcome = site.map_line(json.dumps(resource).encode())
            given_bytes = b"".join(record.content + record.provenance for record in outcome.records)
            searched = given_bytes + repr(outcome).encode()
            for secret in (b"Zebediah", b"Quackenbush", b"555-0142", b"raw-id-7", b"MRN-0042"):
                assert secret not in searched, (sample["resourceType"], secret)


def test_a_ucum_annotation_is_free_text_and_does_not_leave() -> None:
    """UCUM's braces may hold anything without spaces."""
    line = (
        b'{"resourceType":"Observation","id":"1","status":"final","subject":{"reference":"Patient/1"},'
        b'"effectiveDateTime":"2026","code":{"coding":[{"system":"http://loinc.org","code":"46240-8"}]},'
        b'"valueQuantity":{"value":1,"code":"mg/{Quackenbush}"}}'
    )
    (record,) = site_mapper().map_line(line).records
    assert b"Quackenbush" not in record.content
    assert json.loads(record.content)["value"] == 1
