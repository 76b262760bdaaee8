"""Appointments: visits that were planned, never counted as such that happened."""

import json
from datetime import date
from typing import Any

import pytest

from schemas.outcomes import RECORD_TYPES
from schemas.problems import Reason
from services.measures.compile.memory import InMemory, Period
from services.measures.compile.people import Person
from services.measures.evaluate.counts import needed_types
from services.measures.language.vocabulary import NOT_SEEN, visits_made
from services.measures.library import measures
from transforms import Mapper, Outcome
from transforms.privacy import Pseudonyms

KEY = b"a key of thirty-two bytes, no less"
SNOMED, HL7 = "http://snomed.info/sct", "http://terminology.hl7.org/CodeSystem/"
KID = {"actor": {"reference": "Patient/kid-7", "display": "Ann Quux"}, "status": "accepted"}
Json = dict[str, Any]


def concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": "Ann Quux"}], "text": "Ann Quux"}


def outcome_of(given: Json) -> Outcome:
    return Mapper(site="north", time_zone="America/New_York", subject_key=KEY).map_line(json.dumps(given).encode())


def read(given: Json) -> Json:
    (found,) = outcome_of(given).records
    content: Json = json.loads(found.content)
    RECORD_TYPES["encounter"].model_validate(content)
    assert not any(word in found.content + found.provenance for word in (b"Quux", b"kid-7"))
    return content


def id_of(resource_type: str, name: str) -> str:
    return f"r-{Pseudonyms(KEY).ref(resource_type, name).hex()}00000000"


VISIT = {
    "resourceType": "Appointment",
    "id": "app-1",
    "status": "booked",
    "serviceCategory": [concept(HL7 + "service-category", "17")],
    "serviceType": [concept(HL7 + "service-type", "57")],
    "specialty": [concept(SNOMED, "408443003")],
    "appointmentType": concept(HL7 + "v2-0276", "FOLLOWUP"),
    "reasonCode": [concept(SNOMED, "190905008")],
    "reasonReference": [{"reference": "Condition/c-1"}],
    "description": "Ann Quux",
    "start": "2027-03-02T14:00:00Z",
    "end": "2027-03-02T14:30:00Z",
    "minutesDuration": 30,
    "created": "2026-11-02",
    "comment": "Ann Quux",
    "patientInstruction": "Ann Quux",
    "basedOn": [{"reference": "ServiceRequest/ref-1"}],
    "participant": [
        {"type": [concept(HL7 + "v3-ParticipationType", "ATND")], "actor": {"reference": "Practitioner/ann"}},
        KID,
        {"actor": {"reference": "Location/room-7", "display": "Quux hall"}},
    ],
}


def test_an_appointment_tells_when_for_what_and_what_asked_for_it() -> None:
    found = {name: value for name, value in read(VISIT).items() if name not in ("type", "id", "site")}
    assert found == {
        "subject": f"s-{Pseudonyms(KEY).subject('kid-7').hex()}",
        "status": "planned",
        "appointment_status": "booked",
        "types": [{"system": HL7 + "v2-0276", "code": "FOLLOWUP"}],
        "service_type": [{"system": HL7 + "service-type", "code": "57"}],
        "specialties": [{"system": SNOMED, "code": "408443003"}],
        "reasons": [{"system": SNOMED, "code": "190905008"}],
        "reason_records": [id_of("Condition", "c-1")],
        "start": "2027-03-02T14:00:00Z",
        "start_date": "2027-03-02",
        "end": "2027-03-02T14:30:00Z",
        "end_date": "2027-03-02",
        "booked_date": "2026-11-02",
        "based_on": [id_of("ServiceRequest", "ref-1")],
        "participant_types": [{"system": HL7 + "v3-ParticipationType", "code": "ATND"}],
        "participant_kinds": ["Location", "Patient", "Practitioner"],
        "locations": [f"h-{Pseudonyms(KEY).ref('Location', 'room-7').hex()}"],
    }
    assert b'"future"' not in outcome_of(VISIT).records[0].provenance


@pytest.mark.parametrize(
    ("status", "became"),
    [
        ("proposed", "proposed"),
        ("pending", "pending"),
        ("booked", "booked"),
        ("waitlist", "waitlist"),
        ("arrived", "arrived"),
        ("checked-in", "checked-in"),
        ("fulfilled", "fulfilled"),
        ("cancelled", "cancelled"),
        ("Canceled", "cancelled"),
        ("noshow", "noshow"),
        ("no-show", "noshow"),
        (None, None),
        ("", None),
    ],
)
def test_whatever_became_of_it_an_appointment_is_no_visit(status: str | None, became: str | None) -> None:
    """The visit that came of it is another resource, and counts once."""
    found = read({name: value for name, value in (VISIT | {"status": status}).items() if value is not None})
    assert found.get("appointment_status") == became
    assert found["status"] == ("cancelled" if became in ("cancelled", "noshow") else "planned")
    assert found["status"] in NOT_SEEN


def test_measures_count_no_planned_visit_and_need_no_appointments() -> None:
    """A hospital that has none is known as well as one that has."""
    assert needed_types(measures()["cf2"]) == ("Patient", "Encounter", "Condition", "Observation")
    told = {"type": "encounter", "site": "north", "subject": "s", "start_date": "2026-03-02"}
    statuses = {"0": "planned", "1": "cancelled", "2": "finished", "3": None}
    person = Person([told | {"id": id} | ({"status": status} if status else {}) for id, status in statuses.items()])
    march = InMemory(Period(date(2026, 3, 1), date(2026, 3, 31)))
    assert [each["id"] for each in march.events(visits_made().in_period())(person)] == ["2", "3"]


def test_a_visit_names_the_appointment_and_the_request_it_came_of() -> None:
    given = {
        "resourceType": "Encounter",
        "id": "v-1",
        "status": "finished",
        "subject": {"reference": "Patient/kid-7"},
        "appointment": [{"reference": "Appointment/app-1"}],
        "basedOn": [{"reference": "ServiceRequest/ref-1"}],
    }
    found = read(given)
    assert found["appointments"] == [read(VISIT)["id"]]
    assert found["based_on"] == read(VISIT)["based_on"]


@pytest.mark.parametrize(
    "participant",
    [
        [],
        [{"actor": {"reference": "Practitioner/ann"}}],
        [KID, {"actor": {"reference": "Patient/sister"}}],
        [{"actor": {"display": "Ann Quux"}}],
        [{"actor": {"reference": "Patient?identifier=7"}}],
        "Ann Quux",
    ],
)
def test_whose_it_is_must_be_told_by_one_patient(participant: Any) -> None:
    """Of two that take part nobody can say for whom it is."""
    problem = outcome_of(VISIT | {"participant": participant}).problem
    assert problem is not None
    assert (problem.reason, problem.path) == (Reason.MISSING_SUBJECT, "Appointment.participant")


def test_a_moved_and_a_deleted_appointment_are_the_same_one() -> None:
    """One id whenever it is to be; entered in error, it withdraws what it gave."""
    first, moved = outcome_of(VISIT), outcome_of(VISIT | {"start": "2027-04-02T14:00:00Z"})
    assert first.records[0].id == moved.records[0].id
    gone = outcome_of(VISIT | {"status": "entered-in-error"})
    assert (gone.withdrawn, gone.ref) == (True, first.ref)
