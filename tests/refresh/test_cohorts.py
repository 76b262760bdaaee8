"""A site that reads a cohort: only its patients' data is read, who joins is read from the beginning, who leaves is told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exporting import Exports
from hospital_with_faults import Answered, Asked, FaultyHospital
from network_under_test import Network

from mainstem.refresh import open_refresh
from schemas.errors import OperatorError

MARCH, APRIL, AHEAD = "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", "2030"


def patient(number: int, updated: str = MARCH, **values: Any) -> dict[str, Any]:
    head = {"resourceType": "Patient", "id": f"kid-{number}", "meta": {"lastUpdated": updated}}
    return {**head, "birthDate": "2014-05-06", **values}


def condition(number: int, of: int, updated: str = MARCH) -> dict[str, Any]:
    coding = {"system": "http://snomed.info/sct", "code": "190905008"}
    return {
        "resourceType": "Condition",
        "id": f"dx-{number}",
        "meta": {"lastUpdated": updated},
        "subject": {"reference": f"Patient/kid-{of}"},
        "code": {"coding": [coding]},
        "recordedDate": "2026-02-01",
    }


@pytest.fixture
def site(lhn: Network, faulty: FaultyHospital) -> Callable[..., Path]:
    """The site file; `cohort` is its TOML, `listed` what the list holds."""

    def write(
        cohort: str = '[cohort]\npatients = "file:roster.txt"\n', listed: str = "", group: str = "", **values: Any
    ) -> Path:
        if listed:
            (lhn.folder / "roster.txt").write_text(listed)
            (lhn.folder / "roster.txt").chmod(0o600)
        source = f'[fhir]\nbase_url = "{faulty.base_url}"\npage_size = 10\nrequests_per_second = 1000\n'
        source += f'group = "{group}"\n' if group else ""
        return lhn.site("west", source + cohort, **{"road": "search", "types": ["Patient", "Condition"], **values})

    return write


@pytest.fixture
def clinic(faulty: FaultyHospital) -> FaultyHospital:
    """Twelve children with a diagnosis each."""
    faulty.understands |= {"_id", "patient", "identifier", "code"}
    faulty.put(*(patient(number) for number in range(12)), *(condition(number, of=number) for number in range(12)))
    return faulty


def ids_asked(hospital: FaultyHospital, kind: str, name: str) -> list[str]:
    """Whom a type was asked for, request by request."""
    return [asked.value(name) for asked in hospital.searches(kind)]


def of_whom_since(hospital: FaultyHospital, kind: str) -> list[tuple[str, str]]:
    """Whom a type was asked for, and whether from a moment on; proofs that the server heeds moments are left out."""
    searches = [each for each in hospital.searches(kind) if each.value("_count") != "1"]  # one is asked for as a proof
    asked = [(each.value("patient"), each.value("_lastUpdated")) for each in searches]
    return [(whom, since[:2]) for whom, since in asked if since[2:] < AHEAD]


def test_only_the_patients_of_the_list_are_asked_for(lhn: Network, clinic: FaultyHospital, site: Any) -> None:
    report = lhn.refresh(site(listed="# the clinic's\nkid-1\nPatient/kid-2\n\nkid-3\n"))
    assert (report.status, report.total.read, report.total.recorded) == ("completed", 6, 6)
    assert ids_asked(clinic, "Condition", "patient") == ["kid-1,kid-2,kid-3"]
    assert set(ids_asked(clinic, "Patient", "_id")) == {"kid-1,kid-2,kid-3"}


def test_who_joins_is_read_from_the_beginning_the_others_from_the_watermark(
    lhn: Network, clinic: FaultyHospital, site: Any
) -> None:
    assert lhn.refresh(site(listed="kid-1\nkid-2\n")).total.recorded == 4
    clinic.asked.clear()
    clinic.put(condition(1, of=1, updated=APRIL))
    second = lhn.refresh(site(listed="kid-1\nkid-2\nkid-7\n"))
    assert (second.status, second.total.recorded) == ("completed", 2)
    asked = of_whom_since(clinic, "Condition")
    assert asked == [("kid-1,kid-2", "ge"), ("kid-7", "")]
    clinic.asked.clear()
    third = lhn.refresh(site())
    assert of_whom_since(clinic, "Condition") == [("kid-1,kid-2,kid-7", "ge")]
    assert third.total.recorded == 0


def test_who_joins_while_a_type_fails_is_read_of_it_from_the_beginning_later(
    lhn: Network, clinic: FaultyHospital, site: Any
) -> None:
    lhn.refresh(site(listed="kid-1\n"))
    refusal = Answered({"resourceType": "OperationOutcome"}, 403)
    clinic.faults.append(lambda asked: refusal if asked.path == "Condition" else None)
    second = lhn.refresh(site(listed="kid-1\nkid-9\n"))
    assert (second.status, second.total.recorded) == ("partial", 1)
    clinic.faults.clear()
    third = lhn.refresh(site())
    assert (third.status, third.total.recorded) == ("completed", 1)
    assert lhn.refresh(site()).total.recorded == 0


def test_who_leaves_is_told_and_not_erased(lhn: Network, clinic: FaultyHospital, site: Any) -> None:
    lhn.refresh(site(listed="kid-1\nkid-2\nkid-3\n"))
    second = lhn.refresh(site(listed="kid-1\n"))
    assert second.notes == ["2 patients left the cohort: they are no longer read, their records stay"]
    assert (second.status, second.total.withdrawn) == ("completed", 0)
    third = lhn.refresh(site())
    assert third.notes == []
    with open_refresh(site(), lhn.settings) as refresh:
        assert sum(line.records for line in refresh.store.status("west")) == 6
    fourth = lhn.refresh(site(listed="kid-1\nkid-2\n"))
    assert (fourth.notes, fourth.total.unchanged) == ([], 4)  # read from the beginning: nothing twice


@pytest.mark.slow
def test_a_merged_patient_is_read_from_the_beginning_with_the_one_it_was_merged_into(
    lhn: Network, clinic: FaultyHospital, site: Any
) -> None:
    lhn.refresh(site(listed="kid-1\nkid-2\n"))
    into = [{"other": {"reference": "Patient/kid-5"}, "type": "replaced-by"}]
    clinic.put(patient(1, APRIL, active=False, link=into))
    clinic.asked.clear()
    second = lhn.refresh(site())
    assert second.status == "completed"
    asked = of_whom_since(clinic, "Condition")
    assert asked == [("kid-2", "ge"), ("kid-1,kid-5", "")]


def test_identifiers_are_looked_up_and_who_is_unknown_is_counted(
    lhn: Network, clinic: FaultyHospital, site: Any
) -> None:
    clinic.put(patient(4, identifier=[{"system": "urn:oid:1.2.36.146.595.217.0.1", "value": "7,1"}]))
    report = lhn.refresh(site(listed="urn:oid:1.2.36.146.595.217.0.1|7,1\nurn:oid:1.2.3|8\n"))
    assert (report.status, report.total.recorded) == ("completed", 2)
    assert ids_asked(clinic, "Condition", "patient") == ["kid-4"]
    assert report.notes == ["the EHR knows no patient for 1 of the 2 the cohort names"]
    assert "7,1" not in report.model_dump_json()


def test_the_members_of_a_group_are_read_by_search(lhn: Network, clinic: FaultyHospital, site: Any) -> None:
    members = [
        {"entity": {"reference": "Patient/kid-3"}},
        {"entity": {"reference": f"{clinic.base_url}/Patient/kid-4"}},
        {"entity": {"reference": "Patient/kid-5"}, "inactive": True},
        {"entity": {"reference": "Device/d"}},
    ]
    clinic.put({"resourceType": "Group", "id": "registry", "member": members})
    report = lhn.refresh(site("", group="registry"))
    assert (report.status, report.total.recorded) == ("completed", 4)
    assert report.notes == ["1 members of the cohort's Group are no patients, and are not read"]
    clinic.put({"resourceType": "Group", "id": "registry"})
    with pytest.raises(OperatorError, match="lists no patient"):
        lhn.refresh(site("", group="registry"))


def test_a_search_finds_the_cohort(lhn: Network, clinic: FaultyHospital, site: Any) -> None:
    clinic.resources["Condition"] = clinic.resources["Condition"][3:9]
    search = '[cohort]\nsearch = "Condition?code=http://snomed.info/sct|190905008"\n'
    report = lhn.refresh(site(search))
    assert (report.status, report.total.recorded) == ("completed", 12)
    assert clinic.searches("Condition")[0].value("code") == "http://snomed.info/sct|190905008"


def test_a_server_that_ignores_the_search_does_not_make_everybody_the_cohort(
    lhn: Network, clinic: FaultyHospital, site: Any
) -> None:
    def ignoring(asked: Asked) -> Answered | None:
        if not asked.value("code"):
            return None
        link = [{"relation": "self", "url": f"{clinic.base_url}/Condition?_count=200"}]
        entry = [{"resource": each} for each in clinic.resources["Condition"]]
        return Answered({"resourceType": "Bundle", "link": link, "entry": entry})

    clinic.faults.append(ignoring)
    with pytest.raises(OperatorError, match="the server ignores 'code'"):
        lhn.refresh(site('[cohort]\nsearch = "Condition?code=x"\n'))


def test_what_a_server_sends_of_others_is_counted_and_not_kept(lhn: Network, clinic: FaultyHospital, site: Any) -> None:
    """It ignores `patient`, and sends everybody's."""
    clinic.understands.remove("patient")
    report = lhn.refresh(site(listed="kid-1\nkid-2\n"))
    assert (report.total.read, report.total.recorded) == (14, 4)
    assert report.total.skipped == {"not-in-cohort": 10}


def test_everybody_is_read_from_the_beginning_when_there_is_no_cohort_any_more(
    lhn: Network, clinic: FaultyHospital, site: Any
) -> None:
    lhn.refresh(site(listed="kid-1\n"))
    second = lhn.refresh(site(""))
    assert (second.status, second.total.recorded) == ("completed", 22)


def test_a_delivery_of_everybody_gives_the_cohort_alone(lhn: Network, tmp_path: Path) -> None:
    folder = tmp_path / "delivery"
    folder.mkdir()
    for name, make in (("Patient", patient), ("Condition", lambda number: condition(number, of=number))):
        (folder / f"{name}.ndjson").write_text("".join(json.dumps(make(n)) + "\n" for n in range(6)))
    (lhn.folder / "roster.txt").write_text("kid-1\nkid-4\n")
    source = f'[files]\nfolder = "{folder}"\n[cohort]\npatients = "file:roster.txt"\n'
    report = lhn.refresh(lhn.site("west", source, types=["Patient", "Condition"]))
    assert (report.status, report.total.read, report.total.recorded) == ("completed", 12, 4)
    assert report.total.skipped == {"not-in-cohort": 8}
    assert not [path for path in lhn.folder.rglob("quarantine/*") if path.stat().st_size]

    (lhn.folder / "roster.txt").write_text("kid-1\nkid-4\nkid-5\n")
    second = lhn.refresh(lhn.folder / "west.toml")
    assert second.total.recorded == 2
    assert "1 patients joined the cohort: have delivered anew what earlier deliveries held of them" in second.notes


def test_a_file_that_holds_nobody_of_the_cohort_is_read_and_gives_nothing(lhn: Network, tmp_path: Path) -> None:
    """The second night, too: nothing in it is known, and nothing is asked of it."""
    folder = tmp_path / "delivery"
    folder.mkdir()
    (folder / "Patient.ndjson").write_text("".join(json.dumps(patient(n)) + "\n" for n in range(3)))
    (lhn.folder / "roster.txt").write_text("kid-1\n")
    source = f'[files]\nfolder = "{folder}"\nsettle_seconds = 0\n[cohort]\npatients = "file:roster.txt"\n'
    path = lhn.site("west", source, types=["Patient"])
    assert lhn.refresh(path).total.recorded == 1
    (folder / "Patient.ndjson").write_text("".join(json.dumps(patient(n)) + "\n" for n in range(2, 5)))
    second = lhn.refresh(path)
    assert (second.total.read, second.total.skipped, second.total.withdrawn) == (3, {"not-in-cohort": 3}, 0)


@pytest.mark.parametrize(
    ("text", "says"),
    [("kid one\n", "line 1"), ("#nobody\n", "lists no patient"), ("kid-99\n", "knows none of the 1")],
)
def test_a_list_that_names_nobody_stops_the_load(
    lhn: Network, clinic: FaultyHospital, site: Any, text: str, says: str
) -> None:
    with pytest.raises(OperatorError, match=says) as caught:
        lhn.refresh(site(listed=text))
    assert "kid" not in str(caught.value)


def test_an_export_of_a_list_is_no_export(lhn: Network, site: Any) -> None:
    with pytest.raises(OperatorError, match="ask the EHR vendor for a FHIR Group"):
        lhn.refresh(site(listed="kid-1\n", road="bulk"))


def test_who_leaves_a_group_is_not_taken_for_deleted_by_a_full_read(
    lhn: Network, clinic: FaultyHospital, site: Any
) -> None:
    """Of a vendor whose every read is full, and whose counts prove it whole."""
    clinic.understands.remove("_lastUpdated")
    for members in (range(4), range(2)):
        group = [{"entity": {"reference": f"Patient/kid-{number}"}} for number in members]
        clinic.put({"resourceType": "Group", "id": "registry", "member": group})
        path = site("", group="registry", types=["Patient", "Condition"])
        path.write_text(path.read_text().replace("[fhir]\n", '[fhir]\nvendor = "epic"\n'))
        report = lhn.refresh(path)
    assert (report.status, report.total.withdrawn, report.gaps) == ("completed", 0, [])
    assert report.notes == ["2 patients left the cohort: they are no longer read, their records stay"]


def test_who_joins_an_exported_group_is_exported_from_the_beginning(
    lhn: Network, clinic: FaultyHospital, exports: Exports, site: Any
) -> None:
    """The server exports what changed since, of everybody in the Group: of who joins, that is nothing."""
    path = site("", group="registry", road="bulk")

    def night(*members: int) -> list[str]:
        group = [{"entity": {"reference": f"Patient/kid-{number}"}} for number in members]
        clinic.put({"resourceType": "Group", "id": "registry", "member": group})
        clinic.asked.clear()
        report = lhn.refresh(path)
        assert (report.status, report.notes) == ("completed", [])
        return [asked.value("_since") for asked in clinic.asked if asked.path.endswith("$export")]

    assert night(1, 2) == [""]
    (since,) = night(1, 2)
    assert since
    assert night(1, 2, 7) == [""]
    assert night(1, 2, 7) != [""]
    clinic.put({"resourceType": "Group", "id": "registry"})
    unlisted = lhn.refresh(path)
    assert "who joined the Group cannot be told" in unlisted.notes[0]
    assert night(1, 2, 7) != [""]


@pytest.mark.slow
def test_a_patient_of_the_list_that_was_deleted_is_withdrawn(lhn: Network, clinic: FaultyHospital, site: Any) -> None:
    """No search says so, a read does: 410. It is no patient that left, and none that the EHR does not know."""
    assert lhn.refresh(site(listed="kid-1\nkid-2\nkid-3\n")).total.recorded == 6
    del clinic.resources["Patient"][2]
    clinic.faults.append(lambda asked: Answered({}, 410) if asked.path == "Patient/kid-2" else None)
    second = lhn.refresh(site())
    assert (second.status, second.types["Patient"].retracted, second.types["Patient"].withdrawn) == ("completed", 1, 1)
    assert second.notes == ["1 patients of the cohort were deleted at the EHR, and are withdrawn"]
    assert lhn.refresh(site()).total.withdrawn == 0
    clinic.faults.clear()
    clinic.put(patient(2, APRIL))
    assert lhn.refresh(site()).types["Patient"].recorded == 1


def test_a_combined_patient_that_comes_by_read_alone_is_the_surviving_one(
    lhn: Network, clinic: FaultyHospital, site: Any
) -> None:
    """So it is at Oracle Health; and the combine may be undone."""
    clinic.understands -= {"_lastUpdated"}
    assert lhn.refresh(site(listed="kid-1\nkid-2\n")).total.recorded == 4
    (known,) = [each for each in clinic.resources["Patient"] if each["id"] == "kid-2"]
    clinic.resources["Patient"].remove(known)
    link = [{"type": "replaced-by", "other": {"reference": "Patient/kid-1"}}]
    combined = patient(2, APRIL, active=False, link=link)
    clinic.faults.append(lambda asked: Answered(combined) if asked.path == "Patient/kid-2" else None)
    second = lhn.refresh(site())
    assert (second.status, second.types["Patient"].merged) == ("completed", 1)
    clinic.faults.clear()
    clinic.put(patient(2, "2026-05-01T00:00:00Z"))
    third = lhn.refresh(site())
    assert (third.status, third.types["Patient"].unmerged) == ("completed", 1)


@pytest.mark.slow
def test_what_a_full_read_of_the_cohort_lacks_is_withdrawn_of_the_cohort_alone(
    lhn: Network, clinic: FaultyHospital, site: Any
) -> None:
    """Of those who left nothing was asked, so nothing is judged; too many at once are held by the brake."""
    path = site(listed="kid-1\nkid-2\nkid-3\n")
    text = path.read_text().replace("[fhir]\n", '[fhir]\nvendor = "epic"\n')
    path.write_text(text + "[limits]\nwithdraw_count = 5\n")
    assert lhn.refresh(path).total.recorded == 6
    clinic.put(*(condition(number, of=2) for number in range(20, 160)))
    assert lhn.refresh(path).total.recorded == 140
    (lhn.folder / "roster.txt").write_text("kid-1\nkid-2\n")
    del clinic.resources["Condition"][1]
    del clinic.resources["Condition"][2]
    second = lhn.refresh(path)
    assert (second.status, second.total.withdrawn, second.unjudged) == ("completed", 1, {})
    del clinic.resources["Condition"][-20:]
    held = lhn.refresh(path)
    assert (held.status, held.total.withdrawn, [gap.cause for gap in held.gaps]) == ("partial", 0, ["withdrawal-held"])
    assert lhn.here("deletes", "release", path, "Condition").returncode == 0
    assert lhn.refresh(path).total.withdrawn == 20


def test_nothing_stands_of_a_patient_that_was_deleted(lhn: Network, clinic: FaultyHospital, site: Any) -> None:
    """Also of types of which only changes were asked for; of the others the report says why they were not judged."""
    assert lhn.refresh(site(listed="kid-1\nkid-2\n")).total.recorded == 4
    del clinic.resources["Patient"][2], clinic.resources["Condition"][1:3]
    clinic.faults.append(lambda asked: Answered({}, 410) if asked.path == "Patient/kid-2" else None)
    second = lhn.refresh(site())
    assert (second.types["Condition"].withdrawn, second.types["Patient"].withdrawn) == (1, 1)
    assert second.unjudged == dict.fromkeys(
        ("Patient", "Condition"), "only what was updated since the last time was asked for"
    )


def test_patients_that_no_search_gives_are_read_one_by_one_while_they_are_few(
    lhn: Network, clinic: FaultyHospital, site: Any
) -> None:
    """A list of strangers does not become a request each for ever; one refusal ends it."""
    strangers = "".join(f"stranger-{number}\n" for number in range(230))
    report = lhn.refresh(site(listed=f"kid-1\n{strangers}"))
    assert (report.status, report.total.recorded) == ("completed", 2)
    assert sum(asked.path.startswith("Patient/stranger") for asked in clinic.asked) == 200
    clinic.asked.clear()
    clinic.faults.append(lambda asked: Answered({}, 403) if asked.path.startswith("Patient/") else None)
    assert lhn.refresh(site()).status == "completed"
    assert sum(asked.path.startswith("Patient/") for asked in clinic.asked) == 1


def test_a_list_of_identifiers_is_looked_up_in_the_delivery(lhn: Network, tmp_path: Path) -> None:
    """With whom they are the same person as; a delivery of changes alone cannot say whose an identifier is."""
    folder = tmp_path / "delivery"
    folder.mkdir()

    def deliver(people: range) -> None:
        numbered = [patient(n, identifier=[{"system": "urn:mrn", "value": f"00{n}"}]) for n in people]
        numbered[1]["link"] = [{"type": "replaced-by", "other": {"reference": "Patient/kid-3"}}]
        numbered[1]["active"] = False
        (folder / "Patient.ndjson").write_text("".join(json.dumps(each) + "\n" for each in numbered))
        (folder / "Condition.ndjson").write_text("".join(json.dumps(condition(n, of=n)) + "\n" for n in people))

    deliver(range(6))
    (lhn.folder / "roster.txt").write_text("urn:mrn|001\n|004\nurn:mrn|999\n")
    source = f'[files]\nfolder = "{folder}"\nsettle_seconds = 0\n[cohort]\npatients = "file:roster.txt"\n'
    path = lhn.site("west", source, types=["Patient", "Condition"])
    first = lhn.refresh(path)
    assert (first.status, first.total.mapped, first.total.skipped) == ("completed", 6, {"not-in-cohort": 6})
    assert first.types["Patient"].merged == 1
    assert "the delivery holds no patient for 1 of the 3 identifiers" in first.notes

    (lhn.folder / "roster.txt").write_text("urn:mrn|001\n|004\nurn:mrn|005\n")
    second = lhn.refresh(path)
    assert (second.status, second.total.recorded) == ("completed", 2)
    path.write_text(path.read_text().replace("settle_seconds = 0\n", 'settle_seconds = 0\ndelivers = "changes"\n'))
    with pytest.raises(OperatorError, match="3 lines are identifiers"):
        lhn.refresh(path)


@pytest.mark.parametrize("mode", ["full", "incremental"])
@pytest.mark.slow
def test_where_everybody_is_read_a_combined_patient_is_asked_for_by_id(
    mode: str, lhn: Network, clinic: FaultyHospital, site: Any
) -> None:
    """A full read lacks them, or where only changes are read a search for all who are known; whoever was combined is the surviving one, whoever was deleted is withdrawn; and back."""
    path = site(cohort="")
    path.write_text(path.read_text().replace("[fhir]\n", '[fhir]\nvendor = "cerner"\n'))
    assert lhn.refresh(path).types["Patient"].recorded == 12
    kids = {each["id"]: each for each in clinic.resources["Patient"]}
    for name in ("kid-2", "kid-5"):
        clinic.resources["Patient"].remove(kids[name])
    link = [{"type": "replaced-by", "other": {"reference": "Patient/kid-1"}}]
    read = {
        "Patient/kid-2": Answered(patient(2, APRIL, active=False, link=link)),
        "Patient/kid-5": Answered({}, 410),
    }
    clinic.faults.append(lambda asked: read.get(asked.path))
    second = lhn.refresh(path, mode=mode)
    assert (second.types["Patient"].merged, second.types["Patient"].withdrawn) == (1, 1)
    assert lhn.refresh(path, mode="full").types["Patient"].unmerged == 0
    clinic.faults.clear()
    clinic.put(patient(2, "2026-05-01T00:00:00Z"))
    assert lhn.refresh(path, mode="full").types["Patient"].unmerged == 1


def test_a_report_that_is_gone_takes_the_results_with_it_that_stood_in_it_alone(
    lhn: Network, faulty: FaultyHospital, site: Any
) -> None:
    """What a proven full read lacks; results that are resources of their own stay."""
    value = {"value": 12.5, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"}
    result = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "valueQuantity": value,
    }
    whose = {"subject": {"reference": "Patient/kid-1"}, "effectiveDateTime": "2026-03-01"}
    for number in (1, 2):
        report = {"resourceType": "DiagnosticReport", "id": f"dr-{number}", "status": "final", **whose}
        faulty.put({**report, "meta": {"lastUpdated": MARCH}, "contained": [result], "result": [{"reference": "#o1"}]})
    faulty.put({**result, "meta": {"lastUpdated": MARCH}, **whose})
    path = site(cohort="", types=["Observation"])
    path.write_text(path.read_text().replace("[fhir]\n", '[fhir]\nvendor = "epic"\n'))
    assert lhn.refresh(path).total.recorded == 3
    del faulty.resources["DiagnosticReport"][0]
    assert lhn.refresh(path).total.withdrawn == 1
