"""Whose a resource is, where a site reads some patients alone: by subject, by patient, by who takes part, by whom a task is for."""

import json
from typing import Any

import pytest

from connectors.cohort import Member, Roster

KID, OTHER = {"reference": "Patient/kid-7"}, {"reference": "Patient/other"}
ROSTER = Roster(members=[Member("kid-7")])


@pytest.mark.parametrize(
    ("resource_type", "of"),
    [
        ("Observation", lambda who: {"subject": who}),
        ("Immunization", lambda who: {"patient": who}),
        ("Task", lambda who: {"for": who}),
        ("Appointment", lambda who: {"participant": [{"actor": {"reference": "Practitioner/ann"}}, {"actor": who}]}),
    ],
)
def test_another_patients_resources_are_not_of_the_cohort(resource_type: str, of: Any) -> None:
    """What names nobody is for the mapping to judge."""
    own = ROSTER.belongs(resource_type)
    assert own(json.dumps({"id": "1", **of(KID)}).encode())
    assert not own(json.dumps({"id": "1", **of(OTHER)}).encode())
    assert own(json.dumps({"id": "1", **of({"display": "somebody"})}).encode())
    assert own(json.dumps({"id": "1", "participant": "everybody"}).encode())
