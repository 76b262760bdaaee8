"""Results that stand in a report and nowhere else: facts as any other, and the report's own."""

import json
import random
from typing import Any

import pytest

from schemas.problems import Reason
from transforms import Mapper
from transforms.mapped import Outcome

Json = dict[str, Any]
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
DRAWN = "2026-03-02T10:00:00Z"


def held(name: str, code: str = "718-7", **fields: Any) -> Json:
    """A result as it stands in a report: whose it is, and when it was, the report says."""
    value = {"valueQuantity": {"value": 12.5, "unit": "g/dL", "system": UCUM, "code": "g/dL"}}
    coded = {"code": {"coding": [{"system": LOINC, "code": code}]}}
    return {"resourceType": "Observation", "id": name, "status": "final", **coded, **value, **fields}


def report(*contained: Json, **fields: Any) -> Json:
    listed = [{"reference": f"#{each['id']}"} for each in contained if each["resourceType"] == "Observation"]
    return {
        "resourceType": "DiagnosticReport",
        "id": "dr-1",
        "meta": {"lastUpdated": "2026-03-03T00:00:00Z"},
        "status": "final",
        "subject": {"reference": "Patient/kid-1"},
        "effectiveDateTime": DRAWN,
        "contained": list(contained),
        "result": listed,
        **fields,
    }


def mapped(resource: Json) -> Outcome:
    mapper = Mapper(site="west", time_zone="UTC", subject_key=b"k" * 32)
    return mapper.map_line(json.dumps(resource).encode())


def records(resource: Json) -> list[Json]:
    """Those that a resource gives, by code."""
    found = [json.loads(each.content) for each in mapped(resource).records]
    return sorted(found, key=lambda each: (each["code"], each["id"]))


def test_a_contained_result_is_a_record_of_the_reports_patient_and_time() -> None:
    (found,) = records(report(held("o1")))
    (own,) = records({**held("o1"), "subject": {"reference": "Patient/kid-1"}, "effectiveDateTime": DRAWN})
    left = {"id", "reports"}
    assert {name: value for name, value in found.items() if name not in left} == {
        name: value for name, value in own.items() if name != "id"
    }
    assert len(found["reports"]) == 1
    provenance = mapped(report(held("o1"))).records[0].provenance
    assert b'"type":"DiagnosticReport"' in provenance
    assert b'"time-report"' in provenance


def test_each_keeps_its_id_whatever_stands_beside_it() -> None:
    """The order, a neighbour, the kind of serialiser."""
    several = [held("o1"), {"resourceType": "Organization", "id": "lab", "name": "x"}, held("o2", "2160-0")]
    before = {each["code"]: each["id"] for each in records(report(*several))}
    for seed in range(3):
        random.Random(seed).shuffle(several)
        assert {each["code"]: each["id"] for each in records(report(*several))} == before
    (alone,) = records(report(held("o2", "2160-0")))
    assert alone["id"] == before["2160-0"]


def test_contained_panels_are_linked_both_ways_and_components_are_parts() -> None:
    panel = held("p", "24331-1", hasMember=[{"reference": "#o1"}])
    del panel["valueQuantity"]
    part = {"code": {"coding": [{"system": LOINC, "code": "8480-6"}]}, "valueQuantity": held("x")["valueQuantity"]}
    pressure = held(
        "bp", "85354-9", component=[{**part, "valueQuantity": {"value": 118, "code": "mm[Hg]", "system": UCUM}}]
    )
    del pressure["valueQuantity"]
    whole, member, systolic, both = records(report(held("o1"), panel, pressure))
    assert (member["panels"], whole["members"]) == ([whole["id"]], [member["id"]])
    assert (systolic["parent"], both["parts"]) == (both["id"], [systolic["id"]])
    assert systolic["value"] == 118


def test_one_that_cannot_be_used_costs_itself_and_is_named() -> None:
    outcome = mapped(
        report(
            held("o1"),
            held("o2", valueQuantity={"value": "a lot"}),
            {"resourceType": "Observation"} | held("o3", code=""),
        )
    )
    assert len(outcome.records) == 1
    assert [(each.reason, each.path) for each in outcome.left_out][1:] == [
        (Reason.MISSING_CODE, "DiagnosticReport.contained[2].code")
    ]
    assert outcome.left_out[0].path.startswith("DiagnosticReport.contained[1].valueQuantity")
    nothing = mapped(report(held("o3", code="")))
    assert nothing.problem is not None
    assert nothing.problem.reason is Reason.MISSING_CODE


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"status": "entered-in-error"}, 0),
        ({"status": "cancelled"}, 1),
        ({"result": []}, 1),
        ({"result": [{"reference": "Observation/else"}]}, 1),
        ({"modifierExtension": [{"url": "http://x.example/not"}]}, 0),
    ],
    ids=lambda fields: next(iter(fields)) if isinstance(fields, dict) else "",
)
def test_what_the_report_says_of_itself(fields: Json, count: int) -> None:
    """A result has a status of its own; one that is not listed is there all the same."""
    contained = held("o1", effectiveDateTime=DRAWN)
    assert len(mapped(report(contained, **fields)).records) == count


@pytest.mark.parametrize(
    "contained",
    [
        held("o1", status="entered-in-error"),
        {"resourceType": "Patient", "id": "p"},
        "o1",
        None,
        7,
        {},
        [],
        {"id": "o1"},
    ],
    ids=str,
)
def test_what_is_no_result_gives_none(contained: Any) -> None:
    resource = report()
    resource["contained"] = contained if isinstance(contained, list) else [contained]
    outcome = mapped(resource)
    assert (outcome.records, outcome.problem, outcome.left_out) == ([], None, ())


def test_of_whom_it_is_the_result_itself_says_first() -> None:
    """A relative's is not the child's; one that names nobody who can be found outside is nobody's."""
    other, nobody = {"reference": "Patient/kid-2"}, {"reference": "#p"}
    both = mapped(report(held("o1"), held("o2", subject=other, effectiveDateTime=DRAWN), held("o3", subject=nobody)))
    assert len({each.subject for each in both.records}) == 2
    assert [each.reason for each in both.left_out] == [Reason.MISSING_SUBJECT]


def test_a_batch_gives_what_each_gives_alone() -> None:
    lines = [
        json.dumps(report(held("o1"), held("o2", "2160-0")) | {"id": f"dr-{number}"}).encode() for number in range(7)
    ]
    mapper = Mapper(site="west", time_zone="UTC", subject_key=b"k" * 32)
    together = list(mapper.map_lines(lines).records)
    alone = [record for line in lines for record in mapper.map_line(line).records]
    assert together == alone
    assert len({record.id for record in together}) == 14
    assert mapper.noticed.parts["DiagnosticReport", ""] == 28
