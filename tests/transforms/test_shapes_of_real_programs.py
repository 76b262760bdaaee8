"""Resources as the programs that hospitals run write them, of types that came later: each with the record it gives, whole."""

import json
from typing import Any

import pytest

from schemas.problems import Reason
from transforms import Mapper
from transforms.codes.code_map import CodeMapRow

Json = dict[str, Any]
CASES: list[tuple[str, Json, Json, list[str]]] = [
    (
        "a dispense as US Core 6.1 has it",
        {
            "resourceType": "MedicationDispense",
            "id": "md-1",
            "meta": {
                "versionId": "2",
                "lastUpdated": "2026-03-04T15:00:00Z",
                "profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-medicationdispense|6.1.0"],
            },
            "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">dispensed</div>'},
            "status": "completed",
            "medicationCodeableConcept": {
                "coding": [
                    {
                        "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                        "code": "351137",
                        "display": "24 HR budesonide",
                    }
                ],
                "text": "budesonide",
            },
            "subject": {"reference": "Patient/eq08.Xk2", "display": "Kid, A"},
            "context": {"reference": "Encounter/en-9"},
            "performer": [{"actor": {"reference": "Organization/ph"}}],
            "authorizingPrescription": [{"reference": "MedicationRequest/mr-4"}],
            "type": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                        "code": "FF",
                        "display": "First Fill",
                    }
                ]
            },
            "quantity": {"value": 30, "unit": "capsule", "system": "http://unitsofmeasure.org", "code": "{Capsule}"},
            "daysSupply": {"value": 30, "unit": "Day", "system": "http://unitsofmeasure.org", "code": "d"},
            "whenPrepared": "2026-03-04T09:00:00-05:00",
            "whenHandedOver": "2026-03-04T10:12:00-05:00",
            "dosageInstruction": [
                {
                    "sequence": 1,
                    "text": "Take 3 capsules",
                    "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                    "route": {"coding": [{"system": "http://snomed.info/sct", "code": "26643006"}]},
                    "doseAndRate": [
                        {
                            "doseQuantity": {
                                "value": 9,
                                "unit": "mg",
                                "system": "http://unitsofmeasure.org",
                                "code": "mg",
                            }
                        }
                    ],
                }
            ],
        },
        {
            "type": "medication",
            "kind": "dispensed",
            "code": "351137",
            "codings": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "351137"}],
            "start": "2026-03-04T15:12:00Z",
            "start_date": "2026-03-04",
            "dose": 9,
            "dose_unit": "mg",
            "route": [{"system": "http://snomed.info/sct", "code": "26643006"}],
            "steps": [
                {
                    "sequence": 1,
                    "dose": 9,
                    "dose_unit": "mg",
                    "frequency": 1,
                    "period": 1,
                    "period_unit": "d",
                    "route": [{"system": "http://snomed.info/sct", "code": "26643006"}],
                }
            ],
            "quantity": 30,
            "quantity_unit": "{capsule}",
            "days_supply": 30,
            "status": "completed",
            "orders": 1,
            "encounter": 1,
        },
        ["unit-repaired"],
    ),
    (
        "an administration as Synthea writes it",
        {
            "resourceType": "MedicationAdministration",
            "id": "0b5b7c52-5a3e-aa01-9d32-0f1b1c7c44d1",
            "status": "completed",
            "medicationCodeableConcept": {
                "coding": [
                    {
                        "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                        "code": "1808217",
                        "display": "100 ML Propofol 10 MG/ML Injection",
                    }
                ],
                "text": "100 ML Propofol 10 MG/ML Injection",
            },
            "subject": {"reference": "Patient/eq08.Xk2"},
            "context": {"reference": "Encounter/en-9"},
            "effectiveDateTime": "2026-03-02T09:41:12-05:00",
            "reasonReference": [{"reference": "Condition/c-2"}],
        },
        {
            "type": "medication",
            "kind": "given",
            "code": "1808217",
            "codings": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1808217"}],
            "start": "2026-03-02T14:41:12Z",
            "start_date": "2026-03-02",
            "status": "completed",
            "reason_records": 1,
            "encounter": 1,
        },
        [],
    ),
    (
        "a statement as Oracle Health writes it",
        {
            "resourceType": "MedicationStatement",
            "id": "18954157",
            "meta": {"versionId": "1", "lastUpdated": "2026-03-02T16:48:40Z"},
            "identifier": [{"system": "https://fhir.cerner.com/ec2458f2/synonym", "value": "2768531"}],
            "status": "active",
            "medicationCodeableConcept": {
                "coding": [
                    {
                        "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                        "code": "327361",
                        "display": "adalimumab",
                        "userSelected": False,
                    },
                    {"system": "urn:oid:2.16.840.1.113883.6.314", "code": "d04815"},
                ],
                "text": "adalimumab",
            },
            "subject": {"reference": "Patient/eq08.Xk2"},
            "effectivePeriod": {"start": "2026-01-09T14:00:00Z"},
            "dateAsserted": "2026-03-02T16:48:00Z",
            "informationSource": {"reference": "Patient/eq08.Xk2"},
            "dosage": [
                {
                    "text": "40 mg, Subcutaneous, q2wk",
                    "timing": {"code": {"text": "q2wk"}},
                    "route": {
                        "coding": [
                            {"system": "http://snomed.info/sct", "code": "34206005", "display": "Subcutaneous route"}
                        ],
                        "text": "Subcutaneous",
                    },
                    "doseAndRate": [
                        {
                            "doseQuantity": {
                                "value": 40,
                                "unit": "mg",
                                "system": "http://unitsofmeasure.org",
                                "code": "mg",
                            }
                        }
                    ],
                }
            ],
        },
        {
            "type": "medication",
            "kind": "reported",
            "code": "327361",
            "codings": [
                {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "327361"},
                {"system": "urn:oid:2.16.840.1.113883.6.314", "code": "d04815"},
            ],
            "start": "2026-01-09T14:00:00Z",
            "start_date": "2026-01-09",
            "recorded_date": "2026-03-02",
            "dose": 40,
            "dose_unit": "mg",
            "route": [{"system": "http://snomed.info/sct", "code": "34206005"}],
            "status": "active",
        },
        ["text-withheld"],
    ),
    (
        "an appointment as Epic writes it",
        {
            "resourceType": "Appointment",
            "id": "eUBl9jBLc",
            "identifier": [{"system": "urn:oid:1.2.840.114350.1.13.0.1.7.3.698084.8", "value": "31014"}],
            "status": "booked",
            "serviceCategory": [
                {
                    "coding": [
                        {
                            "system": "http://open.epic.com/FHIR/StructureDefinition/appointment-service-category",
                            "code": "appointment",
                            "display": "appointment",
                        }
                    ],
                    "text": "appointment",
                }
            ],
            "serviceType": [
                {
                    "coding": [
                        {
                            "system": "urn:oid:1.2.840.114350.1.13.0.1.7.3.808267.11",
                            "code": "1004",
                            "display": "FOLLOW UP",
                        }
                    ],
                    "text": "FOLLOW UP",
                }
            ],
            "appointmentType": {
                "coding": [
                    {
                        "system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.696882",
                        "code": "40111223",
                        "display": "Office Visit",
                    }
                ]
            },
            "reasonCode": [{"text": "Crohn's, see Ann"}],
            "start": "2026-06-02T14:00:00Z",
            "end": "2026-06-02T14:30:00Z",
            "minutesDuration": 30,
            "created": "2026-03-02",
            "comment": "bring labs",
            "patientInstruction": "bring labs",
            "participant": [
                {
                    "actor": {"reference": "Patient/eq08.Xk2", "display": "Kid, Ann"},
                    "required": "required",
                    "status": "accepted",
                    "period": {"start": "2026-06-02T14:00:00Z", "end": "2026-06-02T14:30:00Z"},
                },
                {
                    "actor": {"reference": "Practitioner/eM5", "display": "Ann Quux, MD"},
                    "required": "required",
                    "status": "accepted",
                },
                {
                    "actor": {"reference": "Location/e4W", "display": "GI Clinic"},
                    "required": "required",
                    "status": "accepted",
                },
            ],
        },
        {
            "type": "encounter",
            "status": "planned",
            "appointment_status": "booked",
            "types": [{"system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.696882", "code": "40111223"}],
            "service_type": [{"system": "urn:oid:1.2.840.114350.1.13.0.1.7.3.808267.11", "code": "1004"}],
            "start": "2026-06-02T14:00:00Z",
            "start_date": "2026-06-02",
            "end": "2026-06-02T14:30:00Z",
            "end_date": "2026-06-02",
            "booked_date": "2026-03-02",
            "participant_kinds": ["Location", "Patient", "Practitioner"],
            "locations": 1,
        },
        ["text-withheld"],
    ),
    (
        "an appointment as Oracle Health writes it",
        {
            "resourceType": "Appointment",
            "id": "4822366",
            "meta": {"versionId": "0-0", "lastUpdated": "2026-02-01T11:02:00Z"},
            "status": "cancelled",
            "cancelationReason": {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason", "code": "pat"}
                ]
            },
            "serviceType": [
                {
                    "coding": [
                        {"system": "http://snomed.info/sct", "code": "185389009", "display": "Follow-up visit"},
                        {"system": "https://fhir.cerner.com/ec2458f2/codeSet/14249", "code": "24477854"},
                    ],
                    "text": "Follow-up",
                }
            ],
            "description": "Follow-up for Ann",
            "start": "2026-03-09T15:00:00Z",
            "end": "2026-03-09T15:20:00Z",
            "minutesDuration": 20,
            "participant": [
                {
                    "type": [
                        {
                            "coding": [
                                {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "ATND"}
                            ]
                        }
                    ],
                    "actor": {"reference": "Practitioner/4122622"},
                    "required": "required",
                    "status": "accepted",
                },
                {"actor": {"reference": "Patient/eq08.Xk2"}, "status": "declined"},
            ],
            "requestedPeriod": [{"start": "2026-03-09T15:00:00Z"}],
        },
        {
            "type": "encounter",
            "status": "cancelled",
            "appointment_status": "cancelled",
            "status_reasons": [
                {"system": "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason", "code": "pat"}
            ],
            "service_type": [
                {"system": "http://snomed.info/sct", "code": "185389009"},
                {"system": "urn:mainstem:746abc97c2e96eccd42ffbc7", "code": "24477854"},
            ],
            "start": "2026-03-09T15:00:00Z",
            "start_date": "2026-03-09",
            "end": "2026-03-09T15:20:00Z",
            "end_date": "2026-03-09",
            "participant_types": [
                {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "ATND"}
            ],
            "participant_kinds": ["Patient", "Practitioner"],
        },
        ["patient-declined"],
    ),
    (
        "a research consent with what US networks put in it",
        {
            "resourceType": "Consent",
            "id": "cn-1",
            "status": "active",
            "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]},
            "category": [
                {"coding": [{"system": "http://loinc.org", "code": "59284-0", "display": "Consent Document"}]},
                {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "RESEARCH"}]},
            ],
            "patient": {"reference": "Patient/eq08.Xk2"},
            "dateTime": "2026-02-03T10:00:00-05:00",
            "performer": [{"reference": "Patient/eq08.Xk2"}],
            "organization": [{"reference": "Organization/1"}],
            "sourceAttachment": {"title": "signed by Ann"},
            "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]},
            "provision": {"type": "permit", "period": {"start": "2026-02-03", "end": "2031-02-03"}},
        },
        {
            "type": "consent",
            "status": "active",
            "decisions": [
                {"scope": "research", "decision": "permit", "start_date": "2026-02-03", "end_date": "2031-02-03"}
            ],
            "effective": "2026-02-03T15:00:00Z",
            "effective_date": "2026-02-03",
            "performer_kinds": ["Patient"],
        },
        [],
    ),
    (
        "an episode as Epic writes it",
        {
            "resourceType": "EpisodeOfCare",
            "id": "eWdx",
            "identifier": [{"system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.726668", "value": "2344"}],
            "status": "active",
            "type": [
                {
                    "coding": [
                        {"system": "urn:oid:1.2.840.114350.1.13.0.1.7.10.726668.60", "code": "17", "display": "IBD"}
                    ],
                    "text": "Inflammatory Bowel Disease",
                }
            ],
            "patient": {"reference": "Patient/eq08.Xk2", "display": "Kid, Ann"},
            "managingOrganization": {"display": "GI"},
            "period": {"start": "2024-05-06"},
            "careManager": {"reference": "Practitioner/eM5"},
            "team": [{"reference": "CareTeam/1"}],
        },
        {
            "type": "enrolment",
            "codings": [{"system": "urn:oid:1.2.840.114350.1.13.0.1.7.10.726668.60", "code": "17"}],
            "start_date": "2024-05-06",
            "status": "active",
        },
        ["code-unmapped"],
    ),
    (
        "a communication as QI-Core has it",
        {
            "resourceType": "Communication",
            "id": "cm-2",
            "meta": {"profile": ["http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-communication"]},
            "status": "completed",
            "category": [
                {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/communication-category",
                            "code": "notification",
                        }
                    ]
                }
            ],
            "subject": {"reference": "Patient/eq08.Xk2"},
            "topic": {
                "coding": [
                    {"system": "http://snomed.info/sct", "code": "371530004", "display": "Clinical consultation report"}
                ]
            },
            "recipient": [{"reference": "Practitioner/1"}],
            "sender": {"reference": "Practitioner/2"},
            "sent": "2026-03-02T10:00:00Z",
            "received": "2026-03-03T09:00:00Z",
            "payload": [{"contentString": "see Ann"}],
        },
        {
            "type": "issue",
            "kind": "message",
            "topic": "371530004",
            "codings": [{"system": "http://snomed.info/sct", "code": "371530004"}],
            "category": [
                {"system": "http://terminology.hl7.org/CodeSystem/communication-category", "code": "notification"}
            ],
            "status": "completed",
            "raised_by": "clinician",
            "addressed_to": ["Practitioner"],
            "raised": "2026-03-02T10:00:00Z",
            "raised_date": "2026-03-02",
            "answered": "2026-03-03T09:00:00Z",
            "answered_date": "2026-03-03",
        },
        [],
    ),
    (
        "a use of a device as QI-Core has it",
        {
            "resourceType": "DeviceUseStatement",
            "id": "du-1",
            "status": "active",
            "subject": {"reference": "Patient/eq08.Xk2"},
            "timingPeriod": {"start": "2025-11-02"},
            "recordedOn": "2026-03-02",
            "source": {"reference": "Practitioner/1"},
            "contained": [
                {
                    "resourceType": "Device",
                    "id": "p",
                    "type": {
                        "coding": [{"system": "http://snomed.info/sct", "code": "69805005", "display": "Insulin pump"}]
                    },
                    "serialNumber": "SN-5",
                    "udiCarrier": [
                        {"deviceIdentifier": "08717648200274", "carrierHRF": "(01)08717648200274(17)260101(21)SN-5"}
                    ],
                }
            ],
            "device": {"reference": "#p"},
        },
        {
            "type": "device_use",
            "device": "pump",
            "code": "69805005",
            "codings": [{"system": "http://snomed.info/sct", "code": "69805005"}],
            "start_date": "2025-11-02",
            "recorded_date": "2026-03-02",
            "status": "active",
            "reporter_kinds": ["Practitioner"],
        },
        [],
    ),
]
COUNTED = ("orders", "encounter", "reason_records", "locations")
"""References: how many there are, for what they are hashes of is tried elsewhere."""
LIST: Json = {
    "resourceType": "Group",
    "id": "e3iabhmS8rsueyz7vaimuiaSmfGvi",
    "identifier": [{"system": "https://open.epic.com/", "value": "IBD REGISTRY"}],
    "active": True,
    "type": "person",
    "actual": True,
    "code": {
        "coding": [{"system": "urn:oid:1.2.840.114350.1.72.1.8", "code": "registry"}],
        "text": "Pediatric IBD registry",
    },
    "name": "Pediatric IBD registry",
    "quantity": 2,
    "member": [
        {"entity": {"reference": "Patient/eq08.Xk2", "display": "Kid, Ann"}},
        {"entity": {"reference": "Patient/e63", "display": "Other"}, "inactive": True},
    ],
}


def mapper(*rows: CodeMapRow) -> Mapper:
    return Mapper(site="north", time_zone="America/New_York", subject_key=b"k" * 32, code_map=rows)


@pytest.mark.parametrize(
    ("resource", "expected", "flags"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_resource_as_it_is_written_gives_the_whole_record(resource: Json, expected: Json, flags: list[str]) -> None:
    """Every field of it, and no other; nothing of its texts."""
    (record,) = mapper().map_line(json.dumps(resource).encode()).records
    told = json.loads(record.content)
    for name in ("id", "subject", "site"):
        del told[name]
    for name in COUNTED:
        if name in told:
            told[name] = len(told[name]) if isinstance(told[name], list) else 1
    assert told == expected
    assert json.loads(b"{%b}" % record.provenance).get("flags", []) == flags
    assert b"Ann" not in record.content + record.provenance


def test_a_list_as_epic_exports_it_is_a_registrys_once_the_site_says_which() -> None:
    """Its code is a local word, its name a text: of both nothing is known until the code map has a row for one of them."""
    line = json.dumps(LIST).encode()
    refused = mapper().map_line(line).problem
    assert refused is not None
    assert refused.reason is Reason.MISSING_CODE
    named = mapper(CodeMapRow("", "Pediatric IBD registry", "urn:mainstem:registry", "ibd")).map_line(line)
    told = sorted((json.loads(record.content) for record in named.records), key=lambda record: str(record["status"]))
    assert [(record["status"], record["registry"]) for record in told] == [("active", "ibd"), ("finished", "ibd")]


def test_a_communication_that_was_not_done_is_no_fact() -> None:
    """As QI-Core says it, with R5's doNotPerform as an extension."""
    not_done = {
        "resourceType": "Communication",
        "id": "cm-1",
        "meta": {"profile": ["http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-communicationnotdone"]},
        "modifierExtension": [
            {
                "url": "http://hl7.org/fhir/5.0/StructureDefinition/extension-Communication.doNotPerform",
                "valueBoolean": True,
            }
        ],
        "status": "not-done",
        "statusReason": {"coding": [{"system": "http://snomed.info/sct", "code": "105480006"}]},
        "subject": {"reference": "Patient/eq08.Xk2"},
        "topic": {"coding": [{"system": "http://snomed.info/sct", "code": "308273005"}]},
        "sent": "2026-03-02T10:00:00Z",
    }
    outcome = mapper().map_line(json.dumps(not_done).encode())
    assert outcome.problem is not None
    assert outcome.problem.reason is Reason.NOT_A_FACT
