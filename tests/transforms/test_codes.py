"""Codes and their systems: what is of the form of its system is a code, the better of two is chosen, the rest is text."""

import json
from typing import Any

import pytest

from schemas.problems import Reason
from transforms import CodeMapRow, Mapper, Outcome
from transforms.codes.forms import code_fault, leaves_as_it_is, normal_code
from transforms.codes.systems import ICD10CM, LOINC, RXNORM, SNOMED, known_systems, repaired_system

KEY = b"a key of thirty-two bytes, no less"


def mapped(resource: dict[str, Any], *rows: CodeMapRow) -> Outcome:
    base = {"id": "c1", "subject": {"reference": "Patient/p1"}}
    site = Mapper(site="north", time_zone="America/New_York", subject_key=KEY, code_map=rows)
    return site.map_line(json.dumps(base | resource).encode())


def record(resource: dict[str, Any], *rows: CodeMapRow) -> dict[str, Any]:
    outcome = mapped(resource, *rows)
    assert outcome.problem is None, outcome.problem
    found: dict[str, Any] = json.loads(outcome.records[0].content)
    return found | {"flags": json.loads(b"{" + outcome.records[0].provenance + b"}").get("flags", [])}


def finding(*codings: tuple[str | None, Any], **fields: Any) -> dict[str, Any]:
    listed = [{"system": system, "code": code} if system else {"code": code} for system, code in codings]
    return {
        "resourceType": "Observation",
        "status": "final",
        "effectiveDateTime": "2026-03-02",
        "code": {"coding": listed},
        "valueInteger": 3,
    } | fields


def diagnosis(*codings: tuple[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "code": {"coding": [{"system": system, "code": code} for system, code in codings]},
    }


RIGHT = [
    ("http://snomed.info/sct", "34000006"),
    ("http://snomed.info/sct", "999000011000000103"),
    ("http://loinc.org", "8302-2"),
    ("http://loinc.org", "LA6576-8"),
    ("http://loinc.org", "LA30122-8"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "E10.65"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "e1065"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "S52.521A"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "C7A.00"),
    ("http://hl7.org/fhir/sid/icd-10", "K50.0"),
    ("http://hl7.org/fhir/sid/icd-9-cm", "250.01"),
    ("http://hl7.org/fhir/sid/icd-9-cm", "V20.2"),
    ("http://hl7.org/fhir/sid/icd-9-cm", "E849.0"),
    ("http://www.nlm.nih.gov/research/umls/rxnorm", "327361"),
    ("http://hl7.org/fhir/sid/cvx", "08"),
    ("http://hl7.org/fhir/sid/ndc", "0074-3799-02"),
    ("http://hl7.org/fhir/sid/ndc", "00074379902"),
    ("http://hl7.org/fhir/sid/ndc", "0074379902"),
    ("http://www.ama-assn.org/go/cpt", "99213"),
    ("http://www.ama-assn.org/go/cpt", "0001F"),
    ("http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "J1745"),
    ("http://www.cms.gov/Medicare/Coding/ICD10", "0DTJ4ZZ"),
    ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "EMER"),
]
WRONG = [
    ("http://snomed.info/sct", "34000007"),
    ("http://snomed.info/sct", "34000006 |Crohn|"),
    ("http://snomed.info/sct", "999000011000000104"),
    ("http://snomed.info/sct", "Ann Example"),
    ("http://loinc.org", "8302-3"),
    ("http://loinc.org", "LA6576-9"),
    ("http://loinc.org", "Quackenbush"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "6175550142"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "ANN-EXAMPLE"),
    ("http://hl7.org/fhir/sid/cvx", "given to Ann"),
    ("http://hl7.org/fhir/sid/cvx", "9071"),
    ("http://www.nlm.nih.gov/research/umls/rxnorm", "Ibuprofen"),
    ("http://hl7.org/fhir/sid/ndc", "617-555-0142"),
    ("http://hl7.org/fhir/sid/ndc", "6175550142"),
    ("http://www.ama-assn.org/go/cpt", "EXAMPLE"),
    ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "Quackenbush"),
    ("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "told-mother"),
    ("http://unitsofmeasure.org", "6175550142"),
]


@pytest.mark.parametrize(("system", "code"), RIGHT)
def test_a_code_has_the_form_of_its_system(system: str, code: str) -> None:
    """Check digits, patterns, closed lists."""
    assert code_fault(system, code) is None


@pytest.mark.parametrize(("system", "code"), WRONG)
def test_what_has_another_form_is_text(system: str, code: str) -> None:
    """And text does not leave."""
    assert code_fault(system, code) is not None
    out = mapped(finding((system, code), ("http://loinc.org", "8302-2")))
    assert code.encode() not in b"".join(each.content + each.provenance for each in out.records)


def test_every_way_of_writing_a_system_means_one() -> None:
    """OIDs, old URIs, white space, case."""
    for written, meant in {
        "urn:oid:2.16.840.1.113883.6.96": SNOMED,
        "2.16.840.1.113883.6.1": LOINC,
        "HTTPS://WWW.nlm.nih.gov/research/umls/RxNorm/": RXNORM,
        "http://hl7.org/fhir/sid/icd-10-cm ": ICD10CM,
        "urn:oid:2.16.840.1.113883.6.103": "http://hl7.org/fhir/sid/icd-9-cm",
        "urn:oid:2.16.840.1.113883.6.3": "http://hl7.org/fhir/sid/icd-10",
        "urn:oid:2.16.840.1.113883.6.69": "http://hl7.org/fhir/sid/ndc",
    }.items():
        assert repaired_system(written) == meant
    assert all(repaired_system(uri) == uri for uri in known_systems())


def test_of_two_fitting_codes_the_one_with_a_unit_wins_then_the_more_specific() -> None:
    """Whatever stands first."""
    for order in (("30525-0", "8302-2"), ("8302-2", "30525-0")):
        assert record(finding(*((LOINC, code) for code in order)))["code"] == "8302-2"
    for icd in (("E10", "E1065", "E10.6"), ("E10.6", "E10", "E1065")):
        assert record(diagnosis(*((ICD10CM, code) for code in icd)))["icd10cm"] == "E10.65"


def test_a_bad_check_digit_falls_back_to_the_next_good_coding() -> None:
    """What can be used is used, and the fault is flagged; alone, it is a problem."""
    found = record(finding((LOINC, "8302-3"), (LOINC, "3137-7")))
    assert found["code"] == "3137-7"
    assert {"code-withheld", "loinc-check-digit"} <= set(found["flags"])
    found = record(finding((LOINC, "8302-3"), ("urn:oid:1.2.3", "HT")))
    assert found["codings"] == [{"system": "urn:oid:1.2.3", "code": "HT"}]
    assert "loinc-check-digit" in found["flags"]
    problem = mapped(finding((LOINC, "8302-3"))).problem
    assert problem is not None
    assert problem.reason is Reason.BAD_CODE


def test_a_snomed_code_beyond_what_a_float_holds_is_exact() -> None:
    """Eighteen digits, as text or as a number."""
    for code in ("999000011000000103", 999000011000000103):
        assert record(diagnosis((SNOMED, code)))["code"] == "999000011000000103"


def test_a_snomed_code_with_a_digit_mistyped_is_withheld_and_flagged() -> None:
    """Verhoeff's digit finds a wrong one and two that changed places."""
    for code in ("190905009", "109905008"):
        found = record(diagnosis((SNOMED, code), (ICD10CM, "E84.0")))
        assert (found["icd10cm"], found.get("code")) == ("E84.0", None)
        assert {"code-withheld", "snomed-check-digit"} <= set(found["flags"])


def test_a_loinc_answer_is_the_value() -> None:
    """All coded answers of a survey have one."""
    answer = {"coding": [{"system": LOINC, "code": "LA6568-5"}]}
    found = record(finding((LOINC, "8302-2"), valueInteger=None, valueCodeableConcept=answer))
    assert (found["value_code"], found["flags"]) == ("LA6568-5", [])


def test_icd_of_the_who_and_of_before_is_no_icd_10_cm() -> None:
    """They are kept as what they are."""
    for system, code in (("http://hl7.org/fhir/sid/icd-10", "K50.0"), ("http://hl7.org/fhir/sid/icd-9-cm", "555.9")):
        found = record(diagnosis((system, code)))
        assert "icd10cm" not in found
        assert found["codings"] == [{"system": system, "code": code}]
    assert normal_code(ICD10CM, "e109") == "E10.9"


@pytest.mark.parametrize("code", ["HT", "4154126", "BP_SYS", "1.2-a", "LAB/77", "x1"])
def test_a_short_local_code_leaves(code: str) -> None:
    """Mostly they say something to somebody."""
    assert leaves_as_it_is(code)
    assert record(finding((None, code)))["codings"] == [{"code": code}]


@pytest.mark.parametrize(
    "code",
    ["6175550142", "617-555-0142", "2014-02-03", "20140203", "MRN00123", "Quackenbush", "Ann.Example", "00123456"],
)
def test_a_local_code_that_may_name_somebody_leaves_hashed(code: str) -> None:
    """The same code has the same hash, so that it is counted, and mapped by that."""
    (coding,) = record(finding((None, code)))["codings"]
    assert coding["code"].startswith("h-")
    assert record(finding((None, code)), CodeMapRow("", code, LOINC, "8302-2"))["code"] == "8302-2"
    assert record(finding((None, code)), CodeMapRow("", coding["code"], LOINC, "8302-2"))["code"] == "8302-2"


def test_a_local_system_leaves_hashed_unless_the_code_map_names_it() -> None:
    """Its URL may hold a name or a record number."""
    for system in ("https://ehr.example/patients/77/quux", "mailto:ann@example.org", "urn:x:Quackenbush"):
        (coding,) = record(finding((system, "HT")))["codings"]
        assert coding["system"].startswith("urn:mainstem:")
        assert record(finding((system, "HT")), CodeMapRow(coding["system"], "HT", LOINC, "8302-2"))["code"] == "8302-2"
        (declared,) = record(finding((system, "HT")), CodeMapRow(system, "WT", LOINC, "29463-7"))["codings"]
        assert declared["system"] == system


@pytest.mark.parametrize(("written", "shown"), [("3", "3"), ("MRN00123-quux", None), ("20140203", None), ("a", None)])
def test_a_version_leaves_hashed_unless_it_is_a_small_number(written: str, shown: str | None) -> None:
    """A server may put anything there."""
    for meta in ({"versionId": written}, {"versionId": written, "lastUpdated": "2026-03-02T09:10:00Z"}):
        (found,) = mapped(finding((LOINC, "8302-2"), meta=meta)).records
        version = json.loads(b"{" + found.provenance + b"}")["source"][0]["version"]
        assert version == shown if shown else version.startswith("v-")
