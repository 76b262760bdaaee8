"""A hospital read by bulk export, night after night: a fault costs the types it concerns, and no job is left behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exporting import Exports, ndjson
from hospital_with_faults import Answered, FaultyHospital
from network_under_test import Network

from mainstem.refresh import complete, map_types, open_refresh, plan, publish, pull_units
from schemas.errors import IncompleteError, TemporaryError

TYPES = ["Patient", "Encounter", "Condition"]
ELSEWHERE = "https://files.elsewhere.example/1"


def ward(day: int) -> list[dict[str, Any]]:
    """Three resources a type, as they stand on a day of March."""
    stamp = {"meta": {"lastUpdated": f"2026-03-{day:02d}T00:00:00Z"}}
    found: list[dict[str, Any]] = []
    for number in range(3):
        kid = {"reference": f"Patient/kid-{number}"}
        found += [
            {"resourceType": "Patient", "id": f"kid-{number}", **stamp, "birthDate": f"2015-03-{day:02d}"},
            {
                "resourceType": "Encounter",
                "id": f"visit-{number}",
                **stamp,
                "status": "finished",
                "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
                "subject": kid,
                "period": {"start": f"2026-03-{day:02d}T00:00:00Z", "end": f"2026-03-{day:02d}T00:30:00Z"},
            },
            {
                "resourceType": "Condition",
                "id": f"asthma-{number}",
                **stamp,
                "code": {"coding": [{"system": "http://snomed.info/sct", "code": "195967001"}]},
                "subject": kid,
                "onsetDateTime": f"2026-03-{day:02d}",
            },
        ]
    return found


@pytest.fixture
def site(lhn: Network, faulty: FaultyHospital, exports: Exports) -> Path:
    """The hospital's site file."""
    source = f'[fhir]\nbase_url = "{faulty.base_url}"\nrequests_per_second = 1000\n'
    return lhn.site("west", source, road="bulk", types=TYPES, overlap_minutes=0)


@pytest.fixture
def night(lhn: Network, faulty: FaultyHospital, exports: Exports, site: Path) -> Callable[[int], Any]:
    """What a night reports; everything at the hospital changed the day before."""

    def run(day: int) -> Any:
        faulty.put(*ward(day))
        exports.transaction_time = f"2026-03-{day:02d}T02:00:00Z"
        return lhn.refresh(site)

    return run


def by_itself(exports: Exports, output: list[dict[str, Any]]) -> None:
    """The export names other files of conditions than it has."""
    usual = [{"type": name, "url": exports.url(f"files/{name}")} for name in TYPES if name != "Condition"]
    exports.manifest["output"] = [*usual, *output]


def faults(exports: Exports) -> dict[str, Callable[[], None]]:
    """What may be wrong with the conditions, and what is told of it."""
    conditions = exports.hospital.resources["Condition"]
    page = Answered(b"\n<!DOCTYPE html><title>Sign in</title>", headers={"Content-Type": "application/fhir+ndjson"})
    answers: dict[str, Answered | bytes] = {
        "does not have it (404)": Answered({}, 404),
        "does not have it (410)": Answered({}, 410),
        "does not permit": Answered({}, 403),
        "answers with a web page": page,
        "ends in mid-line": ndjson(*conditions)[:-20],
        "holds 1 of 3 resources": ndjson(conditions[0]),
        "holds 3 resources of other types": ndjson(*exports.hospital.resources["Encounter"]),
        "the server reports 1 errors": ndjson(
            *conditions, {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "diagnostics": "kid-1"}]}
        ),
    }
    found = {told: _file(exports, answer) for told, answer in answers.items()}
    found["links to another place"] = lambda: by_itself(exports, [{"type": "Condition", "url": ELSEWHERE}])
    found["in a form that is not FHIR's"] = lambda: by_itself(exports, [{"type": "Condition", "url": 7}])
    return found


def _file(exports: Exports, answer: Answered | bytes) -> Callable[[], None]:
    return lambda: exports.files.update(Condition=answer)


@pytest.mark.slow
def test_a_file_that_fails_costs_its_type_and_every_other_is_published(
    lhn: Network, exports: Exports, faulty: FaultyHospital, night: Callable[[int], Any]
) -> None:
    """Ten faults, ten nights: the types around it move on, its own watermark stays, its cause is told, its job given back."""
    assert night(1).status == "completed"
    day = 1
    for told in faults(exports):
        day += 1
        faulty.put(*ward(day))
        faults(exports)[told]()
        report = night(day)
        assert (report.status, [gap.resource_type for gap in report.gaps]) == ("partial", ["Condition"]), told
        assert told in report.gaps[0].reason
        assert report.types["Patient"].amended == report.types["Encounter"].amended == 3, told
        moved = {name: str(moment)[:10] for name, moment in report.watermarks.items()}
        assert moved == {"Patient": f"2026-03-{day:02d}", "Encounter": f"2026-03-{day:02d}"}, told
        assert "kid-1" not in report.model_dump_json()
        exports.files.clear()
        exports.manifest.clear()

    last = night(day + 1)
    assert (last.status, last.gaps, last.types["Condition"].amended) == ("completed", [], 3)
    assert len(last.watermarks) == 3
    assert len(exports.begun) == len(exports.deleted) == day + 1
    assert exports.jobs == {}


@pytest.mark.slow
def test_the_command_says_what_is_missing_and_the_registry_holds_the_rest(
    lhn: Network, exports: Exports, faulty: FaultyHospital, site: Path
) -> None:
    faulty.put(*ward(1))
    exports.files["Condition"] = Answered({}, 404)
    ran = lhn.here("run", site)
    assert ran.returncode == 3, ran.stderr
    assert "Condition: a file of the export" in ran.stdout
    assert lhn.consume() >= 6
    held = {name: lhn.registry(f"select count(*) from {name}")[0][0] for name in ("person", "encounter", "condition")}
    assert held == {"person": 3, "encounter": 3, "condition": 0}


def test_the_step_pull_of_a_dag_leaves_the_gap_and_lands_the_rest(
    lhn: Network, exports: Exports, faulty: FaultyHospital, site: Path
) -> None:
    """The task notes what is missing; those behind it map, publish and complete what came."""
    faulty.put(*ward(1))
    exports.files["Condition"] = Answered({}, 410)
    with open_refresh(site, lhn.settings) as refresh:
        planned = plan(refresh)
        for _ in range(2):  # a task that is tried again begins no other export
            with pytest.raises(IncompleteError, match="does not have it"):
                pull_units(refresh, planned.load, planned.plan.units)
        map_types(refresh, planned.load, planned.plan.types)
        publish(refresh, planned.load)
        report = complete(refresh, planned.load)
    assert (report.status, [gap.resource_type for gap in report.gaps]) == ("partial", ["Condition"])
    assert (report.types["Patient"].recorded, report.types["Encounter"].recorded) == (3, 3)
    assert len(exports.begun) == 1


def test_a_night_of_no_change_but_one_bad_file_is_no_failure(
    exports: Exports, faulty: FaultyHospital, lhn: Network, site: Path, night: Callable[[int], Any]
) -> None:
    """Nothing came, and of all types but one that is the whole truth."""
    night(1)
    exports.files["Condition"] = Answered({}, 404)
    by_itself(exports, [{"type": "Condition", "url": exports.url("files/Condition")}])
    exports.manifest["output"] = exports.manifest["output"][-1:]
    exports.transaction_time = "2026-03-02T02:00:00Z"
    report = lhn.refresh(site)
    assert (report.status, [gap.resource_type for gap in report.gaps]) == ("partial", ["Condition"])
    assert {str(moment)[:10] for moment in report.watermarks.values()} == {"2026-03-02"}


@pytest.mark.slow
def test_messages_cost_the_types_they_name_and_all_where_they_name_none(
    exports: Exports, faulty: FaultyHospital, night: Callable[[int], Any]
) -> None:
    """By the entry, by the expression, by the text; of a type that is not read nothing. Either name of the list is read."""
    night(1)
    cases: list[tuple[str, dict[str, Any], dict[str, Any], set[str]]] = [
        ("error", {"type": "Condition"}, {"code": "exception"}, {"Condition"}),
        ("error", {"type": "OperationOutcome"}, {"expression": ["Condition.code"]}, {"Condition"}),
        ("outcome", {}, {"diagnostics": "kid-1: Encounter could not be written"}, {"Encounter"}),
        ("outcome", {"countSeverity": [{"code": "error", "count": 1}]}, {"diagnostics": "Binary failed"}, set()),
        ("outcome", {}, {"severity": "warning", "diagnostics": "Condition"}, set()),
        ("error", {}, {"diagnostics": "kid-1"}, set(TYPES)),
    ]
    for day, (name, entry, issue, missing) in enumerate(cases, start=2):
        exports.manifest = {name: [{**entry, "url": exports.url("files/messages")}]}
        outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception", **issue}]}
        exports.files["messages"] = ndjson(outcome)
        report = night(day)
        assert {gap.resource_type for gap in report.gaps} == missing, (name, entry, issue)
        assert (report.status == "partial") == bool(missing)
        assert report.total.amended == 9  # an entry that names no type holds the watermarks, not the data
        assert len(report.watermarks) == 3 - len(missing)
        assert "kid-1" not in report.model_dump_json()


def test_a_type_that_is_never_exported_is_read_by_search_in_the_same_load(
    exports: Exports, faulty: FaultyHospital, night: Callable[[int], Any]
) -> None:
    """The server refuses the kick-off and names it; where it gives it by no road, that is a gap and the rest moves on."""
    refusal = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "not-supported", "diagnostics": "_type: Condition cannot be exported"}],
    }
    exports.kick_off = [Answered(refusal, 400)]
    first = night(1)
    assert (first.status, first.total.recorded) == ("completed", 9)
    assert exports.begun[0].value("_type") == "Patient,Encounter"

    faulty.faults.append(lambda asked: Answered({}, 403) if asked.path == "Condition" else None)
    exports.kick_off = [Answered(refusal, 400)]
    second = night(2)
    assert [(gap.resource_type, gap.cause) for gap in second.gaps] == [("Condition", "not-exported")]
    assert (second.total.amended, len(second.watermarks)) == (6, 2)

    faulty.faults.pop()
    exports.kick_off = [Answered(refusal, 400)]
    third = night(3)
    assert (third.status, third.types["Condition"].amended) == ("completed", 3)


@pytest.mark.parametrize("counted", [False, True])
def test_a_type_without_a_file_in_a_whole_manifest_is_none_of_it_unless_it_is_counted(
    exports: Exports, faulty: FaultyHospital, lhn: Network, night: Callable[[int], Any], counted: bool
) -> None:
    """No watermark where none of it ever came, no gap, and none of the others waits for it. What a search counts is read by
    search: an export may leave a type out and say nothing."""
    exports.not_exported = {"Condition"}
    if not counted:
        faulty.faults.insert(0, lambda asked: Answered({}, 403) if asked.path == "Condition" else None)
    whole = ["Condition"] * counted + ["Encounter", "Patient"]
    for day in (1, 2):
        report = night(day)
        assert (report.status, report.gaps, sorted(report.watermarks)) == ("completed", [], whole)


@pytest.mark.slow
def test_what_the_export_says_is_deleted_is_withdrawn(
    lhn: Network, exports: Exports, faulty: FaultyHospital, night: Callable[[int], Any], site: Path
) -> None:
    """Of each type its own; told again the next night, it changes nothing."""
    night(1)
    gone = ["Condition/asthma-2", "Encounter/visit-1", "Condition/never-seen", "DocumentReference/letter-1"]
    entries = [{"request": {"method": "DELETE", "url": url}} for url in gone]
    exports.files["deleted"] = ndjson({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    exports.manifest = {"output": [], "deleted": [{"type": "Bundle", "url": exports.url("files/deleted")}]}
    exports.transaction_time = "2026-03-02T02:00:00Z"
    report = lhn.refresh(site)
    assert (report.status, report.published, report.total.withdrawn) == ("completed", 2, 2)
    assert (report.types["Condition"].withdrawn, report.types["Encounter"].withdrawn) == (1, 1)
    again = lhn.refresh(site)
    assert (again.status, again.published, again.total.withdrawn) == ("completed", 0, 0)


@pytest.mark.slow
def test_five_runs_that_fail_begin_one_job_and_the_sixth_ends_it(
    lhn: Network, exports: Exports, faulty: FaultyHospital
) -> None:
    """Not ready in time, its status failing, the run given up by --fresh: the job is the site's, and is found again."""
    faulty.put(*ward(1))
    source = f'[fhir]\nbase_url = "{faulty.base_url}"\nrequests_per_second = 1000\nbulk_wait_minutes = 0.0001\n'
    site = lhn.site("west", source, road="bulk", types=TYPES)
    busy = Answered({}, 202, {"Retry-After": "0"})
    for number in range(5):
        exports.status = [Answered({}, 500, {"Retry-After": "0"}), busy, busy, busy]
        with pytest.raises(TemporaryError, match="not ready"):
            lhn.refresh(site, fresh=bool(number % 2))
    exports.status = []
    assert lhn.here("run", site).returncode == 0
    assert (len(exports.begun), exports.deleted, exports.jobs) == (1, ["jobs/1"], {})


def test_a_server_that_goes_down_in_the_midst_of_the_files_keeps_the_job_for_the_next_run(
    lhn: Network, exports: Exports, faulty: FaultyHospital, site: Path
) -> None:
    """Not a file failed but the hospital: no type is called short, and nothing is asked twice of the EHR."""
    faulty.put(*ward(1))
    away = {"files/Encounter", "files/Condition", "jobs/1"}
    asked_before: list[str] = []

    def down(asked: Any) -> Answered | None:
        asked_before.append(asked.path)
        return (
            Answered({}, 503, {"Retry-After": "0"}) if "files/Patient" in asked_before and asked.path in away else None
        )

    faulty.faults.insert(0, down)
    with (
        open_refresh(site, lhn.settings) as refresh,
        pytest.raises(TemporaryError, match="cannot be asked"),
    ):
        pull_units(refresh, plan(refresh).load, ["export"])
    faulty.faults.pop(0)
    report = lhn.refresh(site)
    assert (report.status, report.total.recorded) == ("completed", 9)
    assert (len(exports.begun), exports.deleted) == (1, ["jobs/1"])
    assert [asked.path for asked in faulty.asked].count("files/Patient") == 1


def crowd(kind: str, count: int) -> list[dict[str, Any]]:
    """Many conditions of one child's, or many children."""
    made = [{**ward(1)[2], "id": f"many-{number}"} for number in range(count)]
    return made if kind == "Condition" else [{**ward(1)[0], "id": f"kid-{number}"} for number in range(count)]


def test_a_sharp_fall_of_an_export_is_a_gap_of_its_type(
    lhn: Network, faulty: FaultyHospital, exports: Exports, site: Path
) -> None:
    """By the last full export that was whole of the type; what is less by less is less. Accepted, it is the truth."""
    faulty.put(*crowd("Patient", 60), *crowd("Condition", 60))
    assert lhn.refresh(site).status == "completed"
    del faulty.resources["Condition"][40:], faulty.resources["Patient"][45:]
    for _ in range(2):
        fallen = lhn.refresh(site, mode="full")
        assert [(gap.resource_type, gap.cause) for gap in fallen.gaps] == [("Condition", "sharp-fall")]
        assert "40 came, 60 at the last full read: more than 30 % less" in fallen.gaps[0].reason
        assert (fallen.total.withdrawn, "Condition" in fallen.watermarks) == (0, False)
        assert "an export counts what is in its files" in fallen.unjudged["Patient"]
    site.write_text(site.read_text() + "[limits]\nfall_percent = 50\n")
    assert lhn.refresh(site, mode="full").status == "completed"


@pytest.mark.slow
def test_a_roster_in_several_groups_is_exported_one_by_one(
    lhn: Network, faulty: FaultyHospital, exports: Exports, site: Path
) -> None:
    """One job a client: the second waits for the first. What one Group lacks holds the watermarks, not what the others gave."""
    site.write_text(site.read_text().replace("[fhir]\n", '[fhir]\ngroup = ["one", "two"]\nbulk_wait_minutes = 0.001\n'))
    exports.groups = {"one": {"kid-0", "kid-1"}, "two": {"kid-1", "kid-2"}}
    faulty.put(*ward(1))
    exports.transaction_time = "2026-03-01T02:00:00Z"
    first = lhn.refresh(site)
    assert (first.status, first.total.recorded, len(first.watermarks)) == ("completed", 9, 3)
    assert [asked.path for asked in exports.begun] == ["Group/one/$export", "Group/two/$export"]
    assert (exports.jobs, len(exports.deleted)) == ({}, 2)

    faulty.put(*ward(2))
    exports.transaction_time = "2026-03-02T02:00:00Z"
    waiting = Answered({}, 202, {"Retry-After": "0"})
    exports.status[:] = [Answered({**_manifest(exports, "one")}), *[waiting] * 50]
    second = lhn.refresh(site)
    assert (second.status, second.watermarks, second.total.amended) == ("partial", {}, 6)
    assert "Group two" in second.gaps[0].reason
    exports.status.clear()
    begun = len(exports.begun)
    third = lhn.refresh(site)
    assert (third.status, third.total.amended, len(third.watermarks)) == ("completed", 3, 3)
    assert [asked.path for asked in exports.begun[begun:]] == ["Group/one/$export"]
    assert exports.jobs == {}


def _manifest(exports: Exports, group: str) -> dict[str, Any]:
    """What the status of a Group's job says when it is ready."""
    output = [{"type": name, "url": exports.url(f"files/{name}@{group}")} for name in TYPES]
    return {"transactionTime": exports.transaction_time, "requiresAccessToken": False, "output": output}


def test_a_group_that_is_refused_costs_the_watermarks_and_a_site_of_none_fails(
    lhn: Network, faulty: FaultyHospital, exports: Exports, site: Path
) -> None:
    site.write_text(site.read_text().replace("[fhir]\n", '[fhir]\ngroup = ["one", "gone"]\n'))
    exports.groups = {"one": {"kid-0"}}
    faulty.put(*ward(1))
    faulty.faults.insert(0, lambda asked: Answered({}, 403) if asked.path == "Group/gone/$export" else None)
    report = lhn.refresh(site)
    assert (report.status, report.total.recorded, report.watermarks) == ("partial", 3, {})
    assert "Group gone" in report.gaps[0].reason
    faulty.faults.pop(0)
    exports.groups["gone"] = {"kid-1"}
    assert (lhn.refresh(site).status, lhn.refresh(site).total.recorded) == ("completed", 0)
