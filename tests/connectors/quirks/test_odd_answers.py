"""Servers that bend the form: small letters, other bytes, links that lead nowhere, something else than was asked for."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from exporting import Exports, ndjson
from hospital_with_faults import Answered, Asked, FaultyHospital

from connectors.roads.search import BARREN
from schemas.errors import IncompleteError
from schemas.gaps import GapCause
from schemas.sites import Site

Json = dict[str, Any]


@pytest.fixture
def north(faulty: FaultyHospital, make_site: Callable[..., Site], fhir: Any) -> Site:
    """Seven patients, read by search."""
    faulty.put(*(fhir.patient(number) for number in range(7)))
    server = {"base_url": faulty.base_url, "page_size": 10, "requests_per_second": 1000}
    return make_site(fhir=server, types=["Patient", "Condition"])


@pytest.fixture
def west(exports: Exports, faulty: FaultyHospital, make_site: Callable[..., Site], fhir: Any) -> Site:
    """The same, exported."""
    faulty.put(*(fhir.patient(number) for number in range(7)))
    server = {"base_url": faulty.base_url, "requests_per_second": 1000}
    return make_site(road="bulk", fhir=server, types=["Patient", "Condition"])


def bundle(*entries: Any, **values: Any) -> Json:
    return {"resourceType": "Bundle", "type": "searchset", "entry": list(entries), **values}


@pytest.mark.parametrize("named", ["patient", " Patient ", "Patient.ndjson", "http://hl7.org/fhir/Patient", 7, ""])
def test_a_file_whose_type_is_written_otherwise_is_not_passed_over(
    exports: Exports, west: Site, pull_unit: Any, named: Any
) -> None:
    """In small letters, as a file's name, as a URL, or as nothing at all: then its lines tell."""
    exports.manifest["output"] = [{"type": named, "url": exports.url("files/Patient")}]
    pulled = pull_unit(west, "export")
    assert (pulled.complete, pulled.types) == (True, {"Patient": 7})


def test_a_file_of_a_type_that_was_not_asked_for_stays_where_it_is(
    exports: Exports, west: Site, pull_unit: Any
) -> None:
    """What was asked for, and is counted, is read by search."""
    exports.manifest["output"] = [{"type": "Practitioner", "url": exports.url("files/Practitioner")}]
    pulled = pull_unit(west, "export")
    assert (pulled.complete, pulled.types) == (True, {"Patient": 7})
    assert not [asked for asked in exports.hospital.asked if asked.path.startswith("files/")]


def test_a_file_in_utf16_costs_its_type_by_name(exports: Exports, west: Site, pull_unit: Any) -> None:
    exports.files["Patient"] = ndjson(*exports.hospital.resources["Patient"]).decode().encode("utf-16")
    pulled = pull_unit(west, "export")
    assert [(each.type, each.cause) for each in pulled.short] == [("Patient", GapCause.FILE_NOT_READ)]
    assert "UTF-16, not UTF-8" in pulled.error


def test_a_file_that_holds_an_error_of_the_gateways_own_is_no_data(
    exports: Exports, west: Site, pull_unit: Any
) -> None:
    """JSON, status 200, and no resource in it: with no count in the manifest nothing else would tell."""
    exports.files["Patient"] = Answered({"error": "expired"})
    exports.manifest["output"] = [{"type": "Patient", "url": exports.url("files/Patient")}]
    pulled = pull_unit(west, "export")
    assert [(each.type, each.cause) for each in pulled.short] == [("Patient", GapCause.FILE_NOT_READ)]


@pytest.mark.parametrize("header", ["Content-Location", "Location"])
def test_a_job_is_waited_for_where_the_answer_says(exports: Exports, west: Site, pull_unit: Any, header: str) -> None:
    exports.jobs["jobs/9"] = ["Patient"]
    exports.kick_off.append(Answered({}, 202, {header: "/fhir/jobs/9"}))
    assert pull_unit(west, "export").types == {"Patient": 7}


def test_links_that_are_new_each_time_and_bring_nothing_are_not_followed_for_ever(
    faulty: FaultyHospital, north: Site, pull_unit: Any
) -> None:
    """A gateway that makes a page's address of the time of day."""
    first = [{"resource": each} for each in faulty.resources["Patient"]]

    def again(asked: Asked) -> Answered | None:
        link = [{"relation": "next", "url": f"{faulty.base_url}/Patient?at={len(faulty.asked)}"}]
        return Answered(bundle(*first, link=link)) if asked.path == "Patient" else None

    faulty.faults.append(again)
    with pytest.raises(IncompleteError, match="go in a circle") as caught:
        pull_unit(north, "Patient")
    assert caught.value.gap is GapCause.PAGING
    assert len(faulty.asked) == BARREN + 2


@pytest.mark.parametrize("total", [7, None])
def test_resources_of_another_type_are_no_answer(
    faulty: FaultyHospital, north: Site, pull_unit: Any, total: int | None
) -> None:
    """Called whole, they would pass for a proof that all that is held is gone."""
    wrong = bundle(*({"resource": each} for each in faulty.resources["Patient"]))
    wrong |= {"total": total} if total is not None else {}
    faulty.faults.append(lambda asked: Answered(wrong) if asked.path == "Condition" else None)
    pulled = pull_unit(north, "Condition")
    assert (pulled.complete, pulled.counted, pulled.types) == (False, False, {"Condition": 0})
    assert pulled.short[0].cause is GapCause.ERROR_ANSWER
    assert "resources of another type" in pulled.error


@pytest.mark.parametrize("entry", [{"resource": {"resourceType": "Patient"}}, None, {"resource": None}])
def test_what_has_no_id_comes_once_however_often_it_is_sent(
    faulty: FaultyHospital, north: Site, pull_unit: Any, entry: Any
) -> None:
    """Seven are counted; the same one, asked for by every way there is, does not become seven."""
    answer = Answered(bundle(entry, total=7))
    faulty.faults.append(lambda asked: answer if asked.path == "Patient" else None)
    pulled = pull_unit(north, "Patient")
    assert [each.cause for each in pulled.short] == [GapCause.SHORT_OF_COUNT]


@pytest.mark.parametrize("total", ["7", 7.0, " 7 "])
def test_a_count_is_a_count_however_it_is_written(
    faulty: FaultyHospital, north: Site, pull_unit: Any, total: Any
) -> None:
    entries = [{"resource": each} for each in faulty.resources["Patient"][:4]]
    faulty.faults.append(lambda asked: Answered(bundle(*entries, total=total)) if asked.path == "Patient" else None)
    assert "counts 3 more than it sent" in pull_unit(north, "Patient").error


def test_a_mark_of_the_byte_order_in_front_of_a_page_is_no_fault(
    faulty: FaultyHospital, north: Site, pull_unit: Any
) -> None:
    page = json.dumps(bundle(*({"resource": each} for each in faulty.resources["Patient"]), total=7)).encode()
    faulty.faults.append(lambda asked: Answered(b"\xef\xbb\xbf" + page) if asked.path == "Patient" else None)
    pulled = pull_unit(north, "Patient")
    assert (pulled.complete, pulled.resources, pulled.counted) == (True, 7, True)


def written(link: Json, how: str) -> Json:
    """A link to the next page as somebody writes it."""
    query = link["url"].partition("?")[2]
    if how in ("Next", " next "):
        return link | {"relation": how}
    return link | {"url": f"{how}?{query}"}


@pytest.mark.parametrize("how", ["Next", " next ", "", "Patient", "/fhir/Patient"])
def test_a_next_link_is_followed_however_it_is_written(
    faulty: FaultyHospital, make_site: Callable[..., Site], fhir: Any, pull_unit: Any, how: str
) -> None:
    """Relative to the page, to the server, to its host: each page is asked for once."""
    faulty.put(*(fhir.patient(number) for number in range(7)))
    server = {"base_url": faulty.base_url, "page_size": 3, "requests_per_second": 1000}
    pages: list[str] = []

    def link(asked: Asked) -> Answered | None:
        if asked.path != "Patient" or asked.value("_summary") or asked.value("_lastUpdated").startswith("ge2"):
            return None
        page = faulty._page("Patient", asked)
        pages.append(asked.value("page"))
        return Answered(page | {"link": [written(each, how) for each in page["link"]]})

    faulty.faults.append(link)
    pulled = pull_unit(make_site(fhir=server, types=["Patient"]), "Patient")
    assert (pulled.complete, pulled.resources) == (True, 7)
    assert [page for page in pages if page] == ["3", "6"]


def rewritten(faulty: FaultyHospital, change: Callable[[Json], Json | bytes]) -> None:
    """Pages of patients come in another form."""
    faulty.faults.append(
        lambda asked: Answered(change(faulty._page("Patient", asked))) if asked.path == "Patient" else None
    )


def entries_twice(page: Json) -> bytes:
    rows = page.pop("entry")
    halves = [f'"entry":{json.dumps(half)}' for half in (rows[:3], rows[3:])]
    return f"{json.dumps(page)[:-1]},{','.join(halves)}}}".encode()


def test_entries_that_stand_twice_in_a_page_nobody_counts_are_not_half_read(
    faulty: FaultyHospital, north: Site, pull_unit: Any
) -> None:
    """A decoder takes the last of two; what stood in the first would never be missed."""
    faulty.counts = False
    rewritten(faulty, entries_twice)
    with pytest.raises(IncompleteError):
        pull_unit(north, "Patient")


def alone(page: Json) -> Json:
    """What turns XML into JSON writes a list of one as that one."""
    return {name: one[0] if isinstance(one, list) and len(one) == 1 else one for name, one in page.items() if one != []}


def test_one_entry_and_one_link_that_are_no_lists_are_read(faulty: FaultyHospital, north: Site, pull_unit: Any) -> None:
    faulty.cap = 1
    rewritten(faulty, alone)
    pulled = pull_unit(north, "Patient")
    assert (pulled.complete, pulled.resources) == (True, 7)


def test_entries_that_are_an_object_of_numbers_are_no_empty_page(
    faulty: FaultyHospital, north: Site, pull_unit: Any
) -> None:
    faulty.counts = False
    rewritten(faulty, lambda page: page | {"entry": {str(at): each for at, each in enumerate(page["entry"])}})
    with pytest.raises(IncompleteError):
        pull_unit(north, "Patient")


def test_a_number_for_an_id_hides_no_time_of_update(faulty: FaultyHospital, north: Site, pull_unit: Any) -> None:
    """Else the watermark would be our own clock's."""
    for number, row in enumerate(faulty.resources["Patient"]):
        row |= {"id": number, "meta": {"lastUpdated": f"2026-03-0{number + 1}T00:00:00Z"}}
    pulled = pull_unit(north, "Patient")
    assert (pulled.complete, pulled.resources) == (True, 7)
    assert pulled.newest is not None
    assert pulled.newest.isoformat() == "2026-03-07T00:00:00+00:00"


@pytest.mark.parametrize("status", [408, 409, 423, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("wait", ["1775572200000", "soon", "-3", ""])
def test_what_passes_is_tried_again(
    faulty: FaultyHospital, north: Site, pull_unit: Any, status: int, wait: str
) -> None:
    """A server that is slow, too early or too busy, with whatever it says of when."""
    left = [Answered({}, status, {"Retry-After": wait} if wait else {})]
    faulty.faults.append(lambda asked: left.pop() if asked.path == "Patient" and left else None)
    pulled = pull_unit(north, "Patient")
    assert (pulled.complete, pulled.resources, left) == (True, 7, [])
