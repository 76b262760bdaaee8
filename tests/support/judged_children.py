"""A clinic's children over two years, growing as children do, as FHIR R4; and the faults that feeds and clinics put into them."""

import json
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import count
from typing import Any

from synthetic_children import LOINC, SNOMED, UCUM, Resource, concept, quantity

from transforms import Mapper
from transforms.quality import About, Judged, judge
from transforms.quality.facts import Row

FIRST, LAST = date(2024, 1, 1), date(2025, 12, 31)
TODAY = date(2026, 1, 10)
CHILDREN = 90
_KG = {"system": UCUM, "code": "kg", "unit": "kg"}
HEIGHT, WEIGHT, A1C, GLUCOSE = "8302-2", "29463-7", "4548-4", "2345-7"


def clinic(children: int = CHILDREN, *, seed: int = 7) -> list[Resource]:
    """Children with diabetes, seen every two months or so from 2024 to 2025."""
    chance = random.Random(seed)
    return [resource for number in range(children) for resource in _child(number, chance)]


def _child(number: int, chance: random.Random) -> Iterator[Resource]:
    name = f"kid-{number}"
    born = date(2009 + number % 10, 1 + number % 12, 1 + number % 28)
    subject = {"reference": f"Patient/{name}"}
    yield {"resourceType": "Patient", "id": name, "gender": ("male", "female")[number % 2], "birthDate": str(born)}
    dx = {"code": concept(SNOMED, "46635009"), "recordedDate": "2023-11-02", "subject": subject}
    yield {"resourceType": "Condition", "id": f"{name}-dx", **dx}
    height, weight = 1.0 + chance.gauss(0, 0.03), 1.0 + chance.gauss(0, 0.1)
    day, visits = FIRST + timedelta(days=number % 60), count(1)
    while day <= LAST:
        yield from _visit(f"{name}-visit-{next(visits)}", subject, day, born, height, weight, chance)
        day += timedelta(days=chance.randint(50, 66))


def _visit(
    visit: str, subject: Resource, day: date, born: date, height: float, weight: float, chance: random.Random
) -> Iterator[Resource]:
    at = f"{day}T{chance.randint(8, 15):02d}:{chance.randint(0, 59):02d}:00-05:00"
    years = (day - born).days / 365.25
    tall = height * (75 + 6 * min(years, 16))
    heavy = weight * (8 + 0.5 * years + 0.16 * min(years, 17) ** 2)
    yield {
        "resourceType": "Encounter",
        "id": visit,
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": subject,
        "period": {"start": at, "end": at},
    }
    readings = (
        (HEIGHT, tall + chance.gauss(0, 0.4), "cm"),
        (WEIGHT, heavy + chance.gauss(0, 0.3), "kg"),
        (A1C, chance.gauss(7.8, 0.9), "%"),
        (GLUCOSE, chance.gauss(160, 30), "mg/dL"),
    )
    for code, value, unit in readings:
        yield {
            "resourceType": "Observation",
            "id": f"{visit}-{code}",
            "status": "final",
            "subject": subject,
            "encounter": {"reference": f"Encounter/{visit}"},
            "effectiveDateTime": at,
            "code": concept(LOINC, code),
            "valueQuantity": quantity(round(value, 1), unit),
        }


def is_of(resource: Resource, code: str) -> bool:
    """Whether it is a reading of a code."""
    return resource["resourceType"] == "Observation" and resource["code"]["coding"][0]["code"] == code


def moment(resource: Resource) -> str:
    """When a reading or a visit was; empty of what has no moment."""
    return str(resource.get("effectiveDateTime") or resource.get("period", {}).get("start", ""))


def times(resources: Iterable[Resource], code: str, factor: float, such: Callable[[Resource], bool]) -> list[Resource]:
    """The readings of a code that are such, with their numbers multiplied: another unit, told as the usual one."""
    return [
        {**each, "valueQuantity": {**each["valueQuantity"], "value": round(each["valueQuantity"]["value"] * factor, 1)}}
        if is_of(each, code) and such(each)
        else each
        for each in resources
    ]


def rows_of(resources: Iterable[Resource], **setting: Any) -> list[Row]:
    """What a site's state holds of them, by subject."""
    mapper = Mapper(site="north", time_zone="America/New_York", subject_key=b"k" * 32, today=TODAY, **setting)
    by_type: dict[str, list[bytes]] = {}
    for resource in resources:
        by_type.setdefault(resource["resourceType"], []).append(json.dumps(resource).encode())
    records = [record for lines in by_type.values() for record in mapper.map_lines(lines).records]
    return [
        Row(each.subject, each.content, each.provenance)
        for each in sorted(records, key=lambda each: (each.subject, each.id))
    ]


def judged(resources: Iterable[Resource], **about: Any) -> Judged:
    """What all checks find in them."""
    return judge(rows_of(resources), About(today=TODAY, **about))


def found_by(judged: Judged) -> dict[str, int]:
    """How many each check found, of those that found any."""
    found = {result.name: sum(line.found for _, line in result.lines) for result in judged.results}
    return {name: number for name, number in found.items() if number}


def failed(judged: Judged) -> set[str]:
    """Names of the checks that failed."""
    return {result.name for result in judged.results if result.status == "failed"}
