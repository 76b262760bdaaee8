"""Generated persons for the network's measures: what a registry may hold of them, about half of it missing."""

from typing import Any

from hypothesis import strategies as st

from services.measures.compile.people import Record
from services.measures.declared import Measure
from services.measures.language.events import OneOf
from services.measures.language.nodes import found_in

DAYS = [
    "2025-02-10",
    "2024-12-31",
    "2025-11-01",
    "2025-11-30",
    "2026-01-01",
    "2026-02-28",
    "2026-03-01",
    "2026-03-31",
    "2026-04-01",
]
PARTIAL = [None, "2025", "2026-03", "2026"]
OTHER_CODES = {"condition": "73211009", "observation": "8867-4", "pro_response": "69724-3", "medication": "161"}
NUMBERS = [0, 4, 5, 6.9, 7, 9, 9.1, 10, 19, 20, 22, 23, 49.9, 50, 90, 97, 120, 139, 140, 400]


def codes_of(measures: list[Measure]) -> dict[str, list[tuple[str, str]]]:
    """System and code of every code a measure asks for, by the kind of record whose it is."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    where = {"loinc": ["observation", "pro_response"], "rxnorm": ["medication"]}
    for code_set in {each for measure in measures for each in measure.code_sets}:
        for code in (*code_set.codes, *code_set.categories):
            system = next((name for name in where if name in code.system), "")
            for kind in where.get(system, ["condition", "procedure"]):
                kinds.setdefault(kind, []).append((code.system, code.code))
    return {kind: sorted(set(codes)) for kind, codes in kinds.items()}


def methods_of(measures: list[Measure]) -> list[str]:
    """Derived values that a measure asks for."""
    asked = [each for measure in measures for each in found_in((measure.who, measure.value, measure.among), OneOf)]
    return sorted({value for each in asked if each.field.name == "method" for value in each.values})


def day(draw: st.DrawFn) -> str | None:
    """A day near a boundary; now and then a month, a year, or none."""
    return draw(st.sampled_from([*DAYS, *DAYS, *DAYS, *PARTIAL]))


def when(draw: st.DrawFn, name: str) -> Record:
    """A date, and on a full one perhaps an instant."""
    found = day(draw)
    clock = draw(st.sampled_from([None, "T00:00:00Z", "T09:30:00Z", "T23:59:59Z"]))
    return {f"{name}_date": found, name: f"{found}{clock}" if found and len(found) == 10 and clock else None}


def life(draw: st.DrawFn, number: int, measures: list[Measure]) -> list[Record]:
    """One person's records: visits above all, and whatever one of the measures asks for."""
    focus = draw(st.sampled_from(measures))
    codes, methods = codes_of(measures) | codes_of([focus]), methods_of([focus]) or methods_of(measures)
    kinds = ["encounter", "encounter", "condition", "observation", "observation", "medication", "procedure"]
    kinds += ["derived_observation"] * (3 if methods_of([focus]) else 1)
    some = draw(st.lists(st.sampled_from([*kinds, "pro_response", "enrolment", "set_aside"]), max_size=14))
    drawn = ["encounter", "condition", *some] if draw(st.booleans()) else some
    person = {
        "type": "person",
        "sex": _one(draw, "female", "male", "other"),
        "race": _one(draw, ["2106-3"], ["a", "b"]),
    }
    person |= {"birth_date": _one(draw, "2012-03-01", "2008-02-29", "2006", "1990-06-15", "2023-03-31", "2004-03")}
    person["death_date"] = draw(st.sampled_from([None, None, None, "2026-03-14"]))
    records = [person, *(MAKERS[kind](draw, codes, methods, measures) for kind in drawn)]
    for place, record in enumerate(records):
        record |= {
            "id": f"r-{number:03}-{place:02}",
            "subject": f"s-{number:03}",
            "site": "north" if number % 2 else "west",
        }
    visits = [each["id"] for each in records if each["type"] == "encounter"]
    for record in records:
        if record["type"] in ("condition", "observation") and visits and draw(st.booleans()):
            record["encounter"] = draw(st.sampled_from(visits))
    made = [each["id"] for each in records if each["type"] == "condition"]
    for record in records:
        if record["type"] == "encounter" and made and draw(st.booleans()):
            record["diagnoses"] = [{"record": draw(st.sampled_from(made))}]
    return [{name: value for name, value in record.items() if value is not None} for record in records]


def _one(draw: st.DrawFn, *values: Any) -> Any:
    return draw(st.sampled_from([None, *values, *values]))


def _encounter(draw: st.DrawFn, *_: Any) -> Record:
    found = {"type": "encounter", **when(draw, "start"), **when(draw, "end"), "arrived_date": None}
    found |= {"status": _one(draw, "finished", "finished", "planned"), "class_code": _one(draw, "AMB", "EMER", "IMP")}
    return found | {"part_of": draw(st.sampled_from([None, None, None, "r-000-00"]))}


def _condition(draw: st.DrawFn, codes: Any, *_: Any) -> Record:
    system, code = draw(st.sampled_from([*codes["condition"], ("other", OTHER_CODES["condition"])]))
    icd = "icd-10" in system
    below = draw(st.sampled_from(["", ".0", "0"])) if icd else ""
    found = {"type": "condition", "icd10cm" if icd else "code": code + below, **when(draw, "onset")}
    found["verification_status"] = _one(draw, "confirmed", "confirmed", "refuted")
    return found | {"clinical_status": _one(draw, "active", "resolved")}


def _result(kind: str, draw: st.DrawFn, codes: Any) -> Record:
    _system, code = draw(st.sampled_from([*codes[kind], ("other", OTHER_CODES[kind])]))
    found = {"type": kind, "code": code, **when(draw, "effective"), "value": _one(draw, *NUMBERS)}
    found |= {
        "status": _one(draw, "final", "final", "cancelled", "completed"),
        "comparator": _one(draw, None, "<", ">="),
    }
    return found | {"flags": draw(st.sampled_from([None, None, ["implausible-high"], ["from-text"]]))}


def _observation(draw: st.DrawFn, codes: Any, *_: Any) -> Record:
    answers = draw(st.sampled_from([None, [{"system": "http://snomed.info/sct", "code": "428171000124102"}]]))
    return _result("observation", draw, codes) | {"value_codings": answers}


def _answer(draw: st.DrawFn, codes: Any, *_: Any) -> Record:
    return _result("pro_response", draw, codes)


def _derived(draw: st.DrawFn, _codes: Any, methods: Any, *_: Any) -> Record:
    method = draw(st.sampled_from(methods))
    value = draw(st.sampled_from([*NUMBERS, -3, -2, -1, -0.5]))
    found = {"type": "derived_observation", "method": method, "quantity": "x", "method_version": "1", "value": value}
    return found | {"value_code": _one(draw, "remission", "mild"), **when(draw, "effective")}


def _medication(draw: st.DrawFn, codes: Any, *_: Any) -> Record:
    _, code = draw(st.sampled_from([*codes["medication"], ("other", OTHER_CODES["medication"])]))
    found = {"type": "medication", "kind": "ordered", **when(draw, "start"), **when(draw, "end")}
    found |= {"code": code} if draw(st.booleans()) else {"ingredients": [code]}
    route = draw(st.sampled_from([None, "26643006", "6064005"]))
    found["route"] = [{"system": "http://snomed.info/sct", "code": route}] if route else None
    found |= {"status": _one(draw, "active", "completed", "cancelled"), "intent": _one(draw, "order", "plan")}
    return found | {"days_supply": _one(draw, 1, 30)}


def _procedure(draw: st.DrawFn, codes: Any, *_: Any) -> Record:
    _, code = draw(st.sampled_from(codes["procedure"]))
    return {"type": "procedure", "code": code, **when(draw, "performed"), "status": _one(draw, "completed", "stopped")}


def _enrolment(draw: st.DrawFn, *_: Any) -> Record:
    found = {"type": "enrolment", **when(draw, "start"), **when(draw, "end")}
    return found | {"status": _one(draw, "active", "transferred", "planned")}


def _set_aside(draw: st.DrawFn, _codes: Any, _methods: Any, measures: list[Measure]) -> Record:
    dates = sorted(draw(st.lists(st.sampled_from(DAYS), min_size=2, max_size=2)))
    found = {"type": "set_aside", "measure": draw(st.sampled_from([each.id for each in measures])), "by": "site"}
    return found | {"since_date": dates[0], "until_date": dates[1], "reason": "other-care"}


MAKERS = {
    "encounter": _encounter,
    "condition": _condition,
    "observation": _observation,
    "pro_response": _answer,
    "derived_observation": _derived,
    "medication": _medication,
    "procedure": _procedure,
    "enrolment": _enrolment,
    "set_aside": _set_aside,
}
