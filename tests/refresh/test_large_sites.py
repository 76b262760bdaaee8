"""Sites of unusual size: a patient of a hundred thousand resources, a delivery of twenty thousand files; both within bounds."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hospital_with_faults import FaultyHospital

from mainstem.refresh import Refresh, derive, map_types, plan, pull_units

pytestmark = [pytest.mark.large, pytest.mark.timeout(1200)]

RESOURCES = 100_000
FILES = 20_000


def weight(number: int) -> dict[str, Any]:
    """One of very many of one child's."""
    coding = {"system": "http://loinc.org", "code": "29463-7"}
    return {
        "resourceType": "Observation",
        "id": f"w-{number}",
        "meta": {"lastUpdated": "2026-03-01T00:00:00Z"},
        "status": "final",
        "code": {"coding": [coding]},
        "subject": {"reference": "Patient/kid-1"},
        "effectiveDateTime": f"20{10 + number % 15}-0{1 + number % 9}-1{number % 10}T08:{number % 60:02d}:00Z",
        "valueQuantity": {"value": 20 + number % 40, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    }


def steps(refresh: Refresh) -> tuple[Any, float]:
    """Figures of a load up to its derived values, and the processor's seconds it took."""
    began = time.process_time()
    load = plan(refresh).load
    pull_units(refresh, load, refresh.store.loads.get(load).plan.units)
    counts = map_types(refresh, load, refresh.store.loads.get(load).plan.types)
    derive(refresh, load)
    return counts, time.process_time() - began


def test_a_hundred_thousand_resources_of_one_patient(
    make_refresh: Callable[..., Refresh], faulty: FaultyHospital
) -> None:
    """By search, a page of a thousand at a time; and none of its steps looks at each with each."""
    faulty.understands |= {"_id", "patient"}
    faulty.resources["Observation"] = [weight(number) for number in range(RESOURCES)]
    faulty.put({"resourceType": "Patient", "id": "kid-1", "birthDate": "2009-01-01"})
    source = f'[fhir]\nbase_url = "{faulty.base_url}"\npage_size = 1000\nrequests_per_second = 1000\n'
    counts, seconds = steps(make_refresh(source, road="search", types=["Patient", "Observation"]))
    assert (counts.read, counts.recorded) == (RESOURCES + 1, RESOURCES + 1)
    assert seconds < 240


def test_twenty_thousand_small_files(make_refresh: Callable[..., Refresh], tmp_path: Path) -> None:
    """A file a patient and type, as some exports are: each is opened a few times, not once for every type."""
    refresh = make_refresh(types=["Patient", "Observation"])
    for number in range(FILES):
        folder = tmp_path / "delivery" / f"{number % 100:02d}"
        folder.mkdir(exist_ok=True)
        line = weight(number) if number else {"resourceType": "Patient", "id": "kid-1", "birthDate": "2009-01-01"}
        (folder / f"{number}.{line['resourceType']}.ndjson").write_text(json.dumps(line) + "\n")
    counts, seconds = steps(refresh)
    assert (counts.read, counts.recorded) == (FILES, FILES)
    assert seconds < 240
