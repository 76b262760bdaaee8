"""`mainstem check` looks into what comes: each finding is produced by a fault of the server."""

from collections.abc import Callable
from typing import Any

import pytest
from hospital_with_faults import Answered, Asked, FaultyHospital
from screens import Said, sound_child

from connectors.pulling import Source
from mainstem.check import Finding, check_site
from schemas.sites import Site

Found = dict[str, Finding]
TYPES = ["Patient", "Condition", "Observation"]


@pytest.fixture
def looked(
    faulty: FaultyHospital, make_site: Callable[..., Site], source_of: Callable[..., Source]
) -> Callable[..., Found]:
    """What a closer look finds, by name, at a hospital of three children."""
    faulty.put(*(resource for number in (1, 2, 3) for resource in sound_child(number)))

    def look(**given: Any) -> Found:
        fhir = {"base_url": faulty.base_url, "page_size": 2, **given.pop("fhir", {})}
        site = make_site(**{"fhir": fhir, "types": TYPES, "road": "search", **given})
        source = source_of(site, secrets=lambda _: b"k" * 32)
        return {finding.name: finding for finding in check_site(source, closer=True)}

    return look


def test_a_sound_hospital_is_told_what_will_come(looked: Any) -> None:
    found = looked()
    assert all(finding.ok for finding in found.values()), found
    assert found["sample"].what == "9 resources gave 9 records"
    assert found["codes"].what == "100 % of 9 records have a code of the network's systems"
    assert found["updates"].what == "Patient: _lastUpdated is heeded: a night reads what changed"
    assert "about 9 resources in 6 requests of 2, less than a minute" in found["first load"].what


def test_every_type_empty_looks_like_no_access(looked: Any, faulty: FaultyHospital) -> None:
    """Pages without an error and without a resource."""
    for name in TYPES:
        faulty.resources[name] = []
    found = looked()
    assert (found["access"].ok, found["access"].who) == (False, "site IT")
    assert "every type is empty" in found["access"].what
    assert "sample" not in found
    faulty.put(sound_child()[0])
    assert "access" not in looked()


def test_updates_that_are_not_heeded_are_found(looked: Any, faulty: FaultyHospital) -> None:
    faulty.understands.discard("_lastUpdated")
    found = looked()["updates"]
    assert (found.ok, found.who) == (False, "EHR vendor")
    assert "every night reads everything again" in found.what


def test_pages_that_lead_nowhere_are_found(looked: Any, faulty: FaultyHospital) -> None:
    faulty.cap, faulty.links = 2, False
    found = looked()["paging"]
    assert (found.ok, found.who) == (False, "EHR vendor")
    assert "of Condition, Observation, Patient" in found.what
    faulty.links = True
    assert looked()["paging"].ok


def test_codes_of_their_own_are_counted(looked: Any, faulty: FaultyHospital) -> None:
    """With a code map of the site's they have a meaning: the site's own mapping is what is tried."""
    for each in faulty.resources["Observation"]:
        each["code"] = {"coding": [{"system": "urn:oid:9.9", "code": "GEW"}]}
    found = looked()["codes"]
    assert found.what.startswith("67 % of 9 records")
    assert "mainstem codes suggest" in found.fix


def test_unknown_units_are_counted(looked: Any, faulty: FaultyHospital) -> None:
    for each in faulty.resources["Observation"][:2]:
        each["valueQuantity"] = {"value": 31, "unit": "stones per furlong"}
    found = looked()
    assert (found["units"].ok, found["units"].what.partition(" ")[0]) == (False, "2")
    assert "unknown-unit" in found["sample"].what


def test_must_haves_that_are_missing_are_named_with_their_share(looked: Any, faulty: FaultyHospital) -> None:
    del faulty.resources["Patient"][0]["gender"]
    assert looked()["elements"].ok
    for each in faulty.resources["Patient"][1:]:
        del each["gender"]
    found = looked()["elements"]
    assert (found.ok, found.who) == (False, "EHR vendor")
    assert "Patient.gender in 100 %" in found.what


def test_share_of_the_networks_variables(looked: Any, tmp_path: Any) -> None:
    """The network lists them in one file beside the site files."""
    (tmp_path / "variables.csv").write_text(
        "variable,record,system,code,field\nweight,observation,http://loinc.org,29463-7,value\n"
        "FEV1,observation,http://loinc.org,20150-9,\nsex,person,,,sex\ndiagnosis,condition,,,\n"
    )
    found = looked()["variables"]
    assert found.what.startswith("75 % of the network's 4 variables")
    assert found.what.endswith("not FEV1")
    (tmp_path / "variables.csv").write_text("variable,record\nweight,vitals\n")
    assert "there is no record type vitals" in looked()["variables"].what


def test_page_to_mail_holds_the_findings_and_no_patient(screen: Said, north: FaultyHospital, tmp_path: Any) -> None:
    def refuse(asked: Asked) -> Answered | None:
        return Answered({"resourceType": "OperationOutcome"}, 403) if asked.path == "Condition" else None

    north.faults.append(refuse)
    code, out, err = screen("check", "north", "--html", "check.html")
    page = (tmp_path / "check.html").read_text()
    assert (code, out) == (3, "")
    assert "wrote check.html" in err
    assert "Condition: to do" in page
    assert "(site IT)" in page
    for word in ("M1", "Example", "2014-05-06", "<script", "src=", "href="):
        assert word not in page
