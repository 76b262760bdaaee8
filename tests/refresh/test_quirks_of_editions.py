"""Hospitals' exports by editions 1 to 4 of Bulk Data, which change between nights, and files that are not quite as they should be."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from exporting import ndjson
from hospital_with_faults import Answered, Asked
from quirky_hospitals import TYPES, Json, Nights, Place, Quirk, both, on, refused, two_nights
from quirky_steps import PARTIAL, file_of, manifest_says, output, waits_first

GUIDE = "http://hl7.org/fhir/uv/bulkdata/ImplementationGuide/hl7.fhir.uv.bulkdata"
LATER = ("completed", "partial")
Step = Callable[[Place], Any]


def later(*steps: Step) -> Step:
    """From the second night on."""
    return lambda place: setattr(place, "heal", both(*steps))


def edition(number: int) -> Step:
    """What the server advertises; the fourth is asked by POST alone, those before by GET alone."""

    def arrange(place: Place) -> None:
        place.exports.methods = {"POST"} if number >= 4 else {"GET"}
        told = {"implementationGuide": [f"{GUIDE}|{number}.0.0"]}
        place.fault(on("metadata", lambda asked: Answered(place.server._statement() | told)))

    return arrange


def kick_off_answers(answered: Answered) -> Step:
    return lambda place: place.fault(lambda asked: answered if asked.path.endswith("$export") else None)


def message(severity: str = "error", of: str = "Observation") -> bytes:
    issue = [{"severity": severity, "code": "exception", "expression": [of], "diagnostics": "Roe, Jane"}]
    return ndjson({"resourceType": "OperationOutcome", "issue": issue})


def tells(name: str, content: bytes = b"", **entry: Any) -> Step:
    """The manifest names a file of messages, under the name of its edition."""

    def arrange(place: Place) -> None:
        place.exports.files["messages"] = content or message()
        place.exports.manifest[name] = [{"url": place.exports.url("files/messages"), **entry}]

    return arrange


def by_patient(place: Place) -> None:
    """A file a patient, each with a header in front; the manifest says no type of any."""

    def file(asked: Asked) -> Answered | None:
        name = asked.path.removeprefix("files/of-")
        if name == asked.path:
            return None
        header = {"name": "header", "valueReference": {"reference": f"Patient/{name}"}}
        rows = place.server.resources
        own = [each for each in rows["Patient"] if each["id"] == name]
        own += [each for each in rows["Observation"] if each["subject"]["reference"] == f"Patient/{name}"]
        return Answered(ndjson({"resourceType": "Parameters", "parameter": [header]}, *own))

    def manifest(asked: Asked) -> Answered | None:
        if not asked.path.startswith("jobs/") or asked.method != "GET":
            return None
        names = [each["id"] for each in place.server.resources["Patient"]]
        found = [{"url": place.exports.url(f"files/of-{name}")} for name in names]
        told = {"transactionTime": place.exports.transaction_time, "requiresAccessToken": False}
        return Answered({**told, "outputOrganizedBy": "Patient", "output": found})

    place.fault(manifest)
    place.fault(file)


def page_by_page(place: Place) -> None:
    """Partial manifests: the second page is not there at once, and says 202 until it is."""
    left = {1: 2, 2: 2}

    def manifest(asked: Asked) -> Answered | None:
        told = {"transactionTime": place.exports.transaction_time, "requiresAccessToken": False}
        if asked.path == "pages/2":
            left[place.night] -= 1
            return Answered({}, 202) if left[place.night] >= 0 else Answered({**told, "output": output(place)[1:]})
        if not asked.path.startswith("jobs/") or asked.method != "GET":
            return None
        link = [{"relation": "next", "url": place.exports.url("pages/2")}]
        return Answered({**told, "output": output(place)[:1], "link": link})

    place.fault(manifest)


def signed(place: Place) -> None:
    """Addresses of files are signed, and good for one try, which breaks off; the manifest gives new ones when it is asked again."""
    asked_for = {1: 0, 2: 0}
    used = set[str]()

    def manifest(asked: Asked) -> Answered | None:
        if not asked.path.startswith("jobs/") or asked.method != "GET":
            return None
        asked_for[place.night] += 1
        mark = f"?signature={place.night}-{asked_for[place.night]}"
        told = {"transactionTime": place.exports.transaction_time, "requiresAccessToken": False}
        return Answered({**told, "output": output(place, lambda url: url + mark)})

    def file(asked: Asked) -> Answered | None:
        if not asked.path.startswith("files/"):
            return None
        mark, first = f"{asked.path}{asked.value('signature')}", not used
        if mark in used:
            return Answered(b"<Error><Code>AccessDenied</Code></Error>", 403, {"Content-Type": "application/xml"})
        used.add(mark)
        found = place.exports(asked)
        assert found is not None
        return Answered(found.body, cut=50) if first else found

    place.fault(manifest)
    place.fault(file)


def expired(place: Place) -> None:
    """The store behind the signed addresses gives nothing more: too late is too late, until the manifest is asked again."""
    old = set[str]()

    def manifest(asked: Asked) -> Answered | None:
        if not asked.path.startswith("jobs/") or asked.method != "GET":
            return None
        mark = f"?expires={place.night}{'-again' if old else ''}"
        told = {"transactionTime": place.exports.transaction_time, "requiresAccessToken": False}
        return Answered({**told, "output": output(place, lambda url: url + mark)})

    def file(asked: Asked) -> Answered | None:
        if asked.path != "files/Observation" or asked.value("expires") != "1":
            return None
        old.add("seen")
        return Answered(b"<Error><Code>AccessDenied</Code></Error>", 403, {"Content-Type": "application/xml"})

    place.fault(manifest)
    place.fault(file)


def empty_of_no_content(place: Place) -> None:
    """A type of which there is nothing has a file of none, answered 204."""
    place.exports.manifest["output"] = [
        *output(place),
        {"type": "Condition", "url": place.exports.url("files/none"), "count": 0},
    ]
    place.fault(on("files/none", lambda asked: Answered(b"", 204)))


def as_bundle(rows: list[Json]) -> bytes:
    entry = [{"resource": each} for each in rows]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entry}).encode()


def as_binary(rows: list[Json], kind: str = "application/fhir+ndjson") -> bytes:
    content = b64encode(ndjson(*rows)).decode()
    return json.dumps({"resourceType": "Binary", "id": "1", "contentType": kind, "data": content}).encode()


def times(**by_night: Any) -> Step:
    """What the manifest says of its time, on the first night and on the second."""

    def arrange(place: Place) -> None:
        place.exports.manifest["transactionTime"] = by_night["first"]
        place.heal = manifest_says(transactionTime=by_night["second"])

    return arrange


def named_by(written: Callable[[str], str]) -> Step:
    def arrange(place: Place) -> None:
        place.exports.manifest["output"] = [{**each, "type": written(each["type"])} for each in output(place)]

    return arrange


def waits_at(written: Callable[[Place, str], str]) -> Step:
    """Where to wait is said otherwise."""

    def arrange(place: Place) -> None:
        def kick_off(asked: Asked) -> Answered | None:
            if not asked.path.endswith("$export"):
                return None
            begun = place.exports._begin(asked)
            there = begun.headers.get("Content-Location", "")
            return Answered(begun.body, begun.status, {"Content-Location": written(place, there)} if there else {})

        place.fault(kick_off)

    return arrange


def advertises(place: Place) -> None:
    name = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"

    def statement(asked: Asked) -> Answered:
        told = place.server._statement()
        told["rest"][0]["operation"] = [{"name": "export", "definition": name}]
        return Answered(told)

    place.fault(on("metadata", statement))


def without_last_updated(place: Place) -> None:
    place.server.understands.discard("_lastUpdated")


def counts_a_patient_twice(place: Place) -> None:
    """The same file stands in the manifest twice, at two addresses."""
    place.exports.manifest["output"] = [*output(place), *output(place, lambda url: f"{url}@again")]


AT_ONCE = Answered({"resourceType": "Bundle", "type": "searchset", "entry": []})
AT_WORK = Answered(
    {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}
)
WEIGHTS = frozenset({"Observation"})

QUIRKS: dict[str, Quirk] = {
    # ------------------------------------------------ editions
    "edition 1 becomes edition 4": Quirk(both(edition(1), later(edition(4))), road="bulk"),
    "edition 4 becomes edition 2 again": Quirk(both(edition(4), later(edition(2))), road="bulk"),
    "edition 3 becomes edition 4, whose messages say what failed": Quirk(
        both(edition(3), later(edition(4), tells("outcome"))),
        road="bulk",
        statuses=LATER,
        words=("", "errors in its export"),
        stays=WEIGHTS,
    ),
    "edition 4 tells what is harmless": Quirk(
        both(edition(4), tells("outcome", message("information"), countSeverity=[{"code": "information", "count": 1}])),
        road="bulk",
    ),
    "edition 4 counts errors, and its file of them is gone": Quirk(
        both(
            edition(4),
            tells("outcome", countSeverity=[{"code": "error", "count": 2}]),
            lambda place: place.fault(
                on("files/messages", lambda asked: refused("not-found", 404) if place.night == 1 else None)
            ),
            later(manifest_says(outcome=[])),
        ),
        road="bulk",
        statuses=PARTIAL,
        words=("404", ""),
    ),
    "both names of messages stand in one manifest": Quirk(
        both(
            tells("outcome", message("information")),
            tells("error", message(of="Patient")),
            later(manifest_says(error=[], outcome=[])),
        ),
        road="bulk",
        statuses=PARTIAL,
        words=("Patient", ""),
    ),
    "files are of patients from the second night on": Quirk(both(edition(3), later(by_patient)), road="bulk"),
    "files are of patients, and the edition changes": Quirk(
        both(edition(3), by_patient, later(edition(4))), road="bulk"
    ),
    "manifests are partial, and their pages come late": Quirk(both(edition(3), page_by_page), road="bulk"),
    "what each edition says of time differs": Quirk(
        times(first="2026-03-01T02:00:00.000+00:00", second="2026-03-01T21:00:00-05:00"), road="bulk"
    ),
    "a manifest says no time": Quirk(times(first=None, second=None), road="bulk"),
    "a manifest says its time as a number": Quirk(times(first=1772330400, second=1772416800), road="bulk"),
    "a manifest says a time of the future": Quirk(
        times(first="2099-01-01T00:00:00Z", second="2099-01-02T00:00:00Z"), road="bulk"
    ),
    "an export is of a time before the last one": Quirk(
        times(first="2026-03-01T02:00:00Z", second="2026-02-20T02:00:00Z"), road="bulk", stays=frozenset(TYPES)
    ),
    # ------------------------------------------------ roads
    "exports are refused from the second night on": Quirk(
        both(advertises, later(kick_off_answers(refused("forbidden", 403)))),
        road="auto",
        words=("", "read by search"),
    ),
    "exports are refused from the second night on, and the window is ignored": Quirk(
        both(advertises, later(kick_off_answers(refused("not-supported", 501)), without_last_updated)),
        road="auto",
        words=("", "read by search"),
    ),
    "exports are there from the second night on": Quirk(later(advertises), road="auto"),
    "weights are not exported from the second night on, and read by search": Quirk(
        later(lambda place: place.exports.not_exported.add("Observation")), road="bulk"
    ),
    "each file stands in the manifest twice": Quirk(counts_a_patient_twice, road="bulk"),
    "a kick-off fails, its job is there, and the next is refused for it": Quirk(
        lambda place: place.exports.kick_off.extend([refused("transient", 503), refused("transient", 504)]), road="bulk"
    ),
    # ------------------------------------------------ addresses
    "addresses of files are good for one try, which breaks off": Quirk(signed, road="bulk"),
    "an address of a file has expired, and the manifest has a new one": Quirk(expired, road="bulk"),
    "where to wait is a path": Quirk(
        waits_at(lambda place, there: there.replace(place.server.base_url, "/fhir")), road="bulk"
    ),
    "where to wait begins nowhere": Quirk(
        waits_at(lambda place, there: there.replace(f"{place.server.base_url}/", "")), road="bulk"
    ),
    "where to wait loses the port": Quirk(
        waits_at(lambda place, there: there.replace(place.server.base_url, "http://127.0.0.1/fhir")), road="bulk"
    ),
    # ------------------------------------------------ manifests and files
    "a type without resources has a file of no content": Quirk(
        empty_of_no_content, road="bulk", types=(*TYPES, "Condition"), stays=frozenset({"Condition"})
    ),
    "types are named in small letters": Quirk(named_by(str.lower), road="bulk"),
    "types are named as files": Quirk(named_by(lambda name: f"{name}.ndjson"), road="bulk"),
    "types are named as definitions": Quirk(
        named_by(lambda name: f"http://hl7.org/fhir/StructureDefinition/{name}"), road="bulk"
    ),
    "the status says that it is at work, with 200": Quirk(waits_first(AT_WORK, AT_WORK), road="bulk"),
    "the status has no files for a moment": Quirk(
        waits_first(Answered({"transactionTime": "2026-03-01T02:00:00Z", "output": None})), road="bulk"
    ),
    "an export is answered at once, with a Bundle": Quirk(
        both(advertises, kick_off_answers(AT_ONCE)), road="auto", words=("read by search",) * 2
    ),
    "the last line of a file has no end": Quirk(file_of(lambda rows: ndjson(*rows).rstrip(b"\n")), road="bulk"),
    "a file begins with blank lines": Quirk(file_of(lambda rows: b"\r\n \r\n" + ndjson(*rows)), road="bulk"),
    "a file is a Bundle": Quirk(file_of(as_bundle), road="bulk"),
    "a file is a Bundle, written for people": Quirk(
        file_of(lambda rows: json.dumps(json.loads(as_bundle(rows)), indent=2).encode()), road="bulk"
    ),
    "a file is Bundles, one a line": Quirk(
        file_of(lambda rows: b"\n".join(as_bundle(rows[at : at + 5]) for at in range(0, len(rows), 5))), road="bulk"
    ),
    "a file is a Binary": Quirk(file_of(as_binary), road="bulk"),
    "a file is a Binary of something else for a night": Quirk(
        file_of(lambda rows: as_binary(rows, "application/pdf"), nights=(1,)),
        road="bulk",
        statuses=PARTIAL,
        words=("of other types", ""),
    ),
    "a file is a list": Quirk(file_of(lambda rows: json.dumps(rows).encode()), road="bulk"),
    "a file is a list, written for people": Quirk(
        file_of(lambda rows: json.dumps(rows, indent=2).encode()), road="bulk"
    ),
    "a file is written for people": Quirk(
        file_of(lambda rows: b"\n".join(json.dumps(each, indent=2).encode() for each in rows)), road="bulk"
    ),
    "a file is a list, written for people, and breaks off for a night": Quirk(
        file_of(lambda rows: json.dumps(rows, indent=2).encode()[:-400], nights=(1,)),
        road="bulk",
        statuses=PARTIAL,
        words=("in mid-line", ""),
    ),
    "a file is a Bundle of fewer than the manifest counts for a night": Quirk(
        file_of(lambda rows: as_bundle(rows[:9]), nights=(1,)),
        road="bulk",
        statuses=PARTIAL,
        words=("9 of 12 resources", ""),
    ),
    "a file is UTF-16 for a night": Quirk(
        file_of(lambda rows: ndjson(*rows).decode().encode("utf-16"), nights=(1,)),
        road="bulk",
        statuses=PARTIAL,
        words=("UTF-16", ""),
    ),
    "every line of a file ends in a comma for a night": Quirk(
        file_of(lambda rows: ndjson(*rows).replace(b"\n", b",\n"), nights=(1,)),
        road="bulk",
        statuses=PARTIAL,
        words=("lines that came holds a resource (invalid-json", ""),
    ),
    "a line is cut in the middle of a file": Quirk(
        file_of(lambda rows: ndjson(*rows).replace(b'"value":25', b'"val', 1), nights=(1,)),
        road="bulk",
        words=("invalid-json", ""),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", QUIRKS)
def test_two_nights_of_exports(name: str, quirky: Callable[[Quirk], tuple[Place, Nights]]) -> None:
    two_nights(QUIRKS[name], *quirky(QUIRKS[name]))
