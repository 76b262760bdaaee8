"""A hospital whose site file names no vendor is read by the manners of the one its server shows, even where it shows little."""

from collections.abc import Callable
from typing import Any

import pytest
from hospital_with_faults import Answered, Asked, Fault, FaultyHospital

from connectors.client.capabilities import meet
from connectors.pulling import Source, read_capabilities, readable, road_of, units
from schemas.errors import OperatorError
from schemas.sites import Site

STATEMENT = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}


def at(path: str, answered: Answered) -> Fault:
    """What one path answers."""
    return lambda asked: answered if asked.path == path else None


def test_software_of_the_statement_tells_the_vendor(
    faulty: FaultyHospital, make_site: Callable[..., Site], source_of: Callable[..., Source]
) -> None:
    faulty.faults.append(at("metadata", Answered({**STATEMENT, "software": {"name": "Epic", "version": "May 2026"}})))
    found = read_capabilities(source_of(make_site(fhir={"base_url": faulty.base_url})))
    assert found is not None
    assert (found.vendor, found.told_by) == ("epic", "software")
    assert [asked.path for asked in faulty.asked] == ["metadata"]


def test_header_of_the_answer_tells_the_vendor(
    faulty: FaultyHospital, make_site: Callable[..., Site], source_of: Callable[..., Source]
) -> None:
    faulty.faults.append(at("metadata", Answered(STATEMENT, headers={"X-Powered-By": "HAPI FHIR 7.4.0 REST Server"})))
    found = read_capabilities(source_of(make_site(fhir={"base_url": faulty.base_url})))
    assert found is not None
    assert (found.vendor, found.told_by) == ("hapi", "headers")


HIDDEN = {
    "not there": Answered({"resourceType": "OperationOutcome"}, 404),
    "forbidden": Answered(b"no", 403, {"Content-Type": "text/plain"}),
    "a page": Answered(b"<html>Welcome</html>", headers={"Content-Type": "text/html"}),
    "something else": Answered({"resourceType": "OperationOutcome"}),
}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN.keys())
@pytest.mark.parametrize("road", ["search", "bulk"])
def test_hidden_statement_blocks_no_site_with_an_explicit_road(
    faulty: FaultyHospital,
    make_site: Callable[..., Site],
    source_of: Callable[..., Source],
    hidden: Answered,
    road: str,
) -> None:
    """Its vendor may still be told, here by where it sends for tokens; every type of the site is asked for."""
    smart = {"token_endpoint": "https://authorization.cerner.com/tenants/x/token"}
    faulty.faults += [at("metadata", hidden), at(".well-known/smart-configuration", Answered(smart))]
    site = make_site(fhir={"base_url": faulty.base_url}, road=road)
    found = read_capabilities(source_of(site))
    assert found is not None
    assert (found.hidden, found.vendor, found.told_by) == (True, "cerner", "token endpoint")
    assert (road_of(site, found), readable(site, found)) == (road, ["Patient"])
    assert units(site, found) == (["Patient"] if road == "search" else ["export"])


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN.keys())
def test_hidden_statement_is_an_error_where_the_road_hangs_on_it(
    faulty: FaultyHospital, make_site: Callable[..., Site], source_of: Callable[..., Source], hidden: Answered
) -> None:
    faulty.faults.append(at("metadata", hidden))
    with pytest.raises(OperatorError) as caught:
        read_capabilities(source_of(make_site(fhir={"base_url": faulty.base_url})))
    assert 'set road to "search" or "bulk"' in caught.value.fix


def test_other_fhir_version_is_refused_by_name_whatever_the_road(
    faulty: FaultyHospital, make_site: Callable[..., Site], source_of: Callable[..., Source]
) -> None:
    faulty.faults.append(at("metadata", Answered({"resourceType": "Conformance", "fhirVersion": "1.0.2"})))
    with pytest.raises(OperatorError, match=r"DSTU2 \(FHIR 1\.0\.2\)"):
        read_capabilities(source_of(make_site(fhir={"base_url": faulty.base_url}, road="search")))


def test_vendor_of_the_site_file_stands_above_what_the_server_says(
    faulty: FaultyHospital, make_site: Any, source_of: Callable[..., Source]
) -> None:
    faulty.faults.append(at("metadata", Answered({**STATEMENT, "publisher": "Cerner"})))
    site = make_site(fhir={"base_url": faulty.base_url, "vendor": "hapi"})
    with source_of(site).client() as client:
        assert meet(client).vendor == "cerner"
        assert client.vendor.title == "HAPI FHIR"


def test_client_that_met_a_vendor_sends_its_headers(
    faulty: FaultyHospital, make_site: Any, source_of: Callable[..., Source]
) -> None:
    faulty.faults.append(at("metadata", Answered({**STATEMENT, "publisher": "Epic Systems"})))
    faulty.put({"resourceType": "Patient", "id": "p"})
    site = make_site(fhir={"base_url": faulty.base_url, "auth": {"method": "none", "client_id": "the-client"}})
    with source_of(site).client() as client:
        meet(client)
        client.ask("GET", client.url("Patient"), what="Patient", accepted=(200,))

    def sent(asked: Asked) -> str | None:
        return {name.lower(): value for name, value in asked.headers.items()}.get("epic-client-id")

    assert [(asked.path, sent(asked)) for asked in faulty.asked] == [("metadata", None), ("Patient", "the-client")]
