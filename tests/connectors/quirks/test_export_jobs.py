"""A job belongs to the site: it outlives the load that began it, and is given back whenever it is given up."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from exporting import Exports
from hospital_with_faults import Answered, FaultyHospital

from connectors.landing import LandingZone
from connectors.pulling import Source, Wanted, pull
from schemas.errors import TemporaryError
from schemas.sites import Site

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
BUSY = Answered({}, 202)


def failing(severity: str, status: int = 500) -> Answered:
    """An error of the status, with a patient's name."""
    return Answered(
        {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "diagnostics": "Roe"}]}, status
    )


class Clock:
    """Goes on by what is waited."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(faulty: FaultyHospital, exports: Exports, make_site: Callable[..., Site], fhir: Any) -> Site:
    """A hospital of three patients that keeps one job a client."""
    faulty.put(*(fhir.patient(number) for number in range(3)))
    return make_site(road="bulk", fhir={"base_url": faulty.base_url, "bulk_wait_minutes": 10})


@pytest.fixture
def load(tmp_path: Path, source_of: Callable[..., Source], clock: Clock, site: Site) -> Callable[..., Any]:
    """The pull of a load of its own, each time it is called."""
    zone, loads = LandingZone(tmp_path / "zone", "north"), iter(range(100))

    def run(of: Site = site, unit: str = "export", **wanted: Any) -> Any:
        landing = zone.of(f"north/2030-01-01T00:00:{next(loads):02d}Z")
        return pull(source_of(of, clock=clock, sleep=clock.sleep), Wanted(unit=unit, landing=landing, **wanted))

    return run


def test_five_loads_that_wait_in_vain_wait_for_one_job(exports: Exports, load: Any, tmp_path: Path) -> None:
    """Failed, timed out or abandoned: the next load finds the job, whose address only its owner may read."""
    exports.status = [BUSY] * 1000
    for _ in range(5):
        with pytest.raises(TemporaryError, match="not ready after 10 minutes"):
            load()
    note = tmp_path / "zone" / "north" / "cursor-exports.json"
    assert note.stat().st_mode & 0o077 == 0
    exports.status = []
    assert load().resources == 3
    assert len(exports.begun) == 1
    assert exports.deleted == ["jobs/1"]
    assert exports.jobs == {}


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_error_of_the_status_that_passes_is_waited_for(exports: Exports, load: Any, status: int) -> None:
    exports.status = [BUSY, *[failing("error", status)] * 4, BUSY, *[failing("error", status)] * 4]
    assert load().resources == 3
    assert len(exports.begun) == 1


def test_a_status_that_goes_on_failing_keeps_its_job_for_a_day(exports: Exports, load: Any, clock: Clock) -> None:
    """Bounded in each load; after a day the job is given up, deleted, and the next load begins another."""
    exports.status = [failing("error")] * 1000
    for _ in range(3):
        with pytest.raises(TemporaryError, match="cannot be asked"):
            load()
    assert (len(exports.begun), exports.deleted) == (1, [])
    clock.now += timedelta(days=2)
    with pytest.raises(TemporaryError, match="export failed"):
        load()
    assert exports.deleted == ["jobs/1"]
    exports.status = []
    assert load().resources == 3
    assert len(exports.begun) == 2


def test_five_loads_of_exports_that_fail_begin_three_jobs_a_day(exports: Exports, load: Any, clock: Clock) -> None:
    """Each is deleted; then the server is spared until it may have been mended."""
    exports.status = [failing("fatal")] * 3
    for _ in range(5):
        with pytest.raises(TemporaryError) as caught:
            load()
        assert "Roe" not in str(caught.value)
    assert "no other is begun" in str(caught.value)
    assert len(exports.begun) == 3
    assert exports.deleted == ["jobs/1", "jobs/2", "jobs/3"]
    clock.now += timedelta(days=1, seconds=1)
    assert load().resources == 3


def test_a_job_of_another_asking_is_deleted_before_the_next(exports: Exports, load: Any) -> None:
    """The server keeps one job a client: ours of yesterday does not stand in our way."""
    exports.status = [BUSY] * 1000
    with pytest.raises(TemporaryError):
        load()
    exports.status = []
    assert load(since=NOW - timedelta(days=1)).resources == 3
    assert [asked.value("_since") for asked in exports.begun] == ["", "2029-12-31T12:00:00.000Z"]
    assert exports.deleted == ["jobs/1", "jobs/2"]


@pytest.mark.parametrize("place", ["header", "text"])
@pytest.mark.parametrize("status", [409, 429])
def test_a_job_that_a_crash_made_us_forget_is_deleted_where_the_server_names_it(
    exports: Exports, load: Any, place: str, status: int
) -> None:
    exports.jobs["jobs/old"] = ["Patient"]
    url = exports.url("jobs/old")
    issue = {"severity": "error", "code": "throttled", "diagnostics": f"Export running, see {url}."}
    told = Answered({"resourceType": "OperationOutcome", "issue": [issue] if place == "text" else []}, status)
    exports.kick_off = [Answered(told.body, status, {"Content-Location": url} if place == "header" else {})]
    assert load().resources == 3
    assert exports.deleted == ["jobs/old", "jobs/1"]


def test_a_job_in_the_way_that_is_not_named_is_waited_for(exports: Exports, load: Any, clock: Clock) -> None:
    exports.kick_off = [Answered({}, 429, {"Retry-After": "7"})] * 2
    assert load().resources == 3
    assert clock.now == NOW + timedelta(seconds=14)
    exports.kick_off = [Answered({}, 409, {"Retry-After": "9"})]
    assert load().resources == 3
    assert clock.now == NOW + timedelta(seconds=23)
    exports.kick_off = [Answered({}, 409)]
    with pytest.raises(TemporaryError, match="no further export now"):
        load()


def test_a_job_that_is_gone_when_it_is_given_back_is_fine(exports: Exports, faulty: FaultyHospital, load: Any) -> None:
    faulty.faults.insert(0, lambda asked: Answered({}, 404) if asked.method == "DELETE" else None)
    pulled = load()
    assert (pulled.complete, pulled.notes) == (True, [])


def test_a_job_that_could_not_be_given_back_is_so_the_next_time(
    exports: Exports, faulty: FaultyHospital, load: Any
) -> None:
    exports.one_at_a_time = False
    faulty.faults.insert(0, lambda asked: Answered({}, 403) if asked.method == "DELETE" else None)
    assert "could not be deleted" in load().notes[0]
    faulty.faults.pop(0)
    assert load().complete
    assert exports.deleted == ["jobs/1", "jobs/2"]
    assert exports.jobs == {}


def test_a_job_that_the_server_forgot_is_begun_again(exports: Exports, load: Any) -> None:
    exports.status = [BUSY] * 1000
    with pytest.raises(TemporaryError):
        load()
    exports.status, exports.jobs = [], {}
    assert load().resources == 3
    assert len(exports.begun) == 2


def test_a_site_that_is_read_by_search_from_now_on_leaves_no_job_behind(
    exports: Exports, load: Any, site: Site
) -> None:
    exports.status = [BUSY] * 1000
    with pytest.raises(TemporaryError):
        load()
    assert load(site.model_copy(update={"road": "search"}), "Patient").resources == 3
    assert (exports.deleted, exports.jobs) == (["jobs/1"], {})
