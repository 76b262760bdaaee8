"""Patients whom no search gives any more, where only changes are read: who is looked for, and what an answer proves."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hospital_with_faults import Answered, Asked, FaultyHospital

from connectors import combined
from connectors.landing import LandingZone
from connectors.pulling import pull
from connectors.source import Source, Wanted
from schemas.sites import Site

SINCE = datetime.fromisoformat("2029-01-01T00:00:00+00:00")


@pytest.fixture
def cerner(faulty: FaultyHospital, make_site: Callable[..., Site], fhir: Any) -> Site:
    """A hospital of thirty patients whose server gives combined ones by read alone."""
    faulty.understands.add("_id")
    faulty.put(*(fhir.patient(number, meta={"lastUpdated": "2028-01-01T00:00:00Z"}) for number in range(30)))
    return make_site(fhir={"base_url": faulty.base_url, "vendor": "cerner"})


@pytest.fixture
def nights(
    cerner: Site, tmp_path: Path, source_of: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Any]:
    """A full read, then of changes alone, each with a landing of its own; five patients a search, three searches a night."""
    monkeypatch.setattr(combined, "TOGETHER", 5)
    monkeypatch.setattr(combined, "SEARCHES", 3)
    zone, loads = LandingZone(tmp_path / "zone", "north"), iter(range(10, 60))

    def night() -> Any:
        number = next(loads)
        landing = zone.of(f"north/2030-01-01T00:00:{number}Z")
        since = None if number == 10 else SINCE
        return pull(source_of(cerner), Wanted(unit="Patient", landing=landing, since=since))

    return night


def looked_for(faulty: FaultyHospital, begin: int) -> list[set[str]]:
    """Whom each search by id was for."""
    searches = [asked for asked in faulty.asked[begin:] if asked.path == "Patient" and asked.value("_id")]
    return [set(asked.value("_id").split(",")) for asked in searches]


def test_as_many_as_a_night_takes_are_looked_for_and_the_next_goes_on(
    faulty: FaultyHospital, nights: Callable[[], Any]
) -> None:
    assert nights().resources == 30
    whole = set[str]()
    for _ in range(2):
        begin = len(faulty.asked)
        nights()
        sets = looked_for(faulty, begin)
        assert [len(each) for each in sets] == [5, 5, 5]
        whole |= set().union(*sets)
    assert whole == {f"p{number}" for number in range(30)}


def test_who_is_not_found_is_read_and_an_answer_that_finds_nobody_proves_nothing(
    faulty: FaultyHospital, nights: Callable[[], Any], fhir: Any
) -> None:
    nights()
    gone = [each for each in faulty.resources["Patient"] if each["id"] in ("p1", "p12")]
    faulty.resources["Patient"] = [each for each in faulty.resources["Patient"] if each not in gone]
    read = {f"Patient/{each['id']}": each | {"active": False} for each in gone}
    faulty.faults.append(lambda asked: Answered(read[asked.path]) if asked.path in read else None)
    silent = Answered({"resourceType": "Bundle", "type": "searchset"})

    def ignores(asked: Asked) -> Answered | None:
        return silent if asked.path == "Patient" and asked.value("_id") else None

    faulty.faults.append(ignores)
    assert nights().resources == 0
    faulty.faults.remove(ignores)
    assert sum(nights().resources for _ in range(2)) == 2
