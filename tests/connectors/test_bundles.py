"""What a Bundle's entries are called: by their own id, by their address, by a UUID; and by nothing that means another in the next."""

import json
from typing import Any

import pytest

from connectors.formats.bundles import held_in
from schemas.problems import Reason
from transforms import Mapper

Json = dict[str, Any]
UUID = "3f0b6c1e-52a7-4c1d-9c56-0d6f6f1b7a21"
SITE = Mapper(site="north", time_zone="UTC", subject_key=b"a key of thirty-two bytes, no less")


def entry(url: str, **resource: Any) -> Json:
    return {"fullUrl": url, "resource": resource}


def bundle(*entries: Json) -> bytes:
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def pulse(subject: str, **fields: Any) -> Json:
    return {
        **fields,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": subject},
        "effectiveDateTime": "2026-04-02T07:30:00Z",
        "valueQuantity": {"value": 88, "code": "/min", "system": "http://unitsofmeasure.org"},
        "resourceType": "Observation",
    }


def test_an_entry_without_an_id_has_that_of_its_address() -> None:
    """A UUID or a REST address, wherever the type stands; whoever names it by the address names it by that id."""
    lines = held_in(
        bundle(
            entry(f"urn:uuid:{UUID.upper()}", resourceType="Patient", gender="male"),
            entry("https://ehr.example/fhir/Observation/hr-8", **pulse(f"urn:uuid:{UUID.upper()}")),
            entry("https://ehr.example/fhir/Patient/kid-8", resourceType="Patient"),
        )
    )
    assert [json.loads(line)["id"] for line in lines] == [UUID, "hr-8", "kid-8"]
    person, reading, other = (SITE.map_line(line).records[0] for line in lines)
    assert reading.subject == person.subject != other.subject


def test_what_a_bundle_names_or_deletes_and_nobody_can_find_is_no_resource() -> None:
    """Counted by that name, not passed over; what a server answered is neither."""
    gone = {"request": {"method": "DELETE", "url": "Observation?identifier=urn:x|7"}}
    done = {"fullUrl": "https://ehr.example/fhir/Observation/8", "response": {"status": "201"}}
    lines = held_in(bundle(gone, {"fullUrl": "https://ehr.example/fhir/Observation/7"}, done))
    problems = [SITE.map_line(line).problem for line in lines]
    assert [problem and problem.reason for problem in problems] == [Reason.NOT_A_RESOURCE] * 2


def test_a_bundle_whose_entries_stand_twice_is_not_half_read() -> None:
    text = bundle(entry("https://ehr.example/fhir/Patient/7", resourceType="Patient", id="7"))
    assert held_in(text) != [text]
    twice = text[:-1] + b',"entry":[]}'
    assert held_in(twice) == [twice]


@pytest.mark.parametrize("url", ["urn:uuid:0", "resource:1", "", "https://ehr.example/fhir/Condition/8"])
def test_a_place_in_one_bundle_is_no_id(url: str) -> None:
    """The next Bundle means another by it."""
    (line,) = held_in(bundle(entry(url, **pulse("Patient/kid-8"))))
    problem = SITE.map_line(line).problem
    assert problem is not None
    assert problem.reason is Reason.MISSING_ID
