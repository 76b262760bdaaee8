"""The contract of a vendor file: every file in connectors/vendors/ keeps it."""

import dataclasses
import re
from pathlib import Path

import pytest

import connectors.vendors
from connectors.vendors import ALWAYS_RETRIED, Evidence, Vendor, told_by, vendor, vendor_names
from schemas.errors import OperatorError

SMALL = 40


@pytest.mark.parametrize("name", vendor_names())
def test_vendor_file_is_small_and_only_data(name: str) -> None:
    path = Path(connectors.vendors.__file__).parent / f"{name}.py"
    source = path.read_text()
    assert len(source.splitlines()) <= SMALL
    assert "def " not in source
    found = vendor(name)
    assert isinstance(found, Vendor)
    assert found.title


@pytest.mark.parametrize("name", vendor_names())
def test_vendor_values_can_be_sent(name: str) -> None:
    found = vendor(name)
    assert found.retried >= ALWAYS_RETRIED
    assert all(100 <= status < 600 and status not in (401, 403) for status in found.retried)
    assert all(1 <= size <= 1000 for size in found.page_sizes.values())
    assert set(found.window_ends.values()) <= {"lt", "le"}
    for name in {*found.page_sizes, *found.count_needs, *found.fan_out, *found.not_exported, *found.window_ends}:
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name)
    for branches in found.fan_out.values():
        assert not found.rejected_categories & {
            value for branch in branches for key, value in branch if key == "category"
        }
    for branches in found.fan_out.values():
        assert branches
        assert len(set(branches)) == len(branches)
    for value in found.headers.values():
        assert value.format(client_id="x").isascii()


@pytest.mark.parametrize("name", vendor_names())
def test_vendor_cannot_be_changed_by_a_run(name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        vendor(name).title = "other"  # type: ignore[misc]


def test_unknown_vendor_names_the_nearest_and_all() -> None:
    with pytest.raises(OperatorError) as caught:
        vendor("epik")
    assert "'epik'" in caught.value.cause
    assert "Did you mean 'epic'?" in caught.value.fix
    assert all(name in caught.value.fix for name in vendor_names())


def test_vendor_is_found_by_the_name_of_its_file() -> None:
    files = {path.stem for path in Path(connectors.vendors.__file__).parent.glob("[a-z]*.py")}
    assert set(vendor_names()) == files
    assert files >= {"athenahealth", "cerner", "eclinicalworks", "epic", "generic", "hapi", "meditech", "veradigm"}


@pytest.mark.parametrize("name", vendor_names())
def test_vendor_is_told_by_its_own_title_and_says_where_its_key_goes(name: str) -> None:
    found = vendor(name)
    assert len(found.key_goes) > 20
    if name != "generic":
        assert found.names
        assert found.addresses
        assert told_by(Evidence(publisher=found.title)) == (name, "publisher")
        assert not re.search(found.names, "FHIR R4 server")


@pytest.mark.parametrize("name", vendor_names())
@pytest.mark.parametrize("count", [1, 50, 1000])
def test_page_is_never_larger_than_asked(name: str, count: int) -> None:
    for resource_type in ("Patient", "Observation", "Encounter", "DocumentReference"):
        size = vendor(name).page_size(resource_type, count, [("patient", "1")])
        assert size is not None
        assert 1 <= size <= count


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (Evidence(software="Epic February 2026"), ("epic", "software")),
        (Evidence(software="EpicCare Link for ants"), ("", "")),
        (Evidence(publisher="Cerner"), ("cerner", "publisher")),
        (Evidence(implementation="Oracle Health implementation of FHIR"), ("cerner", "implementation")),
        (Evidence(software="HAPI FHIR Server 7.2.0", publisher="athenahealth, Inc."), ("athenahealth", "publisher")),
        (Evidence(software="HAPI FHIR Server 7.2.0"), ("hapi", "software")),
        (Evidence(headers={"X-Powered-By": "HAPI FHIR 6.2 REST Server"}), ("hapi", "headers")),
        (Evidence(headers={"Cerner-Correlation-Id": "abc"}), ("cerner", "headers")),
        (Evidence(headers={"X-Request-Note": "epic"}), ("", "")),
        (Evidence(publisher="Epic and Cerner gateway"), ("", "")),
        (
            Evidence(publisher="Epic and Cerner gateway", base_url="https://a.b/interconnect-prd/api/FHIR/R4/"),
            ("epic", "base URL"),
        ),
        (Evidence(token_endpoint="https://authorization.cerner.com/tenants/x/token"), ("cerner", "token endpoint")),
        (Evidence(base_url="https://api.platform.athenahealth.com/fhir/r4/"), ("athenahealth", "base URL")),
        (Evidence(base_url="https://fhir4.eclinicalworks.com/fhir/r4/ABC/"), ("eclinicalworks", "base URL")),
        (Evidence(base_url="https://gateway.example/fhirroute/fhir/100/"), ("veradigm", "base URL")),
        (Evidence(base_url="https://ehr.example:443/v2/uscore/STU6/"), ("meditech", "base URL")),
        (Evidence(base_url="https://ehr.example/api/fhir/r4/"), ("", "")),
        (Evidence(software="x" * 10_000 + " Epic"), ("", "")),
        (Evidence(), ("", "")),
    ],
)
def test_vendor_is_told_by_what_the_server_says_of_itself(evidence: Evidence, expected: tuple[str, str]) -> None:
    assert told_by(evidence) == expected


@pytest.mark.parametrize("name", vendor_names())
def test_filter_that_every_server_takes_is_no_fault(name: str) -> None:
    assert vendor(name).filter_faults(["Observation?category=laboratory", "Condition?code=x%2Cy"]) == []


def test_filters_that_oracle_health_refuses_are_named() -> None:
    filters = ["Observation?_lastUpdated:gt=2026&category=laboratory", "Condition?patient=1", "Condition?code=x"]
    assert vendor("cerner").filter_faults(filters) == [
        "Observation: no _lastUpdated in a filter",
        "Condition: no patient in a filter",
        "Condition: one filter a type",
    ]
