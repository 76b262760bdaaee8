"""Times as systems write them: each answer stated, each doubt flagged, none guessed."""

import json
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.problems import Reason
from transforms import Mapper
from transforms.fhir.times import moment

ZONE = ZoneInfo("America/New_York")


def site(**options: Any) -> Mapper:
    return Mapper(site="north", time_zone="America/New_York", subject_key=b"k" * 32, today=date(2026, 4, 1), **options)


def temperature(**fields: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "t1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]},
        "subject": {"reference": "Patient/p1"},
        "valueQuantity": {"value": 37, "system": "http://unitsofmeasure.org", "code": "Cel"},
    } | fields


def times(resource: dict[str, Any], **options: Any) -> tuple[str | None, str | None, list[str]]:
    (record,) = site(**options).map_line(json.dumps(resource).encode()).records
    content, provenance = json.loads(record.content), json.loads(b"{" + record.provenance + b"}")
    return content.get("effective"), content.get("effective_date"), provenance.get("flags", [])


@pytest.mark.parametrize(
    ("written", "utc", "day", "flags"),
    [
        ("2026-03-02T24:00:00Z", "2026-03-03T00:00:00Z", "2026-03-02", ("time-repaired",)),
        ("2026-03-02T24:00-05:00", "2026-03-03T05:00:00Z", "2026-03-03", ("time-repaired",)),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z", "2016-12-31", ("time-repaired",)),
        ("2026-03-02T09:10:00-0500", "2026-03-02T14:10:00Z", "2026-03-02", ("time-repaired",)),
        ("2026-03-02T09:10-05:00", "2026-03-02T14:10:00Z", "2026-03-02", ("time-repaired",)),
        ("2026-03-02T09:10:00", "2026-03-02T14:10:00Z", "2026-03-02", ("time-zone-assumed",)),
        ("2026-03-08T02:30:00", "2026-03-08T07:30:00Z", "2026-03-08", ("time-zone-assumed", "time-in-gap")),
        ("2026-11-01T01:30:00", "2026-11-01T05:30:00Z", "2026-11-01", ("time-zone-assumed", "time-ambiguous")),
        ("2026-03-02T00:00:00Z", "2026-03-02T00:00:00Z", "2026-03-01", ("midnight-utc",)),
        ("2026-03-02T00:00:00.000+00:00", "2026-03-02T00:00:00Z", "2026-03-01", ("midnight-utc",)),
        ("2026-03-02T00:00:00-05:00", "2026-03-02T05:00:00Z", "2026-03-02", ()),
        ("2026-03-02T00:00:01Z", "2026-03-02T00:00:01Z", "2026-03-01", ()),
    ],
)
def test_each_odd_time_has_its_answer(written: str, utc: str, day: str, flags: tuple[str, ...]) -> None:
    """24:00 is the next day's midnight, a leap second the one before, a gap is read by the clock that was not put on."""
    assert tuple(moment(written, ZONE)) == (utc, day, flags)


@pytest.mark.parametrize(
    "written",
    ["2026-03-02T24:01:00Z", "2026-W10-1T09:00:00Z", "2026-03-02T09", "2026-03-02T09:10:00+5", "9999-12-31T24:00:00Z"],
)
def test_what_is_no_time_is_refused(written: str) -> None:
    """Python's own reader takes weeks and hours alone; FHIR does not."""
    with pytest.raises(ValueError, match=r"."):
        moment(written, ZONE)


def test_a_site_that_writes_dates_as_midnight_says_so() -> None:
    """Then they stay on their day, without an instant."""
    written = temperature(effectiveDateTime="2026-03-02T00:00:00Z")
    assert times(written) == ("2026-03-02T00:00:00Z", "2026-03-01", ["midnight-utc"])
    assert times(written, midnight_is_date=True) == (None, "2026-03-02", [])
    period = temperature(effectivePeriod={"start": "2026-03-02T00:00:00.000Z"})
    assert times(period, midnight_is_date=True) == (None, "2026-03-02", [])
    assert site().identity("Observation") != site(midnight_is_date=True).identity("Observation")


@pytest.mark.parametrize("written", ["2126-03-02", "2126-03-02T09:10:00Z", "2126-03-02T09:10:00-05:00"])
def test_what_was_seen_in_the_future_is_flagged(written: str) -> None:
    """Nobody has a temperature next century."""
    assert times(temperature(effectiveDateTime=written))[2] == ["future"]
    assert times(temperature(effectivePeriod={"start": written}))[2] == ["future"]
    assert times(temperature(effectiveDateTime="2026-04-01T23:59:00-12:00"))[2] == []


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_a_filler_is_no_time(year: str) -> None:
    """A database's first or last date says that there is none."""
    for written in (f"{year}-01-01", f"{year}-01-01T00:00:00Z", f"{year}-01-01T10:10:10Z"):
        assert times(temperature(effectiveDateTime=written)) == (None, None, ["time-filler"])


def test_without_an_effective_time_the_time_of_issue_stands_for_it() -> None:
    """Flagged; an end alone stands for a start. Without any, nobody knows when."""
    issued = temperature(issued="2026-03-02T09:10:00Z")
    assert times(issued) == ("2026-03-02T09:10:00Z", "2026-03-02", ["time-issued"])
    assert times(issued | {"effectiveDateTime": "2026-03-01"}) == (None, "2026-03-01", [])
    assert times(issued | {"effectivePeriod": {}}) == ("2026-03-02T09:10:00Z", "2026-03-02", ["time-issued"])
    ended = temperature(effectivePeriod={"end": "2026-03-02T09:10:00Z"})
    assert times(ended) == ("2026-03-02T09:10:00Z", "2026-03-02", ["time-end"])
    problem = site().map_line(json.dumps(temperature()).encode()).problem
    assert problem is not None
    assert problem.reason is Reason.MISSING_TIME


def born(written: str, zone: str) -> tuple[str, list[str]]:
    mapper = Mapper(site="north", time_zone=zone, subject_key=b"k" * 32, today=date(2026, 4, 1))
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": written}
    (record,) = mapper.map_line(json.dumps(patient).encode()).records
    provenance = json.loads(b"{" + record.provenance + b"}")
    return json.loads(record.content)["birth_date"], provenance.get("flags", [])


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("Europe/Berlin", "2019-11-04T23:00:00Z"),
        ("Europe/Berlin", "2019-11-04T23:00:00.000+0000"),
        ("Europe/Athens", "2019-11-04 22:00:00+00:00"),
        ("Asia/Kolkata", "2019-11-04T18:30:00Z"),
        ("Pacific/Auckland", "2019-11-04T11:00:00Z"),
        ("America/New_York", "2019-11-05T05:00:00Z"),
        ("America/New_York", "2019-11-05T00:00:00Z"),
        ("Europe/Berlin", "2019-11-05T00:00:00+01:00"),
        ("Europe/Berlin", "2019-11-05T00:00:00"),
        ("Asia/Tokyo", "2019-11-05T12:00:00Z"),
        ("Pacific/Auckland", "2019-11-05T12:00:00Z"),
        ("America/New_York", "2019-11-05T17:45:00Z"),
    ],
)
def test_a_birth_date_written_as_a_time_is_the_day_that_is_meant(zone: str, written: str) -> None:
    """Programs that hold a day as its midnight write, where clocks show more than in Greenwich, an hour of the day before."""
    day, flags = born(written, zone)
    assert (day, [flag for flag in flags if flag != "repaired:birthDate"]) == ("2019-11-05", [])
    assert ("repaired:birthDate" in flags) == (not written.startswith("2019-11-05"))


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("America/New_York", "2019-11-05T02:30:00Z"),
        ("America/Los_Angeles", "2019-11-05T05:00:00Z"),
        ("Asia/Tokyo", "2019-11-05T22:00:00Z"),
    ],
)
def test_a_birth_date_that_may_be_of_another_day_is_flagged(zone: str, written: str) -> None:
    """A time of birth, or midnight of another place: nobody knows."""
    assert born(written, zone) == ("2019-11-05", ["birth-date-doubtful"])


def test_midnight_of_summer_and_of_long_ago_is_that_days() -> None:
    """By the clocks of then."""
    assert born("2019-06-04T22:00:00Z", "Europe/Berlin")[0] == "2019-06-05"
    assert born("1975-06-30T23:00:00Z", "Europe/Berlin")[0] == "1975-07-01"
