"""A hospital read by search over two nights, the second with changes and a fault: what is held, told and left for the next."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hospital_with_faults import Answered, Asked, FaultyHospital
from network_under_test import Network


def patient(number: int, updated: str = "2026-03-01T00:00:00Z", **values: Any) -> dict[str, Any]:
    """A child, as it was changed last."""
    head = {"resourceType": "Patient", "id": f"kid-{number}", "meta": {"lastUpdated": updated}}
    return {**head, "birthDate": "2015-03-01", **values}


def visit(number: int) -> dict[str, Any]:
    """A child's visit."""
    return {
        "resourceType": "Encounter",
        "id": f"visit-{number}",
        "meta": {"lastUpdated": "2026-03-01T00:00:00Z"},
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": f"Patient/kid-{number}"},
        "period": {"start": "2026-02-02T10:00:00Z", "end": "2026-02-02T10:30:00Z"},
    }


@pytest.fixture
def site(lhn: Network, faulty: FaultyHospital) -> Callable[..., Path]:
    """The hospital's site file."""

    def write(types: list[str] | None = None, vendor: str = "", **values: Any) -> Path:
        source = f'[fhir]\nbase_url = "{faulty.base_url}"\npage_size = 10\nrequests_per_second = 1000\n'
        source += f'vendor = "{vendor}"\n' if vendor else ""
        return lhn.site("west", source, road="search", types=types or ["Patient"], **values)

    return write


@pytest.mark.slow
def test_an_error_in_the_second_night_moves_no_watermark_and_costs_no_row(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    """What came beside the error is published; the third night brings the rest, from where the first ended."""
    faulty.put(*(patient(number) for number in range(25)))
    first = lhn.refresh(site())
    assert (first.status, first.total.recorded) == ("completed", 25)

    faulty.put(*(patient(number, "2026-03-02T00:00:00Z", gender="female") for number in range(25)))
    issue = [{"severity": "error", "code": "timeout", "diagnostics": "kid-7"}]
    error = {"resource": {"resourceType": "OperationOutcome", "issue": issue}}
    entries = [*({"resource": each} for each in faulty.resources["Patient"][:12]), error]
    faulty.faults.append(lambda asked: Answered({"resourceType": "Bundle", "entry": entries}) if asked.params else None)
    second = lhn.refresh(site())
    assert (second.status, second.total.amended, second.watermarks) == ("partial", 12, {})
    assert [(gap.cause, gap.who) for gap in second.gaps] == [("error-answer", "EHR vendor")]
    assert "(timeout" in second.gaps[0].reason
    assert "kid-7" not in second.model_dump_json()

    faulty.faults.clear()
    third = lhn.refresh(site())
    assert (third.status, third.total.amended, third.gaps) == ("completed", 13, [])


def test_vendor_told_by_its_server_is_kept_to_by_every_pull_of_the_night(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    """Epic has no `_lastUpdated`: both nights read it whole, and yield the real changes alone."""
    statement = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "software": {"name": "Epic"}}
    faulty.faults.append(lambda asked: Answered(statement) if asked.path == "metadata" else None)
    faulty.understands.discard("_lastUpdated")
    faulty.put(*(patient(number) for number in range(5)))
    assert lhn.refresh(site()).total.recorded == 5

    faulty.put(patient(3, "2026-03-02T00:00:00Z", gender="female"))
    second = lhn.refresh(site())
    assert (second.status, second.total.recorded, second.total.amended) == ("completed", 0, 1)
    assert not [asked for asked in faulty.searches("Patient") if asked.value("_lastUpdated")]


def test_hospital_that_hides_its_statement_is_read_by_the_road_that_is_named(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    faulty.faults.append(lambda asked: Answered(b"Forbidden", 403) if asked.path == "metadata" else None)
    faulty.put(*(patient(number) for number in range(5)))
    first = lhn.refresh(site())
    assert (first.status, first.total.recorded, first.gaps) == ("completed", 5, [])
    faulty.put(patient(9, "2026-03-02T00:00:00Z"))
    second = lhn.refresh(site())
    assert (second.status, second.total.recorded) == ("completed", 1)


def test_type_that_is_read_by_category_is_read_so_every_night(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    """One observation stands under two categories, and is one record; the second night brings the change alone."""
    refused = {"resourceType": "OperationOutcome", "issue": [{"severity": "fatal", "code": "required"}]}

    def wants_category(asked: Asked) -> Answered | None:
        plain = asked.path == "Observation" and not asked.value("category") and "page" not in dict(asked.params)
        return Answered(refused, 400) if plain else None

    def heart_rate(number: int, updated: str, value: int, *categories: str) -> dict[str, Any]:
        return {
            "resourceType": "Observation",
            "id": f"hr-{number}",
            "meta": {"lastUpdated": updated},
            "status": "final",
            "category": [{"coding": [{"code": category}]} for category in categories],
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "subject": {"reference": "Patient/kid-1"},
            "effectiveDateTime": "2026-02-01T08:00:00Z",
            "valueQuantity": {"value": value, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
        }

    faulty.understands.add("category")
    faulty.faults.append(wants_category)
    day = "2026-03-01T00:00:00Z"
    faulty.put(patient(1), *(heart_rate(number, day, 80, "vital-signs") for number in range(4)))
    faulty.put(heart_rate(4, day, 90, "vital-signs", "exam"))
    path = site(["Patient", "Observation"])
    first = lhn.refresh(path)
    assert (first.status, first.total.recorded, first.gaps) == ("completed", 6, [])

    faulty.put(heart_rate(2, "2026-03-02T00:00:00Z", 100, "vital-signs"))
    second = lhn.refresh(path)
    assert (second.status, second.total.recorded, second.total.amended) == ("completed", 0, 1)


def test_an_empty_answer_moves_no_watermark_unless_the_server_counts_none(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    """Not to the server's Date: what it did not give that night would never be asked for again."""
    faulty.put(*(patient(number) for number in range(5)))
    first = lhn.refresh(site()).watermarks["Patient"]
    assert first.isoformat() == "2026-03-01T00:00:00+00:00"  # the newest update, not the Date of the answer

    faulty.put(*(patient(number, "2026-02-01T00:00:00Z") for number in range(5)))  # a window since then holds none
    faulty.counts = False
    second = lhn.refresh(site())
    assert (second.status, second.watermarks) == ("completed", {"Patient": first})
    faulty.counts = True
    assert lhn.refresh(site()).watermarks["Patient"] > first


def test_nothing_at_all_of_what_was_there_is_a_gap_in_a_window_too(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    """No window, no time, no count: the server gives nothing of the type any more, and counts none."""
    both = site(["Patient", "Encounter"])
    faulty.put(*(patient(number) for number in range(5)), visit(1))
    upto = lhn.refresh(both).watermarks["Patient"]
    there = faulty.resources["Patient"]
    faulty.resources["Patient"] = []
    silent = lhn.refresh(both)
    assert [(gap.resource_type, gap.cause) for gap in silent.gaps] == [("Patient", "fell-silent")]
    assert (silent.status, silent.total.withdrawn, silent.watermarks.get("Patient")) == ("partial", 0, None)

    faulty.resources["Patient"] = [*there, patient(9, "2026-03-01T12:00:00Z")]
    back = lhn.refresh(both)
    assert (back.status, back.total.recorded, back.watermarks["Patient"] > upto) == ("completed", 1, True)


def test_a_first_night_of_nothing_sets_no_watermark(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    """A permission that is missing looks like a hospital without patients; what is granted later is read from the beginning."""
    faulty.resources = {"Patient": [], "Encounter": []}
    faulty.put(patient(1))
    assert list(lhn.refresh(site(["Patient", "Encounter"])).watermarks) == ["Patient"]


@pytest.mark.parametrize("vendor", ["epic", "generic"])
@pytest.mark.slow
def test_a_full_read_that_gives_nothing_is_a_gap_until_it_is_accepted(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path], vendor: str
) -> None:
    """A vendor without `_lastUpdated`, or a server that was proven to ignore it: nothing is not "nothing new"."""
    faulty.understands -= {"_lastUpdated"}
    faulty.put(*(patient(number) for number in range(5)), *(visit(number) for number in range(5)))
    path = site(["Patient", "Encounter"], vendor=vendor)
    for _ in range(2):
        assert lhn.refresh(path).status == "completed"
    faulty.resources["Encounter"].clear()
    silent = lhn.refresh(path)
    assert [(gap.resource_type, gap.cause) for gap in silent.gaps] == [("Encounter", "fell-silent")]
    assert silent.total.withdrawn == 0
    assert lhn.here("gaps", "accept", path, "Encounter", "--reason", "moved").returncode == 0
    assert lhn.refresh(path).status == "completed"


def test_a_sharp_fall_of_a_full_read_is_a_gap(lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]) -> None:
    """Two thirds came, where all came before: the permissions of a clinic may have been taken away."""
    faulty.put(*(patient(number) for number in range(60)))
    path = site(vendor="epic")
    assert lhn.refresh(path).status == "completed"
    del faulty.resources["Patient"][40:]
    fallen = lhn.refresh(path)
    assert [gap.cause for gap in fallen.gaps] == ["sharp-fall"]
    assert "40 came, 60 at the last full read" in fallen.gaps[0].reason
    faulty.put(*(patient(number) for number in range(40, 50)))
    assert lhn.refresh(path).status == "completed"


def test_a_server_that_heeds_the_window_and_has_nothing_new_is_no_gap(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    """Proven with the nights that brought something."""
    faulty.put(*(patient(number) for number in range(5)))
    for _ in range(2):
        lhn.refresh(site())
    faulty.put(patient(9, "2026-03-05T00:00:00Z"))
    lhn.refresh(site())
    faulty.put(*(patient(number, "2020-03-01T00:00:00Z") for number in (*range(5), 9)))
    assert lhn.refresh(site()).status == "completed"


@pytest.mark.slow
def test_what_a_counted_full_read_lacks_is_withdrawn(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    """A few, by a vendor without `_lastUpdated`; unchanged lines that are not mapped again count as read."""
    faulty.put(*(patient(number) for number in range(60)))
    path = site(vendor="epic")
    lhn.refresh(path)
    del faulty.resources["Patient"][57:]
    second = lhn.refresh(path)
    assert (second.status, second.total.withdrawn, second.total.recognised) == ("completed", 3, 57)
    faulty.put(patient(58))
    assert (lhn.refresh(path).total.recorded, lhn.refresh(path).total.withdrawn) == (1, 0)


@pytest.mark.parametrize("counts", [True, False])
def test_absence_proves_nothing_without_a_count_or_a_full_read(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path], counts: bool
) -> None:
    """No total; or a window of updates, in which what is old does not come."""
    faulty.counts = counts
    faulty.understands -= {"_summary"}
    faulty.put(*(patient(number) for number in range(9)))
    path = site(vendor="generic" if counts else "epic")
    lhn.refresh(path)
    del faulty.resources["Patient"][7:]
    assert lhn.refresh(path).total.withdrawn == 0


@pytest.mark.slow
def test_the_brake_stops_a_mass_withdrawal_until_it_is_released(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    """A clinic lost to a permission looks like patients who are gone: kept, told, and withdrawn once somebody says so."""
    faulty.put(*(patient(number) for number in range(60)))
    limits = "[limits]\nwithdraw_count = 5\n"
    path = site(vendor="epic")
    path.write_text(path.read_text() + limits)
    lhn.refresh(path)
    del faulty.resources["Patient"][50:]
    held = lhn.refresh(path)
    assert (held.status, held.total.withdrawn, [gap.cause for gap in held.gaps]) == ("partial", 0, ["withdrawal-held"])
    listed = lhn.here("deletes", "list")
    assert (listed.returncode, "west Patient: 10 of 60 gone" in listed.stdout) == (3, True)
    assert lhn.here("deletes", "release", path, "Encounter").returncode == 78
    assert lhn.here("deletes", "release", path, "Patient").returncode == 0
    released = lhn.refresh(path)
    assert (released.status, released.total.withdrawn, released.gaps) == ("completed", 10, [])
    assert "nothing waits" in lhn.here("deletes", "list").stdout


def condition(number: int, updated: str = "2026-03-01T00:00:00Z") -> dict[str, Any]:
    """A diagnosis of a child's, as it was changed last."""
    coding = {"system": "http://snomed.info/sct", "code": "34000006"}
    head = {"resourceType": "Condition", "id": f"dx-{number}", "meta": {"lastUpdated": updated}}
    return {**head, "subject": {"reference": f"Patient/kid-{number}"}, "code": {"coding": [coding]}}


@pytest.mark.slow
def test_a_type_that_fails_three_nights_and_then_works_lacks_nothing(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    """The other type goes on night by night; the gap is one, and closes with what all four nights brought."""
    both = site(types=["Patient", "Condition"])
    faulty.put(*(patient(n) for n in range(3)), *(condition(n) for n in range(3)))
    first = lhn.refresh(both)
    assert (first.status, first.total.recorded) == ("completed", 6)

    faulty.faults.append(lambda asked: Answered({}, 403) if asked.path == "Condition" else None)
    for night in range(2, 5):
        moment = f"2026-03-0{night}T00:00:00Z"
        faulty.put(patient(night + 10, moment), condition(night + 10, moment))
        report = lhn.refresh(both)
        assert (report.status, report.total.recorded) == ("partial", 1)
        assert [(gap.resource_type, gap.cause) for gap in report.gaps] == [("Condition", "refused")]
        assert "Condition" not in report.watermarks

    faulty.faults.clear()
    last = lhn.refresh(both)
    assert (last.status, last.total.recorded, last.gaps) == ("completed", 3, [])
    assert lhn.refresh(both).total.recorded == 0


def order(number: int, drug: str, updated: str = "2026-03-01T00:00:00Z") -> dict[str, Any]:
    """An order of a drug that stands elsewhere."""
    return {
        "resourceType": "MedicationRequest",
        "id": f"rx-{number}",
        "meta": {"lastUpdated": updated},
        "status": "active",
        "intent": "order",
        "medicationReference": {"reference": f"Medication/{drug}"},
        "subject": {"reference": "Patient/kid-1"},
        "authoredOn": "2026-02-01",
    }


def drug(name: str, code: str) -> dict[str, Any]:
    coding = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": code}
    return {"resourceType": "Medication", "id": name, "code": {"coding": [coding]}}


def test_a_medication_that_was_deleted_takes_its_orders_with_it(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    """No search says so, a read does: 410. One that a read alone gives is read."""
    faulty.understands.add("_id")
    faulty.put(drug("ivacaftor", "1243041"), drug("aspirin", "1191"))
    faulty.put(order(1, "ivacaftor"), order(2, "aspirin"), order(3, "ivacaftor"))
    path = site(types=["MedicationRequest"])
    first = lhn.refresh(path)
    assert (first.status, first.total.recorded, first.notes) == ("completed", 3, [])

    del faulty.resources["Medication"][0]
    hidden = drug("azithromycin", "18631")
    answers = {"Medication/ivacaftor": Answered({}, 410), "Medication/azithromycin": Answered(hidden)}
    faulty.faults.append(lambda asked: answers.get(asked.path))
    faulty.put(order(3, "ivacaftor", "2026-03-02T00:00:00Z"), order(4, "azithromycin", "2026-03-02T00:00:00Z"))
    second = lhn.refresh(path)
    assert (second.types["Medication"].retracted, second.types["MedicationRequest"].recorded) == (1, 1)
    assert second.total.withdrawn == 2
    assert second.notes == ["Medication: the server says that 1 that MedicationRequest names were deleted"]


@pytest.mark.parametrize("named", ["patient", "category"])
def test_absence_is_judged_where_each_patient_is_named_and_not_where_categories_are(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path], named: str
) -> None:
    """What stands under no category that is asked for never comes; what is of somebody who was not asked for, neither."""
    refused = {"resourceType": "OperationOutcome", "issue": [{"severity": "fatal", "code": "required"}]}

    def wants_more(asked: Asked) -> Answered | None:
        return Answered(refused, 400) if asked.path == "Condition" and not asked.value(named) else None

    faulty.understands.add(named)
    faulty.faults.append(wants_more)
    faulty.put(*(patient(n) for n in range(4)))
    faulty.put(*({**condition(n), "category": [{"coding": [{"code": "problem-list-item"}]}]} for n in range(4)))
    path = site(types=["Patient", "Condition"])
    assert lhn.refresh(path).total.recorded == 8
    del faulty.resources["Condition"][3], faulty.resources["Condition"][0], faulty.resources["Patient"][0]
    report = lhn.refresh(path, mode="full")
    withdrawn = {name: figures.withdrawn for name, figures in report.types.items()}
    if named == "patient":
        assert (withdrawn, report.unjudged) == ({"Patient": 1, "Condition": 1}, {})
    else:
        assert withdrawn == {"Patient": 1, "Condition": 0}
        assert "asked for by category" in report.unjudged["Condition"]


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.slow
def test_a_server_that_finds_nothing_by_any_time_is_read_in_full(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path], counts: bool
) -> None:
    """It counts none, which is not the same as nothing new: a search since ever must give what a plain one gives."""
    empty = {"resourceType": "Bundle", "type": "searchset", **({"total": 0} if counts else {})}
    faulty.faults.append(lambda asked: Answered(empty) if asked.value("_lastUpdated") else None)
    faulty.put(*(patient(number) for number in range(7)))
    first = lhn.refresh(site())
    assert (first.status, first.total.recorded) == ("completed", 7)
    faulty.put(patient(3, "2026-03-02T00:00:00Z", gender="female"), patient(9, "2026-03-02T00:00:00Z"))
    second = lhn.refresh(site())
    assert (second.status, second.total.recorded, second.total.amended) == ("completed", 1, 1)
    faulty.faults.clear()
    faulty.put(patient(10, "2026-03-03T00:00:00Z"))
    assert lhn.refresh(site()).total.recorded == 1
