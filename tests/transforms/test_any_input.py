"""Whatever a line holds, mapping it gives an outcome that adds up and validates; it never raises."""

import json
import random
import subprocess
import sys
from typing import Any

from how_many import some
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schemas.outcomes import MAPPED_TYPES, AnyRecord
from transforms import Mapper
from transforms.fhir.conformance import conforms

RECORD = TypeAdapter(AnyRecord)
SITE = Mapper(site="north", time_zone="America/New_York", subject_key=b"k" * 32)
LOINC = {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]}
SEEDS: list[dict[str, Any]] = [
    {
        "resourceType": "Observation",
        "id": "1",
        "status": "final",
        "category": [{"coding": [{"code": "vital-signs"}]}],
        "code": LOINC,
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2026-03-02T04:10:00Z",
        "valueQuantity": {"value": 1.50, "code": "m", "comparator": "<"},
        "component": [{"code": LOINC, "valueQuantity": {"value": 3, "code": "cm"}}],
        "meta": {"versionId": "1", "lastUpdated": "2026-03-02T04:10:00Z"},
    },
    {
        "resourceType": "Patient",
        "id": "1",
        "gender": "male",
        "birthDate": "2015-01-01",
        "address": [{"postalCode": "02139"}],
        "communication": [{"language": {"coding": [{"code": "en"}]}, "preferred": True}],
        "extension": [
            {
                "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
                "extension": [{"url": "ombCategory", "valueCoding": {"code": "2106-3"}}],
            }
        ],
    },
    {
        "resourceType": "MedicationRequest",
        "id": "1",
        "status": "active",
        "subject": {"reference": "Patient/1"},
        "medicationReference": {"reference": "#m"},
        "contained": [{"resourceType": "Medication", "id": "m", "code": {"coding": [{"code": "1"}]}}],
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 1, "code": "mL"}}]}],
        "dispenseRequest": {"expectedSupplyDuration": {"value": 1, "code": "wk"}},
    },
    {
        "resourceType": "Encounter",
        "id": "1",
        "status": "finished",
        "class": {"code": "AMB"},
        "type": [LOINC],
        "subject": {"reference": "Patient/1"},
        "period": {"start": "2026-03-02T04:10:00Z", "end": "2026-03-02"},
    },
    {
        "resourceType": "Condition",
        "id": "1",
        "code": LOINC,
        "subject": {"reference": "Patient/1"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "onsetDateTime": "2026",
    },
    {
        "resourceType": "QuestionnaireResponse",
        "id": "1",
        "questionnaire": "#q|1",
        "status": "completed",
        "subject": {"reference": "Patient/1"},
        "source": {"reference": "Patient/1"},
        "contained": [{"resourceType": "Questionnaire", "id": "q", "item": [{"linkId": "a", "code": [{"code": "1"}]}]}],
        "item": [
            {"linkId": "g", "item": [{"linkId": "a", "answer": [{"valueInteger": 1}, {"valueString": "x"}]}]},
            {"linkId": "b", "answer": [{"valueCoding": {"code": "LA6568-5"}, "item": [{"linkId": "c"}]}]},
        ],
    },
    {
        "resourceType": "CarePlan",
        "id": "1",
        "status": "active",
        "subject": {"reference": "Patient/1"},
        "activity": [{"detail": {"code": LOINC, "status": "scheduled"}}, {"reference": {"reference": "Goal/1"}}],
    },
    {
        "resourceType": "Appointment",
        "id": "1",
        "status": "booked",
        "start": "2026-03-02T04:10:00Z",
        "participant": [{"actor": {"reference": "Patient/1"}, "type": [LOINC]}],
    },
    {
        "resourceType": "Task",
        "id": "1",
        "status": "requested",
        "for": {"reference": "Patient/1"},
        "code": LOINC,
        "focus": {"reference": "Communication/1"},
        "restriction": {"period": {"end": "2026"}},
        "output": [{"valueCodeableConcept": LOINC}],
    },
    {
        "resourceType": "Goal",
        "id": "1",
        "lifecycleStatus": "active",
        "subject": {"reference": "Patient/1"},
        "description": LOINC,
        "target": [{"measure": LOINC, "detailQuantity": {"value": 3, "code": "cm"}, "dueDate": "2026"}],
    },
    {
        "resourceType": "AllergyIntolerance",
        "id": "1",
        "patient": {"reference": "Patient/1"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "102263004"}]},
        "category": ["food"],
        "reaction": [{"manifestation": [LOINC], "severity": "mild", "onset": "2026"}],
    },
    {
        "resourceType": "DeviceUseStatement",
        "id": "1",
        "subject": {"reference": "Patient/1"},
        "device": {"reference": "#d"},
        "contained": [{"resourceType": "Device", "id": "d", "type": LOINC, "deviceName": [{"name": "x"}]}],
        "timingPeriod": {"start": "2026"},
    },
    {
        "resourceType": "EpisodeOfCare",
        "id": "1",
        "status": "active",
        "patient": {"reference": "Patient/1"},
        "type": [LOINC],
        "statusHistory": [{"status": "planned", "period": {"end": "2026"}}],
    },
    {
        "resourceType": "Group",
        "id": "1",
        "type": "person",
        "actual": True,
        "code": LOINC,
        "quantity": 2,
        "member": [{"entity": {"reference": f"Patient/{number}"}, "inactive": False} for number in (1, 2)],
    },
    {
        "resourceType": "Consent",
        "id": "1",
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]},
        "patient": {"reference": "Patient/1"},
        "provision": {"type": "permit", "purpose": [{"code": "x"}], "provision": [{"type": "deny", "purpose": []}]},
    },
]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.just([]),
    st.just({}),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(
        st.sampled_from(["coding", "code", "value", "reference", "start"]), st.text(max_size=4), max_size=2
    ),
    st.just([[[[{}]]]]),
    st.just("\u0000\ud83d\ude00\u202e"),
    st.just("1e999999999"),
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in inside for place in ((value, key), *_places(inner))]


def _check(line: bytes) -> None:
    outcome = SITE.map_line(line)
    assert (outcome.problem is None) == bool(outcome.records or outcome.withdrawn)
    assert outcome.resource_type == "?" or outcome.resource_type in MAPPED_TYPES or not outcome.records
    for record in outcome.records:
        RECORD.validate_json(record.content)
        json.loads(b"{" + record.provenance + b"}")
        assert record.id.startswith(outcome.ref)
    assert len({record.id for record in outcome.records}) == len(outcome.records)


@settings(max_examples=some(400))
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.randoms(use_true_random=False), JUNK), min_size=1, max_size=3))
def test_resources_with_junk_in_any_field(seed: dict[str, Any], changes: list[tuple[random.Random, Any]]) -> None:
    """Any field may hold anything."""
    resource = json.loads(json.dumps(seed))
    for chance, junk in changes:
        container, key = chance.choice(_places(resource))
        container[key] = json.loads(json.dumps(junk))
    _check(json.dumps(resource).encode())


@settings(max_examples=some(200))
@given(st.sampled_from(SEEDS), st.integers(0, 2000), st.binary(max_size=3), st.integers(0, 3))
def test_lines_with_bytes_cut_or_put_in(seed: dict[str, Any], place: int, junk: bytes, cut: int) -> None:
    """Half lines, NUL, broken UTF-8."""
    line = json.dumps(seed).encode()
    place %= len(line)
    _check(line[:place] + junk + line[place + cut :])


@given(st.binary(max_size=60))
def test_any_bytes(line: bytes) -> None:
    """Not even JSON."""
    _check(line)


def test_deep_nesting_surrogates_and_nul_in_read_fields() -> None:
    """The decoder's own limits give a problem."""
    for value in (
        b"[" * 50_000 + b"]" * 50_000,
        b'"\\ud800"',
        b'"\x00"',
        b'"\xff"',
        b'{"coding":' * 9_000 + b"1" + b"}" * 9_000,
    ):
        for field in (b"code", b"status", b"subject", b"meta", b"component", b"valueQuantity", b"id", b"category"):
            _check(b'{"resourceType":"Observation","id":"1","%b":%b}' % (field, value))


def test_memories_stay_bounded() -> None:
    """Memory is flat whatever the source sends."""
    site = Mapper(site="north", time_zone="UTC", subject_key=b"k")
    line = (
        '{{"resourceType":"Condition","id":"{0}","subject":{{"reference":"Patient/{0}"}},"encounter":{{"reference":"Encounter/{0}"}},'
        '"code":{{"coding":[{{"code":"C{0}"}}]}}}}'
    )
    reader = site._readers[b"Condition"]
    largest = 0
    for number in range(5_000):
        assert site.map_line(line.format(number + 1).encode()).records
        largest = max(largest, *map(len, reader._shared.memories.values()))
        assert all(len(memory) <= 2048 for memory in reader._heads._subject.memories.values())
    assert 1024 < largest <= 4096


def test_the_judge_names_fields_and_never_values() -> None:
    """pydantic's own text quotes the input; ours does not."""
    resource = SEEDS[3] | {"Quackenbush": 1, "period": {"start": "Quackenbush"}}
    findings = conforms(json.dumps(resource).encode())
    assert findings
    assert any(finding.startswith("Encounter.period.start:") for finding in findings)
    explained = SITE.explain(json.dumps(resource).encode())
    assert explained[0] == "Encounter.period.start: left out"
    assert "Quackenbush" not in repr(findings) + repr(explained)
    assert conforms(b"{") == ["invalid-json"]
    assert conforms(b'{"resourceType":"Quackenbush"}') == ["not-a-resource"]
    good = {"resourceType": "Encounter", "id": "1", "status": "finished", "class": {"code": "AMB"}}
    assert conforms(json.dumps(good).encode()) == []


def test_mapping_needs_no_heavy_library() -> None:
    """Units and the judge are loaded when they are first needed."""
    code = (
        "import sys, transforms; transforms.Mapper(site='n', time_zone='UTC', subject_key=b'k');"
        "print([name for name in ('pint', 'ucumvert', 'fhir', 'lark', 'airflow', 'sqlalchemy') if name in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
