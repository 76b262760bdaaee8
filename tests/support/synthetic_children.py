"""Small synthetic children as FHIR R4, written by hand: enough of each type to follow one datum's way."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

Resource = dict[str, Any]
LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"


def concept(system: str, code: str, text: str = "words that must not travel") -> Resource:
    return {"coding": [{"system": system, "code": code, "display": text}], "text": text}


def quantity(value: float, unit: str) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def child(number: int, *, visits: int = 2) -> list[Resource]:
    """One child with cystic fibrosis: visits with BMI percentile and blood pressure, a medicine, a vaccine, a procedure."""
    patient = f"kid7q-{number}"
    subject = {"reference": f"Patient/{patient}", "display": "Name Must Not Travel"}
    meta = {"versionId": "1", "lastUpdated": "2026-03-01T00:00:00Z"}
    resources: list[Resource] = [
        {
            "resourceType": "Patient",
            "id": patient,
            "meta": meta,
            "identifier": [{"system": "urn:mrn", "value": f"MRN-{number}"}],
            "name": [{"family": "Mustnottravel", "given": ["Never"]}],
            "gender": "female" if number % 2 else "male",
            "birthDate": f"{2010 + number % 8}-05-{1 + number % 28:02d}",
            "address": [{"line": ["1 Secret Street"], "city": "Hiddenville", "postalCode": "02139-1234"}],
        },
        {
            "resourceType": "Condition",
            "id": f"{patient}-cf",
            "meta": meta,
            "subject": subject,
            "code": concept(SNOMED, "190905008"),
            "clinicalStatus": concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
            "onsetDateTime": "2012-01-05",
        },
        {
            "resourceType": "MedicationRequest",
            "id": f"{patient}-rx",
            "meta": meta,
            "subject": subject,
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": concept("http://www.nlm.nih.gov/research/umls/rxnorm", "1655922"),
            "authoredOn": "2026-01-10T09:00:00-05:00",
        },
        {
            "resourceType": "Immunization",
            "id": f"{patient}-flu",
            "meta": meta,
            "patient": subject,
            "status": "completed",
            "vaccineCode": concept("http://hl7.org/fhir/sid/cvx", "140"),
            "occurrenceDateTime": "2025-10-10T09:00:00-04:00",
        },
        {
            "resourceType": "Procedure",
            "id": f"{patient}-spirometry",
            "meta": meta,
            "subject": subject,
            "status": "completed",
            "code": concept(SNOMED, "127783003"),
            "performedDateTime": "2026-01-10T09:30:00-05:00",
        },
    ]
    for visit in range(1, visits + 1):
        resources += _visit(patient, subject, meta, visit, percentile=40 + (number + visit) % 30)
    return resources


def _visit(patient: str, subject: Resource, meta: Resource, visit: int, percentile: float) -> list[Resource]:
    at = f"2026-{visit % 12 + 1:02d}-{1 + visit // 12 % 28:02d}T09:00:00-05:00"
    encounter = f"{patient}-visit-{visit}"
    common = {"meta": meta, "subject": subject, "status": "final", "encounter": {"reference": f"Encounter/{encounter}"}}
    vital = {"category": [concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")]}
    return [
        {
            "resourceType": "Encounter",
            "id": encounter,
            "meta": meta,
            "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": subject,
            "period": {"start": at, "end": at.replace("T09", "T10")},
        },
        {
            "resourceType": "Observation",
            "id": f"{encounter}-bmi",
            **common,
            **vital,
            "code": concept(LOINC, "59576-9"),
            "effectiveDateTime": at,
            "valueQuantity": quantity(percentile, "%"),
            "note": [{"text": "a note that must not travel"}],
        },
        {
            "resourceType": "Observation",
            "id": f"{encounter}-bp",
            **common,
            **vital,
            "code": concept(LOINC, "85354-9"),
            "effectiveDateTime": at,
            "component": [
                {"code": concept(LOINC, "8480-6"), "valueQuantity": quantity(104, "mm[Hg]")},
                {"code": concept(LOINC, "8462-4"), "valueQuantity": quantity(66, "mm[Hg]")},
            ],
        },
    ]


def children(count: int, *, first: int = 1, visits: int = 2) -> list[Resource]:
    """Several children, one after the other."""
    return [resource for number in range(first, first + count) for resource in child(number, visits=visits)]


RECORDS_A_CHILD = 5 + 2 * (1 + 1 + 3)
"""With two visits: five facts, and per visit an encounter, a percentile, a blood pressure with two components."""


def deliver(resources: list[Resource], folder: Path, *, suffix: str = "") -> None:
    """Writes NDJSON files by type, as a site delivers them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[str]] = defaultdict(list)
    for resource in resources:
        lines[resource["resourceType"]].append(json.dumps(resource))
    for name, texts in lines.items():
        (folder / f"{name}{suffix}.ndjson").write_text("\n".join(texts) + "\n", encoding="utf-8")


PLANTED = (
    b"Mustnottravel",
    b"Secret Street",
    b"Hiddenville",
    b"MRN-",
    b"must not travel",
    b"Must Not Travel",
    b"kid7q",
    b"02139-1234",
)
"""What identifies a child or is free text in these resources: none of it may leave the site."""
