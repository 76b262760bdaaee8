"""Hospitals that change: what is odd from the second night on, what changes while a load is taken up again; and pages that are
written oddly."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from hospital_with_faults import Answered, Asked
from quirky_hospitals import TYPES, Json, Nights, Place, Quirk, both, on, refused, says, two_nights
from quirky_steps import (
    COHORT,
    PARTIAL,
    TOKEN,
    always,
    capped,
    everybody,
    gives_tokens,
    knows,
    links_as,
    of_types,
    once,
    page_of,
    roster,
    sorted_by_updates,
    uncounted,
    wants_patient,
    weights,
)

WEIGHTS = frozenset({"Observation"})
AHEAD = "2029-01-01T00:00:00Z"
"""Behind every moment that the server's clock may say."""
LATER = ("completed", "partial")
Step = Callable[[Place], Any]


# ---------------------------------------------------------------- what changes


def later(*steps: Step) -> Step:
    """From the second night on."""
    return lambda place: setattr(place, "heal", both(*steps))


def without_last_updated(place: Place) -> None:
    place.server.understands.discard("_lastUpdated")


def without_links(place: Place) -> None:
    place.server.links = False


def wants_category(place: Place) -> None:
    place.server.understands.add("category")
    place.fault(on("Observation", lambda asked: None if asked.value("category") or asked.value("page") else refused()))


def hides_its_statement(place: Place) -> None:
    place.fault(on("metadata", lambda asked: Answered(b"no", 403)))


def moves(place: Place) -> None:
    """Everything stands below another path, to which all requests are led."""

    def leads(asked: Asked) -> Answered | None:
        if asked.path.startswith("v2/"):
            asked.path = asked.path.removeprefix("v2/")
            return None
        return Answered(b"", 308, {"Location": f"{place.server.base_url}/v2/{asked.path}?{urlencode(asked.params)}"})

    place.fault(leads)


def stamps_anew(place: Place) -> None:
    """A migration writes every resource again, with the same content."""
    for rows in place.server.resources.values():
        rows[:] = [{**each, "meta": {"lastUpdated": "2026-03-02T00:00:00Z"}} for each in rows]


def turns_around(place: Place) -> None:
    for rows in place.server.resources.values():
        rows.reverse()


def with_other_ids(place: Place) -> None:
    """Weights are known by other ids."""
    rows = place.server.resources["Observation"]
    rows[:] = [{**each, "id": f"new-{each['id']}"} for each in rows]


def shuffles_one(place: Place) -> None:
    rows = place.server.resources["Observation"]
    rows.insert(0, rows.pop())


def forgets_links(place: Place) -> None:
    """Links of before lead nowhere, new ones are written otherwise."""

    def page(there: Place, asked: Asked) -> Answered:
        if asked.value("page") and not asked.value("generation"):
            return refused("not-found", 410)
        found = page_of(there, asked)
        for link in found.get("link", []):
            link["url"] += "&generation=2"
        return Answered(found)

    of_types(page)(place)


# ---------------------------------------------------------------- pages written oddly


def pages(written: Callable[[Json], Any], types: tuple[str, ...] = TYPES, nights: tuple[int, ...] = (1, 2)) -> Step:
    """Every page of a search is written otherwise."""
    return of_types(lambda place, asked: Answered(written(page_of(place, asked))), types, nights)


def with_total(said: Callable[[int], Any]) -> Callable[[Json], Json]:
    return lambda page: {**page, "total": said(page["total"])}


def with_link(last: Json) -> Callable[[Json], Json]:
    """A page that is the last names a next one all the same."""
    return lambda page: {**page, "link": page.get("link") or [last]}


def with_resources(written: Callable[[Json], Json]) -> Callable[[Json], Json]:
    def change(page: Json) -> Json:
        page["entry"] = [{**each, "resource": written(dict(each["resource"]))} for each in page.get("entry", [])]
        return page

    return change


def stamped(as_what: Callable[[str], Any]) -> Step:
    """The time of update is written otherwise."""
    return pages(
        with_resources(lambda found: {**found, "meta": {"lastUpdated": as_what(found["meta"]["lastUpdated"])}})
    )


def referring(written: Callable[[Place, str], str]) -> Step:
    """Weights name their child otherwise."""

    def page(place: Place, asked: Asked) -> Answered:
        def change(found: Json) -> Json:
            return {**found, "subject": {"reference": written(place, found["subject"]["reference"])}}

        return Answered(with_resources(change)(page_of(place, asked)))

    return weights(page)


def with_included(page: Json) -> Json:
    """Beside each weight the child and who measured it, as nobody asked for."""
    found = []
    for each in page.get("entry", []):
        child = each["resource"]["subject"]["reference"].removeprefix("Patient/")
        found.append(each)
        found.append({"resource": {"resourceType": "Patient", "id": child}, "search": {"mode": "include"}})
        measured = {"resourceType": "Practitioner", "id": "dr-1", "name": [{"family": "Roe"}]}
        found.append({"resource": measured, "search": {"mode": "include"}})
    return {**page, "entry": found}


def id_in_its_address(place: Place, asked: Asked) -> Answered:
    """A resource's id stands in its entry's fullUrl alone."""
    page = page_of(place, asked)
    for each in page.get("entry", []):
        ident = each["resource"]["id"]
        each["fullUrl"] = f"{place.server.base_url}/{asked.path}/{ident}"
        each["resource"] = {name: value for name, value in each["resource"].items() if name != "id"}
    return Answered(page)


def as_bytes(written: Callable[[str], bytes], nights: tuple[int, ...] = (1, 2)) -> Step:
    return weights(lambda place, asked: Answered(written(json.dumps(page_of(place, asked)))), nights)


def by_path(begin: str) -> Callable[[Place, str], str]:
    """A link without the address of the server."""
    return lambda place, url: url.replace(place.server.base_url, begin).replace("<host>", place.server.base_url[5:])


def sticky(place: Place) -> None:
    """Of several machines one made the pages; a cookie says which."""

    def page(there: Place, asked: Asked) -> Answered:
        shown = {name.lower(): value for name, value in asked.headers.items()}.get("cookie", "")
        if asked.value("page") and "machine=2" not in shown:
            return refused("not-found", 404)
        return Answered(page_of(there, asked), headers={"Set-Cookie": "machine=2; Path=/; HttpOnly"})

    of_types(page)(place)


def differing_in_case(number: int) -> str:
    return f"eKid{'x' if number % 2 else 'X'}{number // 2}"


def in_xml(place: Place) -> None:
    """A gateway drops the header that asks for JSON; links of pages do not repeat what was asked."""
    xml = b'<?xml version="1.0" encoding="UTF-8"?>\n<Bundle xmlns="http://hl7.org/fhir"><total value="12"/></Bundle>'
    said = {"Content-Type": "application/fhir+xml; charset=utf-8"}

    def fault(asked: Asked) -> Answered | None:
        wants = asked.value("_format")
        asked.params = [each for each in asked.params if each[0] != "_format"]
        return None if wants else Answered(xml, headers=said)

    place.fault(fault)


def stamped_in_1970(place: Place) -> None:
    """What was taken over from another system, each of its own second."""
    for rows in place.server.resources.values():
        rows[:] = [{**each, "meta": {"lastUpdated": f"1970-01-01T00:00:{n:02}Z"}} for n, each in enumerate(rows)]


def counts_none(place: Place) -> None:
    """Asked for a count alone it says 0, whatever there is."""
    zero = Answered({"resourceType": "Bundle", "type": "searchset", "total": 0})
    place.fault(lambda asked: zero if asked.path in TYPES and asked.value("_summary") else None)


def also_knows(*names: str) -> Step:
    return lambda place: place.server.understands.update(names)


NOTHING = Answered({"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": []})
NOTHING_COUNTED = Answered({"resourceType": "Bundle", "type": "searchset", "entry": []})
EVERYBODY = roster(*everybody(lambda number: f"kid-{number}\n"))
REFUSED_SOFTLY = {408: "is too slow", 409: "meets another", 423: "is locked", 425: "comes too early"}

QUIRKS: dict[str, Quirk] = {
    # ------------------------------------------------ from the second night on
    "the window is ignored from the second night on": Quirk(later(without_last_updated)),
    "a category is wanted from the second night on": Quirk(later(wants_category)),
    "a patient is wanted by name from the second night on": Quirk(later(wants_patient), words=("", "by patient")),
    "pages lose links and counts from the second night on, an offset goes on": Quirk(
        later(capped(1), uncounted, without_links, knows("_offset"))
    ),
    "full reads lose links and counts, and nothing goes on": Quirk(
        both(
            says("Epic"),
            without_last_updated,
            wants_category,
            later(capped(5), uncounted, without_links, lambda place: place.server.understands.discard("_summary")),
        ),
        stamped=False,
        statuses=LATER,
        words=("", "proven"),
        lacks=frozenset({"2014-01-13", 32}),
        stays=frozenset(TYPES),
    ),
    "the statement is hidden from the second night on": Quirk(later(hides_its_statement)),
    "the server moves, and leads there": Quirk(both(capped(5), later(moves))),
    "the software is another from the second night on": Quirk(later(says("HAPI FHIR Server"))),
    "the software becomes Epic's, and the window goes": Quirk(
        later(says("Epic"), without_last_updated, wants_category)
    ),
    "a migration writes everything anew": Quirk(both(capped(5), later(stamps_anew))),
    "pages come the other way round": Quirk(both(capped(5), later(turns_around, without_last_updated))),
    "all weights have other ids one night": Quirk(
        both(without_last_updated, later(with_other_ids)), more=frozenset({23})
    ),
    "counts are none, and pages too, from the second night on": Quirk(
        both(capped(5), later(counts_none, uncounted, without_links, knows("_offset")))
    ),
    "an offset goes on one night, windows the next": Quirk(
        both(capped(3), without_links, sorted_by_updates, knows("_offset"), later(knows())),
        statuses=LATER,
        words=("", "more than it sent"),
        stays=frozenset({"Patient"}),
    ),
    "times of update begin in 1970, there is no link, and windows part them": Quirk(
        both(capped(3), without_links, knows(), stamped_in_1970)
    ),
    "categories are wanted one night, patients the next": Quirk(
        both(wants_category, later(lambda place: place.server.faults.pop(0), wants_patient)), words=("", "by patient")
    ),
    "a token ends, the window is ignored, and pages are short": Quirk(
        both(
            capped(3),
            gives_tokens,
            later(without_last_updated, once("Observation", always(refused("login", 401)), after=2)),
        ),
        fhir=TOKEN,
    ),
    # ------------------------------------------------ while a load is taken up again
    "the process dies between pages": Quirk(capped(3), dies=3),
    "the process dies, and links expire meanwhile": Quirk(
        both(capped(3), sorted_by_updates), dies=3, between=forgets_links
    ),
    "the process dies, and rows move meanwhile": Quirk(capped(3), dies=6, between=shuffles_one),
    "the process dies, and pages become larger": Quirk(capped(3), dies=6, between=capped(5)),
    "the process dies, and a category is wanted meanwhile": Quirk(capped(3), dies=4, between=wants_category),
    "the process dies, and the server moves meanwhile": Quirk(capped(3), dies=5, between=moves),
    "the process dies, nobody counts, and rows turn around meanwhile": Quirk(
        both(capped(3), uncounted), dies=6, between=turns_around
    ),
    "the process dies while each patient is asked for": Quirk(both(capped(2), wants_patient), dies=9),
    "the process dies while an offset goes on, and rows move": Quirk(
        both(capped(3), without_links, knows("_offset")), dies=6, between=shuffles_one
    ),
    "an export is waited for when the process dies": Quirk(lambda place: None, road="bulk", dies=1),
    "the process dies, and the export is forgotten meanwhile": Quirk(
        lambda place: None, road="bulk", dies=2, between=lambda place: place.exports.jobs.clear()
    ),
    # ------------------------------------------------ for a moment
    "nothing is found for a moment on the second night": Quirk(later(once("Observation", always(NOTHING)))),
    "nothing is found for a moment on the second night, nobody counts, and rows are many": Quirk(
        both(capped(3), uncounted, later(once("Observation", always(NOTHING_COUNTED))))
    ),
    "a proxy says that it changed the answers": Quirk(
        both(capped(5), of_types(lambda place, asked: Answered(page_of(place, asked), 203)))
    ),
    "times of update are written in small letters": Quirk(stamped(str.lower), second=AHEAD),
    # ------------------------------------------------ a list of patients
    "a list of patients, without links or counts, and an offset goes on": Quirk(
        both(EVERYBODY, capped(2), uncounted, without_links, also_knows("_offset")), fhir=COHORT
    ),
    "a list of patients, and the window is ignored from the second night on": Quirk(
        both(EVERYBODY, capped(3), later(without_last_updated)), fhir=COHORT
    ),
    "a list of patients, and a category is wanted from the second night on": Quirk(
        both(EVERYBODY, capped(3), later(wants_category)), fhir=COHORT
    ),
    "a list of patients, and the process dies": Quirk(both(EVERYBODY, capped(2)), fhir=COHORT, dies=4),
    "a list of patients, links expire, and the process dies": Quirk(
        both(EVERYBODY, capped(2)), fhir=COHORT, dies=5, between=forgets_links
    ),
    "a list of patients, and everything is in XML but where JSON is asked for": Quirk(
        both(EVERYBODY, in_xml, capped(3)), fhir=COHORT
    ),
    # ------------------------------------------------ counts and links
    "a count is text": Quirk(both(capped(5), pages(with_total(str)))),
    "a count is a decimal": Quirk(both(capped(5), pages(with_total(float)))),
    "a count is below zero": Quirk(both(capped(5), pages(with_total(lambda _: -1)))),
    "each page counts itself": Quirk(
        both(capped(5), pages(lambda page: {**page, "total": len(page.get("entry", []))}))
    ),
    "the last page leads to an address that is empty": Quirk(
        both(capped(5), pages(with_link({"relation": "next", "url": ""})))
    ),
    "the last page leads to null": Quirk(both(capped(5), pages(with_link({"relation": "next", "url": None})))),
    "links are paths": Quirk(both(capped(5), of_types(links_as(by_path("/fhir"))))),
    "links begin nowhere": Quirk(both(capped(5), of_types(links_as(lambda place, url: by_path("")(place, url)[1:])))),
    "links say no scheme": Quirk(both(capped(5), of_types(links_as(by_path("<host>"))))),
    "links hold blanks and letters of elsewhere": Quirk(
        both(capped(5), of_types(links_as(lambda place, url: f"{url}&token=a b|ü")))
    ),
    "relations are written large": Quirk(
        both(capped(5), pages(lambda page: json.loads(json.dumps(page).replace('"next"', '" NEXT"'))))
    ),
    "an empty list is null": Quirk(
        both(
            capped(5),
            pages(lambda page: {**page, "entry": page.get("entry") or None, "link": page.get("link") or None}),
        )
    ),
    "pages belong to a machine that a cookie names": Quirk(both(capped(5), sticky)),
    # ------------------------------------------------ what stands on pages
    "others stand beside the matches": Quirk(both(capped(5), pages(with_included, ("Observation",)))),
    "matches are called included": Quirk(
        both(
            capped(5),
            pages(lambda page: json.loads(json.dumps(page).replace('"mode": "match"', '"mode": "include"'))),
        )
    ),
    "JSON comes only where the address asks for it": Quirk(both(capped(5), in_xml)),
    "JSON comes only where the address asks for it, from the second night on": Quirk(both(capped(5), later(in_xml))),
    "times of update have a zone and parts of seconds": Quirk(
        stamped(lambda text: text.replace("T00:00:00Z", "T05:30:00.1234567+05:30"))
    ),
    "times of update are days": Quirk(stamped(lambda text: text[:10]), second=AHEAD),
    "times of update are numbers": Quirk(stamped(lambda text: 1772323200000), second=AHEAD),
    "times of update are words": Quirk(stamped(lambda text: "yesterday"), second=AHEAD),
    "ids differ in case alone": Quirk(lambda place: None, named=differing_in_case),
    "ids stand in addresses alone": Quirk(of_types(id_in_its_address)),
    "references are whole addresses": Quirk(referring(lambda place, text: f"{place.server.base_url}/{text}")),
    "references are addresses of an inner host": Quirk(
        referring(lambda place, text: f"https://interconnect.inside/api/FHIR/R4/{text}")
    ),
    "references name a version": Quirk(referring(lambda place, text: f"{text}/_history/7")),
    "a page begins with a mark of the byte order": Quirk(
        both(capped(5), as_bytes(lambda text: b"\xef\xbb\xbf\r\n" + text.encode() + b"\r\n\x00"[:2]))
    ),
    "pages are UTF-16 for a night": Quirk(as_bytes(lambda text: text.encode("utf-16"), nights=(1,))),
    "a page stands in brackets for a night": Quirk(
        as_bytes(lambda text: f"[{text}]".encode(), nights=(1,)), statuses=PARTIAL, words=("Observation", "")
    ),
    "a number is none for a night": Quirk(
        as_bytes(lambda text: text.replace('"value": 25', '"value": NaN').encode(), nights=(1,)),
        words=("invalid-json", ""),
    ),
    **{
        f"the server says that a request {words}": Quirk(once("Observation", always(Answered({}, status)), times=2))
        for status, words in REFUSED_SOFTLY.items()
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", QUIRKS)
def test_two_nights_at_a_hospital_that_changes(name: str, quirky: Callable[[Quirk], tuple[Place, Nights]]) -> None:
    two_nights(QUIRKS[name], *quirky(QUIRKS[name]))
