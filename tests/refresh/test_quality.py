"""A night judges the persons it touched: told in its report and its event, by check, without a word of any person."""

from collections.abc import Callable
from pathlib import Path

import pytest
from judged_children import HEIGHT, WEIGHT, clinic, times
from network_under_test import Network
from synthetic_children import Resource, deliver

import transforms.quality
from mainstem import refresh as steps
from mainstem.commands.run import print_report
from mainstem.consumer.tail import Seen
from mainstem.refresh import quality
from mainstem.refresh.quality import judge_site
from schemas.errors import OperatorError
from schemas.loads import load_topic

TYPES = ["Patient", "Condition", "Encounter", "Observation"]
CHILDREN = clinic(8)


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    """A clinic of eight children, without a fault."""
    deliver(CHILDREN, tmp_path / "delivery")
    return tmp_path / "delivery"


@pytest.fixture
def site(lhn: Network, delivery: Path) -> Path:
    """The site of that folder, read once."""
    path = lhn.files_site("west", delivery, types=TYPES)
    assert lhn.refresh(path).quality is None
    return path


def corrected(delivery: Path, code: str, factor: float, such: Callable[[Resource], bool]) -> None:
    """The hospital sends everything again, some readings with other numbers."""
    deliver(times(CHILDREN, code, factor, such), delivery)


def of_visit_5(*children: int) -> Callable[[Resource], bool]:
    """Whether a reading is of the fifth visit of one of some children."""
    return lambda each: each["id"].startswith(tuple(f"kid-{number}-visit-5-" for number in children))


def last_event(lhn: Network) -> Seen:
    """The newest event on the load topic."""
    return lhn.events(load_topic)[-1]


@pytest.mark.slow
def test_a_night_tells_what_is_implausible_of_those_it_touched(lhn: Network, site: Path, delivery: Path) -> None:
    """Two heights in inches: in the report, in its one line, in the event; each check that looked says at how many."""
    corrected(delivery, HEIGHT, 1 / 2.54, of_visit_5(3, 4))
    report = lhn.refresh(site)
    told = report.quality
    assert told is not None
    assert (told.touched, told.judged) == (2, 2)
    assert told.found["height-falling"] == 2
    assert told.looked["weight-unit"] > 0
    assert "after-death" not in told.looked
    with steps.open_refresh(site, lhn.settings) as refresh:
        line = steps.verdict(refresh, report.load)[0]
    assert "2 × height-falling" in line
    assert "were judged" not in line
    event = last_event(lhn)
    assert event.raw is not None
    assert b'"height-falling":2' in event.raw
    assert b"kid-" not in event.raw


def test_a_night_without_changes_judges_nobody(lhn: Network, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read for it, and nothing is said to have passed."""
    monkeypatch.setattr(transforms.quality, "shipped", lambda: pytest.fail("checks were asked"))
    assert lhn.refresh(site).quality is None


@pytest.mark.parametrize(
    ("factor", "found"), [(1.01, ""), (2.2046, "2 × weight-unit, ")], ids=["nothing-found", "found"]
)
def test_a_night_judges_no_more_than_it_has_time_for(
    lhn: Network,
    site: Path,
    delivery: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    factor: float,
    found: str,
) -> None:
    """Of all who were touched some are judged, whole, and it is said how many of how many, whatever was found of them."""
    monkeypatch.setattr(quality, "_RECORDS", 100)
    monkeypatch.setattr(quality, "_PERSONS", 2)
    corrected(delivery, WEIGHT, factor, of_visit_5(*range(8)))
    report = lhn.refresh(site)
    told = report.quality
    assert told is not None
    assert (told.touched, told.judged, bool(told.found)) == (8, 2, bool(found))
    with steps.open_refresh(site, lhn.settings) as refresh:
        line = steps.verdict(refresh, report.load)[0]
    assert f"{found}2 of 8 persons touched were judged (see `mainstem quality`)" in line
    print_report(report)
    assert "judged 2 of 8 persons touched: `mainstem quality --site west` judges all" in capsys.readouterr().out


def test_a_site_is_judged_whole_after_its_loads(lhn: Network, site: Path, delivery: Path) -> None:
    """By the state alone, as it stands; before the first load that completes there is nothing to judge."""
    corrected(delivery, WEIGHT, 2.2046, of_visit_5(2, 5, 6))
    lhn.refresh(site)
    with steps.open_refresh(site, lhn.settings) as refresh:
        load, judged = judge_site(refresh.store, "west", refresh.clock())
        with pytest.raises(OperatorError, match="no load has completed"):
            judge_site(refresh.store, "south", refresh.clock())
    assert load.startswith("west/")
    assert judged.persons == 8
    found = {result.name: sum(line.found for _, line in result.lines) for result in judged.results}
    assert found["weight-unit"] == 3
