"""DeviceUseStatement and the Device it names, as vendors write them, and the record of both."""

import json
from collections.abc import Collection, Mapping
from typing import Any

import pytest
from reading import KEY, Json, only, reason, record_id

from schemas.problems import Reason
from transforms import CodeMapRow, Mapper

SNOMED, HCPCS = "http://snomed.info/sct", "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
SERIALS = {
    "identifier": [{"system": "urn:serials", "value": "SN-4711-QUUX"}],
    "udiCarrier": [{"deviceIdentifier": "00844588003288", "carrierHRF": "(01)00844588003288(21)QUUX"}],
    "serialNumber": "SN-4711-QUUX",
    "lotNumber": "LOT-QUUX",
    "distinctIdentifier": "QUUX",
    "manufacturer": "Quux Devices",
    "modelNumber": "770-QUUX",
    "note": [{"text": "belongs to Ann Quux"}],
}
"""What may tell one device, and so one patient, from all others."""


class Kept(dict[bytes, bytes]):
    """What a state keeps."""

    def __call__(self, refs: Collection[bytes]) -> Mapping[bytes, bytes]:
        return {ref: self[ref] for ref in refs if ref in self}


def concept(*codings: tuple[str, str], text: str = "words that stay") -> Json:
    return {
        "coding": [{"system": system, "code": code, "display": "Ann Quux"} for system, code in codings],
        "text": text,
    }


def device(ident: str = "d1", **fields: Any) -> Json:
    resource = {"resourceType": "Device", "id": ident, "status": "active", "type": concept((SNOMED, "69805005"))}
    return {name: value for name, value in (resource | SERIALS | fields).items() if value is not ...}


def use(**fields: Any) -> Json:
    resource = {
        "resourceType": "DeviceUseStatement",
        "id": "u1",
        "status": "active",
        "subject": {"reference": "Patient/kid-7", "display": "Ann Quux"},
        "device": {"reference": "Device/d1", "display": "pump of Ann Quux"},
        "timingPeriod": {"start": "2025-11-04"},
    } | fields
    return {name: value for name, value in resource.items() if value is not ...}


def landed(*devices: Json) -> Kept:
    """What is kept of Devices that came."""
    site = Mapper(site="north", time_zone="America/New_York", subject_key=KEY)
    outcomes = site.map_lines([json.dumps(each).encode() for each in devices])
    assert not outcomes.records
    return Kept({each.ref: each.content for each in outcomes.referred})


def inside(**fields: Any) -> Json:
    """A statement that holds its Device."""
    return use(device={"reference": "#d1"}, contained=[device(**fields)])


def coding(code: str, system: str = SNOMED) -> Json:
    return {"system": system, "code": code}


def test_a_pump_named_by_a_statement_is_a_pump_in_use() -> None:
    """By the Device's SNOMED code; from when, told by whom, for what. Nothing of the device itself."""
    given = use(
        timingPeriod={"start": "2025-11-04T08:00:00-05:00", "end": "2026-02-01"},
        recordedOn="2026-02-02T10:00:00-05:00",
        status="completed",
        source={"reference": "Patient/kid-7"},
        reasonCode=[concept((SNOMED, "46635009"))],
        reasonReference=[{"reference": "Condition/dx"}],
        basedOn=[{"reference": "ServiceRequest/o1"}],
        derivedFrom=[{"reference": "Observation/cgm-1"}],
    )
    record, flags = only(given, look_up=landed(device()))
    assert record == {
        "device": "pump",
        "code": "69805005",
        "codings": [coding("69805005")],
        "start": "2025-11-04T13:00:00Z",
        "start_date": "2025-11-04",
        "end_date": "2026-02-01",
        "recorded_date": "2026-02-02",
        "status": "completed",
        "reporter_kinds": ["Patient"],
        "reasons": [coding("46635009")],
        "reason_records": [record_id("Condition", "dx")],
        "orders": [record_id("ServiceRequest", "o1")],
        "derived_from": [record_id("Observation", "cgm-1")],
    }
    assert flags == []


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"type": concept((SNOMED, "700585005"))}, "cgm"),
        ({"type": concept((HCPCS, "E2103"))}, "cgm"),
        ({"type": concept((HCPCS, "E0787"))}, "hybrid_loop"),
        ({"type": concept(("urn:iso:std:iso:11073:10101", "528403"))}, "pump"),
        ({"type": ..., "specialization": [{"systemType": concept(("urn:iso:std:iso:11073:10101", "528409"))}]}, "cgm"),
        ({"type": concept((SNOMED, "69805005"), (SNOMED, "700585005"))}, None),
        ({"type": concept((SNOMED, "14106009"))}, None),
    ],
)
def test_of_what_kind_it_is_tells_a_small_table(fields: Json, kind: str | None) -> None:
    """Two kinds at once are none of them; another device is recorded by its code alone."""
    record, _ = only(inside(**fields))
    assert record.get("device") == kind
    assert record["codings"]


def test_a_site_says_by_its_code_map_what_its_devices_are() -> None:
    """By a local code, and by the name of a model, which does not leave."""
    rows = [
        CodeMapRow("urn:local", "P7", "urn:mainstem:device", "hybrid_loop"),
        CodeMapRow("", "MiniMed 770G", "urn:mainstem:device", "hybrid_loop"),
        CodeMapRow("", "Dexcom G6", "urn:mainstem:device", "sensor"),
    ]
    local = only(inside(type=concept(("urn:local", "P7"))), code_map=rows)
    assert (local[0]["device"], local[1]) == ("hybrid_loop", [])
    named = inside(type={"text": "MiniMed 770G"})
    assert only(named, code_map=rows)[0] == {"device": "hybrid_loop", "start_date": "2025-11-04", "status": "active"}
    of_model = inside(type=..., deviceName=[{"name": "MiniMed 770G", "type": "model-name"}])
    assert only(of_model, code_map=rows)[0]["device"] == "hybrid_loop"
    misspelt = inside(type=..., deviceName=[{"name": "Dexcom G6", "type": "model-name"}])
    assert reason(misspelt, code_map=rows) == "missing-code DeviceUseStatement.device.reference"


def test_a_device_nobody_knows_is_counted_as_unmapped() -> None:
    """It stands by its code; the site can map it."""
    record, flags = only(inside(type=concept(("urn:local", "P7"))))
    assert record == {
        "codings": [{"system": record["codings"][0]["system"], "code": "P7"}],
        "start_date": "2025-11-04",
        "status": "active",
    }
    assert flags == ["code-unmapped"]


def test_a_use_that_is_active_and_over_is_flagged_and_both_stand() -> None:
    """One that is to end is not over."""
    record, flags = only(inside() | {"timingPeriod": {"start": "2024-01-02", "end": "2024-05-06"}})
    assert (record["status"], record["end_date"], flags) == ("active", "2024-05-06", ["active-and-over"])
    for fields in ({"timingPeriod": {"start": "2024-01-02", "end": "2099-05-06"}}, {"timingDateTime": "2024-01-02"}):
        given = {name: value for name, value in inside().items() if name != "timingPeriod"} | fields
        assert "active-and-over" not in only(given)[1]
    done = inside() | {"status": "completed", "timingPeriod": {"start": "2024-01-02", "end": "2024-05-06"}}
    assert only(done)[1] == []


def test_the_statement_waits_for_its_device() -> None:
    """Named and not there: by that reason, and mapped again when it comes."""
    site = Mapper(site="north", time_zone="UTC", subject_key=KEY, look_up=Kept())
    outcomes = site.map_lines([json.dumps(use()).encode()])
    assert outcomes.unusual[0].problem is not None
    assert outcomes.unusual[0].problem.reason is Reason.UNKNOWN_DEVICE
    (waiting,) = outcomes.depends
    assert waiting.on == next(iter(landed(device())))


def test_of_a_device_only_codes_and_names_are_kept() -> None:
    """The same bytes whatever the serialiser; no carrier, serial, lot, maker or owner."""
    given = device(deviceName=[{"name": "MiniMed"}], type=concept((SNOMED, "69805005"), ("urn:l", "P7"), text="Pump"))
    (kept,) = landed(given).values()
    assert json.loads(kept) == {
        "codings": [[SNOMED, "69805005"], ["urn:l", "P7"]],
        "names": ["MiniMed", "Pump"],
    }
    again = dict(reversed(given.items()))
    again["type"] = {"text": "Pump", "coding": given["type"]["coding"][::-1]}
    assert landed(again) == landed(given)


def test_an_implantable_device_names_a_patient_and_is_no_use() -> None:
    """US Core's: skipped by name, kept for whoever names it, and never in the way of a statement's record."""
    implant = device(
        meta={"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-implantable-device|6.1.0"]},
        type=concept((SNOMED, "14106009")),
        patient={"reference": "Patient/kid-7"},
    )
    assert reason(implant) == "device-alone Device.patient"
    assert Reason.DEVICE_ALONE.expected
    assert only(use(), look_up=landed(implant))[0]["code"] == "14106009"


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        ({"status": "entered-in-error"}, "withdrawn"),
        ({"status": "borrowed"}, "modifier-not-understood Device.status"),
        ({"modifierExtension": [{"url": "urn:x"}]}, "modifier-not-understood Device.modifierExtension"),
        ({"implicitRules": "urn:x"}, "modifier-not-understood Device.implicitRules"),
        ({"udi": {"name": "x"}}, "other-fhir-version Device.udi"),
        ({"model": "770G"}, "other-fhir-version Device.model"),
        ({"type": [concept((SNOMED, "69805005"))]}, "other-fhir-version Device.type"),
        ({"name": [{"value": "770G"}]}, "other-fhir-version Device.name"),
        ({"deviceName": "770G"}, "invalid-field Device.deviceName"),
        ({"id": ...}, "missing-id Device.id"),
    ],
)
def test_what_refuses_a_device_is_named(fields: Json, right: str) -> None:
    """R4's modifiers, and other versions' shapes."""
    assert reason(device(**fields)) == right


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        ({"status": "entered-in-error"}, "withdrawn"),
        ({"status": "not-done"}, "not-a-fact DeviceUseStatement.status"),
        ({"status": "lent"}, "modifier-not-understood DeviceUseStatement.status"),
        ({"modifierExtension": [{"url": "urn:x"}]}, "modifier-not-understood DeviceUseStatement.modifierExtension"),
        ({"subject": {"reference": "Group/g"}}, "missing-subject DeviceUseStatement.subject"),
        ({"device": ...}, "unknown-device DeviceUseStatement.device"),
        ({"device": {"display": "a pump"}}, "unknown-device DeviceUseStatement.device.reference"),
        ({"device": {"reference": "#gone"}}, "unknown-device DeviceUseStatement.device.reference"),
        ({"device": {"concept": concept((SNOMED, "69805005"))}}, "unknown-device DeviceUseStatement.device.reference"),
        ({"whenUsed": {"start": "2020"}}, "other-fhir-version DeviceUseStatement.whenUsed"),
        ({"indication": [concept((SNOMED, "46635009"))]}, "other-fhir-version DeviceUseStatement.indication"),
        ({"patient": {"reference": "Patient/1"}}, "other-fhir-version DeviceUseStatement.patient"),
        (
            {"device": {"reference": "#d1"}, "contained": [device(status="entered-in-error")]},
            "unknown-device DeviceUseStatement.device.reference",
        ),
        (
            {"device": {"reference": "#d1"}, "contained": [device(type={"text": "Ann's pump"})]},
            "missing-code DeviceUseStatement.device.reference",
        ),
    ],
)
def test_what_refuses_a_statement_is_named(fields: Json, right: str) -> None:
    """No device, no record."""
    assert reason(use(**fields)) == right


@pytest.mark.parametrize(
    ("fields", "expected", "flag"),
    [
        ({"timingDateTime": "2025-12-24", "timingPeriod": ...}, {"start_date": "2025-12-24"}, ""),
        (
            {
                "timingTiming": {"repeat": {"boundsPeriod": {"start": "2025-12-01", "end": "2025-12-24"}}},
                "timingPeriod": ...,
            },
            {"start_date": "2025-12-01", "end_date": "2025-12-24"},
            "",
        ),
        ({"timingTiming": {"code": {"text": "at night"}}, "timingPeriod": ...}, {}, "timing-withheld"),
        (
            {"timingPeriod": {"start": "2025-12-24", "end": "2025-12-01"}, "status": "completed"},
            {"end_date": "2025-12-01"},
            "ends-before-start",
        ),
        ({"timingPeriod": "last year"}, {}, "dropped:timingPeriod"),
        ({"timingPeriod": {"start": "2077-01-01"}}, {"start_date": "2077-01-01"}, "future"),
        ({"recordedOn": 7}, {}, "dropped:recordedOn"),
        ({"reasonCode": [{"text": "Ann Quux wished it"}]}, {}, "text-withheld"),
        ({"status": "On Hold"}, {"status": "on-hold"}, "repaired:status"),
        ({"bodySite": "belly"}, {}, "dropped:bodySite"),
    ],
)
def test_a_fault_in_another_field_leaves_that_out_and_says_so(fields: Json, expected: Json, flag: str) -> None:
    """The use stands."""
    given = inside() | fields
    record, flags = only({name: value for name, value in given.items() if value is not ...})
    assert record["device"] == "pump"
    assert record | expected == record
    assert flags == ([flag] if flag else [])
