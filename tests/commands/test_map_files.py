"""`mainstem map`: files in, records out, whatever order they come in."""

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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
