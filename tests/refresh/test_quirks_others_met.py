"""What others met at real servers, as public issue threads tell: one hospital a quirk, over two nights."""

import gzip
import json
import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import pytest
from exporting import ndjson
from hospital_with_faults import Answered, Asked
from quirky_hospitals import TYPES, Nights, Place, Quirk, both, on, refused, says, two_nights
from quirky_steps import PARTIAL, TOKEN, capped, page_of, uncounted, weights

from connectors.outside.times import instant, zulu

WEIGHTS = frozenset({"Observation"})
Answer = Callable[[Asked], Answered | None]


def once(path: str, answered: Answered, times: int = 1) -> Callable[[Place], None]:
    """What a path answers first each night; `*` stands for what follows."""

    def arrange(place: Place) -> None:
        left = {1: times, 2: times}

        def fault(asked: Asked) -> Answered | None:
            fits = asked.path.startswith(path[:-1]) if path.endswith("*") else asked.path == path
            if not fits or asked.method != "GET" or not left[place.night]:
                return None
            left[place.night] -= 1
            return answered

        place.fault(fault)

    return arrange


def silent(place: Place) -> None:
    """Neither counts nor links."""
    place.server.counts = place.server.links = False


def knows(*names: str) -> Callable[[Place], None]:
    return lambda place: setattr(place.server, "understands", {"_count", "_lastUpdated", *names})


def refuses(parameter: str) -> Callable[[Place], None]:
    def fault(asked: Asked) -> Answered | None:
        return refused("not-supported") if asked.path in TYPES and asked.value(parameter) else None

    return lambda place: place.fault(fault)


def in_its_own_time(hours: int) -> Callable[[Place], None]:
    """A moment of the window is read as if it were the hospital's own time."""

    def shifted(asked: Asked) -> None:
        for place_, (name, value) in enumerate(asked.params):
            if name == "_lastUpdated" and (moment := instant(value[2:])) is not None:
                asked.params[place_] = (name, value[:2] + zulu(moment + timedelta(hours=hours)))

    return lambda place: place.fault(shifted)


def accurate_alone(place: Place) -> None:
    """It counts where `_total=accurate` is asked for."""

    def count(asked: Asked) -> Answered | None:
        if asked.path not in TYPES or asked.value("_total") != "accurate":
            return None
        page = page_of(place, asked)
        found = [each for each in place.server.resources[asked.path] if place.server._matches(each, asked)]
        return Answered({**page, "total": len(found)})

    place.fault(count)


def without_window(place: Place, asked: Asked) -> Answered:
    """Links to further pages forget what time was asked for."""
    page = page_of(place, asked)
    for link in page.get("link", []):
        base, _, query = link["url"].partition("?")
        link["url"] = f"{base}?{'&'.join(each for each in query.split('&') if not each.startswith('_lastUpdated'))}"
    return Answered(page)


def as_many_as_asked(place: Place, asked: Asked) -> Answered | None:
    """The size of a page is taken for the most that is wanted: nothing leads on, and what came is what is counted."""
    if asked.value("_summary"):
        return None
    page = page_of(place, asked)
    return Answered({**page, "link": [], "total": len(page.get("entry", []))})


def older_behind(place: Place, asked: Asked) -> Answered:
    """An older version of a weight stands behind the newer."""
    page = page_of(place, asked)
    for each in list(page.get("entry", [])):
        if (row := each["resource"])["id"] == "w-5":
            old = {
                "meta": {"lastUpdated": "2026-02-01T00:00:00Z"},
                "valueQuantity": {**row["valueQuantity"], "value": 99},
            }
            page["entry"].append({"resource": row | old})
    return Answered(page)


def names_itself(place: Place, asked: Asked) -> Answered:
    """The last page's next one is itself."""
    page = page_of(place, asked)
    if page.get("entry") and not page.get("link"):
        address = f"{place.server.base_url}/Observation?{urlencode(asked.params)}"
        page["link"] = [{"relation": "next", "url": address}]
    return Answered(page)


def in_a_ring(place: Place, asked: Asked) -> Answered:
    """The way leads back to where it begins."""
    return Answered(b"", 307, {"Location": f"{place.server.base_url}/Observation?{urlencode(asked.params)}"})


def found_by_patient(place: Place, asked: Asked) -> Answered | None:
    """Nothing is found, and no error told, but where a patient is named."""
    if asked.value("patient") or asked.value("page"):
        return None
    page: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    return Answered(page | {"total": 0} if place.server.counts else page)


def empty_in_front(pages: int) -> Callable[[Place], None]:
    """So many pages bring nothing, each with a link of its own; thirty in a row are one too many."""

    def page(place: Place, asked: Asked) -> Answered | None:
        came = int(asked.value("empty", "0"))
        asked.params = [each for each in asked.params if each[0] != "empty"]
        if asked.value("_summary") or asked.value("page") or came >= pages:
            return None
        address = f"{place.server.base_url}/Observation?{urlencode([*asked.params, ('empty', str(came + 1))])}"
        link = [{"relation": "next", "url": address}]
        return Answered({"resourceType": "Bundle", "type": "searchset", "link": link})

    def arrange(place: Place) -> None:
        place.beside.enter_context(patch("connectors.roads.search.EMPTY", 30))
        weights(page)(place)

    return arrange


def without_one(place: Place, asked: Asked) -> Answered:
    """An entry that names its resource and does not hold it; nobody counts."""
    page = page_of(place, asked)
    page.pop("total", None)
    if page.get("entry"):
        page["entry"][0] = {"fullUrl": f"{place.server.base_url}/Observation/w-0", "search": {"mode": "match"}}
    return Answered(page)


def packed(place: Place, asked: Asked, cut: bool) -> Answered | None:
    """A file packed while it is sent; the sender dies behind some lines, and whoever stands before it does not tell."""
    if not asked.path.startswith("files/Observation") or place.night > 1:
        return None
    packer = zlib.compressobj(wbits=31)
    lines = ndjson(*place.server.resources["Observation"]).splitlines(keepends=True)
    content = packer.compress(b"".join(lines[:7])) + packer.flush(zlib.Z_SYNC_FLUSH)
    content += b"" if cut else packer.compress(b"".join(lines[7:])) + packer.flush()
    return Answered(content, headers={"Content-Type": "application/fhir+ndjson", "Content-Encoding": "gzip"})


def packs(cut: bool) -> Callable[[Place], None]:
    return lambda place: place.fault(lambda asked: packed(place, asked, cut))


def named_packed_and_is_not(place: Place, asked: Asked) -> Answered | None:
    page = json.dumps(page_of(place, asked)).encode()
    return Answered(page, headers={"Content-Encoding": "gzip"})


def cached(place: Place) -> None:
    """A gateway gives what it has, unless it is told not to."""
    kept: dict[str, Answered] = {}

    def gateway(asked: Asked) -> Answered | None:
        if asked.path not in TYPES:
            return None
        heeds = {name.lower(): value for name, value in asked.headers.items()}
        key = f"{asked.path}?{urlencode(asked.params)}"
        if key not in kept or "no-cache" in heeds.get("cache-control", ""):
            kept[key] = Answered(page_of(place, asked))
        return kept[key]

    place.fault(gateway)


def full_pulls(place: Place) -> None:
    """Epic's, of which every night asks the same."""
    place.server.understands = {"_count", "category", "_summary"}
    place.fault(on("Observation", lambda asked: None if asked.value("category") or asked.value("page") else refused()))


def escaped(place: Place, asked: Asked) -> Answered:
    """Its links are written as for a web page."""
    page = page_of(place, asked)
    for link in page.get("link", []):
        link["url"] = link["url"].replace("&", "&amp;")
    return Answered(page)


def filtered(place: Place, asked: Asked) -> Answered | None:
    """What the client may not see is taken out of a page that was made; here a page of others stands in front."""
    if asked.value("page") or asked.value("_summary"):
        return None
    params = [*asked.params, ("page", "0")]
    link = [{"relation": "next", "url": f"{place.server.base_url}/Observation?{urlencode(params)}"}]
    return Answered({"resourceType": "Bundle", "type": "searchset", "link": link})


def leads_to_nothing(place: Place, asked: Asked) -> Answered:
    """The last page names another, which is empty; nobody counts."""
    page = page_of(place, asked)
    page.pop("total", None)
    if page.get("entry") and not page["link"]:
        params = [*(each for each in asked.params if each[0] != "page"), ("page", "900")]
        url = f"{place.server.base_url}/Observation?{urlencode(params)}"
        page["link"] = [{"relation": "next", "url": url}]
    return Answered(page)


def leads_back(place: Place, asked: Asked) -> Answered:
    """The last page names the first as the next."""
    page = page_of(place, asked)
    if page.get("entry") and not page["link"]:
        params = [(name, value) for name, value in asked.params if name != "page"]
        page["link"] = [{"relation": "next", "url": f"{place.server.base_url}/Observation?{urlencode(params)}"}]
    return Answered(page)


def in_latin(place: Place, asked: Asked) -> Answered:
    page = page_of(place, asked)
    for entry in page.get("entry", []):
        entry["resource"]["code"]["text"] = "Größe"
    content = json.dumps(page, ensure_ascii=False).encode("iso-8859-1")
    return Answered(content, headers={"Content-Type": "application/fhir+json; charset=ISO-8859-1"})


def trailing_slash(place: Place) -> None:
    """A gateway wants a slash behind every path."""

    def leads(asked: Asked) -> Answered | None:
        if asked.path in TYPES:
            url = f"{place.server.base_url}/{asked.path}/?{urlencode(asked.params)}"
            return Answered(b"", 308, {"Location": url})
        if asked.path.rstrip("/") in TYPES:
            asked.path = asked.path.rstrip("/")
        return None

    place.fault(leads)


# ---------------------------------------------------------------- exports


def output(place: Place, **named: Any) -> None:
    place.exports.manifest["output"] = [
        {"type": name, "url": place.exports.url(f"files/{name}"), **named} for name in TYPES
    ]


def counted_in_words(place: Place) -> None:
    """A number as text; a file of the first night holds one fewer."""
    rows = place.server.resources
    place.exports.manifest["output"] = [
        {"type": name, "url": place.exports.url(f"files/{name}"), "count": str(len(rows[name]))} for name in TYPES
    ]
    place.exports.files["Observation"] = ndjson(*rows["Observation"][:-1])

    def heal(there: Place) -> None:
        there.exports.files.clear()
        there.exports.manifest.clear()

    place.heal = heal


def short_addresses(begin: str) -> Callable[[Place], None]:
    return lambda place: place.exports.manifest.__setitem__(
        "output", [{"type": name, "url": f"{begin}files/{name}"} for name in TYPES]
    )


def bare_outcome(place: Place) -> None:
    output(place)
    place.exports.files["Observation"] = ndjson({"resourceType": "OperationOutcome"})
    place.heal = lambda there: there.exports.files.clear()


def one_address(place: Place) -> None:
    """All types stand in one file, which the manifest names once for each."""
    both_types = [*place.server.resources["Patient"], *place.server.resources["Observation"]]
    place.exports.files["all"] = ndjson(*both_types)
    place.exports.manifest["output"] = [{"type": name, "url": place.exports.url("files/all")} for name in TYPES]

    def heal(there: Place) -> None:
        there.exports.files.clear()
        there.exports.manifest.clear()

    place.heal = heal


def begins_with(status: int) -> Callable[[Place], None]:
    """The kick-off is answered so, though it was taken."""

    def fault(place: Place) -> Answer:
        def answer(asked: Asked) -> Answered | None:
            if not asked.path.endswith("$export"):
                return None
            begun = place.exports._begin(asked)
            return Answered({}, status, begun.headers) if begun.status == 202 else begun

        return answer

    return lambda place: place.fault(fault(place))


def see_other(place: Place) -> None:
    """The status leads to its result."""

    def status(asked: Asked) -> Answered | None:
        if asked.method == "GET" and asked.path.startswith("jobs/") and "-result" not in asked.path:
            return Answered(b"", 303, {"Location": f"{place.server.base_url}/{asked.path}-result"})
        if asked.path.endswith("-result"):
            asked.path = asked.path.removesuffix("-result")
            return place.exports._status(asked.path)
        return None

    place.fault(status)


def twice_packed(place: Place) -> None:
    def fault(asked: Asked) -> Answered | None:
        if not asked.path.startswith("files/"):
            return None
        lines = ndjson(*place.server.resources[asked.path.removeprefix("files/")])
        return Answered(gzip.compress(gzip.compress(lines)), headers={"Content-Encoding": "gzip"})

    place.fault(fault)


def deleted_that_fails(place: Place) -> None:
    place.exports.manifest["deleted"] = [{"type": "Bundle", "url": place.exports.url("files/deleted")}]
    place.exports.files["deleted"] = Answered({}, 404)
    place.heal = lambda there: there.exports.manifest.clear()


def cannot_be_deleted(place: Place) -> None:
    place.exports.one_at_a_time = False
    place.fault(lambda asked: refused("exception", 405) if asked.method == "DELETE" else None)


# ---------------------------------------------------------------- log-in


def secret_in_the_form(place: Place) -> None:
    """The token endpoint takes the secret in the form alone."""

    def token(asked: Asked) -> Answered:
        if b"client_secret=s3cret" in asked.body:
            return Answered({"access_token": "t", "token_type": "bearer"})
        return Answered({"error": "invalid_client"}, 401)

    place.fault(on("token", token))
    place.fault(lambda asked: None if "token" in asked.path or "t" in bearer(asked) else refused("login", 401))


def bearer(asked: Asked) -> str:
    return next((value for name, value in asked.headers.items() if name.lower() == "authorization"), "")


def token_after(answered: Answered) -> Callable[[Place], None]:
    def arrange(place: Place) -> None:
        left = [answered]
        place.fault(on("token", lambda asked: left.pop() if left else Answered({"access_token": "t"})))

    return arrange


HTML = Answered(b"<html>One moment</html>", headers={"Content-Type": "text/html"})
QUIRKS: dict[str, Quirk] = {
    # ------------------------------------------------ the window
    "a window is compared in the hospital's own time": Quirk(in_its_own_time(5), second="2026-03-01T03:00:00Z"),
    "the time of update is refused as a parameter": Quirk(refuses("_lastUpdated")),
    "the size of a page is refused as a parameter": Quirk(refuses("_count")),
    # ------------------------------------------------ ends
    "pages of seven, and only a count tells": Quirk(both(silent, capped(7), knows("_summary", "_offset"))),
    "pages of twelve, counted where an accurate total is asked for": Quirk(
        both(silent, capped(12), knows("_offset"), accurate_alone)
    ),
    "a count that always fails": Quirk(
        both(
            lambda place: setattr(place.server, "counts", False),
            weights(lambda place, asked: refused("exception", 500) if asked.value("_summary") else None),
        )
    ),
    "an entry does not hold its resource": Quirk(
        weights(without_one, nights=(1,)), statuses=PARTIAL, words=("without", "")
    ),
    "an empty page stands in front": Quirk(weights(filtered)),
    "links to further pages forget the window": Quirk(both(capped(5), weights(without_window))),
    "the size of a page is taken for the most that is wanted": Quirk(weights(as_many_as_asked), fhir="page_size = 5\n"),
    "the size of a page is the most that is wanted, and nobody counts": Quirk(
        both(knows(), weights(as_many_as_asked)), fhir="page_size = 5\n"
    ),
    "an older version stands behind the newer": Quirk(weights(older_behind)),
    "the last page names itself": Quirk(both(capped(5), weights(names_itself))),
    "a way leads in a ring for a night": Quirk(
        weights(in_a_ring, nights=(1,)), statuses=PARTIAL, words=("Observation", "")
    ),
    "there is no content for a night": Quirk(
        weights(lambda place, asked: Answered(b"", 204), nights=(1,)), statuses=PARTIAL, words=("Observation", "")
    ),
    "the answer is null for a night": Quirk(
        weights(lambda place, asked: Answered(b"null"), nights=(1,)), statuses=PARTIAL, words=("Observation", "")
    ),
    "many empty pages stand in front": Quirk(empty_in_front(28)),
    "empty pages lead to others for ever": Quirk(
        empty_in_front(10**6),
        statuses=("partial", "partial"),
        words=("in a circle", "in a circle"),
        stays=WEIGHTS,
        lacks=frozenset({23.5, *(20 + number for number in range(13))}),
    ),
    "nothing is found unless a patient is named": Quirk(
        both(knows("_summary", "patient", "_id"), weights(found_by_patient)), words=("by patient",) * 2
    ),
    "nothing is found, nor counted, unless a patient is named": Quirk(
        both(knows("patient", "_id"), uncounted, weights(found_by_patient)), words=("by patient",) * 2
    ),
    "nothing is found from the second night on unless a patient is named": Quirk(
        both(knows("_summary", "patient", "_id"), weights(found_by_patient, nights=(2,))), words=("", "by patient")
    ),
    "the last page leads to an empty one": Quirk(both(capped(5), weights(leads_to_nothing))),
    "the last page leads back to the first": Quirk(both(capped(5), weights(leads_back))),
    "links are escaped as for a web page": Quirk(both(capped(5), weights(escaped))),
    "the next page is the same for ever": Quirk(
        weights(
            lambda place, asked: Answered(
                {
                    **page_of(place, asked),
                    "link": [{"relation": "next", "url": f"{place.server.base_url}/Observation?ct=x"}],
                    "total": None,
                }
            ),
            nights=(1,),
        ),
        statuses=PARTIAL,
        words=("circle", ""),
    ),
    # ------------------------------------------------ gateways
    "a gateway keeps pages": Quirk(both(says("Epic"), full_pulls, cached), stamped=False),
    "json is called a web page": Quirk(
        weights(lambda place, asked: Answered(page_of(place, asked), headers={"Content-Type": "text/html"}))
    ),
    "pages are in latin letters of one byte": Quirk(weights(in_latin)),
    "a page is called packed and is not": Quirk(weights(named_packed_and_is_not)),
    "every path wants a slash": Quirk(trailing_slash),
    "an answer is empty for a moment": Quirk(once("Observation", Answered(b""))),
    "an answer is another program's for a moment": Quirk(once("Observation", Answered({"message": "timed out"}))),
    "too many requests are forbidden": Quirk(
        once("Observation", Answered({"message": "over rate"}, 403, {"Retry-After": "1"}))
    ),
    # ------------------------------------------------ exports
    "a job is known only after a moment": Quirk(once("jobs/*", refused("not-found", 404), 2), road="bulk"),
    "the status is a web page for a moment": Quirk(once("jobs/*", HTML), road="bulk"),
    "the status is empty for a moment": Quirk(once("jobs/*", Answered(b"")), road="bulk"),
    "the status is gone for a moment while a file is fetched": Quirk(
        once("files/Observation", Answered({}, 502)), road="bulk"
    ),
    "a file is a web page for a moment": Quirk(once("files/Observation", HTML), road="bulk"),
    "a kick-off is answered 200": Quirk(begins_with(200), road="bulk"),
    "a kick-off is answered 201": Quirk(begins_with(201), road="bulk"),
    "the status leads to its result": Quirk(see_other, road="bulk"),
    "counts of a manifest are text": Quirk(counted_in_words, road="bulk", statuses=PARTIAL, words=("11 of 12", "")),
    "addresses of files begin at the host": Quirk(short_addresses("/fhir/"), road="bulk"),
    "addresses of files begin nowhere": Quirk(short_addresses(""), road="bulk"),
    "addresses of files begin at the job": Quirk(short_addresses("../"), road="bulk"),
    "a file is packed while it is sent": Quirk(packs(cut=False), road="bulk"),
    "a packed file breaks off between two lines": Quirk(
        packs(cut=True), road="bulk", statuses=PARTIAL, words=("Observation", "")
    ),
    "a file is packed twice": Quirk(twice_packed, road="bulk"),
    "a file holds an outcome without a word": Quirk(
        bare_outcome, road="bulk", statuses=PARTIAL, words=("Observation", "")
    ),
    "types share a file": Quirk(one_address, road="bulk"),
    "what is deleted cannot be read": Quirk(deleted_that_fails, road="bulk", statuses=PARTIAL, words=("404", "")),
    "a job cannot be deleted": Quirk(cannot_be_deleted, road="bulk", words=("could not be deleted", "")),
    # ------------------------------------------------ log-in
    "a secret is taken in the form alone": Quirk(secret_in_the_form, fhir=TOKEN),
    "the token endpoint is busy for a moment": Quirk(token_after(Answered({}, 429)), fhir=TOKEN),
    "the token endpoint shows a web page for a moment": Quirk(token_after(HTML), fhir=TOKEN),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", QUIRKS)
def test_two_nights_at_a_hospital_that_others_met(name: str, quirky: Callable[[Quirk], tuple[Place, Nights]]) -> None:
    two_nights(QUIRKS[name], *quirky(QUIRKS[name]))
