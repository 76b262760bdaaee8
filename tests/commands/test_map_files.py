"""`mainstem map`: files in, records out, whatever order they come in."""

import gzip
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from mainstem.commands.map import referred, tiers
from mainstem.commands.map.files import Trial, map_paths

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
Json = dict[str, Any]


def drug(name: str, code: str, **fields: Any) -> Json:
    """A Medication."""
    return {"resourceType": "Medication", "id": name, "code": {"coding": [{"system": RXNORM, "code": code}]}, **fields}


def order(number: int, medication: str) -> Json:
    """An order that names its drug elsewhere."""
    return {
        "resourceType": "MedicationRequest",
        "id": f"rx-{number}",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/kid-1"},
        "medicationReference": {"reference": f"Medication/{medication}"},
    }


def write(path: Path, resources: Iterable[Json]) -> Path:
    path.write_text("".join(json.dumps(resource) + "\n" for resource in resources))
    return path


def mapped(*paths: Path, problems: Path | None = None) -> tuple[list[Json], Trial]:
    """The records and the figures."""
    out = io.BytesIO()
    trial = map_paths(paths, None, out=out, problems=problems)
    return [json.loads(line)["record"] for line in out.getvalue().splitlines()], trial


def test_an_order_finds_its_medication_in_any_file_and_order(tmp_path: Path) -> None:
    """Before it, behind it, in a file read later, in one named after something else."""
    write(tmp_path / "a.ndjson", [order(1, "late"), drug("beside", "2"), order(2, "beside")])
    write(tmp_path / "Observation.ndjson", [order(3, "beside"), order(4, "last")])
    write(tmp_path / "z.ndjson", [drug("late", "1"), drug("last", "4")])
    records, trial = mapped(tmp_path)
    assert sorted(record["code"] for record in records) == ["1", "2", "2", "4"]
    assert (trial.read, trial.mapped, trial.records) == (7, 7, 4)


def result(name: str, **fields: Any) -> Json:
    """A haemoglobin."""
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "Patient/kid-1"},
        "valueQuantity": {"value": 12, "unit": "g/dL"},
        **fields,
    }


def report(name: str, *results: str, **fields: Any) -> Json:
    """A report that lists results."""
    listed = [{"reference": f"Observation/{each}"} for each in results]
    plain = {"resourceType": "DiagnosticReport", "id": name, "status": "final", "result": listed}
    return plain | {"subject": {"reference": "Patient/kid-1"}, "effectiveDateTime": "2026-03-02"} | fields


def test_results_find_their_report_and_members_their_panel_in_any_file_and_order(tmp_path: Path) -> None:
    """Before and behind; in a Bundle; the newest version of a report holds, and one entered in error says nothing."""
    day = {"effectiveDateTime": "2026-03-01"}
    new, old = {"lastUpdated": "2026-03-02T00:00:00Z"}, {"lastUpdated": "2026-03-01T00:00:00Z"}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": report("held", "h")}]}
    write(tmp_path / "a.ndjson", [result("a", **day), result("b"), result("h"), result("m", **day), result("x")])
    write(tmp_path / "b.ndjson", [report("dr", "a", "b", meta=new), report("dr", "m", meta=old), bundle])
    write(tmp_path / "c.ndjson", [report("gone", "x"), report("gone", "x", status="entered-in-error")])
    write(tmp_path / "d.ndjson", [result("p", hasMember=[{"reference": "Observation/m"}], **day)])
    records, trial = mapped(tmp_path)
    told = [(each["effective_date"], len(each.get("reports", [])), len(each.get("panels", []))) for each in records]
    assert told == [
        ("2026-03-01", 1, 0),
        ("2026-03-02", 1, 0),
        ("2026-03-02", 1, 0),
        ("2026-03-01", 0, 1),
        ("2026-03-01", 0, 0),
    ]
    assert records[3]["panels"] == [records[4]["id"]]
    assert (trial.read, trial.mapped, trial.withdrawn, trial.skipped) == (11, 9, 1, {"missing-time": 1})


def test_files_of_an_export_are_read_twice_only_where_they_may_lend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file of an export holds one type; a panel lends by one field, which most results lack."""
    twice: list[str] = []
    monkeypatch.setattr(referred, "read_batches", lambda path, cap: twice.append(path.name) or [])
    day = {"effectiveDateTime": "2026-03-01"}
    write(tmp_path / "Observation-1.ndjson", [result("a", **day)])
    write(tmp_path / "Observation-2.ndjson", [result("p", hasMember=[{"reference": "Observation/a"}], **day)])
    write(tmp_path / "DiagnosticReport.ndjson", [report("dr", "a")])
    write(tmp_path / "Patient.ndjson", [{"resourceType": "Patient", "id": "hasMember"}])
    write(tmp_path / "Patient and reports.ndjson", [report("dr", "a")])

    mapped(tmp_path)

    assert twice == ["DiagnosticReport.ndjson", "Observation-2.ndjson", "Patient and reports.ndjson"]


def test_files_of_a_folder_are_read_by_the_usual_endings_and_the_others_named(tmp_path: Path) -> None:
    """In any case, packed or not; none is passed over in silence."""
    for number, name in enumerate(
        ("a.NDJSON", "b.jsonl", "c.ldjson", "d.ndj", "e.json", "f.jsonlines", "x.txt", "y", "z.ndjson.1")
    ):
        write(tmp_path / name, [result(f"r{number}", effectiveDateTime="2026-03-01")])
    (tmp_path / "g.Ndjson.GZip").write_bytes(gzip.compress((tmp_path / "a.NDJSON").read_bytes()))
    records, trial = mapped(tmp_path)
    assert (len(records), trial.read, trial.not_read) == (7, 7, ["x.txt", "y", "z.ndjson.1"])


def test_of_several_versions_of_a_medication_the_newest_holds(tmp_path: Path) -> None:
    """Whichever comes last in the files; what was entered in error is no drug."""
    new, old = {"lastUpdated": "2026-03-02T00:00:00Z"}, {"lastUpdated": "2026-03-01T00:00:00Z"}
    write(tmp_path / "1.ndjson", [drug("m", "8640", meta=new), drug("m", "161", meta=old), order(1, "m")])
    write(
        tmp_path / "2.ndjson", [drug("gone", "5640"), drug("gone", "5640", status="entered-in-error"), order(2, "gone")]
    )
    records, trial = mapped(tmp_path)
    assert [record["code"] for record in records] == ["8640"]
    assert trial.skipped == {"unknown-medication": 1}


def test_an_order_whose_medication_did_not_come_is_no_record(tmp_path: Path) -> None:
    """Named with the field, so that the site can find the reference."""
    report = tmp_path / "problems"
    records, trial = mapped(
        write(tmp_path / "a.ndjson", [order(1, "nowhere"), order(2, "m"), drug("m", "1")]), problems=report
    )
    (problem,) = map(json.loads, report.read_text().splitlines())
    assert [record["code"] for record in records] == ["1"]
    assert (trial.read, trial.mapped) == (3, 2)
    assert (problem["reason"], problem["path"]) == (
        "unknown-medication",
        "MedicationRequest.medicationReference.reference",
    )


def reading(number: int, code: str, value: float, unit: str, **fields: Any) -> Json:
    """A reading of a child's, numbered by its day."""
    return {
        "resourceType": "Observation",
        "id": f"{code}-{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": "Patient/kid-1"},
        "effectiveDateTime": f"2024-03-{number:02}T10:00:00Z",
        "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
        **fields,
    }


def test_values_of_several_records_come_last_whatever_the_files_and_their_order(tmp_path: Path) -> None:
    """A person's weight, height and birth date in three files; of versions the newest; what was withdrawn counts not."""
    kid = {"resourceType": "Patient", "id": "kid-1", "gender": "female", "birthDate": "2014-03-02"}
    new, old = {"lastUpdated": "2026-03-02T00:00:00Z"}, {"lastUpdated": "2026-03-01T00:00:00Z"}
    write(tmp_path / "1.ndjson", [reading(2, "29463-7", 40, "kg", meta=new), reading(3, "29463-7", 41, "kg")])
    write(tmp_path / "2.ndjson", [reading(2, "8302-2", 140, "cm"), reading(3, "8302-2", 140, "cm")])
    write(
        tmp_path / "3.ndjson",
        [
            kid,
            reading(2, "29463-7", 99, "kg", meta=old),
            reading(3, "29463-7", 41, "kg", status="entered-in-error"),
        ],
    )
    out = io.BytesIO()
    trial = map_paths([tmp_path], None, out=out, derive=True)
    records = [json.loads(line)["record"] for line in out.getvalue().splitlines()]
    kinds = [record["type"] for record in records]
    assert trial.derived == kinds.count("derived_observation") == len(kinds) - kinds.index("derived_observation") > 0
    derived = {record["method"]: record for record in records if "method" in record}
    assert derived["bmi"]["value"] == round(40 / 1.96, 6)
    assert {*derived["bmi-z"]["inputs"]} <= {record["id"] for record in records}
    assert sum(record.get("method") == "height-z" for record in records) == 2
    assert map_paths([tmp_path], None, out=io.BytesIO()).derived == 0


HELD = [
    {"resourceType": "Patient", "id": "kid-1", "gender": "female", "birthDate": "2014-03-02"},
    reading(2, "8302-2", 140, "cm"),
    {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": "Patient/kid-1"},
        "period": {"start": "2024-03-09T10:00:00Z"},
    },
]


def diabetes(**fields: Any) -> Json:
    """A diagnosis."""
    return {
        "resourceType": "Condition",
        "id": "t1d",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "46635009"}]},
        "subject": {"reference": "Patient/kid-1"},
        "onsetDateTime": "2022-03-02",
        **fields,
    }


def panel(*parts: Json) -> Json:
    """Readings in one resource."""
    components = [{name: part[name] for name in ("code", "valueQuantity")} for part in parts]
    whole = reading(2, "34565-2", 0, "1")
    return {name: value for name, value in whole.items() if name != "valueQuantity"} | {"component": components}


WEIGHT = reading(2, "29463-7", 40, "kg")
PULSE = WEIGHT | {"code": reading(2, "8867-4", 1, "1")["code"]}
REFUTED = {"verificationStatus": {"coding": [{"code": "refuted"}]}}


@pytest.mark.parametrize(
    ("versions", "methods"),
    [
        ([WEIGHT, WEIGHT | {"valueQuantity": reading(2, "x", 41, "kg")["valueQuantity"]}], {"bmi", "height-z"}),
        ([WEIGHT, WEIGHT | {"status": "entered-in-error"}], {"height-z"}),
        ([WEIGHT | {"status": "entered-in-error"}, WEIGHT], {"bmi", "height-z"}),
        ([WEIGHT, PULSE], {"height-z"}),
        ([WEIGHT, {**WEIGHT, "code": {}}], {"height-z"}),
        ([diabetes(), diabetes(**REFUTED)], {"height-z"}),
        ([diabetes(**REFUTED), diabetes()], {"height-z", "diabetes-duration"}),
        ([panel(WEIGHT, PULSE), panel(PULSE)], {"height-z"}),
        ([panel(PULSE), panel(WEIGHT, PULSE)], {"bmi", "height-z"}),
    ],
)
def test_of_a_resource_the_newest_version_alone_is_derived_from(
    tmp_path: Path, versions: list[Json], methods: set[str]
) -> None:
    """Amended, withdrawn, come again, of another code, no longer usable, refuted, with a part less: in whatever order and files."""
    told = [
        version | {"meta": {"lastUpdated": f"2026-03-0{number}T00:00:00Z"}}
        for number, version in enumerate(versions, 1)
    ]
    answers = []
    for order in (told, told[::-1]):
        for split in (1, len(HELD) + 1, len(HELD) + 2):
            lines = [order[0], *HELD, order[1]]
            write(tmp_path / "1.ndjson", lines[:split])
            write(tmp_path / "2.ndjson", lines[split:])
            out = io.BytesIO()
            map_paths([tmp_path], None, out=out, derive=True)
            records = [json.loads(line)["record"] for line in out.getvalue().splitlines()]
            answers.append({record["method"]: record["value"] for record in records if "method" in record})
    assert {"bmi", "height-z", "diabetes-duration"} & answers[0].keys() == methods
    assert all(answer == answers[0] for answer in answers)


def test_a_uuid_names_a_patient_of_these_files_and_nobody_else(tmp_path: Path) -> None:
    """Left over where Bundles were cut into lines: another Bundle's patient is not made from it."""
    here, elsewhere = "7d3f1c52-90ab-4e6d-8f21-b35c70e4a918", "1d0e9b7c-42aa-4f0e-9c55-6d8e7f201344"
    day = {"effectiveDateTime": "2026-03-01"}
    readings = [result(name, subject={"reference": f"urn:uuid:{name}"}, **day) for name in (here, elsewhere)]
    write(tmp_path / "Observation.ndjson", readings)
    write(tmp_path / "Patient.ndjson", [{"resourceType": "Patient", "id": here, "birthDate": "2014-02-03"}])
    records, trial = mapped(tmp_path)
    assert len({record["subject"] for record in records}) == 1
    assert (len(records), trial.skipped) == (2, {"missing-subject": 1})


def at_tier(tier: int, *paths: Path) -> tuple[list[Json], Trial]:
    out = io.BytesIO()
    trial = map_paths(paths, None, out=out, tier=tier)
    return [json.loads(line) for line in out.getvalue().splitlines()], trial


def test_what_leaves_is_shown_by_tier_and_adds_up(tmp_path: Path) -> None:
    """A teenager's depression to the registry alone; days by their year; no provenance; the patient may come last."""
    icd = "http://hl7.org/fhir/sid/icd-10-cm"
    for number, code in enumerate(("E84.0", "F32.1")):
        condition = {
            "resourceType": "Condition",
            "id": f"c{number}",
            "subject": {"reference": "Patient/kid-1"},
            "code": {"coding": [{"system": icd, "code": code}]},
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "onsetDateTime": "2025-03-02T10:00:00Z",
            "encounter": {"reference": "Encounter/e-1"},
        }
        write(tmp_path / f"Condition-{number}.ndjson", [condition])
    address = [{"postalCode": "45229", "country": "US"}]
    write(
        tmp_path / "Patient.ndjson",
        [{"resourceType": "Patient", "id": "kid-1", "birthDate": "2010-06-15", "gender": "male", "address": address}],
    )
    registry, trial = at_tier(1, tmp_path)
    assert (len(registry), trial.leaving.total(), trial.held) == (3, 3, {})
    research, trial = at_tier(2, tmp_path)
    assert (trial.records, trial.leaving, trial.held) == (3, {"condition": 1, "person": 1}, {"condition": 1})
    condition, person = (each["record"] for each in research)
    assert [set(each) for each in research] == [{"record"}, {"record"}]
    assert (condition["icd10cm"], condition["onset_date"], "onset" in condition) == ("E84.0", "2025", False)
    assert (person["birth_date"], person["zip5"]) == ("2010", "452")
    assert condition["subject"] == person["subject"] != registry[0]["record"]["subject"]
    assert condition["encounter"].startswith("x-")
    published, trial = at_tier(3, tmp_path)
    assert (len(published), trial.held) == (2, {"condition": 1})
    assert [
        name for each in published for name in each["record"] if name in ("id", "subject", "birth_date", "site")
    ] == []


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("2010-06-15", "2010"),
        ("2010", "2010"),
        ("1901-01-01", None),
        ("2010-06-15T10:00:00Z", None),
        (
            [{"start_date": "2010-06-15", "start": "2010-06-15T10:00:00Z", "code": "26643006", "dose": 1.5}],
            [{"start_date": "2010", "code": "26643006", "dose": 1.5}],
        ),
        (["2010-06-15", "1901"], ["2010"]),
    ],
)
def test_days_leave_by_their_year_wherever_they_stand(value: Any, told: Any) -> None:
    """A year that tells an age over 89 does not leave, nor an instant; a code of digits is no day."""
    assert tiers.years(value, since=1937) == told
