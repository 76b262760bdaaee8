"""What was not done: a cancelled result keeps QI-Core's reason why; beside any other status the word refuses it."""

import json
from typing import Any

import pytest

from schemas.problems import Reason
from transforms import Mapper
from transforms.mapped import Mapped

NOT_DONE = "http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-notDoneReason"
REFUSED = {"coding": [{"system": "http://snomed.info/sct", "code": "105480006"}]}


def _mapped(**more: Any) -> tuple[list[Mapped], list[Reason]]:
    resource = {
        "resourceType": "Observation",
        "id": "o-1",
        "status": "cancelled",
        "code": {"coding": [{"system": "http://loinc.org", "code": "89204-2"}]},
        "subject": {"reference": "Patient/1"},
        "issued": "2026-03-01T10:00:00Z",
        "extension": [{"url": NOT_DONE, "valueCodeableConcept": REFUSED}],
    } | more
    mapper = Mapper(site="north", time_zone="UTC", subject_key=b"k" * 32)
    found = mapper.map_line(json.dumps(resource).encode())
    return list(found.records), [found.problem.reason] if found.problem else []


def test_a_cancelled_result_keeps_the_reason() -> None:
    records, problems = _mapped()
    content = json.loads(records[0].content)
    assert problems == []
    assert content["status"] == "cancelled"
    assert content["not_done_reasons"] == [{"system": "http://snomed.info/sct", "code": "105480006"}]


@pytest.mark.parametrize("status", ["final", "registered", "preliminary"])
def test_a_result_that_says_both_is_refused(status: str) -> None:
    assert _mapped(status=status, valueInteger=3) == ([], [Reason.NOT_A_FACT])


def test_other_extensions_of_a_cancelled_result_are_read_as_ever() -> None:
    both = [
        {"url": NOT_DONE, "valueCodeableConcept": REFUSED},
        {"url": "http://example.org/is-deleted", "valueBoolean": True},
    ]
    assert _mapped(extension=both) == ([], [])
