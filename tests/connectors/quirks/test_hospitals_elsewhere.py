"""Hospitals of shapes that others meet, each read twice: whole, or what is missing is named. The second time something changed.

Twelve children with a weight each; then a child and a weight are corrected, and a thirteenth child has come with a weight.
"""

import gzip
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from exporting import Exports, ndjson
from hospital_with_faults import Answered, Asked, FaultyHospital
from quirky_hospitals import TYPES, Json, Place, both, first_night, on, second_night

from connectors.formats.ndjson import read_lines
from connectors.landing import Landing
from connectors.pulled import EXPORT
from connectors.pulling import Source, Wanted, pull
from connectors.roads.bulk import jobs
from schemas.errors import MainstemError

SINCE = datetime.fromisoformat("2026-03-01T00:00:00Z")
Arrange = Callable[[Place], Any]
TOKEN = {"method": "client-credentials", "client_id": "c1", "secret": "file:secret"}
WEIGHTS = frozenset({"Observation"})


@dataclass(frozen=True)
class Shape:
    """What a hospital does, and what of its weights does not come."""

    arrange: Arrange
    words: str = ""
    """What is said each time; nothing where all comes."""
    lacks: frozenset[str] = frozenset()
    """Types that do not come whole."""
    log_in: bool = False
    bulk: bool = False


def changed(change: Callable[[Place, Asked, Json], Any]) -> Arrange:
    """Pages of weights, ten at most, otherwise than they would be."""

    def arrange(place: Place) -> None:
        place.server.cap = 10

        def page(asked: Asked) -> Answered:
            found = change(place, asked, place.server._page("Observation", asked))
            return found if isinstance(found, Answered) else Answered(found)

        place.fault(on("Observation", page))

    return arrange


def onward(write: Callable[[str], str]) -> Arrange:
    """Links to the next page, written otherwise."""

    def change(place: Place, asked: Asked, bundle: Json) -> Json:
        links = bundle.get("link", [])
        return {**bundle, "link": [{**link, "url": write(link["url"])} for link in links]}

    return changed(change)


def refuses_links(answered: Answered) -> Arrange:
    """The second page is never given by its link; another way leads on."""
    by_link = changed(lambda place, asked, bundle: answered if asked.value("page") else bundle)
    return both(lambda place: place.server.understands.add("_offset"), by_link)


def entries(write: Callable[[list[Json]], list[Any]]) -> Arrange:
    """What stands in pages, otherwise."""
    return changed(
        lambda place, asked, bundle: bundle if asked.value("_summary") else {**bundle, "entry": write(bundle["entry"])}
    )


def packed(pack: Callable[[bytes], bytes], encoding: str = "") -> Arrange:
    """All answers as other bytes."""

    def arrange(place: Place) -> None:
        headers = {"Content-Encoding": encoding} if encoding else {}

        def page(asked: Asked) -> Answered | None:
            if asked.path not in TYPES:
                return None
            return Answered(pack(json.dumps(place.server._page(asked.path, asked)).encode()), 200, headers)

        place.fault(page)

    return arrange


def bare_deflate(content: bytes) -> bytes:
    worker = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return worker.compress(content) + worker.flush()


def empty_in_the_middle(place: Place, asked: Asked, bundle: Json) -> Json:
    if asked.value("page") != "10" or asked.value("again"):
        return bundle
    link = {"relation": "next", "url": f"{place.server.base_url}/Observation?page=10&_count=10&again=1"}
    return {**bundle, "entry": [], "link": [link]}


def wants_patients(answered: Answered) -> Arrange:
    """Weights are given patient by patient alone."""

    def arrange(place: Place) -> None:
        place.server.understands.add("patient")
        place.fault(on("Observation", lambda asked: None if asked.value("patient") else answered))

    return arrange


def says(code: str, severity: str = "error") -> Json:
    issue = [{"severity": severity, "code": code, "diagnostics": "Roe, Jane"}]
    return {"resourceType": "OperationOutcome", "issue": issue}


def grants(scope: str, *, weights: bool) -> Arrange:
    """A token for less than was asked for; what it is not for comes empty."""

    def arrange(place: Place) -> None:
        place.fault(
            on(
                ".well-known/smart-configuration",
                lambda asked: Answered({"token_endpoint": f"{place.server.base_url}/token"}),
            )
        )
        place.fault(on("token", lambda asked: Answered({"access_token": "t", "expires_in": 600, "scope": scope})))
        nothing = Answered({"resourceType": "Bundle", "type": "searchset", "total": 0})
        place.fault(on("Observation", lambda asked: None if weights else nothing))

    return arrange


def token_says(body: Any, status: int = 200) -> Arrange:
    def arrange(place: Place) -> None:
        place.fault(
            on(
                ".well-known/smart-configuration",
                lambda asked: Answered({"token_endpoint": f"{place.server.base_url}/token"}),
            )
        )
        place.fault(on("token", lambda asked: Answered(body, status)))

    return arrange


def bare(kind: str) -> Callable[[Place, Asked, Json], Any]:
    return lambda place, asked, bundle: {key: value for key, value in bundle.items() if key != kind}


def leads(status: int) -> Arrange:
    """Every search of weights is sent on to the same with a stroke."""

    def arrange(place: Place) -> None:
        def search(asked: Asked) -> Answered:
            query = "&".join(f"{name}={value}" for name, value in asked.params)
            return Answered(b"", status, {"Location": f"{place.server.base_url}/Observation/?{query}"})

        place.fault(on("Observation", search))
        place.fault(on("Observation/", lambda asked: Answered(place.server._page("Observation", asked))))

    return arrange


def last_time(answered: Answered) -> Arrange:
    """The second time weights are answered so."""
    return lambda place: place.fault(on("Observation", lambda asked: answered if place.night == 2 else None))


SEARCHED: dict[str, Shape] = {
    "a link begins at the base": Shape(onward(lambda url: url.partition("/fhir/")[2])),
    "a link begins at the root": Shape(onward(lambda url: "/fhir/" + url.partition("/fhir/")[2])),
    "a link begins with the host": Shape(onward(lambda url: url.removeprefix("http:"))),
    "a link stands between blanks": Shape(onward(lambda url: f" {url} \n")),
    "a link has what no address has": Shape(onward(lambda url: f"{url}&of=a b|ü#end")),
    "a link names another port": Shape(onward(lambda url: re.sub(r":\d+/", ":8443/", url))),
    "a link names its port twice": Shape(onward(lambda url: re.sub(r"(:\d+)/", r"\1\1/", url))),
    "a link names its port twice, and that of TLS": Shape(onward(lambda url: re.sub(r":\d+/", ":443:443/", url))),
    "a link names the port of TLS": Shape(onward(lambda url: re.sub(r"http:(.*):\d+/", r"https:\1/", url))),
    "a link is not known": Shape(refuses_links(Answered(b"", 410))),
    "a link is not known, and no other way leads on": Shape(
        changed(lambda place, asked, bundle: Answered(b"", 410) if asked.value("page") else bundle),
        "does not take its own next links",
        WEIGHTS,
    ),
    "a link is not understood": Shape(refuses_links(Answered(b"", 400))),
    "a link wants another method": Shape(refuses_links(Answered(b"", 405))),
    "a link leads to a path of the inside": Shape(
        both(
            lambda place: place.server.understands.add("_offset"),
            onward(lambda url: url.replace("/fhir/", "/inside/fhir/")),
        )
    ),
    "a page in the middle is empty": Shape(changed(empty_in_the_middle)),
    "a count is a text": Shape(changed(lambda place, asked, bundle: {**bundle, "total": str(bundle["total"])})),
    "a count is a word": Shape(changed(lambda place, asked, bundle: {**bundle, "total": "unknown"})),
    "a count is negative": Shape(changed(lambda place, asked, bundle: {**bundle, "total": -1})),
    "a count is too small": Shape(changed(lambda place, asked, bundle: {**bundle, "total": 3})),
    "a bundle is of another kind": Shape(changed(lambda place, asked, bundle: {**bundle, "type": "collection"})),
    "a bundle does not say that it is one": Shape(changed(bare("resourceType")), "with no Bundle", WEIGHTS),
    "entries say no mode": Shape(entries(lambda found: [{"resource": each["resource"]} for each in found])),
    "entries are all called included": Shape(
        entries(lambda found: [{**each, "search": {"mode": "include"}} for each in found])
    ),
    "an entry says what is gone": Shape(
        entries(lambda found: [*found, {"request": {"method": "DELETE", "url": "Observation/w-99"}}])
    ),
    "patients are wanted for the cost": Shape(wants_patients(Answered(says("too-costly"), 400))),
    "patients are wanted in a warning": Shape(
        wants_patients(
            Answered(
                {
                    "resourceType": "Bundle",
                    "type": "searchset",
                    "total": 0,
                    "entry": [{"resource": says("required", "warning"), "search": {"mode": "outcome"}}],
                }
            )
        )
    ),
    "packed, and said in capitals": Shape(packed(gzip.compress, "GZIP")),
    "packed, and not said": Shape(packed(gzip.compress)),
    "packed twice, and said once": Shape(packed(lambda content: gzip.compress(gzip.compress(content)), "gzip")),
    "packed in one another": Shape(
        packed(lambda content: gzip.compress(gzip.compress(content)), "gzip, gzip"),
        "packs its answer by a method that was not asked for",
        frozenset(TYPES),
    ),
    "packed, and said not to be": Shape(packed(gzip.compress, "identity, gzip")),
    "said to be packed, and not": Shape(packed(bytes, "gzip")),
    "packed by zlib": Shape(packed(zlib.compress, "deflate")),
    "packed by bare deflate": Shape(packed(bare_deflate, "deflate")),
    "said to be deflated, and not": Shape(packed(bytes, "deflate")),
    "said to be deflated, packed by gzip": Shape(packed(gzip.compress, "deflate")),
    "packed in no way that is one": Shape(packed(bytes, "utf-8")),
    "packed in none": Shape(packed(bytes, "none")),
    "packed for the way of a store": Shape(packed(bytes, "aws-chunked")),
    "packed by what was not asked for": Shape(
        packed(bytes, "br"), "packs its answer by a method that was not asked for", frozenset(TYPES)
    ),
    "half of what is deflated": Shape(
        packed(lambda content: zlib.compress(content)[:-9], "deflate"), "damaged compressed data", frozenset(TYPES)
    ),
    "in letters of two bytes": Shape(packed(lambda content: content.decode().encode("utf-16"))),
    "with a mark of the byte order": Shape(packed(lambda content: b"\xef\xbb\xbf" + content)),
    "sent on for now": Shape(leads(307)),
    "sent on for good": Shape(leads(308)),
    "sent on to see": Shape(leads(303)),
    "no weights may be read, and none come": Shape(
        grants("system/Patient.read", weights=False),
        "not among the scopes that the server granted",
        WEIGHTS,
        log_in=True,
    ),
    "less is granted than asked, and all comes": Shape(grants("system/Patient.read", weights=True), log_in=True),
    "everything is granted": Shape(grants("system/*.rs", weights=True), log_in=True),
    "a token is refused with 200": Shape(
        token_says({"error": "invalid_client"}), r"refuses client c1 \(200\)", frozenset(TYPES), log_in=True
    ),
    "a token lives as long as a text says": Shape(token_says({"access_token": "t", "expires_in": "3600"}), log_in=True),
}
for number in (204, 304, 404, 410, 413, 423, 501):
    SEARCHED[f"{number} the second time"] = Shape(
        last_time(Answered(b"", number)), f"({number})|answered {number}", WEIGHTS
    )


def wanting(*names: str) -> Arrange:
    """A kick-off with these parameters is refused without a word."""

    def kick_off(asked: Asked) -> Answered | None:
        return Answered(b"", 400) if asked.path.endswith("$export") and any(map(asked.value, names)) else None

    return lambda place: place.fault(kick_off)


def placed(write: Callable[[str], dict[str, str]], status: int = 202) -> Arrange:
    """Where to wait is said otherwise."""

    def arrange(place: Place) -> None:
        def kick_off(asked: Asked) -> Answered | None:
            if not asked.path.endswith("$export"):
                return None
            begun = place.exports._begin(asked)
            return Answered(begun.body, status, write(begun.headers["Content-Location"]))

        place.fault(kick_off)

    return arrange


def listed(write: Callable[[Json], Json]) -> Arrange:
    """A manifest, otherwise."""

    def arrange(place: Place) -> None:
        def status(asked: Asked) -> Answered | None:
            if not asked.path.startswith("jobs/") or asked.method != "GET":
                return None
            found = place.exports._status(asked.path)
            return Answered(write(found.body)) if found.status == 200 else found

        place.fault(status)

    return arrange


def output(write: Callable[[Json], Json]) -> Arrange:
    return listed(lambda told: {**told, "output": [write(each) for each in told["output"]]})


def filed(write: Callable[[bytes], bytes], headers: dict[str, str] | None = None) -> Arrange:
    """The file of weights, as other bytes."""

    def arrange(place: Place) -> None:
        def file(asked: Asked) -> Answered | None:
            if asked.path != "files/Observation":
                return None
            return Answered(write(ndjson(*place.server.resources["Observation"])), headers=headers or {})

        place.fault(file)

    return arrange


def keeps_its_jobs(place: Place) -> None:
    """Nothing is deleted, and one job at a time."""
    place.fault(lambda asked: Answered(b"", 405) if asked.method == "DELETE" else None)


EXPORTED: dict[str, Shape] = {
    "no type is taken, without a word": Shape(wanting("_type")),
    "no moment is taken, without a word": Shape(wanting("_since")),
    "neither is": Shape(wanting("_type", "_since")),
    "the place is said in another header": Shape(placed(lambda url: {"Location": url})),
    "the place begins at the base": Shape(placed(lambda url: {"Content-Location": url.partition("/fhir/")[2]})),
    "the place begins at the root": Shape(
        placed(lambda url: {"Content-Location": f"/fhir/{url.partition('/fhir/')[2]}"})
    ),
    "it is taken with 200": Shape(placed(lambda url: {"Content-Location": url}, 200)),
    "no place is said": Shape(placed(lambda url: {}), "does not say where to wait", frozenset(TYPES)),
    "a time is none": Shape(listed(lambda told: {**told, "transactionTime": "yesterday"})),
    "a time lies ahead": Shape(listed(lambda told: {**told, "transactionTime": "2199-01-01T00:00:00Z"})),
    "nobody says whether a token is wanted": Shape(listed(lambda told: {k: v for k, v in told.items() if k[0] != "r"})),
    "types are small": Shape(output(lambda each: {**each, "type": each["type"].lower()})),
    "types are not said": Shape(output(lambda each: {"url": each["url"]})),
    "counts are texts": Shape(output(lambda each: {**each, "count": str(each["count"])})),
    "counts are too small": Shape(output(lambda each: {**each, "count": 1})),
    "addresses begin at the base": Shape(output(lambda each: {**each, "url": each["url"].partition("/fhir/")[2]})),
    "files are named twice": Shape(listed(lambda told: {**told, "output": told["output"] * 2})),
    "lines end as in other systems": Shape(filed(lambda lines: lines.replace(b"\n", b"\r\n"))),
    "lines stand apart": Shape(filed(lambda lines: lines.replace(b"\n", b"\n\n \n"))),
    "the last line has no end": Shape(filed(lambda lines: lines[:-1])),
    "the last line is cut": Shape(filed(lambda lines: lines[:-9]), "ends in mid-line", WEIGHTS),
    "a file is packed, and not said to be": Shape(filed(gzip.compress)),
    "a file is said to be deflated, and not": Shape(filed(bytes, {"Content-Encoding": "deflate"})),
    "a file is packed for the way of a store": Shape(filed(bytes, {"Content-Encoding": "aws-chunked"})),
    "a file is a page": Shape(filed(lambda lines: b"<html>"), "answers with a web page", WEIGHTS),
}


def read(place: Place, source: Source, landing: Landing, shape: Shape) -> tuple[str, dict[str, set[str]]]:
    """What is said, and the ids of what came."""
    said = []
    for unit in (EXPORT,) if shape.bulk else TYPES:
        try:
            pulled = pull(source, Wanted(unit=unit, landing=landing, since=SINCE if place.night == 2 else None))
            said += [f"{short.type} {short.reason}" for short in pulled.short]
        except MainstemError as exc:
            said.append(f"{unit} {exc.cause}")
    lines = {kind: [line for path in landing.files(kind) for line in read_lines(path, cap=1 << 20)] for kind in TYPES}
    return "; ".join(said), {
        kind: {json.loads(line)["id"] for line in found if isinstance(line, bytes)} for kind, found in lines.items()
    }


SHAPES = SEARCHED | {f"an export: {name}": Shape(**{**vars(shape), "bulk": True}) for name, shape in EXPORTED.items()}


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_there_comes_or_is_named(
    name: str,
    faulty: FaultyHospital,
    exports: Exports,
    make_site: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "SHORTEST_POLL", 0.0)
    shape, place = SHAPES[name], Place(faulty, exports, tmp_path)
    (tmp_path / "secret").write_text("s3cret")
    fhir = {"base_url": faulty.base_url, "page_size": 10} | ({"auth": TOKEN} if shape.log_in else {})
    site = make_site(fhir=fhir, types=[*TYPES], road="bulk" if shape.bulk else "search")
    source = Source(site=site, folder=tmp_path, secrets=lambda place: b"s3cret", sleep=lambda seconds: None)
    shape.arrange(place)
    for night, held in ((1, first_night), (2, second_night)):
        place.night = night
        faulty.put(*held(lambda number: f"kid-{number}"))
        exports.transaction_time = f"2026-03-0{night}T02:00:00Z"
        landing = Landing(tmp_path / "north" / f"load-{night}")
        landing.open()
        said, came = read(place, source, landing, shape)

        for kind in set(TYPES) - shape.lacks:
            wanted = {each["id"] for each in held(lambda number: f"kid-{number}") if each["resourceType"] == kind}
            assert wanted <= came[kind], (kind, said)
    assert re.search(shape.words, said) if shape.words else not said
    assert "Roe" not in said
