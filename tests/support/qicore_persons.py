"""QI-Core resources of one person, and which population of a published measure they lead to, through our own mapping."""

from collections.abc import Mapping
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from persons import value_sets

from mainstem.commands.map.files import map_paths
from services.measures.compile.memory import InMemory, Period
from services.measures.compile.people import Person
from services.measures.language.codes import SNOMED, Code, ValueSet
from services.measures.language.truths import Truth
from services.measures.official import definition
from services.measures.valuesets import Expanded, ValueSets
from transforms.codes.forms import snomed_fault

OUT, IN, EXCLUDED, MET, EXCEPTED = "out", "in", "excluded", "met", "excepted"
HL7 = "http://terminology.hl7.org/CodeSystem"
_numbers, _given = count(1), count(7001)
_codes: dict[str, str] = {}


def code_of(oid: str) -> str:
    """An SCTID that stands for all of a value set."""
    if oid not in _codes:
        stem = f"{next(_given)}00"
        _codes[oid] = next(f"{stem}{digit}" for digit in range(10) if snomed_fault(f"{stem}{digit}") is None)
    return _codes[oid]


def concept(*codes: Code | ValueSet) -> dict[str, Any]:
    return {
        "coding": [
            {"system": each.system, "code": each.code}
            if isinstance(each, Code)
            else {"system": SNOMED, "code": code_of(each.oid)}
            for each in codes
        ]
    }


def word(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{HL7}/{system}", "code": code}]}


def resource(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given as None is left out."""
    own = {"resourceType": kind, "id": f"x-{next(_numbers)}", "subject": {"reference": "Patient/p"}}
    return own | {name: value for name, value in given.items() if value is not None}


def patient(born: str, **given: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p", "birthDate": born, **given}


def seen(kind: Code | ValueSet, day: str, **given: Any) -> dict[str, Any]:
    """From ten to eleven."""
    period = {"start": f"{day}T10:00:00.000Z", "end": f"{day}T11:00:00.000Z"}
    own = {"status": "finished", "class": {"system": f"{HL7}/v3-ActCode", "code": "AMB"}, "type": [concept(kind)]}
    return resource("Encounter", own | {"period": period} | given)


def told(
    code: Code | ValueSet, at: str | None, *answers: Code | ValueSet, category: str = "survey", **given: Any
) -> dict[str, Any]:
    own = {"status": "final", "category": [word("observation-category", category)], "code": concept(code)}
    answer = concept(*answers) if answers else None
    return resource("Observation", own | {"effectiveDateTime": at, "valueCodeableConcept": answer} | given)


def percent(code: Code | ValueSet, at: str, value: float, **given: Any) -> dict[str, Any]:
    amount = {"value": value, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
    return told(code, at, category="laboratory", valueQuantity=amount, **given)


def problem(code: Code | ValueSet, since: str | None, **given: Any) -> dict[str, Any]:
    own = {"clinicalStatus": word("condition-clinical", "active"), "code": concept(code), "onsetDateTime": since}
    sure = {"verificationStatus": word("condition-ver-status", "confirmed")}
    return resource("Condition", own | sure | {"category": [word("condition-category", "problem-list-item")]} | given)


def ordered(kind: str, code: Code | ValueSet, at: str, **given: Any) -> dict[str, Any]:
    place = {"MedicationRequest": "medicationCodeableConcept", "DeviceRequest": "codeCodeableConcept"}.get(kind, "code")
    return resource(kind, {"status": "active", "intent": "order", place: concept(code), "authoredOn": at} | given)


def done(code: Code | ValueSet, at: str, **given: Any) -> dict[str, Any]:
    return resource("Procedure", {"status": "completed", "code": concept(code), "performedDateTime": at} | given)


NAMES = {"denominator-exception": EXCEPTED, "numerator": MET, "denominator-exclusion": EXCLUDED, "denominator": IN}


def outcomes(measure: str, year: int, resources: list[dict[str, Any]], folder: Path) -> list[str]:
    """The last population the person gets to, of each rate."""
    declared, (evaluator, person) = definition(measure, year), _evaluated(measure, year, resources, folder)
    return [_last(group.members(), evaluator, person) for group in declared.groups]


def outcomes_by_stratum(measure: str, year: int, resources: list[dict[str, Any]], folder: Path) -> list[dict[str, str]]:
    """The same of each rate in each of its strata."""
    declared, (evaluator, person) = definition(measure, year), _evaluated(measure, year, resources, folder)
    return [
        {each.name: _last(group.of_stratum(each), evaluator, person) for each in group.strata}
        for group in declared.groups
    ]


def _evaluated(measure: str, year: int, resources: list[dict[str, Any]], folder: Path) -> tuple[InMemory, Person]:
    named = value_sets(definition(measure, year)).by_url.values()
    sets = {each.oid: Expanded(each.oid, "1", "", frozenset({(SNOMED, code_of(each.oid))})) for each in named}
    lines, out = folder / "bundle.ndjson", folder / "records.ndjson"
    lines.write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in resources))
    with out.open("wb") as file:
        map_paths([lines], None, out=file)
    mapped = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    person = Person(each["record"] | {"flags": each["provenance"].get("flags", [])} for each in mapped)
    return InMemory(Period(date(year, 1, 1), date(year, 12, 31)), ValueSets(folder, sets)), person


def _last(members: Mapping[str, Truth], evaluator: InMemory, person: Person) -> str:
    found = (said for code, said in NAMES.items() if code in members and evaluator.of_person(members[code])(person))
    return next(found, OUT)
