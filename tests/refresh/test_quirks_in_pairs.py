"""Hospitals with quirks as they come: two at once, behind gateways, with tokens that end; each over two nights."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from exporting import ndjson
from hospital_with_faults import Answered, Asked
from quirky_hospitals import (
    ALL,
    FIRST,
    TYPES,
    Json,
    Nights,
    Place,
    Quirk,
    both,
    first_night,
    on,
    refused,
    says,
    second_night,
    two_nights,
    weight,
)
from quirky_steps import (
    COHORT,
    PARTIAL,
    TOKEN,
    Answer,
    always,
    capped,
    cut_short,
    everybody,
    file_of,
    gives_tokens,
    knows,
    links_as,
    manifest_says,
    of_types,
    on_token,
    once,
    output,
    page_of,
    roster,
    sorted_by_updates,
    uncounted,
    waits_first,
    wants_patient,
    wants_tokens,
    weights,
)

from schemas.errors import MainstemError

# ---------------------------------------------------------------- what hospitals do


def without_port(place: Place, url: str) -> str:
    host = place.server.base_url.split("/")[2]
    return url.replace(host, host.partition(":")[0])


def other_scheme(place: Place, url: str) -> str:
    return url.replace("http://", "https://")


def inner_host(place: Place, url: str) -> str:
    return url.replace(place.server.base_url, "http://hapi.inside:8080/fhir")


def parameters_alone(place: Place, url: str) -> str:
    return f"?{url.partition('?')[2]}"


def too_long_from(several: int, status: int) -> Answer:
    """An address that names many patients is too long for the gateway."""

    def answer(place: Place, asked: Asked) -> Answered | None:
        names = asked.value("patient") or asked.value("_id")
        return Answered(b"<html>too long</html>", status) if names.count(",") + 1 >= several else None

    return answer


def nothing_at_all(place: Place, asked: Asked) -> Answered:
    return Answered({"resourceType": "Bundle", "type": "searchset", "total": 0})


def dated(moment: datetime) -> Callable[[Place], None]:
    """The server's clock stands elsewhere."""
    said = {"Date": moment.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    return of_types(lambda place, asked: Answered(page_of(place, asked), headers=said))


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(seconds=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")


def broken_gzip(place: Place, asked: Asked) -> Answered:
    packed = gzip.compress(json.dumps(page_of(place, asked)).encode())
    return Answered(packed[:-9], headers={"Content-Encoding": "gzip"})


def twice_each(place: Place, asked: Asked) -> Answered:
    """Each entry stands on its page twice."""
    page = page_of(place, asked)
    page["entry"] = [each for each in page.get("entry", []) for _ in range(2)]
    return Answered(page)


def moves_a_row(place: Place) -> None:
    moved = set[int]()

    def fault(asked: Asked) -> None:
        if asked.value("page") == "5" and place.night not in moved:
            moved.add(place.night)
            rows = place.server.resources["Observation"]
            rows.insert(0, rows.pop())

    place.fault(on("Observation", fault))


def counts_at(number: int) -> Callable[[Place], None]:
    return lambda place: setattr(place.server, "said_total", lambda total: number)


def merged(place: Place) -> None:
    """One child is a second one's duplicate; the pages lose their port besides."""
    link = [{"type": "replaced-by", "other": {"reference": "Patient/kid-2"}}]
    place.server.put(
        {"resourceType": "Patient", "id": "kid-2b", "meta": {"lastUpdated": FIRST}, "active": False, "link": link}
    )


# ---------------------------------------------------------------- exports


def files_at(written: Callable[[Place, str], str]) -> Callable[[Place], None]:
    return lambda place: place.exports.manifest.__setitem__("output", output(place, lambda url: written(place, url)))


def files_refuse_tokens(place: Place) -> None:
    def store(asked: Asked) -> Answered | None:
        if not asked.path.startswith("files/"):
            return None
        shown = "authorization" in {name.lower() for name in asked.headers}
        return refused("security", 400) if shown else place.exports(asked)

    place.fault(store)


def weights_want_a_token(place: Place) -> None:
    """On the first night the manifest says that its files want none."""
    gives_tokens(place)
    place.exports.manifest["requiresAccessToken"] = False
    place.heal = manifest_says(requiresAccessToken=True)

    def door(asked: Asked) -> Answered | None:
        shown = "authorization" in {name.lower() for name in asked.headers}
        return refused("login", 401) if asked.path == "files/Observation" and not shown else None

    place.fault(door)


def kick_off_refuses(words: str, wrong: Callable[[Asked], bool]) -> Callable[[Place], None]:
    issue = [{"severity": "error", "code": "not-supported", "diagnostics": words}]
    refusal = Answered({"resourceType": "OperationOutcome", "issue": issue}, 400)
    return lambda place: place.fault(lambda asked: refusal if asked.path.endswith("$export") and wrong(asked) else None)


def progress(words: bytes) -> Answered:
    return Answered({}, 202, {"X-Progress": words.decode("latin-1")})


def in_pages(place: Place) -> None:
    """Each file on a page of the manifest of its own, whose address is its parameters alone."""

    def page(asked: Asked) -> Answered | None:
        if not asked.path.startswith("jobs/") or asked.method != "GET":
            return None
        last = asked.value("page") == "2"
        manifest = {"transactionTime": place.exports.transaction_time, "requiresAccessToken": False}
        link = [] if last else [{"relation": "next", "url": "?page=2"}]
        return Answered({**manifest, "output": output(place)[last : last + 1], "link": link})

    place.fault(page)


def marked_in_the_middle(rows: list[Json]) -> bytes:
    """Two files that were put together, each with a mark of the byte order, lines ending as on Windows, blank ones between."""
    mark = b"\xef\xbb\xbf"
    found = mark + ndjson(*rows[:5]) + b"\n" + mark + ndjson(*rows[5:])
    return found.replace(b"\n", b"\r\n")


def older_behind_newer(rows: list[Json]) -> bytes:
    """Old versions stand behind the new ones."""
    old = [each | {"meta": {"lastUpdated": "2025-01-01T00:00:00Z"}, "valueQuantity": {"value": 1}} for each in rows]
    return ndjson(*rows, *old)


def deletes_and_fails(place: Place) -> None:
    """On the second night the export lists what is gone since, and says that of its weights some failed."""

    def heal(there: Place) -> None:
        request = {"method": "DELETE", "url": "Observation/w-5"}
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": request}]}
        issue = [{"severity": "error", "code": "exception", "expression": ["Observation"], "diagnostics": "Roe"}]
        there.exports.files["deleted"] = ndjson(bundle)
        there.exports.files["errors"] = ndjson({"resourceType": "OperationOutcome", "issue": issue})
        there.exports.manifest["deleted"] = [{"url": there.exports.url("files/deleted")}]
        there.exports.manifest["error"] = [{"url": there.exports.url("files/errors")}]

    place.heal = heal


def advertises(place: Place) -> None:
    """The statement says that everything is exported."""
    name = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"

    def statement(asked: Asked) -> Answered:
        told = place.server._statement()
        told["rest"][0]["operation"] = [{"name": "export", "definition": name}]
        return Answered(told)

    place.fault(on("metadata", statement))


def exports_answer(answered: Answered) -> Callable[[Place], None]:
    return lambda place: place.fault(lambda asked: answered if asked.path.endswith("$export") else None)


def empty_group(place: Place) -> None:
    """The Group has no member on the first night."""
    place.exports.groups = {"g1": set()}
    place.heal = lambda there: there.exports.groups.clear()


def gone_then_forgotten(place: Place) -> None:
    """The weights' file is gone on the first night, and so is the job when it is given back."""
    place.exports.files["Observation"] = refused("not-found", 410)
    place.heal = lambda there: there.exports.files.clear()

    def deleted(asked: Asked) -> Answered | None:
        if asked.method != "DELETE":
            return None
        place.exports.jobs.clear()
        return Answered({}, 404)

    place.fault(deleted)


BUSY = Answered({}, 429)
UNAVAILABLE = refused("transient", 500)
LATE = {"Retry-After": in_an_hour()}
LOST = ALL - {23.5, 32} | {23}
"""What stands where the second night's weights did not come."""

QUIRKS: dict[str, Quirk] = {
    # ------------------------------------------------ links
    "links lose the port": Quirk(both(capped(5), of_types(links_as(without_port)))),
    "links say another scheme": Quirk(both(capped(5), of_types(links_as(other_scheme)))),
    "links name an inner host, and an offset goes on": Quirk(
        both(capped(5), knows("_offset"), of_types(links_as(inner_host))), words=("hapi.inside", "")
    ),
    "links name an inner host, nobody counts, and an offset goes on": Quirk(
        both(capped(7), uncounted, knows("_offset"), of_types(links_as(inner_host))),
        words=("hapi.inside", ""),
    ),
    "links name an inner host, and windows go on": Quirk(
        both(capped(3), sorted_by_updates, weights(links_as(inner_host))), words=("hapi.inside", "")
    ),
    "links name an inner host for a night, and nothing goes on": Quirk(
        both(capped(5), weights(links_as(inner_host), nights=(1,))), statuses=PARTIAL, words=("hapi.inside", "")
    ),
    "links are parameters alone, and each patient is wanted by name": Quirk(
        both(capped(5), of_types(links_as(parameters_alone)), wants_patient), words=("by patient", "")
    ),
    "entries stand twice on a page, and the count counts them once": Quirk(both(capped(5), of_types(twice_each))),
    "rows move, and a page is cut on its way": Quirk(both(capped(5), moves_a_row, once("Observation", cut_short))),
    "the window is ignored, and the count is of everything ever": Quirk(
        both(lambda place: setattr(place.server, "understands", {"_count"}), capped(5), counts_at(13)),
        statuses=PARTIAL,
        words=("more than it sent", ""),
    ),
    # ------------------------------------------------ addresses and sizes
    "an address of several patients is too long": Quirk(both(wants_patient, weights(too_long_from(2, 414)))),
    "an address of several patients is too long, and called not found": Quirk(
        both(wants_patient, weights(too_long_from(2, 404)))
    ),
    "a page is too large for the gateway": Quirk(
        weights(lambda place, asked: Answered({}, 413) if asked.value("_count") == "10" else None)
    ),
    "a list of ids has blanks, marks and quotes": Quirk(
        roster("\ufeff# the clinic\r\n\r\n", *everybody(lambda n: f' "kid-{n}",\u00a0\r\n'), "\t\r\n"),
        fhir=COHORT,
        words=("knows no patient for 1", ""),
    ),
    "a list of ids is a spreadsheet's": Quirk(
        roster(*everybody(lambda n: f"Patient/kid-{n}\t\r\n"), encoding="utf-16"),
        fhir=COHORT,
        words=("knows no patient for 1", ""),
    ),
    "a list is longer than an address may be": Quirk(
        both(roster(*everybody(lambda n: f"kid-{n}\n")), of_types(too_long_from(6, 414))),
        fhir=COHORT,
        words=("knows no patient for 1", ""),
    ),
    "ids have underscores, and a list names them": Quirk(
        roster(*everybody(lambda n: f"pt_{n}_a\n")),
        fhir=COHORT,
        named=lambda number: f"pt_{number}_a",
        words=("knows no patient for 1", ""),
    ),
    # ------------------------------------------------ permissions and log-in
    "a permission is lost, and nothing is answered": Quirk(
        weights(nothing_at_all, nights=(2,)),
        statuses=("completed", "partial"),
        words=("", "had some before"),
        lacks=frozenset(ALL - LOST),
        more=frozenset({23}),
        stays=frozenset({"Observation"}),
    ),
    "a token ends in the middle of pages": Quirk(
        both(capped(5), wants_tokens, once("Observation", always(refused("login", 401)), after=1)), fhir=TOKEN
    ),
    "a token ends before each page, and rows move": Quirk(
        both(capped(5), moves_a_row, wants_tokens, once("Patient", always(refused("login", 401)), after=2)), fhir=TOKEN
    ),
    "a token ends while files are fetched": Quirk(
        both(
            wants_tokens,
            manifest_says(requiresAccessToken=True),
            once("files/Observation", always(refused("login", 401))),
        ),
        road="bulk",
        fhir=TOKEN,
    ),
    "a token ends while an export is waited for": Quirk(
        both(
            wants_tokens,
            manifest_says(requiresAccessToken=True),
            waits_first(Answered({}, 202), refused("login", 401)),
        ),
        road="bulk",
        fhir=TOKEN,
    ),
    "a file wants the log-in that the manifest says it does not": Quirk(
        weights_want_a_token,
        road="bulk",
        fhir=TOKEN,
        statuses=PARTIAL,
        words=("says that its files want no log-in", ""),
    ),
    "no token may be shown to files, which the manifest says in letters": Quirk(
        both(wants_tokens, files_refuse_tokens, manifest_says(requiresAccessToken="False")),
        road="bulk",
        fhir=TOKEN,
    ),
    # ------------------------------------------------ busy, broken, late
    "too many requests, and no word for how long": Quirk(once("Observation", always(BUSY), times=2)),
    "the pause is an HTTP date": Quirk(once("Observation", always(Answered({}, 503, LATE)))),
    "an error in FHIR's words passes": Quirk(once("Observation", always(UNAVAILABLE), times=2)),
    "a packed page is broken for a moment": Quirk(once("Observation", broken_gzip)),
    "packed pages are broken for a night": Quirk(
        weights(broken_gzip, nights=(1,)), statuses=PARTIAL, words=("compressed", "")
    ),
    "pages are cut for a night": Quirk(weights(cut_short, nights=(1,)), statuses=PARTIAL, words=("Observation", "")),
    "the server's clock is behind everything": Quirk(dated(datetime(2026, 2, 1, tzinfo=UTC)), stays=frozenset(TYPES)),
    "the server's clock runs hours ahead": Quirk(dated(datetime.now(UTC) + timedelta(hours=20))),
    "the statement says Epic of another's server": Quirk(both(says("Epic"), capped(5))),
    "somebody was merged, and links lose the port": Quirk(both(capped(5), merged, of_types(links_as(without_port)))),
    # ------------------------------------------------ exports
    "addresses of files lose the port": Quirk(files_at(without_port), road="bulk"),
    "pages of a manifest are parameters alone": Quirk(in_pages, road="bulk"),
    "an export refuses a time": Quirk(
        kick_off_refuses("Parameter _since is not supported", lambda asked: bool(asked.value("_since"))),
        road="bulk",
        words=("", "_since"),
    ),
    "an export refuses to be asked for types": Quirk(
        kick_off_refuses("unknown parameter '_type'", lambda asked: bool(asked.value("_type"))),
        road="bulk",
        words=("_type", "_type"),
    ),
    "an export wants its format named": Quirk(
        kick_off_refuses("_outputFormat is required", lambda asked: not asked.value("_outputFormat")), road="bulk"
    ),
    "an export wants its format named, and refuses a time": Quirk(
        both(
            kick_off_refuses("_outputFormat is required", lambda asked: not asked.value("_outputFormat")),
            kick_off_refuses("_since: unknown", lambda asked: bool(asked.value("_since"))),
        ),
        road="bulk",
        words=("", "_since"),
    ),
    "exports are advertised and refused": Quirk(
        both(advertises, exports_answer(refused("not-supported", 501))), road="auto", words=("read by search",) * 2
    ),
    "exports are advertised and forbidden, and pages lose the port": Quirk(
        both(advertises, capped(5), of_types(links_as(without_port)), exports_answer(refused("forbidden", 403))),
        road="auto",
        words=("read by search",) * 2,
    ),
    "the progress is in letters of its own": Quirk(
        waits_first(progress("50 % – läuft".encode()), progress(b"\xff\xfe50"), progress(b"")), road="bulk"
    ),
    "there is no progress, then too many questions": Quirk(
        waits_first(Answered(b"", 202), BUSY, Answered(b"", 202, LATE)), road="bulk"
    ),
    "one of several machines does not know the job": Quirk(
        waits_first(Answered({}, 202), refused("not-found", 404), Answered({}, 202)), road="bulk"
    ),
    "a kick-off fails for a moment": Quirk(once("Patient/$export", always(UNAVAILABLE)), road="bulk"),
    "a file is cut on its way": Quirk(
        once(
            "files/Observation",
            lambda place, asked: Answered(ndjson(*place.server.resources["Observation"]), cut=100),
        ),
        road="bulk",
    ),
    "a file is empty for a moment": Quirk(once("files/Observation", always(Answered(b"")), times=2), road="bulk"),
    "a token is created, says its endpoint": Quirk(
        both(
            wants_tokens,
            on_token(Answered({"access_token": "t", "expires_in": 600, "token_type": "bearer"}, 201)),
        ),
        fhir=TOKEN,
    ),
    "a file is busy until a date": Quirk(once("files/*", always(Answered({}, 429, LATE))), road="bulk"),
    "files were put together, each with its mark": Quirk(file_of(marked_in_the_middle), road="bulk"),
    "an export holds old versions behind the new": Quirk(file_of(older_behind_newer), road="bulk"),
    "an export deletes, and fails in part": Quirk(
        deletes_and_fails,
        road="bulk",
        statuses=("completed", "partial"),
        words=("", "errors in its export"),
        gone=frozenset({"w-5"}),
        lacks=frozenset({25}),
        stays=frozenset({"Observation"}),
    ),
    "a group is empty on the first night": Quirk(empty_group, road="bulk", fhir='group = "g1"\n'),
    "a file has expired, and so has its job": Quirk(
        gone_then_forgotten, road="bulk", statuses=PARTIAL, words=("410", "")
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", QUIRKS)
def test_two_nights_at_a_hospital_with_quirks(name: str, quirky: Callable[[Quirk], tuple[Place, Nights]]) -> None:
    two_nights(QUIRKS[name], *quirky(QUIRKS[name]))


def test_there_are_more_than_forty() -> None:
    assert len(QUIRKS) > 40


def nights_of(quirk: Quirk, quirky: Callable[[Quirk], tuple[Place, Nights]]) -> tuple[Place, Nights]:
    """A hospital with its first night's data, and nothing read yet."""
    place, nights = quirky(quirk)
    place.server.put(*first_night(quirk.named))
    quirk.arrange(place)
    return place, nights


@pytest.mark.parametrize(
    "kick_off",
    [Answered({}, 202), Answered({}, 202, {"Content-Location": "http://10.9.8.7/jobs/1"})],
    ids=["nowhere", "elsewhere"],
)
def test_a_job_that_cannot_be_found_again_is_not_begun_five_times(
    kick_off: Answered, quirky: Callable[[Quirk], tuple[Place, Nights]]
) -> None:
    """The server says nowhere, or elsewhere, where to wait: each may be at work for hours."""
    begun: list[Asked] = []

    def answer(asked: Asked) -> Answered | None:
        if not asked.path.endswith("$export"):
            return None
        begun.append(asked)
        return kick_off

    _, nights = nights_of(Quirk(lambda place: place.fault(answer), road="bulk"), quirky)
    for _ in range(5):
        with pytest.raises(MainstemError):
            nights.refresh()
    assert len(begun) == 3


def test_a_server_that_forgets_every_job_is_not_asked_for_ten(quirky: Callable[[Quirk], tuple[Place, Nights]]) -> None:
    def forgets(asked: Asked) -> Answered | None:
        return Answered({}, 404) if asked.path.startswith("jobs/") else None

    place, nights = nights_of(Quirk(lambda place: place.fault(forgets), road="bulk"), quirky)
    place.exports.one_at_a_time = False
    for _ in range(5):
        with pytest.raises(MainstemError):
            nights.refresh()
    assert len(place.exports.begun) == 3


def test_a_filter_that_the_server_does_not_know_is_named(quirky: Callable[[Quirk], tuple[Place, Nights]]) -> None:
    """A filter narrows what may be read: it is never left out unasked."""
    given = '[fhir.bulk_parameters]\n_typeFilter = "Observation?category=vital-signs"\n'
    wrong = kick_off_refuses("_typeFilter is not supported", lambda asked: bool(asked.value("_typeFilter")))
    place, nights = nights_of(Quirk(wrong, road="bulk", fhir=given), quirky)
    with pytest.raises(MainstemError) as caught:
        nights.refresh()
    assert "fhir.bulk_parameters" in caught.value.fix
    assert not place.exports.begun


def test_what_changed_while_a_permission_was_lost_comes_when_it_is_back(
    quirky: Callable[[Quirk], tuple[Place, Nights]],
) -> None:
    """The watermark stands still while nothing is given, by any time or without one."""
    quirk = Quirk(weights(nothing_at_all, nights=(2,)))
    place, nights = nights_of(quirk, quirky)
    assert nights.refresh().status == "completed"
    place.night = 2
    place.server.put(*second_night(quirk.named))
    lost = nights.refresh()
    assert [(gap.resource_type, gap.cause) for gap in lost.gaps] == [("Observation", "fell-silent")]
    assert (lost.total.withdrawn, nights.held(), nights.code) == (0, (ALL - {32, 23.5}) | {23}, 3)
    place.night = 3
    assert (nights.refresh().status, nights.held(), nights.code) == ("completed", ALL, 0)


def test_a_count_that_ends_at_its_limit_is_not_the_end(quirky: Callable[[Quirk], tuple[Place, Nights]]) -> None:
    """A search engine counts, and gives, a hundred of any search and no more; windows of time part them."""
    most = 100

    def limited(place: Place, asked: Asked) -> Answered:
        rows = [each for each in place.server.resources["Observation"] if place.server._matches(each, asked)][:most]
        begin = int(asked.value("page", "0"))
        size = 100 if asked.value("_summary") else int(asked.value("_count", "50"))
        page: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(rows)}
        if asked.value("_summary"):
            return Answered(page)
        if begin + size < len(rows):
            params = [*(each for each in asked.params if each[0] != "page"), ("page", str(begin + size))]
            page["link"] = [{"relation": "next", "url": f"{place.server.base_url}/Observation?{urlencode(params)}"}]
        page["entry"] = [{"resource": each} for each in rows[begin : begin + size]]
        return Answered(page)

    place, nights = nights_of(Quirk(weights(limited), fhir="page_size = 50\n"), quirky)
    place.server.resources["Observation"] = [
        weight(number, f"2026-02-{1 + number // 24:02}T{number % 24:02}:00:00Z", 20 + number) for number in range(230)
    ]
    report = nights.refresh()
    assert (report.status, report.types["Observation"].recorded) == ("completed", 230)
