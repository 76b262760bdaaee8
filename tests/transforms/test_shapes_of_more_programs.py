"""Resources of the types that came later, as further programs write them: each with its whole records, or why it gives none."""

import json
from typing import Any

import pytest

from transforms import Mapper

Json = dict[str, Any]
MEDICATION: Json = {
    "resourceType": "Medication",
    "id": "eMed.88",
    "code": {
        "coding": [
            {"system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.698288", "code": "88"},
            {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "11124", "display": "vancomycin"},
        ],
        "text": "vancomycin IVPB",
    },
}
DEVICE: Json = {
    "resourceType": "Device",
    "id": "eDev.9",
    "status": "active",
    "type": {
        "coding": [{"system": "http://snomed.info/sct", "code": "69805005", "display": "Insulin pump"}],
        "text": "Insulin pump",
    },
    "patient": {"reference": "Patient/eKid.12"},
}
Records = list[tuple[Json, list[str]]]
CASES: list[tuple[str, Json, Records, str | None]] = [
    (
        "a dispense as QI-Core has it",
        {
            "resourceType": "MedicationDispense",
            "id": "qd-81",
            "meta": {"profile": ["http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-medicationdispense"]},
            "extension": [
                {
                    "url": "http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-recorded",
                    "valueDateTime": "2026-02-03",
                }
            ],
            "status": "completed",
            "category": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/fhir/CodeSystem/medicationdispense-category",
                        "code": "outpatient",
                    }
                ]
            },
            "medicationCodeableConcept": {
                "coding": [
                    {
                        "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                        "code": "198145",
                        "display": "predniSONE 10 MG Oral Tablet",
                    }
                ]
            },
            "subject": {"reference": "Patient/qp-4"},
            "context": {"reference": "Encounter/qe-2"},
            "authorizingPrescription": [{"reference": "MedicationRequest/qm-3"}],
            "quantity": {"value": 28, "unit": "tablet", "system": "http://unitsofmeasure.org", "code": "{tbl}"},
            "daysSupply": {"value": 14, "unit": "days", "system": "http://unitsofmeasure.org", "code": "d"},
            "whenHandedOver": "2026-02-03T16:40:00.000-06:00",
            "dosageInstruction": [
                {
                    "timing": {"repeat": {"frequency": 2, "period": 1.0, "periodUnit": "d"}},
                    "doseAndRate": [
                        {
                            "doseQuantity": {
                                "value": 1,
                                "unit": "tablet",
                                "system": "http://unitsofmeasure.org",
                                "code": "{tbl}",
                            }
                        }
                    ],
                }
            ],
        },
        [
            (
                {
                    "type": "medication",
                    "kind": "dispensed",
                    "code": "198145",
                    "codings": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "198145"}],
                    "category": ["outpatient"],
                    "start": "2026-02-03T22:40:00Z",
                    "start_date": "2026-02-03",
                    "dose": 1,
                    "dose_unit": "{tablet}",
                    "steps": [{"dose": 1, "dose_unit": "{tablet}", "frequency": 2, "period": 1, "period_unit": "d"}],
                    "quantity": 28,
                    "quantity_unit": "{tablet}",
                    "days_supply": 14,
                    "status": "completed",
                    "orders": 1,
                    "encounter": 1,
                },
                ["unit-repaired"],
            )
        ],
        None,
    ),
    (
        "a dispense as Epic writes it",
        {
            "resourceType": "MedicationDispense",
            "id": "eDsp.7-Kq2",
            "identifier": [
                {"use": "usual", "system": "urn:oid:1.2.840.114350.1.13.0.1.7.3.798268.800", "value": "553311"}
            ],
            "status": "completed",
            "category": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/fhir/CodeSystem/medicationdispense-category",
                        "code": "inpatient",
                        "display": "Inpatient",
                    }
                ],
                "text": "Inpatient",
            },
            "medicationReference": {"reference": "Medication/eMed.88", "display": "vancomycin IVPB"},
            "subject": {"reference": "Patient/eKid.12", "display": "Okafor, Milo"},
            "context": {
                "reference": "Encounter/eEnc.5",
                "identifier": {
                    "use": "usual",
                    "system": "urn:oid:1.2.840.114350.1.13.0.1.7.3.698084.8",
                    "value": "27541",
                },
                "display": "Hospital Encounter",
            },
            "performer": [
                {
                    "function": {"text": "Dispenser"},
                    "actor": {"reference": "Practitioner/ePr.1", "type": "Practitioner", "display": "Pharmacist, One"},
                }
            ],
            "location": {"display": "INPATIENT PHARMACY"},
            "authorizingPrescription": [{"reference": "MedicationRequest/eOrd.3", "display": "vancomycin IVPB"}],
            "type": {
                "coding": [
                    {"system": "urn:oid:1.2.840.114350.1.13.0.1.7.4.798268.7140", "code": "1", "display": "First Dose"}
                ],
                "text": "First Dose",
            },
            "quantity": {"value": 250, "unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"},
            "whenPrepared": "2026-01-11T13:05:00Z",
            "whenHandedOver": "2026-01-11T13:40:00Z",
        },
        [
            (
                {
                    "type": "medication",
                    "kind": "dispensed",
                    "code": "11124",
                    "codings": [
                        {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "11124"},
                        {"system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.698288", "code": "88"},
                    ],
                    "drug_by_reference": True,
                    "category": ["inpatient"],
                    "start": "2026-01-11T13:40:00Z",
                    "start_date": "2026-01-11",
                    "quantity": 250,
                    "quantity_unit": "mL",
                    "status": "completed",
                    "orders": 1,
                    "encounter": 1,
                },
                [],
            )
        ],
        None,
    ),
    (
        "a dispense as Oracle Health writes it",
        {
            "resourceType": "MedicationDispense",
            "id": "312098765",
            "meta": {"versionId": "1", "lastUpdated": "2026-03-09T18:22:10.000Z"},
            "text": {
                "status": "generated",
                "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p><b>Medication Dispense</b></p><p>Milo Okafor</p></div>',
            },
            "identifier": [{"system": "https://fhir.cerner.com/ec2458f2/dispense", "value": "312098765"}],
            "status": "in-progress",
            "medicationCodeableConcept": {
                "coding": [
                    {
                        "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                        "code": "308182",
                        "display": "amoxicillin 250 mg oral capsule",
                        "userSelected": False,
                    },
                    {
                        "system": "urn:oid:2.16.840.1.113883.6.314",
                        "code": "2718",
                        "display": "amoxicillin",
                        "userSelected": True,
                    },
                ],
                "text": "amoxicillin 250 mg oral capsule",
            },
            "subject": {"reference": "Patient/12742399", "display": "OKAFOR, MILO"},
            "context": {"reference": "Encounter/97953477"},
            "performer": [{"actor": {"reference": "Practitioner/593923"}}],
            "authorizingPrescription": [{"reference": "MedicationRequest/313757847"}],
            "type": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                        "code": "FF",
                        "display": "First Fill",
                    }
                ],
                "text": "Initial Fill",
            },
            "quantity": {"value": 20.0, "unit": "cap(s)"},
            "daysSupply": {"value": 10.0, "unit": "day(s)", "system": "http://unitsofmeasure.org", "code": "d"},
            "whenHandedOver": "2026-03-09T18:20:00.000Z",
            "dosageInstruction": [
                {
                    "text": "250 mg = 1 cap(s), Oral, BID",
                    "route": {
                        "coding": [
                            {
                                "system": "http://snomed.info/sct",
                                "code": "26643006",
                                "display": "Oral route (qualifier value)",
                                "userSelected": False,
                            }
                        ],
                        "text": "Oral",
                    },
                    "doseAndRate": [
                        {
                            "doseQuantity": {
                                "value": 250.0,
                                "unit": "mg",
                                "system": "http://unitsofmeasure.org",
                                "code": "mg",
                            }
                        }
                    ],
                }
            ],
        },
        [
            (
                {
                    "type": "medication",
                    "kind": "dispensed",
                    "code": "308182",
                    "codings": [
                        {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "308182"},
                        {"system": "urn:oid:2.16.840.1.113883.6.314", "code": "2718"},
                    ],
                    "start": "2026-03-09T18:20:00Z",
                    "start_date": "2026-03-09",
                    "dose": 250,
                    "dose_unit": "mg",
                    "route": [{"system": "http://snomed.info/sct", "code": "26643006"}],
                    "quantity": 20,
                    "quantity_unit": "{capsule}",
                    "days_supply": 10,
                    "status": "in-progress",
                    "orders": 1,
                    "encounter": 1,
                },
                ["unit-repaired"],
            )
        ],
        None,
    ),
    (
        "an administration as QI-Core has it",
        {
            "resourceType": "MedicationAdministration",
            "id": "qa-17",
            "meta": {"profile": ["http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-medicationadministration"]},
            "extension": [
                {
                    "url": "http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-recorded",
                    "valueDateTime": "2026-02-04T09:00:00-06:00",
                }
            ],
            "status": "completed",
            "medicationCodeableConcept": {
                "coding": [
                    {
                        "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                        "code": "1659131",
                        "display": "piperacillin 2000 MG / tazobactam 250 MG Injection",
                    }
                ]
            },
            "subject": {"reference": "Patient/qp-4"},
            "context": {"reference": "Encounter/qe-2"},
            "effectivePeriod": {"start": "2026-02-04T08:30:00-06:00", "end": "2026-02-04T09:00:00-06:00"},
            "reasonCode": [
                {"coding": [{"system": "http://snomed.info/sct", "code": "190905008", "display": "Cystic fibrosis"}]}
            ],
            "request": {"reference": "MedicationRequest/qm-3"},
            "dosage": {
                "route": {
                    "coding": [{"system": "http://snomed.info/sct", "code": "47625008", "display": "Intravenous route"}]
                },
                "dose": {"value": 2250, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"},
                "rateQuantity": {"value": 100, "unit": "mL/h", "system": "http://unitsofmeasure.org", "code": "mL/h"},
            },
        },
        [
            (
                {
                    "type": "medication",
                    "kind": "given",
                    "code": "1659131",
                    "codings": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1659131"}],
                    "start": "2026-02-04T14:30:00Z",
                    "start_date": "2026-02-04",
                    "end": "2026-02-04T15:00:00Z",
                    "end_date": "2026-02-04",
                    "dose": 2250,
                    "dose_unit": "mg",
                    "rate": 100,
                    "rate_unit": "mL/h",
                    "route": [{"system": "http://snomed.info/sct", "code": "47625008"}],
                    "status": "completed",
                    "reasons": [{"system": "http://snomed.info/sct", "code": "190905008"}],
                    "orders": 1,
                    "encounter": 1,
                },
                [],
            )
        ],
        None,
    ),
    (
        "an administration as Epic writes it",
        {
            "resourceType": "MedicationAdministration",
            "id": "eMar.Ux9",
            "identifier": [{"system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.822318", "value": "9341"}],
            "status": "completed",
            "category": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/medication-admin-category",
                        "code": "inpatient",
                        "display": "Inpatient",
                    }
                ],
                "text": "Inpatient",
            },
            "medicationReference": {"reference": "Medication/eMed.88", "display": "vancomycin IVPB"},
            "subject": {"reference": "Patient/eKid.12", "display": "Okafor, Milo"},
            "context": {"reference": "Encounter/eEnc.5", "display": "Hospital Encounter"},
            "effectiveDateTime": "2026-01-11T14:02:00Z",
            "performer": [
                {"actor": {"reference": "Practitioner/ePr.2", "type": "Practitioner", "display": "Nurse, Two, RN"}}
            ],
            "request": {"reference": "MedicationRequest/eOrd.3", "display": "vancomycin IVPB"},
            "dosage": {
                "route": {
                    "coding": [
                        {
                            "system": "urn:oid:1.2.840.114350.1.13.0.1.7.4.798268.7025",
                            "code": "11",
                            "display": "Intravenous",
                        },
                        {
                            "system": "http://snomed.info/sct",
                            "code": "47625008",
                            "display": "Intravenous route (qualifier value)",
                        },
                    ],
                    "text": "Intravenous",
                },
                "dose": {"value": 750, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"},
                "rateQuantity": {"value": 250, "unit": "mL/hr", "system": "http://unitsofmeasure.org", "code": "mL/h"},
            },
        },
        [
            (
                {
                    "type": "medication",
                    "kind": "given",
                    "code": "11124",
                    "codings": [
                        {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "11124"},
                        {"system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.698288", "code": "88"},
                    ],
                    "drug_by_reference": True,
                    "category": ["inpatient"],
                    "start": "2026-01-11T14:02:00Z",
                    "start_date": "2026-01-11",
                    "dose": 750,
                    "dose_unit": "mg",
                    "rate": 250,
                    "rate_unit": "mL/h",
                    "route": [
                        {"system": "http://snomed.info/sct", "code": "47625008"},
                        {"system": "urn:oid:1.2.840.114350.1.13.0.1.7.4.798268.7025", "code": "11"},
                    ],
                    "status": "completed",
                    "orders": 1,
                    "encounter": 1,
                },
                [],
            )
        ],
        None,
    ),
    (
        "an administration as Oracle Health writes it",
        {
            "resourceType": "MedicationAdministration",
            "id": "312106037",
            "meta": {"versionId": "312106037", "lastUpdated": "2026-03-02T20:44:12.000Z"},
            "text": {
                "status": "generated",
                "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>given by Nurse Two</p></div>',
            },
            "status": "completed",
            "category": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/medication-admin-category",
                        "code": "inpatient",
                        "display": "Inpatient",
                        "userSelected": False,
                    }
                ]
            },
            "medicationCodeableConcept": {
                "coding": [
                    {
                        "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                        "code": "1807627",
                        "display": "sodium chloride 0.9% IV",
                        "userSelected": False,
                    },
                    {"system": "https://fhir.cerner.com/ec2458f2/synonym", "code": "2766812", "userSelected": True},
                ],
                "text": "Sodium Chloride 0.9% 250 mL",
            },
            "subject": {"reference": "Patient/12742399", "display": "OKAFOR, MILO"},
            "context": {"reference": "Encounter/97953477"},
            "effectivePeriod": {"start": "2026-03-02T20:30:00.000Z", "end": "2026-03-02T20:30:00.000Z"},
            "performer": [
                {
                    "function": {
                        "coding": [
                            {
                                "system": "http://terminology.hl7.org/CodeSystem/med-admin-perform-function",
                                "code": "performer",
                                "display": "Performer",
                            }
                        ]
                    },
                    "actor": {"reference": "Practitioner/593923", "display": "Two, Nurse"},
                }
            ],
            "request": {"reference": "MedicationRequest/313757847"},
            "device": [{"display": "Pump 4"}],
            "dosage": {
                "text": "250 mL, IV, 100 mL/hr",
                "site": {"text": "Arm, left"},
                "route": {
                    "coding": [
                        {
                            "system": "http://snomed.info/sct",
                            "code": "47625008",
                            "display": "Intravenous route (qualifier value)",
                            "userSelected": False,
                        },
                        {
                            "system": "https://fhir.cerner.com/ec2458f2/codeSet/4001",
                            "code": "318173",
                            "display": "IV",
                            "userSelected": True,
                        },
                    ],
                    "text": "IV",
                },
                "dose": {"value": 250.0, "unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"},
                "rateQuantity": {
                    "value": 100.0,
                    "unit": "mL/hr",
                    "system": "http://unitsofmeasure.org",
                    "code": "mL/h",
                },
            },
        },
        [
            (
                {
                    "type": "medication",
                    "kind": "given",
                    "code": "1807627",
                    "codings": [
                        {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1807627"},
                        {"system": "urn:mainstem:7cd78d15286a82af9d730fab", "code": "2766812"},
                    ],
                    "category": ["inpatient"],
                    "start": "2026-03-02T20:30:00Z",
                    "start_date": "2026-03-02",
                    "end": "2026-03-02T20:30:00Z",
                    "end_date": "2026-03-02",
                    "dose": 250,
                    "dose_unit": "mL",
                    "rate": 100,
                    "rate_unit": "mL/h",
                    "route": [
                        {"system": "http://snomed.info/sct", "code": "47625008"},
                        {"system": "urn:mainstem:2203cb95d46643948f761588", "code": "318173"},
                    ],
                    "status": "completed",
                    "orders": 1,
                    "encounter": 1,
                },
                [],
            )
        ],
        None,
    ),
    (
        "an administration that was not done, as QI-Core has it",
        {
            "resourceType": "MedicationAdministration",
            "id": "qa-18",
            "meta": {
                "profile": ["http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-medicationadministrationnotdone"]
            },
            "extension": [
                {
                    "url": "http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-recorded",
                    "valueDateTime": "2026-02-04",
                }
            ],
            "status": "not-done",
            "statusReason": [
                {
                    "coding": [
                        {
                            "system": "http://snomed.info/sct",
                            "code": "183966005",
                            "display": "Drug treatment not indicated",
                        }
                    ]
                }
            ],
            "medicationCodeableConcept": {
                "extension": [
                    {
                        "url": "http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-notDoneValueSet",
                        "valueCanonical": "http://cts.nlm.nih.gov/fhir/ValueSet/2.16.840.1.113762.1.4.1",
                    }
                ]
            },
            "subject": {"reference": "Patient/qp-4"},
            "effectiveDateTime": "2026-02-04",
        },
        [],
        "not-a-fact",
    ),
    (
        "a statement as QI-Core has it",
        {
            "resourceType": "MedicationStatement",
            "id": "qs-6",
            "meta": {"profile": ["http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-medicationstatement"]},
            "status": "active",
            "medicationCodeableConcept": {
                "coding": [
                    {
                        "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                        "code": "1364441",
                        "display": "ivacaftor 150 MG Oral Tablet",
                    }
                ]
            },
            "subject": {"reference": "Patient/qp-4"},
            "context": {"reference": "Encounter/qe-2"},
            "effectivePeriod": {"start": "2025-11-20"},
            "dateAsserted": "2026-02-04T08:00:00-06:00",
            "informationSource": {"reference": "RelatedPerson/qr-1"},
            "reasonCode": [{"coding": [{"system": "http://snomed.info/sct", "code": "190905008"}]}],
            "dosage": [
                {
                    "timing": {"repeat": {"frequency": 1, "period": 12, "periodUnit": "h"}},
                    "route": {"coding": [{"system": "http://snomed.info/sct", "code": "26643006"}]},
                    "doseAndRate": [
                        {
                            "type": {
                                "coding": [
                                    {
                                        "system": "http://terminology.hl7.org/CodeSystem/dose-rate-type",
                                        "code": "ordered",
                                    }
                                ]
                            },
                            "doseQuantity": {
                                "value": 150,
                                "unit": "mg",
                                "system": "http://unitsofmeasure.org",
                                "code": "mg",
                            },
                        }
                    ],
                }
            ],
        },
        [
            (
                {
                    "type": "medication",
                    "kind": "reported",
                    "code": "1364441",
                    "codings": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1364441"}],
                    "start_date": "2025-11-20",
                    "recorded_date": "2026-02-04",
                    "dose": 150,
                    "dose_unit": "mg",
                    "route": [{"system": "http://snomed.info/sct", "code": "26643006"}],
                    "steps": [
                        {
                            "dose": 150,
                            "dose_unit": "mg",
                            "frequency": 1,
                            "period": 12,
                            "period_unit": "h",
                            "route": [{"system": "http://snomed.info/sct", "code": "26643006"}],
                        }
                    ],
                    "status": "active",
                    "reasons": [{"system": "http://snomed.info/sct", "code": "190905008"}],
                    "encounter": 1,
                },
                [],
            )
        ],
        None,
    ),
    (
        "a use of a device as Epic writes it",
        {
            "resourceType": "DeviceUseStatement",
            "id": "eDus.4Wq",
            "status": "active",
            "subject": {"reference": "Patient/eKid.12", "display": "Okafor, Milo"},
            "timingPeriod": {"start": "2025-10-01"},
            "recordedOn": "2025-10-01T15:20:00Z",
            "source": {"reference": "Practitioner/ePr.3", "display": "Educator, Three, RN"},
            "device": {"reference": "Device/eDev.9", "display": "Insulin pump"},
            "bodySite": {"text": "Abdomen"},
            "note": [{"text": "family trained"}],
        },
        [
            (
                {
                    "type": "device_use",
                    "device": "pump",
                    "code": "69805005",
                    "codings": [{"system": "http://snomed.info/sct", "code": "69805005"}],
                    "start_date": "2025-10-01",
                    "recorded_date": "2025-10-01",
                    "status": "active",
                    "reporter_kinds": ["Practitioner"],
                },
                ["text-withheld"],
            )
        ],
        None,
    ),
    (
        "a consent as Epic writes it",
        {
            "resourceType": "Consent",
            "id": "eCon.55",
            "status": "active",
            "scope": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/consentscope",
                        "code": "research",
                        "display": "Research",
                    }
                ],
                "text": "Research",
            },
            "category": [
                {
                    "coding": [{"system": "http://loinc.org", "code": "59284-0", "display": "Patient Consent"}],
                    "text": "Research consent",
                }
            ],
            "patient": {"reference": "Patient/eKid.12", "display": "Okafor, Milo"},
            "dateTime": "2026-01-08T10:00:00Z",
            "organization": [{"display": "General Hospital"}],
            "sourceAttachment": {"contentType": "application/pdf", "url": "Binary/eBin.3", "title": "signed form"},
            "policyRule": {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN", "display": "opt-in"}
                ],
                "text": "Opt-in",
            },
            "verification": [
                {
                    "verified": True,
                    "verifiedWith": {"reference": "RelatedPerson/eRel.1"},
                    "verificationDate": "2026-01-08T10:00:00Z",
                }
            ],
            "provision": {"type": "permit", "period": {"start": "2026-01-08", "end": "2031-01-08"}},
        },
        [
            (
                {
                    "type": "consent",
                    "status": "active",
                    "decisions": [
                        {
                            "scope": "research",
                            "decision": "permit",
                            "start_date": "2026-01-08",
                            "end_date": "2031-01-08",
                        }
                    ],
                    "effective": "2026-01-08T10:00:00Z",
                    "effective_date": "2026-01-08",
                    "verified": True,
                    "verified_date": "2026-01-08",
                },
                [],
            )
        ],
        None,
    ),
    (
        "a consent as Oracle Health writes it",
        {
            "resourceType": "Consent",
            "id": "25-f1e2d3",
            "meta": {"versionId": "0", "lastUpdated": "2026-02-20T11:02:03.000Z"},
            "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>privacy</p></div>'},
            "status": "active",
            "scope": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/consentscope",
                        "code": "patient-privacy",
                        "display": "Privacy Consent",
                    }
                ]
            },
            "category": [
                {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                            "code": "INFA",
                            "display": "information access",
                        }
                    ]
                }
            ],
            "patient": {"reference": "Patient/12742399"},
            "dateTime": "2026-02-20T11:02:00.000Z",
            "policy": [{"authority": "https://www.hhs.gov"}],
            "provision": {"type": "deny", "period": {"start": "2026-02-20T11:02:00.000Z"}},
        },
        [],
        "consent-not-understood",
    ),
    (
        "an allergy as QI-Core has it",
        {
            "resourceType": "AllergyIntolerance",
            "id": "ql-2",
            "meta": {"profile": ["http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-allergyintolerance"]},
            "clinicalStatus": {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}
                ]
            },
            "verificationStatus": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
                        "code": "confirmed",
                    }
                ]
            },
            "type": "allergy",
            "category": ["medication"],
            "criticality": "high",
            "code": {
                "coding": [
                    {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "7980", "display": "penicillin G"}
                ]
            },
            "patient": {"reference": "Patient/qp-4"},
            "encounter": {"reference": "Encounter/qe-2"},
            "onsetDateTime": "2019",
            "recordedDate": "2026-02-03T15:00:00-06:00",
            "reaction": [
                {
                    "substance": {
                        "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "7980"}]
                    },
                    "manifestation": [
                        {"coding": [{"system": "http://snomed.info/sct", "code": "39579001", "display": "Anaphylaxis"}]}
                    ],
                    "onset": "2019-05-02",
                    "severity": "severe",
                }
            ],
        },
        [
            (
                {
                    "type": "allergy",
                    "rxnorm": "7980",
                    "codings": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "7980"}],
                    "kind": "allergy",
                    "category": ["medication"],
                    "criticality": "high",
                    "clinical_status": "active",
                    "verification_status": "confirmed",
                    "onset_date": "2019",
                    "recorded_date": "2026-02-03",
                    "reactions": [
                        {
                            "substance": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "7980"}],
                            "manifestations": [{"system": "http://snomed.info/sct", "code": "39579001"}],
                            "severity": "severe",
                            "onset_date": "2019-05-02",
                        }
                    ],
                    "encounter": 1,
                },
                [],
            )
        ],
        None,
    ),
    (
        "a message as Oracle Health writes it",
        {
            "resourceType": "Communication",
            "id": "1450927",
            "meta": {"versionId": "1", "lastUpdated": "2026-03-05T16:00:00Z"},
            "status": "completed",
            "category": [
                {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/communication-category",
                            "code": "notification",
                        }
                    ],
                    "text": "Notification",
                }
            ],
            "priority": "routine",
            "subject": {"reference": "Patient/12742399"},
            "topic": {"text": "Refill of the inhaler"},
            "encounter": {"reference": "Encounter/97953477"},
            "sent": "2026-03-05T15:58:00Z",
            "recipient": [{"reference": "Practitioner/593923", "display": "Dr One"}],
            "sender": {"reference": "Patient/12742399", "display": "OKAFOR, MILO"},
            "payload": [{"contentString": "may we have more of it please"}],
        },
        [
            (
                {
                    "type": "issue",
                    "kind": "message",
                    "category": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/communication-category",
                            "code": "notification",
                        }
                    ],
                    "status": "completed",
                    "priority": "routine",
                    "raised_by": "patient",
                    "addressed_to": ["Practitioner"],
                    "raised": "2026-03-05T15:58:00Z",
                    "raised_date": "2026-03-05",
                    "encounter": 1,
                },
                ["text-withheld"],
            )
        ],
        None,
    ),
    (
        "a message as Epic writes it",
        {
            "resourceType": "Communication",
            "id": "eMsg.91",
            "identifier": [{"use": "usual", "system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.698288", "value": "443"}],
            "inResponseTo": [{"reference": "Communication/eMsg.90"}],
            "status": "completed",
            "category": [
                {
                    "coding": [
                        {
                            "system": "urn:oid:1.2.840.114350.1.13.0.1.7.4.698288.18800",
                            "code": "5",
                            "display": "Patient Medical Advice Request",
                        }
                    ],
                    "text": "Patient Medical Advice Request",
                }
            ],
            "medium": [
                {
                    "coding": [
                        {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode", "code": "ELECTRONIC"}
                    ]
                }
            ],
            "subject": {"reference": "Patient/eKid.12", "display": "Okafor, Milo"},
            "encounter": {"reference": "Encounter/eEnc.8"},
            "sent": "2026-02-11T09:12:33Z",
            "received": "2026-02-11T12:40:00Z",
            "recipient": [{"reference": "Practitioner/ePr.1", "display": "One, MD"}],
            "sender": {"reference": "RelatedPerson/eRel.1", "display": "Okafor, Ada"},
            "payload": [{"contentString": "he coughs at night again"}],
        },
        [
            (
                {
                    "type": "issue",
                    "kind": "message",
                    "category": [{"system": "urn:oid:1.2.840.114350.1.13.0.1.7.4.698288.18800", "code": "5"}],
                    "status": "completed",
                    "medium": [
                        {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode", "code": "ELECTRONIC"}
                    ],
                    "raised_by": "family",
                    "addressed_to": ["Practitioner"],
                    "raised": "2026-02-11T09:12:33Z",
                    "raised_date": "2026-02-11",
                    "answered": "2026-02-11T12:40:00Z",
                    "answered_date": "2026-02-11",
                    "in_response_to": 1,
                    "encounter": 1,
                },
                [],
            )
        ],
        None,
    ),
    (
        "a task as QI-Core has it",
        {
            "resourceType": "Task",
            "id": "qt-30",
            "meta": {"profile": ["http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-task"]},
            "basedOn": [{"reference": "ServiceRequest/qsr-1"}],
            "status": "rejected",
            "statusReason": {
                "coding": [
                    {
                        "system": "http://snomed.info/sct",
                        "code": "105480006",
                        "display": "Refusal of treatment by patient",
                    }
                ]
            },
            "intent": "order",
            "priority": "routine",
            "code": {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]},
            "focus": {"reference": "ServiceRequest/qsr-1"},
            "for": {"reference": "Patient/qp-4"},
            "encounter": {"reference": "Encounter/qe-2"},
            "executionPeriod": {"start": "2026-02-03T09:00:00-06:00", "end": "2026-02-05T09:00:00-06:00"},
            "authoredOn": "2026-02-03T08:00:00-06:00",
            "requester": {"reference": "Practitioner/q1"},
            "owner": {"reference": "Organization/q2"},
        },
        [
            (
                {
                    "type": "issue",
                    "kind": "task",
                    "topic": "fulfill",
                    "codings": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}],
                    "about": 1,
                    "status": "rejected",
                    "status_reasons": [{"system": "http://snomed.info/sct", "code": "105480006"}],
                    "intent": "order",
                    "priority": "routine",
                    "raised_by": "clinician",
                    "addressed_to": ["Organization"],
                    "raised": "2026-02-03T14:00:00Z",
                    "raised_date": "2026-02-03",
                    "answered": "2026-02-05T15:00:00Z",
                    "answered_date": "2026-02-05",
                    "based_on": 1,
                    "encounter": 1,
                },
                [],
            )
        ],
        None,
    ),
    (
        "a task as Epic writes it",
        {
            "resourceType": "Task",
            "id": "eTsk.17",
            "status": "requested",
            "intent": "order",
            "code": {
                "coding": [{"system": "urn:oid:1.2.840.114350.1.13.0.1.7.4.1", "code": "1000", "display": "Referral"}],
                "text": "Referral",
            },
            "description": "refer to dietitian",
            "focus": {"reference": "ServiceRequest/eOrd.9", "display": "Referral"},
            "for": {"reference": "Patient/eKid.12", "display": "Okafor, Milo"},
            "authoredOn": "2026-02-12T10:00:00Z",
            "lastModified": "2026-02-12T10:00:00Z",
            "requester": {"reference": "Practitioner/ePr.1", "display": "One, MD"},
            "owner": {"reference": "Organization/eOrg.2", "display": "Food bank"},
            "restriction": {"period": {"end": "2026-03-01"}},
        },
        [
            (
                {
                    "type": "issue",
                    "kind": "task",
                    "codings": [{"system": "urn:oid:1.2.840.114350.1.13.0.1.7.4.1", "code": "1000"}],
                    "about": 1,
                    "status": "requested",
                    "intent": "order",
                    "raised_by": "clinician",
                    "addressed_to": ["Organization"],
                    "raised": "2026-02-12T10:00:00Z",
                    "raised_date": "2026-02-12",
                    "due_date": "2026-03-01",
                },
                ["code-unmapped"],
            )
        ],
        None,
    ),
    (
        "a plan of care as Oracle Health writes it",
        {
            "resourceType": "CarePlan",
            "id": "3201-77",
            "meta": {"versionId": "1", "lastUpdated": "2026-03-01T10:00:00.000Z"},
            "text": {
                "status": "additional",
                "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>Drink more</p></div>',
            },
            "status": "active",
            "intent": "plan",
            "category": [
                {
                    "coding": [
                        {
                            "system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category",
                            "code": "assess-plan",
                            "display": "Assessment and Plan of Treatment",
                        }
                    ],
                    "text": "Assessment and Plan of Treatment",
                }
            ],
            "title": "Plan of Milo",
            "subject": {"reference": "Patient/12742399"},
            "encounter": {"reference": "Encounter/97953477"},
            "period": {"start": "2026-03-01T09:50:00.000Z", "end": "2026-06-01T09:50:00.000Z"},
            "created": "2026-03-01T09:50:00.000Z",
            "contributor": [{"reference": "Practitioner/593923"}],
            "goal": [{"reference": "Goal/3202-1"}],
        },
        [
            (
                {
                    "type": "goal",
                    "kind": "plan",
                    "lifecycle_status": "active",
                    "intent": "plan",
                    "category": [
                        {"system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "code": "assess-plan"}
                    ],
                    "start": "2026-03-01T09:50:00Z",
                    "start_date": "2026-03-01",
                    "end": "2026-06-01T09:50:00Z",
                    "end_date": "2026-06-01",
                    "goals": 1,
                    "encounter": 1,
                },
                ["active-and-over"],
            )
        ],
        None,
    ),
    (
        "a plan of care as QI-Core has it",
        {
            "resourceType": "CarePlan",
            "id": "qc-9",
            "meta": {"profile": ["http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-careplan"]},
            "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">plan</div>'},
            "status": "completed",
            "intent": "order",
            "category": [
                {
                    "coding": [
                        {"system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "code": "assess-plan"}
                    ]
                },
                {
                    "coding": [
                        {
                            "system": "http://snomed.info/sct",
                            "code": "698358001",
                            "display": "Angina self management plan",
                        }
                    ]
                },
            ],
            "subject": {"reference": "Patient/qp-4"},
            "period": {"start": "2026-01-01", "end": "2026-02-01"},
            "addresses": [{"reference": "Condition/qcn-1"}],
            "goal": [{"reference": "Goal/qg-1"}],
            "activity": [
                {
                    "detail": {
                        "kind": "ServiceRequest",
                        "code": {
                            "coding": [
                                {
                                    "system": "http://snomed.info/sct",
                                    "code": "410177006",
                                    "display": "Special diet education",
                                }
                            ]
                        },
                        "status": "completed",
                        "doNotPerform": False,
                    }
                }
            ],
        },
        [
            (
                {
                    "type": "goal",
                    "kind": "plan",
                    "lifecycle_status": "completed",
                    "intent": "order",
                    "category": [
                        {"system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "code": "assess-plan"},
                        {"system": "http://snomed.info/sct", "code": "698358001"},
                    ],
                    "start_date": "2026-01-01",
                    "end_date": "2026-02-01",
                    "addresses": 1,
                    "goals": 1,
                    "parts": 1,
                },
                [],
            ),
            (
                {
                    "type": "goal",
                    "kind": "plan",
                    "lifecycle_status": "completed",
                    "intent": "order",
                    "category": [
                        {"system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "code": "assess-plan"},
                        {"system": "http://snomed.info/sct", "code": "698358001"},
                    ],
                    "start_date": "2026-01-01",
                    "end_date": "2026-02-01",
                    "addresses": 1,
                    "goals": 1,
                    "code": "410177006",
                    "codings": [{"system": "http://snomed.info/sct", "code": "410177006"}],
                    "activity_status": "completed",
                    "parent": 1,
                },
                [],
            ),
        ],
        None,
    ),
    (
        "a goal as Oracle Health writes it",
        {
            "resourceType": "Goal",
            "id": "3202-1",
            "meta": {"versionId": "2", "lastUpdated": "2026-03-01T10:00:00.000Z"},
            "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">run</div>'},
            "lifecycleStatus": "active",
            "achievementStatus": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/goal-achievement",
                        "code": "improving",
                        "display": "Improving",
                    }
                ]
            },
            "category": [
                {
                    "coding": [
                        {
                            "system": "https://fhir.cerner.com/ec2458f2/codeSet/30320",
                            "code": "4150",
                            "display": "Patient stated",
                            "userSelected": True,
                        }
                    ],
                    "text": "Patient stated",
                }
            ],
            "description": {"text": "To run with the others"},
            "subject": {"reference": "Patient/12742399"},
            "startDate": "2026-03-01",
            "target": [{"dueDate": "2026-09-01"}],
            "statusDate": "2026-03-01",
            "expressedBy": {"reference": "Patient/12742399"},
        },
        [
            (
                {
                    "type": "goal",
                    "kind": "goal",
                    "lifecycle_status": "active",
                    "achievement_status": "improving",
                    "category": [{"system": "urn:mainstem:111e6150ac0b35030d3934fa", "code": "4150"}],
                    "start_date": "2026-03-01",
                    "status_date": "2026-03-01",
                    "expressed_by": "patient",
                    "parts": 1,
                },
                ["text-withheld"],
            ),
            (
                {
                    "type": "goal",
                    "kind": "goal",
                    "lifecycle_status": "active",
                    "achievement_status": "improving",
                    "category": [{"system": "urn:mainstem:111e6150ac0b35030d3934fa", "code": "4150"}],
                    "start_date": "2026-03-01",
                    "status_date": "2026-03-01",
                    "expressed_by": "patient",
                    "due_date": "2026-09-01",
                    "parent": 1,
                },
                ["text-withheld"],
            ),
        ],
        None,
    ),
    (
        "a goal as QI-Core has it",
        {
            "resourceType": "Goal",
            "id": "qg-1",
            "meta": {"profile": ["http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-goal"]},
            "lifecycleStatus": "completed",
            "achievementStatus": {
                "coding": [{"system": "http://terminology.hl7.org/CodeSystem/goal-achievement", "code": "achieved"}]
            },
            "description": {
                "coding": [{"system": "http://snomed.info/sct", "code": "289169006", "display": "Weight loss"}]
            },
            "subject": {"reference": "Patient/qp-4"},
            "startDate": "2026-01-01",
            "target": [
                {
                    "measure": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
                    "detailQuantity": {"value": 70, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
                    "dueDate": "2026-02-01",
                }
            ],
            "addresses": [{"reference": "Condition/qcn-1"}],
        },
        [
            (
                {
                    "type": "goal",
                    "kind": "goal",
                    "code": "289169006",
                    "codings": [{"system": "http://snomed.info/sct", "code": "289169006"}],
                    "lifecycle_status": "completed",
                    "achievement_status": "achieved",
                    "start_date": "2026-01-01",
                    "addresses": 1,
                    "parts": 1,
                },
                [],
            ),
            (
                {
                    "type": "goal",
                    "kind": "goal",
                    "code": "289169006",
                    "codings": [{"system": "http://snomed.info/sct", "code": "289169006"}],
                    "lifecycle_status": "completed",
                    "achievement_status": "achieved",
                    "start_date": "2026-01-01",
                    "addresses": 1,
                    "measure": "29463-7",
                    "measure_codings": [{"system": "http://loinc.org", "code": "29463-7"}],
                    "value": 70,
                    "unit": "kg",
                    "raw_value": "70",
                    "raw_unit": "kg",
                    "due_date": "2026-02-01",
                    "parent": 1,
                },
                [],
            ),
        ],
        None,
    ),
]
"""The resource; its records without what says whose they are, links by their number, each with its flags; the reason where there is none."""
LINKS = [
    "about",
    "addresses",
    "based_on",
    "encounter",
    "goals",
    "in_response_to",
    "locations",
    "orders",
    "parent",
    "parts",
    "reason_records",
]


@pytest.mark.parametrize(
    ("resource", "records", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_resource_as_it_is_written_gives_its_whole_records(
    resource: Json, records: Records, reason: str | None
) -> None:
    """Every field of them, and no other; nothing of its texts."""
    kept: dict[bytes, bytes] = {}
    mapper = Mapper(
        site="north",
        time_zone="America/New_York",
        subject_key=b"k" * 32,
        look_up=lambda refs: {ref: kept[ref] for ref in refs if ref in kept},
    )
    landed = mapper.map_lines([json.dumps(each).encode() for each in (MEDICATION, DEVICE)])
    kept |= {each.ref: each.content for each in landed.referred}
    outcomes = mapper.map_lines([json.dumps(resource).encode()])
    problem = outcomes.unusual[0].problem if 0 in outcomes.unusual else None
    assert (problem and problem.reason.value) == reason
    found = []
    for record in outcomes.records:
        content, told = json.loads(record.content), json.loads(b"{" + record.provenance + b"}")
        assert all(
            text.encode() not in record.content for text in ("Okafor", "OKAFOR", "Milo", "Nurse", "cough", "please")
        )
        fields = {name: value for name, value in content.items() if name not in ("id", "subject", "site")}
        for name in {*LINKS} & {*fields}:
            fields[name] = len(fields[name]) if isinstance(fields[name], list) else 1
        found.append((fields, told.get("flags", [])))
    assert found == records
