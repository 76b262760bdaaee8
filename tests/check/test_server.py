"""`mainstem check` tells what is wrong before the first run, and who can mend it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from exporting import Exports
from hospital_with_faults import Answered, FaultyHospital

from mainstem.check import Finding, check_site
from schemas.sites import Site

BASE = "http://127.0.0.1:1/fhir"
STATEMENT = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "software": {"name": "Ehr"}}


def test_real_server_is_found_ready(
    hospital: Callable[..., Any], make_site: Callable[..., Site], findings: Any, fhir: Any
) -> None:
    server = hospital([fhir.patient(1), fhir.patient(2)], smart=True)
    auth = {
        "method": "smart-backend",
        "client_id": server.client.client_id,
        "private_key": "file:k",
        "algorithm": "ES384",
    }
    site = make_site(fhir={"base_url": server.base_url, "auth": auth}, road="search", types=["Patient", "Condition"])
    real = {"clock": lambda: datetime.now(UTC), "secrets": lambda _: server.client.private_key.read_bytes()}
    found = findings(site, **real)
    assert list(found) == ["subject key", "capability statement", "log-in", "Patient", "Condition"]
    assert all(finding.ok for finding in found.values())
    assert found["Patient"].what == "1 read, 2 in all"

    wrong = findings(site.model_copy(update={"fhir": site.fhir.model_copy(  # type: ignore[union-attr]
        update={"auth": site.fhir.auth.model_copy(update={"client_id": "stranger"})})}), **real)  # type: ignore[union-attr]  # fmt: skip
    assert not wrong["log-in"].ok
    assert "stranger" in wrong["log-in"].what
    assert wrong["log-in"].fix
    assert "Patient" not in wrong


def test_type_that_may_not_be_read_is_found_while_others_may(
    make_site: Any, findings: Any, saying: Any, fhir: Any
) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("metadata"):
            return httpx2.Response(200, json=STATEMENT)
        if request.url.path.endswith("Condition"):
            return httpx2.Response(403)
        return httpx2.Response(200, json=fhir.bundle(fhir.patient(1, meta={})))

    found = findings(make_site(types=["Patient", "Condition"]), saying(answer))
    assert found["Patient"] == Finding("Patient", True, "1 read; no usable meta.lastUpdated", resource_type="Patient")
    assert not found["Condition"].ok
    assert found["Condition"].who == "site IT"
    assert "[fhir.auth]" in found["Condition"].fix
    auth = {"method": "basic", "username": "reader", "secret": "env:S"}
    known = findings(make_site(types=["Condition"], fhir={"base_url": BASE, "auth": auth}), saying(answer))
    assert "does not permit reader to read it (403)" in known["Condition"].what
    assert "Grant this client the scope" in known["Condition"].fix


def test_dead_server_ends_the_check_soon(make_site: Any, findings: Any, saying: Any) -> None:
    transport = saying(httpx2.ConnectError("refused"))
    found = findings(make_site(), transport)
    assert list(found) == ["subject key", "capability statement"]
    assert "nothing answers at 127.0.0.1:1" in found["capability statement"].what
    assert found["capability statement"].kind == "temporary"


def test_server_without_export_is_found_before_the_run(make_site: Any, findings: Any, saying: Any, fhir: Any) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=STATEMENT if request.url.path.endswith("metadata") else fhir.bundle())

    found = findings(make_site(road="bulk"), saying(answer))
    assert not found["bulk export"].ok
    assert found["bulk export"].who == "EHR vendor"


def test_export_is_found_advertised_without_being_kicked_off(make_site: Any, findings: Any, saying: Any) -> None:
    """Some servers allow one a day."""
    export = {"name": "export", "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"}
    told = saying({**STATEMENT, "rest": [{"resource": [{"type": "Patient", "operation": [export]}]}]})
    found = findings(make_site(road="bulk"), told)
    assert found["bulk export"].what == "advertised for Patient"
    assert not any("$export" in str(request.url) for request in told.requests)
    found = findings(make_site(road="bulk", fhir={"base_url": BASE, "group": "cf"}), told)
    assert "no export of a Group" in found["bulk export"].what


def test_unknown_vendor_is_a_finding(make_site: Any, findings: Any) -> None:
    found = findings(make_site(fhir={"base_url": BASE, "vendor": "epik"}))
    assert "epik" in found["configuration"].what
    assert (found["configuration"].ok, found["configuration"].who) == (False, "network")


@pytest.mark.parametrize(
    ("answer", "probe", "kind", "said"),
    [
        (httpx2.Response(503), "capability statement", "temporary", "answered 503"),
        (httpx2.Response(200, html="<form>Log in</form>"), "capability statement", "operator", "web page"),
        ({**STATEMENT, "fhirVersion": "3.0.2"}, "capability statement", "operator", "Mainstem reads R4"),
        (httpx2.Response(200, text='{"resourceType":"Cap'), "capability statement", "incomplete", "not whole"),
    ],
)
def test_server_that_is_none_ends_the_check_and_keeps_the_errors_kind(
    make_site: Any, findings: Any, saying: Any, answer: Any, probe: str, kind: str, said: str
) -> None:
    found = findings(make_site(), saying(answer))
    assert list(found) == ["subject key", probe]
    assert (found[probe].ok, found[probe].kind) == (False, kind)
    assert said in found[probe].what
    assert found[probe].fix


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx2.Response(429), "temporary"),
        (httpx2.Response(404), "operator"),
        (httpx2.Response(200, json={"resourceType": "OperationOutcome"}), "incomplete"),
        (httpx2.ReadTimeout("slow"), "temporary"),
    ],
)
def test_page_that_fails_is_its_types_finding_alone(
    make_site: Any, findings: Any, saying: Any, fhir: Any, answer: Any, kind: str
) -> None:
    def answers(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("metadata"):
            return httpx2.Response(200, json=STATEMENT)
        if request.url.path.endswith("Patient"):
            return httpx2.Response(200, json=fhir.bundle(fhir.patient(1)))
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, httpx2.Response)
        return answer

    found = findings(make_site(types=["Patient", "Condition"]), saying(answers))
    assert found["Patient"].ok
    assert (found["Condition"].kind, found["Condition"].resource_type) == (kind, "Condition")


@pytest.mark.parametrize(("clock", "noticed"), [("00:00:00Z", True), ("09:15:00Z", False)])
def test_dates_written_as_midnight_are_noticed_at_a_server_too(
    make_site: Any, findings: Any, saying: Any, fhir: Any, clock: str, noticed: bool
) -> None:
    """From one more page of each type; one that cannot be read is told once, of its page."""
    readings = [
        {"resourceType": "Observation", "id": str(number), "effectiveDateTime": f"2026-03-02T{clock}"}
        for number in range(30)
    ]

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("metadata"):
            return httpx2.Response(200, json=STATEMENT)
        if request.url.path.endswith("Condition"):
            return httpx2.Response(403)
        return httpx2.Response(200, json=fhir.bundle(*readings[: int(request.url.params.get("_count", "1"))]))

    types = ["Observation", "Condition"]
    found = findings(make_site(types=types), saying(answer))
    assert ("midnights" in found) == noticed
    assert [name for name in found if not found[name].ok] == ["Condition", *(["midnights"] if noticed else [])]
    if noticed:
        assert "dates_as_midnight_utc" in found["midnights"].fix
    assert "midnights" not in findings(make_site(types=types, dates_as_midnight_utc=True), saying(answer))


def test_vendors_advice_is_shown_and_what_it_will_not_take_is_found(make_site: Any, findings: Any, saying: Any) -> None:
    """Before an export is wasted: Oracle Health allows one at a time."""
    cerner = {**STATEMENT, "publisher": "Cerner"}
    more = {"_typeFilter": ["Condition?patient=1", "Condition?code=x"]}
    found = findings(make_site(road="bulk", fhir={"base_url": BASE, "bulk_parameters": more}), saying(cerner))
    assert "vendor Oracle Health (Cerner) (told by its publisher)" in found["capability statement"].what
    assert found["vendor"].ok
    assert "10,000 patients" in found["vendor"].what
    assert (found["type filter"].ok, found["type filter"].who) == (False, "network")
    assert found["type filter"].what.endswith(": Condition: no patient in a filter; Condition: one filter a type")


def test_hidden_statement_is_no_failure_where_the_road_is_named(
    make_site: Any, findings: Any, saying: Any, fhir: Any
) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("Patient"):
            return httpx2.Response(200, json=fhir.bundle(fhir.patient(1)))
        return httpx2.Response(404)

    found = findings(make_site(road="search"), saying(answer))
    assert found["capability statement"].ok
    assert 'not shown; road = "search" does without it' in found["capability statement"].what
    assert found["Patient"].ok


def test_site_file_that_names_another_vendor_than_the_server_is_told_so(
    make_site: Any, findings: Any, saying: Any
) -> None:
    site = make_site(road="bulk", fhir={"base_url": BASE, "vendor": "epic"})
    found = findings(site, saying({**STATEMENT, "publisher": "Cerner"}))
    assert "vendor Epic (by the site file; the server looks like cerner)" in found["capability statement"].what


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ({"resourceType": "Conformance", "fhirVersion": "1.0.2"}, "says DSTU2 (FHIR 1.0.2); Mainstem reads R4"),
        ({**STATEMENT, "fhirVersion": "3.0.1"}, "says STU3 (FHIR 3.0.1); Mainstem reads R4"),
    ],
)
def test_other_fhir_version_is_said_by_name(
    make_site: Any, findings: Any, saying: Any, statement: Any, said: str
) -> None:
    found = findings(make_site(road="search"), saying(statement))
    assert said in found["capability statement"].what
    assert "R4 address" in found["capability statement"].fix
    assert found["capability statement"].who == "EHR vendor"


def test_resource_of_another_version_is_found_though_the_statement_says_r4(
    make_site: Any, findings: Any, saying: Any, fhir: Any
) -> None:
    order = {"resourceType": "MedicationRequest", "id": "m", "requester": {"agent": {"reference": "Practitioner/Ann"}}}

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("metadata"):
            return httpx2.Response(200, json=STATEMENT)
        resource = order if request.url.path.endswith("MedicationRequest") else fhir.patient(1)
        return httpx2.Response(200, json=fhir.bundle(resource))

    found = findings(make_site(types=["Patient", "MedicationRequest"]), saying(answer))
    assert found["Patient"].ok
    assert (found["MedicationRequest"].ok, found["MedicationRequest"].kind) == (False, "incomplete")
    assert "another FHIR version than R4 (MedicationRequest.requester)" in found["MedicationRequest"].what
    assert "Ann" not in repr(found)


def test_roster_is_tried_as_a_run_would_find_it(make_site: Any, findings: Any, saying: Any, fhir: Any) -> None:
    """A list of strangers is found before the first night; a Group that is too large for the vendor's exports, too."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        path, params = request.url.path.removeprefix("/fhir/"), request.url.params
        if path == "metadata":
            return httpx2.Response(200, json=STATEMENT)
        if path == "Group/cf":
            members = [{"entity": {"reference": f"Patient/p{number}"}} for number in range(1001)]
            return httpx2.Response(200, json={"resourceType": "Group", "id": "cf", "member": members})
        if path.startswith("Patient/"):
            return httpx2.Response(404)
        known = [fhir.patient(1)] if params.get("_id", "p1").startswith("p1") else []
        return httpx2.Response(200, json=fhir.bundle(*(known if path == "Patient" else []), total=len(known)))

    def listed(*ids: str) -> dict[str, Any]:
        site = make_site(road="search", cohort={"patients": "file:roster.txt"}, fhir={"base_url": BASE})
        found = findings(
            site, saying(answer), secrets=lambda place: "\n".join(ids).encode() if "roster" in place else b"k" * 32
        )
        return found["cohort"]

    assert (listed("p1", "p9").ok, listed("p1", "p9").what) == (
        True,
        "1 patients; the EHR knows no patient for 1 of the 2 the cohort names",
    )
    strangers = listed("p9")
    assert (strangers.ok, strangers.who) == (False, "network")
    assert "knows none of the 1 patients" in strangers.what

    epic = make_site(road="bulk", fhir={"base_url": BASE, "group": "cf", "vendor": "epic"})
    found = findings(epic, saying(answer))
    assert found["cohort"].what == "1001 patients"
    assert "Group cf has 1001 patients; Epic exports 1000 at a time well" in found["group"].what


ADVERTISED = {"name": "export", "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"}


@pytest.mark.parametrize(
    ("vendor", "answers", "what", "ok", "deleted"),
    [
        (None, [], "one was taken, and deleted at once", True, ["jobs/1"]),
        (
            None,
            [Answered({}, 429)],
            "it is not known whether one is taken: the server takes no further export now",
            True,
            [],
        ),
        (None, [Answered({}, 403)] * 9, "does not permit anybody without a log-in to read it (403)", False, []),
        ("epic", [], "none was: Epic may count exports, and the first run needs one", True, []),
    ],
)
def test_an_export_is_tried_where_the_vendor_counts_none(
    make_site: Any,
    source_of: Any,
    exports: Exports,
    vendor: str | None,
    answers: Any,
    what: str,
    ok: bool,
    deleted: Any,
) -> None:
    """By a closer look alone, for what changes from now on; the job of another run that is in the way is left alone."""
    hospital = exports.hospital
    hospital.put({"resourceType": "Patient", "id": "p1"})
    statement = {**STATEMENT, "rest": [{"resource": [{"type": "Patient", "operation": [ADVERTISED]}]}]}
    hospital.faults.insert(0, lambda asked: Answered(statement) if asked.path == "metadata" else None)
    exports.kick_off = list(answers)
    fhir = {"base_url": hospital.base_url, "vendor": vendor}
    source = source_of(make_site(road="bulk", fhir=fhir), secrets=lambda _: b"k" * 32)
    assert "export tried" not in {finding.name for finding in check_site(source)}
    found = {finding.name: finding for finding in check_site(source, closer=True)}["export tried"]
    assert (found.ok, exports.deleted) == (ok, deleted)
    assert what in found.what
    assert all(asked.value("_since").startswith("2030-01-01T12:00") for asked in exports.begun)
    assert len(exports.begun) == len(deleted)


def test_an_export_that_cannot_be_deleted_is_told_and_is_no_fault(
    make_site: Any, source_of: Any, exports: Exports
) -> None:
    hospital = exports.hospital
    statement = {**STATEMENT, "rest": [{"resource": [{"type": "Patient", "operation": [ADVERTISED]}]}]}
    hospital.faults.insert(0, lambda asked: Answered(statement) if asked.path == "metadata" else None)
    hospital.faults.insert(0, lambda asked: Answered({}, 403) if asked.method == "DELETE" else None)
    source = source_of(make_site(road="bulk", fhir={"base_url": hospital.base_url}), secrets=lambda _: b"k" * 32)
    found = {finding.name: finding for finding in check_site(source, closer=True)}["export tried"]
    assert found.ok
    assert "ends by itself, as it could not be deleted" in found.what


OFFSET = "2026-03-02T09:15:00{}"


@pytest.mark.parametrize(
    ("zone", "offset", "noticed"),
    [
        ("America/Los_Angeles", "-05:00", True),
        ("America/New_York", "-05:00", False),
        ("America/Los_Angeles", "Z", False),
        ("America/Los_Angeles", "+00:00", False),
        ("Asia/Kolkata", "+05:30", False),
    ],
)
def test_a_time_zone_that_is_anothers_is_told_by_the_offsets_that_come(
    faulty: FaultyHospital, make_site: Any, source_of: Any, zone: str, offset: str, noticed: bool
) -> None:
    """Z, and no offset, are of computers and say nothing of a place."""
    reading = {"resourceType": "Observation", "status": "final", "issued": OFFSET.format("+09:00")}
    faulty.put(*({**reading, "id": f"{n}", "effectiveDateTime": OFFSET.format(offset)} for n in range(9)))
    site = make_site(fhir={"base_url": faulty.base_url}, types=["Observation"], road="search", time_zone=zone)
    found = {each.name: each for each in check_site(source_of(site, secrets=lambda _: b"k" * 32), closer=True)}
    assert ("time zone" in found) == noticed
    if noticed:
        assert found["time zone"].what.startswith(
            "9 of 9 times in a sample have another offset (-05:00) than America/Los"
        )
        assert "time_zone" in found["time zone"].fix
