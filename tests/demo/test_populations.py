"""The demo's children: reproducible, with the four conditions, and measured often enough for a control chart."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mainstem.demo.cohorts import HospitalPlan
from mainstem.demo.populations import Populations, bmi_percentile, populations

TODAY = date(2026, 9, 14)
SMALL = HospitalPlan(
    "prairie",
    "A small hospital",
    "files",
    "America/Denver",
    {"cystic-fibrosis": 2, "inflammatory-bowel-disease": 1, "asthma": 1, "type-1-diabetes": 1},
)
SNOMED = {"190905008", "195967001", "46635009"}
INFLAMMATORY_BOWEL_DISEASE = {"34000006", "64766004"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Populations:
    return populations(tmp_path_factory.mktemp("first"), today=TODAY, hospitals=[SMALL], processes=2)


def resources(made: Populations, hospital: str = "prairie") -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in made.lines(hospital))


def codes(resource: dict[str, Any]) -> set[str]:
    return {coding["code"] for coding in resource.get("code", {}).get("coding", [])}


@pytest.mark.slow
def test_same_seed_gives_the_same_bytes_whatever_the_processes(made: Populations, tmp_path: Path) -> None:
    """A second population of the same seed and day, made by one process instead of two, is the same byte for byte."""
    again = populations(tmp_path, today=TODAY, hospitals=[SMALL], processes=1)
    assert list(again.lines("prairie")) == list(made.lines("prairie"))
    assert list(again.lines("prairie.newcomer")) == list(made.lines("prairie.newcomer"))
    assert made.count("prairie", "Patient") == 5


def test_kept_population_is_used_again_for_the_rest_of_the_month(made: Populations) -> None:
    """A start later in the month generates nothing."""
    state = made.folder.parent.parent
    before = (made.folder / "complete").stat().st_mtime_ns
    later = populations(state, today=date(2026, 9, 30), hospitals=[SMALL])
    assert later.folder == made.folder
    assert (later.folder / "complete").stat().st_mtime_ns == before


def test_children_have_the_four_conditions(made: Populations) -> None:
    """Cystic fibrosis twice, asthma, type 1 diabetes and Crohn's disease or ulcerative colitis once each."""
    found = Counter(code for item in resources(made) if item["resourceType"] == "Condition" for code in codes(item))
    assert {code: found[code] for code in SNOMED} == {"190905008": 2, "195967001": 1, "46635009": 1}
    assert sum(found[code] for code in INFLAMMATORY_BOWEL_DISEASE) == 1


def test_children_with_cystic_fibrosis_are_measured_every_quarter(made: Populations) -> None:
    """Each has a body mass index percentile in at least seven of the last eight quarters, between 0 and 100."""
    ill = {item["subject"]["reference"] for item in resources(made) if "190905008" in codes(item)}
    quarters: dict[str, set[int]] = {child: set() for child in ill}
    for item in resources(made):
        if "59576-9" in codes(item) and item["subject"]["reference"] in ill:
            assert 0 <= item["valueQuantity"]["value"] <= 100
            age = (TODAY - date.fromisoformat(item["effectiveDateTime"][:10])).days // 92
            quarters[item["subject"]["reference"]].add(age)
    assert len(quarters) == 2
    for seen in quarters.values():
        assert len(seen & set(range(8))) >= 7


def test_every_reference_points_to_a_delivered_resource(made: Populations) -> None:
    """Patients and encounters that resources name are there, and nothing lies in the future."""
    there = {f"{item['resourceType']}/{item['id']}" for item in resources(made)}
    for item in resources(made):
        for key in ("subject", "patient", "encounter", "context"):
            if key in item:
                assert item[key]["reference"] in there
        assert item.get("effectiveDateTime", "")[:10] <= TODAY.isoformat()


def test_newcomer_is_nobody_of_day_one(made: Populations) -> None:
    """Day two's child is one more patient, with visits and measurements."""
    first_day = {item["id"] for item in resources(made) if item["resourceType"] == "Patient"}
    counts = Counter(item["resourceType"] for item in resources(made, "prairie.newcomer"))
    newcomer = next(item["id"] for item in resources(made, "prairie.newcomer") if item["resourceType"] == "Patient")
    assert newcomer not in first_day
    assert counts["Patient"] == 1
    assert counts["Observation"] > 20


def test_bmi_percentile_agrees_with_the_published_chart() -> None:
    """CDC 2000: at 120.5 months the boys' median is 16.6 and the 95th percentile 22.1; none below two years."""
    assert bmi_percentile(16.6, "M", 120) == pytest.approx(50, abs=2)
    assert bmi_percentile(22.1, "M", 120) == pytest.approx(95, abs=1)
    assert bmi_percentile(16.6, "M", 20) is None
