"""Pages that drift, counts that lie, links that are missing: nothing is called whole that is not, nothing is left unread."""

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hospital_with_faults import Answered, Asked, FaultyHospital

from connectors.pulled import Pulled
from schemas.gaps import GapCause
from schemas.sites import Site

COUNT = 37


def stamped(fhir: Any, number: int) -> dict[str, Any]:
    """A patient changed in the minute of its number."""
    patient: dict[str, Any] = fhir.patient(number, meta={"lastUpdated": f"2029-01-01T00:{number:02}:00Z"})
    return patient


@pytest.fixture
def north(faulty: FaultyHospital, make_site: Callable[..., Site], fhir: Any) -> Site:
    """A hospital of 37 patients, read by pages of ten."""
    faulty.put(*(stamped(fhir, number) for number in range(COUNT)))
    return make_site(fhir={"base_url": faulty.base_url, "page_size": 10})


def require_all(pulled: Pulled, ids: Callable[[str], list[str]]) -> None:
    """Whole, and no patient missing."""
    assert (pulled.short, set(ids("Patient"))) == ([], {f"p{number}" for number in range(COUNT)})


def once_at(page: str, act: Callable[[], None]) -> Callable[[Asked], Answered | None]:
    """Somebody at the hospital writes, once, just before that page is made."""
    left = [act]

    def fault(asked: Asked) -> None:
        if left and asked.value("page", "0") == page:
            left.pop()()

    return fault


def test_a_row_that_moves_to_the_front_while_pages_are_read_is_read(
    faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any
) -> None:
    """Sorted by time of update, patient 30 hides and patient 9 comes twice: as many entries as the server counts."""
    patients = faulty.resources["Patient"]
    faulty.faults.append(once_at("10", lambda: patients.insert(0, patients.pop(30))))
    require_all(pull_unit(north, "Patient"), ids)


def test_a_row_deleted_while_pages_are_read_hides_no_other(
    faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any
) -> None:
    """All behind it move up by one, and one falls between two pages."""
    patients = faulty.resources["Patient"]
    faulty.faults.append(once_at("10", lambda: patients.pop(3) and None))
    require_all(pull_unit(north, "Patient"), ids)


def test_a_busy_hospital_is_whole_in_the_end(faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any) -> None:
    """Rows move in every reading: what one hides another brings."""
    patients = faulty.resources["Patient"]
    turns = iter((30, 31, 32))
    faulty.faults.append(
        lambda asked: patients.insert(0, patients.pop(next(turns, 0))) if asked.value("page") == "10" else None
    )
    require_all(pull_unit(north, "Patient"), ids)
    assert len(faulty.searches("Patient")) < 20


def test_drift_that_hides_the_same_row_each_time_is_told(faulty: FaultyHospital, north: Site, pull_unit: Any) -> None:
    """37 entries and 37 counted, but 36 patients: another next night is the only remedy."""
    page = Answered({"resourceType": "Bundle", "total": COUNT, "entry": []})
    hidden = [{"resource": each} for each in [*faulty.resources["Patient"][:36], faulty.resources["Patient"][0]]]
    page.body["entry"] = hidden
    faulty.faults.append(lambda asked: page if not asked.value("_summary") else None)
    (short,) = pull_unit(north, "Patient").short
    assert (short.cause, "counts 1 more" in short.reason) == (GapCause.SHORT_OF_COUNT, True)
    faulty.faults.clear()
    assert pull_unit(north, "Patient").complete


@pytest.mark.parametrize("way", ["_offset", "_getpagesoffset"])
@pytest.mark.parametrize("counts", [True, False])
def test_a_search_without_next_is_continued_by_offset(
    faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any, way: str, counts: bool
) -> None:
    """Where there is a count until it is reached; where there is none until an empty page."""
    faulty.links, faulty.counts, faulty.cap = False, counts, 10
    faulty.understands = {"_count", way}
    pulled = pull_unit(north, "Patient")
    require_all(pulled, ids)
    assert pulled.resources < 3 * COUNT


@pytest.mark.parametrize("counts", [True, False])
def test_a_search_without_next_is_continued_by_a_larger_page(
    faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any, counts: bool
) -> None:
    """Offsets are ignored there; a page that is not full is the last."""
    faulty.links, faulty.counts, faulty.understands = False, counts, {"_count"}
    require_all(pull_unit(north, "Patient"), ids)


@pytest.mark.parametrize("counts", [True, False])
def test_a_search_without_next_is_continued_by_smaller_windows(
    faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any, counts: bool
) -> None:
    """Pages are capped and offsets ignored, or refused; the server heeds the time of update."""
    faulty.links, faulty.counts, faulty.cap, faulty.understands = False, counts, 10, {"_count", "_lastUpdated"}
    faulty.faults.append(lambda asked: Answered({}, 400) if asked.value("_offset") else None)
    require_all(pull_unit(north, "Patient"), ids)


@pytest.mark.parametrize("understands", [{"_count"}, set()])
def test_a_search_that_cannot_be_continued_is_short_of_its_count(
    faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any, understands: set[str]
) -> None:
    """Counted 37, sent 10, and whatever is asked the same ten: told, and read anew when it is asked again."""
    faulty.links, faulty.cap, faulty.understands = False, 10, understands
    faulty.faults.append(
        lambda asked: asked.params.append(("_count", "10")) if not understands else None  # its own page size
    )
    pulled = pull_unit(north, "Patient")
    if understands:
        assert [(each.cause, f"{COUNT - 10} more" in each.reason) for each in pulled.short] == [
            (GapCause.SHORT_OF_COUNT, True)
        ]
        assert len(set(ids("Patient"))) == 10
    faulty.links, faulty.cap = True, 1000
    require_all(pull_unit(north, "Patient"), ids)


def test_a_full_page_with_neither_count_nor_next_is_not_the_end(
    faulty: FaultyHospital, north: Site, pull_unit: Any
) -> None:
    """Nothing proves that it is: the type is incomplete, by a cause of its own."""
    faulty.links, faulty.counts, faulty.cap, faulty.understands = False, False, 10, {"_count"}
    pulled = pull_unit(north, "Patient")
    assert [each.cause for each in pulled.short] == [GapCause.END_NOT_PROVEN]
    assert pulled.resources >= 10


def test_a_full_page_that_is_the_end_is_proven_by_a_smaller_one(
    faulty: FaultyHospital, north: Site, pull_unit: Any
) -> None:
    """The server links where there is more, so where it does not there is none: three requests more, if it counts for nobody."""
    faulty.counts, faulty.understands = False, {"_count"}
    del faulty.resources["Patient"][10:]
    assert pull_unit(north, "Patient").complete
    assert [asked.value("_count") for asked in faulty.searches("Patient")] == ["10", "", "1", "5"]


@pytest.mark.parametrize("cap", [5, 16, 20, 25, 32])
def test_a_silent_cap_with_neither_count_nor_next_is_not_taken_for_the_end(
    cap: int, faulty: FaultyHospital, north: Site, make_site: Callable[..., Site], pull_unit: Any, ids: Any
) -> None:
    """Asked for 200 and sent twenty: the server's own count tells the rest."""
    faulty.links, faulty.counts, faulty.cap = False, False, cap
    site = make_site(fhir={"base_url": faulty.base_url})
    faulty.understands = {"_count", "_summary", "_offset"}
    require_all(pull_unit(site, "Patient"), ids)


def test_a_total_that_counts_the_page_is_no_proof(faulty: FaultyHospital, north: Site, pull_unit: Any) -> None:
    """Ten on the page and `total` ten: some servers mean the page."""
    faulty.links, faulty.cap, faulty.understands = False, 10, {"_count", "_summary"}
    faulty.said_total = lambda _total: 10
    assert [each.cause for each in pull_unit(north, "Patient").short] == [GapCause.SHORT_OF_COUNT]


@pytest.mark.parametrize("understands", [set(), {"_offset"}, {"_lastUpdated"}])
def test_a_count_of_fewer_than_came_counts_nothing(
    understands: set[str], faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any
) -> None:
    """Some servers say 0 in every answer, asked for a count alone, too."""
    faulty.links, faulty.understands = False, {"_count", "_summary"} | understands
    faulty.said_total, faulty.cap = lambda _total: 0, 10
    zero = Answered({"resourceType": "Bundle", "type": "searchset", "total": 0})
    faulty.faults.append(lambda asked: zero if asked.value("_summary") else None)
    pulled = pull_unit(north, "Patient")
    whole = len(set(ids("Patient"))) == COUNT
    assert whole == bool(understands)
    assert [each.cause for each in pulled.short] == ([] if whole else [GapCause.END_NOT_PROVEN])


def test_overlapping_pages_that_hide_nothing_are_whole(
    faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any
) -> None:
    """Each page begins with the last row of the one before; nobody counts. A second reading brings nothing new."""
    faulty.counts = False

    def overlapping(asked: Asked) -> Answered | None:
        begin = int(asked.value("page", "0"))
        rows = faulty.resources["Patient"][max(0, begin - 1) : begin + 10]
        more = [{"relation": "next", "url": f"{faulty.base_url}/Patient?page={begin + 10}"}] if begin < 30 else []
        return Answered({"resourceType": "Bundle", "link": more, "entry": [{"resource": each} for each in rows]})

    faulty.faults.append(overlapping)
    require_all(pull_unit(north, "Patient"), ids)


def test_after_a_crash_it_is_known_which_came(faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any) -> None:
    """A row that moved while nobody read hides as well as any."""
    plug = [None]
    faulty.faults.append(lambda asked: Answered(b"", 401) if plug and asked.value("page") == "20" else None)
    with pytest.raises(Exception, match="401"):
        pull_unit(north, "Patient")
    plug.clear()
    patients = faulty.resources["Patient"]
    patients.insert(0, patients.pop(30))
    require_all(pull_unit(north, "Patient"), ids)


def test_a_refused_question_proves_nothing_of_the_window(faulty: FaultyHospital, north: Site, pull_unit: Any) -> None:
    """Else what is old and did not come would pass for deleted."""
    far = lambda asked: Answered({}, 400) if asked.value("_lastUpdated") > "ge2033" else None  # noqa: E731
    faulty.faults.append(far)
    since = datetime(2029, 1, 1, 0, 5, tzinfo=UTC)
    refused = pull_unit(north, "Patient", since=since)
    assert (refused.complete, refused.full, refused.heeds) == (True, False, None)


def test_a_server_that_ignores_the_window_is_known_to_be_read_in_full(
    faulty: FaultyHospital, north: Site, pull_unit: Any
) -> None:
    """It gives patients that were updated ten years from now."""
    faulty.understands -= {"_lastUpdated"}
    ignored = pull_unit(north, "Patient", since=datetime(2029, 1, 1, 0, 5, tzinfo=UTC))
    assert (ignored.complete, ignored.full, ignored.heeds) == (True, True, False)


def test_an_odd_answer_about_the_far_future_is_no_proof_that_all_came(
    faulty: FaultyHospital, north: Site, pull_unit: Any, fhir: Any
) -> None:
    """The server heeds the window, but not a year it cannot think of: what was not asked for is not gone."""
    odd = fhir.bundle(stamped(fhir, 1))
    faulty.faults.append(lambda asked: Answered(odd) if asked.value("_lastUpdated") > "ge2033" else None)
    windowed = pull_unit(north, "Patient", since=datetime(2029, 1, 1, 0, 30, tzinfo=UTC))
    assert (windowed.complete, windowed.resources, windowed.counted) == (True, 7, False)


@pytest.mark.parametrize("night", [0, 1, 2, 3])
def test_an_order_that_is_another_on_each_page_is_no_proof(
    faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any, night: int
) -> None:
    """Rows alike in what a database sorts by: it sorts them anew for each page, the same way each time. Some come twice, some never;
    nobody counts. What two readings agree on is no proof where their pages begin at the same rows."""
    patients = list(faulty.resources["Patient"])

    def sort_anew(asked: Asked) -> None:
        faulty.resources["Patient"][:] = patients
        Random(100 * night + int(asked.value("page", "0"))).shuffle(faulty.resources["Patient"])

    faulty.counts, faulty.understands = False, {"_count"}
    faulty.faults.append(sort_anew)
    (short,) = pull_unit(north, "Patient").short
    assert short.cause == GapCause.END_NOT_PROVEN
    assert len(set(ids("Patient"))) < COUNT


def test_rows_that_come_twice_are_no_doubt_where_all_readings_agree(
    faulty: FaultyHospital, north: Site, pull_unit: Any, ids: Any
) -> None:
    """A server that joins tables gives some rows twice, whatever the size of its pages: nothing hides."""
    faulty.counts, faulty.understands = False, {"_count"}
    faulty.put(*(each for each in list(faulty.resources["Patient"]) for _ in range(2)))
    require_all(pull_unit(north, "Patient"), ids)
