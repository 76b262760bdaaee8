"""Bulk Data STU 1 to 4: what the server advertises is spoken, what it refuses is asked otherwise, whatever it writes is read."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from exporting import Exports, ndjson
from hospital_with_faults import Answered, FaultyHospital

from connectors.formats.ndjson import read_lines
from connectors.landing import Landing
from schemas.errors import IncompleteError
from schemas.sites import Site

GUIDE = "http://hl7.org/fhir/uv/bulkdata/ImplementationGuide/hl7.fhir.uv.bulkdata"
SINCE = datetime(2029, 6, 1, tzinfo=UTC)


@pytest.fixture
def site(faulty: FaultyHospital, exports: Exports, make_site: Callable[..., Site], fhir: Any) -> Site:
    """A hospital of three patients with a condition each."""
    faulty.put(*(fhir.patient(number) for number in range(3)), *(condition(number) for number in range(3)))
    return make_site(road="bulk", fhir={"base_url": faulty.base_url}, types=["Patient", "Condition"])


def condition(number: int) -> dict[str, Any]:
    subject = {"reference": f"Patient/p{number}"}
    return {"resourceType": "Condition", "id": f"c{number}", "subject": subject}


def advertise(faulty: FaultyHospital, **said: Any) -> None:
    """The capability statement says that too."""
    statement = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", **said}
    faulty.faults.insert(0, lambda asked: Answered(statement) if asked.path == "metadata" else None)


def refuse(text: str = "", status: int = 400) -> Answered:
    issue = {"severity": "error", "code": "invalid", "diagnostics": text}
    return Answered({"resourceType": "OperationOutcome", "issue": [issue]}, status)


@pytest.mark.parametrize(
    "said",
    [
        {"implementationGuide": [f"{GUIDE}|4.0.0-ballot"]},
        {"instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data|4.0.0"]},
        {
            "rest": [
                {
                    "operation": [
                        {
                            "name": "export",
                            "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export|4.0.0",
                        }
                    ]
                }
            ]
        },
    ],
)
def test_edition_4_is_asked_by_post_with_repeated_parameters(
    faulty: FaultyHospital, exports: Exports, site: Site, pull_unit: Any, said: dict[str, Any]
) -> None:
    advertise(faulty, **said)
    exports.methods = {"POST"}
    assert pull_unit(site, "export", since=SINCE).resources == 6
    kick_offs = [asked for asked in faulty.asked if asked.path.endswith("$export")]
    assert [(asked.method, asked.params) for asked in kick_offs] == [("POST", [])]
    assert kick_offs[0].headers["Content-Type"] == "application/fhir+json"
    assert json.loads(kick_offs[0].body) == {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "_type", "valueString": "Patient"},
            {"name": "_type", "valueString": "Condition"},
            {"name": "_since", "valueInstant": "2029-06-01T00:00:00.000Z"},
        ],
    }


def test_edition_4_may_be_advertised_by_the_smart_configuration_alone(
    faulty: FaultyHospital, exports: Exports, site: Site, pull_unit: Any
) -> None:
    """A gateway shows a statement that names no guide; a configuration that is none says nothing."""
    advertise(faulty)
    told = {"associated_endpoints": [{"url": faulty.base_url, "capabilities": [f"{GUIDE}|4.0.0"]}]}
    faulty.faults.insert(0, lambda asked: Answered(told) if asked.path.startswith(".well-known") else None)
    exports.methods = {"POST"}
    assert pull_unit(site, "export", since=SINCE).resources == 6
    assert [asked.method for asked in faulty.asked if asked.path.endswith("$export")] == ["POST"]


@pytest.mark.parametrize("said", [[], [f"{GUIDE}|1.0.1"], [f"{GUIDE}|2.0.0"], [f"{GUIDE}|3.0.0"]])
def test_editions_1_to_3_are_asked_by_get_with_comma_joined_ones(
    faulty: FaultyHospital, exports: Exports, site: Site, pull_unit: Any, said: list[str]
) -> None:
    advertise(faulty, implementationGuide=said)
    assert pull_unit(site, "export", since=SINCE).resources == 6
    [asked] = exports.begun
    assert asked.method == "GET"
    assert asked.params == [("_type", "Patient,Condition"), ("_since", "2029-06-01T00:00:00.000Z")]


@pytest.mark.parametrize(
    ("refusals", "method", "types"),
    [
        ([refuse(status=405)], "POST", []),
        ([refuse("Kick-off by POST only")], "POST", []),
        ([refuse("_type must be repeated, not joined by commas")], "GET", ["Patient", "Condition"]),
    ],
)
def test_a_refusal_that_says_how_to_ask_is_heeded(
    exports: Exports, site: Site, pull_unit: Any, refusals: list[Answered], method: str, types: list[str]
) -> None:
    exports.methods = {"GET", "POST"}
    exports.kick_off = refusals
    pull_unit(site, "export")
    assert exports.begun[0].method == method
    assert [value for name, value in exports.begun[0].params if name == "_type"] == types


def test_edition_4_that_is_advertised_and_not_understood_falls_back(
    faulty: FaultyHospital, exports: Exports, site: Site, pull_unit: Any
) -> None:
    """A gateway in front of it knows GET with one parameter a name."""
    advertise(faulty, implementationGuide=[f"{GUIDE}|4.0.0-ballot"])
    exports.kick_off = [refuse(status=405), refuse("duplicate parameter")]
    assert pull_unit(site, "export").resources == 6
    assert exports.begun[0].params == [("_type", "Patient,Condition")]


def test_a_server_without_capability_statement_exports_all_the_same(
    faulty: FaultyHospital, exports: Exports, site: Site, pull_unit: Any
) -> None:
    faulty.faults.insert(0, lambda asked: Answered({}, 404) if asked.path == "metadata" else None)
    assert pull_unit(site, "export").resources == 6


@pytest.mark.parametrize("typed", [True, False])
def test_files_by_patient_are_sorted_by_type(
    exports: Exports, site: Site, pull_unit: Any, ids: Any, fhir: Any, landing: Landing, typed: bool
) -> None:
    """A header stands in front of each patient's resources, and goes no further."""
    header = {"name": "header", "valueReference": {"reference": "Patient/p0"}}
    lines = [
        {"resourceType": "Parameters", "parameter": [header]},
        fhir.patient(0),
        condition(0),
        {"resourceType": "Binary", "id": "b0"},
    ]
    for number in (0, 1):
        exports.files[f"kid-{number}"] = ndjson(*lines, condition(number + 7))
    output = [{"url": exports.url(f"files/kid-{number}"), "count": 4} for number in (0, 1)]
    exports.manifest = {
        "outputOrganizedBy": "Patient",
        "output": [{**each, **({"type": "Patient"} if typed else {})} for each in output],
    }
    pulled = pull_unit(site, "export")
    assert (pulled.short, pulled.types) == ([], {"Patient": 2, "Condition": 4})
    assert ids("Condition") == ["c0", "c7", "c0", "c8"]
    assert not landing.files("Binary")
    assert sorted(path.name for path in landing.folder.glob("*.gz")) == sorted(pulled.files)


def test_a_file_of_no_type_that_cannot_be_read_holds_every_watermark(
    exports: Exports, site: Site, pull_unit: Any
) -> None:
    exports.files["kid"] = b'{"resourceType":"Patient","id":"p0"}\n{"id":"who"}\n'
    exports.manifest = {"output": [{"url": exports.url("files/kid")}]}
    pulled = pull_unit(site, "export")
    assert [(short.type, short.cause) for short in pulled.short] == [("", "unknown-type")]
    assert pulled.types == {"Patient": 2}  # what cannot be told is shown by the mapping


def test_pages_of_a_manifest_that_come_one_by_one_are_waited_for(
    faulty: FaultyHospital, exports: Exports, site: Site, pull_unit: Any
) -> None:
    """Partial manifests: the next page is not ready yet, and says 202 until it is."""
    second = [Answered({}, 202), Answered({}, 202)]
    patients = [{"type": "Patient", "url": exports.url("files/Patient"), "count": 3}]
    conditions = [{"type": "Condition", "url": exports.url("files/Condition"), "count": 3}]
    exports.manifest = {"output": patients, "link": [{"relation": "next", "url": exports.url("pages/2")}]}
    page = Answered({"requiresAccessToken": False, "output": conditions})
    faulty.faults.insert(0, lambda asked: (second or [page]).pop() if asked.path == "pages/2" else None)
    pulled = pull_unit(site, "export")
    assert (pulled.short, pulled.types) == ([], {"Patient": 3, "Condition": 3})


@pytest.mark.parametrize(("next_page", "cause"), [("pages/404", "file-not-read"), ("jobs/1", "paging")])
def test_a_page_of_the_manifest_that_does_not_come_holds_every_watermark_and_no_data(
    exports: Exports, site: Site, pull_unit: Any, next_page: str, cause: str
) -> None:
    exports.manifest = {"link": [{"relation": "next", "url": exports.url(next_page)}]}
    pulled = pull_unit(site, "export")
    assert pulled.resources == 6
    assert [(short.type, short.cause) for short in pulled.short] == [("", cause)]
    assert len(exports.begun) == len(exports.deleted) == 1


def test_deletions_become_stubs_of_their_types(exports: Exports, site: Site, pull_unit: Any, landing: Landing) -> None:
    """Of what is read; what came in the same export was made again, and stays."""
    gone = ["Patient/p9", "Condition/c9", "Condition/c1", f"{exports.hospital.base_url}/Condition/c8", "Binary/b1"]
    entries = [{"request": {"method": "DELETE", "url": url}} for url in gone]
    exports.files["deleted"] = ndjson({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    exports.manifest = {"deleted": [{"type": "Bundle", "url": exports.url("files/deleted"), "count": 1}]}
    pulled = pull_unit(site, "export")
    assert (pulled.short, pulled.types) == ([], {"Patient": 3, "Condition": 3})
    lines = [
        line
        for name in ("Patient", "Condition")
        for path in landing.files(name)[1:]
        for line in read_lines(path, cap=999)
    ]
    assert [json.loads(line) for line in lines] == [  # type: ignore[arg-type]
        {"resourceType": name, "id": ident, "meta": {"deleted": True}}
        for name, ident in (("Patient", "p9"), ("Condition", "c8"), ("Condition", "c9"))
    ]


@pytest.mark.parametrize("answer", [Answered({}, 404), b'{"resourceType":"Bundle","entry":[{"request":7}]}\n', b"no\n"])
def test_deletions_that_cannot_be_read_hold_every_watermark(
    exports: Exports, site: Site, pull_unit: Any, answer: Answered | bytes
) -> None:
    """They come again with the next export that begins where this one did."""
    exports.files["deleted"] = answer
    exports.manifest = {"deleted": [{"url": exports.url("files/deleted")}]}
    pulled = pull_unit(site, "export")
    assert pulled.resources == 6
    assert [(short.type, short.cause) for short in pulled.short] == [("", "file-not-read")]


MORE = {
    "_typeFilter": ["Condition?category=problem-list-item,encounter-diagnosis", "Condition?code=a+b"],
    "organizeOutputBy": "Patient",
    "allowPartialManifests": "true",
}


def test_what_a_site_asks_for_goes_with_the_kick_off(
    faulty: FaultyHospital, exports: Exports, site: Site, make_site: Callable[..., Site], pull_unit: Any
) -> None:
    """Commas within a filter are quoted, so that those between filters can be told from them."""
    site = make_site(road="bulk", fhir={"base_url": faulty.base_url, "bulk_parameters": MORE})
    pull_unit(site, "export")
    assert exports.begun[0].params == [
        ("_type", "Patient"),
        ("_typeFilter", "Condition?category=problem-list-item%2Cencounter-diagnosis,Condition?code=a+b"),
        ("organizeOutputBy", "Patient"),
        ("allowPartialManifests", "true"),
    ]


def test_what_a_site_asks_for_goes_into_the_parameters_of_edition_4(
    faulty: FaultyHospital, exports: Exports, site: Site, make_site: Callable[..., Site], pull_unit: Any
) -> None:
    advertise(faulty, implementationGuide=[f"{GUIDE}|4.0.0-ballot"])
    exports.methods = {"POST"}
    pull_unit(make_site(road="bulk", fhir={"base_url": faulty.base_url, "bulk_parameters": MORE}), "export")
    assert json.loads(exports.begun[0].body)["parameter"] == [
        {"name": "_type", "valueString": "Patient"},
        *({"name": "_typeFilter", "valueString": value} for value in MORE["_typeFilter"]),
        {"name": "organizeOutputBy", "valueString": "Patient"},
        {"name": "allowPartialManifests", "valueBoolean": True},
    ]


def test_a_site_may_not_ask_for_other_types_or_times(make_site: Callable[..., Site]) -> None:
    with pytest.raises(ValueError, match="bulk_parameters"):
        make_site(road="bulk", fhir={"base_url": "https://ehr.example/fhir", "bulk_parameters": {"_since": "1999"}})


@pytest.mark.parametrize(
    "answer",
    [
        refuse(status=200),
        Answered({"transactionTime": "2030-01-01T00:00:00Z", "requiresAccessToken": False}),
        Answered({"resourceType": "Bundle", "type": "batch-response", "entry": []}),
        Answered({"output": "none"}),
    ],
)
def test_what_is_no_manifest_proves_nothing(exports: Exports, site: Site, pull_unit: Any, answer: Answered) -> None:
    """It passes, or it is an error and the job given back; it never says that nothing changed."""
    exports.status = [answer] * 3
    with pytest.raises(IncompleteError, match="in its place"):
        pull_unit(site, "export")
    assert exports.jobs == {}
    exports.status = [answer, answer]
    assert pull_unit(site, "export").resources == 6


def test_without_a_time_in_the_manifest_the_export_is_of_the_time_it_was_begun(
    faulty: FaultyHospital, exports: Exports, site: Site, pull_unit: Any
) -> None:
    """What changed while the server was at work may not be in it; its clock may be behind ours."""
    exports.manifest = {"transactionTime": "soon"}
    at = {"Date": "Tue, 01 Jan 2030 11:00:00 GMT"}
    exports.kick_off = [Answered({}, 202, {"Content-Location": exports.url("jobs/7"), **at})]
    exports.jobs["jobs/7"] = ["Patient", "Condition"]
    exports.status = [Answered({}, 202)]
    assert pull_unit(site, "export").as_of == datetime(2030, 1, 1, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Patient/$export cannot export Condition",
        "Unsupported _type Condition. Supported types: Patient, Encounter, Condition.note",
        "Not supported: Condition",
        "GET [base]/Patient/$export?_type=Patient,Condition: resource type 'Condition' is not exportable",
    ],
)
def test_the_type_that_a_refusal_is_about_is_told_from_those_it_mentions(
    exports: Exports, site: Site, pull_unit: Any, text: str
) -> None:
    exports.kick_off = [refuse(text)]
    pulled = pull_unit(site, "export")
    assert (pulled.short, pulled.types) == ([], {"Patient": 3, "Condition": 3})
    assert exports.begun[0].params == [("_type", "Patient")]
