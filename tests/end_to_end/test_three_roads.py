"""From three hospitals to a registry, by search, bulk export and files; then the changes of a second day."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from network_under_test import Network
from synthetic_children import PLANTED, RECORDS_A_CHILD, child, children, deliver

from mainstem.demo.embedded import Hospital
from schemas.events import outcome_topic
from schemas.loads import LoadEvent, load_topic
from schemas.outcomes import MAPPED_TYPES, record_type_of

TYPES = {record_type_of(name) for name in MAPPED_TYPES}


def current(lhn: Network) -> Counter[str]:
    """Records in the registry by site."""
    rows = [row for name in TYPES for row in lhn.registry(f"select site, count(*) from {name} group by site")]
    total: Counter[str] = Counter()
    for site, count in rows:
        total[site] += count
    return total


@pytest.fixture
def sites(lhn: Network, hospital: Callable[..., Hospital], tmp_path: Path):
    """Three hospitals: one searched, one exported, one that delivers files."""
    deliver(children(5, first=21), tmp_path / "west")
    north = hospital(children(2, first=1), name="north", smart=True, algorithm="ES384")
    south = hospital(children(3, first=11), name="south", smart=True, algorithm="RS384")
    return (
        (lhn.server_site("north", north, "search"), north),
        (lhn.server_site("south", south, "bulk"), south),
        (lhn.files_site("west", tmp_path / "west"), None),
    )


def test_three_hospitals_reach_the_registry_and_only_changes_travel_afterwards(
    lhn: Network, sites, tmp_path: Path
) -> None:
    """The whole path, the day after, and a third run with nothing changed."""
    (north, north_server), (south, south_server), (west, _) = sites
    first = [lhn.refresh(site) for site in (north, south, west)]
    assert [report.status for report in first] == ["completed"] * 3
    assert [report.published for report in first] == [RECORDS_A_CHILD * n for n in (2, 3, 5)]
    assert all(counts.adds_up() for report in first for counts in report.types.values())
    loads = [LoadEvent.model_validate_json(event.raw or b"") for event in lhn.events(load_topic)]
    completed = {load.site: load for load in loads if load.event == "completed"}
    assert {site: load.published for site, load in completed.items()} == {
        report.site: report.published for report in first
    }
    assert all(counts.adds_up() for load in completed.values() for counts in load.types.values())
    assert all(len(load.watermarks) == 7 for load in completed.values())
    assert lhn.consume() == RECORDS_A_CHILD * 10
    assert current(lhn) == {"north": RECORDS_A_CHILD * 2, "south": RECORDS_A_CHILD * 3, "west": RECORDS_A_CHILD * 5}

    corrected = north_server.read("Observation", "kid7q-1-visit-1-bmi")
    corrected["valueQuantity"]["value"] = 71.5
    corrected["status"] = "corrected"
    north_server.put(corrected)
    mistaken = south_server.read("Observation", "kid7q-11-visit-2-bp")
    mistaken["status"] = "entered-in-error"
    south_server.put(mistaken)
    deliver(child(99), tmp_path / "west", suffix="-day-two")

    before = len(lhn.events())
    second = [lhn.refresh(site) for site in (north, south, west)]
    travelled = Counter((event.site, event.operation) for event in lhn.events())
    assert len(lhn.events()) - before == 1 + 3 + RECORDS_A_CHILD
    assert travelled[("north", "amended")] == 1
    assert travelled[("south", "withdrawn")] == 3, "the panel and its two components"
    assert travelled[("west", "recorded")] == RECORDS_A_CHILD * 6
    assert sum(report.published for report in second) == 1 + 3 + RECORDS_A_CHILD
    lhn.consume()
    assert current(lhn) == {"north": RECORDS_A_CHILD * 2, "south": RECORDS_A_CHILD * 3 - 3, "west": RECORDS_A_CHILD * 6}
    assert lhn.registry("select value, status from observation where value = 71.5")[0][1] == "corrected"

    third = [lhn.refresh(site) for site in (north, south, west)]
    assert [report.published for report in third] == [0, 0, 0]
    assert len(lhn.events()) == before + 1 + 3 + RECORDS_A_CHILD


@pytest.mark.slow
def test_what_identifies_a_child_leaves_the_site_nowhere(
    lhn: Network, sites, capfd: pytest.CaptureFixture[str]
) -> None:
    """Byte search in events, keys, headers, logs, status and the trial mapping's output."""
    outputs = [lhn.mainstem("--log", "json", "run", site) for site, _ in sites]
    assert [done.returncode for done in outputs] == [0, 0, 0], [done.stderr for done in outputs]
    trial = lhn.mainstem("map", "--site", sites[2][0], lhn.folder / "west")
    status = lhn.mainstem("status", "--json")
    said = [done.stdout + done.stderr for done in (*outputs, trial, status)]
    travelled = [event.json() for topic in (outcome_topic, load_topic) for event in lhn.events(topic)]
    assert len(travelled) >= 10 * RECORDS_A_CHILD + 6
    for planted in PLANTED:
        for text in (*said, *travelled):
            assert planted.decode() not in text
