"""A site's FHIR resources, as its EHR would export them: what was known, with the day on which it was."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from math import sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

from mainstem.demo.known.children import Child, Seen, children, due_next, visits
from mainstem.demo.known.households import household
from mainstem.demo.known.truth import ASTHMA, CF, CLINICS, FIRST_MONTH, IBD, T1D, VISIT_MONTHS, Known, KnownSite
from transforms.derive.references.gli import Predicted, gli_2022
from transforms.derive.references.lms import curves

LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
RXNORM, ICD10CM = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://hl7.org/fhir/sid/icd-10-cm"
LOCAL = "urn:ehr:flowsheet"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
SOPT = "https://nahdo.org/sopt"
CDC_RACE = "urn:oid:2.16.840.1.113883.6.238"
Resource = dict[str, Any]


class Dated(NamedTuple):
    """A resource, and the day on which the EHR had it."""

    day: date
    resource: Resource


def resources(known: Known, site: KnownSite) -> Iterator[Dated]:
    """All that a site's EHR has, clinic by clinic; without what its broken feed no longer brings."""
    for clinic in CLINICS:
        for child in children(known, site, clinic):
            lives = household(known, site, child)
            yield from _enrolled(child, lives.home)
            for order, payer in enumerate(lives.payers, 1):
                yield Dated(FIRST_MONTH, _insured(child, payer, order))
        for seen in visits(known, site, clinic):
            yield from _visit(seen, site)
        for child, day in due_next(known, site, clinic):
            yield Dated(day - timedelta(days=60), _appointment(child, day))


def comes(known: Known, site: KnownSite, dated: Dated) -> bool:
    """Whether the site's feed brings it."""
    broken = known.broken
    return not (
        broken.site == site.id and dated.resource["resourceType"] == broken.fhir_type and dated.day >= broken.since
    )


def _enrolled(child: Child, home: tuple[float, float] | None) -> Iterator[Dated]:
    """The child, the diagnosis, the treatment that stays."""
    patient: Resource = {
        "resourceType": "Patient",
        "id": child.id,
        "gender": "male" if child.sex == "M" else "female",
        "birthDate": child.born.isoformat(),
        "extension": [_category("race", child.race), _category("ethnicity", child.ethnicity)],
        "communication": [
            {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": child.language}]}, "preferred": True}
        ],
    }
    if home:
        patient["address"] = [{"use": "home", "extension": [_located(*home)]}]
    clinic = child.clinic
    condition = _of(child, "Condition", f"{child.id}-dx") | {
        "clinicalStatus": _concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
        "verificationStatus": _concept("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed"),
        "category": [_concept("http://terminology.hl7.org/CodeSystem/condition-category", "problem-list-item")],
        "code": {
            "coding": [
                {"system": SNOMED, "code": clinic.snomed, "display": clinic.display},
                {"system": ICD10CM, "code": clinic.icd10cm},
            ]
        },
        "onsetDateTime": (FIRST_MONTH - timedelta(days=600)).isoformat(),
        "recordedDate": (FIRST_MONTH - timedelta(days=590)).isoformat(),
    }
    yield Dated(FIRST_MONTH, patient)
    yield Dated(FIRST_MONTH, condition)
    yield Dated(FIRST_MONTH, _ordered(child, f"{child.id}-rx", MAINTENANCE[clinic.name], FIRST_MONTH, None))


MAINTENANCE = {
    IBD.name: ("191831", "infliximab"),
    CF.name: ("2256944", "elexacaftor"),
    T1D.name: ("51428", "insulin glargine"),
    ASTHMA.name: ("19831", "budesonide"),
}
"""RxNorm ingredients."""
PREDNISONE = ("8640", "prednisone")
COURSE = timedelta(days=42)


def _insured(child: Child, payer: str, order: int) -> Resource:
    return {
        "resourceType": "Coverage",
        "id": f"{child.id}-pays-{order}",
        "status": "active",
        "type": _concept(SOPT, payer),
        "beneficiary": {"reference": f"Patient/{child.id}"},
        "period": {"start": (FIRST_MONTH - timedelta(days=400)).isoformat()},
        "payor": [{"display": "an insurer"}],
        "order": order,
    }


def _located(north: float, east: float) -> Resource:
    degrees = [{"url": "latitude", "valueDecimal": north}, {"url": "longitude", "valueDecimal": east}]
    return {"url": "http://hl7.org/fhir/StructureDefinition/geolocation", "extension": degrees}


def _visit(seen: Seen, site: KnownSite) -> Iterator[Dated]:
    child, day = seen.child, seen.day
    name = f"{child.id}-v{seen.number:02}"
    encounter = _of(child, "Encounter", name) | {
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "type": [_concept("http://www.ama-assn.org/go/cpt", "99214")],
        "period": {"start": f"{day}T09:00:00", "end": f"{day}T09:40:00"},
        "reasonCode": [_concept(SNOMED, child.clinic.snomed)],
    }
    yield Dated(day, encounter)
    for part, (coding, value) in enumerate(FINDINGS[child.clinic.name](seen, site)):
        observation = _of(child, "Observation", f"{name}-{part}") | {
            "status": "final",
            "code": {"coding": [coding]},
            "effectiveDateTime": f"{day}T09:10:00",
            "encounter": {"reference": f"Encounter/{name}"},
        }
        yield Dated(day, observation | value)
    if child.clinic is IBD and not seen.reached:
        yield Dated(day, _ordered(child, f"{name}-rx", PREDNISONE, day, day + COURSE))


CodedValue = tuple[dict[str, str], Resource]


def _growth(seen: Seen, z: float) -> list[CodedValue]:
    """Height and weight, so that the body mass index lies at a z-score."""
    height = _height(seen)
    weight = curves("cdc_2000.csv")["bmi", seen.child.sex].at(_months(seen)).value(z) * (height / 100) ** 2
    return [_measured("8302-2", height, "cm"), _measured("29463-7", round(weight, 1), "kg")]


def _stands(seen: Seen, site: KnownSite) -> float:
    """The z-score of the body mass index: above -1 where growth is as it should be."""
    level: float = -0.6 + 1.8 * seen.draw if seen.thriving else -1.95 + 0.5 * seen.draw
    return level + MONTHLY * seen.noise / sqrt(site.thirds)


MONTHLY = 0.75
"""How far a month's children lie from the others' by chance, in standard deviations of one child."""


def _ibd(seen: Seen, site: KnownSite) -> list[CodedValue]:
    z = _stands(seen, site)
    state = "quiescent" if seen.reached else "severe" if seen.draw < 0.1 else "moderate" if seen.draw < 0.4 else "mild"
    said = {"valueCodeableConcept": {"coding": [{"system": LOCAL, "code": state}], "text": state}}
    return [
        ({"system": LOCAL, "code": "PGA", "display": "Physician global assessment"}, said),
        *_growth(seen, z),
        _percentile(z),
    ]


def _cf(seen: Seen, site: KnownSite) -> list[CodedValue]:
    z = 0.05 + 1.2 * seen.draw if seen.reached else -1.35 + 1.3 * seen.draw
    growth = _growth(seen, z)
    height, years = growth[0][1]["valueQuantity"]["value"], _months(seen) / 12
    expected = gli_2022("fev1", "M" if seen.child.sex == "M" else "F", years, height)
    percent = 84 + 14 * NormalDist().inv_cdf(seen.child.level) + 14 * seen.noise / sqrt(site.thirds)
    found = [*growth, _percentile(z), _measured("20152-5", round(percent, 1), "%")]
    if isinstance(expected, Predicted):
        found.append(_measured("20150-9", round(expected.predicted * percent / 100, 2), "L"))
    return found


def _t1d(seen: Seen, site: KnownSite) -> list[CodedValue]:
    low, high = (6.0, 6.9) if seen.reached else (7.1, 8.9) if seen.thriving else (9.2, 11.5)
    return [_measured("4548-4", round(high - (high - low) * seen.draw, 1), "%"), *_screened(seen)]


def _asthma(seen: Seen, site: KnownSite) -> list[CodedValue]:
    score = 20 + round(5 * seen.draw) if seen.reached else 8 + round(11 * seen.draw)
    return [_measured("82668-5", score, "{score}"), *_screened(seen)]


def _screened(seen: Seen) -> list[CodedValue]:
    """What is asked twice a year: PHQ-9, and the body mass index as its percentile."""
    if seen.number // VISIT_MONTHS % 2:
        return []
    score = round(9 - 9 * seen.draw) if seen.thriving else 17 - round(9 * seen.draw)
    return [_measured("44261-6", score, "{score}"), _percentile(1.5 * seen.draw - 0.5)]


def _percentile(z: float) -> CodedValue:
    return _measured("59576-9", round(100 * NormalDist().cdf(z), 1), "%")


FINDINGS: dict[str, Callable[[Seen, KnownSite], list[CodedValue]]] = {
    IBD.name: _ibd,
    CF.name: _cf,
    T1D.name: _t1d,
    ASTHMA.name: _asthma,
}


def _height(seen: Seen) -> float:
    lms = curves("cdc_2000.csv")["stature", seen.child.sex].at(_months(seen))
    return round(lms.value(max(-1.8, seen.child.tall)), 1)


def _months(seen: Seen) -> float:
    return (seen.day - seen.child.born).days / 30.4375


def _appointment(child: Child, day: date) -> Resource:
    hour = 14 + int(child.id[-3:]) % 8
    return {
        "resourceType": "Appointment",
        "id": f"{child.id}-next",
        "status": "booked",
        "start": f"{day}T{hour}:00:00Z",
        "end": f"{day}T{hour}:40:00Z",
        "participant": [{"actor": {"reference": f"Patient/{child.id}"}, "status": "accepted"}],
    }


def _ordered(child: Child, name: str, drug: tuple[str, str], day: date, end: date | None) -> Resource:
    dosage: Resource = {"text": "as directed", "timing": {"repeat": {"boundsPeriod": {"start": day.isoformat()}}}}
    if end:
        dosage["timing"]["repeat"]["boundsPeriod"]["end"] = end.isoformat()
    return _of(child, "MedicationRequest", name) | {
        "status": "completed" if end and end < date(2026, 10, 1) else "active",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": drug[0], "display": drug[1]}]},
        "authoredOn": day.isoformat(),
        "dosageInstruction": [dosage],
    }


def _of(child: Child, kind: str, name: str) -> Resource:
    return {"resourceType": kind, "id": name, "subject": {"reference": f"Patient/{child.id}"}}


def _measured(code: str, value: float, unit: str) -> CodedValue:
    return (
        {"system": LOINC, "code": code},
        {"valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit}},
    )


def _concept(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def _category(name: str, code: str) -> Resource:
    return {
        "url": US_CORE + name,
        "extension": [{"url": "ombCategory", "valueCoding": {"system": CDC_RACE, "code": code}}],
    }
