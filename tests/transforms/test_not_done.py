"""What was not done is no fact; why a result was cancelled is one, as QI-Core's measures ask for it."""

import json
from typing import Any

from schemas.problems import Reason
from transforms import Mapper, Outcome

SNOMED = "http://snomed.info/sct"
REASON = {
    "url": "http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-notDoneReason",
    "valueCodeableConcept": {"coding": [{"system": SNOMED, "code": "720834000"}], "text": "Ann would not"},
}
CANCELLED = {
    "resourceType": "Observation",
    "id": "phq",
    "meta": {"profile": ["http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-observationcancelled"]},
    "extension": [REASON, {"url": "http://hl7.org/fhir/StructureDefinition/observation-note", "valueString": "Ann"}],
    "status": "cancelled",
    "code": {"coding": [{"system": "http://loinc.org", "code": "73832-8"}]},
    "subject": {"reference": "Patient/kid-7"},
    "issued": "2026-05-02T10:00:00Z",
}


def mapped(**fields: Any) -> Outcome:
    return Mapper(site="north", time_zone="UTC", subject_key=b"k" * 32).map_line(
        json.dumps(CANCELLED | fields).encode()
    )


def test_a_screening_that_was_declined_is_cancelled_with_its_reason() -> None:
    (record,) = mapped().records
    found = json.loads(record.content)
    assert [found[name] for name in ("status", "issued_date", "absent")] == ["cancelled", "2026-05-02", "NI"]
    assert found["status_reasons"] == [{"system": SNOMED, "code": "720834000"}]
    assert b"Ann" not in record.content + record.provenance


def test_a_reason_beside_a_result_that_stands_refuses_it() -> None:
    """Which of the two is true cannot be told."""
    for status in ("final", "preliminary", "unknown"):
        problem = mapped(status=status, valueInteger=3).problem
        assert problem is not None
        assert (problem.reason, problem.path) == (Reason.NOT_A_FACT, "Observation.extension")


MARK = {"url": "http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-notDone", "valueBoolean": True}


def test_the_mark_that_it_was_not_done_repeats_that_it_was_cancelled() -> None:
    """QI-Core 4.1.1 demands it beside the reason; a component's, another's, and that of a result that stands still deny."""
    assert mapped(modifierExtension=[MARK]) == mapped()
    for odd in (
        {"modifierExtension": [MARK], "status": "final", "extension": [], "valueInteger": 3},
        {"modifierExtension": [MARK, {"url": "urn:x/negated", "valueBoolean": True}]},
    ):
        problem = mapped(**odd).problem
        assert problem is not None
        assert (problem.reason, problem.path) == (Reason.NOT_A_FACT, "Observation.modifierExtension")


def test_a_part_that_was_not_done_is_no_fact() -> None:
    part = {"code": CANCELLED["code"], "valueInteger": 3}
    done = {"status": "final", "extension": []}
    assert len(mapped(component=[part], **done).records) == 2
    assert len(mapped(component=[part | {"modifierExtension": [MARK]}], **done).records) < 2


def test_other_marks_of_a_cancelled_result_still_count() -> None:
    """One that says it was deleted withdraws, one that denies refuses."""
    assert mapped(extension=[REASON, {"url": "urn:x/isDeleted", "valueBoolean": True}]).withdrawn
    denied = mapped(extension=[{"url": "urn:x/notDone", "valueBoolean": True}]).problem
    assert denied is not None
    assert denied.reason is Reason.NOT_A_FACT
    odd = mapped(extension=[REASON | {"valueCodeableConcept": 7}])
    assert b'"dropped:extension"' in odd.records[0].provenance
