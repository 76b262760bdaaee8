"""Somebody who looks on sees how many came, how fast, and how long it will take."""

import gzip
import io
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hospital_with_faults import FaultyHospital
from rich.console import Console

from connectors.landing import LandingZone
from connectors.pulled import EXPORT
from connectors.pulling import Wanted, pull
from mainstem.commands.progress import Pace, bars, told
from schemas.sites import Site


class Clock:
    """Moves as it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rate_and_time_left_follow_what_came() -> None:
    """1,000 in 10 s of 4,000: half a minute to go; then the server falls to a tenth, and a minute later it shows."""
    clock = Clock()
    pace = Pace(clock)
    pace.tell(0)
    assert (pace.rate, pace.left(4_000)) == (0, None)
    clock.now = 10
    pace.tell(1_000)
    assert told(pace, 1_000, 4_000).split() == ["1,000", "of", "4,000", "100/s", "30", "s", "left"]
    for _ in range(60):
        clock.now += 1
        pace.tell(1_000 + 10 * int(clock.now - 10))
    assert round(pace.rate) == 10
    assert told(pace, 1_600, 400_000).split()[-3:] == ["11.1", "h", "left"]
    assert told(pace, 1_600, 4_000).split()[-3:] == ["4", "min", "left"]


def test_what_cannot_be_told_is_left_out_and_a_new_beginning_counts_anew() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.tell(500)
    assert told(pace, 500, None).split() == ["500"]
    clock.now = 5
    pace.tell(100)
    assert (pace.rate, pace.left(50)) == (0, None)


def test_a_line_fits_a_terminal_of_80_columns() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, markup=False)
    with bars(console) as show:
        show("pull", "Observation", 200, 12_345_678)
        show("pull", "Observation", 12_345, 12_345_678)
        show("publish", "events", 12)
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).splitlines()
    assert any("pull Observation" in line and "12,345 of 12,345,678" in line and "/s" in line for line in lines)
    assert max(map(len, lines)) <= 80


@pytest.fixture
def seen() -> list[tuple[str, int, int | None]]:
    """What was told of a pull: unit, how many came, how many there will be."""
    return []


@pytest.fixture
def pulled(
    source_of: Callable[..., Any], tmp_path: Path, seen: list[tuple[str, int, int | None]]
) -> Callable[[Site, str], None]:
    """Pulls a unit, telling `seen`."""

    def run(site: Site, unit: str) -> None:
        landing = LandingZone(tmp_path, "north").of("load")
        pull(source_of(site), Wanted(unit=unit, landing=landing, progress=lambda *told: seen.append(told)))

    return run


@pytest.mark.parametrize(("counts", "of"), [(True, {10}), (False, {None, 10})])
def test_a_search_tells_how_many_there_will_be(
    faulty: FaultyHospital, make_site: Any, pulled: Any, seen: Any, counts: bool, of: set[int | None]
) -> None:
    """As the server counts; where it does not count, only how many came."""
    faulty.put(*({"resourceType": "Patient", "id": f"p{number}", "meta": {}} for number in range(10)))
    faulty.counts = counts
    pulled(make_site(fhir={"base_url": faulty.base_url, "page_size": 4}, road="search"), "Patient")
    assert [count for _, count, _ in seen][:3] == [4, 8, 10]
    assert {expected for _, _, expected in seen} <= of


@pytest.mark.parametrize("packed", [False, True])
def test_a_large_file_tells_on_the_way_how_far_it_is(
    make_site: Any, pulled: Any, seen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    """By its bytes, packed or not."""
    monkeypatch.setattr("connectors.roads.files.TOLD_EVERY", 100_000)
    (tmp_path / "in").mkdir()
    drawn = random.Random(26)
    line = '{{"resourceType":"Patient","id":"p{}","meta":{{"tag":[{{"code":"{}"}}]}}}}\n'
    lines = "".join(line.format(number, drawn.randbytes(60).hex()) for number in range(30_000)).encode()
    path = tmp_path / "in" / ("Patient.ndjson.gz" if packed else "Patient.ndjson")
    path.write_bytes(gzip.compress(lines, 1) if packed else lines)
    pulled(make_site(files={"folder": "in", "settle_seconds": 0}), "Patient")
    assert seen[-1] == ("Patient", 30_000, 30_000)
    assert len(seen) > 2
    assert all(expected is not None and 20_000 < expected < 40_000 for _, _, expected in seen[1:])


def test_an_export_tells_what_its_manifest_counts(
    exports: Any, faulty: FaultyHospital, make_site: Any, pulled: Any, seen: Any
) -> None:
    for name, number in (("Patient", 4), ("Condition", 6)):
        about = {"resourceType": name, "subject": {"reference": "Patient/1"}}
        faulty.put(*({**about, "id": f"{name}{each}"} for each in range(number)))
    pulled(make_site(fhir={"base_url": faulty.base_url}, road="bulk", types=["Patient", "Condition"]), EXPORT)
    assert [(count, of) for _, count, of in seen] == [(4, 10), (10, 10)]
